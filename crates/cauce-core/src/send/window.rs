//! The peer's window: taking its updates and not being silly about it (RFC 9293 3.8.6.2.1, 3.10.7.4; P-056).

use crate::connection::Connection;
use cauce_wire::Seq;

impl Connection {
    /// Takes the window of an acceptable segment if it is news (RFC 9293 3.10.7.4: `snd.wl1`, `snd.wl2`). A
    /// segment with the numbers of the last one may only open it further, or close it: that the peer has no
    /// room at all is believed (Linux). Returns true when the window changed. A peer that takes a window back is survived: what lies beyond
    /// the new edge waits (P-056).
    pub(crate) fn update_send_window(&mut self, seq: u64, ack: u64, window: u32) -> bool {
        let seq = Seq::at(seq);
        let repeated = seq == self.snd.wl1;
        let news = ack > self.snd.una
            || seq.after(self.snd.wl1)
            || (repeated && (window > self.snd.wnd || window == 0));
        if !news {
            return false;
        }
        self.snd.wl1 = seq;
        let changed = window != self.snd.wnd;
        self.snd.wnd = window;
        self.snd.max_wnd = self.snd.max_wnd.max(window);
        changed
    }

    /// How many unsent bytes the peer's window lets go. A segment leaves whole or not at all, unless the
    /// window has never been larger than what is asked (sender's silly-window avoidance).
    pub(crate) fn window_room(&self) -> u64 {
        self.window_end().saturating_sub(self.snd.nxt)
    }
}
