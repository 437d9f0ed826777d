//! Delayed acknowledgements, duplicates, and the window after idle: N-40, N-47, N-48.

use crate::rig::{Rig, delay, ms};
use cauce_core::socket::options::SocketOption;
use cauce_core::time::Duration;
use cauce_lab::faults::Outage;
use cauce_lab::pair::{PairOptions, Side};

/// Segments sent one by one, a tenth of a second apart: how long the last one waited for its acknowledgement.
#[test]
fn n47_delayed_ack() {
    let mut rig = Rig::new(&delay(10), &[]);
    let [a, b] = rig.connected(&[SocketOption::NoDelay(true)]);
    let mut waits = Vec::new();
    for _ in 0..40 {
        rig.tape.clear();
        let arrives = rig.pair.now() + Duration::from_millis(10);
        rig.send(Side::A, a, 100);
        rig.run(Duration::from_millis(100));
        assert_eq!(rig.drain(Side::B, b), 100);
        waits.push(ms(rig.tape.sent(Side::B.way())[0].at, arrives));
    }
    assert_eq!(waits[0], 0.0, "a new connection acknowledges at once");
    assert_eq!(waits[30..], [40.0; 10]);
    assert!(waits.iter().all(|wait| [0.0, 40.0].contains(wait)), "{waits:?}");
    // Two full segments are acknowledged at once.
    rig.tape.clear();
    let mss = rig.info(Side::A, a).snd_mss as usize;
    let arrives = rig.pair.now() + Duration::from_millis(10);
    rig.send(Side::A, a, 2 * mss);
    rig.run(Duration::from_millis(100));
    assert_eq!(ms(rig.tape.sent(Side::B.way())[0].at, arrives), 0.0);
}

/// S-35: the n-th duplicate sends the missing segment again, with and without SACK.
#[test]
fn n40_reordering() {
    for (threshold, count) in [("3", 3), ("1", 1), ("6", 6)] {
        for sack in ["0", "1"] {
            let settings = [
                ("tcp_sack", sack),
                ("tcp_recovery", "0"),
                ("tcp_early_retrans", "0"),
                ("tcp_reordering", threshold),
            ];
            // A millisecond a segment, so that each acknowledgement has its own moment.
            let options = PairOptions { rate: Some(12_000_000), ..delay(10) };
            let mut rig = Rig::new(&options, &settings);
            let [a, _] = rig.connected(&[]);
            // The window of the SYN,ACK is said anew, which makes that acknowledgement no duplicate.
            rig.send(Side::A, a, 100);
            rig.run(Duration::from_secs(1));
            let mss = rig.info(Side::A, a).snd_mss as usize;
            // The first of ten is lost, as it leaves the transmitter.
            let now = rig.pair.now();
            let outage = Outage::new(now, now + Duration::from_micros(1_500));
            rig.pair.link_mut(Side::A).faults_mut().push(Box::new(outage));
            rig.tape.clear();
            rig.send(Side::A, a, 10 * mss);
            rig.run(Duration::from_millis(150));
            let sent = rig.tape.sent(Side::A.way());
            let again = sent.iter().skip(1).find(|segment| segment.seq == sent[0].seq).expect("sent again");
            let duplicates = rig.tape.sent(Side::B.way());
            let arrived = duplicates
                .iter()
                .filter(|ack| ack.ack == sent[0].seq && ack.at + Duration::from_millis(10) < again.at);
            assert_eq!(arrived.count(), count, "tcp_reordering {threshold}, tcp_sack {sack}");
        }
    }
}

/// RFC 2861: halved once for each time-out that has passed, down to the initial window.
#[test]
fn n48_window_after_idle() {
    let after = |halves: u32, validates: &str| {
        let settings = [
            ("tcp_congestion_control", "reno"),
            ("tcp_init_cwnd", "40"),
            ("tcp_slow_start_after_idle", validates),
        ];
        let mut rig = Rig::new(&delay(15), &settings);
        let [a, b] = rig.connected(&[SocketOption::SendBuffer(1 << 20)]);
        rig.option(Side::B, b, SocketOption::RecvBuffer(1 << 20));
        let mss = rig.info(Side::A, a).snd_mss as usize;
        rig.send(Side::A, a, 40 * mss);
        rig.run(Duration::from_millis(100));
        let last = rig.tape.sent(Side::A.way()).iter().rfind(|segment| segment.len > 0).unwrap().at;
        rig.set(Side::A, &[("tcp_init_cwnd", "10")]);
        let info = rig.info(Side::A, a);
        assert_eq!((info.snd_cwnd, info.rto), (80, 232_000));
        let idle = Duration::from_micros(u64::from(info.rto) * u64::from(halves) / 10);
        let now = rig.pair.now();
        rig.run((last + idle).since(now));
        rig.send(Side::A, a, 1);
        rig.info(Side::A, a).snd_cwnd
    };
    let windows = [8, 15, 25, 35, 100].map(|tenths| after(tenths, "1"));
    assert_eq!(windows, [80, 40, 20, 10, 10]);
    assert_eq!(after(100, "0"), 80);
}
