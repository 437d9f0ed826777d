//! SYNs that nobody answers: N-05, N-06, N-07, N-16, and the SYN,ACKs of S-45.

use crate::rig::{Rig, delay, ms};
use cauce_core::socket::errno::Errno;
use cauce_core::time::Duration;
use cauce_lab::pair::Side;
use cauce_wire::Flags;

/// Seconds after the first SYN at which each leaves, and at which the call fails.
fn black_hole(settings: &[(&str, &str)]) -> (Vec<f64>, f64) {
    let mut rig = Rig::new(&delay(10), settings);
    rig.pair.silence(Side::A);
    let start = rig.pair.now();
    let id = rig.connect(&[]);
    let (end, error) = rig.failure(Side::A, id);
    assert_eq!(error, Errno::ETIMEDOUT);
    let syns = rig.times(Side::A, start, |segment| segment.is(Flags::SYN));
    assert_eq!(syns.len(), rig.tape.all().len(), "nothing but SYNs");
    (syns.into_iter().map(|at| at / 1e3).collect(), ms(end, start) / 1e3)
}

/// six retries last 127 s, as in profile `manpage`; the default puts four linear steps before them.
#[test]
fn n05_six_retries() {
    let expected = (vec![0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0], 127.0);
    assert_eq!(black_hole(&[("net.ipv4.tcp_syn_linear_timeouts", "0")]), expected);
    assert_eq!(black_hole(&[("cauce.profile", "manpage")]), expected);
    let expected = (vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 11.0, 19.0, 35.0, 67.0], 131.0);
    assert_eq!(black_hole(&[]), expected);
}

/// Before Linux 3.7: about 180 s.
#[test]
fn n06_five_retries_of_three_seconds() {
    let settings =
        [("tcp_syn_linear_timeouts", "0"), ("tcp_syn_retries", "5"), ("tcp_rto_initial_ms", "3000")];
    let (syns, end) = black_hole(&settings);
    assert_eq!(syns, [0.0, 3.0, 9.0, 21.0, 45.0, 93.0]);
    assert_eq!(end, 189.0);
    assert!((end - 180.0).abs() <= 180.0 * 0.06);
}

#[test]
fn n07_defaults_of_today() {
    let syns = vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 11.0, 19.0, 35.0, 67.0];
    assert_eq!(black_hole(&[]), (syns, 131.0));
}

#[test]
fn n16_ranges() {
    let mut rig = Rig::new(&delay(10), &[("tcp_syn_retries", "127"), ("tcp_synack_retries", "255")]);
    rig.pair.with(Side::A, |stack, _| {
        for (name, text) in
            [("tcp_syn_retries", "128"), ("tcp_synack_retries", "256"), ("tcp_syn_retries", "0")]
        {
            assert_eq!(stack.sysctl_mut().set(name, text).unwrap_err().errno_name(), "EINVAL");
        }
        assert_eq!(stack.sysctl().get("tcp_syn_retries").unwrap(), "127");
        assert_eq!(stack.sysctl().get("tcp_synack_retries").unwrap(), "255");
    });
}

/// S-45: the other side of a handshake; a longer initial time-out stretches it as well.
#[test]
fn s45_syn_acks() {
    for (initial, scale) in [("1000", 1.0), ("3000", 3.0)] {
        let mut rig = Rig::new(&delay(10), &[("tcp_rto_initial_ms", initial)]);
        rig.set(Side::A, &[("tcp_syn_retries", "1"), ("tcp_syn_linear_timeouts", "0")]);
        rig.listen();
        rig.pair.silence(Side::B);
        let start = rig.pair.now() + Duration::from_millis(10);
        let a = rig.connect(&[]);
        // A repeats its SYN once, which B answers at once without losing count.
        rig.close(Side::A, a);
        rig.run(Duration::from_secs(300));
        let syn_acks = rig.times(Side::B, start, |segment| segment.is(Flags::SYN | Flags::ACK));
        let expected: Vec<f64> = [0.0, 1.0, 3.0, 7.0, 15.0, 31.0].map(|s| s * scale * 1e3).into();
        assert_eq!(syn_acks, expected);
        assert_eq!(rig.pair.endpoint(Side::B).half_open(), 0);
    }
}
