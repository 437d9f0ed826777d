//! The user calls SEND, RECEIVE and STATUS on one connection (RFC 9293 3.10.2, 3.10.3, 3.10.6; P-057).
//!
//! Calls never wait: they do what can be done and say `EAGAIN` for the rest. Waiting is data, kept in
//! `socket::call`.

use super::state::State;
use super::{Connection, flag, pending};
use crate::context::Context;
use crate::send::write_queue::WriteQueue;
use crate::socket::errno::Errno;
use crate::socket::readiness::Readiness;
use bytes::Bytes;

/// How a read treats what it returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadFlags {
    /// Leave the bytes in the queue (MSG_PEEK).
    pub peek: bool,
    /// Drop the bytes instead of copying them (MSG_TRUNC).
    pub discard: bool,
}

impl Connection {
    /// The error that a call finds first, taken away.
    pub(crate) fn take_error(&mut self) -> Option<Errno> {
        self.error.take()
    }

    /// Appends `data` as far as the send buffer has room. Returns how many bytes were taken.
    pub(crate) fn send(&mut self, data: &[u8], more: bool, cx: &mut Context<'_>) -> Result<usize, Errno> {
        self.may_write(data.len())?;
        let mut append = |write: &mut WriteQueue, from: usize, len| write.append(&data[from..from + len]);
        let taken = self.fill_send_buffer(data.len(), cx, &mut append);
        self.after_write(taken, data.len(), more, cx)
    }

    /// Appends `data` without a copy, as far as the send buffer has room; the rest stays in `data`.
    pub(crate) fn send_bytes(&mut self, data: &mut Bytes, cx: &mut Context<'_>) -> Result<usize, Errno> {
        let want = data.len();
        self.may_write(want)?;
        let mut append = |write: &mut WriteQueue, _, len| write.append_bytes(data.split_to(len));
        let taken = self.fill_send_buffer(want, cx, &mut append);
        self.after_write(taken, want, false, cx)
    }

    /// May a write of `want` bytes be made at all?
    fn may_write(&mut self, want: usize) -> Result<(), Errno> {
        if let Some(error) = self.take_error() {
            // A reset that a write finds first is told once; the next write is a plain EPIPE.
            return Err(error);
        }
        if self.has(flag::SND_SHUTDOWN) || self.state == State::Closed {
            return Err(Errno::EPIPE);
        }
        if want > 0 && matches!(self.state, State::SynSent | State::SynReceived) {
            self.set(flag::WANTS_ROOM);
            return Err(Errno::EAGAIN);
        }
        Ok(())
    }

    fn after_write(
        &mut self,
        taken: usize,
        want: usize,
        more: bool,
        cx: &mut Context<'_>,
    ) -> Result<usize, Errno> {
        self.settle_memory(cx);
        let short = taken < want;
        if short {
            self.set(flag::WANTS_ROOM);
            if taken == 0 {
                return Err(Errno::EAGAIN);
            }
            // The writer will wait: nothing of what he wrote does.
            self.want(pending::FLUSH);
        }
        if more && !short {
            self.set(flag::MORE);
        } else {
            self.clear(flag::MORE);
        }
        if !more || short || self.push_is_overdue() {
            self.write.push();
        }
        self.want(pending::OUTPUT);
        Ok(taken)
    }

    /// Reads in-order bytes through `sink`, at most `max`, until it takes no more. `Ok(0)` is the end of the
    /// stream (or `max` was 0).
    pub(crate) fn receive(
        &mut self,
        max: usize,
        flags: ReadFlags,
        sink: &mut dyn FnMut(&[u8]) -> usize,
        cx: &mut Context<'_>,
    ) -> Result<usize, Errno> {
        if max == 0 {
            return Ok(0);
        }
        if self.recv.readable() == 0 {
            return self.nothing_to_read();
        }
        let taken = if flags.peek {
            self.recv.peek(0, max, None, sink)
        } else if flags.discard {
            self.recv.discard(max, None, cx)
        } else {
            self.recv.read(max, None, sink, cx)
        };
        self.after_read(taken, flags.peek, cx);
        Ok(taken)
    }

    /// Takes the next run of in-order bytes without a copy; empty at the end of the stream.
    pub(crate) fn receive_bytes(&mut self, max: usize, cx: &mut Context<'_>) -> Result<Bytes, Errno> {
        if max == 0 {
            return Ok(Bytes::new());
        }
        if self.recv.readable() == 0 {
            return self.nothing_to_read().map(|_| Bytes::new());
        }
        let taken = self.recv.read_bytes(max, None, cx).unwrap_or_default();
        self.after_read(taken.len(), false, cx);
        Ok(taken)
    }

    fn nothing_to_read(&mut self) -> Result<usize, Errno> {
        if let Some(error) = self.take_error() {
            return Err(error);
        }
        if self.has(flag::FIN_RECEIVED | flag::RCV_SHUTDOWN) || self.state == State::Closed {
            return Ok(0);
        }
        Err(Errno::EAGAIN)
    }

    fn after_read(&mut self, taken: usize, peeked: bool, cx: &mut Context<'_>) {
        if peeked || taken == 0 {
            return;
        }
        if self.has(flag::URGENT) && self.recv.read_position() >= self.rcv_up {
            self.clear(flag::URGENT);
        }
        if self.state != State::Closed && self.recv.window_update_due(taken, cx) {
            self.want(pending::ACK);
        }
    }

    /// What poll(2) says of this connection.
    pub(crate) fn readiness(&self, cx_lowat: u32) -> Readiness {
        let mut ready = Readiness::NONE;
        let read_over = self.has(flag::RCV_SHUTDOWN | flag::FIN_RECEIVED) || self.state == State::Closed;
        if read_over && self.has(flag::SND_SHUTDOWN) || self.state == State::Closed {
            ready |= Readiness::HUP;
        }
        if read_over {
            ready |= Readiness::IN | Readiness::RDHUP;
        }
        if self.error.is_some() {
            ready |= Readiness::ERR;
        }
        if matches!(self.state, State::SynSent | State::SynReceived) {
            return ready;
        }
        if self.recv.readable() >= self.options.recv_lowat.max(1) as usize {
            ready |= Readiness::IN;
        }
        if self.has(flag::URGENT) {
            ready |= Readiness::PRI;
        }
        if self.has(flag::SND_SHUTDOWN) || self.state == State::Closed || self.is_writable(cx_lowat) {
            ready |= Readiness::OUT;
        }
        ready
    }
}
