//! Every option of the engine on every face: what may be set reads back as Linux reads it, and what may not be set is
//! refused with Linux's number (REQUIREMENTS 2, G-08).

mod common;

use cauce::sysctl::FastOpenKeys;
use cauce::{
    Netstack, OptionName, OptionValue, PathMtuDiscovery, SocketOption, TcpListener, TcpSocket, TcpStream,
};
use common::{addr, errno};
use std::io;
use std::time::Duration;

const EPERM: i32 = 1;
const ENODEV: i32 = 19;
const EINVAL: i32 = 22;
const ENOPROTOOPT: i32 = 92;
const EOPNOTSUPP: i32 = 95;
const ENOTCONN: i32 = 107;

/// One of each kind, of IPv6, so that it has every option.
struct Faces {
    _nets: (Netstack, Netstack),
    socket: TcpSocket,
    listener: TcpListener,
    stream: TcpStream,
}

impl Faces {
    async fn new() -> io::Result<Faces> {
        let (left, right) = cauce::pair();
        let listener = right.bind("[fd00::2]:80").await?;
        let stream = left.connect("[fd00::2]:80").await?;
        Ok(Faces { socket: TcpSocket::new_v6(&left)?, listener, stream, _nets: (left, right) })
    }

    /// Sets an option everywhere and reads what became of it.
    #[track_caller]
    fn read_back(&self, option: &SocketOption, name: OptionName, expected: &OptionValue) {
        self.socket.set_option(option.clone()).expect("a socket takes it");
        self.listener.set_option(option.clone()).expect("a listener takes it");
        self.stream.set_option(option.clone()).expect("a stream takes it");
        let read = [self.socket.option(name), self.listener.option(name), self.stream.option(name)];
        for value in read {
            assert_eq!(&value.expect("it can be read"), expected, "{option:?}");
        }
    }

    /// What setting it fails with on each face.
    #[track_caller]
    fn refuse(&self, option: &SocketOption, number: i32) {
        let answers = [
            self.socket.set_option(option.clone()),
            self.listener.set_option(option.clone()),
            self.stream.set_option(option.clone()),
        ];
        for answer in answers {
            assert_eq!(errno(answer), number, "{option:?}");
        }
    }
}

/// O-02 to O-57: values that Linux changes come back changed.
#[tokio::test]
async fn what_is_set_reads_back_on_every_face() -> io::Result<()> {
    use OptionName as N;
    use OptionValue::{Int, Linger, Long, Time};
    use SocketOption as O;
    let faces = Faces::new().await?;
    for on in [true, false] {
        for (option, name) in [
            (O::NoDelay(on), N::NoDelay),
            (O::Cork(on), N::Cork),
            (O::KeepAlive(on), N::KeepAlive),
            (O::ReuseAddr(on), N::ReuseAddr),
            (O::ReusePort(on), N::ReusePort),
            (O::RecvErr(on), N::RecvErr),
            (O::RecvErr6(on), N::RecvErr6),
            (O::OobInline(on), N::OobInline),
            (O::Transparent(on), N::Transparent),
            (O::FreeBind(on), N::FreeBind),
            (O::DontRoute(on), N::DontRoute),
            (O::BindAddressNoPort(on), N::BindAddressNoPort),
            (O::ReceiveTimestamp(on), N::ReceiveTimestamp),
            (O::ReceiveTimestampNanos(on), N::ReceiveTimestampNanos),
            (O::ZeroCopy(on.into()), N::ZeroCopy),
            (O::Inq(on.into()), N::Inq),
            (O::ThinLinearTimeouts(on.into()), N::ThinLinearTimeouts),
        ] {
            faces.read_back(&option, name, &Int(on.into()));
        }
    }
    for (option, name, value) in [
        (O::KeepIdle(7), N::KeepIdle, Int(7)),
        (O::KeepInterval(8), N::KeepInterval, Int(8)),
        (O::KeepCount(9), N::KeepCount, Int(9)),
        (O::UserTimeout(1234), N::UserTimeout, Int(1234)),
        (O::Linger(Some(Duration::from_secs(3))), N::Linger, Linger { on: true, seconds: 3 }),
        (O::Linger(None), N::Linger, Linger { on: false, seconds: 3 }),
        (O::Linger2(-5), N::Linger2, Int(-1)),
        (O::Linger2(500), N::Linger2, Int(120)),
        (O::SynCount(5), N::SynCount, Int(5)),
        (O::WindowClamp(1), N::WindowClamp, Int(1152)),
        (O::SendBuffer(20_000), N::SendBuffer, Int(40_000)),
        (O::SendBuffer(1), N::SendBuffer, Int(4608)),
        (O::RecvBuffer(30_000), N::RecvBuffer, Int(60_000)),
        (O::RecvBuffer(1), N::RecvBuffer, Int(2304)),
        (O::SendBufferForce(50_000_000), N::SendBuffer, Int(100_000_000)),
        (O::RecvBufferForce(50_000_000), N::RecvBuffer, Int(100_000_000)),
        (O::BufLock(1), N::BufLock, Int(1)),
        (O::Ttl(33), N::Ttl, Int(33)),
        (O::Ttl(-1), N::Ttl, Int(64)),
        (O::HopLimit(44), N::Ttl, Int(44)),
        (O::HopLimit(45), N::UnicastHops, Int(45)),
        (O::UnicastHops(46), N::UnicastHops, Int(46)),
        (O::Tos(255), N::Tos, Int(252)),
        (O::TrafficClass(255), N::TrafficClass, Int(252)),
        (O::MtuDiscover(0), N::MtuDiscover, Int(0)),
        (O::MtuDiscover6(2), N::MtuDiscover6, Int(2)),
        (O::RecvLowat(0), N::RecvLowat, Int(1)),
        (O::RecvLowat(77), N::RecvLowat, Int(77)),
        (O::NotSentLowat(4096), N::NotSentLowat, Int(4096)),
        (O::DeferAccept(2), N::DeferAccept, Int(3)),
        (O::MaxPacingRate(1 << 40), N::MaxPacingRate, Long(1 << 40)),
        (O::RecvTimeout(Duration::from_millis(1500)), N::RecvTimeout, Time(Duration::from_millis(1500))),
        (O::SendTimeout(Duration::from_millis(2500)), N::SendTimeout, Time(Duration::from_millis(2500))),
        (O::Priority(6), N::Priority, Int(6)),
        (O::Mark(42), N::Mark, Int(42)),
        (O::IncomingCpu(3), N::IncomingCpu, Int(3)),
        (O::SaveSyn(2), N::SaveSyn, Int(2)),
        (O::ThinDupAck(1), N::ThinDupAck, Int(0)),
        (O::RtoMax(1001), N::RtoMax, Int(1004)),
        (O::MinTtl(9), N::MinTtl, Int(9)),
        (O::MinHopCount(9), N::MinHopCount, Int(9)),
        (
            O::LocalPortRange(60_000 << 16 | 50_000),
            N::LocalPortRange,
            Int((60_000 << 16 | 50_000_u32) as i32),
        ),
        (O::Timestamping(1 << 9 | 1 << 4), N::Timestamping, Int(1 << 9 | 1 << 4)),
        (O::PeekOffset(5), N::PeekOffset, Int(5)),
        (O::BindToDevice(None), N::BindToDevice, OptionValue::Bytes(Vec::new())),
    ] {
        faces.read_back(&option, name, &value);
    }
    Ok(())
}

/// G-08: nothing is changed by a value that is refused.
#[tokio::test]
async fn what_is_out_of_range_is_refused_on_every_face() -> io::Result<()> {
    use SocketOption as O;
    let faces = Faces::new().await?;
    for option in [
        O::KeepIdle(0),
        O::KeepIdle(32_768),
        O::KeepInterval(0),
        O::KeepCount(128),
        O::UserTimeout(1 << 31),
        O::SynCount(0),
        O::SynCount(128),
        O::MaxSegment(87),
        O::MaxSegment(32_768),
        O::Ttl(0),
        O::Ttl(256),
        O::HopLimit(0),
        O::UnicastHops(-2),
        O::UnicastHops(256),
        O::TrafficClass(256),
        O::MtuDiscover(6),
        O::MtuDiscover6(-1),
        O::ZeroCopy(2),
        O::Inq(-1),
        O::SaveSyn(3),
        O::ThinLinearTimeouts(2),
        O::ThinDupAck(2),
        O::RtoMax(999),
        O::RtoMax(120_001),
        O::MinTtl(256),
        O::MinHopCount(-1),
        O::BufLock(4),
        O::LocalPortRange(50_000 << 16 | 60_000),
        O::Timestamping(1 << 31),
        O::FastOpenConnect(2),
        O::FastOpenNoCookie(2),
        O::FastOpen(-1),
    ] {
        faces.refuse(&option, EINVAL);
    }
    faces.refuse(&O::TimestampClock, EPERM);
    faces.refuse(&O::Timestamping(1 << 15), EOPNOTSUPP);
    Ok(())
}

/// O-09, O-14 to O-16, O-19: some options belong to a state.
#[tokio::test]
async fn some_options_depend_on_the_state() -> io::Result<()> {
    use SocketOption as O;
    let faces = Faces::new().await?;
    let (socket, listener, stream) = (&faces.socket, &faces.listener, &faces.stream);
    assert_eq!(errno(stream.set_window_clamp(0)), EINVAL);
    assert_eq!(errno(listener.set_window_clamp(0)), EINVAL);
    socket.set_window_clamp(0)?;
    assert_eq!(errno(stream.set_option(O::FastOpen(1))), EINVAL);
    assert_eq!(errno(stream.set_option(O::FastOpenNoCookie(1))), EINVAL);
    assert_eq!(errno(stream.set_option(O::FastOpenConnect(1))), EINVAL);
    assert_eq!(errno(listener.set_option(O::FastOpenConnect(1))), EINVAL);
    assert_eq!(errno(listener.set_option(O::V6Only(true))), EINVAL);
    stream.set_option(O::MaxSegment(500))?;
    assert_eq!(stream.max_segment()?, 1428, "only before there is a connection");
    assert_eq!(errno(socket.option(OptionName::Mtu)), ENOTCONN);
    assert_eq!(stream.path_mtu()?, 1500);
    let bits = cauce::Timestamping::OPT_ID;
    assert_eq!(errno(socket.set_timestamping(bits)), EINVAL, "keys count the bytes of a stream");
    stream.set_timestamping(bits)
}

/// O-57: an IPv4 socket has no options of IPv6, and an IPv6 socket has those of IPv4.
#[tokio::test]
async fn options_belong_to_a_family() -> io::Result<()> {
    let (net, _peer) = cauce::pair();
    let (v4, v6) = (TcpSocket::new_v4(&net)?, TcpSocket::new_v6(&net)?);
    for name in [OptionName::UnicastHops, OptionName::TrafficClass, OptionName::V6Only, OptionName::RecvErr6]
    {
        assert_eq!(errno(v4.option(name)), ENOPROTOOPT);
        v6.option(name)?;
    }
    for option in [SocketOption::UnicastHops(9), SocketOption::MinHopCount(9), SocketOption::MtuDiscover6(9)]
    {
        assert_eq!(errno(v4.set_option(option)), ENOPROTOOPT);
    }
    v6.set_tos_v4(8)?;
    assert_eq!(v6.tos_v4()?, 8);
    Ok(())
}

/// Whatever can be named can be asked for, in any state, and a name that is read twice reads the same.
#[tokio::test]
async fn every_name_has_an_answer() -> io::Result<()> {
    let faces = Faces::new().await?;
    for name in OptionName::ALL.iter().copied() {
        let read = |face: &dyn Fn(OptionName) -> io::Result<OptionValue>| {
            let (first, second) = (face(name), face(name));
            assert_eq!(
                first.as_ref().ok().map(std::mem::discriminant),
                second.as_ref().ok().map(std::mem::discriminant)
            );
            first
        };
        read(&|name| faces.stream.option(name)).expect("a connection has them all");
        for answer in [read(&|name| faces.socket.option(name)), read(&|name| faces.listener.option(name))] {
            assert!(answer.is_ok() || name == OptionName::Mtu, "{name:?}: {answer:?}");
        }
    }
    Ok(())
}

/// O-38, O-41, O-43: what is only read, and what has a name of its own.
#[tokio::test]
async fn named_methods_speak_rust() -> io::Result<()> {
    let faces = Faces::new().await?;
    let (socket, listener, stream) = (&faces.socket, &faces.listener, &faces.stream);
    assert_eq!(
        [socket.is_listening()?, listener.is_listening()?, stream.is_listening()?],
        [false, true, false]
    );
    assert_ne!(socket.cookie()?, stream.cookie()?);
    assert_eq!(socket.option(OptionName::Error)?, OptionValue::Int(0));
    assert_eq!(socket.option(OptionName::Type)?, OptionValue::Int(1));
    assert_eq!(socket.option(OptionName::Protocol)?, OptionValue::Int(6));
    assert_eq!(errno(socket.bind_device(Some(b"nowhere0"))), ENODEV);
    assert_eq!(socket.mtu_discover_v4()?, PathMtuDiscovery::Want);
    stream.set_mtu_discover_v6(PathMtuDiscovery::Omit)?;
    assert_eq!(stream.mtu_discover_v6()?, PathMtuDiscovery::Omit);
    assert_eq!((socket.incoming_cpu()?, socket.peek_offset()?), (None, None));
    assert_eq!(errno(listener.set_fast_open_key(&[0; 15])), EINVAL);
    let keys: Vec<u8> = (0..32).collect();
    listener.set_fast_open_key(&keys)?;
    assert_eq!(listener.fast_open_key()?, keys);
    let keys = FastOpenKeys::new([1, 2, 3, 4], None);
    listener.set_option(SocketOption::FastOpenKey(keys.clone()))?;
    assert_eq!(listener.option(OptionName::FastOpenKey)?, OptionValue::Bytes(keys.to_bytes()));
    assert_eq!(errno(socket.set_user_timeout(Some(Duration::MAX))), EINVAL);
    Ok(())
}

/// O-30 to O-44, O-50 to O-57: children take over what their listener was given, but for the priority, the deferral and
/// Fast Open.
#[tokio::test]
async fn streams_inherit_everything_but_three() -> io::Result<()> {
    use SocketOption as O;
    let (left, right) = cauce::pair();
    let listener = right.bind("10.0.0.2:80").await?;
    let inherited = [
        (O::OobInline(true), OptionName::OobInline),
        (O::RecvLowat(9), OptionName::RecvLowat),
        (O::Mark(9), OptionName::Mark),
        (O::MaxPacingRate(9_999_999), OptionName::MaxPacingRate),
        (O::ZeroCopy(1), OptionName::ZeroCopy),
        (O::Inq(1), OptionName::Inq),
        (O::ThinLinearTimeouts(1), OptionName::ThinLinearTimeouts),
        (O::RecvErr(true), OptionName::RecvErr),
        (O::MtuDiscover(2), OptionName::MtuDiscover),
        (O::MinTtl(3), OptionName::MinTtl),
        (O::SynCount(4), OptionName::SynCount),
        (O::RecvTimeout(Duration::from_secs(1)), OptionName::RecvTimeout),
        (O::SendBuffer(20_000), OptionName::SendBuffer),
    ];
    for (option, _) in &inherited {
        listener.set_option(option.clone())?;
    }
    listener.set_priority(5)?;
    listener.set_fast_open(5)?;
    let _client = left.connect("10.0.0.2:80").await?;
    let (server, _) = listener.accept().await?;
    for (option, name) in inherited {
        assert_eq!(server.option(name)?, listener.option(name)?, "{option:?}");
    }
    assert_eq!((listener.priority()?, server.priority()?), (5, 0));
    assert_eq!(listener.fast_open()?, 5);
    assert_eq!(server.option(OptionName::FastOpen)?, OptionValue::Int(0));
    assert_eq!(server.local_addr()?, addr("10.0.0.2:80"));
    Ok(())
}
