//! What window to offer (RFC 9293 3.8.6; RFC 1122 4.2.2.16 and 4.2.3.3; RFC 7323 2).
//!
//! Decides how far the right edge may go: never left of where it was, not in silly small steps, never beyond
//! what the buffer can hold at the measured ratio of payload to memory. `rcv_ssthresh` opens the window as
//! the peer shows that its segments are worth their memory. How the buffer itself grows is `autotune.rs`.

use super::autotune::AutoTune;
use super::initial_window::MAX_SIGNED_WINDOW;
use super::space::Share;
use super::{InitialWindow, ReceiverConfig};
use crate::sysctl::Sysctls;
use crate::time::Instant;

/// The smallest receive buffer, and twice the smallest `TCP_WINDOW_CLAMP` (`SOCK_MIN_RCVBUF`).
pub const MIN_RCVBUF: u32 = 2304;

/// The window of one connection.
#[derive(Debug)]
pub(super) struct Window {
    /// Just past the last byte that was ever offered.
    edge: u64,
    /// Bytes received since the last acknowledgement, FIN included (`rcv_nxt - rcv_wup`).
    unacked: u32,
    /// The receive buffer in bytes.
    pub buffer: u32,
    /// Bytes of it in use, by both queues.
    pub charged: u32,
    /// The largest window, as auto-tuning moves it.
    pub clamp: u32,
    /// The largest window that the user allows, 0 for any. Stays when the buffer grows (O-14).
    pub user_clamp: u32,
    /// The window that the peer's segments have earned so far.
    pub ssthresh: u32,
    pub tune: AutoTune,
    pub scale: u8,
    ratio: u8,
    adv_win_scale: bool,
    /// True once the user has set the buffer: auto-tuning is off.
    pub locked: bool,
}

/// What a question about the window depends on beside the window's own state.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub sysctl: &'a Sysctls,
    pub nxt: u64,
    /// The estimated size of the peer's full segments.
    pub rcv_mss: u32,
    /// The MSS that we advertise.
    pub advmss: u32,
    /// True while the stack is short of memory.
    pub pressure: bool,
}

/// A window that may be offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub window: u32,
    /// True when less than half of the space is left: acknowledgements are no longer hurried.
    pub scarce: bool,
}

impl Window {
    pub fn new(nxt: u64, config: &ReceiverConfig, now: Instant, sysctl: &Sysctls) -> Window {
        let InitialWindow { window, scale, clamp } = config.initial;
        let mut new = Window {
            edge: nxt + u64::from(window.min(u32::from(u16::MAX))),
            unacked: 0,
            buffer: config.rcvbuf,
            charged: 0,
            clamp,
            user_clamp: config.user_clamp,
            ssthresh: window,
            tune: AutoTune::new(nxt, now),
            scale,
            ratio: super::space::DEFAULT_RATIO,
            adv_win_scale: config.adv_win_scale,
            locked: config.rcvbuf_locked,
        };
        new.reserve_for_application(u32::from(config.mss), sysctl);
        let first = new.ssthresh.min(new.offered(nxt)).min(10 * u32::from(config.mss));
        new.tune.space = first.max(1);
        new
    }

    /// `tcp_app_win` (S-07): part of the window stays reserved, at least one segment.
    fn reserve_for_application(&mut self, mss: u32, sysctl: &Sysctls) {
        let max = self.full_space(sysctl);
        let shift = u32::try_from(sysctl.tcp_app_win).unwrap_or(0);
        if self.clamp >= max {
            self.clamp = max;
            if shift != 0 && max > 4 * mss {
                self.clamp = (max - max.checked_shr(shift).unwrap_or(0)).max(4 * mss);
            }
        }
        if shift != 0 && self.clamp > 2 * mss && self.clamp.saturating_add(mss) > max {
            self.clamp = max.saturating_sub(mss).max(2 * mss);
        }
        self.ssthresh = self.ssthresh.min(self.clamp);
    }

    pub fn share(&self, sysctl: &Sysctls) -> Share {
        match self.adv_win_scale {
            true => Share::AdvWinScale(sysctl.tcp_adv_win_scale),
            false => Share::Ratio(self.ratio),
        }
    }

    /// The window that the whole buffer is worth.
    pub fn full_space(&self, sysctl: &Sysctls) -> u32 {
        self.share(sysctl).window_from(self.buffer)
    }

    /// The window that the free part of the buffer is worth.
    pub fn free_space(&self, sysctl: &Sysctls) -> u32 {
        self.share(sysctl).window_from(self.buffer.saturating_sub(self.charged))
    }

    /// The largest window that is wished for, by auto-tuning and by the user. What the scale can say of it is seen to
    /// when it is offered.
    pub fn limit(&self) -> u32 {
        let user = if self.user_clamp == 0 { u32::MAX } else { self.user_clamp };
        self.clamp.min(user)
    }

    /// Just past the last byte that was offered. Data that was accepted beyond it moves it.
    pub fn right_edge(&self, nxt: u64) -> u64 {
        self.edge.max(nxt)
    }

    /// Bytes that were offered and are not used (`tcp_receive_window`).
    pub fn open(&self, nxt: u64) -> u32 {
        u32::try_from(self.edge.saturating_sub(nxt)).unwrap_or(u32::MAX)
    }

    /// The window as the last acknowledgement had it (`rcv_wnd`).
    pub fn offered(&self, nxt: u64) -> u32 {
        self.open(nxt - u64::from(self.unacked))
    }

    /// The first window begins at `nxt`.
    pub fn begin_at(&mut self, nxt: u64, window: u32) {
        self.edge = nxt + u64::from(window.min(u32::from(u16::MAX)));
        self.unacked = 0;
    }

    pub fn unacked(&self) -> u32 {
        self.unacked
    }

    pub fn received(&mut self, count: u32) {
        self.unacked = self.unacked.saturating_add(count);
    }

    /// The window that would be offered if nothing had been promised before (`__tcp_select_window`).
    pub fn offer(&self, view: View<'_>) -> Offer {
        let allowed = self.full_space(view.sysctl);
        let full = allowed.min(self.limit());
        let mut free = self.free_space(view.sysctl);
        let mss = view.rcv_mss.min(full);
        if mss == 0 {
            return Offer { window: 0, scarce: false };
        }
        let unit = 1u32 << self.scale;
        let shrinks = self.may_shrink(view.sysctl);
        if shrinks {
            free -= free % unit;
        }
        let scarce = free < full / 2;
        if scarce {
            free -= free % unit;
            if shrinks && free < unit || free < allowed / 16 || free < mss {
                return Offer { window: 0, scarce };
            }
        }
        let free = free.min(self.ssthresh).min(self.limit());
        let window = match self.scale {
            0 => self.in_segments(free, full, mss, view.nxt),
            _ => self.in_units(free, full, unit),
        };
        Offer { window, scarce }
    }

    /// With `tcp_shrink_window` a scaled window follows the free space down as well: the user prefers that
    /// to holding more than the buffer.
    fn may_shrink(&self, sysctl: &Sysctls) -> bool {
        sysctl.tcp_shrink_window != 0 && self.scale != 0
    }

    /// With scaling the window is a multiple of the unit, rounded up so that no small one becomes zero.
    /// The split of `tcp_adv_win_scale` is a bound that is never exceeded (S-03).
    fn in_units(&self, free: u32, full: u32, unit: u32) -> u32 {
        let up = free.saturating_add(unit - 1) & !(unit - 1);
        if self.adv_win_scale && up > full && full >= unit { full & !(unit - 1) } else { up }
    }

    /// Without scaling it is a multiple of the segment size, and stays as it is while it is near enough.
    fn in_segments(&self, free: u32, full: u32, mss: u32, nxt: u64) -> u32 {
        let before = self.offered(nxt);
        if before > free || before <= free.saturating_sub(mss) && free >= mss {
            free - free % mss
        } else if mss == full && free > before.saturating_add(full / 2) {
            free
        } else {
            before
        }
    }

    /// Offers a window: the right edge never moves left (P-056), unless `tcp_shrink_window` asks for it. Returns the window in bytes, a multiple of
    /// the unit, and whether zero was wanted but could not be said.
    pub fn select(&mut self, view: View<'_>) -> (Offer, bool) {
        let current = self.open(view.nxt);
        let mut offer = self.offer(view);
        if offer.scarce && view.pressure {
            self.ssthresh = self.ssthresh.min(4 * view.advmss);
            offer = self.offer(view);
        }
        if self.may_shrink(view.sysctl) {
            self.edge = view.nxt + u64::from(offer.window);
            self.unacked = 0;
            return (offer, false);
        }
        let wanted_zero = offer.window == 0 && current != 0;
        let unit = 1u32 << self.scale;
        let signed = self.scale == 0 && view.sysctl.tcp_workaround_signed_windows != 0;
        let cap = if signed { MAX_SIGNED_WINDOW } else { u32::from(u16::MAX) << self.scale };
        offer.window = offer.window.min(cap).max(current);
        // Rounded up, lest the edge moves left; the cap is itself a multiple.
        offer.window =
            (offer.window.saturating_add(unit - 1) & !(unit - 1)).min(u32::from(u16::MAX) << self.scale);
        self.edge = self.edge.max(view.nxt + u64::from(offer.window));
        self.unacked = 0;
        (offer, wanted_zero)
    }

    /// Offers nothing, whatever was offered before.
    pub fn close(&mut self, nxt: u64) {
        self.edge = nxt;
        self.unacked = 0;
    }

    /// A data segment of `len` bytes that cost `truesize` may open the window further (`tcp_grow_window`).
    /// Returns true when it did: the peer should learn of it soon.
    pub fn grow(&mut self, len: u32, truesize: u32, view: View<'_>) -> bool {
        // The fixed split names the largest window exactly (S-03), so this segment itself does not count there.
        let charged = if self.adv_win_scale { self.charged.saturating_sub(truesize) } else { self.charged };
        let free = self.share(view.sysctl).window_from(self.buffer.saturating_sub(charged));
        let room = self.limit().min(free).saturating_sub(self.ssthresh);
        if room == 0 {
            return false;
        }
        if view.pressure {
            self.ssthresh = self.ssthresh.min(4 * view.advmss);
            return false;
        }
        let worth = self.share(view.sysctl).window_from(truesize);
        let step = if worth <= len { 2 * view.advmss } else { self.slow_step(len, worth, view) };
        if step == 0 {
            return false;
        }
        self.ssthresh += room.min(step.max(2 * len));
        true
    }

    /// Segments that waste memory open a small window only: the more they waste, the smaller.
    fn slow_step(&self, len: u32, worth: u32, view: View<'_>) -> u32 {
        let largest = u32::try_from(view.sysctl.tcp_rmem[2]).unwrap_or(0);
        let mut window = self.share(view.sysctl).window_from(largest) / 2;
        let mut worth = worth / 2;
        while self.ssthresh <= window && window > 0 {
            if worth <= len {
                return 2 * view.rcv_mss;
            }
            worth /= 2;
            window /= 2;
        }
        0
    }

    /// The ratio of payload to memory, measured whenever the peer's segment size changes.
    pub fn measure_ratio(&mut self, len: u32, truesize: u32, nxt: u64, sysctl: &Sysctls) {
        if self.adv_win_scale || truesize == 0 {
            return;
        }
        let ratio = ((u64::from(len) << 8) / u64::from(truesize)).clamp(1, 255) as u8;
        if ratio == self.ratio {
            return;
        }
        self.ratio = ratio;
        let old = self.clamp;
        self.clamp = self.full_space(sysctl).max(MIN_RCVBUF / 2);
        if self.clamp < old {
            self.ssthresh = self.ssthresh.min(self.clamp);
        } else if self.clamp > old {
            // What was offered before a part of it came to be reserved is earned again.
            self.ssthresh = self.ssthresh.max(self.offered(nxt).min(self.clamp));
        }
        self.tune.space = self.tune.space.min(self.clamp).max(1);
    }

    /// `TCP_WINDOW_CLAMP` on a connection (O-14): the bound of later offers, also above that of auto-tuning;
    /// nothing is taken back. The value is raised to half of [`MIN_RCVBUF`]. With 0 there is no window any more: the
    /// connection is over.
    pub fn set_user_clamp(&mut self, clamp: u32, nxt: u64) {
        if clamp == 0 {
            (self.user_clamp, self.clamp) = (0, 0);
            return;
        }
        self.user_clamp = clamp.max(MIN_RCVBUF / 2);
        self.clamp = self.clamp.max(self.user_clamp);
        let earned = self.offered(nxt).min(self.limit());
        self.ssthresh = self.ssthresh.max(earned).min(self.limit());
    }

    /// The buffer is exceeded: it grows to what is in use where that is allowed, and the window closes
    /// towards two segments where it is not (`tcp_clamp_window`).
    pub fn overcommitted(&mut self, view: View<'_>) {
        let largest = u32::try_from(view.sysctl.tcp_rmem[2]).unwrap_or(0);
        if self.buffer < largest && !self.locked && !view.pressure {
            self.buffer = self.charged.min(largest).max(self.buffer);
        }
        if self.charged > self.buffer {
            self.ssthresh = self.limit().min(2 * view.advmss);
        }
    }
}
