//! Waiting: calls of the engine that sleep, poll() and epoll over the engine's readiness.

use std::collections::BTreeMap;

use cauce_core::socket::SocketId;
use cauce_core::socket::call::{self as engine, CallId, UserMemory};
use cauce_core::time::{Duration, Instant};

use super::Core;
use super::descriptors::Object;
use crate::call::{Answer, Buffer, Call, Fd, Outcome};
use crate::target::Progress;

/// Memory of the script: zeros to be sent, bytes that nobody looks at. NULL faults.
#[derive(Debug, Clone)]
pub(super) struct Memory(pub Vec<Buffer>);

impl UserMemory for Memory {
    fn len(&self) -> usize {
        self.0.iter().map(|buffer| buffer.len()).sum()
    }

    fn copy_in(&self, offset: usize, to: &mut [u8]) -> usize {
        let can = self.reachable(offset, to.len());
        to[..can].fill(0);
        can
    }

    fn copy_out(&mut self, offset: usize, from: &[u8]) -> usize {
        self.reachable(offset, from.len())
    }
}

impl Memory {
    /// Bytes from `offset` on, at most `want`, before the first NULL.
    fn reachable(&self, offset: usize, want: usize) -> usize {
        let mut start = 0;
        for buffer in &self.0 {
            let end = start + buffer.len();
            if matches!(buffer, Buffer::Null(_)) && end > offset {
                return start.saturating_sub(offset).min(want);
            }
            start = end;
        }
        start.saturating_sub(offset).min(want)
    }
}

/// The call that sleeps.
#[derive(Debug)]
pub(super) enum Sleeper {
    /// One of the engine's, and the family of its socket for accept().
    Engine { id: CallId, memory: Memory, call: Call },
    /// poll() and epoll_wait(): tried again at every event until the deadline.
    Wait { call: Call, deadline: Instant },
}

impl Sleeper {
    /// When it gives up, as far as the engine does not know.
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Sleeper::Engine { .. } => None,
            Sleeper::Wait { deadline, .. } => Some(*deadline).filter(|at| *at != Instant::NEVER),
        }
    }
}

/// What an epoll set knows of one descriptor.
#[derive(Debug, Clone, Copy)]
struct Watched {
    events: u32,
    data: u64,
    /// Something happened since it was last reported (EPOLLET).
    edge: bool,
    /// Reported once and silent until it is changed (EPOLLONESHOT).
    spent: bool,
}

/// An epoll set.
#[derive(Debug, Default)]
pub(super) struct Epoll {
    watched: BTreeMap<Fd, Watched>,
    /// The order in which descriptors are looked at; a reported one goes to the end.
    order: Vec<Fd>,
}

impl Epoll {
    /// Forgets a descriptor.
    pub fn remove(&mut self, fd: Fd) -> bool {
        self.order.retain(|known| *known != fd);
        self.watched.remove(&fd).is_some()
    }

    /// EPOLL_CTL_ADD, MOD and DEL.
    pub fn control(&mut self, operation: i32, fd: Fd, events: u32, data: u64) -> Result<(), i32> {
        let known = self.watched.contains_key(&fd);
        match operation {
            libc::EPOLL_CTL_ADD if known => Err(libc::EEXIST),
            libc::EPOLL_CTL_MOD | libc::EPOLL_CTL_DEL if !known => Err(libc::ENOENT),
            libc::EPOLL_CTL_DEL => {
                self.remove(fd);
                Ok(())
            }
            libc::EPOLL_CTL_ADD | libc::EPOLL_CTL_MOD => {
                self.watched.insert(fd, Watched { events, data, edge: true, spent: false });
                if !known {
                    self.order.push(fd);
                }
                Ok(())
            }
            _ => Err(libc::EINVAL),
        }
    }
}

impl Core {
    /// Goes on with the sleeping call if it can; true when it is over.
    pub(super) fn try_sleeper(&mut self) -> bool {
        let Some(sleeper) = self.sleeper.take() else { return false };
        let outcome = match sleeper {
            Sleeper::Engine { id, mut memory, call } => {
                let mut named = false;
                while let Some(woken) = self.stack.poll_call() {
                    named |= woken == id;
                }
                if !named {
                    self.sleeper = Some(Sleeper::Engine { id, memory, call });
                    return false;
                }
                match self.stack.resume_call(self.now, id, &mut memory) {
                    engine::Progress::Done(result) => self.returned(&call, result),
                    engine::Progress::Pending(id) => {
                        self.sleeper = Some(Sleeper::Engine { id, memory, call });
                        return false;
                    }
                }
            }
            Sleeper::Wait { call, deadline } => {
                let found = self.look(&call);
                if found.result == 0 && self.now < deadline {
                    self.sleeper = Some(Sleeper::Wait { call, deadline });
                    return false;
                }
                found
            }
        };
        self.over = Some((self.since_zero(), outcome));
        true
    }

    /// poll() and epoll_wait(): what is ready now, or a place among those that wait.
    pub(super) fn wait(&mut self, call: &Call, timeout: i32) -> Progress {
        let found = self.look(call);
        if found.result != 0 || timeout == 0 {
            return Progress::Done(found);
        }
        let deadline = match u64::try_from(timeout) {
            Ok(millis) => self.now + Duration::from_millis(millis),
            Err(_) => Instant::NEVER,
        };
        self.sleeper = Some(Sleeper::Wait { call: call.clone(), deadline });
        Progress::Blocked
    }

    /// What poll() or epoll_wait() would return without waiting.
    fn look(&mut self, call: &Call) -> Outcome {
        match call {
            Call::Poll { fds, .. } => {
                let always = libc::POLLERR | libc::POLLHUP;
                let revents: Vec<i16> = fds
                    .iter()
                    .map(|(fd, events)| match self.descriptors.socket(*fd) {
                        _ if *fd < 0 => 0,
                        Some(id) => self.ready(id) as i16 & (events | always),
                        None => libc::POLLNVAL,
                    })
                    .collect();
                let count = revents.iter().filter(|events| **events != 0).count();
                Outcome::with(count as i64, Answer::Poll(revents))
            }
            Call::EpollWait { epoll, max, .. } => self.look_epoll(*epoll, *max),
            _ => Outcome::failed(libc::EINVAL),
        }
    }

    /// Event bits of poll(2), with the aliases that Linux sets beside IN and OUT.
    fn ready(&mut self, id: SocketId) -> u32 {
        let bits = u32::from(self.stack.socket(id).readiness().0);
        let alias = |bit: i16, alias: i16| if bits & bit as u32 != 0 { alias as u32 } else { 0 };
        bits | alias(libc::POLLIN, libc::POLLRDNORM) | alias(libc::POLLOUT, libc::POLLWRNORM)
    }

    fn look_epoll(&mut self, epoll: Fd, max: i32) -> Outcome {
        if max <= 0 {
            return Outcome::failed(libc::EINVAL);
        }
        let edges = std::mem::take(&mut self.edges);
        let Some(Object::Epoll(set)) = self.descriptors.get(epoll) else {
            return Outcome::failed(if self.descriptors.get(epoll).is_some() {
                libc::EINVAL
            } else {
                libc::EBADF
            });
        };
        let order = set.order.clone();
        let mut found = Vec::new();
        let mut reported = Vec::new();
        for fd in order {
            let Some(id) = self.descriptors.socket(fd) else { continue };
            let ready = self.ready(id);
            let Some(Object::Epoll(set)) = self.descriptors.get_mut(epoll) else { continue };
            let Some(watched) = set.watched.get_mut(&fd) else { continue };
            watched.edge |= edges.contains_key(&id);
            let bits = ready & (watched.events | libc::EPOLLERR as u32 | libc::EPOLLHUP as u32);
            let triggered = watched.events & libc::EPOLLET as u32 == 0 || watched.edge;
            if bits == 0 || !triggered || watched.spent || found.len() >= max as usize {
                continue;
            }
            watched.edge = false;
            watched.spent = watched.events & libc::EPOLLONESHOT as u32 != 0;
            found.push((bits, watched.data));
            reported.push(fd);
        }
        if let Some(Object::Epoll(set)) = self.descriptors.get_mut(epoll) {
            set.order.retain(|fd| !reported.contains(fd));
            set.order.extend(reported);
        }
        Outcome::with(found.len() as i64, Answer::Epoll(found))
    }
}
