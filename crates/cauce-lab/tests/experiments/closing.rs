//! How connections end: N-12, N-17, N-18, N-37 and what X-02 adds.

use crate::rig::{Rig, delay, ms};
use cauce_core::socket::SocketId;
use cauce_core::time::Duration;
use cauce_lab::pair::Side;
use cauce_wire::Flags;

const TICK: Duration = Duration::from_nanos(1);

/// A closes, B's stack acknowledges, B's user does not close: how long A stays in FIN-WAIT-2, in seconds.
fn orphan(settings: &[(&str, &str)]) -> f64 {
    let mut rig = Rig::new(&delay(10), settings);
    let [a, b] = rig.connected(&[]);
    rig.run(Duration::from_secs(1));
    rig.close(Side::A, a);
    rig.run(Duration::from_millis(20));
    let start = rig.pair.now();
    let gone = rig.pair.drive(crate::rig::LONG, |pair| pair.endpoint(Side::A).deadlines() == 0);
    assert!(gone);
    let lasted = ms(rig.pair.now(), start) / 1e3;
    // A late FIN meets nobody.
    rig.tape.clear();
    rig.close(Side::B, b);
    rig.run(Duration::from_secs(1));
    let answer = rig.tape.sent(Side::A.way());
    assert!(answer.len() == 1 && answer[0].has(Flags::RST), "{answer:?}");
    lasted
}

#[test]
fn n12_fin_timeout() {
    assert_eq!(orphan(&[]), 60.0);
    assert_eq!(orphan(&[("net.ipv4.tcp_fin_timeout", "180")]), 180.0);
    assert_eq!(orphan(&[("net.ipv4.tcp_fin_timeout", "30")]), 30.0);
}

/// The sockets of a connection that A closes first.
fn close_both(rig: &mut Rig, [a, b]: [SocketId; 2]) {
    rig.run(Duration::from_secs(1));
    rig.close(Side::A, a);
    rig.run(Duration::from_secs(1));
    rig.close(Side::B, b);
}

/// Seconds from the peer's FIN to the end of TIME-WAIT.
fn time_wait(settings: &[(&str, &str)]) -> f64 {
    let mut rig = Rig::new(&delay(10), settings);
    let sockets = rig.connected(&[]);
    close_both(&mut rig, sockets);
    let start = rig.pair.now() + Duration::from_millis(10);
    rig.run(Duration::from_millis(10));
    assert_eq!(rig.pair.endpoint(Side::A).time_waits(), 1);
    assert!(rig.pair.drive(crate::rig::LONG, |pair| pair.endpoint(Side::A).time_waits() == 0));
    ms(rig.pair.now(), start) / 1e3
}

#[test]
fn n17_time_wait() {
    assert_eq!(time_wait(&[]), 60.0);
    assert_eq!(time_wait(&[("tcp_fin_timeout", "5")]), 60.0, "which does not set it");
    assert_eq!(time_wait(&[("tcp_timewait_len", "5")]), 5.0);
}

#[test]
fn n18_two_msl_of_two_minutes() {
    assert_eq!(time_wait(&[("cauce.profile", "rfc793")]), 240.0);
}

/// in this profile alone `tcp_fin_timeout` bounds TIME-WAIT; without timestamps, for the recycling of
/// those that have them is shorter still.
#[test]
fn x02_relief() {
    let relief = |timeout| {
        time_wait(&[
            ("cauce.profile", "time-wait-relief"),
            ("tcp_timestamps", "0"),
            ("tcp_fin_timeout", timeout),
        ])
    };
    assert_eq!((relief("30"), relief("7"), relief("90")), (30.0, 7.0, 60.0));
}

/// P-039: the trace of the document, with numbers from each side's ISN: A is at 100, B at 300.
#[test]
fn n37_close_in_numbers() {
    let mut rig = Rig::new(&delay(10), &[]);
    let [a, b] = rig.connected(&[]);
    rig.send(Side::A, a, 99);
    rig.send(Side::B, b, 299);
    rig.run(Duration::from_secs(1));
    rig.drain(Side::A, a);
    rig.drain(Side::B, b);
    let isn = Side::BOTH.map(|side| rig.tape.sent(side.way())[0].seq);
    rig.tape.clear();
    close_both(&mut rig, [a, b]);
    let start = rig.pair.now() - Duration::from_secs(1);
    rig.run(Duration::from_millis(20) + TICK);
    let seen: Vec<_> = rig
        .tape
        .all()
        .iter()
        .map(|segment| {
            let from = segment.way as usize;
            let seq = segment.seq.0.wrapping_sub(isn[from].0);
            let ack = segment.ack.0.wrapping_sub(isn[1 - from].0);
            (ms(segment.at, start), from, seq, ack, segment.flags, segment.len)
        })
        .collect();
    let (fin, ack) = (Flags::FIN | Flags::ACK, Flags::ACK);
    assert_eq!(
        seen,
        [
            (0.0, 0, 100, 300, fin, 0),
            // After traffic both ways B's stack waits for its user's answer.
            (50.0, 1, 300, 101, ack, 0),
            (1000.0, 1, 300, 101, fin, 0),
            (1010.0, 0, 101, 301, ack, 0),
        ]
    );
    assert_eq!(rig.pair.endpoint(Side::A).time_waits(), 1);
    assert_eq!(rig.pair.endpoint(Side::B).deadlines(), 0, "B is closed");
    rig.run(Duration::from_secs(60));
    assert_eq!(rig.pair.endpoint(Side::A).deadlines(), 0, "and so is A, two MSL later");
}
