//! The window and the scale of a SYN or SYN,ACK (RFC 7323 2.2; S-40, S-53, S-55, O-14, O-31).

use super::space::Share;
use crate::sysctl::Sysctls;

/// The largest shift of the window-scale option (RFC 7323 2.3).
pub const MAX_WINDOW_SCALE: u8 = 14;
/// The largest window that a peer with signed arithmetic understands (S-55).
pub(super) const MAX_SIGNED_WINDOW: u32 = 32_767;

/// What the choice depends on.
#[derive(Clone, Copy, Debug)]
pub struct WindowRequest {
    /// The receive buffer in bytes (`SO_RCVBUF` as it is stored).
    pub rcvbuf: u32,
    /// True when the user has set it, which bounds the scale by it.
    pub rcvbuf_locked: bool,
    /// `TCP_WINDOW_CLAMP`, or the route's window; 0 for none.
    pub clamp: u32,
    /// The MSS that we advertise, less the timestamp option when it is known to be used.
    pub mss: u16,
    /// True when the window-scale option is sent.
    pub scaling: bool,
    /// The route's initial window in segments (`initrwnd`); 0 for none.
    pub initrwnd: u32,
}

/// The choice, as [`Receiver::new`](super::Receiver::new) wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitialWindow {
    /// The first window in bytes, more than the header of a SYN can say perhaps.
    pub window: u32,
    /// The shift, 0 without scaling.
    pub scale: u8,
    /// The largest window that may ever be offered, by the clamp and by the scale.
    pub clamp: u32,
}

impl InitialWindow {
    /// The window field of the SYN, which is never scaled (P-055).
    pub fn syn_field(&self) -> u16 {
        u16::try_from(self.window).unwrap_or(u16::MAX)
    }

    /// The choice for a peer who turned out not to scale.
    pub fn without_scaling(self) -> InitialWindow {
        InitialWindow { scale: 0, clamp: self.clamp.min(u32::from(u16::MAX)), ..self }
    }
}

/// Chooses the first window and the scale.
pub fn initial_window(request: &WindowRequest, sysctl: &Sysctls) -> InitialWindow {
    let share = Share::initial(sysctl);
    let full_space = share.window_from(request.rcvbuf);
    let mut clamp = if request.clamp == 0 { u32::MAX } else { request.clamp };
    let fixed = sysctl.cauce_profile.fixes_window();
    if request.rcvbuf_locked || fixed {
        clamp = clamp.min(full_space);
    }
    clamp = clamp.min(u32::from(u16::MAX) << MAX_WINDOW_SCALE);
    let mut window = full_space.min(clamp);
    let mss = u32::from(request.mss).max(1);
    if window > mss {
        window -= window % mss;
    }
    if sysctl.tcp_workaround_signed_windows != 0 {
        window = window.min(MAX_SIGNED_WINDOW);
    }
    if request.initrwnd != 0 {
        window = window.min(request.initrwnd.saturating_mul(mss));
    }
    let mut scale = 0;
    if request.scaling {
        let largest = u32::try_from(sysctl.tcp_rmem[2]).unwrap_or(0);
        let reachable = full_space.max(largest).max(sysctl.core_rmem_max).min(clamp);
        scale =
            reachable.checked_ilog2().unwrap_or(0).saturating_sub(15).min(u32::from(MAX_WINDOW_SCALE)) as u8;
    }
    // A fixed window is a whole number of segments for ever; the scale is chosen by the buffer.
    if fixed {
        clamp = window;
    }
    InitialWindow { window, scale, clamp: clamp.min(u32::from(u16::MAX) << scale) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(rcvbuf: u32) -> WindowRequest {
        WindowRequest { rcvbuf, rcvbuf_locked: false, clamp: 0, mss: 1448, scaling: true, initrwnd: 0 }
    }

    fn with_rmem(rmem: [i32; 3]) -> Sysctls {
        Sysctls { tcp_rmem: rmem, core_rmem_max: 212_992, ..Sysctls::default() }
    }

    #[test]
    fn s40_buffers_give_window_and_scale() {
        let live = initial_window(&request(131_072), &with_rmem([4096, 131_072, 33_554_432]));
        assert_eq!((live.window, live.scale), (65_160, 10));
        let older = initial_window(&request(87_380), &with_rmem([4096, 87_380, 6_291_456]));
        assert_eq!((older.window, older.scale), (43_440, 7));
        let active = initial_window(&WindowRequest { mss: 1460, ..request(131_072) }, &Sysctls::default());
        assert_eq!(active.syn_field(), 64_240);
    }

    #[test]
    fn s53_scale_follows_the_largest_buffer() {
        for (largest, scale) in [(16 << 20, 9), (32 << 20, 10), (1 << 30, 14), (i32::MAX, 14)] {
            let chosen = initial_window(&request(131_072), &with_rmem([4096, 131_072, largest]));
            assert_eq!(chosen.scale, scale);
        }
        let off = initial_window(&WindowRequest { scaling: false, ..request(131_072) }, &Sysctls::default());
        assert_eq!((off.scale, off.clamp), (0, 65_535));
        let peer_without = initial_window(&request(131_072), &Sysctls::default()).without_scaling();
        assert_eq!((peer_without.scale, peer_without.clamp, peer_without.window), (0, 65_535, 65_160));
    }

    #[test]
    fn o31_explicit_buffers() {
        for (rcvbuf, field, scale) in [
            (2304, 1152, 0),
            (10_000, 4344, 0),
            (131_072, 65_160, 1),
            (2_000_000, 65_535, 4),
            (8_388_608, 65_535, 7),
        ] {
            let chosen = initial_window(
                &WindowRequest { rcvbuf_locked: true, ..request(rcvbuf) },
                &Sysctls::default(),
            );
            assert_eq!((chosen.syn_field(), chosen.scale), (field, scale), "{rcvbuf}");
        }
    }

    #[test]
    fn o14_clamp_before_the_handshake() {
        let chosen = initial_window(&WindowRequest { clamp: 3000, ..request(131_072) }, &Sysctls::default());
        assert_eq!((chosen.window, chosen.scale, chosen.clamp), (2896, 0, 3000));
    }

    #[test]
    fn s55_signed_windows() {
        let sysctl = Sysctls { tcp_workaround_signed_windows: 1, ..Sysctls::default() };
        assert_eq!(initial_window(&request(131_072), &sysctl).syn_field(), 32_767);
    }

    #[test]
    fn route_and_odd_values() {
        let few = initial_window(&WindowRequest { initrwnd: 4, ..request(131_072) }, &Sysctls::default());
        assert_eq!(few.window, 5792);
        let odd = WindowRequest { mss: 0, clamp: 1, rcvbuf_locked: true, ..request(0) };
        assert_eq!(initial_window(&odd, &Sysctls::default()).window, 0);
        assert_eq!(initial_window(&request(u32::MAX), &with_rmem([1, 1, i32::MAX])).scale, 14);
    }
}
