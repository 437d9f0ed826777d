//! The peer's window: taking its updates and not being silly about it (RFC 9293 3.8.6.2.1, 3.10.7.4; P-056).

use crate::connection::Connection;
use cauce_wire::Seq;

impl Connection {
    /// True when a segment's window is news (RFC 9293 3.10.7.4: `snd.wl1`, `snd.wl2`). A segment with the numbers of
    /// the last one may only open it further, or close it: that the peer has no room at all is believed (Linux).
    pub(crate) fn is_window_news(&self, seq: u64, ack: u64, window: u32) -> bool {
        let (seq, last) = (Seq::at(seq), self.snd.wl1);
        let further = window > self.snd.wnd || window == 0;
        ack > self.snd.una || seq.after(last) || (seq == last && further)
    }

    /// Takes the window of an acceptable segment if it is news, and says whether it was. A peer that takes a window
    /// back is survived: what lies beyond the new edge waits (P-056).
    pub(crate) fn update_send_window(&mut self, seq: u64, ack: u64, window: u32) -> bool {
        if !self.is_window_news(seq, ack, window) {
            return false;
        }
        self.snd.wl1 = Seq::at(seq);
        self.snd.wnd = window;
        self.snd.max_wnd = self.snd.max_wnd.max(window);
        true
    }

    /// How many unsent bytes the peer's window lets go. A segment leaves whole or not at all, unless the
    /// window has never been larger than what is asked (sender's silly-window avoidance).
    pub(crate) fn window_room(&self) -> u64 {
        self.window_end().saturating_sub(self.snd.nxt)
    }
}
