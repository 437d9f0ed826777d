//! Readiness of any description, poll(2) and select(2).

use crate::object::{Kind, Object, ObjectId, SocketEnd};
use crate::sleep::Retry;
use crate::{Answer, Fd, Outcome, PollFd, Process, Progress, SelectSets, Signal};
use cauce_core::socket::SocketId;
use cauce_core::stack::Stack;
use cauce_core::time::Instant;
use std::time::Duration;

/// Events that are reported whether they are asked for or not.
pub(crate) const ALWAYS: u32 = (libc::POLLERR | libc::POLLHUP) as u32;
const IN: u32 = libc::POLLIN as u32;
const OUT: u32 = libc::POLLOUT as u32;

/// The moment of a time-out.
pub(crate) fn deadline(now: Instant, timeout: Option<Duration>) -> Instant {
    match timeout {
        Some(span) => {
            now + cauce_core::time::Duration::from_nanos(span.as_nanos().min(u128::from(u64::MAX)) as u64)
        }
        None => Instant::NEVER,
    }
}

impl Process {
    pub(crate) fn poll(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        fds: Vec<PollFd>,
        timeout: Option<Duration>,
    ) -> Progress {
        let deadline = deadline(now, timeout);
        self.retry_or_sleep(stack, now, Retry::Poll { fds, deadline }, false)
    }

    /// What poll() would return now.
    pub(crate) fn look(&mut self, stack: &mut Stack, fds: &[PollFd]) -> Outcome {
        let mut revents = Vec::with_capacity(fds.len());
        for PollFd { fd, events } in fds {
            revents.push(match self.table.get(*fd) {
                _ if *fd < 0 => 0,
                Ok(object) => {
                    let asked = u32::from(*events as u16) | ALWAYS;
                    (self.readiness(stack, object) & asked) as u16 as i16
                }
                Err(_) => libc::POLLNVAL,
            });
        }
        let count = revents.iter().filter(|events| **events != 0).count();
        Outcome::with(count as i64, Answer::Poll(revents))
    }

    /// select(): every descriptor must be open.
    pub(crate) fn select(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        sets: SelectSets,
        timeout: Option<Duration>,
    ) -> Progress {
        let all = [&sets.read, &sets.write, &sets.except];
        if let Some(error) = all.into_iter().flatten().find_map(|fd| self.table.get(*fd).err()) {
            return error.into();
        }
        let deadline = deadline(now, timeout);
        self.retry_or_sleep(stack, now, Retry::Select { sets, deadline }, false)
    }

    /// What select() would return now: how many descriptors are ready, each set counting by itself.
    pub(crate) fn look_select(&mut self, stack: &mut Stack, sets: &SelectSets) -> Outcome {
        let mut ready = |fds: &[Fd], wanted: i16| -> Vec<Fd> {
            let is_ready = |fd: &Fd| match self.table.get(*fd) {
                Ok(object) => self.readiness(stack, object) & wanted as u16 as u32 != 0,
                // It was closed while the call slept: it will never get ready.
                Err(_) => false,
            };
            fds.iter().copied().filter(is_ready).collect()
        };
        let ready = SelectSets {
            read: ready(&sets.read, libc::POLLIN | libc::POLLHUP | libc::POLLERR),
            write: ready(&sets.write, libc::POLLOUT | libc::POLLERR),
            except: ready(&sets.except, libc::POLLPRI),
        };
        let count = ready.read.len() + ready.write.len() + ready.except.len();
        Outcome::with(count as i64, Answer::Select(ready))
    }

    /// Event bits of poll(2) for a description, with the aliases that Linux sets beside IN and OUT.
    pub(crate) fn readiness(&mut self, stack: &mut Stack, id: ObjectId) -> u32 {
        let is_set = self.epoll_of(id).is_some();
        let bits = match self.objects.get(id).map(|object| &object.kind) {
            _ if is_set => u32::from(self.epoll_has_ready(stack, id)) * IN,
            Some(Kind::Socket(end)) => u32::from(stack.socket(end.id).poll_readiness().0),
            Some(Kind::PipeReader(pipe)) => self.pipes.get(*pipe).map_or(0, |pipe| pipe.read_events() as u32),
            Some(Kind::PipeWriter(pipe)) => {
                self.pipes.get(*pipe).map_or(0, |pipe| pipe.write_events() as u32)
            }
            Some(Kind::File(_)) => IN | OUT,
            Some(Kind::Epoll(_)) | None => 0,
        };
        let alias = |bit: u32, alias: i16| if bits & bit != 0 { alias as u32 } else { 0 };
        bits | alias(IN, libc::POLLRDNORM) | alias(OUT, libc::POLLWRNORM)
    }

    /// Takes the stack's news: which sockets got better, and in what.
    pub(crate) fn hear(&mut self, stack: &mut Stack) {
        while let Some((socket, news)) = stack.poll_news() {
            self.stirred = true;
            let Some(id) = self.by_socket.get(socket).copied() else { continue };
            if let Some(Object { kind: Kind::Socket(SocketEnd { owner, .. }), signals, .. }) =
                self.objects.get(id)
                && *owner != 0
            {
                let (owner, io) = (*owner, *signals);
                if stack.socket(socket).take_urgent_notice() {
                    self.raise(Signal::Urgent { owner });
                }
                if io {
                    self.raise(Signal::Io { owner });
                }
            }
            self.touched(id, u32::from(news.0));
        }
    }

    /// Something happened to a description: its watchers are to look at it again, those that asked for one of
    /// the events in `news`.
    pub(crate) fn touched(&mut self, id: ObjectId, news: u32) {
        self.stirred = true;
        let Some(object) = self.objects.get(id) else { return };
        for (epoll, fd) in object.watchers.clone() {
            let Some(set) = self.epoll_of(epoll) else { continue };
            if set.stir(fd, id, news) {
                self.touched(epoll, IN);
            }
        }
    }

    pub(crate) fn socket_id(&self, id: ObjectId) -> Option<SocketId> {
        match self.objects.get(id)?.kind {
            Kind::Socket(end) => Some(end.id),
            _ => None,
        }
    }
}
