//! The user calls SEND, RECEIVE and STATUS on one connection (RFC 9293 3.10.2, 3.10.3, 3.10.6; P-057).
//!
//! Calls never wait: they do what can be done and say `EAGAIN` for the rest. Waiting is data, kept in
//! `socket::call`.

use super::state::State;
use super::{Connection, flag, pending};
use crate::context::Context;
use crate::socket::errno::Errno;
use crate::socket::options::flag as option;
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
        let room = self.room_to_send(data.len(), cx)?;
        let taken = room.min(data.len());
        self.write.append(&data[..taken]);
        self.after_write(taken < data.len(), more, cx);
        Ok(taken)
    }

    /// Appends `data` without a copy, as far as the send buffer has room; the rest stays in `data`.
    pub(crate) fn send_bytes(&mut self, data: &mut Bytes, cx: &mut Context<'_>) -> Result<usize, Errno> {
        let room = self.room_to_send(data.len(), cx)?;
        let taken = data.split_to(room.min(data.len()));
        let len = taken.len();
        self.write.append_bytes(taken);
        self.after_write(!data.is_empty(), false, cx);
        Ok(len)
    }

    fn room_to_send(&mut self, want: usize, cx: &mut Context<'_>) -> Result<usize, Errno> {
        if let Some(error) = self.take_error() {
            // A reset that a write finds first is told once; the next write is a plain EPIPE.
            return Err(error);
        }
        if self.has(flag::SND_SHUTDOWN) || self.state == State::Closed {
            return Err(Errno::EPIPE);
        }
        if want == 0 {
            return Ok(0);
        }
        if matches!(self.state, State::SynSent | State::SynReceived) {
            self.set(flag::WANTS_ROOM);
            return Err(Errno::EAGAIN);
        }
        let room = (self.options.send_buffer as usize).saturating_sub(self.write.len());
        if room == 0 || cx.memory.under_pressure() && self.write.len() > cx.sysctl.tcp_wmem[0].max(0) as usize
        {
            self.set(flag::WANTS_ROOM);
            return Err(Errno::EAGAIN);
        }
        Ok(room)
    }

    fn after_write(&mut self, short: bool, more: bool, cx: &mut Context<'_>) {
        self.settle_memory(cx);
        if short {
            self.set(flag::WANTS_ROOM);
        }
        if more {
            self.set(flag::MORE);
        } else {
            self.clear(flag::MORE);
            self.write.push();
        }
        self.want(pending::OUTPUT);
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

    /// There is enough room to be worth waking a writer: a third of what is queued, and little unsent.
    fn is_writable(&self, notsent_lowat: u32) -> bool {
        let room = (self.options.send_buffer as usize).saturating_sub(self.write.len());
        room > 0 && room >= self.write.len() / 2 && self.unsent() < u64::from(notsent_lowat)
    }

    /// After bytes left the write queue: wakes a writer who found it full.
    pub(crate) fn note_room(&mut self, cx: &Context<'_>) {
        if self.has(flag::WANTS_ROOM) && self.is_writable(self.options.notsent_lowat(cx.sysctl)) {
            self.clear(flag::WANTS_ROOM);
            self.tell(Readiness::OUT);
        }
    }

    /// The send buffer follows the congestion window unless the user fixed it (S-54).
    pub(crate) fn expand_send_buffer(&mut self, cx: &Context<'_>) {
        if self.options.has(option::SNDBUF_LOCK) || cx.memory.under_pressure() {
            return;
        }
        let per_segment = (u32::from(self.mss) + u32::from(self.negotiated.option_space()) + 320)
            .next_power_of_two()
            .saturating_add(256);
        let segments = self.cong.cwnd().max(10).max(self.recovery.reordering() + 1);
        let want = per_segment.saturating_mul(segments).saturating_mul(self.cong.sndbuf_expand());
        let most = cx.sysctl.tcp_wmem[2].max(0) as u32;
        self.options.send_buffer = self.options.send_buffer.max(want.min(most));
    }
}
