//! Paths that swallow long packets in silence: N-42 and what RFC 4821 promises.

use crate::rig::{Rig, near};
use cauce_core::counters::Counter;
use cauce_core::time::{Duration, Instant};
use cauce_lab::link::LinkOptions;
use cauce_lab::pair::{PairOptions, Side};
use cauce_lab::tape::Segment;

/// The path carries packets of 1100 bytes, the hosts believe in 1500, and no ICMP tells them otherwise.
fn black_hole() -> PairOptions {
    PairOptions { mtu: 1100, host_mtu: Some(1500), tells_too_big: false, ..near() }
}

/// The segments of text that A sent from `start` on: milliseconds since then, and bytes.
fn text(rig: &Rig, start: Instant) -> Vec<(f64, usize)> {
    let segments = rig.tape.sent(Side::A.way());
    let text = segments.iter().filter(|segment| segment.at >= start && segment.len > 0);
    text.map(|segment: &Segment| (crate::rig::ms(segment.at, start), segment.len)).collect()
}

/// N-42, S-08: without a search 1448 bytes for ever; with one the first retransmission after tcp_retries1 has
/// tcp_base_mss, and the connection lives.
#[test]
fn n42_base_mss_after_a_black_hole() {
    for (base, size) in [("1024", 1024), ("512", 512)] {
        let settings = [("tcp_mtu_probing", "1"), ("tcp_base_mss", base), ("tcp_early_retrans", "0")];
        let mut rig = Rig::new(&black_hole(), &settings);
        let [a, b] = rig.connected(&[]);
        rig.run(Duration::from_secs(1));
        let start = rig.pair.now();
        rig.send(Side::A, a, 1448);
        rig.run(Duration::from_secs(20));
        let sent = text(&rig, start);
        // Time-outs at 204 ms and its doubles: the total of three retries, 3 s, has passed at the fifth.
        let large = [0.0, 204.0, 612.0, 1_428.0, 3_060.0];
        assert_eq!(sent[..5], large.map(|at| (at, 1448)));
        assert_eq!(sent[5], (6_324.0, size), "{base}");
        assert_eq!(rig.drain(Side::B, b), 1448);
    }
    let mut rig = Rig::new(&black_hole(), &[]);
    let [a, b] = rig.connected(&[]);
    rig.run(Duration::from_secs(1));
    let start = rig.pair.now();
    rig.send(Side::A, a, 1448);
    rig.run(Duration::from_secs(900));
    assert!(text(&rig, start).iter().all(|(_, size)| *size == 1448));
    assert_eq!(rig.drain(Side::B, b), 0);
}

/// S-32, S-72: a bulk transfer finds the size of the path to the threshold's width, with little loss of window: 1100
/// bytes carry 1048 with timestamps.
#[test]
fn s32_search_finds_the_path() {
    let settings = [("tcp_mtu_probing", "2")];
    let mut rig = Rig::new(&black_hole(), &settings);
    let [a, b] = rig.connected(&[]);
    let mut received = 0;
    for _ in 0..200 {
        rig.send(Side::A, a, 30_000);
        rig.run(Duration::from_millis(100));
        received += rig.drain(Side::B, b);
    }
    assert_eq!(received, 200 * 30_000);
    let mss = rig.info(Side::A, a).snd_mss;
    assert!((1_040..=1_048).contains(&mss), "{mss}");
    let counters = rig.pair.with(Side::A, |stack, _| {
        [Counter::TCPMTUPSuccess, Counter::TCPMTUPFail, Counter::TCPTimeouts].map(|c| stack.counters().get(c))
    });
    assert_eq!(counters[2], 0, "no time-out: {counters:?}");
    assert!(counters[1] >= 2, "{counters:?}");
}

/// S-72: once the path has become wider the search finds it after tcp_probe_interval, and not before.
#[test]
fn s72_wider_path_is_found() {
    let settings = [("tcp_mtu_probing", "2"), ("tcp_slow_start_after_idle", "0")];
    let mut rig = Rig::new(&black_hole(), &settings);
    let [a, b] = rig.connected(&[]);
    let transfer = |rig: &mut Rig, seconds: u64| {
        for _ in 0..seconds * 2 {
            rig.send(Side::A, a, 30_000);
            rig.run(Duration::from_millis(500));
            rig.drain(Side::B, b);
        }
        rig.info(Side::A, a).snd_mss
    };
    let narrow = transfer(&mut rig, 60);
    assert!((1_040..=1_048).contains(&narrow), "{narrow}");
    let link = rig.pair.link_mut(Side::A);
    link.set_options(LinkOptions { mtu: 1500, ..*link.options() });
    assert_eq!(transfer(&mut rig, 500), narrow, "ten minutes have not passed");
    let wide = transfer(&mut rig, 100);
    assert!((1_440..=1_448).contains(&wide), "{wide}");
}
