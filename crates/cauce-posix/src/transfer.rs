//! Bytes from and to a program: the families of read() and write().

use crate::message;
use crate::object::{Kind, Object};
use crate::sleep::{Retry, Then, counted};
use crate::{Address, Answer, Control, Fd, Memory, Outcome, Process, Progress, Receive};
use cauce_core::socket::call as engine;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::{ReadFlags, SendFlags, SocketId};
use cauce_core::stack::Stack;
use cauce_core::time::Instant;

/// What a receiving call tells beside its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    by: Receive,
    flags: i32,
}

/// MSG_ZEROCOPY
const MSG_ZEROCOPY: i32 = 0x0400_0000;

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
            // read() of no bytes never reaches the socket (System V).
            Kind::Socket(_) if by == Receive::Read && memory.is_empty() => Outcome::done(0).into(),
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
        if flags & libc::MSG_ERRQUEUE != 0 {
            return self.receive_error(stack, id, memory, by).into();
        }
        let asked = |bit: i32| flags & bit != 0;
        let read = ReadFlags {
            peek: asked(libc::MSG_PEEK),
            discard: asked(libc::MSG_TRUNC),
            out_of_band: asked(libc::MSG_OOB),
        };
        let call = engine::Call::Recv { flags: read, wait_all: asked(libc::MSG_WAITALL) };
        // An urgent byte is never waited for.
        let nonblocking = asked(libc::MSG_DONTWAIT | libc::MSG_OOB) || self.is_nonblocking(object);
        let then = Then::Receive(Received { by, flags });
        self.engine_call(stack, now, object, (id, call), (memory, then), nonblocking)
    }

    /// What a call that has received `count` bytes tells.
    pub(crate) fn received(
        &mut self,
        stack: &mut Stack,
        socket: SocketId,
        count: usize,
        received: Received,
    ) -> Outcome {
        let answer = match received.by {
            Receive::Message { control } => {
                let controls = self.controls_of_read(stack, socket);
                message::answer(received.flags & libc::MSG_OOB, None, controls, control)
            }
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
        to: Option<Address>,
        controls: &[Control],
    ) -> Progress {
        let asked = |bit: i32| flags & bit != 0;
        let opens = asked(libc::MSG_FASTOPEN);
        let quiet = asked(libc::MSG_NOSIGNAL);
        let nonblocking = asked(libc::MSG_DONTWAIT) || self.is_nonblocking(object);
        if message::too_long(controls, stack.sysctl().core_optmem_max) {
            return Errno::ENOBUFS.into();
        }
        let timestamping = match message::timestamping(controls, self.privileged) {
            Ok(bits) => bits,
            Err(error) => return error.into(),
        };
        let flags = SendFlags {
            more: asked(libc::MSG_MORE),
            end_of_record: asked(libc::MSG_EOR),
            out_of_band: asked(libc::MSG_OOB),
            zero_copy: asked(MSG_ZEROCOPY),
            timestamping,
        };
        // A connected stream passes over the address, as Linux does.
        let call = match to {
            _ if !opens => engine::Call::Send(flags),
            Some(Address::Unspecified) => return Errno::EOPNOTSUPP.into(),
            Some(address) => match address.inet() {
                Ok(to) => engine::Call::SendOpening { to: Some(to), flags },
                Err(error) => return error.into(),
            },
            None => engine::Call::SendOpening { to: None, flags },
        };
        self.engine_call(stack, now, object, (id, call), (memory, Then::Send { quiet }), nonblocking)
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
