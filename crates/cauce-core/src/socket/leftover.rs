//! What stays in a socket when its connection is dissolved (A-21, O-09, O-18), as on Linux: the numbers of the sender,
//! which nothing resets before the next connection begins.

use crate::connection::Connection;
use crate::connection::negotiated::DEFAULT_MSS;

/// What Linux goes on reading in a socket whose connection was dissolved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leftover {
    /// The segment size (O-09).
    pub(crate) mss: u16,
    /// What counts as unacknowledged, and of that what counts as unsent (O-18), in bytes. The next connection
    /// is to begin beyond all that the peer of this one might still accept, and until it begins that gap looks like
    /// bytes to send.
    pub(crate) queued: u32,
    pub(crate) unsent: u32,
    /// The largest window that the peer offered.
    max_window: u32,
}

impl Default for Leftover {
    fn default() -> Leftover {
        Leftover { mss: DEFAULT_MSS, queued: 0, unsent: 0, max_window: 0 }
    }
}

impl Leftover {
    /// Of `conn`, before it is dissolved.
    pub(crate) fn of(conn: &Connection) -> Leftover {
        let (queued, unsent) = conn.sequence_left();
        let max_window = conn.snd.max_wnd;
        Leftover { mss: conn.mss, queued: queued as u32, unsent: unsent as u32, max_window }.dissolved()
    }

    /// Every time that the socket is dissolved the gap grows.
    pub(crate) fn dissolved(self) -> Leftover {
        let more = |count: u32| count.wrapping_add(self.max_window).wrapping_add(2);
        Leftover { queued: more(self.queued), unsent: more(self.unsent), ..self }
    }
}
