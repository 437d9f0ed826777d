//! One call into recovery: the state it works on, and the steps that several rooms share.

use super::interface::{AckInput, Env, RecoveryTimer, SenderState, Settings};
use super::phase::Phase;
use super::state::{Base, Flight};
use super::window_control::WindowControl;
use crate::congestion::rate_sample::Delivery;
use crate::congestion::view::SenderView;
use crate::counters::{Counter, Counters};
use crate::send::retransmit_queue::Marks;
use crate::time::Instant;

/// The sender's state for the length of one call.
pub(super) struct Pass<'a, C> {
    pub base: &'a mut Base,
    pub fl: &'a mut Flight,
    pub cc: &'a mut C,
    pub counters: &'a mut Counters,
    pub settings: &'a Settings,
    pub now: Instant,
    /// `snd.una`, already advanced by the ACK.
    pub una: u64,
    pub nxt: u64,
    pub mss: u32,
    pub cwnd_limited: bool,
    /// TSecr and our timestamp clock, when the ACK has one.
    pub echo: Option<(u32, u32)>,
    /// Segments newly marked lost.
    pub newly_lost: u32,
    /// A reduction of the window began.
    pub reduced: bool,
    /// When the most recently sent record delivered by this ACK was sent.
    pub newest_delivered: Option<Instant>,
    /// What this ACK says about the rate of delivery.
    pub delivery: Delivery,
}

/// Where the sender stands.
struct Position {
    una: u64,
    nxt: u64,
    mss: u32,
    cwnd_limited: bool,
}

impl<'a, C: WindowControl> Pass<'a, C> {
    fn new(
        at: Position,
        base: &'a mut Base,
        fl: &'a mut Flight,
        cc: &'a mut C,
        env: &'a mut Env<'_>,
    ) -> Self {
        Pass {
            base,
            fl,
            cc,
            counters: &mut *env.counters,
            settings: &env.settings,
            now: env.now,
            una: at.una,
            nxt: at.nxt,
            mss: at.mss,
            cwnd_limited: at.cwnd_limited,
            echo: None,
            newly_lost: 0,
            reduced: false,
            newest_delivered: None,
            delivery: Delivery::default(),
        }
    }

    pub fn for_ack(
        ack: &AckInput<'_>,
        base: &'a mut Base,
        fl: &'a mut Flight,
        cc: &'a mut C,
        env: &'a mut Env<'_>,
    ) -> Self {
        let una = ack.ack.max(ack.prior_una);
        let at = Position { una, nxt: ack.snd_nxt, mss: ack.mss, cwnd_limited: ack.cwnd_limited };
        let mut pass = Pass::new(at, base, fl, cc, env);
        pass.echo = ack.tsecr.map(|tsecr| (tsecr, ack.ts_now));
        pass
    }

    pub fn for_timer(
        state: &SenderState,
        base: &'a mut Base,
        fl: &'a mut Flight,
        cc: &'a mut C,
        env: &'a mut Env<'_>,
    ) -> Self {
        let at = Position {
            una: state.snd_una,
            nxt: state.snd_nxt,
            mss: state.mss,
            cwnd_limited: state.cwnd_limited,
        };
        Pass::new(at, base, fl, cc, env)
    }

    pub fn count(&mut self, counter: Counter) {
        self.counters.add(counter, 1);
    }

    pub fn view(&self) -> SenderView {
        let counts = &self.fl.queue.counts;
        SenderView {
            now: self.now,
            packets_out: counts.packets_out,
            sacked_out: counts.sacked_out,
            lost_out: counts.lost_out,
            retrans_out: counts.retrans_out,
            snd_una: self.una,
            snd_nxt: self.nxt,
            mss: self.mss,
            srtt_us: self.base.rtt.srtt_us(),
            min_rtt_us: self.base.rtt.min_us(),
            phase: self.base.phase,
            cwnd_limited: self.cwnd_limited,
            tuning: self.settings.tuning,
        }
    }

    pub fn set_phase(&mut self, to: Phase) {
        let view = self.view();
        self.cc.set_phase(to, &view);
        self.base.phase = to;
    }

    /// The last transmission of a record is no longer in the network.
    pub fn mark_lost(&mut self, index: usize) {
        let Some(record) = self.fl.queue.get(index) else { return };
        let (marks, segments, start) = (record.marks(), record.segments(), record.start);
        if marks.contains(Marks::SACKED) {
            return;
        }
        if marks.contains(Marks::LOST) {
            if !marks.contains(Marks::RETRANS) {
                return;
            }
            self.counters.add(Counter::TCPLostRetransmit, segments.into());
            self.fl.queue.set_marks(index, marks.without(Marks::RETRANS));
        } else {
            self.fl.queue.set_marks(index, marks.with(Marks::LOST));
        }
        self.newly_lost += segments;
        self.fl.retransmit_hint = self.fl.retransmit_hint.min(start);
    }

    pub fn arm(&mut self, timer: RecoveryTimer, deadline: Instant) {
        self.fl.pending = Some(timer);
        self.fl.deadline = deadline;
    }

    /// Our timestamp clock at a past moment; `None` when timestamps are not in use.
    fn timestamp_at(&self, then: Instant) -> Option<u32> {
        let (_, ts_now) = self.echo?;
        let age = self.now.as_millis().saturating_sub(then.as_millis());
        Some(ts_now.wrapping_sub(age as u32))
    }

    /// Eifel detection (RFC 3522): the ACK echoes a segment sent before `then`.
    pub fn echoes_before(&self, then: Instant) -> bool {
        match (self.echo, self.timestamp_at(then)) {
            (Some((tsecr, _)), Some(stamp)) => (tsecr.wrapping_sub(stamp) as i32) < 0,
            _ => false,
        }
    }
}
