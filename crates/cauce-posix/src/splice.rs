//! splice() and sendfile(): bytes from one description to another, without the program's memory.
//!
//! A socket's and a pipe's bytes change hands in their counted buffers; a file's are read once.

use crate::object::{Kind, Object, ObjectId};
use crate::sleep::Retry;
use crate::{Answer, Fd, Outcome, Process, Progress};
use bytes::Bytes;
use cauce_core::socket::SendFlags;
use cauce_core::socket::errno::Errno;
use cauce_core::stack::Stack;
use cauce_core::time::Instant;

/// Bytes that are read from a file at a time.
const PIECE: usize = 64 * 1024;

/// A transfer under way.
#[derive(Debug)]
pub(crate) struct Transfer {
    ends: [ObjectId; 2],
    /// Where in a file, and whether the program gave the place, so that the file's own does not move.
    offset: u64,
    own_offset: bool,
    len: usize,
    done: usize,
    /// It returns only when everything is moved or the source has ended, as sendfile() does.
    whole: bool,
    /// More follows at once (SPLICE_F_MORE).
    more: bool,
}

/// What a source gives now.
enum Given {
    Bytes(Bytes),
    /// Nothing yet.
    Wait,
    /// Nothing any more.
    End,
}

impl Transfer {
    pub(crate) fn objects(&self) -> &[ObjectId] {
        &self.ends
    }

    /// What it returns if it must not wait any longer and has moved bytes.
    pub(crate) fn partial(&self) -> Option<Outcome> {
        (self.done > 0).then(|| self.outcome())
    }

    fn outcome(&self) -> Outcome {
        let offset = self.own_offset.then_some(self.offset);
        Outcome::with(self.done as i64, Answer::Offsets(offset, None))
    }
}

impl Process {
    pub(crate) fn send_file(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        output: Fd,
        input: Fd,
        offset: Option<u64>,
        count: usize,
    ) -> Progress {
        let (output, input) = match (self.object(output), self.object(input)) {
            (Ok((to, sink)), Ok((from, source))) => ((to, sink), (from, source)),
            _ => return Errno::EBADF.into(),
        };
        let Kind::File(file) = &input.1.kind else { return Errno::EINVAL.into() };
        if !matches!(output.1.kind, Kind::Socket(_) | Kind::PipeWriter(_)) {
            return Errno::EINVAL.into();
        }
        let nonblocking = output.1.nonblocking;
        let transfer = Transfer {
            ends: [input.0, output.0],
            offset: offset.unwrap_or(file.position),
            own_offset: offset.is_some(),
            len: count,
            done: 0,
            whole: true,
            more: false,
        };
        self.retry_or_sleep(stack, now, Retry::Transfer(transfer), nonblocking)
    }

    pub(crate) fn splice(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        (input, input_offset): (Fd, Option<u64>),
        (output, output_offset): (Fd, Option<u64>),
        len: usize,
        flags: u32,
    ) -> Progress {
        let known = libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK | libc::SPLICE_F_MORE | libc::SPLICE_F_GIFT;
        if flags & !known != 0 {
            return Errno::EINVAL.into();
        }
        let (from, to) = match (self.object(input), self.object(output)) {
            (Ok(from), Ok(to)) => (from, to),
            _ => return Errno::EBADF.into(),
        };
        let is_pipe = |object: &Object| matches!(object.kind, Kind::PipeReader(_) | Kind::PipeWriter(_));
        if !is_pipe(from.1) && !is_pipe(to.1) {
            return Errno::EINVAL.into();
        }
        if output_offset.is_some() || input_offset.is_some() && !matches!(from.1.kind, Kind::File(_)) {
            return Errno::ESPIPE.into();
        }
        let position = match &from.1.kind {
            Kind::PipeReader(_) | Kind::Socket(_) => 0,
            Kind::File(file) => file.position,
            Kind::PipeWriter(_) => return Errno::EBADF.into(),
            Kind::Epoll(_) => return Errno::EINVAL.into(),
        };
        match to.1.kind {
            Kind::PipeWriter(_) | Kind::Socket(_) => {}
            Kind::PipeReader(_) => return Errno::EBADF.into(),
            Kind::File(_) | Kind::Epoll(_) => return Errno::EINVAL.into(),
        }
        if self.pipe_of(from.0).is_some() && self.pipe_of(from.0) == self.pipe_of(to.0) {
            return Errno::EINVAL.into();
        }
        let nonblocking = flags & libc::SPLICE_F_NONBLOCK != 0 || from.1.nonblocking || to.1.nonblocking;
        let transfer = Transfer {
            ends: [from.0, to.0],
            offset: input_offset.unwrap_or(position),
            own_offset: input_offset.is_some(),
            len,
            done: 0,
            whole: false,
            more: flags & libc::SPLICE_F_MORE != 0,
        };
        self.retry_or_sleep(stack, now, Retry::Transfer(transfer), nonblocking)
    }

    /// Moves what can be moved; `None` while it must wait.
    pub(crate) fn advance_transfer(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        transfer: &mut Transfer,
    ) -> Option<Outcome> {
        let [from, to] = transfer.ends;
        while transfer.done < transfer.len {
            let ended = match self.room_for(to) {
                Ok(Some(room)) => match self.give(stack, now, transfer, room) {
                    Ok(Given::Bytes(bytes)) => match self.pass(stack, now, (from, to), bytes, transfer) {
                        Ok(true) => continue,
                        Ok(false) => false,
                        Err(error) => return Some(stopped(transfer, error)),
                    },
                    Ok(Given::Wait) => false,
                    Ok(Given::End) => {
                        // The file is shorter than was asked for: what was held for the rest leaves now.
                        if let (true, Some(socket)) = (transfer.whole, self.socket_id(to)) {
                            let _ = stack.socket(socket).push(now);
                        }
                        true
                    }
                    Err(error) => return Some(stopped(transfer, error)),
                },
                Ok(None) => false,
                Err(error) => return Some(stopped(transfer, error)),
            };
            if ended || transfer.done > 0 && !transfer.whole {
                break;
            }
            return None;
        }
        Some(transfer.outcome())
    }

    /// Bytes that a sink takes at once, as far as it is known before trying; `None` for a full pipe.
    fn room_for(&self, to: ObjectId) -> Result<Option<usize>, Errno> {
        let Some(pipe) = self.pipe_of(to) else { return Ok(Some(PIECE)) };
        match self.pipes.get(pipe) {
            Some(pipe) if !pipe.reader => Err(Errno::EPIPE),
            Some(pipe) => Ok(Some(pipe.room()).filter(|room| *room > 0)),
            None => Err(Errno::EPIPE),
        }
    }

    /// The next bytes of the source, at most `room`.
    fn give(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        transfer: &Transfer,
        room: usize,
    ) -> Result<Given, Errno> {
        let [from, _] = transfer.ends;
        let max = room.min(transfer.len - transfer.done);
        match self.objects.get(from).map(|object| &object.kind) {
            Some(Kind::Socket(end)) => match stack.socket(end.id).recv_bytes(now, max) {
                Ok(bytes) if bytes.is_empty() => Ok(Given::End),
                Ok(bytes) => Ok(Given::Bytes(bytes)),
                Err(Errno::EAGAIN) => Ok(Given::Wait),
                Err(error) => Err(error),
            },
            Some(Kind::PipeReader(pipe)) => {
                let pipe = self.pipes.get_mut(*pipe).ok_or(Errno::EBADF)?;
                match pipe.pop(max) {
                    bytes if !bytes.is_empty() => Ok(Given::Bytes(bytes)),
                    _ if pipe.writer => Ok(Given::Wait),
                    _ => Ok(Given::End),
                }
            }
            Some(Kind::File(file)) => {
                let mut piece = vec![0; max.min(PIECE)];
                let got = file.source.read_at(transfer.offset, &mut piece).map_err(|_| Errno::EIO)?;
                piece.truncate(got);
                Ok(if got == 0 { Given::End } else { Given::Bytes(piece.into()) })
            }
            _ => Err(Errno::EBADF),
        }
    }

    /// Hands bytes to the sink; what it does not take goes back to a pipe. False when it is full.
    fn pass(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        (from, to): (ObjectId, ObjectId),
        mut bytes: Bytes,
        transfer: &mut Transfer,
    ) -> Result<bool, Errno> {
        let before = bytes.len();
        let result = match (self.socket_id(to), self.pipe_of(to)) {
            (Some(socket), _) => {
                // More is to come when a file's piece is not its last.
                let more = transfer.more || transfer.whole && transfer.done + before < transfer.len;
                let flags = SendFlags { more, ..SendFlags::default() };
                stack.socket(socket).send_bytes_with(now, &mut bytes, flags).map(|_| ())
            }
            (_, Some(pipe)) => {
                if let Some(pipe) = self.pipes.get_mut(pipe) {
                    pipe.push(std::mem::take(&mut bytes));
                }
                self.touch_pipe(pipe);
                Ok(())
            }
            _ => Err(Errno::EBADF),
        };
        let moved = before - bytes.len();
        (transfer.done, transfer.offset) = (transfer.done + moved, transfer.offset + moved as u64);
        if !transfer.own_offset
            && let Some(Object { kind: Kind::File(file), .. }) = self.objects.get_mut(from)
        {
            file.position = transfer.offset;
        }
        if let Some(pipe) = self.pipe_of(from) {
            if let Some(pipe) = self.pipes.get_mut(pipe) {
                pipe.unpop(bytes);
            }
            self.touch_pipe(pipe);
        }
        match result {
            Ok(()) => Ok(moved == before),
            Err(Errno::EAGAIN) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// An error after some bytes were moved is told by the next call.
fn stopped(transfer: &Transfer, error: Errno) -> Outcome {
    if transfer.done > 0 { transfer.outcome() } else { Outcome::failed(error) }
}
