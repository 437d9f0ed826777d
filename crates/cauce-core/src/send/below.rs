//! What lies below the socket: bytes that devices have not sent yet (`tcp_limit_output_bytes`,
//! `tcp_autocorking`).
//!
//! A connection keeps little more than a millisecond of its data in a device's queue, so that others get
//! their turn and a loss is repaired soon; and while something of it still waits there, small writes are
//! collected instead of sent one by one. Both need devices that hand their tokens back; what they hold back
//! goes on when a token returns, and at the latest with the next acknowledgement.

use crate::connection::{Connection, flag, pending};
use crate::context::Context;
use crate::counters::Counter;
use crate::frame::FRAME_OVERHEAD;

/// A device may hold the data of this fraction of a second: 2^10 parts.
const PACING_SHIFT: u32 = 10;

impl Connection {
    /// What a packet of `len` bytes costs while a device holds it.
    pub(crate) fn cost_below(len: usize) -> u32 {
        u32::try_from(len).unwrap_or(u32::MAX).saturating_add(FRAME_OVERHEAD)
    }

    /// True when devices hold enough of this connection, so that a segment of `len` bytes waits.
    pub(crate) fn is_full_below(&mut self, len: u64, cx: &Context<'_>) -> bool {
        if self.snd.below == 0 || self.recovery.packets_out() == 0 {
            return false;
        }
        let two = 2 * (len + u64::from(FRAME_OVERHEAD));
        let mut limit = two.max(self.cong.pacing_rate() >> PACING_SHIFT);
        if let (false, Ok(most)) =
            (self.cong.pacing_enforced(), u64::try_from(cx.sysctl.tcp_limit_output_bytes))
        {
            limit = limit.min(most);
        }
        let full = u64::from(self.snd.below) > limit;
        if full {
            self.set(flag::THROTTLED);
        }
        full
    }

    /// True when the small write that asks to be sent waits for a packet before it to leave its device, which held
    /// `below` bytes of the connection when it asked.
    pub(crate) fn autocorks(&mut self, unsent: u64, goal: u64, below: u32, cx: &mut Context<'_>) -> bool {
        let asks = self.is_pending(pending::WROTE) && !self.is_pending(pending::FLUSH);
        if !asks || cx.sysctl.tcp_autocorking == 0 || self.has(flag::SND_SHUTDOWN) {
            return false;
        }
        let below = u64::from(below);
        let waits = unsent < goal
            && self.recovery.packets_out() > 0
            && below >= unsent + u64::from(FRAME_OVERHEAD)
            && !self.write.ends_record(self.write.end());
        if waits {
            self.set(flag::THROTTLED);
            cx.count(Counter::TCPAutoCorking);
        }
        waits
    }

    /// A device has sent `cost` bytes: what waited for that may go on.
    pub(crate) fn lighten_below(&mut self, cost: u32) {
        self.snd.below = self.snd.below.saturating_sub(cost);
        if self.has(flag::THROTTLED) {
            self.clear(flag::THROTTLED);
            self.want(pending::OUTPUT);
        }
    }
}
