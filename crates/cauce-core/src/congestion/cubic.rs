//! CUBIC (RFC 9438), as Linux 6.18 runs it, with HyStart; the default of every profile (P-206).
//!
//! After a reduction the window grows along `W(t) = C (t - K)^3 + W_max`, with C = 0.4, a decrease to
//! beta = 0.7 of the window, fast convergence, and never slower than Reno would. Arithmetic is integer:
//! time in 1/1024 s, windows in segments. The origin of time is the first ACK after the reduction.

use super::hystart::{Hystart, RoundSample};
use super::{AckSample, CongestionControl, CwndEvent, SenderView, Window};
use crate::recovery::phase::Phase;

/// Beta = 717/1024: what is left of the window after a loss.
const BETA: u64 = 717;
const BETA_SCALE: u64 = 1024;
/// C = 410/1024, in segments per second cubed.
const C: u64 = 410;
/// `8 * 3 (1 - beta) / (1 + beta)` upside down: ACKs per window after which Reno would have grown by one.
const FRIENDLY_SCALE: u64 = 8 * (BETA_SCALE + BETA) / 3 / (BETA_SCALE - BETA);
/// Growth is never slower than one segment in this many ACKs while no maximum is known.
const FIRST_CNT: u32 = 20;
/// After a reduction RTT samples are disregarded for this long, in milliseconds.
const SETTLE_MS: u32 = 1_000;
/// A steady window is recomputed at most this often, in milliseconds.
const STEADY_MS: u32 = 31;

/// One connection's curve.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cubic {
    hystart: Hystart,
    /// ACKs after which the window grows by one.
    cnt: u32,
    /// The window before the last reduction (W_max).
    last_max_cwnd: u32,
    /// The window for which `cnt` was computed last, and when.
    last_cwnd: u32,
    last_time: u32,
    /// The window at the curve's inflection, and when it is reached (K), in 1/1024 s.
    origin_point: u32,
    k: u32,
    /// The least RTT in microseconds, 0 before the first.
    delay_min_us: u32,
    /// When the curve began, in milliseconds; 0: it begins with the next ACK.
    epoch_start: u32,
    /// Segments acknowledged that the Reno estimate has not used.
    ack_cnt: u32,
    /// The window that Reno would have (W_est).
    tcp_cwnd: u32,
}

impl Cubic {
    /// Forgets the path, save HyStart's round.
    fn reset(&mut self) {
        let mut hystart = self.hystart;
        hystart.restart();
        *self = Cubic { hystart, ..Cubic::default() };
    }

    /// Brings `cnt` up to date after `acked` more segments.
    fn update(&mut self, cwnd: u32, acked: u32, now: u32) {
        self.ack_cnt = self.ack_cnt.saturating_add(acked);
        let since_last = now.wrapping_sub(self.last_time);
        if self.last_cwnd == cwnd && since_last <= STEADY_MS {
            return;
        }
        // The curve itself moves once a millisecond at most.
        if self.epoch_start == 0 || since_last != 0 {
            self.last_cwnd = cwnd;
            self.last_time = now;
            if self.epoch_start == 0 {
                self.begin_epoch(cwnd, acked, now);
            }
            self.follow_curve(cwnd, now);
        }
        self.befriend_reno(cwnd);
        // At most one segment for two acknowledged: half again an RTT.
        self.cnt = self.cnt.max(2);
    }

    fn begin_epoch(&mut self, cwnd: u32, acked: u32, now: u32) {
        self.epoch_start = now.max(1);
        self.ack_cnt = acked;
        self.tcp_cwnd = cwnd;
        if self.last_max_cwnd <= cwnd {
            self.k = 0;
            self.origin_point = cwnd;
        } else {
            self.k = time_to_grow(self.last_max_cwnd - cwnd);
            self.origin_point = self.last_max_cwnd;
        }
    }

    fn follow_curve(&mut self, cwnd: u32, now: u32) {
        let since_epoch_ms = u64::from(now.wrapping_sub(self.epoch_start));
        let t = (since_epoch_ms + u64::from(self.delay_min_us / 1_000)) * 1024 / 1000;
        let k = u64::from(self.k);
        let offset = growth_in(t.abs_diff(k));
        let target = if t < k {
            self.origin_point.saturating_sub(offset)
        } else {
            self.origin_point.saturating_add(offset)
        };
        self.cnt = if target > cwnd { cwnd / (target - cwnd) } else { cwnd.saturating_mul(100) };
        if self.last_max_cwnd == 0 {
            self.cnt = self.cnt.min(FIRST_CNT);
        }
    }

    /// The Reno-friendly region: grows at least as Reno with this beta would (RFC 9438 4.3).
    fn befriend_reno(&mut self, cwnd: u32) {
        let per_segment = u32::try_from(u64::from(cwnd) * FRIENDLY_SCALE / 8).unwrap_or(u32::MAX).max(1);
        let steps = self.ack_cnt.saturating_sub(1) / per_segment;
        self.ack_cnt -= steps * per_segment;
        self.tcp_cwnd = self.tcp_cwnd.saturating_add(steps);
        if self.tcp_cwnd > cwnd {
            self.cnt = self.cnt.min(cwnd / (self.tcp_cwnd - cwnd));
        }
    }
}

impl CongestionControl for Cubic {
    fn name(&self) -> &'static str {
        "cubic"
    }

    fn init(&mut self, _: &mut Window, view: &SenderView) {
        self.reset();
        self.hystart.reset(view);
    }

    fn ssthresh(&mut self, window: &Window, _: &SenderView) -> u32 {
        let cwnd = window.cwnd();
        self.epoch_start = 0;
        // Fast convergence: a window that did not reach its last maximum leaves room for newcomers.
        self.last_max_cwnd =
            if cwnd < self.last_max_cwnd { scaled(cwnd, BETA_SCALE + BETA, 2 * BETA_SCALE) } else { cwnd };
        scaled(cwnd, BETA, BETA_SCALE).max(2)
    }

    fn cong_avoid(&mut self, window: &mut Window, view: &SenderView, acked: u32) {
        let Some(acked) = window.beyond_slow_start(acked) else { return };
        self.update(window.cwnd(), acked, millis(view));
        window.cong_avoid_ai(self.cnt, acked);
    }

    fn set_state(&mut self, _: &mut Window, view: &SenderView, to: Phase) {
        if to == Phase::Loss {
            self.reset();
            self.hystart.reset(view);
        }
    }

    fn cwnd_event(&mut self, _: &mut Window, view: &SenderView, event: CwndEvent) {
        let CwndEvent::TxStart { idle } = event else { return };
        if self.epoch_start != 0 {
            // Time without sending does not count on the curve.
            let (now, idle_ms) = (millis(view), idle.as_millis() as u32);
            let moved = self.epoch_start.wrapping_add(idle_ms);
            let in_future = now.wrapping_sub(moved) > u32::MAX / 2;
            self.epoch_start = if in_future { now } else { moved }.max(1);
        }
    }

    fn pkts_acked(&mut self, window: &mut Window, view: &SenderView, sample: &AckSample) {
        let Some(rtt_us) = sample.rtt_us else { return };
        if self.epoch_start != 0 && millis(view).wrapping_sub(self.epoch_start) < SETTLE_MS {
            return;
        }
        let rtt_us = rtt_us.max(1);
        if self.delay_min_us == 0 || self.delay_min_us > rtt_us {
            self.delay_min_us = rtt_us;
        }
        if self.hystart.found() || !window.in_slow_start() {
            return;
        }
        let round = RoundSample {
            view,
            cwnd: window.cwnd(),
            rtt_us,
            delay_min_us: self.delay_min_us,
            pacing_rate: window.pacing_rate(),
            paced: window.pacing_enforced(),
        };
        if let Some(sign) = self.hystart.update(&round) {
            window.set_ssthresh(window.cwnd());
            window.pipe_is_full(sign);
        }
    }
}

/// Now in wrapping milliseconds.
fn millis(view: &SenderView) -> u32 {
    view.now.as_millis() as u32
}

fn scaled(cwnd: u32, numerator: u64, denominator: u64) -> u32 {
    u32::try_from(u64::from(cwnd) * numerator / denominator).unwrap_or(u32::MAX)
}

/// `C t^3` in segments, for t in 1/1024 s.
fn growth_in(t: u64) -> u32 {
    let cubed = u128::from(t).pow(3) * u128::from(C);
    u32::try_from(cubed >> 40).unwrap_or(u32::MAX)
}

/// The inverse: in how many 1/1024 s the curve gains `segments`.
fn time_to_grow(segments: u32) -> u32 {
    let cube = ((1_u64 << 40) / C).saturating_mul(u64::from(segments));
    let mut root = 0_u32;
    for bit in (0..22).rev() {
        let candidate = root | 1 << bit;
        if u64::from(candidate).checked_pow(3).is_some_and(|cubed| cubed <= cube) {
            root = candidate;
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::window::Congestion;
    use crate::congestion::{AckCounts, Algorithm, RateSample, Settings};
    use crate::time::{Duration, Instant};

    /// A sender whose window is always full, ACKed segment by segment, evenly over each RTT.
    struct Flow {
        congestion: Congestion,
        view: SenderView,
        rtt: Duration,
    }

    impl Flow {
        fn new(cwnd: u32, rtt_ms: u64) -> Self {
            let view = SenderView { now: Instant::from_secs(5), srtt_us: 1, ..SenderView::default() };
            let mut congestion = Congestion::new(cwnd, Algorithm::default(), view.now);
            congestion.start(&view);
            Flow { congestion, view, rtt: Duration::from_millis(rtt_ms) }
        }

        fn ack(&mut self) {
            let cwnd = self.congestion.cwnd();
            self.view.now += self.rtt / cwnd;
            self.view.packets_out = cwnd;
            self.view.snd_una += 1;
            self.view.snd_nxt = self.view.snd_una + u64::from(cwnd);
            let usage = crate::congestion::window::Usage {
                is_cwnd_limited: true,
                send_buffer_full: false,
                rto: Duration::from_secs(1),
            };
            self.congestion.validate(&self.view, &usage, &Settings::default());
            let counts = AckCounts {
                newly_acked: 1,
                newly_delivered: 1,
                una_advanced: true,
                data_acked: true,
                ca_rtt_us: Some(self.rtt.as_micros() as u32),
                ..AckCounts::default()
            };
            self.congestion.on_ack(&counts, &RateSample::default(), &self.view, &Settings::default());
        }

        fn lose(&mut self) {
            self.congestion.begin_reduction(&self.view, true);
            self.view.phase = Phase::Recovery;
            self.congestion.end_reduction(&self.view);
            self.view.phase = Phase::Open;
        }
    }

    /// RFC 9438 in floating point: three epochs of a long fat path stay within a segment of it.
    #[test]
    fn curve_matches_floating_point() {
        let mut flow = Flow::new(2_000, 100);
        let (c, beta) = (410.0 / 1024.0, 717.0 / 1024.0);
        let mut w_max = 2_000_f64;
        flow.lose();
        for lost_at in [2_050, 1_700, 1_900] {
            flow.ack();
            let (start, w_start) = (flow.view.now, f64::from(flow.congestion.cwnd()));
            assert!((w_start - f64::from(flow.congestion.ssthresh())).abs() <= 1.0);
            let k = f64::cbrt((w_max - w_start) / c);
            while flow.congestion.cwnd() < lost_at {
                flow.ack();
                let t = flow.view.now.since(start).as_secs_f64();
                let ideal = c * (t - k).powi(3) + w_max;
                let got = f64::from(flow.congestion.cwnd());
                // A segment around the curve in whole segments; while the first RTT passes, its chord.
                let slack = if t < 0.3 { 3.0 } else { 1.0 };
                let near = ideal.floor() - slack..=ideal.ceil() + slack;
                assert!(near.contains(&got), "t {t:.3} K {k:.3}: {got} for {ideal:.2}");
            }
            let cwnd = f64::from(flow.congestion.cwnd());
            w_max = if cwnd < w_max { (cwnd * (1.0 + beta) / 2.0).floor() } else { cwnd };
            flow.lose();
        }
    }

    /// RFC 9438 4.3: on a short path with a small window it grows as Reno with this beta does.
    #[test]
    fn friendly_region() {
        let mut flow = Flow::new(40, 10);
        flow.lose();
        assert_eq!(flow.congestion.cwnd(), 28);
        let start = flow.view.now;
        while flow.view.now.since(start) < Duration::from_millis(200) {
            flow.ack();
        }
        // 20 RTTs at 3 (1 - beta) / (1 + beta) = 0.53 segments each, where the cubic would give 3.
        let grown = flow.congestion.cwnd() - 28;
        assert!((9..=11).contains(&grown), "{grown}");
    }

    /// Fast convergence: a loss below the last maximum lowers the plateau to 0.85 of the window.
    #[test]
    fn fast_convergence() {
        let mut cubic = Cubic { last_max_cwnd: 200, ..Cubic::default() };
        let window = &Window::new(100, Instant::ZERO);
        assert_eq!(cubic.ssthresh(window, &SenderView::default()), 70);
        assert_eq!(cubic.last_max_cwnd, 85);
        cubic.last_max_cwnd = 50;
        cubic.ssthresh(window, &SenderView::default());
        assert_eq!(cubic.last_max_cwnd, 100);
    }

    #[test]
    fn cube_root_is_exact() {
        for segments in [1, 2, 30, 600, 100_000, u32::MAX] {
            let root = u64::from(time_to_grow(segments));
            let cube = ((1_u64 << 40) / C).saturating_mul(segments.into());
            assert!(u128::from(root).pow(3) <= cube.into());
            assert!(u128::from(root + 1).pow(3) > cube.into(), "{segments}");
        }
    }

    /// HyStart ends slow start where the window is when the RTT rises; a time-out lets it search again.
    #[test]
    fn slow_start_ends_when_the_rtt_rises() {
        let mut flow = Flow::new(10, 100);
        while flow.congestion.cwnd() < 64 {
            flow.ack();
        }
        assert!(flow.congestion.current_ssthresh(&flow.view) >= crate::congestion::INFINITE_SSTHRESH);
        flow.rtt = Duration::from_millis(120);
        for _ in 0..200 {
            flow.ack();
        }
        let found = flow.congestion.ssthresh();
        assert!((64..160).contains(&found), "{found}");
        assert!(flow.congestion.cwnd() < 2 * found);
    }

    /// Time without sending does not count: the window goes on from where the curve was.
    #[test]
    fn idle_time_moves_the_epoch() {
        let mut flow = Flow::new(100, 50);
        flow.lose();
        for _ in 0..2_000 {
            flow.ack();
        }
        let before = flow.congestion.cwnd();
        let idle = Duration::from_secs(30);
        flow.view.now += idle;
        flow.congestion.event(CwndEvent::TxStart { idle }, &flow.view);
        for _ in 0..before {
            flow.ack();
        }
        assert!(flow.congestion.cwnd() <= before + 3, "{before} {}", flow.congestion.cwnd());
    }

    /// Nothing that time or a peer does overflows.
    #[test]
    fn extremes() {
        let mut cubic = Cubic::default();
        for (cwnd, acked, now) in [(1, 1, 0), (u32::MAX, u32::MAX, 1), (1, u32::MAX, u32::MAX), (2, 0, 5)] {
            cubic.update(cwnd, acked, now);
            assert!(cubic.cnt >= 2);
        }
        assert_eq!(growth_in(u64::from(u32::MAX)), u32::MAX);
    }
}
