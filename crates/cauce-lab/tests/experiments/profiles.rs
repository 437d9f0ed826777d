//! What a profile changes on the wire: N-01, N-21, N-27, N-28, and.

use crate::rig::{Rig, delay, ms};
use cauce_core::counters::Counter;
use cauce_core::socket::SocketId;
use cauce_core::socket::options::SocketOption;
use cauce_core::time::Duration;
use cauce_lab::faults::Outage;
use cauce_lab::pair::{PairOptions, Side};
use cauce_lab::tape::Segment;
use cauce_wire::Flags;

/// A stream of `bytes` from A to B, whose user reads it all as it comes.
fn bulk(rig: &mut Rig, [a, b]: [SocketId; 2], bytes: usize) {
    let (mut written, mut read) = (0, 0);
    let chunk = vec![7; 1 << 20];
    let mut buffer = vec![0; 1 << 20];
    let done = rig.pair.drive(crate::rig::LONG, |pair| {
        let part = &chunk[..chunk.len().min(bytes - written)];
        written += pair.with(Side::A, |stack, now| stack.socket(a).send(now, part).unwrap_or(0));
        read += pair.with(Side::B, |stack, now| stack.socket(b).recv(now, &mut buffer).unwrap_or(0));
        read == bytes
    });
    assert!(done);
}

/// The SYN of A and the SYN,ACK of B.
fn handshake(rig: &Rig) -> [Segment; 2] {
    Side::BOTH.map(|side| rig.tape.sent(side.way())[0].clone())
}

/// The largest window that B has offered, in bytes.
fn largest_window(rig: &Rig) -> u64 {
    let scale = handshake(rig)[1].options.window_scale.unwrap_or(0);
    let sent = rig.tape.sent(Side::B.way());
    let windows = sent.iter().map(|segment| match segment.has(Flags::SYN) {
        true => u64::from(segment.window),
        false => u64::from(segment.window) << scale,
    });
    windows.max().unwrap()
}

/// without scaling a window of 65,535 bytes a round trip of 100 ms is 5.24 Mbit/s, on a link of 1 Gbit/s.
#[test]
fn n01_window_over_round_trip() {
    let options = PairOptions { rate: Some(1_000_000_000), ..delay(50) };
    let mut rig = Rig::new(&options, &[("tcp_window_scaling", "0")]);
    rig.set(Side::B, &[("tcp_rmem", "4096 400000 400000")]);
    let sockets = rig.connected(&[]);
    let calculated = 65_535.0 * 8.0 / 0.1;
    // A minute's worth, the first ten seconds of which are the start.
    let start = rig.pair.now();
    bulk(&mut rig, sockets, 6_500_000);
    let settled = rig.pair.now();
    bulk(&mut rig, sockets, 32_500_000);
    let end = rig.pair.now();
    let steady = 32_500_000.0 * 8.0 / end.since(settled).as_secs_f64();
    let whole = 39_000_000.0 * 8.0 / end.since(start).as_secs_f64();
    assert!((steady / calculated - 1.0).abs() <= 0.02, "{steady} of {calculated}");
    assert!((whole / calculated - 1.0).abs() <= 0.05, "{whole} of {calculated}");
    assert!(end.since(start) >= Duration::from_secs(58));
}

/// S-03: a quarter of a buffer of 87,380 bytes is the application's in profile `manpage`, and only there.
#[test]
fn n21_adv_win_scale() {
    let window = |settings: &[(&str, &str)]| {
        let mut rig = Rig::new(&delay(10), settings);
        let buffer = [("tcp_rmem", "4096 87380 87380"), ("tcp_app_win", "0"), ("net.core.rmem_max", "4096")];
        rig.set(Side::B, &buffer);
        let sockets = rig.connected(&[]);
        bulk(&mut rig, sockets, 2_000_000);
        largest_window(&rig)
    };
    let manpage = |scale| window(&[("cauce.profile", "manpage"), ("tcp_adv_win_scale", scale)]);
    assert_eq!(manpage("2"), 65_534, "in units of 2 bytes");
    for (scale, most) in [("1", 43_690), ("3", 76_458), ("0", 87_380), ("-1", 43_690), ("-2", 21_845)] {
        let largest = manpage(scale);
        assert!(largest <= most && most - largest < 1448, "{scale}: {largest} of {most}");
    }
    let linux = ["1", "-2"].map(|scale| window(&[("tcp_adv_win_scale", scale)]));
    assert_eq!(linux[0], linux[1], "no effect on Linux 6.18");
}

/// whole segments, never more, whatever is read.
#[test]
fn q53_fixed_window() {
    for (speed, segments) in [("500000", 5), ("10000000", 12), ("1000000000", 44)] {
        let settings = [("cauce.profile", "windows-xp"), ("cauce.link_speed", speed)];
        let mut rig = Rig::new(&delay(10), &settings);
        let sockets = rig.connected(&[]);
        let [syn, syn_ack] = handshake(&rig);
        for segment in [syn, syn_ack] {
            assert_eq!((u64::from(segment.window), segment.options.mss), (segments * 1460, Some(1460)));
        }
        bulk(&mut rig, sockets, 1_000_000);
        assert_eq!(largest_window(&rig), segments * 1460);
    }
}

/// which of RFC 1323's options the SYN and the answer to a SYN with both carry.
#[test]
fn q55_options() {
    let offers = |settings: &[(&str, &str)]| {
        let mut rig = Rig::new(&delay(10), &[]);
        rig.set(Side::B, settings);
        rig.connected(&[]);
        let answer = handshake(&rig)[1].options.clone();
        let mut rig = Rig::new(&delay(10), &[]);
        rig.set(Side::A, settings);
        rig.connected(&[]);
        let [syn, syn_ack] = handshake(&rig);
        assert_eq!(syn_ack.options.window_scale.is_some(), syn.options.window_scale.is_some());
        [&syn.options, &answer].map(|options| (options.window_scale.is_some(), options.timestamps.is_some()))
    };
    let xp = ("cauce.profile", "windows-xp");
    assert_eq!(offers(&[xp]), [(false, false), (true, true)], "unset: only answers");
    for (bits, both) in
        [("0", (false, false)), ("1", (true, false)), ("2", (false, true)), ("3", (true, true))]
    {
        assert_eq!(offers(&[xp, ("Tcp1323Opts", bits)]), [both; 2], "{bits}");
    }
}

/// TcpWindowSize or SO_RCVBUF sets the window, and scaling begins behind 65,535.
#[test]
fn q56_buffer_and_scale() {
    let xp = [("cauce.profile", "windows-xp"), ("Tcp1323Opts", "1")];
    for (bytes, scale) in [(65_535, 0), (65_536, 1)] {
        let mut rig = Rig::new(&delay(10), &xp);
        rig.connected(&[SocketOption::RecvBuffer(bytes)]);
        assert_eq!(handshake(&rig)[0].options.window_scale, Some(scale), "SO_RCVBUF {bytes}");
        let mut rig = Rig::new(&delay(10), &xp);
        rig.set(Side::A, &[("TcpWindowSize", &bytes.to_string())]);
        rig.connected(&[]);
        // The largest window is a whole number of segments, which neither size is.
        let segment = &handshake(&rig)[0];
        assert_eq!((segment.window, segment.options.window_scale), (64_240, Some(scale)), "{bytes}");
    }
    let mut rig = Rig::new(&delay(10), &xp);
    rig.set(Side::A, &[("TcpWindowSize", "1073741823")]);
    rig.connected(&[]);
    assert_eq!(handshake(&rig)[0].options.window_scale, Some(14));
}

/// Q-57, N-28: windows grow by themselves to 16 MiB and no further, which fills 1 Gbit/s across 100 ms.
#[test]
fn n28_sixteen_mebibytes() {
    let options = PairOptions { rate: Some(1_000_000_000), ..delay(50) };
    let mut rig = Rig::new(&options, &[("cauce.profile", "windows-vista"), ("TcpWindowSize", "8192")]);
    let sockets = rig.connected(&[SocketOption::SendBufferForce(64 << 20)]);
    bulk(&mut rig, sockets, 150_000_000);
    let largest = largest_window(&rig);
    assert!((12_500_000..=16_777_216).contains(&largest), "{largest}");
}

/// a receiver that acknowledges every other segment, five round trips.
#[test]
fn n27_slow_start() {
    let window = |profile: &str| {
        let mut rig = Rig::new(&delay(50), &[("cauce.profile", profile)]);
        rig.set(Side::B, &[("cauce.profile", "linux-6.18"), ("tcp_rmem", "4096 8000000 8000000")]);
        let [a, b] = rig.connected(&[SocketOption::SendBuffer(4_000_000)]);
        rig.run(Duration::from_millis(200));
        assert_eq!(rig.info(Side::A, a).snd_cwnd, 10);
        rig.send(Side::A, a, 2_000_000);
        for _ in 0..51 {
            // A delayed acknowledgement that runs out makes Linux's receiver hurry again.
            rig.option(Side::B, b, SocketOption::QuickAck(false));
            rig.run(Duration::from_millis(10));
        }
        rig.info(Side::A, a).snd_cwnd
    };
    let [xp, vista, linux] = ["windows-xp", "windows-vista", "linux-6.18"].map(window);
    assert!((69..=84).contains(&xp), "10 * 1.5^5 = 76: {xp}");
    assert!((288..=352).contains(&vista), "10 * 2^5 = 320: {vista}");
    assert!((288..=352).contains(&linux), "{linux}");
}

/// five losses in one window. XP fills a hole a round trip, Vista all in one.
#[test]
fn q65_recovery() {
    let rounds = |profile: &str| {
        let settings = [("cauce.profile", profile), ("tcp_init_cwnd", "40"), ("Tcp1323Opts", "0")];
        // A tenth of a millisecond a segment.
        let options = PairOptions { rate: Some(120_000_000), ..delay(50) };
        let mut rig = Rig::new(&options, &settings);
        rig.set(Side::B, &[("tcp_rmem", "4096 200000 200000"), ("Tcp1323Opts", "1")]);
        rig.set(Side::A, &[("Tcp1323Opts", "1")]);
        let [a, _] = rig.connected(&[SocketOption::SendBuffer(400_000)]);
        rig.run(Duration::from_secs(1));
        let start = rig.pair.now();
        for lost in [2, 6, 10, 14, 18] {
            let from = start + Duration::from_micros(lost * 100 + 50);
            let outage = Outage::new(from, from + Duration::from_micros(100));
            rig.pair.link_mut(Side::A).faults_mut().push(Box::new(outage));
        }
        rig.send(Side::A, a, 40 * 1460);
        let first = rig.tape.sent(Side::A.way()).len();
        let all = rig.pair.drive(Duration::from_secs(20), |pair| {
            pair.with(Side::A, |stack, _| stack.socket(a).bytes_queued().0 == 0)
        });
        assert!(all && rig.pair.endpoint(Side::A).counters().get(Counter::RetransSegs) == 5, "{first}");
        assert_eq!(rig.pair.endpoint(Side::A).counters().get(Counter::TCPTimeouts), 0);
        // The last acknowledgement covers everything; the first round trip is that of the window itself.
        (ms(rig.pair.now(), start) / 100.0) as u32 - 1
    };
    assert_eq!((rounds("windows-xp"), rounds("windows-vista")), (5, 1));
}
