//! Bytes from and to a program: the families of read() and write().

use crate::object::{Kind, Object};
use crate::sleep::{Retry, Then, counted};
use crate::{Address, Answer, Control, Fd, Memory, Outcome, Process, Progress, Receive};
use cauce_core::socket::call as engine;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::{ReadFlags, SocketId};
use cauce_core::stack::Stack;
use cauce_core::time::Instant;

/// What a receiving call tells beside its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    by: Receive,
}

/// Flags by name, for what is not supported.
const NAMES: [(i32, &str); 9] = [
    (libc::MSG_OOB, "MSG_OOB"),
    (libc::MSG_EOR, "MSG_EOR"),
    (libc::MSG_ERRQUEUE, "MSG_ERRQUEUE"),
    (libc::MSG_FASTOPEN, "MSG_FASTOPEN"),
    (libc::MSG_CONFIRM, "MSG_CONFIRM"),
    (0x0400_0000, "MSG_ZEROCOPY"),
    (libc::MSG_DONTROUTE, "MSG_DONTROUTE"),
    (0x0200_0000, "MSG_SOCK_DEVMEM"),
    (libc::MSG_CTRUNC, "MSG_CTRUNC"),
];

fn unsupported(flags: i32) -> Progress {
    let known = NAMES.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name);
    let names = known.collect::<Vec<_>>().join("|");
    Progress::Unsupported(if names.is_empty() { format!("flags {flags:#x}") } else { names })
}

impl Process {
    pub(crate) fn receive(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        fd: Fd,
        mut memory: Memory,
        flags: i32,
        by: Receive,
    ) -> Progress {
        let (object, named) = match self.object(fd) {
            Ok(found) => found,
            Err(error) => return error.into(),
        };
        let nonblocking = named.nonblocking;
        match &named.kind {
            Kind::Socket(end) => {
                let id = end.id;
                self.receive_from_socket(stack, now, (object, id), memory, flags, by)
            }
            _ if by != Receive::Read => Errno::ENOTSOCK.into(),
            Kind::PipeReader(_) => {
                self.retry_or_sleep(stack, now, Retry::PipeRead { end: object, memory }, nonblocking)
            }
            Kind::File(_) => counted(self.read_file(object, &mut *memory)).into(),
            Kind::PipeWriter(_) => Errno::EBADF.into(),
            Kind::Epoll(_) => Errno::EINVAL.into(),
        }
    }

    fn receive_from_socket(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        (object, id): (crate::object::ObjectId, SocketId),
        memory: Memory,
        flags: i32,
        by: Receive,
    ) -> Progress {
        let known = libc::MSG_PEEK
            | libc::MSG_TRUNC
            | libc::MSG_WAITALL
            | libc::MSG_DONTWAIT
            | libc::MSG_NOSIGNAL
            | libc::MSG_CMSG_CLOEXEC;
        if flags & !known != 0 {
            return unsupported(flags & !known);
        }
        let read = ReadFlags { peek: flags & libc::MSG_PEEK != 0, discard: flags & libc::MSG_TRUNC != 0 };
        let call = engine::Call::Recv { flags: read, wait_all: flags & libc::MSG_WAITALL != 0 };
        let nonblocking = flags & libc::MSG_DONTWAIT != 0 || self.is_nonblocking(object);
        let then = Then::Receive(Received { by });
        self.engine_call(stack, now, object, (id, call), (memory, then), nonblocking)
    }

    /// What a call that has received `count` bytes tells.
    pub(crate) fn received(
        &mut self,
        _stack: &mut Stack,
        _socket: SocketId,
        count: usize,
        received: Received,
    ) -> Outcome {
        let answer = match received.by {
            Receive::Message { .. } => Answer::Message { flags: 0, name: None, controls: Vec::new() },
            Receive::Read | Receive::Recv => Answer::Nothing,
        };
        Outcome::with(count as i64, answer)
    }

    pub(crate) fn send(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        (fd, memory, flags): (Fd, Memory, i32),
        to: Option<Address>,
        controls: &[Control],
    ) -> Progress {
        let (object, named) = match self.object(fd) {
            Ok(found) => found,
            Err(error) => return error.into(),
        };
        let nonblocking = named.nonblocking;
        match &named.kind {
            Kind::Socket(end) => {
                let id = end.id;
                self.send_to_socket(stack, now, (object, id), (memory, flags), to, controls)
            }
            Kind::PipeWriter(_) => self.retry_or_sleep(
                stack,
                now,
                Retry::PipeWrite { end: object, memory, done: 0 },
                nonblocking,
            ),
            Kind::PipeReader(_) | Kind::File(_) => Errno::EBADF.into(),
            Kind::Epoll(_) => Errno::EINVAL.into(),
        }
    }

    fn send_to_socket(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        (object, id): (crate::object::ObjectId, SocketId),
        (memory, flags): (Memory, i32),
        _to: Option<Address>,
        controls: &[Control],
    ) -> Progress {
        let known = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL | libc::MSG_MORE;
        if flags & !known != 0 {
            return unsupported(flags & !known);
        }
        if !controls.is_empty() {
            return Progress::Unsupported("control messages of sendmsg".to_owned());
        }
        let nonblocking = flags & libc::MSG_DONTWAIT != 0 || self.is_nonblocking(object);
        if flags & libc::MSG_MORE != 0 {
            let mut bytes = vec![0; memory.len()];
            let got = memory.copy_in(0, &mut bytes);
            bytes.truncate(got);
            return counted(stack.socket(id).send_more(now, &bytes)).into();
        }
        self.engine_call(stack, now, object, (id, engine::Call::Send), (memory, Then::Plain), nonblocking)
    }

    /// read() of a file: at its position, which moves.
    fn read_file(
        &mut self,
        id: crate::object::ObjectId,
        memory: &mut dyn engine::UserMemory,
    ) -> Result<usize, Errno> {
        let Some(Object { kind: Kind::File(file), .. }) = self.objects.get_mut(id) else {
            return Err(Errno::EBADF);
        };
        let mut piece = [0; 4096];
        let mut done = 0;
        while done < memory.len() {
            let want = piece.len().min(memory.len() - done);
            let got = file.source.read_at(file.position, &mut piece[..want]).map_err(|_| Errno::EIO)?;
            let taken = memory.copy_out(done, &piece[..got]);
            (file.position, done) = (file.position + taken as u64, done + taken);
            if taken < got {
                return if done > 0 { Ok(done) } else { Err(Errno::EFAULT) };
            }
            if got < want {
                break;
            }
        }
        Ok(done)
    }
}
