//! Westwood+ (Grieco and Mascolo 2004): after a loss, the window that the measured bandwidth fills (P-204, S-52).
//!
//! The rate of acknowledged bytes is sampled once a round trip, 50 ms at least, and smoothed twice. Growth is Reno's.
//! After congestion ssthresh is what this bandwidth puts in flight over the least RTT, so that a queue is emptied, and
//! a window that losses by chance have hit is kept. How far the window falls in between is not decided here.

use super::reno::Reno;
use super::{AckSample, CcInfo, CongestionControl, SenderView, Window};
use crate::time::{Duration, Instant};

/// Samples are taken over this at least.
const LEAST_SPAN: Duration = Duration::from_millis(50);

/// One connection's estimate of its bandwidth.
#[derive(Clone, Copy, Debug, Default)]
pub struct Westwood {
    /// When the present sample began, and what had been delivered then.
    since: Instant,
    delivered: u64,
    /// Bytes a second, smoothed once and twice; 0 before the first sample.
    smoothed: u64,
    bandwidth: u64,
    /// The last RTT in microseconds, 0 before the first.
    rtt_us: u32,
    /// The least RTT in microseconds.
    min_rtt_us: u32,
}

impl Westwood {
    fn begin_sample(&mut self, view: &SenderView) {
        self.since = view.now;
        // SACKs that turn out void count once, not again when the data is acknowledged.
        self.delivered = self.delivered.max(delivered(view));
    }

    /// Ends a sample of this length.
    fn take_sample(&mut self, view: &SenderView, span: Duration) {
        let bytes = delivered(view).saturating_sub(self.delivered);
        let rate = u128::from(bytes) * 1_000_000_000 / span.as_nanos().max(1);
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        if self.bandwidth == 0 {
            (self.smoothed, self.bandwidth) = (rate, rate);
        } else {
            self.smoothed = smooth(self.smoothed, rate);
            self.bandwidth = smooth(self.bandwidth, self.smoothed);
        }
    }
}

impl CongestionControl for Westwood {
    fn name(&self) -> &'static str {
        "westwood"
    }

    fn init(&mut self, _: &mut Window, view: &SenderView) {
        *self = Westwood::default();
        self.begin_sample(view);
    }

    /// What fits into the path without a queue, never less than two segments. Before the first sample, half the window.
    fn ssthresh(&mut self, window: &Window, view: &SenderView) -> u32 {
        if self.bandwidth == 0 {
            return Reno.ssthresh(window, view);
        }
        let bytes = u128::from(self.bandwidth) * u128::from(self.min_rtt_us) / 1_000_000;
        u32::try_from(bytes / u128::from(view.mss.max(1))).unwrap_or(u32::MAX).max(2)
    }

    fn cong_avoid(&mut self, window: &mut Window, view: &SenderView, acked: u32) {
        Reno.cong_avoid(window, view, acked);
    }

    fn pkts_acked(&mut self, _: &mut Window, view: &SenderView, sample: &AckSample) {
        if let Some(rtt_us) = sample.rtt_us {
            if self.rtt_us == 0 {
                // The round trip before this one was spent waiting for it.
                self.begin_sample(view);
            }
            self.rtt_us = rtt_us.max(1);
            self.min_rtt_us = view.min_rtt_us.min(self.rtt_us).max(1);
        }
        let span = view.now.since(self.since);
        let least = Duration::from_micros(self.rtt_us.into()).max(LEAST_SPAN);
        if self.rtt_us > 0 && span >= least {
            self.take_sample(view, span);
            self.begin_sample(view);
        }
    }

    /// As the kernel's Westwood does, in the words of Vegas.
    fn info(&self, _: &Window) -> Option<CcInfo> {
        Some(CcInfo::Vegas { enabled: true, rttcnt: 0, rtt_us: self.rtt_us, min_rtt_us: self.min_rtt_us })
    }
}

/// The offset up to which everything would have been delivered if what is SACKed lay at the front.
fn delivered(view: &SenderView) -> u64 {
    view.snd_una + u64::from(view.sacked_out) * u64::from(view.mss)
}

/// A low-pass filter of 7/8.
fn smooth(old: u64, new: u64) -> u64 {
    u64::try_from((u128::from(old) * 7 + u128::from(new)) / 8).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recovery::phase::Phase;

    const MSS: u32 = 1000;

    /// Segments that are acknowledged at an even pace.
    struct Flow {
        westwood: Westwood,
        window: Window,
        view: SenderView,
    }

    impl Flow {
        fn new() -> Self {
            let view = SenderView { now: Instant::from_secs(5), mss: MSS, ..SenderView::default() };
            let mut window = Window::new(40, view.now);
            let mut westwood = Westwood::default();
            westwood.init(&mut window, &view);
            Flow { westwood, window, view }
        }

        /// Acknowledges one segment after this time.
        fn ack(&mut self, after_us: u64, rtt_us: u32) {
            self.view.now += Duration::from_micros(after_us);
            self.view.snd_una += u64::from(MSS);
            self.sample(Some(rtt_us));
        }

        fn sample(&mut self, rtt_us: Option<u32>) {
            self.view.min_rtt_us = self.view.min_rtt_us.min(rtt_us.unwrap_or(u32::MAX));
            let sample = AckSample { pkts_acked: 1, rtt_us, in_flight: 40 };
            self.westwood.pkts_acked(&mut self.window, &self.view, &sample);
        }

        fn ssthresh(&mut self) -> u32 {
            self.westwood.ssthresh(&self.window, &self.view)
        }
    }

    /// P-204: a steady rate times the least RTT, however long the queue makes the last one.
    #[test]
    fn p204_bandwidth_times_least_rtt() {
        let mut flow = Flow::new();
        // 400 segments a second; 100 ms hold 40 of them.
        flow.ack(100_000, 100_000);
        (0..8_000).for_each(|_| flow.ack(2_500, 250_000));
        assert!((39..=40).contains(&flow.ssthresh()), "{}", flow.ssthresh());
    }

    /// P-204: two filters of 7/8: of a rate that has stopped, after one sample 63/64 is left, after two 47/49 of that.
    #[test]
    fn p204_two_filters() {
        let mut flow = Flow::new();
        (0..1_001).for_each(|_| flow.ack(1_000, 100_000));
        let rates = |flow: &Flow| (flow.westwood.smoothed, flow.westwood.bandwidth);
        assert_eq!(rates(&flow), (1_000_000, 1_000_000));
        for expected in [(875_000, 984_375), (765_625, 957_031), (669_921, 921_142)] {
            flow.view.now += Duration::from_millis(100);
            flow.sample(None);
            assert_eq!(rates(&flow), expected);
        }
        assert_eq!(flow.ssthresh(), 92);
    }

    /// P-204: the round trip before the first acknowledgement is no part of the first sample.
    #[test]
    fn p204_first_sample() {
        let mut flow = Flow::new();
        flow.ack(100_000, 100_000);
        assert_eq!(flow.ssthresh(), 20, "none yet: half the window");
        (0..10).for_each(|_| flow.ack(10_000, 100_000));
        assert_eq!(flow.ssthresh(), 10);
    }

    /// P-204: a sample takes 50 ms where a round trip takes less, so that one burst does not pass for a rate.
    #[test]
    fn p204_least_span() {
        let mut flow = Flow::new();
        for after in [10_000, 10, 10, 10, 10, 10] {
            flow.ack(after, 10_000);
        }
        assert_eq!(flow.ssthresh(), 20);
        flow.ack(49_950, 10_000);
        // Six segments in 50 ms; 10 ms hold 1.2 of them, but two is the least.
        assert_eq!((flow.westwood.bandwidth, flow.ssthresh()), (120_000, 2));
    }

    /// P-204: SACKed segments count when they are SACKed, and not again when the hole before them is filled.
    #[test]
    fn p204_sacked_segments_count_once() {
        let mut flow = Flow::new();
        flow.ack(10_000, 100_000);
        for _ in 0..9 {
            flow.view.now += Duration::from_millis(10);
            flow.view.sacked_out += 1;
            flow.sample(Some(100_000));
        }
        flow.view.now += Duration::from_millis(10);
        flow.view.snd_una += u64::from(10 * MSS);
        flow.view.sacked_out = 0;
        flow.sample(Some(100_000));
        assert_eq!(flow.westwood.bandwidth, 100_000, "ten segments in 100 ms");
        // A time-out voids SACKs: what they told is not counted twice.
        flow.view.sacked_out = 5;
        flow.view.now += Duration::from_millis(100);
        flow.sample(Some(100_000));
        let after_sack = flow.westwood.smoothed;
        flow.view.sacked_out = 0;
        flow.view.phase = Phase::Loss;
        flow.view.snd_una += u64::from(5 * MSS);
        flow.view.now += Duration::from_millis(100);
        flow.sample(None);
        assert_eq!(flow.westwood.smoothed, after_sack * 7 / 8);
    }

    /// What TCP_CC_INFO tells: the last RTT and the least.
    #[test]
    fn cc_info() {
        let mut flow = Flow::new();
        flow.ack(1_000, 70_000);
        flow.ack(1_000, 90_000);
        let told = CcInfo::Vegas { enabled: true, rttcnt: 0, rtt_us: 90_000, min_rtt_us: 70_000 };
        assert_eq!(flow.westwood.info(&flow.window), Some(told));
    }

    /// Nothing that time or a peer does overflows.
    #[test]
    fn extremes() {
        let mut flow = Flow::new();
        for rtt in [0, 1, u32::MAX] {
            flow.view.snd_una += 1 << 50;
            flow.ack(50_000, rtt);
            flow.ack(1 << 50, rtt);
            assert!(flow.ssthresh() >= 2);
        }
    }
}
