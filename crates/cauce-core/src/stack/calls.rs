//! Waiting calls: started, woken by their socket or their limit, resumed, cancelled.

use super::entity::StackTimer;
use super::{Entry, Stack};
use crate::connection::flag;
use crate::connection::state::State;
use crate::connection::user_calls::ReadEnd;
use crate::socket::call::{Call, CallId, Opening, Progress, Returned, UserMemory, Waiting};
use crate::socket::errno::Errno;
use crate::socket::options::flag as option;
use crate::socket::{ReadFlags, SendFlags, SocketId};
use crate::time::{Duration, Instant};
use alloc::vec::Vec;
use core::net::SocketAddr;

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
        let mut waiting =
            Waiting { socket, call, done: 0, deadline, opening: Opening::NotBegun, woken: false };
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
                self.end_opening(&waiting);
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
        self.end_opening(&waiting);
        self.keep_call_deadline();
        Some(waiting.done)
    }

    /// A call ends: if it was opening a connection, nobody waits for the handshake any more.
    fn end_opening(&mut self, waiting: &Waiting) {
        if waiting.opening == Opening::Lasts
            && let Some(conn) = self.connection_mut(waiting.socket)
        {
            conn.set_writer_waits(false);
        }
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
            Call::Send(flags) => self
                .advance_opening(waiting, None, now, memory)
                .unwrap_or_else(|| self.advance_send(waiting, flags, now, memory)),
            Call::SendOpening { to, flags } => self
                .advance_opening(waiting, Some(to), now, memory)
                .unwrap_or_else(|| self.advance_send(waiting, flags, now, memory)),
            Call::Recv { flags, wait_all } => self.advance_recv(waiting, flags, wait_all, now, memory),
            Call::Close => self.advance_close(waiting, now),
        }
    }

    fn advance_send<M: UserMemory + ?Sized>(
        &mut self,
        waiting: &mut Waiting,
        flags: SendFlags,
        now: Instant,
        memory: &mut M,
    ) -> Option<Result<Returned, Errno>> {
        let mut piece = [0; PIECE];
        while waiting.done < memory.len() {
            let want = PIECE.min(memory.len() - waiting.done);
            let got = memory.copy_in(waiting.done, &mut piece[..want]);
            if got == 0 {
                self.end_partial_write(waiting, flags, now);
                return Some(partial(waiting.done, Errno::EFAULT));
            }
            let unfinished = waiting.done + got < memory.len();
            let sent = self.with_connection(waiting.socket, now, Errno::EPIPE, |conn, cx| {
                conn.send(&piece[..got], flags, unfinished, cx)
            });
            match sent {
                Ok(taken) => waiting.done += taken,
                Err(Errno::EAGAIN) => {
                    self.end_partial_write(waiting, flags, now);
                    return None;
                }
                Err(error) => return Some(partial(waiting.done, error)),
            }
        }
        if memory.is_empty() {
            // Nothing to send still finds the connection's error.
            let sent = self.socket(waiting.socket).send(now, &[]);
            return Some(sent.map(Returned::Bytes));
        }
        Some(Ok(Returned::Bytes(waiting.done)))
    }

    /// A write that may open its connection: with MSG_FASTOPEN, whose address is `to`, or after a connect(2) that has
    /// left the SYN to it. The SYN takes the first bytes, and the call goes on when the handshake has ended. `None`
    /// when there is a connection, and the write is like any other.
    fn advance_opening<M: UserMemory + ?Sized>(
        &mut self,
        waiting: &mut Waiting,
        to: Option<Option<SocketAddr>>,
        now: Instant,
        memory: &mut M,
    ) -> Option<Option<Result<Returned, Errno>>> {
        match waiting.opening {
            Opening::Over => return None,
            Opening::Lasts => {
                return match self.how_connect_went(waiting.socket, now) {
                    Err(Errno::EALREADY) => Some(None),
                    Err(error) => Some(Some(Err(error))),
                    Ok(()) => {
                        waiting.opening = Opening::Over;
                        None
                    }
                };
            }
            Opening::NotBegun => waiting.opening = Opening::Over,
        }
        if let Some(to) = to
            && let Err(error) = self.open_for_write(waiting.socket, now, to)
        {
            return Some(Some(Err(error)));
        }
        if !self.connection(waiting.socket).is_some_and(|conn| conn.waits_for_write()) {
            return None;
        }
        let mut piece = [0; PIECE];
        let want = PIECE.min(memory.len());
        let got = memory.copy_in(0, &mut piece[..want]);
        if got == 0 && want > 0 {
            return Some(Some(Err(Errno::EFAULT)));
        }
        waiting.opening = Opening::Lasts;
        let sent = self.with_connection(waiting.socket, now, Errno::EPIPE, |conn, cx| {
            let sent = conn.write_into_syn(&piece[..got], cx).unwrap_or(0);
            conn.set_writer_waits(sent < memory.len());
            Ok(sent)
        });
        waiting.done = sent.unwrap_or(0);
        Some(None)
    }

    /// What a write has handed over so far may leave while it waits for room, or because it ends here.
    fn end_partial_write(&mut self, waiting: &Waiting, flags: SendFlags, now: Instant) {
        if waiting.done > 0 {
            let flags = SendFlags { out_of_band: flags.out_of_band, ..SendFlags::default() };
            let _ = self.with_connection(waiting.socket, now, Errno::EPIPE, |conn, cx| {
                conn.push_written(flags, cx);
                Ok(())
            });
        }
    }

    fn advance_recv<M: UserMemory + ?Sized>(
        &mut self,
        waiting: &mut Waiting,
        flags: ReadFlags,
        wait_all: bool,
        now: Instant,
        memory: &mut M,
    ) -> Option<Result<Returned, Errno>> {
        if flags.out_of_band && self.is_idle(waiting.socket) {
            return Some(Err(Errno::EINVAL));
        }
        if self.is_shut_for_reading(waiting.socket) {
            return Some(Ok(Returned::Bytes(0)));
        }
        let lowat = self.options(waiting.socket).map_or(1, |options| options.recv_lowat as usize);
        let target = if wait_all { memory.len() } else { lowat.min(memory.len()) };
        loop {
            if waiting.done > 0 && self.only_error_is_left(waiting.socket) {
                return Some(Ok(Returned::Bytes(waiting.done)));
            }
            // A peek begins anew each time: what it saw is still there.
            let (start, mut filled) = (if flags.peek { 0 } else { waiting.done }, 0);
            let want = memory.len() - start;
            let result = self.with_connection(waiting.socket, now, Errno::ENOTCONN, |conn, cx| {
                let mut sink = |bytes: &[u8]| {
                    let copied = memory.copy_out(start + filled, bytes);
                    filled += copied;
                    copied
                };
                conn.receive(want, flags, &mut sink, cx).map(|count| (count, conn.read_ends_here()))
            });
            match result {
                Ok((0, more)) if want > 0 && more == ReadEnd::Bytes && !flags.out_of_band => {
                    return Some(partial(waiting.done, Errno::EFAULT));
                }
                Ok((0, _)) => return Some(Ok(Returned::Bytes(waiting.done))),
                Ok((count, end)) => {
                    let before = core::mem::replace(&mut waiting.done, start + count);
                    let over = waiting.done >= target || end == ReadEnd::Mark || flags.out_of_band;
                    if over {
                        return Some(Ok(Returned::Bytes(waiting.done)));
                    }
                    if flags.peek && waiting.done <= before {
                        return (end == ReadEnd::Stream).then_some(Ok(Returned::Bytes(waiting.done)));
                    }
                }
                Err(Errno::EAGAIN) if flags.out_of_band => return Some(Err(Errno::EAGAIN)),
                Err(Errno::EAGAIN) => return None,
                Err(error) => return Some(partial(waiting.done, error)),
            }
        }
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
