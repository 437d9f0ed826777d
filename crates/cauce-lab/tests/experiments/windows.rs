//! Closed windows, corks and buffers: N-13, N-22 and N-24.

use crate::rig::{Rig, delay, doubling, ms, near};
use cauce_core::counters::Counter;
use cauce_core::socket::options::SocketOption;
use cauce_core::time::Duration;
use cauce_lab::pair::Side;

/// O-02: a cork holds for 200 ms where there is no round trip to add to them.
#[test]
fn n13_cork() {
    let mut rig = Rig::new(&delay(0), &[]);
    let [a, b] = rig.connected(&[]);
    rig.run(Duration::from_secs(1));
    rig.option(Side::A, a, SocketOption::Cork(true));
    let start = rig.pair.now();
    rig.tape.clear();
    rig.send(Side::A, a, 100);
    rig.send(Side::A, a, 100);
    rig.run(Duration::from_secs(1));
    let sent: Vec<_> =
        rig.tape.sent(Side::A.way()).iter().map(|segment| (ms(segment.at, start), segment.len)).collect();
    assert_eq!(sent, [(200.0, 200)]);
    assert_eq!(rig.drain(Side::B, b), 200);
}

/// O-30, O-31: buffers are doubled.
#[test]
fn n22_buffers() {
    let mut rig = Rig::new(&delay(10), &[]);
    let id = rig.connect(&[SocketOption::RecvBuffer(65_536), SocketOption::SendBuffer(65_536)]);
    rig.pair.with(Side::A, |stack, _| {
        let socket = stack.socket(id);
        let options = socket.options().unwrap();
        assert_eq!((options.recv_buffer_size(), options.send_buffer_size()), (131_072, 131_072));
    });
}

/// Probes of a window that is closed for a minute: when they leave in units of the time-out, and how long each is.
fn probes(settings: &[(&str, &str)]) -> (Vec<f64>, Vec<usize>) {
    // Each answer starts the next interval, which a path of two microseconds makes hardly later.
    let mut rig = Rig::new(&near(), settings);
    let [a, b] = rig.connected_to(&[SocketOption::RecvBuffer(1)], &[SocketOption::SendBuffer(1 << 20)]);
    rig.send(Side::A, a, 20_000);
    rig.pair.drive(crate::rig::LONG, |pair| {
        pair.endpoint(Side::B).counters().get(Counter::TCPToZeroWindowAdv) > 0
    });
    rig.run(Duration::from_micros(1));
    let start = rig.pair.now();
    let timeout = f64::from(rig.info(Side::A, a).rto) / 1e3;
    assert!((200.0..=212.0).contains(&timeout), "three ticks at most, for a delayed acknowledgement");
    rig.tape.clear();
    rig.run(Duration::from_secs(60));
    let sent = rig.tape.sent(Side::A.way());
    // Each is answered, but for an empty one that comes too soon after another (S-67).
    let answers = rig.tape.sent(Side::B.way()).len();
    assert_eq!(answers, sent.len() - usize::from(sent[0].len == 0));
    // The window opens: what waited goes on, the byte of a probe counted once (P-068).
    let mut read = 0;
    let all = rig.pair.now() + Duration::from_secs(120);
    while read < 20_000 && rig.pair.now() < all {
        read += rig.drain(Side::B, b);
        rig.run(Duration::from_millis(10));
    }
    assert_eq!(read, 20_000);
    (
        sent.iter().map(|segment| ms(segment.at, start).round() / timeout).collect(),
        sent.iter().map(|segment| segment.len).collect(),
    )
}

/// 1, 3, 7 … 255 time-outs after the window closed: 0.2, 0.6 … 51 s. X-03: one byte in the profiles that follow the
/// RFCs, none in Linux's.
#[test]
fn n24_window_probes() {
    let expected = doubling(1.0, 9)[1..].to_vec();
    for (profile, len) in [("manpage", 1), ("rfc793", 1), ("linux-6.18", 0)] {
        assert_eq!(probes(&[("cauce.profile", profile)]), (expected.clone(), vec![len; 8]), "{profile}");
    }
    assert_eq!(probes(&[("tcp_probe_bytes", "1")]).1, [1; 8]);
}
