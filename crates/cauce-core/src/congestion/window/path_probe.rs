//! The window around a probe of the path MTU (RFC 4821 7; S-32): a probe is not to change how many bytes may be in
//! flight, whatever becomes of it.

use super::Congestion;
use crate::congestion::view::SenderView;

impl Congestion {
    /// A probe has left: it is larger than a segment, and one less may follow.
    pub fn path_probe_sent(&mut self) {
        let window = &mut self.window;
        window.set_cwnd(window.cwnd.saturating_sub(1));
    }

    /// The probe is lost, and not by congestion: what its leaving took comes back.
    pub fn path_probe_lost(&mut self) {
        let window = &mut self.window;
        window.set_cwnd(window.cwnd.saturating_add(1));
    }

    /// Segments grow: packets of `before` bytes become packets of `after` bytes, and so many fewer make the same window.
    pub fn path_probe_arrived(&mut self, before: u16, after: u16, view: &SenderView) {
        let window = &mut self.window;
        let bytes = u64::from(window.cwnd) * u64::from(before);
        window.set_cwnd((bytes / u64::from(after.max(1))).min(u32::MAX.into()) as u32);
        window.cwnd_cnt = 0;
        window.stamp(view);
        window.ssthresh = window.current_ssthresh(view.phase);
    }
}
