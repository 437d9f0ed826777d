//! A sender for the tests of algorithms: its window is always full, every segment is ACKed by itself.

use super::window::{Congestion, Usage};
use super::{AckCounts, RateSample, SenderView, Settings, by_name};
use crate::recovery::phase::Phase;
use crate::time::{Duration, Instant};

/// One flow, an RTT at a time.
pub struct Flow {
    pub congestion: Congestion,
    pub view: SenderView,
    /// The round trip without queues.
    pub rtt: Duration,
    /// What queues add to it.
    pub queueing: Duration,
}

impl Flow {
    /// In congestion avoidance at this window, 100 ms from its peer.
    pub fn new(algorithm: &str, cwnd: u32) -> Self {
        let rtt = Duration::from_millis(100);
        let view = SenderView {
            now: Instant::from_secs(5),
            snd_una: 1 << 32,
            snd_nxt: 1 << 32,
            mss: 1,
            srtt_us: 100_000,
            min_rtt_us: 100_000,
            ..SenderView::default()
        };
        let mut congestion = Congestion::new(cwnd, by_name(algorithm).unwrap(), view.now);
        congestion.start(&view);
        congestion.set_initial_ssthresh(cwnd);
        Flow { congestion, view, rtt, queueing: Duration::ZERO }
    }

    pub fn cwnd(&self) -> u32 {
        self.congestion.cwnd()
    }

    /// As if the flow had come to this window somehow, with no more in flight.
    pub fn set_cwnd(&mut self, cwnd: u32) {
        self.congestion.set_initial_window(cwnd);
        self.view.packets_out = self.view.packets_out.min(cwnd);
        self.view.snd_una = self.view.snd_nxt - u64::from(self.view.packets_out);
    }

    /// All that is in flight is ACKed, and the window filled again after each ACK.
    pub fn round(&mut self) {
        self.fill();
        self.view.now += self.rtt + self.queueing;
        for _ in 0..self.view.packets_out {
            self.ack();
        }
    }

    pub fn rounds(&mut self, count: u32) {
        (0..count).for_each(|_| self.round());
    }

    fn ack(&mut self) {
        self.view.packets_out -= 1;
        self.view.snd_una += 1;
        let counts = AckCounts {
            newly_acked: 1,
            newly_delivered: 1,
            acked_bytes: 1,
            una_advanced: true,
            data_acked: true,
            ca_rtt_us: Some((self.rtt + self.queueing).as_micros() as u32),
            ..AckCounts::default()
        };
        self.congestion.on_ack(&counts, &RateSample::default(), &self.view, &Settings::default());
        self.fill();
    }

    fn fill(&mut self) {
        let room = self.cwnd().saturating_sub(self.view.packets_out);
        self.view.packets_out += room;
        self.view.snd_nxt += u64::from(room);
        let rto = Duration::from_secs(1);
        let usage = Usage { is_cwnd_limited: true, send_buffer_full: false, rto };
        self.congestion.validate(&self.view, &usage, &Settings::default());
    }

    fn enter(&mut self, phase: Phase) {
        self.congestion.set_phase(phase, &self.view);
        self.view.phase = phase;
    }

    /// A segment is lost and found missing; the window is down and everything repaired.
    pub fn lose(&mut self) {
        self.begin_recovery();
        self.congestion.end_reduction(&self.view);
        self.view.packets_out = 0;
        self.view.snd_una = self.view.snd_nxt;
        self.enter(Phase::Open);
    }

    /// A segment seems lost, until [`undo`](Self::undo).
    pub fn begin_recovery(&mut self) {
        self.congestion.begin_reduction(&self.view, true);
        self.enter(Phase::Recovery);
    }

    /// Nothing was lost after all.
    pub fn undo(&mut self) {
        assert!(self.congestion.undo(&self.view));
        self.enter(Phase::Open);
    }

    /// Everything in flight is lost, and found so by a time-out.
    pub fn time_out(&mut self) {
        self.view.packets_out = 0;
        self.view.snd_una = self.view.snd_nxt;
        self.congestion.enter_loss(&self.view, true);
        self.enter(Phase::Loss);
        self.enter(Phase::Open);
    }

    /// Slow start up to its threshold.
    pub fn slow_start(&mut self) {
        while self.cwnd() < self.congestion.ssthresh() {
            self.round();
        }
    }
}
