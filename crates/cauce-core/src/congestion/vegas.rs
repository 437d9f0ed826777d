//! Vegas (Brakmo and Peterson 1995): the window that keeps a few segments queued in the path (P-203, S-51).
//!
//! Once a round trip it judges how much of the window waits in queues, `cwnd * (rtt - base) / base`: with less than two
//! segments the window grows by one, with more than four it shrinks by one. `base` is the least RTT ever, `rtt` the least
//! of the round, which delayed acknowledgements do not spoil.
//!
//! Slow start doubles the window every other round trip only, so that it stands still for one whose segments then tell
//! what queues; more than one ends it. Losses are Reno's affair, and so is growth while recovery is at work or a round
//! has given fewer than three samples. All measurements are forgotten when sending begins after silence, as the path may
//! have changed.

use super::reno::Reno;
use super::{AckSample, CcInfo, CongestionControl, CwndEvent, SenderView, Window};
use crate::recovery::phase::Phase;

/// With fewer segments queued than this the window grows.
const ALPHA: u64 = 2;
/// With more than this it shrinks.
const BETA: u64 = 4;
/// With more than this slow start has filled the path.
const GAMMA: u64 = 1;
/// Fewer samples than this, and a round says nothing.
const ENOUGH: u32 = 3;
/// No sample yet, as TCP_CC_INFO shows it.
const UNKNOWN: u32 = 0x7fff_ffff;

/// One connection's measurements.
#[derive(Clone, Copy, Debug)]
pub struct Vegas {
    /// The round ends when something beyond this offset is acknowledged.
    round_end: u64,
    /// The least RTT in microseconds.
    base_rtt_us: u32,
    /// The least RTT of the round in microseconds.
    round_rtt_us: u32,
    /// Samples of the round.
    samples: u32,
    /// Recovery is not at work.
    measuring: bool,
    /// Slow start doubles the window in this round; in the next it stands still.
    doubling: bool,
}

impl Default for Vegas {
    fn default() -> Self {
        Vegas {
            round_end: 0,
            base_rtt_us: UNKNOWN,
            round_rtt_us: UNKNOWN,
            samples: 0,
            measuring: false,
            doubling: true,
        }
    }
}

impl Vegas {
    fn begin_round(&mut self, view: &SenderView) {
        self.round_end = view.snd_nxt;
        self.round_rtt_us = UNKNOWN;
        self.samples = 0;
    }

    /// Forgets the path.
    fn restart(&mut self, view: &SenderView) {
        self.base_rtt_us = UNKNOWN;
        self.measuring = view.phase == Phase::Open;
        self.doubling = true;
        self.begin_round(view);
    }

    /// Judges the round that ends.
    fn adjust(&self, window: &mut Window) {
        let cwnd = window.cwnd();
        let queued = self.queued(cwnd);
        if queued > BETA {
            settle_at(window, cwnd.saturating_sub(1));
        } else if queued < ALPHA && window.is_cwnd_limited() {
            window.set_cwnd(cwnd.saturating_add(1));
        }
    }

    /// Slow start ends with what the path holds, and one more.
    fn judge_slow_start(&self, window: &mut Window) {
        let cwnd = window.cwnd();
        if self.queued(cwnd) > GAMMA {
            let holds = u64::from(cwnd) * u64::from(self.base_rtt_us) / u64::from(self.round_rtt_us);
            settle_at(window, cwnd.min(u32::try_from(holds).unwrap_or(u32::MAX).saturating_add(1)));
        }
    }

    /// Segments of this window that wait in the path.
    fn queued(&self, cwnd: u32) -> u64 {
        let (base, rtt) = (u64::from(self.base_rtt_us), u64::from(self.round_rtt_us));
        u64::from(cwnd) * rtt.saturating_sub(base) / base
    }
}

impl CongestionControl for Vegas {
    fn name(&self) -> &'static str {
        "vegas"
    }

    fn init(&mut self, _: &mut Window, view: &SenderView) {
        self.restart(view);
    }

    fn ssthresh(&mut self, window: &Window, view: &SenderView) -> u32 {
        Reno.ssthresh(window, view)
    }

    fn cong_avoid(&mut self, window: &mut Window, view: &SenderView, acked: u32) {
        if !self.measuring {
            Reno.cong_avoid(window, view, acked);
            return;
        }
        let (round_over, known) = (view.snd_una > self.round_end, self.samples >= ENOUGH);
        if window.in_slow_start() {
            if self.doubling && known {
                // The segments that these samples are of left while the window stood still.
                self.judge_slow_start(window);
            }
            if (self.doubling || round_over && !known) && window.in_slow_start() {
                Reno.cong_avoid(window, view, acked);
            }
            if round_over {
                self.doubling = !(self.doubling && known);
            }
        } else if round_over && known {
            self.adjust(window);
        } else if round_over {
            Reno.cong_avoid(window, view, acked);
        }
        if round_over {
            self.begin_round(view);
        }
    }

    fn set_state(&mut self, _: &mut Window, view: &SenderView, to: Phase) {
        self.measuring = to == Phase::Open;
        if self.measuring {
            self.doubling = true;
            self.begin_round(view);
        }
    }

    fn cwnd_event(&mut self, _: &mut Window, view: &SenderView, event: CwndEvent) {
        if matches!(event, CwndEvent::TxStart { .. } | CwndEvent::CwndRestart) {
            self.restart(view);
        }
    }

    fn pkts_acked(&mut self, _: &mut Window, _: &SenderView, sample: &AckSample) {
        let Some(rtt_us) = sample.rtt_us else { return };
        let rtt_us = rtt_us.clamp(1, UNKNOWN - 1);
        self.base_rtt_us = self.base_rtt_us.min(rtt_us);
        self.round_rtt_us = self.round_rtt_us.min(rtt_us);
        self.samples = self.samples.saturating_add(1);
    }

    fn info(&self, _: &Window) -> Option<CcInfo> {
        Some(CcInfo::Vegas {
            enabled: self.measuring,
            rttcnt: self.samples,
            rtt_us: self.base_rtt_us,
            min_rtt_us: self.round_rtt_us,
        })
    }
}

/// Sets the window and a threshold that does not let it double again.
fn settle_at(window: &mut Window, cwnd: u32) {
    window.set_cwnd(cwnd.max(2));
    window.set_ssthresh(window.ssthresh().min(window.cwnd().saturating_sub(1)).max(2));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::window::{Congestion, Usage};
    use crate::congestion::{AckCounts, Algorithm, INFINITE_SSTHRESH, RateSample, Settings};
    use crate::time::{Duration, Instant};

    /// A sender that fills its window, on a path of 100 ms that holds 40 segments and queues the others.
    struct Flow {
        congestion: Congestion,
        view: SenderView,
    }

    const BASE_US: u32 = 100_000;
    const HOLDS: u32 = 40;

    impl Flow {
        fn new(cwnd: u32) -> Self {
            let view = SenderView { now: Instant::from_secs(5), mss: 1, ..SenderView::default() };
            let mut congestion = Congestion::new(cwnd, Algorithm::Vegas(Vegas::default()), view.now);
            congestion.start(&view);
            Flow { congestion, view }
        }

        fn cwnd(&self) -> u32 {
            self.congestion.cwnd()
        }

        fn queued(&self) -> u32 {
            self.cwnd().saturating_sub(HOLDS)
        }

        /// A full window, and an ACK of its first segment with this RTT.
        fn ack(&mut self, rtt_us: u32) {
            let cwnd = self.cwnd();
            self.view.packets_out = cwnd;
            self.view.snd_nxt = self.view.snd_nxt.max(self.view.snd_una + u64::from(cwnd));
            self.view.snd_una += 1;
            let usage = Usage { is_cwnd_limited: true, send_buffer_full: false, rto: Duration::from_secs(1) };
            self.congestion.validate(&self.view, &usage, &Settings::default());
            let counts = AckCounts {
                newly_acked: 1,
                newly_delivered: 1,
                una_advanced: true,
                data_acked: true,
                ca_rtt_us: Some(rtt_us),
                ..AckCounts::default()
            };
            self.congestion.on_ack(&counts, &RateSample::default(), &self.view, &Settings::default());
        }

        /// One round trip, whose segments find the queue that the window makes.
        fn round(&mut self) {
            let rtt = BASE_US + self.queued() * BASE_US / HOLDS;
            (0..self.cwnd()).for_each(|_| self.ack(rtt));
        }

        fn at(cwnd: u32, ssthresh: u32) -> Self {
            let mut flow = Flow::new(cwnd);
            flow.congestion.set_initial_ssthresh(ssthresh);
            flow.ack(BASE_US);
            flow
        }

        /// How one round of this RTT changes the window.
        fn step(&mut self, rtt_us: u32) -> i64 {
            let before = i64::from(self.cwnd());
            let end = self.view.snd_nxt;
            while self.view.snd_una <= end {
                self.ack(rtt_us);
            }
            i64::from(self.cwnd()) - before
        }
    }

    /// P-203: slow start ends where the queue begins, and then two to four segments queue for ever.
    #[test]
    fn p203_a_steady_queue() {
        let mut flow = Flow::new(10);
        (0..10).for_each(|_| flow.round());
        assert!(flow.congestion.ssthresh() < flow.cwnd());
        (0..50).for_each(|_| flow.round());
        for _ in 0..200 {
            flow.round();
            assert!((2..=4).contains(&flow.queued()), "{}", flow.queued());
        }
    }

    /// P-203: fewer than two segments queued: one more; more than four: one less; between: hold.
    #[test]
    fn p203_steps_of_congestion_avoidance() {
        // With a window of 40, each segment queued costs 2.5 ms.
        for (rtt, step) in [(100_000, 1), (104_900, 1), (105_000, 0), (112_400, 0), (112_500, -1)] {
            assert_eq!(Flow::at(40, 2).step(rtt), step, "{rtt}");
        }
    }

    /// P-203: slow start doubles the window in every other round, and the third time finds three segments queued.
    #[test]
    fn p203_slow_start_looks_before_it_doubles() {
        let mut flow = Flow::new(10);
        let windows = [(); 5].map(|()| {
            flow.round();
            flow.cwnd()
        });
        assert_eq!(windows, [20, 21, 41, 42, 42]);
    }

    /// P-203: with more than one segment queued slow start ends, at what the path holds and one more.
    #[test]
    fn p203_slow_start_ends() {
        let mut flow = Flow::at(20, INFINITE_SSTHRESH);
        flow.step(BASE_US);
        assert_eq!(flow.congestion.ssthresh(), INFINITE_SSTHRESH);
        let mut before = 0;
        while flow.congestion.ssthresh() == INFINITE_SSTHRESH {
            before = flow.cwnd();
            flow.ack(2 * BASE_US);
        }
        assert_eq!((flow.cwnd(), flow.congestion.ssthresh()), (before / 2 + 1, before / 2));
    }

    /// P-203: with two samples a round says nothing about a queue, and Reno grows the window.
    #[test]
    fn p203_reno_with_few_samples() {
        let mut flow = Flow::at(2, 2);
        let before = flow.cwnd();
        for _ in 0..4 {
            flow.ack(50 * BASE_US);
        }
        assert!(flow.cwnd() > before, "{}", flow.cwnd());
    }

    /// P-203: in recovery it is Reno: half the window after a loss, slow start after a time-out whatever the RTT.
    #[test]
    fn p203_reno_in_recovery() {
        let mut flow = Flow::at(40, 2);
        flow.view.lost_out = 40;
        flow.congestion.enter_loss(&flow.view, true);
        flow.congestion.set_phase(Phase::Loss, &flow.view);
        flow.view.phase = Phase::Loss;
        assert_eq!((flow.cwnd(), flow.congestion.ssthresh()), (1, 20));
        flow.view.lost_out = 0;
        for _ in 0..19 {
            flow.ack(9 * BASE_US);
        }
        assert_eq!(flow.cwnd(), 20);
        let enabled =
            |flow: &Flow| matches!(flow.congestion.info(), Some(CcInfo::Vegas { enabled: true, .. }));
        assert!(!enabled(&flow));
        flow.congestion.event(CwndEvent::TxStart { idle: Duration::ZERO }, &flow.view);
        assert!(!enabled(&flow), "silence does not end it");
        flow.congestion.set_phase(Phase::Open, &flow.view);
        assert!(enabled(&flow));
    }

    /// What TCP_CC_INFO tells, before a sample and after some; silence makes it forget the path.
    #[test]
    fn cc_info() {
        let mut flow = Flow::new(40);
        let unknown = CcInfo::Vegas { enabled: true, rttcnt: 0, rtt_us: UNKNOWN, min_rtt_us: UNKNOWN };
        assert_eq!(flow.congestion.info(), Some(unknown));
        // The first ACK ends what was before.
        flow.ack(80_000);
        for rtt in [90_000, 81_000, 85_000] {
            flow.ack(rtt);
        }
        let known = CcInfo::Vegas { enabled: true, rttcnt: 3, rtt_us: 80_000, min_rtt_us: 81_000 };
        assert_eq!(flow.congestion.info(), Some(known));
        flow.congestion.event(CwndEvent::TxStart { idle: Duration::from_secs(1) }, &flow.view);
        assert_eq!(flow.congestion.info(), Some(unknown));
    }

    /// Nothing that a peer does overflows or makes the window vanish.
    #[test]
    fn extremes() {
        for rtt in [0, 1, u32::MAX] {
            let mut flow = Flow::new(u32::MAX);
            flow.ack(1);
            (0..5).for_each(|_| flow.ack(rtt));
            flow.view.snd_una += 1 << 33;
            flow.ack(rtt);
            assert!(flow.cwnd() >= 2);
        }
    }
}
