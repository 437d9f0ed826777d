//! The user at one end of a connection: writes, reads, rests, and parts with it as planned.
//!
//! A user acts only when told to: by the engine's events or by a wake-up it asked for. An event that the
//! engine forgets to report leaves the user waiting for ever, and the world tells.

use super::plan::{EndPlan, Ending};
use crate::model::{Stream, Violation};
use crate::rng::LabRng;
use bytes::Bytes;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::SocketOption;
use cauce_core::socket::readiness::Readiness;
use cauce_core::socket::{Shutdown, SocketId};
use cauce_core::stack::Stack;
use cauce_core::time::Instant;
use std::net::SocketAddr;

/// How far a user has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Has no socket yet.
    Absent,
    /// Waits for the handshake.
    Connecting,
    /// Sends and receives.
    Open,
    /// Has let go of the socket, as planned or after the error.
    Gone(Option<Errno>),
}

/// The user at one end.
#[derive(Debug)]
pub(super) struct User {
    plan: EndPlan,
    /// Bytes that the peer means to send.
    expected: u64,
    /// Does not end its stream before it is told to.
    pub(super) holds_on: bool,
    pub(super) socket: Option<SocketId>,
    pub(super) phase: Phase,
    /// When the plan parts with the connection by force.
    leaves_at: Instant,
    rests: [Instant; 2],
    rests_left: u32,
    rng: LabRng,
}

/// The streams of one end: what it sends and what it receives.
pub(super) struct Streams<'a> {
    pub(super) sending: &'a mut Stream,
    pub(super) receiving: &'a mut Stream,
}

/// A user rests so often at most, so that patience with a world need not be long.
const MOST_RESTS: u32 = 20;
/// Bits of tcp_fastopen: SYNs carry data, to peers that are not known too.
const WITHOUT_COOKIE: i32 = 5;
const WRITING: usize = 0;
const READING: usize = 1;

impl User {
    pub(super) fn new(plan: EndPlan, expected: u64, holds_on: bool, opens_at: Instant, rng: LabRng) -> Self {
        let leaves_at = match plan.ending {
            Ending::CloseAfter(span) | Ending::AbortAfter(span) => opens_at + span,
            Ending::Shutdown | Ending::Close => Instant::NEVER,
        };
        User {
            plan,
            expected,
            holds_on,
            socket: None,
            phase: Phase::Absent,
            leaves_at,
            rests: [Instant::ZERO; 2],
            rests_left: MOST_RESTS,
            rng,
        }
    }

    /// Connects; with the first bytes in the SYN where the setting sends them there without a cookie.
    pub(super) fn open(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        id: SocketId,
        remote: SocketAddr,
        streams: &mut Streams<'_>,
    ) -> Result<(), Errno> {
        let fast = stack.sysctl().tcp_fastopen & WITHOUT_COOKIE == WITHOUT_COOKIE;
        if !fast || self.plan.bytes == 0 {
            return stack.socket(id).connect(now, remote);
        }
        let mut buffer = vec![0; self.plan.write_size.min(self.plan.bytes) as usize];
        streams.sending.next_bytes(&mut buffer);
        let taken = stack.socket(id).connect_with_data(now, remote, &buffer)?;
        // No more than was offered.
        streams.sending.accepted(taken, buffer.len()).map_err(|_| Errno::EINVAL)
    }

    /// Takes over a socket that connects or was accepted.
    pub(super) fn take(&mut self, stack: &mut Stack, now: Instant, id: SocketId, phase: Phase) {
        let keepalive =
            [SocketOption::KeepAlive(true), SocketOption::KeepIdle(1), SocketOption::KeepInterval(2)];
        let keepalive = keepalive.into_iter().filter(|_| self.plan.keepalive);
        for option in keepalive.chain([SocketOption::NoDelay(self.plan.nodelay)]) {
            // These options are valid in every state.
            let _ = stack.socket(id).set_option(now, option);
        }
        self.socket = Some(id);
        self.phase = phase;
    }

    /// Does everything that can be done now. Returns when to be woken, if ever.
    pub(super) fn act(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        streams: &mut Streams<'_>,
    ) -> Result<Option<Instant>, Violation> {
        let Some(id) = self.socket else { return Ok(None) };
        if now >= self.leaves_at {
            self.leave(stack, now, id, streams);
            return Ok(None);
        }
        if self.phase == Phase::Connecting && !self.connected(stack, now, id, streams) {
            return Ok(self.wake(now));
        }
        for work in [Self::write, Self::read] {
            if let Err(stopped) = work(self, stack, now, id, streams) {
                return stopped.map_or(Ok(None), Err);
            }
        }
        self.finish(stack, now, id, streams);
        Ok(self.wake(now))
    }

    /// Lets go by force because the world must end: the peer may be gone without a trace.
    pub(super) fn give_up(&mut self, stack: &mut Stack, now: Instant, streams: &mut Streams<'_>) {
        if let Some(id) = self.socket {
            let _ = stack.socket(id).abort(now);
            streams.sending.end();
            self.gone(None);
        }
    }

    fn gone(&mut self, error: Option<Errno>) {
        self.socket = None;
        self.phase = Phase::Gone(error);
    }

    fn wake(&self, now: Instant) -> Option<Instant> {
        self.socket?;
        let times = self.rests.into_iter().chain([self.leaves_at]);
        times.filter(|at| *at > now && *at != Instant::NEVER).min()
    }

    /// Whether the handshake is over; a failed one ends the user.
    fn connected(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        id: SocketId,
        streams: &mut Streams<'_>,
    ) -> bool {
        let mut socket = stack.socket(id);
        // What the SYN carries may fill the send buffer.
        let ready = socket.poll_readiness();
        if ready.intersects(Readiness::ERR | Readiness::HUP) {
            let error = socket.take_error().unwrap_or(Errno::ECONNABORTED);
            let _ = socket.close(now);
            streams.sending.end();
            self.gone(Some(error));
            return false;
        }
        if ready.contains(Readiness::OUT) {
            self.phase = Phase::Open;
        }
        self.phase == Phase::Open
    }

    /// Leaves as planned, whatever is under way.
    fn leave(&mut self, stack: &mut Stack, now: Instant, id: SocketId, streams: &mut Streams<'_>) {
        let mut socket = stack.socket(id);
        let _ = match self.plan.ending {
            Ending::AbortAfter(_) => socket.abort(now),
            _ => socket.close(now),
        };
        streams.sending.end();
        self.gone(None);
    }

    /// An error of the connection ends the user.
    fn fail(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        id: SocketId,
        error: Errno,
        streams: &mut Streams<'_>,
    ) {
        let _ = stack.socket(id).close(now);
        streams.sending.end();
        self.gone(Some(error));
    }

    /// Rests with the planned chance. True when resting.
    fn rest(&mut self, now: Instant, which: usize) -> bool {
        let (chance, span) = [self.plan.write_rest, self.plan.read_rest][which];
        if self.rests_left > 0 && self.rng.chance(chance) {
            self.rests_left -= 1;
            self.rests[which] = now + span;
        }
        self.rests[which] > now
    }

    /// Sends until the buffer is full, the plan is fulfilled or a rest begins.
    fn write(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        id: SocketId,
        streams: &mut Streams<'_>,
    ) -> Result<(), Option<Violation>> {
        let mut buffer = Vec::new();
        while self.rests[WRITING] <= now && streams.sending.sent() < self.plan.bytes {
            let left = self.plan.bytes - streams.sending.sent();
            buffer.resize(self.plan.write_size.min(left) as usize, 0);
            streams.sending.next_bytes(&mut buffer);
            match self.send(stack, now, id, &buffer) {
                Ok(0) => return Err(Some(Violation::Other("SEND took nothing and did not say why".into()))),
                Ok(count) => streams.sending.accepted(count, buffer.len()).map_err(Some)?,
                Err(Errno::EAGAIN) => return Ok(()),
                Err(error) => {
                    self.fail(stack, now, id, error, streams);
                    return Err(None);
                }
            }
            if self.rest(now, WRITING) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// SEND, in one of its forms.
    fn send(&mut self, stack: &mut Stack, now: Instant, id: SocketId, data: &[u8]) -> Result<usize, Errno> {
        let more = self.rng.chance(self.plan.more);
        let mut socket = stack.socket(id);
        if self.plan.zero_copy {
            socket.send_bytes(now, &mut Bytes::copy_from_slice(data))
        } else if more {
            socket.send_more(now, data)
        } else {
            socket.send(now, data)
        }
    }

    /// RECEIVE, in one of its forms.
    fn receive(&mut self, stack: &mut Stack, now: Instant, id: SocketId) -> Result<Bytes, Errno> {
        let mut socket = stack.socket(id);
        let most = self.plan.read_size as usize;
        if self.plan.zero_copy {
            return socket.recv_bytes(now, most);
        }
        let mut buffer = vec![0; most];
        let count = socket.recv(now, &mut buffer)?;
        buffer.truncate(count);
        Ok(buffer.into())
    }

    /// RECEIVE without taking: what is seen is what comes next.
    fn peek(
        &self,
        stack: &mut Stack,
        now: Instant,
        id: SocketId,
        streams: &Streams<'_>,
    ) -> Result<Result<(), Violation>, Errno> {
        let mut buffer = vec![0; self.plan.read_size as usize];
        let count = stack.socket(id).peek(now, &mut buffer)?;
        buffer.truncate(count);
        let mut seen = streams.receiving.clone();
        Ok(if count == 0 { seen.deliver_end() } else { seen.deliver(&buffer) })
    }

    /// Receives until nothing is left, the stream has ended or a rest begins.
    fn read(
        &mut self,
        stack: &mut Stack,
        now: Instant,
        id: SocketId,
        streams: &mut Streams<'_>,
    ) -> Result<(), Option<Violation>> {
        while self.rests[READING] <= now && !streams.receiving.is_end_seen() {
            let seen = if self.plan.peeks { self.peek(stack, now, id, streams) } else { Ok(Ok(())) };
            let received = match seen {
                Ok(seen) => seen.map(|()| self.receive(stack, now, id)).map_err(Some)?,
                // A look takes the error away, as a read would.
                Err(error) => Err(error),
            };
            match received {
                Ok(bytes) if bytes.is_empty() => streams.receiving.deliver_end().map_err(Some)?,
                Ok(bytes) => streams.receiving.deliver(&bytes).map_err(Some)?,
                Err(Errno::EAGAIN) => return Ok(()),
                Err(error) => {
                    self.fail(stack, now, id, error, streams);
                    return Err(None);
                }
            }
            if self.rest(now, READING) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Ends the stream, and the connection, when the plan is fulfilled.
    fn finish(&mut self, stack: &mut Stack, now: Instant, id: SocketId, streams: &mut Streams<'_>) {
        if streams.sending.sent() < self.plan.bytes || self.holds_on {
            return;
        }
        let all_read = streams.receiving.is_end_seen();
        let mut socket = stack.socket(id);
        match self.plan.ending {
            Ending::Close if all_read || streams.receiving.delivered() >= self.expected => {
                let _ = socket.close(now);
                streams.sending.end();
                self.gone(None);
            }
            Ending::Shutdown => {
                if !streams.sending.is_ended() {
                    let _ = socket.shutdown(now, Shutdown::Write);
                    streams.sending.end();
                }
                if all_read {
                    let _ = socket.close(now);
                    self.gone(None);
                }
            }
            Ending::Close | Ending::CloseAfter(_) | Ending::AbortAfter(_) => {}
        }
    }
}
