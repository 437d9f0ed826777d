//! Compound TCP (draft-sridharan-tcpm-ctcp-02; Tan, Song, Zhang, Sridharan, INFOCOM 2006; P-205): the name is `ctcp`.
//!
//! The window is the sum of two. The loss window is Reno's: one segment an RTT, halved by a loss. The delay
//! window, dwnd, grows with the whole window to the power of 3/4 while the path has no queue to speak of, gives
//! back what is queued as soon as there is one, and is zero in slow start and after a time-out. So a long fat
//! path fills in seconds, while where a queue forms nothing is left but Reno, and Reno's share.
//!
//! The window that is lent is the sum; kept here is dwnd alone, once an RTT brought up to date. What others do
//! to the sum (decay after idle, a clamp, an undo) is the loss window's. The draft's constants are fixed; its
//! adaptive gamma is not built.

use super::{AckSample, CongestionControl, SenderView, Window};
use crate::recovery::phase::Phase;

/// Segments that may be queued at the bottleneck before the delay window gives way.
const GAMMA: u32 = 30;
/// The delay window grows only in windows of so many segments or more: smaller ones are Reno's alone.
const LOW_WINDOW: u32 = 41;
/// The least that losses leave of the loss window.
const MIN_LOSS_WINDOW: u32 = 2;
/// dwnd is kept in eighths of a segment, as its growth is an eighth (alpha) of a power.
const EIGHTHS: u32 = 8;

/// One connection's delay window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compound {
    /// dwnd in eighths of a segment.
    dwnd: u32,
    /// dwnd before the last reduction.
    prior_dwnd: u32,
    /// The RTT samples of this round: their sum in microseconds, and their count.
    rtt_sum_us: u64,
    rtt_count: u32,
    /// The round ends when this offset is acknowledged.
    round_end: u64,
}

impl Compound {
    fn begin_round(&mut self, view: &SenderView) {
        self.round_end = view.snd_nxt;
        self.rtt_sum_us = 0;
        self.rtt_count = 0;
    }

    /// The mean RTT in microseconds of a round that this ACK ends, unless it had no sample.
    fn end_of_round(&mut self, view: &SenderView) -> Option<u64> {
        if view.snd_una < self.round_end {
            return None;
        }
        let mean = self.rtt_sum_us.checked_div(self.rtt_count.into());
        self.begin_round(view);
        mean
    }

    /// dwnd after a round with this mean RTT, in eighths.
    fn adjusted(&self, win: u32, rtt_us: u64, view: &SenderView) -> u32 {
        let above_base = rtt_us.saturating_sub(view.min_rtt_us.into());
        let diff = u64::from(win) * above_base / rtt_us.max(1);
        if diff >= GAMMA.into() {
            // Zeta = 1: what is queued is given back.
            let queued = u32::try_from(diff).unwrap_or(u32::MAX);
            self.dwnd.saturating_sub(queued.saturating_mul(EIGHTHS))
        } else if win >= LOW_WINDOW {
            // Less the segment that the loss window gains anyway.
            self.dwnd.saturating_add(power_of_three_quarters(win).saturating_sub(EIGHTHS))
        } else {
            self.dwnd
        }
    }

    /// Sets dwnd, and moves the whole window with it.
    fn set_dwnd(&mut self, window: &mut Window, dwnd: u32) {
        let loss_window = window.cwnd().saturating_sub(self.dwnd / EIGHTHS);
        window.set_cwnd(loss_window.saturating_add(dwnd / EIGHTHS));
        // What is given back is not slow start's to take again.
        window.set_ssthresh(window.ssthresh().min(window.cwnd()));
        self.dwnd = dwnd;
    }

    /// Where others took much of the window, the delay window leaves the loss window what a loss would leave it.
    fn fit_into(&mut self, window: &Window) {
        let room = window.cwnd().saturating_sub(MIN_LOSS_WINDOW);
        self.dwnd = self.dwnd.min(room.saturating_mul(EIGHTHS));
    }
}

impl CongestionControl for Compound {
    fn name(&self) -> &'static str {
        "ctcp"
    }

    fn init(&mut self, _: &mut Window, view: &SenderView) {
        *self = Compound::default();
        self.begin_round(view);
    }

    /// Half the window (beta). The loss window is halved as Reno's, so that half of dwnd remains of dwnd.
    fn ssthresh(&mut self, window: &Window, _: &SenderView) -> u32 {
        self.fit_into(window);
        self.prior_dwnd = self.dwnd;
        self.dwnd /= 2;
        (window.cwnd() / 2).max(MIN_LOSS_WINDOW)
    }

    fn cong_avoid(&mut self, window: &mut Window, view: &SenderView, acked: u32) {
        let round = self.end_of_round(view);
        if !window.is_cwnd_limited() {
            return;
        }
        let mut acked = acked;
        if window.in_slow_start() {
            self.dwnd = 0;
            acked = window.slow_start(acked);
            if acked == 0 {
                return;
            }
        }
        self.fit_into(window);
        window.cong_avoid_ai(window.cwnd(), acked);
        if let Some(rtt_us) = round {
            let dwnd = self.adjusted(window.cwnd(), rtt_us, view);
            self.set_dwnd(window, dwnd);
        }
    }

    fn set_state(&mut self, _: &mut Window, view: &SenderView, to: Phase) {
        if to == Phase::Loss {
            self.dwnd = 0;
        }
        if view.phase > Phase::Disorder && to <= Phase::Disorder {
            // The queue of the reduction says nothing about the window after it.
            self.begin_round(view);
        }
    }

    fn pkts_acked(&mut self, _: &mut Window, _: &SenderView, sample: &AckSample) {
        if let Some(rtt_us) = sample.rtt_us {
            self.rtt_sum_us += u64::from(rtt_us);
            self.rtt_count = self.rtt_count.saturating_add(1);
        }
    }

    fn undo_cwnd(&mut self, window: &Window) -> u32 {
        self.dwnd = self.prior_dwnd;
        window.cwnd().max(window.prior_cwnd())
    }
}

/// `win^(3/4)`, rounded down.
fn power_of_three_quarters(win: u32) -> u32 {
    let root = u128::from(win).pow(3).isqrt().isqrt();
    u32::try_from(root).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::testing::Flow;
    use crate::time::Duration;

    /// P-205: without a queue an RTT adds win^0.75/8 segments, Reno's one among them.
    #[test]
    fn p205_growth_without_a_queue() {
        let mut flow = Flow::new("ctcp", 1_000);
        flow.round();
        let mut ideal = f64::from(flow.cwnd());
        for _ in 1..100 {
            ideal += ideal.powf(0.75) / 8.0;
            flow.round();
            assert!((f64::from(flow.cwnd()) / ideal - 1.0).abs() < 0.01, "{} {ideal}", flow.cwnd());
        }
    }

    /// P-205: below the low window it is Reno to the segment, from there on it is faster.
    #[test]
    fn p205_small_windows_are_renos() {
        let [mut ctcp, mut reno] = ["ctcp", "reno"].map(|name| Flow::new(name, 20));
        for _ in 0..20 {
            assert_eq!(ctcp.cwnd(), reno.cwnd());
            ctcp.round();
            reno.round();
        }
        ctcp.rounds(10);
        reno.rounds(10);
        assert!(ctcp.cwnd() >= reno.cwnd() + 10, "{} {}", ctcp.cwnd(), reno.cwnd());
    }

    /// P-205: 30 segments in the queue make the delay window give back what is queued, down to nothing; 29 do not.
    #[test]
    fn p205_a_queue_takes_the_delay_window_back() {
        let mut flow = Flow::new("ctcp", 1_000);
        flow.rounds(10);
        let (full, loss_window) = (flow.cwnd(), 1_000 + 10);
        // diff = win * queueing / rtt.
        let queued = |flow: &mut Flow, segments: u64| {
            let win = u64::from(flow.cwnd());
            flow.queueing = Duration::from_micros(100_000 * segments / (win - segments) + 1);
        };
        queued(&mut flow, 28);
        flow.round();
        assert!(flow.cwnd() > full + 20);
        let before = flow.cwnd();
        queued(&mut flow, 50);
        flow.rounds(2);
        assert!(before - flow.cwnd() > 70 && before - flow.cwnd() < 100, "{before} {}", flow.cwnd());
        for _ in 0..20 {
            queued(&mut flow, 50);
            flow.round();
        }
        assert!(flow.cwnd().abs_diff(loss_window + 23) <= 3, "{}: Reno alone is left", flow.cwnd());
    }

    /// P-205: a loss halves the window and both its parts; an undo gives both back.
    #[test]
    fn p205_loss_and_undo() {
        let mut flow = Flow::new("ctcp", 1_000);
        flow.rounds(20);
        let before = flow.cwnd();
        flow.begin_recovery();
        assert_eq!(flow.congestion.ssthresh(), before / 2);
        flow.undo();
        assert_eq!(flow.cwnd(), before);
        flow.lose();
        assert_eq!(flow.cwnd(), before / 2);
        // What is left of the delay window can still be given back: half of what was gained.
        flow.queueing = Duration::from_secs(1);
        flow.rounds(3);
        assert!(flow.cwnd().abs_diff(510) <= 5, "{}", flow.cwnd());
    }

    /// P-205: no delay window in slow start or after a time-out.
    #[test]
    fn p205_slow_start_is_renos() {
        let mut flow = Flow::new("ctcp", 1_000);
        flow.rounds(10);
        flow.time_out();
        let threshold = flow.congestion.ssthresh();
        let mut expected = 1;
        while flow.cwnd() < threshold {
            assert_eq!(flow.cwnd(), expected);
            flow.round();
            expected = (2 * expected).min(threshold);
        }
        // A queue finds nothing to take back.
        flow.queueing = Duration::from_secs(1);
        flow.round();
        assert!(flow.cwnd() >= threshold);
    }

    /// Where others took so much that dwnd alone is more than what is left, Reno remains when dwnd is given back.
    #[test]
    fn what_others_took_is_not_given_back_twice() {
        let mut flow = Flow::new("ctcp", 100);
        flow.rounds(200);
        flow.set_cwnd(50);
        flow.congestion.set_initial_ssthresh(50);
        flow.queueing = Duration::from_secs(10);
        flow.rounds(3);
        // From two segments, by the acknowledgements of the fifty that were in flight.
        let reno = flow.cwnd();
        assert!((8..=14).contains(&reno), "{reno}");
        flow.rounds(10);
        assert!((reno + 9..=reno + 11).contains(&flow.cwnd()), "{}", flow.cwnd());
    }

    #[test]
    fn powers() {
        for (win, power) in [(0, 0), (1, 1), (16, 8), (41, 16), (81, 27), (10_000, 1_000)] {
            assert_eq!(power_of_three_quarters(win), power);
        }
        assert!(power_of_three_quarters(u32::MAX) > 1 << 23);
    }
}
