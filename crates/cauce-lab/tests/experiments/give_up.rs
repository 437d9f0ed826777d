//! How long an established connection tries: N-08, N-09, N-11, N-14 and N-15.

use crate::rig::{Rig, delay, doubling, ms, near};
use cauce_core::counters::Counter;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::SocketOption;
use cauce_core::time::Duration;
use cauce_lab::pair::{PairOptions, Side};
use cauce_wire::Flags;

/// Without tail-loss probes every retransmission is a time-out.
const NO_PROBES: (&str, &str) = ("tcp_early_retrans", "0");

/// Milliseconds after the first transmission at which an unacknowledged segment is sent again, and the end.
fn link_dies(path: &PairOptions, settings: &[(&str, &str)], options: &[SocketOption]) -> (Vec<f64>, f64) {
    let mut rig = Rig::new(path, settings);
    let [a, _] = rig.connected(options);
    rig.run(Duration::from_secs(200));
    rig.pair.silence(Side::A);
    let start = rig.pair.now();
    rig.send(Side::A, a, 100);
    let (end, error) = rig.failure(Side::A, a);
    assert_eq!(error, Errno::ETIMEDOUT);
    assert!(rig.tape.all().iter().all(|segment| !segment.has(Flags::RST)), "without a word");
    (rig.times(Side::A, start, |segment| segment.len == 100), ms(end, start))
}

/// 0.2 (2^10 - 1) + 6 * 120 = 924.6 s. The shortest time-out of a real path is a tick more than 200 ms, so the
/// first expiry past the total is at 204 (2^10 - 1) ms + 720 s.
#[test]
fn n08_retries2() {
    let (sent, end) = link_dies(&near(), &[NO_PROBES], &[]);
    let mut expected = doubling(204.0, 11);
    expected.extend((1..=5).map(|k| 204.0 * 1023.0 + 120_000.0 * f64::from(k)));
    assert_eq!(sent, expected);
    assert_eq!(end, 928_692.0);
}

/// 13 to 30 minutes for any first time-out up to a minute.
#[test]
fn n08_any_path() {
    for delay_ms in [0, 50, 500, 2_000, 8_000, 20_000] {
        let (_, end) = link_dies(&delay(delay_ms), &[], &[]);
        assert!((780_000.0..1_800_000.0).contains(&end), "{delay_ms}: {end}");
    }
}

/// RFC 1122 asks for at least 100 s: eight is the first count that lasts so long.
#[test]
fn n09_rfc_1122() {
    let last = |retries| link_dies(&near(), &[NO_PROBES, ("tcp_retries2", retries)], &[]).1;
    assert_eq!(last("7"), 204.0 * 255.0);
    assert_eq!(last("8"), 204.0 * 511.0);
    assert!(last("7") < 100_000.0 && last("8") >= 100_000.0);
}

/// S-34, X-17: what was closed with unacknowledged data is given up without a reset; 0 means 8.
#[test]
fn n11_orphans() {
    for (retries, gone) in
        [("8", 204.0 * 511.0), ("0", 204.0 * 511.0), ("1", 204.0 * 7.0), ("2", 204.0 * 15.0)]
    {
        let mut rig = Rig::new(&near(), &[NO_PROBES, ("tcp_orphan_retries", retries)]);
        let [a, _] = rig.connected(&[]);
        rig.run(Duration::from_secs(1));
        rig.pair.silence(Side::A);
        let start = rig.pair.now();
        rig.send(Side::A, a, 100);
        rig.close(Side::A, a);
        let over = rig.pair.drive(crate::rig::LONG, |pair| pair.endpoint(Side::A).connections() == 0);
        assert!(over);
        assert_eq!(ms(rig.pair.now(), start), gone, "{retries}");
        assert!(rig.tape.all().iter().all(|segment| !segment.has(Flags::RST)), "without a word");
        assert_eq!(rig.pair.endpoint(Side::A).counters().get(Counter::TCPAbortOnTimeout), 1);
    }
}

/// N-14 (a), X-15: counted from the moment at which the oldest byte was first sent.
#[test]
fn n14_user_timeout_of_unacknowledged_data() {
    for timeout in [100, 3000] {
        assert_eq!(link_dies(&delay(10), &[], &[SocketOption::UserTimeout(timeout)]).1, f64::from(timeout));
    }
}

/// N-14 (b): counted from the moment at which the window blocked what was written.
#[test]
fn n14_user_timeout_of_a_closed_window() {
    let mut rig = Rig::new(&delay(10), &[]);
    let at_a = [SocketOption::UserTimeout(3000), SocketOption::SendBuffer(1 << 20)];
    let [a, _] = rig.connected_to(&[SocketOption::RecvBuffer(8_000)], &at_a);
    rig.send(Side::A, a, 400_000);
    rig.pair.drive(crate::rig::LONG, |pair| {
        pair.endpoint(Side::B).counters().get(Counter::TCPToZeroWindowAdv) > 0
    });
    let blocked = rig.pair.now() + Duration::from_millis(10);
    let (end, error) = rig.failure(Side::A, a);
    assert_eq!((ms(end, blocked), error), (3000.0, Errno::ETIMEDOUT));
}

/// A quarter of an hour and a little: "up to 20 minutes".
#[test]
fn n15_defaults_across_an_ocean() {
    let (_, end) = link_dies(&delay(100), &[], &[]);
    assert!((900_000.0..1_200_000.0).contains(&end), "{end}");
}
