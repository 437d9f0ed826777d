//! The user calls SEND, RECEIVE and STATUS on one connection (RFC 9293 3.10.2, 3.10.3, 3.10.6; P-057).
//!
//! Calls never wait: they do what can be done and say `EAGAIN` for the rest. Waiting is data, kept in
//! `socket::call`.

use super::state::State;
use super::urgent::UrgentByte;
use super::{Connection, flag, pending};
use crate::context::Context;
use crate::counters::Counter;
use crate::send::write_queue::WriteQueue;
use crate::socket::errno::Errno;
use crate::socket::options::rare_flag;
use crate::socket::readiness::Readiness;
use crate::socket::timestamping::Timestamping;
use bytes::{Buf, Bytes};

/// How a read treats what it returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadFlags {
    /// Leave the bytes in the queue (MSG_PEEK).
    pub peek: bool,
    /// Drop the bytes instead of copying them (MSG_TRUNC).
    pub discard: bool,
    /// Read the urgent byte (MSG_OOB).
    pub out_of_band: bool,
}

/// What a write says of its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendFlags {
    /// More follows at once: a partial segment waits for it (MSG_MORE).
    pub more: bool,
    /// The last byte ends a record: no segment carries it together with later ones (MSG_EOR).
    pub end_of_record: bool,
    /// The last byte is urgent (MSG_OOB).
    pub out_of_band: bool,
    /// A notice tells when the bytes are free again (MSG_ZEROCOPY, with SO_ZEROCOPY).
    pub zero_copy: bool,
    /// The TX bits of a SO_TIMESTAMPING control message, for this write instead of the socket's.
    pub timestamping: Option<u32>,
}

/// What lies behind the last byte of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadEnd {
    /// The urgent mark, which ends the read.
    Mark,
    /// More bytes.
    Bytes,
    /// The end of the stream.
    Stream,
    /// Nothing yet.
    Nothing,
}

impl Connection {
    /// The error that a call finds first, taken away.
    pub(crate) fn take_error(&mut self) -> Option<Errno> {
        self.error.take()
    }

    /// Appends `data` as far as the send buffer has room. Returns how many bytes were taken. The write goes on
    /// after `data` if `unfinished` says so.
    pub(crate) fn send(
        &mut self,
        data: &[u8],
        flags: SendFlags,
        unfinished: bool,
        cx: &mut Context<'_>,
    ) -> Result<usize, Errno> {
        if self.waits_for_write() {
            return self.write_into_syn(data, cx);
        }
        self.may_write()?;
        self.note_idle_writer();
        let mut append = |write: &mut WriteQueue, from: usize, len| write.append(&data[from..from + len]);
        let taken = self.fill_send_buffer(data.len(), cx, &mut append);
        if unfinished && taken == data.len() {
            // The stream is pushed at the end of the call, not of each part.
            self.settle_memory(cx);
            self.hold_for_more();
            return Ok(taken);
        }
        self.end_write(taken, taken == data.len() && !unfinished, flags, true, cx)
    }

    /// Appends `data` without a copy, as far as the send buffer has room; the rest stays in `data`.
    pub(crate) fn send_bytes(
        &mut self,
        data: &mut Bytes,
        flags: SendFlags,
        cx: &mut Context<'_>,
    ) -> Result<usize, Errno> {
        let want = data.len();
        if self.waits_for_write() {
            let taken = self.write_into_syn(data, cx)?;
            data.advance(taken);
            return Ok(taken);
        }
        self.may_write()?;
        self.note_idle_writer();
        let mut append = |write: &mut WriteQueue, _, len| write.append_bytes(data.split_to(len));
        let taken = self.fill_send_buffer(want, cx, &mut append);
        cx.count_by(Counter::TCPZeroCopyTx, taken as u64);
        self.end_write(taken, taken == want, flags, false, cx)
    }

    /// May a write, even an empty one, be made at all?
    fn may_write(&mut self) -> Result<(), Errno> {
        if let Some(error) = self.take_error() {
            // A reset that a write finds first is told once; the next write is a plain EPIPE.
            return Err(error);
        }
        if self.has(flag::SND_SHUTDOWN) || self.state == State::Closed {
            return Err(Errno::EPIPE);
        }
        if !self.is_open_to_user() {
            self.set(flag::WANTS_ROOM);
            return Err(Errno::EAGAIN);
        }
        Ok(())
    }

    /// A write that finds nothing to wait for shows that the application limits the rate (P-087).
    fn note_idle_writer(&mut self) {
        let in_flight = self.recovery.in_flight();
        let idle = self.unsent() < u64::from(self.mss)
            && self.snd.below == 0
            && in_flight < self.cong.cwnd()
            && self.recovery.lost_out() <= self.recovery.retrans_out();
        if idle {
            self.cong.rate.set_app_limited(in_flight);
        }
    }

    /// More follows: what is written waits for it, but not for ever.
    fn hold_for_more(&mut self) {
        self.set(flag::MORE);
        if self.push_is_overdue() {
            self.write.push();
        }
        self.want(pending::OUTPUT);
    }

    /// Part of a write has found room, and its call waits or ends: what there is may leave.
    pub(crate) fn push_written(&mut self, flags: SendFlags, cx: &mut Context<'_>) {
        if flags.out_of_band {
            self.snd.up = self.write.end();
        }
        self.settle_memory(cx);
        self.clear(flag::MORE);
        self.write.push();
        self.want(pending::FLUSH);
    }

    /// A write of the user, or the part of it that found room, has come to its end: marks what it asked for.
    /// Returns how many bytes were taken.
    fn end_write(
        &mut self,
        taken: usize,
        all: bool,
        flags: SendFlags,
        copied: bool,
        cx: &mut Context<'_>,
    ) -> Result<usize, Errno> {
        self.settle_memory(cx);
        if all && taken == 0 {
            // A write of nothing pushes nothing, also not what waits for more (Linux).
            return Ok(0);
        }
        if !all {
            self.set(flag::WANTS_ROOM);
            if taken == 0 {
                return Err(Errno::EAGAIN);
            }
            // The writer will wait: nothing of what he wrote does.
            self.want(pending::FLUSH);
        }
        if taken > 0 {
            if all && flags.end_of_record {
                self.write.end_record();
            }
            if flags.out_of_band {
                self.snd.up = self.write.end();
            }
            let bound = cx.sysctl.max_error_queue;
            self.note_write(flags.timestamping, flags.zero_copy.then_some(copied), bound);
        }
        if flags.more && all {
            self.hold_for_more();
            return Ok(taken);
        }
        self.nothing_follows();
        Ok(taken)
    }

    /// Nothing follows on what was written: it waits for no more.
    pub(crate) fn nothing_follows(&mut self) {
        self.clear(flag::MORE);
        self.write.push();
        self.want(pending::OUTPUT | pending::WROTE);
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
        if flags.out_of_band {
            return self.receive_urgent(max, flags, sink);
        }
        if max == 0 {
            return Ok(0);
        }
        let skip = self.step_over_urgent(flags.peek, cx);
        let ahead = if flags.peek { skip + self.peek_offset() } else { 0 };
        if self.recv.readable() <= ahead {
            return self.nothing_to_read();
        }
        let stop = self.read_stop();
        let taken = if flags.peek {
            let mut count = |part: &[u8]| if flags.discard { part.len() } else { sink(part) };
            self.recv.peek(ahead, max, stop, &mut count)
        } else if flags.discard {
            self.recv.discard(max, stop, cx)
        } else {
            self.recv.read(max, stop, sink, cx)
        };
        self.after_read(taken, flags.peek, cx);
        Ok(taken)
    }

    /// Where a peek begins: SO_PEEK_OFF, or the front.
    fn peek_offset(&self) -> usize {
        self.options.rare.as_ref().map_or(0, |rare| rare.peek_offset.max(0) as usize)
    }

    /// SO_PEEK_OFF follows peeks forward and reads back.
    fn move_peek_offset(&mut self, taken: usize, peeked: bool) {
        if let Some(rare) = self.options.rare.as_mut().filter(|rare| rare.peek_offset >= 0) {
            let taken = i32::try_from(taken).unwrap_or(i32::MAX);
            rare.peek_offset = if peeked {
                rare.peek_offset.saturating_add(taken)
            } else {
                (rare.peek_offset - taken).max(0)
            };
        }
    }

    /// Takes the next run of in-order bytes without a copy; empty at the end of the stream.
    pub(crate) fn receive_bytes(&mut self, max: usize, cx: &mut Context<'_>) -> Result<Bytes, Errno> {
        if max == 0 {
            return Ok(Bytes::new());
        }
        self.step_over_urgent(false, cx);
        if self.recv.readable() == 0 {
            return self.nothing_to_read().map(|_| Bytes::new());
        }
        let mut taken = self.recv.read_bytes(max, self.read_stop(), cx).unwrap_or_default();
        if max < cx.sysctl.tcp_dma_copybreak as usize {
            // A small piece would keep a whole frame from being reused (S-13).
            taken = Bytes::copy_from_slice(&taken);
        } else if !taken.is_empty() {
            cx.count(Counter::TCPOffloadCopies);
        }
        self.after_read(taken.len(), false, cx);
        Ok(taken)
    }

    /// The stream has grown: notes when, for users who ask.
    pub(crate) fn note_arrival(&mut self, cx: &Context<'_>) {
        let asked = self.options.has_rare(rare_flag::STAMP)
            || self.options.timestamping().has(Timestamping::RX_SOFTWARE);
        if asked {
            let end = self.recv.read_position() + self.recv.readable() as u64;
            self.rare_mut().arrivals.arrived(end, cx.now);
        }
    }

    fn nothing_to_read(&mut self) -> Result<usize, Errno> {
        // The end of the stream comes before an error that a reset has left after it.
        if self.has(flag::FIN_RECEIVED) {
            return Ok(0);
        }
        if let Some(error) = self.take_error() {
            return Err(error);
        }
        if self.has(flag::RCV_SHUTDOWN) || self.state == State::Closed {
            return Ok(0);
        }
        Err(Errno::EAGAIN)
    }

    /// What a read that takes no more has come to.
    pub(crate) fn read_ends_here(&self) -> ReadEnd {
        if self.at_mark() {
            ReadEnd::Mark
        } else if self.stream_bytes() > 0 {
            ReadEnd::Bytes
        } else if self.has(flag::FIN_RECEIVED | flag::RCV_SHUTDOWN) || self.state == State::Closed {
            ReadEnd::Stream
        } else {
            ReadEnd::Nothing
        }
    }

    fn after_read(&mut self, taken: usize, peeked: bool, cx: &mut Context<'_>) {
        self.move_peek_offset(taken, peeked);
        if peeked || taken == 0 {
            return;
        }
        self.forget_passed_urgent();
        let position = self.recv.read_position();
        if let Some(rare) = &mut self.rare {
            rare.arrivals.read_to(position);
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
        if self.error.is_some() || self.rare.as_ref().is_some_and(|rare| !rare.errors.is_empty()) {
            ready |= Readiness::ERR;
        }
        if !self.is_open_to_user() {
            return if self.waits_for_write() { ready | Readiness::OUT } else { ready };
        }
        let enough = if self.recv.is_nearly_full() { 1 } else { self.options.recv_lowat.max(1) as usize };
        if self.stream_bytes() >= enough {
            ready |= Readiness::IN;
        }
        if self.peer_urgent().is_some_and(|urgent| matches!(urgent.byte, UrgentByte::Here(_))) {
            ready |= Readiness::PRI;
        }
        if self.has(flag::SND_SHUTDOWN) || self.state == State::Closed || self.is_writable(cx_lowat) {
            ready |= Readiness::OUT;
        }
        ready
    }
}
