//! Keepalive: N-02, N-03, N-04 and the idle case of N-14.

use crate::rig::{Rig, delay, ms};
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::SocketOption;
use cauce_core::socket::readiness::Readiness;
use cauce_lab::pair::Side;
use cauce_wire::Flags;

/// Seconds after the last word of the peer at which probes leave and the connection ends, with a reset.
fn vanish(settings: &[(&str, &str)], options: &[SocketOption]) -> (Vec<f64>, f64) {
    let mut rig = Rig::new(&delay(10), settings);
    rig.listen();
    let id = rig.connect(&[&[SocketOption::KeepAlive(true)], options].concat());
    let open = rig.pair.drive(crate::rig::LONG, |pair| {
        pair.with(Side::A, |stack, _| stack.socket(id).readiness().contains(Readiness::OUT))
    });
    assert!(open);
    let start = rig.pair.now();
    rig.pair.silence(Side::B);
    rig.tape.clear();
    let (end, error) = rig.failure(Side::A, id);
    assert_eq!(error, Errno::ETIMEDOUT);
    let iss = rig.tape.all()[0].seq;
    // The first segment on the tape is a probe: one before the next number, without text (S-25).
    let sent = rig.tape.sent(Side::A.way());
    let (reset, probes) = sent.split_last().unwrap();
    for probe in probes {
        assert!(probe.is(Flags::ACK) && probe.len == 0 && probe.seq == iss, "{probe:?}");
    }
    assert!(reset.has(Flags::RST) && reset.at == end, "{reset:?}");
    (probes.iter().map(|probe| ms(probe.at, start) / 1e3).collect(), ms(end, start) / 1e3)
}

fn every(first: u32, step: u32, count: u32) -> Vec<f64> {
    (0..count).map(|k| f64::from(first + step * k)).collect()
}

/// 7200 s, then 675 s: eleven and a quarter minutes.
#[test]
fn n02_defaults() {
    assert_eq!(vanish(&[], &[]), (every(7200, 75, 9), 7875.0));
}

/// the settings as sysctl takes them, as a profile, and under Windows' names.
#[test]
fn n03_azure() {
    let expected = (vec![120.0, 150.0, 180.0, 210.0, 240.0, 270.0, 300.0, 330.0], 360.0);
    let linux = [
        ("net.ipv4.tcp_keepalive_time", "120"),
        ("net.ipv4.tcp_keepalive_intvl", "30"),
        ("net.ipv4.tcp_keepalive_probes", "8"),
    ];
    assert_eq!(vanish(&linux, &[]), expected);
    let windows =
        [("KeepAliveTime", "120000"), ("KeepAliveInterval", "30000"), ("TcpMaxDataRetransmissions", "8")];
    assert_eq!(vanish(&windows, &[]), expected);
    for profile in ["azure-linux", "azure-windows"] {
        assert_eq!(vanish(&[("cauce.profile", profile)], &[]), expected, "{profile}");
    }
}

/// a peer that answers is probed again a whole idle time after its answer.
#[test]
fn q07_answered_probes() {
    let mut rig = Rig::new(&delay(10), &[("cauce.profile", "azure-linux")]);
    let [_, _] = rig.connected(&[SocketOption::KeepAlive(true)]);
    let start = rig.tape.sent(Side::B.way())[0].at;
    rig.run(std::time::Duration::from_secs(600));
    // The SYN,ACK arrived 10 ms after it left; each answer takes 20 ms to come.
    let probes = rig.times(Side::A, start, |segment| segment.is(Flags::ACK));
    assert_eq!(probes, [10.0, 120_010.0, 240_030.0, 360_050.0, 480_070.0]);
}

/// the recipe against TIME-WAITs shortens keepalive too.
#[test]
fn n04_recipe() {
    let expected = (vec![120.0, 150.0, 180.0], 210.0);
    let recipe =
        [("tcp_keepalive_time", "120"), ("tcp_keepalive_intvl", "30"), ("tcp_keepalive_probes", "3")];
    assert_eq!(vanish(&recipe, &[]), expected);
    assert_eq!(vanish(&[("cauce.profile", "time-wait-relief")], &[]), expected);
}

/// N-14 (c), O-26: with TCP_USER_TIMEOUT the idle time decides, not the count; it is looked at when a probe is due.
#[test]
fn n14_user_timeout_of_an_idle_connection() {
    let scaled = |count, timeout| {
        let options = [
            SocketOption::KeepIdle(1),
            SocketOption::KeepInterval(1),
            SocketOption::KeepCount(count),
            SocketOption::UserTimeout(timeout),
        ];
        vanish(&[], &options)
    };
    assert_eq!(scaled(9, 3000), (vec![1.0, 2.0], 3.0));
    assert_eq!(scaled(9, 3500), (vec![1.0, 2.0, 3.0], 4.0));
    assert_eq!(scaled(2, 60_000), (every(1, 1, 59), 60.0));
}
