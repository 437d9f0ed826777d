//! The windows that are offered.

use super::*;
use crate::sysctl::Profile;

/// P-066: a full buffer of 20 kB that is read 1448 at a time gives updates at 1448, 2896, 5792, 11584.
#[test]
fn p066_updates_double() {
    let sysctl = Sysctls { tcp_app_win: 0, ..Sysctls::default() };
    let mut rig = Rig::with(sysctl, |config| {
        config.rcvbuf = 40_000;
        config.rcvbuf_locked = true;
        config.initial = InitialWindow { window: 18_824, scale: 0, clamp: 20_000 };
    });
    let mut at = 0;
    for _ in 0..13 {
        rig.arrive(at, MSS);
        at += MSS as u64;
        rig.reply();
    }
    rig.acknowledge();
    assert_eq!(rig.rx.window(), 0);
    assert_eq!(rig.count(Counter::TCPToZeroWindowAdv), 1);
    let mut offers = Vec::new();
    while rig.rx.readable() > 0 {
        rig.read(MSS);
        if rig.update_due(MSS) {
            rig.acknowledge();
            offers.push(rig.rx.window());
        }
    }
    assert_eq!(offers, [1448, 2896, 5792, 11_584]);
    assert_eq!(rig.count(Counter::TCPFromZeroWindowAdv), 1);
}

/// P-068: a probe of one byte into a closed window is answered, not taken; into an open one it is data.
#[test]
fn p068_probes() {
    let mut rig = Rig::with(Sysctls::default(), |config| config.initial.window = 0);
    let probe = rig.arrive(0, 1);
    assert_eq!((probe.dropped, rig.decide()), (Some(DropReason::ZeroWindow), AckDecision::Now));
    assert_eq!(rig.count(Counter::TCPZeroWindowDrop), 1);
    let mut open = Rig::new();
    assert_eq!(open.arrive(0, 1).in_order_bytes, 1);
    assert!(open.arrive(0, 1).duplicate);
    assert_eq!(open.rx.readable(), 1);
}

/// P-055: the field is shifted, and rounding never hides a window.
#[test]
fn p055_the_field_is_scaled() {
    let mut rig = Rig::new();
    assert_eq!(rig.rx.window_scale(), 10);
    assert_eq!(rig.rx.window(), 65_160);
    assert_eq!(rig.run(|rx, _, cx| rx.window_field(cx)), 64);
    assert_eq!(rig.rx.window(), 65_536);
}

/// S-07: what `tcp_app_win` leaves of the clamp.
#[test]
fn s07_app_win() {
    for (n, clamp) in [(0, 65_536), (1, 32_768), (2, 49_152), (3, 57_344), (31, 64_088)] {
        let rig = Rig::with(Sysctls { tcp_app_win: n, ..Sysctls::default() }, |_| {});
        assert_eq!(rig.rx.window_clamp(), clamp, "{n}");
    }
}

/// S-03 in profile `manpage`: the split bounds every window.
#[test]
fn s03_largest_window_by_adv_win_scale() {
    for (n, most) in [(2, 65_535u32), (1, 43_690), (3, 76_458), (0, 87_380), (-1, 43_690), (-2, 21_845)] {
        let sysctl = Sysctls {
            tcp_adv_win_scale: n,
            tcp_app_win: 0,
            tcp_rmem: [4096, 87_380, 4_194_304],
            tcp_moderate_rcvbuf: 0,
            cauce_profile: Profile::Manpage,
            ..Sysctls::default()
        };
        let request = WindowRequest {
            rcvbuf: 87_380,
            rcvbuf_locked: false,
            clamp: 0,
            mss: MSS as u16,
            scaling: true,
            initrwnd: 0,
        };
        let initial = initial_window(&request, &sysctl);
        let mut rig = Rig::with(sysctl, |config| {
            config.initial = initial;
            config.adv_win_scale = true;
        });
        let mut largest = 0;
        for at in 0..200 {
            rig.after(1000).arrive_as(at * MSS as u64, MSS, Flags::ACK, MSS as u32 + 100);
            rig.read(MSS);
            rig.update_due(MSS);
            rig.acknowledge();
            largest = largest.max(rig.rx.window());
        }
        let unit = 1 << rig.rx.window_scale();
        assert_eq!(largest, most / unit * unit, "{n}");
    }
}

/// Bulk data over `rtt_us` with a user who reads at once, for `rounds` round-trip times.
fn bulk(rig: &mut Rig, rtt_us: u32, rounds: u32, by_timestamps: bool) {
    let mut at = rig.rx.nxt() - IRS - 1;
    for round in 0..rounds {
        let count = (rig.rx.window() as usize / MSS).max(1);
        let gap = u64::from(rtt_us) / count as u64;
        for _ in 0..count {
            rig.after(gap);
            if by_timestamps {
                rig.rx.note_rtt(round + 1, rtt_us, MSS as u32);
            }
            rig.arrive_as(at, MSS, Flags::ACK, 2304);
            at += MSS as u64;
            assert_eq!(rig.read(MSS).len(), MSS);
            let due = rig.update_due(MSS);
            if due || rig.decide() == AckDecision::Now {
                rig.acknowledge();
            }
        }
    }
}

/// S-31: a user who keeps up gets the largest buffer, whichever way the round-trip time is measured.
#[test]
fn s31_the_buffer_grows_to_its_limit() {
    for by_timestamps in [true, false] {
        let mut rig = Rig::new();
        bulk(&mut rig, 100_000, 20, by_timestamps);
        assert_eq!(rig.rx.rcvbuf(), 33_554_432);
        assert!(rig.rx.window() > 16 << 20, "{}", rig.rx.window());
        assert!((50_000..=100_000).contains(&rig.rx.rtt_us()), "{}", rig.rx.rtt_us());
    }
}

/// S-31: not without the setting, and not when the user has set the buffer.
#[test]
fn s31_off_or_locked() {
    let mut off = Rig::with(Sysctls { tcp_moderate_rcvbuf: 0, ..Sysctls::default() }, |_| {});
    let mut locked = Rig::with(Sysctls::default(), |config| config.rcvbuf_locked = true);
    let mut late = Rig::new();
    late.rx.set_rcvbuf(131_072);
    for rig in [&mut off, &mut locked, &mut late] {
        bulk(rig, 100_000, 10, true);
        assert_eq!(rig.rx.rcvbuf(), 131_072);
    }
}

/// O-14, X-19: the clamp bounds later windows and outlives auto-tuning; nothing offered is taken back.
#[test]
fn o14_the_clamp_stays() {
    let mut rig = Rig::new();
    bulk(&mut rig, 10_000, 2, true);
    let edge = rig.rx.right_edge();
    rig.rx.set_window_clamp(5000);
    assert_eq!((rig.rx.window_clamp(), rig.rx.right_edge()), (5000, edge));
    let mut edge = edge;
    for _ in 0..300 {
        let at = rig.rx.nxt() - IRS - 1;
        rig.after(1000).rx.note_rtt(at as u32, 1000, MSS as u32);
        rig.arrive_as(at, MSS, Flags::ACK, 2304);
        rig.read(MSS);
        rig.update_due(MSS);
        rig.acknowledge();
        // Rounding up to the unit of 1024 is all by which an offer that is used up may grow.
        assert!(rig.rx.right_edge() <= (edge + 1023).max(rig.rx.nxt() + 5120));
        edge = rig.rx.right_edge();
    }
    assert_eq!(rig.rx.window(), 5120);
    rig.rx.set_window_clamp(1);
    assert_eq!(rig.rx.window_clamp(), 1152);
}

/// S-53, S-55, N-01: without scaling windows stay below 64 KiB, or below 32 KiB for signed peers.
#[test]
fn windows_without_scaling() {
    for (signed, most) in [(0, 65_535), (1, 32_767)] {
        let sysctl = Sysctls { tcp_workaround_signed_windows: signed, ..Sysctls::default() };
        let mut rig = Rig::with(sysctl.clone(), |config| {
            config.initial = config.initial.without_scaling();
        });
        for _ in 0..30 {
            bulk(&mut rig, 20_000, 1, true);
            assert!(rig.rx.window() <= most);
        }
        assert!(rig.rx.offered() > most - 1448, "{}", rig.rx.offered());
    }
}

/// Memory that the peer's segments waste is measured: the window follows what the buffer can hold.
#[test]
fn the_ratio_is_measured() {
    let mut rig = Rig::with(Sysctls::default(), |config| config.rcvbuf_locked = true);
    rig.arrive_as(0, MSS, Flags::ACK, 2304);
    assert_eq!(rig.rx.rcv_mss(), 1448);
    assert_eq!(rig.rx.window_clamp(), 131_072 * 160 / 256);
}

/// A segment size that shrinks is believed when it comes twice.
#[test]
fn the_segment_size_follows_the_peer() {
    let mut rig = Rig::new();
    rig.arrive(0, 1448);
    for at in 0..2 {
        rig.arrive(1448 + at * 1000, 1000);
    }
    assert_eq!(rig.rx.rcv_mss(), 1000);
    rig.arrive_as(3448, 10, Flags::ACK | Flags::PSH, 20);
    assert_eq!(rig.rx.rcv_mss(), 1000);
}

/// Under memory pressure the window is a few segments only.
#[test]
fn pressure_narrows_the_window() {
    let mut rig = Rig::with(Sysctls::default(), |config| config.rcvbuf_locked = true);
    rig.memory = Memory::new([0, 0, 1000]);
    let mut at = 0;
    for _ in 0..200 {
        at += u64::from(rig.arrive(at, MSS).in_order_bytes);
        rig.acknowledge();
    }
    assert!(rig.rx.rcv_ssthresh() <= 4 * MSS as u32);
    assert!(rig.rx.memory() <= 131_072 + 2 * MSS as u32);
}

/// O-39: a low-water mark grows the buffer that must hold it, within its bounds.
#[test]
fn o39_low_water() {
    let mut rig = Rig::new();
    assert_eq!(rig.run(|rx, _, cx| rx.set_low_water(0, cx)), 1);
    assert_eq!(rig.run(|rx, _, cx| rx.set_low_water(u32::MAX, cx)), 16 << 20);
    assert_eq!(rig.rx.rcvbuf(), 32 << 20);
    rig.rx.set_rcvbuf(10_000);
    assert_eq!(rig.run(|rx, _, cx| rx.set_low_water(9000, cx)), 5000);
}

/// The struct stays small, and an idle receiver owns nothing else.
#[test]
fn a_receiver_is_small() {
    assert!(size_of::<Receiver>() <= 216, "{}", size_of::<Receiver>());
}

/// P-056 holds unless the setting that is there to break it is on: then the window follows the buffer.
#[test]
fn p056_shrinks_only_when_asked() {
    for shrink in [0, 1] {
        let sysctl = Sysctls { tcp_shrink_window: shrink, ..Sysctls::default() };
        let mut rig = Rig::with(sysctl, |config| config.rcvbuf_locked = true);
        let (mut at, mut left) = (0, false);
        for _ in 0..30 {
            // Segments that cost far more memory than the window counts for them.
            let edge = rig.rx.right_edge();
            at += u64::from(rig.arrive_as(at, 600, Flags::ACK, 1199).in_order_bytes);
            rig.rx.set_rcvbuf(rig.rx.rcvbuf() - 3000);
            rig.run(|rx, _, cx| rx.select_window(cx));
            assert_eq!(rig.rx.window() % 1024, 0);
            left |= rig.rx.right_edge() < edge;
        }
        assert_eq!(left, shrink == 1);
    }
}
