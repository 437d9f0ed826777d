//! BIC-TCP (Xu, Harfoush, Rhee: Binary Increase Congestion Control, INFOCOM 2004; P-202), in the form in which
//! Linux 2.6 had it and tcp(7) describes it.
//!
//! A loss at the window W says that the path holds less than W, and the window after it that it holds as much:
//! the window to look for lies between. Growth is quick while W is far, at most 16 segments an RTT; it slows down
//! as W comes near, and the last few segments take about 20 RTTs. Beyond W the same steps lead away again,
//! mirrored: slow at first, in search of a new maximum. A window of `tcp_bic_low_window` segments (S-11) or less
//! is Reno's. Nothing here measures a delay, and nothing counts ACKs: steps are segments of growth an RTT.

use super::{CongestionControl, SenderView, Window};
use crate::recovery::phase::Phase;

/// Beta = 819/1024: what is left of the window after a loss.
const BETA: u64 = 819;
const BETA_SCALE: u64 = 1024;
/// S_max: the most segments that the window gains in one RTT.
const MAX_STEP: u32 = 16;
/// An RTT gains this part of what is missing to the maximum, so that the search begins 64 segments below it.
const SEARCH_SHARE: u32 = 4;
/// Beyond the maximum an RTT gains this part of what has been gained since.
const PROBE_SHARE: u32 = 3;
/// So many segments on either side of the maximum are passed in [`SMOOTH_RTTS`].
const SMOOTH_SEGMENTS: u32 = 4;
const SMOOTH_RTTS: u32 = 20;
/// While no maximum is known, growth is never slower than one segment for this many delivered.
const FIRST_PERIOD: u32 = 20;

/// One connection's search.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bic {
    /// The window before the last reduction, or what fast convergence makes of it; 0 while none is known.
    max: u32,
}

impl Bic {
    /// The segments to be delivered for one of growth at this window, which is above the low one.
    fn period(&self, cwnd: u32) -> u32 {
        let distance = cwnd.abs_diff(self.max);
        if distance <= SMOOTH_SEGMENTS {
            return cwnd.saturating_mul(SMOOTH_RTTS / SMOOTH_SEGMENTS);
        }
        let share = if cwnd < self.max { SEARCH_SHARE } else { PROBE_SHARE };
        let period = scaled(cwnd, share.into(), distance.into()).max(cwnd.div_ceil(MAX_STEP));
        if self.max == 0 { period.min(FIRST_PERIOD) } else { period }
    }
}

impl CongestionControl for Bic {
    fn name(&self) -> &'static str {
        "bic"
    }

    fn init(&mut self, _: &mut Window, _: &SenderView) {
        self.max = 0;
    }

    fn ssthresh(&mut self, window: &Window, view: &SenderView) -> u32 {
        let cwnd = window.cwnd();
        // Fast convergence: a window that did not reach its last maximum leaves room for newcomers.
        let gives_way = view.tuning.bic_fast_convergence && cwnd < self.max;
        self.max = if gives_way { scaled(cwnd, BETA_SCALE + BETA, 2 * BETA_SCALE) } else { cwnd };
        let left = if cwnd <= view.tuning.bic_low_window { cwnd / 2 } else { scaled(cwnd, BETA, BETA_SCALE) };
        left.max(2)
    }

    fn cong_avoid(&mut self, window: &mut Window, view: &SenderView, acked: u32) {
        let Some(acked) = window.beyond_slow_start(acked) else { return };
        let cwnd = window.cwnd();
        let period = if cwnd <= view.tuning.bic_low_window { cwnd } else { self.period(cwnd) };
        window.cong_avoid_ai(period, acked);
    }

    fn set_state(&mut self, _: &mut Window, _: &SenderView, to: Phase) {
        if to == Phase::Loss {
            // After a time-out the path may be another one.
            self.max = 0;
        }
    }
}

fn scaled(value: u32, numerator: u64, denominator: u64) -> u32 {
    u32::try_from(u64::from(value) * numerator / denominator).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::testing::Flow;
    use alloc::vec;
    use alloc::vec::Vec;

    /// A flow of BIC's that has lost a segment at this window.
    fn after_loss_at(cwnd: u32) -> Flow {
        let mut flow = Flow::new("bic", cwnd);
        flow.lose();
        flow
    }

    /// P-202: from 799 the window gains 16 an RTT up to 64 below the maximum, then ever less, the last four
    /// segments in 20 RTTs; beyond it, the same way back to 16 an RTT.
    #[test]
    fn p202_search_for_the_window() {
        let mut flow = after_loss_at(1_000);
        assert_eq!(flow.cwnd(), 799);
        let mut windows = vec![799];
        while *windows.last().unwrap() < 1_300 {
            flow.round();
            windows.push(flow.cwnd());
        }
        let steps: Vec<_> = windows.windows(2).map(|pair| (pair[0], pair[1] - pair[0])).collect();
        let rtts_to = |cwnd| windows.iter().position(|now| *now >= cwnd).unwrap();
        for (cwnd, step) in &steps {
            match cwnd {
                0..936 => assert!((15..=17).contains(step), "{cwnd}: {step}"),
                936..996 => assert!(*step <= (1_000 - cwnd) / 4 + 1, "{cwnd}: {step}"),
                996..1_004 => assert!(*step <= 1, "{cwnd}: {step}"),
                1_004..1_048 => assert!(*step <= (cwnd - 1_000) / 3 + 3, "{cwnd}: {step}"),
                _ => assert!((15..=17).contains(step), "{cwnd}: {step}"),
            }
        }
        assert_eq!(rtts_to(936), 9);
        assert_eq!(rtts_to(1_000), 40);
    }

    /// N-39, S-11: at or below the low window it backs off as Reno does, above by 819/1024.
    #[test]
    fn n39_low_window() {
        for (low, cwnd, ssthresh) in [(14, 14, 7), (14, 15, 11), (14, 100, 79), (200, 100, 50), (0, 2, 2)] {
            let mut flow = Flow::new("bic", cwnd);
            flow.view.tuning.bic_low_window = low;
            flow.lose();
            assert_eq!(flow.cwnd(), ssthresh, "{low} {cwnd}");
        }
    }

    /// S-11: below the low window growth is Reno's, whatever the maximum was.
    #[test]
    fn s11_grows_like_reno_below_the_low_window() {
        let [mut bic, mut reno] = ["bic", "reno"].map(|name| {
            let mut flow = Flow::new(name, 100);
            flow.view.tuning.bic_low_window = 200;
            flow.lose();
            flow
        });
        for _ in 0..60 {
            bic.round();
            reno.round();
            assert_eq!(bic.cwnd(), reno.cwnd());
        }
        // At once: the search goes on from where Reno has come to.
        bic.view.tuning.bic_low_window = 14;
        let before = bic.cwnd();
        bic.round();
        assert!(bic.cwnd() > before + 1);
    }

    /// S-10: a second loss below the first leaves a plateau at 0.9 of the window, or at the window.
    #[test]
    fn s10_fast_convergence() {
        for (fast, plateau) in [(true, 540), (false, 600)] {
            let mut flow = after_loss_at(1_000);
            flow.view.tuning.bic_fast_convergence = fast;
            flow.set_cwnd(600);
            flow.lose();
            let mut rounds = [0; 2_000];
            while flow.cwnd() < 700 {
                flow.round();
                rounds[flow.cwnd() as usize] += 1;
            }
            let longest = (0..700).max_by_key(|at| rounds[*at]).unwrap();
            assert!(longest.abs_diff(plateau) <= 5, "{fast}: {longest}");
        }
    }

    /// After a time-out nothing is known, and growth is quick again.
    #[test]
    fn a_timeout_forgets_the_maximum() {
        let mut flow = after_loss_at(100);
        flow.time_out();
        flow.slow_start();
        assert_eq!(flow.cwnd(), 63);
        flow.round();
        assert!((63 + 12..=63 + 16).contains(&flow.cwnd()), "{}", flow.cwnd());
    }

    /// No window overflows, and none grows in no time.
    #[test]
    fn extremes() {
        for cwnd in [1, 2, 16, 17, u32::MAX / 2, u32::MAX] {
            for max in [0, 1, cwnd, u32::MAX] {
                assert!(
                    Bic { max }.period(cwnd) >= cwnd.div_ceil(MAX_STEP).min(FIRST_PERIOD),
                    "{cwnd} {max}"
                );
            }
        }
    }
}
