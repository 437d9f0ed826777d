//! The congestion window, and the only place that writes cwnd and ssthresh (DESIGN 4.9).
//!
//! [`Congestion`] is what the connection and loss recovery call; [`Window`] is the handle through which an
//! algorithm reads and changes the numbers. Reductions follow RFC 9937 (see `prr`), growth is the
//! algorithm's, validation of unused windows is RFC 7661's and RFC 2861's concern (see `validation`).

mod path_probe;
mod reduction;
mod validation;

#[cfg(test)]
mod tests;
use super::abc::{Acked, ByteCount};
use super::algorithm::Algorithm;
use super::hystart::FullPipe;
use super::prr::Prr;
use super::rate_sample::{RateEstimator, RateSample};
use super::view::SenderView;
use super::{
    AckCounts, AckEvent, AckSample, CcInfo, CongestionControl, CwndEvent, INFINITE_SSTHRESH, Settings,
};
use crate::recovery::phase::Phase;
use crate::time::Instant;

pub use validation::Usage;

/// The numbers of one connection's window, lent to its algorithm. Only this module makes one.
#[derive(Debug)]
pub struct Window {
    /// The end of the window of data in which use is being judged.
    usage_end: u64,
    pacing_rate: u64,
    max_pacing_rate: u64,
    cwnd: u32,
    ssthresh: u32,
    /// Segments counted towards the next growth by one.
    cwnd_cnt: u32,
    clamp: u32,
    /// The window when the last reduction began.
    prior_cwnd: u32,
    /// ssthresh to restore if the reduction proves wrong; 0: it cannot be undone.
    prior_ssthresh: u32,
    /// The most segments out since the window was last full.
    cwnd_used: u32,
    /// When the window was last full or changed for lack of use, in wrapping milliseconds.
    cwnd_stamp: u32,
    /// The most segments out in the present window of data.
    max_packets_out: u32,
    bytes: ByteCount,
    prr: Prr,
    is_cwnd_limited: bool,
    /// The reduction in force has not been undone.
    reduced: bool,
    pacing_enforced: bool,
    /// A reduction began that the peer has not been told of (CWR, RFC 3168 6.1.2).
    cwr_owed: bool,
    /// HyStart has just ended slow start; nobody has counted it yet.
    full_pipe: Option<FullPipe>,
}

impl Window {
    pub(super) fn pipe_is_full(&mut self, sign: FullPipe) {
        self.full_pipe = Some(sign);
    }

    pub(super) fn new(initial_cwnd: u32, now: Instant) -> Self {
        Window {
            usage_end: 0,
            pacing_rate: u64::MAX,
            max_pacing_rate: u64::MAX,
            cwnd: initial_cwnd.max(1),
            ssthresh: INFINITE_SSTHRESH,
            cwnd_cnt: 0,
            clamp: u32::MAX,
            prior_cwnd: 0,
            prior_ssthresh: 0,
            cwnd_used: 0,
            cwnd_stamp: millis(now),
            max_packets_out: 0,
            full_pipe: None,
            bytes: ByteCount::default(),
            prr: Prr::default(),
            is_cwnd_limited: false,
            reduced: false,
            pacing_enforced: false,
            cwr_owed: false,
        }
    }

    /// The congestion window in segments, at least 1.
    pub fn cwnd(&self) -> u32 {
        self.cwnd
    }

    /// The slow start threshold in segments, [`INFINITE_SSTHRESH`] before anything has set it.
    pub fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    /// The window when the last reduction began, in segments; 0 before the first.
    pub fn prior_cwnd(&self) -> u32 {
        self.prior_cwnd
    }

    /// True while the window is below ssthresh.
    pub fn in_slow_start(&self) -> bool {
        self.cwnd < self.ssthresh
    }

    /// True when the window limited sending, so that it may grow (RFC 7661; Linux: `tcp_is_cwnd_limited`).
    /// In slow start half a window in use is enough, as growth doubles it.
    pub fn is_cwnd_limited(&self) -> bool {
        self.is_cwnd_limited
            || (self.in_slow_start() && u64::from(self.cwnd) < 2 * u64::from(self.max_packets_out))
    }

    /// Sets the window, kept between 1 and the clamp.
    pub fn set_cwnd(&mut self, cwnd: u32) {
        self.cwnd = cwnd.min(self.clamp).max(1);
    }

    /// Sets the slow start threshold, kept at most [`INFINITE_SSTHRESH`].
    pub fn set_ssthresh(&mut self, ssthresh: u32) {
        self.ssthresh = ssthresh.min(INFINITE_SSTHRESH);
    }

    /// Slow start: one segment for each delivered, up to ssthresh. Returns those left over beyond it.
    pub fn slow_start(&mut self, acked: u32) -> u32 {
        let cwnd = self.cwnd.saturating_add(acked).min(self.ssthresh);
        let left = acked - (cwnd - self.cwnd).min(acked);
        self.set_cwnd(cwnd);
        left
    }

    /// What congestion avoidance has to do with `acked` delivered segments once slow start has taken its part: `None` if
    /// nothing is left, or if the sender does not use its window, which then must not grow (RFC 7661).
    pub fn beyond_slow_start(&mut self, acked: u32) -> Option<u32> {
        if !self.is_cwnd_limited() {
            return None;
        }
        if !self.in_slow_start() {
            return Some(acked);
        }
        let left = self.slow_start(acked);
        (left > 0).then_some(left)
    }

    /// Congestion avoidance: one segment for every `per_segment` delivered.
    pub fn cong_avoid_ai(&mut self, per_segment: u32, acked: u32) {
        let per_segment = per_segment.max(1);
        let mut growth = 0;
        // What was counted under a longer period is worth one segment, not several.
        if self.cwnd_cnt >= per_segment {
            self.cwnd_cnt = 0;
            growth = 1;
        }
        self.cwnd_cnt = self.cwnd_cnt.saturating_add(acked);
        growth += self.cwnd_cnt / per_segment;
        self.cwnd_cnt %= per_segment;
        self.set_cwnd(self.cwnd.saturating_add(growth));
    }

    /// The pacing rate in bytes a second; `u64::MAX` before the first ACK.
    pub fn pacing_rate(&self) -> u64 {
        self.pacing_rate
    }

    /// Sets the pacing rate in bytes a second, kept at most SO_MAX_PACING_RATE.
    pub fn set_pacing_rate(&mut self, rate: u64) {
        self.pacing_rate = rate.min(self.max_pacing_rate);
    }

    /// Asks that the pacing rate be enforced, not only computed. It stays so for the connection's life.
    pub fn require_pacing(&mut self) {
        self.pacing_enforced = true;
    }

    /// True when segments must leave at the pacing rate.
    pub fn pacing_enforced(&self) -> bool {
        self.pacing_enforced
    }

    /// ssthresh as it should be remembered: three quarters of the window at least, unless a reduction
    /// is just setting it (Linux: `tcp_current_ssthresh`).
    fn current_ssthresh(&self, phase: Phase) -> u32 {
        if in_reduction(phase) { self.ssthresh } else { self.ssthresh.max(self.cwnd / 2 + self.cwnd / 4) }
    }

    fn stamp(&mut self, view: &SenderView) {
        self.cwnd_stamp = millis(view.now);
    }
}

/// True in the phases that bring the window down to ssthresh by proportional rate reduction.
fn in_reduction(phase: Phase) -> bool {
    matches!(phase, Phase::Cwr | Phase::Recovery)
}

fn millis(now: Instant) -> u32 {
    now.as_millis() as u32
}

/// How much one connection may have in flight.
///
/// Loss recovery drives it: [`begin_reduction`](Self::begin_reduction) and
/// [`enter_loss`](Self::enter_loss) when it finds loss, [`set_phase`](Self::set_phase) at each change,
/// [`end_reduction`](Self::end_reduction) or [`undo`](Self::undo) at the end. In every call `view.phase` is
/// the phase that holds before it. After recovery has judged an ACK, [`on_ack`](Self::on_ack) sets the
/// window for what may be sent next.
#[derive(Debug)]
pub struct Congestion {
    window: Window,
    algorithm: Algorithm,
    /// The delivery rate.
    pub rate: RateEstimator,
}

impl Congestion {
    /// A window of `initial_cwnd` segments under `algorithm`, in slow start without a threshold.
    pub fn new(initial_cwnd: u32, algorithm: Algorithm, now: Instant) -> Self {
        Congestion { window: Window::new(initial_cwnd, now), algorithm, rate: RateEstimator::default() }
    }

    /// The handshake is complete: the algorithm begins.
    pub fn start(&mut self, view: &SenderView) {
        self.window.prior_ssthresh = 0;
        self.window.stamp(view);
        self.algorithm.init(&mut self.window, view);
    }

    /// Sets the initial window when the handshake tells it: the route's, or 1 after a SYN was lost twice.
    pub fn set_initial_window(&mut self, segments: u32) {
        self.window.set_cwnd(segments);
    }

    /// Sets ssthresh from what is remembered of the destination, in segments.
    pub fn set_initial_ssthresh(&mut self, segments: u32) {
        self.window.set_ssthresh(segments.min(self.window.clamp));
    }

    /// The congestion window in segments.
    pub fn cwnd(&self) -> u32 {
        self.window.cwnd
    }

    /// The slow start threshold in segments, [`INFINITE_SSTHRESH`] before anything has set it.
    pub fn ssthresh(&self) -> u32 {
        self.window.ssthresh
    }

    /// The threshold worth remembering of this destination, in segments.
    pub fn current_ssthresh(&self, view: &SenderView) -> u32 {
        self.window.current_ssthresh(view.phase)
    }

    /// True when the window limited sending lately: what [`SenderView::cwnd_limited`] reports.
    pub fn is_cwnd_limited(&self) -> bool {
        self.window.is_cwnd_limited()
    }

    /// Segments that one super-segment may take now: the room in the window, and never more than half of
    /// it, so that ACKs keep coming while the rest is on its way (Linux: `tcp_cwnd_test`).
    pub fn quota(&self, in_flight: u32) -> u32 {
        self.window.cwnd.saturating_sub(in_flight).min((self.window.cwnd / 2).max(1))
    }

    /// Limits the window for good, in segments (a route's `cwnd` attribute).
    pub fn clamp(&mut self, segments: u32) {
        self.window.clamp = segments.max(1);
        self.window.set_cwnd(self.window.cwnd);
    }

    /// The algorithm's name.
    pub fn algorithm(&self) -> &'static str {
        self.algorithm.name()
    }

    /// Switches the algorithm of a live connection; cwnd and ssthresh stay (O-01). A reduction in force
    /// can no longer be undone, since the old algorithm knew how.
    pub fn set_algorithm(&mut self, algorithm: Algorithm, view: &SenderView) {
        self.algorithm.release(&mut self.window);
        self.algorithm = algorithm;
        self.start(view);
    }

    /// Tells the algorithm of an ACK on arrival, before recovery looks at it.
    pub fn in_ack_event(&mut self, event: &AckEvent, view: &SenderView) {
        self.algorithm.in_ack_event(&mut self.window, view, event);
    }

    /// Tells the algorithm of something that happened.
    pub fn event(&mut self, event: CwndEvent, view: &SenderView) {
        self.algorithm.cwnd_event(&mut self.window, view, event);
    }

    /// Tells the algorithm that recovery enters the phase `to`.
    pub fn set_phase(&mut self, to: Phase, view: &SenderView) {
        self.algorithm.set_state(&mut self.window, view, to);
    }

    /// What told HyStart on the last ACK that slow start should end, for the counters.
    pub fn take_full_pipe(&mut self) -> Option<FullPipe> {
        self.window.full_pipe.take()
    }

    /// Sets the window after an ACK, once recovery has judged it and `view` shows the result
    /// (Linux: `tcp_cong_control`). Call it for every ACK that is acceptable.
    pub fn on_ack(
        &mut self,
        counts: &AckCounts,
        sample: &RateSample,
        view: &SenderView,
        settings: &Settings,
    ) {
        let Congestion { window, algorithm, .. } = self;
        let acked = AckSample {
            pkts_acked: counts.newly_acked,
            rtt_us: counts.ca_rtt_us,
            in_flight: counts.prior_in_flight,
        };
        algorithm.pkts_acked(window, view, &acked);
        if algorithm.owns_window() {
            algorithm.cong_control(window, view, counts, sample);
            return;
        }
        if in_reduction(view.phase) {
            window.reduce(counts, view);
        } else {
            window.prr.on_delivered(counts.newly_delivered);
            if counts.may_raise_cwnd() {
                let credit = window.credit(counts, view, settings);
                algorithm.cong_avoid(window, view, credit);
                window.stamp(view);
            }
        }
        self.update_pacing_rate(view, settings);
    }

    /// Computes the pacing rate from the window and the RTT: twice what they yield in slow start, 1.2 times
    /// in congestion avoidance, by the sysctls' defaults. [`on_ack`](Self::on_ack) does it; call it
    /// also when a connection is accepted, before its first flight.
    pub fn update_pacing_rate(&mut self, view: &SenderView, settings: &Settings) {
        if self.algorithm.owns_window() {
            return;
        }
        let window = &mut self.window;
        let probing = window.cwnd < window.ssthresh / 2;
        let percent = if probing { settings.pacing_ss_ratio } else { settings.pacing_ca_ratio };
        let segments = window.cwnd.max(view.packets_out);
        let bytes = u128::from(view.mss) * u128::from(segments);
        let scaled = bytes * u128::from(percent) * 10_000;
        // Without an RTT the rate is that of an eighth of a microsecond (Linux): as good as unlimited.
        let rate = scaled.checked_div(u128::from(view.srtt_us)).unwrap_or(scaled * 8);
        window.set_pacing_rate(u64::try_from(rate).unwrap_or(u64::MAX));
    }

    /// The pacing rate in bytes a second: always computed, `u64::MAX` before the first ACK (P-207).
    pub fn pacing_rate(&self) -> u64 {
        self.window.pacing_rate
    }

    /// True when segments must leave at the pacing rate: the algorithm or SO_MAX_PACING_RATE asked for it.
    pub fn pacing_enforced(&self) -> bool {
        self.window.pacing_enforced
    }

    /// SO_MAX_PACING_RATE, in bytes a second; `u64::MAX` lifts the limit.
    pub fn set_max_pacing_rate(&mut self, rate: u64) {
        let window = &mut self.window;
        window.max_pacing_rate = rate;
        window.set_pacing_rate(window.pacing_rate);
        window.pacing_enforced |= rate != u64::MAX;
    }

    /// SO_MAX_PACING_RATE as set, in bytes a second.
    pub fn max_pacing_rate(&self) -> u64 {
        self.window.max_pacing_rate
    }

    /// The least segments of a super-segment, if the algorithm has an opinion.
    pub fn min_tso_segs(&self) -> Option<u32> {
        self.algorithm.min_tso_segs(&self.window)
    }

    /// How many windows of data the send buffer should hold.
    pub fn sndbuf_expand(&self) -> u32 {
        self.algorithm.sndbuf_expand()
    }

    /// True when the algorithm must have ECN.
    pub fn needs_ecn(&self) -> bool {
        self.algorithm.needs_ecn()
    }

    /// True when a reduction began since the peer was last told by CWR. Asking settles it: whoever asks sends the bit.
    pub fn take_cwr(&mut self) -> bool {
        core::mem::take(&mut self.window.cwr_owed)
    }

    /// What TCP_CC_INFO reports.
    pub fn info(&self) -> Option<CcInfo> {
        self.algorithm.info(&self.window)
    }
}

impl Window {
    /// The segments that this ACK counts for, by the mode of S-01.
    fn credit(&mut self, counts: &AckCounts, view: &SenderView, settings: &Settings) -> u32 {
        let acked = Acked {
            delivered: counts.newly_delivered,
            bytes: counts.acked_bytes,
            una_advanced: counts.una_advanced,
            mss: view.mss,
            slow_start: self.in_slow_start(),
            after_timeout: view.phase == Phase::Loss,
        };
        self.bytes.credit(settings.abc, &acked)
    }
}
