//! What may leave now: a list of steps, each asking the room that decides (RFC 9293 3.8.6).
//!
//! Order matters and is Linux's: the handshake, what recovery wants again, new data, probes, and last a pure
//! acknowledgement if nothing else carried it. The connection is asked again whenever a segment, a call or a
//! deadline may have changed an answer.

use super::pacing::{Defer, Deferral, TsoSettings, goal_segments};
use super::path_mtu::ProbeStep;
use super::retransmit_queue::Control;
use super::segmentize::Outgoing;
use crate::batch::{Batch, SendReason};
use crate::congestion::CwndEvent;
use crate::congestion::window::Usage;
use crate::connection::state::State;
use crate::connection::stats::Waiting;
use crate::connection::{Connection, flag, pending};
use crate::context::Context;
use crate::counters::Counter;
use crate::recovery::{Phase, Retransmit};
use crate::time::Instant;
use cauce_wire::{Flags, Seq};

/// Most super-segments that one connection sends before others get their turn.
const TURN: usize = 16;

/// Why no more new data leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blocked {
    /// Everything written has been sent.
    Empty,
    /// The congestion window is full.
    CongestionWindow,
    /// The peer's window is full.
    PeerWindow,
    /// Nagle or a cork holds a partial segment.
    Nagle,
    /// A larger super-segment is worth a short wait.
    Deferred,
    /// Enforced pacing says later.
    Paced,
    /// Devices hold enough of this connection.
    Below,
    /// A probe of the path needs the room.
    Probe,
    /// The batch is full, or the turn is over.
    Turn,
}

impl Connection {
    /// Sends what may leave. Returns true when more waits only for room in `out`.
    pub(crate) fn output(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> bool {
        self.done(pending::OUTPUT);
        if matches!(self.state, State::Closed | State::Listen) {
            self.pending &= pending::EVENT;
            return false;
        }
        if out.room() == 0 {
            self.want(pending::OUTPUT);
            return true;
        }
        let turn = out.len() + TURN.min(out.room());
        self.remind_of_ecn(cx);
        self.send_syn(cx, out);
        self.send_lost(cx, out, turn);
        let before = self.snd.nxt;
        let blocked = self.send_new_or_repair(cx, out, turn);
        self.send_probe(cx, out);
        self.send_window_probe(cx, out);
        self.done(pending::FLUSH | pending::WROTE);
        self.write.reckon(0);
        self.note_blocked(blocked, self.snd.nxt > before, cx);
        if self.is_pending(pending::ACK) {
            let ack = self.build_ack(SendReason::Ack, cx);
            out.push(ack);
        }
        let more = blocked == Blocked::Turn;
        if more {
            self.want(pending::OUTPUT);
        }
        more
    }

    /// What recovery wants at once, before anything else is done with the segment that has told of it.
    pub(crate) fn send_repairs(&mut self, cx: &mut Context<'_>, out: &mut Batch) {
        let turn = out.len() + TURN;
        if self.recovery.wants_new_data() {
            self.send_new_or_repair(cx, out, turn);
        } else {
            self.send_lost(cx, out, turn);
        }
        self.want(pending::OUTPUT);
    }

    /// New data; and when F-RTO asked for some and there is none to be had, repairs go on.
    fn send_new_or_repair(&mut self, cx: &mut Context<'_>, out: &mut Batch, turn: usize) -> Blocked {
        let before = self.snd.nxt;
        let blocked = if self.may_send_data() { self.send_new(cx, out, turn) } else { Blocked::Empty };
        if self.recovery.wants_new_data() && self.snd.nxt == before && blocked != Blocked::Turn {
            self.recovery.has_no_new_data();
            self.send_lost(cx, out, turn);
        }
        blocked
    }

    fn may_send_data(&self) -> bool {
        (self.state.is_synchronized() || self.is_unconfirmed()) && self.state != State::TimeWait
    }

    /// The first SYN or SYN,ACK; recovery asks for its repetitions.
    fn send_syn(&mut self, cx: &mut Context<'_>, out: &mut Batch) {
        if !self.is_pending(pending::SYN) {
            return;
        }
        self.done(pending::SYN);
        let first = self.snd.nxt == self.snd.iss();
        let start = self.snd.iss() + 1;
        let mut segment = Outgoing::bare(self.snd.iss(), self.syn_flags(false, cx), SendReason::Handshake);
        if first && self.has_data_in_syn() {
            (segment.payload, segment.len) = self.write.slices(start, usize::MAX);
        }
        let len = segment.len as u64;
        let packet = self.build(segment, cx);
        out.push(packet);
        if first {
            self.record_sent(self.snd.iss(), start, self.mss.into(), Control::SYN, cx);
            self.snd.nxt = start;
            if len > 0 {
                // A record of its own: the peer may acknowledge the SYN and not the data (RFC 7413).
                self.record_sent(start, start + len, len as u32, Control::NONE, cx);
                self.snd.nxt += len;
                self.write.sent(self.snd.nxt);
                cx.count(Counter::TCPOrigDataSent);
            }
        }
    }

    fn syn_flags(&self, again: bool, cx: &Context<'_>) -> Flags {
        let flags = if self.state == State::SynSent { Flags::SYN } else { Flags::SYN | Flags::ACK };
        flags | self.handshake_ecn(again, cx.sysctl)
    }

    /// What recovery has marked lost and the congestion window lets go again.
    fn send_lost(&mut self, cx: &mut Context<'_>, out: &mut Batch, turn: usize) {
        if self.is_unconfirmed() {
            // Only the SYN,ACK is sent again before the handshake is over.
            return;
        }
        while out.len() < turn {
            let (cwnd, edge, mss) = (self.cong.cwnd(), self.window_end(), u32::from(self.effective_mss()));
            let most = self.super_segment_goal(cx);
            let (collapse, write) = (cx.sysctl.tcp_retrans_collapse != 0, &self.write);
            let may_join = |at: u64| collapse && !write.ends_record(at);
            let Some(range) = self.recovery.next_retransmit(cwnd, edge, mss, most, &may_join) else { return };
            let reason = match self.recovery.phase() {
                Phase::Loss => SendReason::Timeout,
                _ => SendReason::Retransmit,
            };
            if !self.retransmit(range, reason, cx, out) {
                return;
            }
        }
        self.want(pending::OUTPUT);
    }

    /// Sends what recovery offers again. Returns false when the bytes are not there any more.
    fn retransmit(
        &mut self,
        offer: Retransmit,
        reason: SendReason,
        cx: &mut Context<'_>,
        out: &mut Batch,
    ) -> bool {
        let segment = if offer.control.syn {
            cx.count(Counter::TCPSynRetrans);
            Outgoing::bare(offer.start, self.syn_flags(true, cx), reason)
        } else if self.state == State::SynSent {
            // The data of a SYN waits for its answer.
            return false;
        } else {
            let text = offer.end - offer.start - u64::from(offer.control.fin);
            let (payload, len) = self.write.slices(offer.start, text as usize);
            if (len as u64) < text {
                return false;
            }
            let mut flags = self.text_flags_again(offer.start, offer.start + text);
            if offer.control.fin {
                flags |= Flags::FIN;
            }
            Outgoing { seq: offer.start, flags, payload, len, reason }
        };
        self.stats.bytes_retrans += segment.len as u64;
        let packet = self.build(segment, cx);
        out.push(packet);
        self.path_probe_inconclusive();
        let stamp = match offer.control.syn {
            true => self.cong.rate.stamp_of_syn(),
            false => self.cong.rate.stamp(cx.now, self.recovery.packets_out()),
        };
        self.recovery.on_retransmitted(&offer, stamp, &mut self.env(cx));
        self.cong.on_retransmitted(offer.segments);
        true
    }

    /// New data, as far as every room allows.
    fn send_new(&mut self, cx: &mut Context<'_>, out: &mut Batch, turn: usize) -> Blocked {
        if self.probe_path(cx, out) == ProbeStep::Wait {
            return Blocked::Probe;
        }
        loop {
            if self.unsent() == 0 && !self.fin_is_due() {
                return Blocked::Empty;
            }
            if out.len() >= turn {
                return Blocked::Turn;
            }
            let len = match self.next_length(cx) {
                Ok(len) => len,
                Err(blocked) => return blocked,
            };
            self.send_text(len, SendReason::Data, cx, out);
        }
    }

    /// How many bytes the next (super-)segment takes, or why there is none.
    fn next_length(&mut self, cx: &mut Context<'_>) -> Result<u64, Blocked> {
        let mss = u64::from(self.effective_mss());
        let unsent = self.unsent();
        if self.timers.pacing.blocked_until(cx.now).is_some() {
            return Err(Blocked::Paced);
        }
        let room = u64::from(self.cong.quota(self.recovery.in_flight()));
        if room == 0 {
            return Err(Blocked::CongestionWindow);
        }
        let goal = u64::from(self.super_segment_goal(cx));
        if self.autocorks(unsent, goal * mss, cx) {
            return Err(Blocked::Below);
        }
        let most = room.min(goal) * mss;
        let (piece, window) = (self.next_piece(most), self.window_room());
        let last = piece == unsent;
        // What a write has pushed in its course does not wait for anything, nor does the end of a record.
        let end = self.snd.nxt + piece;
        let pushed = self.write.reckoned(self.snd.nxt) >= end || !last && self.write.ends_record(end);
        if piece <= mss {
            let fin = last && self.fin_is_due();
            if window < piece + u64::from(fin) {
                return Err(Blocked::PeerWindow);
            }
            if last && piece < mss && !fin && self.nagle_holds() {
                return Err(Blocked::Nagle);
            }
            return if self.is_full_below(piece, cx) { Err(Blocked::Below) } else { Ok(piece) };
        }
        if window < mss {
            return Err(Blocked::PeerWindow);
        }
        let len = most.min(window).min(piece);
        if self.is_full_below(len, cx) {
            return Err(Blocked::Below);
        }
        match self.defers(piece, goal, cx) {
            _ if pushed => {}
            Defer::SendNow => {}
            Defer::CwndLimited => return Err(Blocked::CongestionWindow),
            _ => return Err(Blocked::Deferred),
        }
        // A partial segment at the end waits for its own turn when Nagle may hold it.
        let partial = len % mss;
        Ok(if partial != 0 && !pushed && self.nagle_holds() { len - partial } else { len })
    }

    /// Bytes that may leave together, up to `most` of them: no record is joined to another.
    fn next_piece(&mut self, most: u64) -> u64 {
        let record = self.write.record_end(self.snd.nxt).saturating_sub(self.snd.nxt);
        self.write.fill_piece(self.snd.nxt, most.min(record)).min(record)
    }

    /// The MSS less what SACK blocks take while we report any, and what the option of accurate ECN takes.
    pub(crate) fn effective_mss(&self) -> u16 {
        self.mss.saturating_sub(self.option_space()).max(1)
    }

    pub(super) fn super_segment_goal(&self, cx: &Context<'_>) -> u32 {
        let (mss, settings) = (u32::from(self.effective_mss()), self.tso_settings(cx));
        if settings.gso_max_size <= mss || !self.may_join_segments() {
            return 1;
        }
        let least = self.cong.min_tso_segs();
        goal_segments(&settings, self.cong.pacing_rate(), self.recovery.min_rtt_us(), mss, least)
            .min(settings.gso_max_size / mss)
            .max(1)
    }

    fn tso_settings(&self, cx: &Context<'_>) -> TsoSettings {
        TsoSettings {
            min_tso_segs: cx.sysctl.tcp_min_tso_segs as u32,
            tso_rtt_log: cx.sysctl.tcp_tso_rtt_log,
            tso_win_divisor: u32::from(cx.sysctl.tcp_tso_win_divisor),
            gso_max_size: u32::from(self.path.max_super),
            gso_max_segs: u32::from(u16::MAX),
        }
    }

    /// Whether a piece larger than one segment waits for an acknowledgement that lets more of it go.
    fn defers(&self, piece: u64, goal: u64, cx: &Context<'_>) -> Defer {
        let deferral = Deferral {
            now: cx.now,
            phase: self.recovery.phase(),
            last_sent: self.stats.last_data_sent,
            oldest_sent: self.recovery.queue().and_then(|queue| queue.head()).map(|head| head.last_sent),
            srtt_us: self.recovery.srtt_us(),
            mss: u32::from(self.effective_mss()),
            cwnd: self.cong.cwnd(),
            in_flight: self.recovery.in_flight(),
            snd_wnd: self.snd.wnd,
            send_win: self.window_room().min(u64::from(u32::MAX)) as u32,
            len: piece as u32,
            goal_segments: goal as u32,
            more_queued: piece < self.unsent(),
            complete: self.fin_belongs_at(self.write.end()),
        };
        deferral.should_defer(&self.tso_settings(cx))
    }

    /// Sends `len` new bytes in one (super-)segment, with the FIN if it follows at once.
    pub(crate) fn send_text(&mut self, len: u64, reason: SendReason, cx: &mut Context<'_>, out: &mut Batch) {
        let start = self.snd.nxt;
        if self.recovery.packets_out() == 0 {
            self.begin_flight(cx);
        }
        let (payload, taken) = self.write.slices(start, len as usize);
        let end = start + taken as u64;
        let probe = reason == SendReason::PathMtuProbe;
        let mss = if probe { (taken as u64).max(1) } else { u64::from(self.effective_mss()) };
        let mut flags = self.text_flags(start, end, reason);
        let mut next = end;
        if self.fin_belongs_at(end) && !self.has(flag::FIN_SENT) {
            flags |= Flags::FIN;
            self.set(flag::FIN_SENT);
            next += 1;
        }
        if next == start {
            return;
        }
        if !(taken as u64).is_multiple_of(mss) {
            self.snd.small_end = Seq::at(end);
        }
        let segment = Outgoing { seq: start, flags, payload, len: taken, reason };
        self.stamp_queued(&segment, cx);
        let packet = self.build(segment, cx);
        self.pace(&packet, cx);
        out.push(packet);
        let control = if next > end { Control::FIN } else { Control::NONE };
        self.record_sent(start, next, mss as u32, control, cx);
        self.snd.nxt = next;
        self.timers.persist = Instant::NEVER;
        cx.count_by(Counter::TCPOrigDataSent, (taken as u64).div_ceil(mss));
    }

    /// The first segment after a quiet time: the window may have gone stale (P-089, S-42).
    fn begin_flight(&mut self, cx: &mut Context<'_>) {
        self.stalled_since = cx.now;
        let idle = cx.now.since(self.stats.last_data_sent);
        if cx.sysctl.tcp_slow_start_after_idle != 0 {
            let rto = self.recovery.rto().as_duration();
            let view = self.view(cx);
            let settings = self.congestion_settings(cx);
            self.cong.restart_after_idle(idle, rto, &view, &settings);
            self.cong.event(CwndEvent::TxStart { idle }, &view);
        }
    }

    fn pace(&mut self, packet: &crate::batch::Transmit, cx: &Context<'_>) {
        if self.cong.pacing_enforced() {
            let before = u64::from(self.stats.data_segs_out).saturating_sub(packet.segments() as u64);
            self.timers.pacing.on_sent(cx.now, packet.len() as u32, self.cong.pacing_rate(), before);
        }
    }

    /// Keeps a record of `start..end`, which leaves in segments of `mss` bytes.
    pub(crate) fn record_sent(
        &mut self,
        start: u64,
        end: u64,
        mss: u32,
        control: Control,
        cx: &mut Context<'_>,
    ) {
        let before = self.recovery.packets_out();
        let stamp =
            if control.syn { self.cong.rate.stamp_of_syn() } else { self.cong.rate.stamp(cx.now, before) };
        let env = self.env(cx);
        self.recovery.on_sent(start, end, mss, control, stamp, &env);
        self.cong.on_sent(self.recovery.packets_out().saturating_sub(before));
    }

    /// The FIN follows what is unsent, and has not left.
    pub(crate) fn fin_is_due(&self) -> bool {
        self.has(flag::SND_SHUTDOWN) && !self.has(flag::FIN_SENT) && self.may_send_data()
    }

    /// Sequence numbers that wait to be sent: text, and the FIN behind it.
    pub(crate) fn to_send(&self) -> u64 {
        self.unsent() + u64::from(self.fin_is_due())
    }

    /// The tail-loss probe: new data if there is some, else the last segment again (RFC 8985 7.3, X-34).
    fn send_probe(&mut self, cx: &mut Context<'_>, out: &mut Batch) {
        if !self.is_pending(pending::PROBE) {
            return;
        }
        self.done(pending::PROBE);
        let mss = self.effective_mss();
        let len = self.next_piece(u64::from(mss)).min(u64::from(mss));
        let fin = u64::from(len == self.unsent() && self.fin_is_due());
        // A corked tail is not the probe's to send: it is held as the user asked, and what was sent last goes again.
        let corked = self.is_corked() && fin == 0 && len == self.unsent() && len < u64::from(mss);
        if len + fin > 0 && !corked && self.window_room() >= len + fin {
            self.send_text(len, SendReason::TailLossProbe, cx, out);
            let nxt = self.snd.nxt;
            self.recovery.on_probe_sent(nxt, &mut self.env(cx));
        } else if let Some(tail) = self.recovery.tail_probe(u32::from(mss))
            && (tail.start < self.window_end() || tail.start == self.snd.una)
        {
            // What lies beyond a window that was taken back is left to the time-out.
            self.retransmit(tail, SendReason::TailLossProbe, cx, out);
        }
    }

    /// Keeps the clocks and the congestion window informed of what held us back.
    fn note_blocked(&mut self, blocked: Blocked, sent: bool, cx: &mut Context<'_>) {
        let in_flight = self.recovery.in_flight();
        let limited = blocked == Blocked::CongestionWindow || in_flight >= self.cong.cwnd();
        // A time-out sends again, and says nothing of what could be sent.
        let tried = sent || limited && self.to_send() > 0 && self.recovery.retransmits() == 0;
        if blocked != Blocked::Turn && tried && self.may_send_data() {
            let view = self.view(cx);
            let usage = Usage {
                is_cwnd_limited: limited,
                send_buffer_full: self.has(flag::WANTS_ROOM),
                rto: self.recovery.rto().as_duration(),
            };
            let settings = self.congestion_settings(cx);
            self.cong.validate(&view, &usage, &settings);
        }
        if blocked == Blocked::Empty && !limited && self.recovery.lost_out() <= self.recovery.retrans_out() {
            self.cong.rate.set_app_limited(in_flight);
        }
        let waiting = match blocked {
            _ if !self.state.is_synchronized() => Waiting::Idle,
            Blocked::PeerWindow => Waiting::PeerWindow,
            _ if self.recovery.packets_out() == 0 && self.to_send() == 0 => Waiting::Idle,
            _ if blocked == Blocked::Empty && self.has(flag::WANTS_ROOM) => Waiting::SendBuffer,
            _ => Waiting::Busy,
        };
        self.stats.wait(waiting, cx.now);
        self.follow_writer(cx);
        let silent = self.recovery.packets_out() == 0 && self.to_send() > 0;
        if silent && matches!(blocked, Blocked::PeerWindow | Blocked::Nagle) {
            // Nothing is out whose acknowledgement would let it go: a closed window, or a cork.
            self.arm_persist(cx);
        }
    }
}
