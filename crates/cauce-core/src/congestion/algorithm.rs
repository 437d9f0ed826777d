//! The algorithm a connection runs: a built-in one inline, or a foreign one in a box.

use super::bic::Bic;
use super::compound::Compound;
use super::cubic::Cubic;
use super::reno::Reno;
use super::{
    AckCounts, AckEvent, AckSample, CcInfo, CongestionControl, CwndEvent, RateSample, SenderView, Window,
};
use crate::recovery::phase::Phase;
use alloc::boxed::Box;
use core::fmt;

/// One connection's algorithm and its state.
pub enum Algorithm {
    /// NewReno's additive increase (RFC 5681).
    Reno(Reno),
    /// CUBIC (RFC 9438).
    Cubic(Cubic),
    /// BIC-TCP.
    Bic(Bic),
    /// Compound TCP.
    Compound(Compound),
    /// One that the embedder registered.
    Foreign(Box<dyn CongestionControl>),
}

/// Calls the same method whichever algorithm it is, statically for the built-in ones.
macro_rules! each {
    ($algorithm:expr, $a:ident => $call:expr) => {
        match $algorithm {
            Algorithm::Reno($a) => $call,
            Algorithm::Cubic($a) => $call,
            Algorithm::Bic($a) => $call,
            Algorithm::Compound($a) => $call,
            Algorithm::Foreign($a) => $call,
        }
    };
}

impl CongestionControl for Algorithm {
    fn name(&self) -> &'static str {
        each!(self, a => a.name())
    }

    fn init(&mut self, window: &mut Window, view: &SenderView) {
        each!(self, a => a.init(window, view));
    }

    fn release(&mut self, window: &mut Window) {
        each!(self, a => a.release(window));
    }

    fn ssthresh(&mut self, window: &Window, view: &SenderView) -> u32 {
        each!(self, a => a.ssthresh(window, view))
    }

    fn cong_avoid(&mut self, window: &mut Window, view: &SenderView, acked: u32) {
        each!(self, a => a.cong_avoid(window, view, acked));
    }

    fn owns_window(&self) -> bool {
        each!(self, a => a.owns_window())
    }

    fn cong_control(
        &mut self,
        window: &mut Window,
        view: &SenderView,
        counts: &AckCounts,
        sample: &RateSample,
    ) {
        each!(self, a => a.cong_control(window, view, counts, sample));
    }

    fn set_state(&mut self, window: &mut Window, view: &SenderView, to: Phase) {
        each!(self, a => a.set_state(window, view, to));
    }

    fn cwnd_event(&mut self, window: &mut Window, view: &SenderView, event: CwndEvent) {
        each!(self, a => a.cwnd_event(window, view, event));
    }

    fn in_ack_event(&mut self, window: &mut Window, view: &SenderView, event: &AckEvent) {
        each!(self, a => a.in_ack_event(window, view, event));
    }

    fn pkts_acked(&mut self, window: &mut Window, view: &SenderView, sample: &AckSample) {
        each!(self, a => a.pkts_acked(window, view, sample));
    }

    fn undo_cwnd(&mut self, window: &Window) -> u32 {
        each!(self, a => a.undo_cwnd(window))
    }

    fn min_tso_segs(&self, window: &Window) -> Option<u32> {
        each!(self, a => a.min_tso_segs(window))
    }

    fn sndbuf_expand(&self) -> u32 {
        each!(self, a => a.sndbuf_expand())
    }

    fn needs_ecn(&self) -> bool {
        each!(self, a => a.needs_ecn())
    }

    fn info(&self, window: &Window) -> Option<CcInfo> {
        each!(self, a => a.info(window))
    }
}

impl Default for Algorithm {
    /// CUBIC, the default of every profile that does not name another.
    fn default() -> Self {
        Algorithm::Cubic(Cubic::default())
    }
}

impl fmt::Debug for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An idle connection pays for its algorithm too (DESIGN 4.8).
    #[test]
    fn state_is_small() {
        assert!(size_of::<Algorithm>() <= 64, "{}", size_of::<Algorithm>());
    }
}
