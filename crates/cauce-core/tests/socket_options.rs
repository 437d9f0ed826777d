//! What options take and read (REQUIREMENTS section 2). The values are this kernel's, asked by getsockopt(2)
//! after setsockopt(2) on fresh sockets, listeners and connections of Linux 6.18.

mod common;

use cauce_core::batch::TrafficClass;
use cauce_core::frame::{DeviceId, Frame};
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::{OptionName as Name, OptionValue as Value, SocketOption as Set};
use cauce_core::socket::{Family, SocketId};
use cauce_core::time::Duration;
use common::Two;
use common::heard::option_heard;

fn get(two: &mut Two, stack: usize, id: SocketId, name: Name) -> Result<Value, Errno> {
    let now = two.now;
    two.stacks[stack].socket(id).option(now, name)
}

fn int(two: &mut Two, stack: usize, id: SocketId, name: Name) -> i32 {
    match get(two, stack, id, name) {
        Ok(Value::Int(value)) => value,
        other => panic!("{name:?} reads {other:?}"),
    }
}

const FRESH: &[(Name, i32)] = &[
    (Name::ReuseAddr, 0),
    (Name::Type, 1),
    (Name::Error, 0),
    (Name::SendBuffer, 16384),
    (Name::RecvBuffer, 131072),
    (Name::KeepAlive, 0),
    (Name::OobInline, 0),
    (Name::Priority, 0),
    (Name::ReusePort, 0),
    (Name::RecvLowat, 1),
    (Name::SendLowat, 1),
    (Name::AcceptConn, 0),
    (Name::Mark, 0),
    (Name::Timestamping, 0),
    (Name::Protocol, 6),
    (Name::Domain, 2),
    (Name::PeekOffset, -1),
    (Name::IncomingCpu, -1),
    (Name::ZeroCopy, 0),
    (Name::NoDelay, 0),
    (Name::MaxSegment, 536),
    (Name::Cork, 0),
    (Name::KeepIdle, 7200),
    (Name::KeepInterval, 75),
    (Name::KeepCount, 9),
    (Name::SynCount, 6),
    (Name::Linger2, 60),
    (Name::DeferAccept, 0),
    (Name::WindowClamp, 0),
    (Name::QuickAck, 1),
    (Name::ThinLinearTimeouts, 0),
    (Name::ThinDupAck, 0),
    (Name::UserTimeout, 0),
    (Name::NotSentLowat, 0),
    (Name::SaveSyn, 0),
    (Name::Inq, 0),
    (Name::RtoMax, 120_000),
    (Name::Tos, 0),
    (Name::Ttl, 64),
    (Name::MtuDiscover, 1),
    (Name::RecvErr, 0),
    (Name::FreeBind, 0),
    (Name::Transparent, 0),
    (Name::MinTtl, 0),
    (Name::ReceiveTimestamp, 0),
    (Name::ReceiveTimestampNanos, 0),
];

#[test]
fn a_fresh_socket() {
    let mut two = Two::new();
    let id = two.stacks[0].open(Family::V4).unwrap();
    for (name, value) in FRESH {
        assert_eq!(int(&mut two, 0, id, *name), *value, "{name:?}");
    }
    assert_eq!(get(&mut two, 0, id, Name::Mtu), Err(Errno::ENOTCONN));
    assert_eq!(get(&mut two, 0, id, Name::MaxPacingRate), Ok(Value::Long(u64::MAX)));
    assert_eq!(get(&mut two, 0, id, Name::Linger), Ok(Value::Linger { on: false, seconds: 0 }));
    assert_eq!(get(&mut two, 0, id, Name::RecvTimeout), Ok(Value::Time(Duration::ZERO)));
    assert_eq!(get(&mut two, 0, id, Name::BindToDevice), Ok(Value::Bytes(Vec::new())));
    assert_eq!(get(&mut two, 0, id, Name::SavedSyn), Ok(Value::Bytes(Vec::new())));
    assert_eq!(get(&mut two, 0, id, Name::V6Only), Err(Errno::ENOPROTOOPT));
    assert_eq!(get(&mut two, 0, id, Name::Congestion), Ok(Value::Bytes(b"cubic".to_vec())));
    let memory = Value::Words([0, 131072, 0, 16384, 0, 0, 0, 0, 0]);
    assert_eq!(get(&mut two, 0, id, Name::MemInfo), Ok(memory));
    let six = two.stacks[0].open(Family::V6).unwrap();
    assert_eq!((int(&mut two, 0, six, Name::Domain), int(&mut two, 0, six, Name::V6Only)), (10, 0));
    assert_ne!(get(&mut two, 0, id, Name::Cookie), get(&mut two, 0, six, Name::Cookie));
}

/// Each value, what setsockopt says to it, and what reads back.
#[test]
fn values_are_checked_and_rounded() {
    const BAD: i32 = i32::MIN;
    /// An option, how it is made, and each value with what it reads as.
    type Row = (Name, fn(i32) -> Set, &'static [(i32, i32)]);
    let table: &[Row] = &[
        (Name::SendBuffer, Set::SendBuffer, &[(-1, 8388608), (0, 4608), (40000, 80000), (i32::MAX, 8388608)]),
        (Name::RecvBuffer, Set::RecvBuffer, &[(-1, 8388608), (0, 2304), (40000, 80000), (i32::MAX, 8388608)]),
        (Name::RecvLowat, Set::RecvLowat, &[(-1, 16777216), (0, 1), (300, 300), (i32::MAX, 16777216)]),
        (Name::Priority, Set::Priority, &[(-2, -2), (0, 0), (300, 300)]),
        (Name::PeekOffset, Set::PeekOffset, &[(-2, -2), (-1, -1), (300, 300)]),
        (Name::IncomingCpu, Set::IncomingCpu, &[(-2, -2), (0, 0), (300, 300)]),
        (Name::ZeroCopy, Set::ZeroCopy, &[(-1, BAD), (0, 0), (1, 1), (2, BAD)]),
        (Name::Inq, Set::Inq, &[(-1, BAD), (0, 0), (1, 1), (2, BAD)]),
        (Name::ThinLinearTimeouts, Set::ThinLinearTimeouts, &[(-1, BAD), (0, 0), (1, 1), (2, BAD)]),
        (Name::ThinDupAck, Set::ThinDupAck, &[(-1, BAD), (0, 0), (1, 0), (2, BAD)]),
        (Name::SaveSyn, Set::SaveSyn, &[(-1, BAD), (0, 0), (1, 1), (2, 2), (3, BAD)]),
        (Name::RtoMax, Set::RtoMax, &[(-1, BAD), (999, BAD), (1000, 1000), (40000, 40000), (120_001, BAD)]),
        (Name::MinTtl, Set::MinTtl, &[(-1, BAD), (0, 0), (255, 255), (256, BAD)]),
        (Name::Linger2, Set::Linger2, &[(-2, -1), (0, 60), (88, 88), (200, 120)]),
        (
            Name::DeferAccept,
            Set::DeferAccept,
            &[
                (-2, 0),
                (0, 0),
                (1, 1),
                (2, 3),
                (3, 3),
                (5, 7),
                (88, 127),
                (200, 247),
                (300, 367),
                (40000, 29887),
            ],
        ),
        (Name::Ttl, Set::Ttl, &[(-2, BAD), (-1, 64), (0, BAD), (1, 1), (255, 255), (256, BAD)]),
        (Name::Tos, Set::Tos, &[(-1, 252), (1, 0), (5, 4), (88, 88), (300, 44)]),
        (Name::MtuDiscover, Set::MtuDiscover, &[(-1, BAD), (0, 0), (5, 5), (6, BAD)]),
        (Name::WindowClamp, |v| Set::WindowClamp(v as u32), &[(0, 0), (1, 1152), (40000, 40000)]),
        (Name::NotSentLowat, |v| Set::NotSentLowat(v as u32), &[(-1, -1), (0, 0), (300, 300)]),
        (
            Name::KeepIdle,
            |v| Set::KeepIdle(v as u32),
            &[(-1, BAD), (0, BAD), (1, 1), (32767, 32767), (32768, BAD)],
        ),
        (
            Name::KeepInterval,
            |v| Set::KeepInterval(v as u32),
            &[(0, BAD), (1, 1), (32767, 32767), (32768, BAD)],
        ),
        (Name::KeepCount, |v| Set::KeepCount(v as u32), &[(0, BAD), (1, 1), (127, 127), (128, BAD)]),
        (Name::SynCount, |v| Set::SynCount(v as u32), &[(0, BAD), (1, 1), (127, 127), (128, BAD)]),
        (Name::UserTimeout, |v| Set::UserTimeout(v as u32), &[(-1, BAD), (0, 0), (i32::MAX, i32::MAX)]),
        (
            Name::MaxSegment,
            |v| Set::MaxSegment(v as u32),
            &[(0, 536), (87, BAD), (88, 88), (32767, 32767), (32768, BAD)],
        ),
    ];
    for (name, make, values) in table {
        for (value, expected) in *values {
            let mut two = Two::new();
            let id = two.stacks[0].open(Family::V4).unwrap();
            let before = int(&mut two, 0, id, *name);
            let now = two.now;
            let result = two.stacks[0].socket(id).set_option(now, make(*value));
            if *expected == BAD {
                assert_eq!(result, Err(Errno::EINVAL), "{name:?} {value}");
                assert_eq!(int(&mut two, 0, id, *name), before, "{name:?} {value}: nothing changes");
            } else {
                assert_eq!(result, Ok(()), "{name:?} {value}");
                assert_eq!(int(&mut two, 0, id, *name), *expected, "{name:?} {value}");
            }
        }
    }
}

#[test]
fn what_a_connection_reads() {
    let mut two = Two::new();
    let (client, server) = two.connected();
    for (stack, id) in [(0, client), (1, server)] {
        assert_eq!(int(&mut two, stack, id, Name::MaxSegment), 1448);
        assert_eq!(int(&mut two, stack, id, Name::Mtu), 1500);
        assert_eq!(int(&mut two, stack, id, Name::WindowClamp), 65536 - 1448);
        let now = two.now;
        let mut socket = two.stacks[stack].socket(id);
        assert_eq!(socket.set_option(now, Set::WindowClamp(0)), Err(Errno::EINVAL));
        assert_eq!(socket.set_option(now, Set::MaxSegment(700)), Ok(()));
        assert_eq!(socket.set_option(now, Set::TimestampClock), Err(Errno::EPERM));
        assert_eq!(int(&mut two, stack, id, Name::MaxSegment), 1448, "O-09: too late to change anything");
    }
    let first = int(&mut two, 0, client, Name::Timestamp);
    two.pass(Duration::from_millis(250));
    assert_eq!(int(&mut two, 0, client, Name::Timestamp).wrapping_sub(first), 250);
}

/// Section 2, "inherits": what an accepted socket starts with.
#[test]
fn what_children_inherit() {
    let mut two = Two::new();
    let at = "10.0.0.2:80".parse().unwrap();
    let now = two.now;
    let listener = two.stacks[1].open(Family::V4).unwrap();
    let mut socket = two.stacks[1].socket(listener);
    socket.bind(at).unwrap();
    for option in [
        Set::Priority(3),
        Set::Mark(7),
        Set::Inq(1),
        Set::ThinLinearTimeouts(1),
        Set::RtoMax(5000),
        Set::MinTtl(5),
        Set::ZeroCopy(1),
        Set::PeekOffset(3),
        Set::Timestamping(528),
        Set::ReceiveTimestampNanos(true),
        Set::SaveSyn(1),
        Set::NotSentLowat(77),
        Set::DeferAccept(0),
        Set::KeepCount(5),
    ] {
        socket.set_option(now, option).unwrap();
    }
    socket.listen(3).unwrap();
    assert_eq!(socket.set_option(now, Set::WindowClamp(0)), Err(Errno::EINVAL));
    assert_eq!(socket.set_option(now, Set::Timestamping(528 | 128)), Err(Errno::EINVAL));
    assert_eq!(int(&mut two, 1, listener, Name::AcceptConn), 1);
    let client = two.stacks[0].open(Family::V4).unwrap();
    let _ = two.stacks[0].socket(client).connect(now, at);
    two.exchange();
    let now = two.now;
    let child = two.stacks[1].socket(listener).accept(now).unwrap();
    for (name, value) in [
        (Name::Priority, 0),
        (Name::Mark, 7),
        (Name::Inq, 1),
        (Name::ThinLinearTimeouts, 1),
        (Name::RtoMax, 5000),
        (Name::MinTtl, 5),
        (Name::ZeroCopy, 1),
        (Name::PeekOffset, 3),
        (Name::Timestamping, 528),
        (Name::ReceiveTimestamp, 0),
        (Name::ReceiveTimestampNanos, 1),
        (Name::SaveSyn, 1),
        (Name::NotSentLowat, 77),
        (Name::KeepCount, 5),
        (Name::AcceptConn, 0),
    ] {
        assert_eq!(int(&mut two, 1, child, name), value, "{name:?}");
    }
    // O-21: the headers of the SYN, once.
    let Ok(Value::Bytes(headers)) = get(&mut two, 1, child, Name::SavedSyn) else { panic!() };
    assert_eq!((headers.len(), headers[0], headers[33] & 0x3f), (60, 0x45, 0x02));
    assert_eq!(get(&mut two, 1, child, Name::SavedSyn), Ok(Value::Bytes(Vec::new())));
}

/// O-22: what is left after a read, and 1 when only the end of the stream is left.
#[test]
fn o22_inq() {
    let mut two = Two::new();
    let (client, server) = two.connected();
    let now = two.now;
    two.stacks[0].socket(client).send(now, &[1; 100]).unwrap();
    two.exchange();
    let now = two.now;
    let mut socket = two.stacks[1].socket(server);
    assert_eq!(socket.inq(), None);
    socket.set_option(now, Set::Inq(1)).unwrap();
    socket.recv(now, &mut [0; 30]).unwrap();
    assert_eq!(socket.inq(), Some(70));
    socket.recv(now, &mut [0; 70]).unwrap();
    assert_eq!(socket.inq(), Some(0));
    two.close(0, client);
    two.exchange();
    assert_eq!(two.stacks[1].socket(server).inq(), Some(1));
}

/// SO_PEEK_OFF: peeks go on, reads bring the offset back.
#[test]
fn peeks_with_an_offset() {
    let mut two = Two::new();
    let (client, server) = two.connected();
    let now = two.now;
    two.stacks[0].socket(client).send(now, b"0123456789").unwrap();
    two.exchange();
    let now = two.now;
    let mut socket = two.stacks[1].socket(server);
    socket.set_option(now, Set::PeekOffset(2)).unwrap();
    let mut buffer = [0; 3];
    for expected in [b"234", b"567"] {
        assert_eq!(socket.peek(now, &mut buffer), Ok(3));
        assert_eq!(&buffer, expected);
    }
    assert_eq!(socket.recv(now, &mut buffer), Ok(3));
    assert_eq!(&buffer, b"012");
    assert_eq!(socket.peek(now, &mut buffer), Ok(2), "five of the seven left are passed");
    assert_eq!(&buffer[..2], b"89");
    assert_eq!(socket.peek(now, &mut buffer), Err(Errno::EAGAIN));
    assert_eq!(socket.recv(now, &mut [0; 9]), Ok(7));
    let now = two.now;
    assert_eq!(two.stacks[1].socket(server).option(now, Name::PeekOffset), Ok(Value::Int(0)));
}

/// O-55: segments from too far away are not for this socket.
#[test]
fn o55_min_ttl() {
    for (least, lives) in [(64, true), (65, false)] {
        let mut two = Two::new();
        let (client, server) = two.connected();
        let now = two.now;
        two.stacks[1].socket(server).set_option(now, Set::MinTtl(least)).unwrap();
        two.stacks[0].socket(client).send(now, b"x").unwrap();
        two.exchange();
        assert_eq!(two.stacks[1].socket(server).bytes_to_read(), usize::from(lives));
    }
}

/// O-43: a socket bound to a device goes over it alone, and its listener hears nothing from others.
#[test]
fn o43_bind_to_device() {
    use cauce_core::stack::{InterfaceConfig, Medium};
    for (bound, heard) in [(None, true), (Some("pipe"), true), (Some("other"), false)] {
        let mut two = Two::new();
        let config = InterfaceConfig { name: "other".into(), mtu: 1500, medium: Medium::Ip, max_super: 0 };
        two.stacks[1].add_interface(config);
        let at = "10.0.0.2:80".parse().unwrap();
        let listener = two.stacks[1].open(Family::V4).unwrap();
        let device = bound.map(|name| two.stacks[1].interfaces().by_name(name).unwrap());
        assert_eq!(bound.is_some(), device.is_some());
        assert_ne!(device, Some(DeviceId(7)));
        let now = two.now;
        two.stacks[1].socket(listener).bind(at).unwrap();
        two.stacks[1].socket(listener).listen(3).unwrap();
        two.stacks[1].socket(listener).set_option(now, Set::BindToDevice(device)).unwrap();
        let name = Value::Bytes(bound.unwrap_or("").into());
        assert_eq!(get(&mut two, 1, listener, Name::BindToDevice), Ok(name));
        let client = two.stacks[0].open(Family::V4).unwrap();
        let now = two.now;
        let _ = two.stacks[0].socket(client).connect(now, at);
        two.exchange();
        let now = two.now;
        assert_eq!(two.stacks[0].socket(client).connect(now, at).is_ok(), heard, "{bound:?}");
    }
    let mut two = Two::new();
    let config = InterfaceConfig { name: "other".into(), mtu: 1500, medium: Medium::Ip, max_super: 0 };
    let other = two.stacks[0].add_interface(config);
    let client = two.stacks[0].open(Family::V4).unwrap();
    let now = two.now;
    two.stacks[0].socket(client).set_option(now, Set::BindToDevice(Some(other))).unwrap();
    let result = two.stacks[0].socket(client).connect(now, "10.0.0.2:80".parse().unwrap());
    assert_eq!(result, Err(Errno::ENETUNREACH));
}

/// O-20, O-24: the cap of the time-out, and linear time-outs of thin streams, act on the timer.
#[test]
fn o20_o24_time_outs() {
    let mut capped = Vec::new();
    for option in [None, Some(Set::RtoMax(1000)), Some(Set::RtoMax(1001))] {
        let mut two = Two::new();
        let (client, _server) = two.connected();
        let now = two.now;
        if let Some(option) = option {
            two.stacks[0].socket(client).set_option(now, option).unwrap();
        }
        two.stacks[0].socket(client).send(now, b"x").unwrap();
        let mut batch = cauce_core::batch::Batch::new(64);
        let mut last = now;
        for _ in 0..8 {
            two.stacks[0].poll_transmit(last, &mut batch);
            last = two.stacks[0].poll_timeout().unwrap().0;
            two.stacks[0].handle_timeout(last);
        }
        capped.push(two.stacks[0].socket(client).tcp_info(last).unwrap().rto);
    }
    // What is no whole number of ticks is rounded up.
    assert!(capped[0] > 5_000_000 && capped[1..] == [1_000_000, 1_004_000], "{capped:?}");
}

/// The class of what a client sends, with an option or without.
fn class_of_what_leaves(option: Option<Set>) -> TrafficClass {
    let mut two = Two::new();
    let (client, _server) = two.connected();
    let now = two.now;
    if let Some(option) = option {
        two.stacks[0].socket(client).set_option(now, option).unwrap();
    }
    two.stacks[0].socket(client).send(now, b"text").unwrap();
    let [packet] = &two.sent_by(0)[..] else { panic!("one packet") };
    packet.token.class
}

/// O-42: SO_PRIORITY goes down to the device with each packet.
#[test]
fn o42_priority() {
    let classes = option_heard("SO_PRIORITY", Set::Priority(5), class_of_what_leaves);
    assert_eq!(classes.map(|class| class.priority), [0, 5]);
}

/// O-42: SO_MARK goes down to the device with each packet.
#[test]
fn o42_mark() {
    let classes = option_heard("SO_MARK", Set::Mark(77), class_of_what_leaves);
    assert_eq!(classes.map(|class| class.mark), [0, 77]);
}

/// O-44: of the listeners that share a port, the one whose SO_INCOMING_CPU is the queue on which a SYN came gets it.
#[test]
fn o44_incoming_cpu() {
    const QUEUE: u16 = 7;
    const CLIENTS: usize = 8;
    let accepted = option_heard("SO_INCOMING_CPU", Set::IncomingCpu(QUEUE.into()), |option| {
        let mut two = Two::new();
        let now = two.now;
        let [_, preferred] = [None, option].map(|option| {
            let listener = two.stacks[1].open(Family::V4).unwrap();
            let mut socket = two.stacks[1].socket(listener);
            socket.set_option(now, Set::ReusePort(true)).unwrap();
            option.into_iter().for_each(|option| socket.set_option(now, option).unwrap());
            socket.bind("10.0.0.2:80".parse().unwrap()).unwrap();
            socket.listen(CLIENTS as u32).unwrap();
            listener
        });
        for _ in 0..CLIENTS {
            let client = two.stacks[0].open(Family::V4).unwrap();
            let begun = two.stacks[0].socket(client).connect(now, "10.0.0.2:80".parse().unwrap());
            assert_eq!(begun, Err(Errno::EINPROGRESS));
        }
        for syn in two.sent_by(0) {
            let frame = Frame { queue: QUEUE, ..Two::frame(&syn) };
            two.stacks[1].handle_packet(now, frame);
        }
        two.exchange();
        let now = two.now;
        core::iter::from_fn(|| two.stacks[1].socket(preferred).accept(now).ok()).count()
    });
    assert!(accepted[0] < CLIENTS && accepted[1] == CLIENTS, "{accepted:?}");
}

/// SO_COOKIE: a number that stays, and that no other socket has.
#[test]
fn cookies() {
    let mut two = Two::new();
    let sockets = [0, 0].map(|stack: usize| two.stacks[stack].open(Family::V4).unwrap());
    let mut read = || sockets.map(|id| get(&mut two, 0, id, Name::Cookie).unwrap());
    let [first, second] = read();
    assert!(first != second && first != Value::Long(0) && read() == [first, second]);
}
