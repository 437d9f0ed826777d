//! Calls in states in which they fail: each error of tcp(7) with its number, and the kind that Rust gives it
//! (REQUIREMENTS ).

mod common;

use cauce::{Counter, DeviceId, Errno, OptionName, OptionValue, TcpListener, TcpSocket, TcpStream};
use cauce_core::stack::route::{Prefix, Route, RouteKind};
use common::{Path, addr, arrived, errno, with_bytes};
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};

/// Numbers as the engine names them.
fn number(errno: Errno) -> i32 {
    errno.number()
}

#[track_caller]
fn fails<T: std::fmt::Debug>(result: io::Result<T>, expected: Errno) {
    assert_eq!(errno(result), number(expected), "{expected}");
}

/// The kinds that the standard library gives to the numbers, as for sockets of the kernel.
#[test]
fn numbers_have_kinds() {
    for (errno, kind) in [
        (Errno::EADDRINUSE, ErrorKind::AddrInUse),
        (Errno::EADDRNOTAVAIL, ErrorKind::AddrNotAvailable),
        (Errno::EAGAIN, ErrorKind::WouldBlock),
        (Errno::ECONNABORTED, ErrorKind::ConnectionAborted),
        (Errno::ECONNREFUSED, ErrorKind::ConnectionRefused),
        (Errno::ECONNRESET, ErrorKind::ConnectionReset),
        (Errno::EHOSTUNREACH, ErrorKind::HostUnreachable),
        (Errno::EINVAL, ErrorKind::InvalidInput),
        (Errno::ENETUNREACH, ErrorKind::NetworkUnreachable),
        (Errno::ENOTCONN, ErrorKind::NotConnected),
        (Errno::EPERM, ErrorKind::PermissionDenied),
        (Errno::EPIPE, ErrorKind::BrokenPipe),
        (Errno::ETIMEDOUT, ErrorKind::TimedOut),
    ] {
        assert_eq!(io::Error::from_raw_os_error(errno.number()).kind(), kind, "{errno}");
    }
}

/// no more sockets than the netstack may have; a connection that cannot be accepted stays queued.
#[tokio::test]
async fn sockets_are_bounded() -> io::Result<()> {
    let (net, _peer) = cauce::pair();
    net.set_sysctl("cauce.max_sockets", "1")?;
    let socket = TcpSocket::new_v4(&net)?;
    fails(TcpSocket::new_v6(&net), Errno::ENFILE);
    drop(socket);
    TcpSocket::new_v6(&net).map(drop)
}

///
#[tokio::test]
async fn binding() -> io::Result<()> {
    let (net, _peer) = cauce::pair();
    let socket = TcpSocket::new_v4(&net)?;
    fails(socket.bind(addr("[fd00::1]:80")), Errno::EAFNOSUPPORT);
    fails(socket.bind(addr("192.0.2.1:80")), Errno::EADDRNOTAVAIL);
    fails(socket.local_addr(), Errno::EINVAL);
    let _listener = net.bind("10.0.0.1:80").await?;
    fails(socket.bind(addr("10.0.0.1:80")), Errno::EADDRINUSE);
    socket.bind(addr("10.0.0.1:81"))?;
    fails(socket.bind(addr("10.0.0.1:82")), Errno::EINVAL);
    socket.set_freebind(true)?;
    let other = TcpSocket::new_v4(&net)?;
    other.set_freebind(true)?;
    other.bind(addr("192.0.2.1:80"))
}

/// A-24, O-41: only a fresh socket begins to listen.
#[tokio::test]
async fn listening() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let _there = right.bind("10.0.0.2:80").await?;
    let socket = TcpSocket::new_v4(&left)?;
    let _ = socket.try_connect(addr("10.0.0.2:80"));
    fails(socket.listen(8), Errno::EINVAL);
    let (one, two) = (TcpSocket::new_v4(&left)?, TcpSocket::new_v4(&left)?);
    for socket in [&one, &two] {
        socket.set_reuseaddr(true)?;
        socket.bind(addr("10.0.0.1:90"))?;
    }
    let _listener = one.listen(8)?;
    fails(two.listen(8), Errno::EADDRINUSE);
    Ok(())
}

/// the steps of connecting.
#[tokio::test]
async fn connecting_step_by_step() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let listener = right.bind("10.0.0.2:80").await?;
    let (socket, peer) = (TcpSocket::new_v4(&left)?, addr("10.0.0.2:80"));
    fails(socket.try_connect(peer), Errno::EINPROGRESS);
    fails(socket.try_connect(peer), Errno::EALREADY);
    assert!(socket.ready(Interest::WRITABLE).await?.is_writable());
    socket.try_connect(peer)?;
    fails(socket.try_connect(peer), Errno::EISCONN);
    let mut stream = socket.connect(peer).await?;
    stream.write_all(b"x").await?;
    listener.accept().await?.0.read_exact(&mut [0]).await.map(drop)
}

/// where one cannot connect to.
#[tokio::test]
async fn connecting_to_nowhere() -> io::Result<()> {
    let (left, _right) = cauce::pair();
    let connect = |to: &str| TcpSocket::new_v4(&left).and_then(|socket| socket.try_connect(addr(to)));
    fails(connect("[fd00::2]:80"), Errno::EAFNOSUPPORT);
    for to in ["255.255.255.255:80", "224.0.0.1:80"] {
        fails(connect(to), Errno::ENETUNREACH);
    }
    for (kind, expected) in [
        (RouteKind::Unreachable, Errno::EHOSTUNREACH),
        (RouteKind::Prohibit, Errno::EACCES),
        (RouteKind::Blackhole, Errno::EINVAL),
    ] {
        let prefix = Prefix::new([192, 0, 2, 0].into(), 24).expect("24 bits");
        let route = Route { kind, ..Route::new(prefix, DeviceId(0)) };
        left.with_stack(|stack, _| stack.interfaces().routes_mut().add(route));
        fails(connect("192.0.2.1:80"), expected);
        left.with_stack(|stack, _| stack.interfaces().routes_mut().remove(&route));
    }
    let socket = TcpSocket::new_v4(&left)?;
    socket.set_dont_route(true)?;
    fails(socket.try_connect(addr("198.51.100.1:80")), Errno::ENETUNREACH);
    let socket = TcpSocket::new_v4(&left)?;
    socket.bind_device(Some(b"lo"))?;
    fails(socket.try_connect(addr("10.0.0.2:80")), Errno::ENETUNREACH);
    Ok(())
}

/// EADDRNOTAVAIL when every port is taken towards a peer.
#[tokio::test]
async fn ports_run_out() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let _there = right.bind("10.0.0.2:80").await?;
    let peer = addr("10.0.0.2:80");
    let socket = || -> io::Result<TcpSocket> {
        let socket = TcpSocket::new_v4(&left)?;
        socket.set_local_port_range((40_000, 40_001))?;
        Ok(socket)
    };
    let (one, two) = (socket()?.connect(peer).await?, socket()?.connect(peer).await?);
    let mut ports = [one.local_addr()?.port(), two.local_addr()?.port()];
    ports.sort();
    assert_eq!(ports, [40_000, 40_001]);
    fails(socket()?.connect(peer).await, Errno::EADDRNOTAVAIL);
    Ok(())
}

/// refused; told once, and the socket can try again.
#[tokio::test]
async fn being_refused() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let (socket, peer) = (TcpSocket::new_v4(&left)?, addr("10.0.0.2:80"));
    fails(socket.try_connect(peer), Errno::EINPROGRESS);
    let ready = socket.ready(Interest::READABLE | Interest::WRITABLE | Interest::ERROR).await?;
    assert!(ready.is_readable() && ready.is_writable() && ready.is_error());
    assert!(ready.is_read_closed() && ready.is_write_closed());
    assert_eq!(socket.option(OptionName::Error)?, OptionValue::Int(number(Errno::ECONNREFUSED)));
    assert_eq!(socket.option(OptionName::Error)?, OptionValue::Int(0));
    fails(socket.try_connect(peer), Errno::ECONNABORTED);
    let _listener = right.bind("10.0.0.2:80").await?;
    socket.connect(peer).await.map(drop)
}

/// what a reset is, in the order of the calls that meet it.
#[tokio::test]
async fn being_reset() -> io::Result<()> {
    let (mut client, server) = cauce::stream_pair().await?;
    server.abort();
    fails(client.read(&mut [0]).await, Errno::ECONNRESET);
    assert_eq!(client.read(&mut [0]).await?, 0);
    fails(client.write(b"x").await, Errno::EPIPE);

    let (mut client, server) = cauce::stream_pair().await?;
    server.abort();
    client.readable().await?;
    fails(client.write(b"x").await, Errno::ECONNRESET);
    fails(client.write(b"x").await, Errno::EPIPE);
    fails(client.peer_addr(), Errno::ENOTCONN);
    fails(client.shutdown_with(Shutdown::Write), Errno::ENOTCONN);
    assert_eq!(client.path_mtu()?, 1500);
    Ok(())
}

/// a reset in CLOSE-WAIT is a broken pipe.
#[tokio::test]
async fn being_reset_after_the_end() -> io::Result<()> {
    let (mut client, mut server) = cauce::stream_pair().await?;
    server.shutdown().await?;
    assert_eq!(client.read(&mut [0]).await?, 0);
    server.abort();
    client.ready(Interest::ERROR).await?;
    let error = client.take_error()?.expect("pending");
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    Ok(())
}

/// closed directions.
#[tokio::test]
async fn closed_directions() -> io::Result<()> {
    let (client, mut server) = cauce::stream_pair().await?;
    client.shutdown_with(Shutdown::Write)?;
    client.shutdown_with(Shutdown::Write)?;
    fails(client.try_write(b"x"), Errno::EPIPE);
    assert_eq!(server.read(&mut [0]).await?, 0);
    server.write_all(b"half open").await?;
    assert_eq!(client.recv_bytes(64).await?, "half open");
    let (client, mut server) = cauce::stream_pair().await?;
    client.shutdown_with(Shutdown::Read)?;
    assert_eq!(client.try_read(&mut [0])?, 0);
    server.write_all(b"late").await?;
    arrived(&client, 4).await?;
    assert_eq!(client.recv_bytes(64).await?, "late", "what still arrives can be read");
    Ok(())
}

/// nobody answers: the SYN, data, keepalive probes.
#[tokio::test]
async fn timing_out() -> io::Result<()> {
    let path = Path::new()?;
    let (mut client, _server) = path.connected().await?;
    let (mut idle, _other) = path.connected().await?;
    path.lose(true);
    client.set_user_timeout(Some(Duration::from_millis(200)))?;
    client.write_all(b"x").await?;
    fails(client.read(&mut [0]).await, Errno::ETIMEDOUT);
    fails(client.write(b"x").await, Errno::EPIPE);
    idle.set_keepalive(true)?;
    idle.set_keepalive_timing(Duration::from_secs(1), Duration::from_secs(1), 1)?;
    fails(idle.read(&mut [0]).await, Errno::ETIMEDOUT);
    assert_eq!(path.left.counters().get(Counter::TCPKeepAlive), 1);
    Ok(())
}

/// what a peer hears of a stream or a listener that is dropped.
#[tokio::test]
async fn being_dropped_upon() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let listener: TcpListener = right.bind("10.0.0.2:80").await?;
    let mut queued: TcpStream = left.connect("10.0.0.2:80").await?;
    drop(listener);
    fails(queued.read(&mut [0]).await, Errno::ECONNRESET);
    let (unread, mut peer) = with_bytes(b"unread").await?;
    drop(unread);
    fails(peer.read(&mut [0]).await, Errno::ECONNRESET);
    Ok(())
}

/// a connection that was reset before accept is still returned, and fails at its first use.
#[tokio::test]
async fn accepting_what_was_reset() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let listener = right.bind("10.0.0.2:80").await?;
    let client = left.connect("10.0.0.2:80").await?;
    while listener.tcp_info()?.unacked == 0 {
        tokio::task::yield_now().await;
    }
    client.abort();
    while right.counters().get(Counter::EstabResets) == 0 {
        tokio::task::yield_now().await;
    }
    let (mut server, _) = listener.accept().await?;
    fails(server.read(&mut [0]).await, Errno::ECONNRESET);
    Ok(())
}

/// A-17, O-16, S-18: Fast Open that is not allowed.
#[tokio::test]
async fn fast_open_may_be_forbidden() -> io::Result<()> {
    let (left, _right) = cauce::pair();
    left.set_sysctl("tcp_fastopen", "0")?;
    let socket = TcpSocket::new_v4(&left)?;
    fails(socket.set_fast_open_connect(true), Errno::EOPNOTSUPP);
    fails(socket.connect_with_data(addr("10.0.0.2:80"), b"x").await, Errno::EOPNOTSUPP);
    Ok(())
}

/// nothing to send and nothing to receive is no error.
#[tokio::test]
async fn nothing_is_something() -> io::Result<()> {
    let (client, server) = cauce::stream_pair().await?;
    assert_eq!((client.try_write(b"")?, client.try_read(&mut [])?), (0, 0));
    fails(server.try_read(&mut [0]), Errno::EAGAIN);
    fails(server.set_congestion("nothing"), Errno::ENOENT);
    Ok(())
}
