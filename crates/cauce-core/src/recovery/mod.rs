//! Loss recovery: says **what** is lost and what to send again; never touches cwnd (RFC 6298, 6582, 6675,
//! 8985, 5682, 2883, 3522, 4015).
//!
//! [`Recovery`] is what a connection owns. It is told what was sent, what was acknowledged and when its timer
//! runs out, and keeps a [record](crate::send::retransmit_queue) of everything outstanding. The behaviour is
//! that of Linux 6.18: RACK with an adaptive reordering window, tail-loss probes, F-RTO, undoing by D-SACK
//! and timestamps, NewReno where the peer has no SACK. How much may be in flight is congestion control's
//! answer, asked through [`WindowControl`].
//!
//! | file | decides |
//! |---|---|
//! | [`rtt`], [`rto`] | the round trip, and the time-out that follows from it |
//! | `ack` | the order in which an ACK is taken apart |
//! | `scoreboard` | which records SACK blocks deliver, what a D-SACK reports |
//! | `rack`, `reordering` | what is lost, and how long to wait for late packets |
//! | `machine` | the [`Phase`] |
//! | `frto`, `undo` | that a recovery was needless |
//! | `tlp`, `timers` | when to probe the tail, when to time out |
//!
//! The usual order of calls: [`Recovery::on_sent`] for each transmission; for each ACK [`Recovery::on_ack`],
//! then congestion control, then [`Recovery::next_retransmit`] until it offers nothing, each answered by
//! [`Recovery::on_retransmitted`]; then new data, unless [`Recovery::wants_new_data`] asks for it before.
//! [`Recovery::deadline`] is read after each of them.

mod ack;
mod frto;
pub mod interface;
mod machine;
mod pass;
pub mod phase;
mod queries;
mod rack;
mod reordering;
pub mod rto;
pub mod rtt;
mod scoreboard;
mod state;
#[cfg(test)]
mod tests;
mod timers;
mod tlp;
mod undo;
pub mod window_control;

use alloc::boxed::Box;

use crate::congestion::rate_sample::TxStamp;
use crate::counters::Counter;
use crate::send::retransmit_queue::{Control, Marks, SentRecord};
use crate::time::{Duration, Instant};

pub use interface::{
    AceReport, AckInput, AckSummary, Echo, Env, RecoveryTimer, Retransmit, SenderState, Settings, TimerAction,
};
use pass::Pass;
pub use phase::Phase;
use reordering::Reordering;
use rto::Rto;
use rtt::RttEstimator;
use state::{Base, Flight, Hold};
pub use window_control::WindowControl;

/// The loss recovery of one connection.
///
/// What matters only while something is outstanding, or while a finished episode may still prove needless,
/// is in one box that is freed afterwards.
#[derive(Debug)]
pub struct Recovery {
    base: Base,
    flight: Option<Box<Flight>>,
}

impl Recovery {
    /// Nothing sent, no sample: the time-out is the initial one, the duplicate threshold `settings.reordering`.
    pub fn new(settings: &Settings) -> Self {
        let base = Base {
            rtt: RttEstimator::default(),
            rto: Rto::initial(settings.rto_initial_us, settings.rto_max_us),
            reordering: Reordering::new(settings.reordering.min(settings.max_reordering)),
            total_retrans: 0,
            dsack_dups: 0,
            total_rto_time_ms: 0,
            total_rto: 0,
            total_rto_recoveries: 0,
            backoff: 0,
            retransmits: 0,
            phase: Phase::Open,
            sack: false,
            dsack_seen: false,
        };
        Recovery { base, flight: None }
    }

    /// Tells whether SACK was negotiated. Without it duplicate ACKs are counted, as NewReno does.
    pub fn set_sack(&mut self, negotiated: bool) {
        self.base.sack = negotiated;
    }

    /// Takes the round trip of a handshake that was measured outside, in microseconds: a passive side's
    /// SYN,ACK, or a half-open record. `None` when it was ambiguous; the time-out is then 3 s (RFC 6298 5.7).
    pub fn on_established(&mut self, rtt_us: Option<u32>, una: u64, nxt: u64, env: &Env<'_>) {
        let settings = &env.settings;
        if let Some(rtt) = rtt_us {
            self.base.rtt.sample_min(rtt, env.now.as_millis() as u32, settings.min_rtt_window_ms);
            self.base.rtt.sample(rtt, settings.rto_min_us, una, nxt);
            self.base.rto = self.base.rtt.rto(settings.rto_max_us);
            self.base.backoff = 0;
        } else if !self.base.rtt.has_sample() {
            self.base.rtt.fall_back();
            self.base.rto = Rto::FALLBACK.capped(settings.rto_max_us);
        }
    }

    /// Takes over what earlier connections have learned: a degree of reordering, 0 for none, and a round trip. A
    /// longer one than the handshake's, whose segments are small, makes the first time-out; the estimators stay.
    pub fn recall(&mut self, reordering: u32, srtt_us: u32, settings: &Settings) {
        if reordering != 0 {
            self.base.reordering.metric = reordering;
        }
        if srtt_us > self.base.rtt.srtt_us() {
            self.base.rtt.take_fall_back_back();
            let spread = srtt_us.saturating_mul(2).max(settings.rto_min_us);
            self.base.rto = Rto::from_estimate(srtt_us, spread, settings.rto_max_us);
        }
    }

    /// New data, SYN or FIN left: `start..end`, SYN and FIN counted one each, in segments of `mss` payload
    /// bytes. `start` is the end of what was sent before.
    pub fn on_sent(
        &mut self,
        start: u64,
        end: u64,
        mss: u32,
        control: Control,
        stamp: TxStamp,
        env: &Env<'_>,
    ) {
        let (settings, now) = (&env.settings, env.now);
        let fl = self.flight.get_or_insert_default();
        let first = fl.queue.is_empty();
        fl.queue.push(SentRecord::new(now, start, end, mss, control, stamp));
        if fl.hold == Hold::NewDataFirst {
            // F-RTO has its new data: its acknowledgement decides.
            fl.hold = Hold::UntilNextAck;
        }
        if first || fl.pending == Some(RecoveryTimer::Tlp) {
            timers::rearm_rto(&self.base, fl, now);
        }
        // A handshake has no tail to probe: its time-out alone repeats the SYN, whatever data left with it.
        let shakes_hands = fl.queue.head().is_some_and(|head| head.control().syn);
        if !shakes_hands && let Some(deadline) = tlp::probe_deadline(&self.base, fl, settings, now, false) {
            fl.pending = Some(RecoveryTimer::Tlp);
            fl.deadline = deadline;
        }
    }

    /// What to send again next: the first lost range that was not sent again yet, as far as `cwnd` allows, at
    /// most `max_segments` and at most one record. `limit_end` is the edge of the peer's window: beyond it
    /// only the head is offered, one segment as a window probe. Small segments that follow are joined to it as
    /// far as one segment holds them and `may_join` allows it at the offset between (S-36). The caller sends it and calls
    /// [`on_retransmitted`](Self::on_retransmitted), or asks again later.
    pub fn next_retransmit(
        &mut self,
        cwnd: u32,
        limit_end: u64,
        mss: u32,
        max_segments: u32,
        may_join: &dyn Fn(u64) -> bool,
    ) -> Option<Retransmit> {
        let fl = self.flight.as_deref_mut()?;
        if fl.queue.counts.awaiting == 0 || fl.hold != Hold::None {
            return None;
        }
        let room = cwnd.checked_sub(fl.queue.counts.in_flight()).filter(|room| *room > 0)?;
        let mut index = fl.queue.position(fl.retransmit_hint);
        while !fl.queue.get(index)?.awaits_retransmission() {
            index += 1;
        }
        fl.queue.resegment(index, mss);
        let record = fl.queue.get(index)?;
        fl.retransmit_hint = record.start;
        let mut end = record.boundary(room.min(max_segments).max(1));
        if end > limit_end {
            end = match limit_end.checked_sub(record.start).filter(|space| *space > 0) {
                Some(space) if space < u64::from(mss) => limit_end,
                Some(space) => record.start + space / u64::from(mss) * u64::from(mss),
                None if index == 0 => record.boundary(1),
                None => return None,
            };
        }
        fl.queue.split(index, end);
        let joined = fl.join_small(index, limit_end, mss, may_join);
        if !self.base.sack {
            fl.queue.counts.sacked_out = fl.queue.counts.sacked_out.saturating_sub(joined);
        }
        fl.offer(index, false)
    }

    /// The tail to probe with when there is no new data: the last segment sent, at most `mss` bytes.
    pub fn tail_probe(&mut self, mss: u32) -> Option<Retransmit> {
        let fl = self.flight.as_deref_mut()?;
        let index = fl.queue.len().checked_sub(1)?;
        fl.queue.resegment(index, mss);
        let tail = fl.queue.get(index)?;
        let cut = tail.boundary(tail.segments() - 1);
        if tail.segments() > 1 {
            fl.queue.split(index, cut);
        }
        fl.offer(fl.queue.len() - 1, true)
    }

    /// The SYN that is outstanding leaves again as SYN,ACK, which answers the peer's: the round trip counts from here.
    pub fn syn_answers(&mut self, now: Instant) {
        if let Some(fl) = self.flight.as_deref_mut() {
            fl.queue.touch_head(now);
        }
    }

    /// How many segments lie below the highest SACK, those included that are covered by it: 0 where forward
    /// acknowledgement is not used any more (S-17).
    pub fn forward_acked(&self, snd_una: u64) -> u32 {
        let Some(fl) = self.flight.as_ref().filter(|_| self.base.reordering.seen == 0) else { return 0 };
        let fack = fl.highest_sack(snd_una);
        let below = (0..fl.queue.len()).filter_map(|index| fl.queue.get(index));
        below.take_while(|record| record.end <= fack).map(|record| record.segments()).sum()
    }

    /// New data left as a tail-loss probe, after [`on_sent`](Self::on_sent). `snd_nxt` is the value after it.
    pub fn on_probe_sent(&mut self, snd_nxt: u64, env: &mut Env<'_>) {
        if let Some(fl) = self.flight.as_deref_mut() {
            env.counters.add(Counter::TCPLossProbes, 1);
            tlp::note_probe(&self.base, fl, env.now, snd_nxt, false);
        }
    }

    /// What [`next_retransmit`](Self::next_retransmit) or [`tail_probe`](Self::tail_probe) offered has left.
    pub fn on_retransmitted(&mut self, sent: &Retransmit, stamp: TxStamp, env: &mut Env<'_>) {
        let Some(fl) = self.flight.as_deref_mut() else { return };
        let segments = fl.queue.resend(env.now, sent.start, sent.end, stamp, !sent.probe);
        self.base.total_retrans = self.base.total_retrans.saturating_add(segments);
        env.counters.add(Counter::RetransSegs, segments.into());
        if sent.probe {
            let nxt = fl.queue.tail().map_or(sent.end, |tail| tail.end);
            env.counters.add(Counter::TCPLossProbes, 1);
            tlp::note_probe(&self.base, fl, env.now, nxt, true);
            return;
        }
        if !core::mem::take(&mut fl.timed_out) {
            // What the time-out itself sends again is in TCPTimeouts.
            let repair = match self.base.phase {
                Phase::Loss => Counter::TCPSlowStartRetrans,
                _ => Counter::TCPFastRetrans,
            };
            env.counters.add(repair, segments.into());
        }
        fl.retrans_stamp.get_or_insert(env.now);
        let segments = i32::try_from(segments).unwrap_or(i32::MAX);
        fl.undo_retrans = fl.undo_retrans.max(0).saturating_add(segments);
        let is_head = fl.queue.head().is_some_and(|head| head.start == sent.start);
        // After a time-out the deadline for its retransmission is set already.
        let by_time_out = self.base.phase == Phase::Loss && self.base.retransmits > 0;
        if is_head && fl.pending != Some(RecoveryTimer::Reo) && !by_time_out {
            fl.pending = Some(RecoveryTimer::Rto);
            fl.deadline = env.now + self.base.rto.as_duration();
        }
    }

    /// True while F-RTO asks for new data before anything is sent again. When there is none to send after
    /// all, say so by [`has_no_new_data`](Self::has_no_new_data).
    pub fn wants_new_data(&self) -> bool {
        self.flight.as_ref().is_some_and(|fl| fl.hold == Hold::NewDataFirst)
    }

    /// F-RTO got no new data to watch: conventional recovery goes on.
    pub fn has_no_new_data(&mut self) {
        if let Some(fl) = self.flight.as_deref_mut().filter(|fl| fl.hold == Hold::NewDataFirst) {
            fl.hold = Hold::None;
            fl.frto = false;
        }
    }

    /// Reduces the window without a loss: ECN, or this host dropped what it was to send.
    pub fn enter_cwr<C: WindowControl>(&mut self, state: &SenderState, env: &mut Env<'_>, cc: &mut C) {
        let mut flight = self.flight.take().unwrap_or_default();
        Pass::for_timer(state, &mut self.base, &mut flight, cc, env).enter_cwr();
        self.keep(flight);
    }

    /// The path carries segments of `new_mss` payload bytes only: what is larger is lost, and sent again
    /// without a reduction of the window, as it was not congestion (RFC 1191 6.4).
    pub fn mtu_reduced<C: WindowControl>(
        &mut self,
        new_mss: u32,
        state: &SenderState,
        env: &mut Env<'_>,
        cc: &mut C,
    ) {
        let Some(mut flight) = self.flight.take() else { return };
        let mut pass = Pass::for_timer(state, &mut self.base, &mut flight, cc, env);
        pass.mark_oversized(new_mss);
        self.keep(flight);
    }

    /// Everything outstanding is lost, and sent again without a reduction of the window: the peer has not taken the
    /// data of a SYN, or the path was too narrow for it (RFC 7413 4.1.3).
    pub fn all_lost<C: WindowControl>(&mut self, state: &SenderState, env: &mut Env<'_>, cc: &mut C) {
        let Some(mut flight) = self.flight.take() else { return };
        let mut pass = Pass::for_timer(state, &mut self.base, &mut flight, cc, env);
        pass.mark_without_congestion(|_| true);
        self.keep(flight);
    }

    /// A SYN,ACK of which there is no record was sent again so many times.
    pub fn handshake_retransmitted(&mut self, times: u8) {
        self.base.total_retrans = self.base.total_retrans.saturating_add(times.into());
    }

    /// The SYN,ACK timed out so many times before there was a connection; the handshake took `time` in all.
    pub fn handshake_timed_out(&mut self, times: u8, time: Duration) {
        self.base.total_rto = times.into();
        self.base.total_rto_recoveries = 1;
        self.base.total_rto_time_ms = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
    }

    /// The SYN,ACK of a connection that carries data already has timed out.
    pub fn count_handshake_timeout(&mut self, now: Instant) {
        let mut flight = self.flight.take().unwrap_or_default();
        self.base.count_rto(&mut flight, now);
        self.flight = Some(flight);
    }

    /// The SYN,ACK of a connection that carries data already was in vain twice: what has left since is lost as by a
    /// time-out, and so is the window.
    pub fn handshake_lost<C: WindowControl>(&mut self, state: &SenderState, env: &mut Env<'_>, cc: &mut C) {
        let mut flight = self.flight.take().unwrap_or_default();
        Pass::for_timer(state, &mut self.base, &mut flight, cc, env).enter_loss();
        self.keep(flight);
    }

    /// The handshake of such a connection is over: until now the timer of its SYN,ACK stood for the time-out.
    pub fn handshake_over<C: WindowControl>(&mut self, state: &SenderState, env: &mut Env<'_>, cc: &mut C) {
        self.base.retransmits = 0;
        let Some(mut flight) = self.flight.take() else { return };
        self.base.end_rto(&mut flight, env.now);
        if flight.queue.is_empty() {
            // Nothing is left to be repaired.
            flight.undo_marker = 0;
            Pass::for_timer(state, &mut self.base, &mut flight, cc, env).set_phase(Phase::Open);
        }
        flight.pending = None;
        timers::rearm_rto(&self.base, &mut flight, env.now);
        self.keep(flight);
    }

    /// Forgets everything outstanding, as when the connection ends. The estimators stay.
    pub fn clear(&mut self) {
        self.flight = None;
        self.base.backoff = 0;
    }

    fn keep(&mut self, flight: Box<Flight>) {
        if !flight.is_idle(self.base.phase) {
            self.flight = Some(flight);
        }
    }
}

impl Flight {
    /// Joins the segments behind a record to it as long as all of them fit into one and into the peer's window.
    /// Returns how many.
    fn join_small(&mut self, index: usize, limit_end: u64, mss: u32, may_join: &dyn Fn(u64) -> bool) -> u32 {
        let mut joined = 0;
        if self.queue.get(index).is_none_or(|record| record.payload_len() >= u64::from(mss)) {
            return 0;
        }
        while let (Some(record), Some(next)) = (self.queue.get(index), self.queue.get(index + 1)) {
            let len = record.payload_len() + next.payload_len();
            let single = record.segments() == 1 && next.segments() == 1 && !record.control().syn;
            let fits = len <= u64::from(mss) && next.end <= limit_end;
            if !single || next.is(Marks::SACKED) || !fits || !may_join(next.start) {
                break;
            }
            self.queue.join_next(index);
            joined += 1;
        }
        joined
    }

    fn offer(&self, index: usize, probe: bool) -> Option<Retransmit> {
        let record = self.queue.get(index)?;
        Some(Retransmit {
            start: record.start,
            end: record.end,
            segments: record.segments(),
            mss: record.mss(),
            control: record.control(),
            probe,
        })
    }
}

impl<C: WindowControl> Pass<'_, C> {
    fn mark_oversized(&mut self, mss: u32) {
        self.mark_without_congestion(|record| record.payload_len().min(record.mss().into()) > u64::from(mss));
    }

    fn mark_without_congestion(&mut self, is_lost: impl Fn(&SentRecord) -> bool) {
        for index in 0..self.fl.queue.len() {
            let Some(record) = self.fl.queue.get(index) else { break };
            if !record.is(Marks::SACKED) && is_lost(record) {
                self.mark_lost(index);
            }
        }
        if self.fl.queue.counts.lost_out == 0 {
            return;
        }
        if !self.base.sack {
            self.limit_reno_sacked();
        }
        if self.base.phase != Phase::Loss {
            self.fl.high_seq = self.nxt;
            self.fl.undo_marker = 0;
            let view = self.view();
            self.cc.enter_loss_without_reduction(&view);
            self.set_phase(Phase::Loss);
        }
    }
}
