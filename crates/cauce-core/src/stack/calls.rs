//! Waiting calls: started, woken by their socket or their limit, resumed, cancelled.

use super::entity::StackTimer;
use super::{Entry, Stack};
use crate::connection::flag;
use crate::connection::state::State;
use crate::socket::call::{Call, CallId, Progress, Returned, UserMemory, Waiting};
use crate::socket::errno::Errno;
use crate::socket::options::flag as option;
use crate::socket::{ReadFlags, SocketId};
use crate::time::{Duration, Instant};
use alloc::vec::Vec;

/// Bytes that go through the stack's own memory at a time.
const PIECE: usize = 16 * 1024;

impl Stack {
    /// Starts a call that may wait.
    ///
    /// ```
    /// use cauce_core::socket::{Family, call::{Call, Progress}, errno::Errno};
    /// # use cauce_core::{stack::Stack, sysctl::Sysctls, time::Instant};
    /// # let mut n = 0u64;
    /// # let mut stack = Stack::new(Sysctls::default(), Box::new(move || { n += 1; n }));
    /// let id = stack.open(Family::V4).unwrap();
    /// let outcome = stack.start_call(Instant::ZERO, id, Call::Accept, &mut [][..]);
    /// assert_eq!(outcome, Progress::Done(Err(Errno::EINVAL)));
    /// ```
    pub fn start_call<M: UserMemory + ?Sized>(
        &mut self,
        now: Instant,
        socket: SocketId,
        call: Call,
        memory: &mut M,
    ) -> Progress {
        let deadline = self.call_limit(socket, call, now);
        let mut waiting = Waiting { socket, call, done: 0, deadline, woken: false };
        if let Some(result) = self.advance_call(&mut waiting, now, memory) {
            return Progress::Done(result);
        }
        let id = self.calls.insert(waiting);
        self.keep_call_deadline();
        Progress::Pending(id)
    }

    /// Goes on with a call that [`Stack::poll_call`] has named. A stale id is `EBADF`.
    pub fn resume_call<M: UserMemory + ?Sized>(
        &mut self,
        now: Instant,
        id: CallId,
        memory: &mut M,
    ) -> Progress {
        let Some(mut waiting) = self.calls.get(id).copied() else {
            return Progress::Done(Err(Errno::EBADF));
        };
        waiting.woken = false;
        let mut result = self.advance_call(&mut waiting, now, memory);
        if result.is_none() && now >= waiting.deadline {
            result = Some(self.expire_call(&waiting, now));
        }
        match result {
            Some(result) => {
                self.calls.remove(id);
                self.keep_call_deadline();
                Progress::Done(result)
            }
            None => {
                if let Some(kept) = self.calls.get_mut(id) {
                    *kept = waiting;
                }
                Progress::Pending(id)
            }
        }
    }

    /// The next call that is worth resuming.
    pub fn poll_call(&mut self) -> Option<CallId> {
        self.woken_calls.pop_front()
    }

    /// Takes a waiting call back, as a signal does. Returns the bytes that it has done so far.
    pub fn cancel_call(&mut self, id: CallId) -> Option<usize> {
        let waiting = self.calls.remove(id)?;
        self.keep_call_deadline();
        Some(waiting.done)
    }

    fn call_limit(&self, socket: SocketId, call: Call, now: Instant) -> Instant {
        let Ok(options) = self.options(socket) else { return Instant::NEVER };
        let rare = options.rare.as_deref().cloned().unwrap_or_default();
        let linger = Duration::from_secs(u64::from(options.linger));
        Waiting::limit(call, now, rare.recv_timeout, rare.send_timeout, linger)
    }

    /// Does what can be done now; `None` while the call must wait.
    fn advance_call<M: UserMemory + ?Sized>(
        &mut self,
        waiting: &mut Waiting,
        now: Instant,
        memory: &mut M,
    ) -> Option<Result<Returned, Errno>> {
        match waiting.call {
            Call::Connect(to) => match self.connect(waiting.socket, now, to) {
                Err(Errno::EINPROGRESS | Errno::EALREADY) => None,
                other => Some(other.map(|()| Returned::Nothing)),
            },
            Call::Accept => match self.accept(waiting.socket, now) {
                Err(Errno::EAGAIN) => None,
                other => Some(other.map(Returned::Socket)),
            },
            Call::Send => self.advance_send(waiting, now, memory),
            Call::Recv { flags, wait_all } => self.advance_recv(waiting, flags, wait_all, now, memory),
            Call::Close => self.advance_close(waiting, now),
        }
    }

    fn advance_send<M: UserMemory + ?Sized>(
        &mut self,
        waiting: &mut Waiting,
        now: Instant,
        memory: &mut M,
    ) -> Option<Result<Returned, Errno>> {
        let mut piece = [0; PIECE];
        while waiting.done < memory.len() {
            let want = PIECE.min(memory.len() - waiting.done);
            let got = memory.copy_in(waiting.done, &mut piece[..want]);
            if got == 0 {
                return Some(partial(waiting.done, Errno::EFAULT));
            }
            // The stream is pushed at the end of the call, not of each part.
            let mut socket = self.socket(waiting.socket);
            let last = waiting.done + got == memory.len();
            let sent =
                if last { socket.send(now, &piece[..got]) } else { socket.send_more(now, &piece[..got]) };
            match sent {
                Ok(taken) => waiting.done += taken,
                Err(Errno::EAGAIN) => return None,
                Err(error) => return Some(partial(waiting.done, error)),
            }
        }
        Some(Ok(Returned::Bytes(waiting.done)))
    }

    fn advance_recv<M: UserMemory + ?Sized>(
        &mut self,
        waiting: &mut Waiting,
        flags: ReadFlags,
        wait_all: bool,
        now: Instant,
        memory: &mut M,
    ) -> Option<Result<Returned, Errno>> {
        let want = memory.len() - waiting.done;
        let lowat = self.options(waiting.socket).map_or(1, |options| options.recv_lowat as usize);
        let target = if wait_all { memory.len() } else { lowat.min(memory.len()) };
        let (start, mut filled) = (waiting.done, 0);
        let result = self.with_connection(waiting.socket, now, Errno::ENOTCONN, |conn, cx| {
            let mut sink = |bytes: &[u8]| {
                let copied = memory.copy_out(start + filled, bytes);
                filled += copied;
                copied
            };
            conn.receive(want, flags, &mut sink, cx)
        });
        match result {
            Ok(0) if want > 0 && self.has_unread(waiting.socket) => {
                Some(partial(waiting.done, Errno::EFAULT))
            }
            Ok(0) => Some(Ok(Returned::Bytes(waiting.done))),
            Ok(count) => {
                waiting.done += count;
                let enough = waiting.done >= target || flags.peek;
                enough.then_some(Ok(Returned::Bytes(waiting.done)))
            }
            Err(Errno::EAGAIN) => None,
            Err(error) => Some(partial(waiting.done, error)),
        }
    }

    fn has_unread(&self, socket: SocketId) -> bool {
        self.connection(socket).is_some_and(|conn| conn.recv.readable() > 0)
    }

    /// close(2): at once without SO_LINGER; with it, when nothing is left to be acknowledged.
    fn advance_close(&mut self, waiting: &mut Waiting, now: Instant) -> Option<Result<Returned, Errno>> {
        let lingers = match self.sockets.get_mut(waiting.socket) {
            Some(Entry::Connection(conn)) => conn.options.has(option::LINGER) && conn.options.linger > 0,
            _ => false,
        };
        if !lingers {
            return Some(self.close(waiting.socket, now).map(|()| Returned::Nothing));
        }
        if waiting.done == 0 {
            waiting.done = 1;
            let _ = self.with_connection(waiting.socket, now, Errno::ENOTCONN, |conn, cx| {
                conn.set(flag::RCV_SHUTDOWN);
                if conn.recv.readable() == 0 {
                    conn.shutdown_write(cx);
                }
                Ok(())
            });
        }
        let Some(Entry::Connection(conn)) = self.sockets.get(waiting.socket) else {
            return Some(Err(Errno::EBADF));
        };
        let over = conn.recv.readable() > 0
            || matches!(conn.state, State::Closed | State::FinWait2 | State::TimeWait);
        over.then(|| self.close(waiting.socket, now).map(|()| Returned::Nothing))
    }

    fn expire_call(&mut self, waiting: &Waiting, now: Instant) -> Result<Returned, Errno> {
        if waiting.call == Call::Close {
            // What is left lives on as an orphan (O-35).
            self.close(waiting.socket, now)?;
        }
        waiting.expired()
    }

    /// The socket got better: calls that wait for it may go on.
    pub(super) fn wake_calls(&mut self, socket: SocketId) {
        if self.calls.is_empty() {
            return;
        }
        let ready = self.readiness(socket);
        let Stack { calls, woken_calls, .. } = self;
        for (id, waiting) in calls.iter_mut().filter(|(_, waiting)| waiting.socket == socket) {
            if !waiting.woken && waiting.is_interested(ready) {
                waiting.woken = true;
                woken_calls.push_back(id);
            }
        }
    }

    /// Calls whose limit is reached may go on, to hear that it is.
    pub(super) fn expire_calls(&mut self, now: Instant) {
        let due: Vec<CallId> = self
            .calls
            .iter()
            .filter(|(_, waiting)| waiting.deadline <= now && !waiting.woken)
            .map(|(id, _)| id)
            .collect();
        for id in due {
            if let Some(waiting) = self.calls.get_mut(id) {
                waiting.woken = true;
                self.woken_calls.push_back(id);
            }
        }
        self.keep_call_deadline();
    }

    fn keep_call_deadline(&mut self) {
        let next = self.calls.values().filter(|waiting| !waiting.woken).map(|waiting| waiting.deadline).min();
        self.keep_stack_deadline(StackTimer::Housekeeping, next.filter(|at| *at != Instant::NEVER));
    }
}

fn partial(done: usize, error: Errno) -> Result<Returned, Errno> {
    if done > 0 { Ok(Returned::Bytes(done)) } else { Err(error) }
}
