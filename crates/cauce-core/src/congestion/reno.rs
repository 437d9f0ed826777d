//! NewReno's growth (RFC 5681 3.1, requirement P-201): slow start, then one segment an RTT.

use super::{CongestionControl, SenderView, Window};

/// Reno keeps no state beyond the window itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reno;

impl CongestionControl for Reno {
    fn name(&self) -> &'static str {
        "reno"
    }

    /// Half the window, never less than two segments (RFC 5681 equation 4, in cwnd as Linux has it).
    fn ssthresh(&mut self, window: &Window, _: &SenderView) -> u32 {
        (window.cwnd() / 2).max(2)
    }

    fn cong_avoid(&mut self, window: &mut Window, _: &SenderView, acked: u32) {
        let Some(acked) = window.beyond_slow_start(acked) else { return };
        window.cong_avoid_ai(window.cwnd(), acked);
    }
}
