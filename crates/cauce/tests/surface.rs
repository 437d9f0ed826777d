//! What sockets, listeners and netstacks offer, method by method, with the errors that each can return.

use cauce::{Netstack, TcpListener, TcpSocket, TcpStream};
use std::fmt::Debug;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// The number of Linux for the error of a call that must fail.
fn errno<T: Debug>(result: io::Result<T>) -> i32 {
    result.expect_err("this must fail").raw_os_error().expect("a number of Linux")
}

/// Ports below it need a privilege.
const FIRST_FREE_PORT: u16 = 1024;
const EINVAL: i32 = 22;
const ENOENT: i32 = 2;
const EADDRINUSE: i32 = 98;
const EADDRNOTAVAIL: i32 = 99;
const ENETDOWN: i32 = 100;
const EAFNOSUPPORT: i32 = 97;
const ECONNREFUSED: i32 = 111;
const ENOTCONN: i32 = 107;

#[tokio::test]
async fn switches_of_a_socket_read_back() -> io::Result<()> {
    let (net, _peer) = cauce::pair();
    let socket = TcpSocket::new_v6(&net)?;
    for on in [true, false] {
        socket.set_keepalive(on)?;
        socket.set_reuseaddr(on)?;
        socket.set_reuseport(on)?;
        socket.set_nodelay(on)?;
        socket.set_only_v6(on)?;
        socket.set_transparent(on)?;
        let read = [
            socket.keepalive()?,
            socket.reuseaddr()?,
            socket.reuseport()?,
            socket.nodelay()?,
            socket.only_v6()?,
            socket.transparent()?,
        ];
        assert_eq!(read, [on; 6]);
    }
    Ok(())
}

#[tokio::test]
async fn numbers_of_a_socket_read_back_as_linux_gives_them() -> io::Result<()> {
    let (net, _peer) = cauce::pair();
    let socket = TcpSocket::new_v4(&net)?;
    socket.set_send_buffer_size(20_000)?;
    socket.set_recv_buffer_size(30_000)?;
    assert_eq!((socket.send_buffer_size()?, socket.recv_buffer_size()?), (40_000, 60_000));
    socket.set_tos_v4(0xff)?;
    assert_eq!(socket.tos_v4()?, 0xfc, "the bits of ECN are TCP's");
    socket.set_ttl(33)?;
    assert_eq!(socket.ttl()?, 33);
    assert_eq!([errno(socket.set_ttl(0)), errno(socket.set_ttl(256))], [EINVAL; 2]);
    assert_eq!(socket.linger()?, None);
    socket.set_linger(Some(Duration::from_secs(5)))?;
    assert_eq!(socket.linger()?, Some(Duration::from_secs(5)));
    socket.set_zero_linger()?;
    assert_eq!(socket.linger()?, Some(Duration::ZERO));
    assert_eq!(errno(socket.set_congestion("bogus")), ENOENT);
    socket.set_congestion("reno")?;
    assert_eq!([errno(socket.set_syn_count(0)), errno(socket.set_syn_count(128))], [EINVAL; 2]);
    socket.set_syn_count(127)?;
    assert_eq!([errno(socket.set_max_segment(87)), errno(socket.set_max_segment(32_768))], [EINVAL; 2]);
    socket.set_max_segment(0)
}

#[tokio::test]
async fn what_tcp7_adds_is_bounded_as_there() -> io::Result<()> {
    let (net, _peer) = cauce::pair();
    let socket = TcpSocket::new_v4(&net)?;
    let day = Duration::from_secs(86_400);
    assert_eq!(socket.keepalive_idle()?, Duration::from_secs(7200), "the system's");
    assert_eq!((socket.keepalive_interval()?, socket.keepalive_count()?), (Duration::from_secs(75), 9));
    let refused = [
        socket.set_keepalive_idle(Duration::ZERO),
        socket.set_keepalive_idle(day),
        socket.set_keepalive_interval(day),
        socket.set_keepalive_count(0),
        socket.set_keepalive_count(128),
        socket.set_rto_max(Duration::from_millis(999)),
        socket.set_rto_max(day),
    ];
    assert_eq!(refused.map(errno), [EINVAL; 7]);
    socket.set_linger2(-7)?;
    assert_eq!(socket.linger2()?, -1);
    socket.set_linger2(1000)?;
    assert_eq!(socket.linger2()?, 120);
    socket.set_window_clamp(1)?;
    assert_eq!(socket.window_clamp()?, 1152);
    socket.set_defer_accept(2)?;
    assert_eq!(socket.defer_accept()?, 3, "the time of two retransmissions");
    assert_eq!(socket.max_pacing_rate()?, u64::MAX);
    assert_eq!(errno(socket.set_user_timeout_ms(u32::MAX)), EINVAL);
    socket.set_user_timeout_ms(1500)?;
    assert_eq!(socket.user_timeout_ms()?, 1500);
    Ok(())
}

/// What a listener is given its streams have (A-48: and its address).
#[tokio::test]
async fn streams_inherit_from_their_listener() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let socket = TcpSocket::new_v4(&right)?;
    socket.set_nodelay(true)?;
    socket.set_keepalive(true)?;
    socket.set_keepalive_idle(Duration::from_secs(9))?;
    socket.set_keepalive_count(4)?;
    socket.set_linger2(7)?;
    socket.set_notsent_lowat(5000)?;
    socket.set_rto_max(Duration::from_secs(3))?;
    socket.set_user_timeout_ms(1500)?;
    socket.set_max_segment(700)?;
    socket.set_congestion("reno")?;
    socket.set_ttl(44)?;
    socket.bind(addr("10.0.0.2:80"))?;
    let listener = socket.listen(4)?;
    let client = left.connect("10.0.0.2:80").await?;
    let (server, peer) = listener.accept().await?;
    assert_eq!((peer, server.peer_addr()?), (client.local_addr()?, client.local_addr()?));
    assert_eq!(server.local_addr()?, addr("10.0.0.2:80"));
    assert!(server.nodelay()? && server.keepalive()?);
    assert_eq!((server.keepalive_idle()?, server.keepalive_count()?), (Duration::from_secs(9), 4));
    assert_eq!((server.linger2()?, server.notsent_lowat()?), (7, 5000));
    assert_eq!(server.rto_max()?, Duration::from_secs(3));
    assert_eq!(server.user_timeout()?, Some(Duration::from_millis(1500)));
    assert_eq!((server.congestion()?, server.ttl()?), ("reno".to_owned(), 44));
    assert_eq!((server.max_segment()?, client.max_segment()?), (688, 688), "700 less timestamps");
    Ok(())
}

#[tokio::test]
async fn options_of_a_stream_read_back() -> io::Result<()> {
    let (client, _server) = cauce::stream_pair().await?;
    client.set_cork(true)?;
    assert!(client.cork()?);
    client.set_quickack(false)?;
    assert!(!client.quickack()?);
    client.set_linger(Some(Duration::from_secs(2)))?;
    assert_eq!(client.linger()?, Some(Duration::from_secs(2)));
    client.set_keepalive_timing(Duration::from_secs(30), Duration::from_secs(5), 3)?;
    assert_eq!(
        (client.keepalive_idle()?, client.keepalive_interval()?),
        (Duration::from_secs(30), Duration::from_secs(5))
    );
    assert_eq!(errno(client.set_keepalive_timing(Duration::ZERO, Duration::from_secs(5), 3)), EINVAL);
    assert_eq!(client.keepalive_count()?, 3);
    client.set_user_timeout(None)?;
    assert_eq!(client.user_timeout()?, None);
    assert_eq!(errno(client.set_user_timeout(Some(Duration::MAX))), EINVAL);
    assert_eq!(errno(client.set_window_clamp(0)), EINVAL, "only before there is a connection");
    assert_eq!(errno(client.set_congestion("bogus")), ENOENT);
    assert_eq!(client.congestion()?, "cubic", "the old one stays");
    for name in ["bic", "ctcp", "cubic"] {
        client.set_congestion(name)?;
        assert_eq!(client.congestion()?, name);
    }
    assert_eq!((client.bytes_to_read()?, client.bytes_to_deliver()?), (0, 0));
    let info = client.tcp_info()?;
    assert_eq!((info.snd_mss, info.snd_cwnd), (client.max_segment()?, 10));
    Ok(())
}

///
#[tokio::test]
async fn binding_fails_as_the_kernel_fails() -> io::Result<()> {
    let (net, _peer) = cauce::pair();
    let socket = TcpSocket::new_v4(&net)?;
    assert_eq!(errno(socket.bind(addr("[fd00::1]:80"))), EAFNOSUPPORT);
    assert_eq!(errno(socket.bind(addr("10.0.0.9:80"))), EADDRNOTAVAIL);
    socket.bind(addr("10.0.0.1:80"))?;
    assert_eq!(socket.local_addr()?, addr("10.0.0.1:80"));
    assert_eq!(errno(socket.bind(addr("10.0.0.1:81"))), EINVAL, "bound already");
    let other = TcpSocket::new_v4(&net)?;
    assert_eq!(errno(other.bind(addr("10.0.0.1:80"))), EADDRINUSE);
    other.set_transparent(true)?;
    other.bind(addr("10.0.0.9:80"))?;
    assert_eq!(errno(TcpListener::bind(&net, "10.0.0.1:80").await), EADDRINUSE);
    assert!(TcpListener::bind(&net, "no address").await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_listener_has_an_address_and_a_port() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let listener = TcpSocket::new_v4(&right)?.listen(1)?;
    let port = listener.local_addr()?.port();
    assert!(port >= FIRST_FREE_PORT, "listen() chose {port}");
    listener.set_ttl(99)?;
    assert_eq!(listener.ttl()?, 99);
    assert_eq!(errno(listener.set_ttl(0)), EINVAL);
    let client = left.connect(("10.0.0.2", port)).await?;
    let (server, _) = poll_fn(|cx| listener.poll_accept(cx)).await?;
    assert_eq!(server.local_addr()?, client.peer_addr()?);
    assert_eq!(server.netstack().sockets(), listener.netstack().sockets());
    Ok(())
}

/// O-37: two listeners with SO_REUSEPORT share a port; a third without is refused.
#[tokio::test]
async fn listeners_share_a_port_if_all_want_to() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let share = || -> io::Result<TcpListener> {
        let socket = TcpSocket::new_v4(&right)?;
        socket.set_reuseport(true)?;
        socket.bind(addr("10.0.0.2:80"))?;
        socket.listen(64)
    };
    let (first, second) = (share()?, share()?);
    assert_eq!(errno(right.bind("10.0.0.2:80").await), EADDRINUSE);
    let mut clients = Vec::new();
    for _ in 0..32 {
        clients.push(left.connect("10.0.0.2:80").await?);
    }
    let mut taken = [0, 0];
    for _ in 0..clients.len() {
        tokio::select! {
            accepted = first.accept() => accepted.map(|_| taken[0] += 1)?,
            accepted = second.accept() => accepted.map(|_| taken[1] += 1)?,
        }
    }
    assert!(taken[0] > 0 && taken[1] > 0, "{taken:?}");
    Ok(())
}

/// addresses are known once there is a connection, and errors have their numbers.
#[tokio::test]
async fn connecting_says_why_it_fails() -> io::Result<()> {
    let (left, right) = cauce::pair();
    assert_eq!(errno(left.connect("10.0.0.2:9").await), ECONNREFUSED);
    assert_eq!(errno(TcpSocket::new_v4(&left)?.connect(addr("[fd00::2]:9")).await), EAFNOSUPPORT);
    let _listener = right.bind("10.0.0.2:80").await?;
    let socket = TcpSocket::new_v4(&left)?;
    socket.bind(addr("10.0.0.1:5000"))?;
    assert!(socket.take_error()?.is_none());
    let stream = socket.connect(addr("10.0.0.2:80")).await?;
    assert_eq!(stream.local_addr()?, addr("10.0.0.1:5000"));
    assert!(stream.take_error()?.is_none());
    Ok(())
}

/// A netstack that is over says so to every call.
async fn over() -> io::Result<(Netstack, TcpStream, TcpListener)> {
    let (left, right) = cauce::pair();
    let _there = right.bind("10.0.0.2:80").await?;
    let stream = left.connect("10.0.0.2:80").await?;
    let listener = left.bind("10.0.0.1:81").await?;
    left.close_all();
    left.shutdown().await;
    Ok((left, stream, listener))
}

#[tokio::test]
async fn after_the_end_every_call_says_that_the_network_is_down() -> io::Result<()> {
    let (net, mut stream, listener) = over().await?;
    assert_eq!(errno(TcpSocket::new_v4(&net)), ENETDOWN);
    assert_eq!(errno(net.connect("10.0.0.2:80").await), ENETDOWN);
    assert_eq!(errno(net.bind("10.0.0.1:82").await), ENETDOWN);
    assert_eq!(errno(listener.accept().await), ENETDOWN);
    assert_eq!([errno(stream.nodelay()), errno(stream.max_segment())], [ENETDOWN; 2]);
    assert_eq!(errno(stream.set_nodelay(true)), ENETDOWN);
    assert_eq!([errno(stream.local_addr()), errno(stream.tcp_info().map(|_| ()))], [ENETDOWN; 2]);
    assert_eq!(errno(stream.read(&mut [0; 8]).await), ENETDOWN);
    assert_eq!(errno(stream.write(b"x").await), ENETDOWN);
    Ok(())
}

///
#[tokio::test]
async fn a_stream_that_was_reset_has_no_peer() -> io::Result<()> {
    let (client, mut server) = cauce::stream_pair().await?;
    client.abort();
    assert_eq!(server.read(&mut [0; 8]).await.expect_err("a reset").kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(errno(server.peer_addr()), ENOTCONN);
    assert_eq!(server.write(b"x").await.expect_err("nobody").kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(server.read(&mut [0; 8]).await?, 0, "told once");
    Ok(())
}

#[tokio::test]
async fn settings_are_text() -> io::Result<()> {
    let (net, _peer) = cauce::pair();
    net.set_sysctl("net.ipv4.tcp_sack", " 0 ")?;
    assert_eq!(net.sysctl("net.ipv4.tcp_sack")?, "0");
    assert!(net.set_sysctl("net.ipv4.tcp_sack", "many").is_err());
    assert!(net.set_sysctl("net.ipv4.nothing", "1").is_err());
    assert!(net.sysctl("net.ipv4.nothing").is_err());
    net.add_address("10.0.0.7".parse().expect("an address"), 24)?;
    let listener = net.bind("10.0.0.7:80").await?;
    assert_eq!(net.sockets(), 1);
    drop(listener);
    net.idle().await;
    assert_eq!(net.sockets(), 0);
    Ok(())
}
