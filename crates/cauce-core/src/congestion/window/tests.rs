//! The window under growth, reduction, undo, idleness and a change of algorithm.

use super::*;
use crate::congestion::abc::Abc;
use crate::congestion::reno::Reno;
use crate::congestion::{available, by_name};
use crate::time::Duration;
use std::vec::Vec;

/// A sender that fills its window, with Reno unless told otherwise.
struct Sender {
    congestion: Congestion,
    view: SenderView,
    settings: Settings,
    rtt: Duration,
}

impl Sender {
    fn new(cwnd: u32) -> Self {
        Self::with(cwnd, Algorithm::Reno(Reno))
    }

    fn with(cwnd: u32, algorithm: Algorithm) -> Self {
        let view = SenderView {
            now: Instant::from_secs(10),
            snd_una: 1 << 32,
            snd_nxt: 1 << 32,
            mss: 1000,
            srtt_us: 100_000,
            ..SenderView::default()
        };
        let mut congestion = Congestion::new(cwnd, algorithm, view.now);
        congestion.start(&view);
        Sender { congestion, view, settings: Settings::default(), rtt: Duration::from_millis(100) }
    }

    fn cwnd(&self) -> u32 {
        self.congestion.cwnd()
    }

    /// Sends up to `limit` segments or the window, whichever is less.
    fn fill(&mut self, limit: u32) {
        let room = self.cwnd().min(limit).saturating_sub(self.view.in_flight());
        self.view.packets_out += room;
        self.view.snd_nxt += u64::from(room) * 1000;
        self.congestion.on_sent(room);
        self.validate();
    }

    fn validate(&mut self) {
        let usage = Usage {
            is_cwnd_limited: self.view.in_flight() >= self.cwnd(),
            send_buffer_full: false,
            rto: Duration::from_millis(200),
        };
        self.congestion.validate(&self.view, &usage, &self.settings);
    }

    fn ack(&mut self, segments: u32) {
        self.view.packets_out -= segments;
        self.view.snd_una += u64::from(segments) * 1000;
        let counts = AckCounts {
            newly_acked: segments,
            newly_delivered: segments,
            acked_bytes: segments * 1000,
            una_advanced: true,
            data_acked: true,
            ..AckCounts::default()
        };
        self.congestion.on_ack(&counts, &RateSample::default(), &self.view, &self.settings);
    }

    /// One RTT: ACKs for `per_ack` segments each, the window filled again after each.
    fn round(&mut self, per_ack: u32) {
        self.fill(u32::MAX);
        let mut outstanding = self.view.packets_out;
        self.view.now += self.rtt;
        while outstanding > 0 {
            let acked = per_ack.min(outstanding);
            self.ack(acked);
            self.fill(u32::MAX);
            outstanding -= acked;
        }
    }

    fn rounds(&mut self, n: usize, per_ack: u32) -> Vec<u32> {
        (0..n)
            .map(|_| {
                self.round(per_ack);
                self.cwnd()
            })
            .collect()
    }
}

/// P-081, P-082: slow start doubles each RTT, with delayed ACKs as well by today's rule.
#[test]
fn p081_slow_start_doubles() {
    for per_ack in [1, 2, 7] {
        assert_eq!(Sender::new(10).rounds(5, per_ack), [20, 40, 80, 160, 320], "{per_ack}");
    }
}

/// P-082, P-090: the same by the settings of tcp_abc, for ACKs of every second segment.
#[test]
fn p090_modes_in_a_flow() {
    for (abc, expected) in [(Abc::PerAck, 15), (Abc::One, 15), (Abc::Two, 20), (Abc::Live, 20)] {
        let mut sender = Sender::new(10);
        sender.settings.abc = abc;
        assert_eq!(sender.rounds(1, 2), [expected], "{abc:?}");
    }
}

/// P-083: congestion avoidance adds one segment an RTT, whatever the ACKs cover.
#[test]
fn p083_one_segment_an_rtt() {
    for per_ack in [1, 2, 5] {
        let mut sender = Sender::new(20);
        sender.congestion.set_initial_ssthresh(20);
        let grown = sender.rounds(10, per_ack)[9] - 20;
        assert!((9..=11).contains(&grown), "{per_ack}: {grown}");
    }
}

/// Slow start stops exactly at ssthresh and what is left over counts for congestion avoidance.
#[test]
fn slow_start_hands_over_at_ssthresh() {
    let mut sender = Sender::new(10);
    sender.congestion.set_initial_ssthresh(12);
    sender.fill(10);
    sender.ack(10);
    assert_eq!((sender.cwnd(), sender.congestion.window.cwnd_cnt), (12, 8));
}

/// P-084, P-085: from 10 Reno goes to 5, by proportional rate reduction.
#[test]
fn p084_reduction_and_its_end() {
    let mut sender = Sender::new(10);
    sender.fill(10);
    sender.view.sacked_out = 3;
    sender.view.lost_out = 1;
    sender.congestion.begin_reduction(&sender.view, true);
    sender.congestion.set_phase(Phase::Recovery, &sender.view);
    sender.view.phase = Phase::Recovery;
    assert_eq!(sender.congestion.ssthresh(), 5);
    let counts = AckCounts { newly_delivered: 1, newly_lost: 1, ..AckCounts::default() };
    sender.congestion.on_ack(&counts, &RateSample::default(), &sender.view, &sender.settings);
    assert_eq!(sender.cwnd(), sender.view.in_flight() + 1, "one retransmission goes at once");
    sender.congestion.end_reduction(&sender.view);
    assert_eq!(sender.cwnd(), 5);
}

/// In CWR already, entering Recovery goes on with the same reduction, and makes it final.
#[test]
fn recovery_during_cwr_does_not_reduce_twice() {
    let mut sender = Sender::new(20);
    sender.fill(20);
    sender.congestion.begin_reduction(&sender.view, false);
    sender.view.phase = Phase::Cwr;
    sender.congestion.begin_reduction(&sender.view, true);
    assert_eq!(sender.congestion.ssthresh(), 10);
    sender.view.phase = Phase::Recovery;
    assert!(!sender.congestion.undo(&sender.view));
    assert_eq!((sender.cwnd(), sender.congestion.ssthresh()), (20, 10));
}

/// P-088: a time-out leaves one segment and half the window as threshold; slow start begins again.
#[test]
fn p088_timeout() {
    let mut sender = Sender::new(10);
    sender.fill(10);
    sender.view.lost_out = 10;
    sender.congestion.enter_loss(&sender.view, true);
    sender.congestion.set_phase(Phase::Loss, &sender.view);
    assert_eq!((sender.cwnd(), sender.congestion.ssthresh()), (1, 5));
    sender.view.phase = Phase::Loss;
    sender.congestion.enter_loss(&sender.view, false);
    assert_eq!((sender.cwnd(), sender.congestion.ssthresh()), (1, 5));
    sender.view.lost_out = 0;
    sender.view.packets_out = 1;
    sender.validate();
    sender.ack(1);
    assert_eq!(sender.cwnd(), 2);
}

/// A spurious reduction gives back window and threshold, for every algorithm.
#[test]
fn undo_restores() {
    for name in available() {
        for timeout in [false, true] {
            let mut sender = Sender::with(40, by_name(name).unwrap());
            sender.fill(40);
            if timeout {
                sender.view.lost_out = 40;
                sender.congestion.enter_loss(&sender.view, true);
                sender.view.phase = Phase::Loss;
            } else {
                sender.congestion.begin_reduction(&sender.view, true);
                sender.view.phase = Phase::Recovery;
            }
            assert!(sender.congestion.ssthresh() < 40);
            assert!(sender.congestion.undo(&sender.view));
            sender.congestion.end_reduction(&sender.view);
            assert_eq!((sender.cwnd(), sender.congestion.ssthresh()), (40, INFINITE_SSTHRESH), "{name}");
        }
    }
}

#[test]
fn forbidden_undo_changes_nothing() {
    let mut sender = Sender::new(40);
    sender.congestion.begin_reduction(&sender.view, true);
    sender.view.phase = Phase::Recovery;
    sender.congestion.forbid_undo();
    assert!(!sender.congestion.undo(&sender.view));
    assert_eq!(sender.congestion.ssthresh(), 20);
}

/// S-42, N-48: cwnd 80 and an RTO of 232 ms, after each idle time.
#[test]
fn n48_window_after_idle() {
    let rto = Duration::from_millis(232);
    for (idle, expected) in [(0.8, 80), (1.5, 40), (2.5, 20), (3.5, 10), (100.0, 10), (1e9, 10)] {
        let mut sender = Sender::new(80);
        sender.congestion.set_initial_ssthresh(30);
        sender.congestion.restart_after_idle(rto.mul_f64(idle), rto, &sender.view, &sender.settings);
        assert_eq!(sender.cwnd(), expected, "{idle}");
        assert_eq!(sender.congestion.ssthresh(), if expected == 80 { 30 } else { 60 });
    }
    let mut sender = Sender::new(80);
    sender.settings.slow_start_after_idle = false;
    sender.congestion.restart_after_idle(rto * 50, rto, &sender.view, &sender.settings);
    assert_eq!(sender.cwnd(), 80);
}

/// P-089: two segments an RTT do not make a window of ten grow.
#[test]
fn p089_unused_window_does_not_grow() {
    let mut sender = Sender::new(10);
    for _ in 0..10 {
        sender.fill(2);
        sender.view.now += sender.rtt;
        sender.ack(2);
    }
    assert_eq!(sender.cwnd(), 10);
}

/// P-089: a window unused for an RTO shrinks half way to what is used, the threshold remembers it.
#[test]
fn p089_application_limited_window_decays() {
    let mut sender = Sender::new(80);
    sender.congestion.set_initial_ssthresh(40);
    for _ in 0..3 {
        sender.fill(20);
        sender.view.now += sender.rtt;
        sender.ack(20);
    }
    // Growth stamps the window; from the last ACK on it counts as unused.
    sender.view.now += Duration::from_millis(200);
    sender.fill(20);
    assert_eq!((sender.cwnd(), sender.congestion.ssthresh()), (50, 60));
}

/// In slow start a window is in use when half of it is, so that it can double.
#[test]
fn slow_start_needs_half_the_window() {
    let mut sender = Sender::new(10);
    sender.fill(6);
    assert!(sender.congestion.is_cwnd_limited());
    let mut sender = Sender::new(10);
    sender.fill(5);
    assert!(!sender.congestion.is_cwnd_limited());
}

/// O-01, P-200: a live switch keeps cwnd and ssthresh, and the flow goes on under either.
#[test]
fn o01_live_switch_keeps_the_window() {
    let mut sender = Sender::with(10, by_name("cubic").unwrap());
    sender.rounds(2, 1);
    sender.congestion.set_initial_ssthresh(25);
    for name in ["reno", "cubic", "reno"] {
        let before = (sender.cwnd(), sender.congestion.ssthresh());
        sender.congestion.set_algorithm(by_name(name).unwrap(), &sender.view);
        assert_eq!(sender.congestion.algorithm(), name);
        assert_eq!((sender.cwnd(), sender.congestion.ssthresh()), before);
        let after = sender.rounds(4, 2)[3];
        assert!(after > before.0 && after < before.0 + 30, "{name}: {before:?} {after}");
    }
}

/// P-207: twice the rate of the window in slow start, 1.2 times in congestion avoidance, never more than
/// SO_MAX_PACING_RATE, which also has it enforced.
#[test]
fn p207_pacing_rate() {
    let mut sender = Sender::new(10);
    assert_eq!(sender.congestion.pacing_rate(), u64::MAX);
    sender.congestion.update_pacing_rate(&sender.view, &sender.settings);
    assert_eq!(sender.congestion.pacing_rate(), 200_000);
    sender.congestion.set_initial_ssthresh(10);
    sender.congestion.update_pacing_rate(&sender.view, &sender.settings);
    assert_eq!(sender.congestion.pacing_rate(), 120_000);
    assert!(!sender.congestion.pacing_enforced());
    sender.congestion.set_max_pacing_rate(50_000);
    assert!(sender.congestion.pacing_enforced());
    assert_eq!(sender.congestion.pacing_rate(), 50_000);
}

/// Without a round-trip time the rate limits nothing: ten segments in an eighth of a microsecond.
#[test]
fn p207_no_rtt_no_limit() {
    let mut sender = Sender::new(10);
    sender.view.srtt_us = 0;
    sender.congestion.update_pacing_rate(&sender.view, &sender.settings);
    assert_eq!(sender.congestion.pacing_rate(), 160_000_000_000);
}

#[test]
fn clamp_and_quota() {
    let mut sender = Sender::new(10);
    assert_eq!([0, 4, 8, 10, 20].map(|in_flight| sender.congestion.quota(in_flight)), [5, 5, 2, 0, 0]);
    sender.congestion.clamp(7);
    sender.rounds(3, 1);
    assert_eq!(sender.cwnd(), 7);
}

/// A time-out by the reordering timer: Recovery with one step of the reduction, no ACK.
#[test]
fn reordering_timer_lets_one_segment_out() {
    let mut sender = Sender::new(10);
    sender.fill(10);
    sender.view.lost_out = 2;
    sender.congestion.begin_reduction(&sender.view, true);
    sender.view.phase = Phase::Recovery;
    sender.congestion.reduce_on_timer(2, &sender.view);
    assert_eq!(sender.cwnd(), sender.view.in_flight() + 1);
}

/// Out-of-order delivery raises the window only where reordering is usual.
#[test]
fn sacks_raise_the_window_on_reordering_paths() {
    for (is_reordering, expected) in [(false, 10), (true, 11)] {
        let mut sender = Sender::new(10);
        sender.fill(10);
        sender.view.phase = Phase::Disorder;
        sender.view.sacked_out = 1;
        let counts = AckCounts { newly_delivered: 1, is_reordering, ..AckCounts::default() };
        sender.congestion.on_ack(&counts, &RateSample::default(), &sender.view, &sender.settings);
        assert_eq!(sender.cwnd(), expected);
    }
}

/// An idle connection pays for all of it (issue: under 1 KiB for a connection).
#[test]
fn compact() {
    assert!(size_of::<Congestion>() <= 216, "{}", size_of::<Congestion>());
}
