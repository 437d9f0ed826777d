//! How much window a receive buffer is worth.
//!
//! A buffer is charged for whole packet buffers, a window counts payload. On Linux 6.18 the ratio of the two is
//! measured from what arrives; tcp(7) documents the older, fixed split of `tcp_adv_win_scale` (S-03).

use crate::sysctl::Sysctls;

/// The ratio before anything was measured: one half.
pub(super) const DEFAULT_RATIO: u8 = 128;

/// The share of a buffer that may be offered as window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// So many 256ths.
    Ratio(u8),
    /// All but 2^-n of it for n > 0, 2^n of it otherwise.
    AdvWinScale(i32),
}

impl Share {
    /// The share before anything was measured.
    pub fn initial(sysctl: &Sysctls) -> Share {
        match sysctl.cauce_profile.splits_buffer() {
            true => Share::AdvWinScale(sysctl.tcp_adv_win_scale),
            false => Share::Ratio(DEFAULT_RATIO),
        }
    }

    /// The window that `space` bytes of buffer are worth.
    pub fn window_from(self, space: u32) -> u32 {
        match self {
            Share::Ratio(ratio) => ((u64::from(space) * u64::from(ratio)) >> 8) as u32,
            Share::AdvWinScale(n) if n > 0 => space - space.checked_shr(n.unsigned_abs()).unwrap_or(0),
            Share::AdvWinScale(n) => space.checked_shr(n.unsigned_abs()).unwrap_or(0),
        }
    }

    /// The buffer that a window needs, at most `u32::MAX`.
    pub fn space_for(self, window: u32) -> u32 {
        let window = u64::from(window);
        let space = match self {
            Share::Ratio(ratio) => (window << 8) / u64::from(ratio.max(1)),
            Share::AdvWinScale(n) if n > 0 => {
                let parts = 1u64 << n.min(31);
                window * parts / (parts - 1)
            }
            Share::AdvWinScale(n) => window << n.unsigned_abs().min(31),
        };
        u32::try_from(space).unwrap_or(u32::MAX)
    }
}

/// Headroom before a packet in its buffer.
const HEADROOM: usize = 64;
/// What lies behind a packet in its buffer.
const SHARED: usize = 320;
/// The descriptor beside the buffer.
const DESCRIPTOR: usize = 256;
/// The buffer that small packets get, [`SHARED`] included.
const SMALL_BUFFER: usize = 576;
/// The largest buffer in one piece; what does not fit lies in pages of this size.
pub(super) const PAGE: usize = 4096;

/// What a receive buffer is charged for a packet of `len` bytes, headers included, and how many bytes of later
/// segments fit behind it for nothing. These are Linux's numbers, on which the windows of the profile
/// `linux-6.18` depend; a device that needs less memory says so in its frames.
pub(super) fn packet_cost(len: usize) -> (u32, u16) {
    let linear = len.min(PAGE - HEADROOM - SHARED);
    let needs = (linear + HEADROOM).next_multiple_of(64) + SHARED;
    let buffer = if needs <= SMALL_BUFFER { SMALL_BUFFER } else { needs.next_power_of_two() };
    let pages = (len - linear).next_multiple_of(PAGE);
    let spare = if pages == 0 { buffer - SHARED - HEADROOM - linear } else { 0 };
    (u32::try_from(buffer + DESCRIPTOR + pages).unwrap_or(u32::MAX), spare as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s03_adv_win_scale() {
        for (n, window) in [(2, 65_535), (1, 43_690), (3, 76_458), (0, 87_380), (-1, 43_690), (-2, 21_845)] {
            assert_eq!(Share::AdvWinScale(n).window_from(87_380), window);
        }
        for n in -31..=31 {
            let share = Share::AdvWinScale(n);
            share.space_for(u32::MAX);
            assert!(share.window_from(u32::MAX) > 0);
        }
    }

    #[test]
    fn buffer_and_window_are_inverse() {
        for share in [Share::Ratio(1), Share::Ratio(128), Share::Ratio(255), Share::AdvWinScale(2)] {
            for window in [0, 1, 1448, 65_535, 1 << 20] {
                let back = share.window_from(share.space_for(window));
                assert!(back <= window && window - back <= 1, "{share:?} {window} {back}");
            }
        }
    }

    /// S-31: as measured on the kernel behind a TUN, packets of IPv4 without options.
    #[test]
    fn s31_packets_cost_what_linux_charges() {
        for (payload, cost) in [
            (1, 832),
            (152, 832),
            (153, 1280),
            (600, 1280),
            (1000, 2304),
            (2000, 4352),
            (3500, 4352),
            (4000, 8448),
            (10_000, 12_544),
            (20_000, 20_736),
            (60_000, 61_696),
        ] {
            assert_eq!(packet_cost(payload + 40).0, cost, "{payload}");
        }
        assert_eq!((packet_cost(41).1, packet_cost(192).1, packet_cost(10_000).1), (151, 0, 0));
    }
}
