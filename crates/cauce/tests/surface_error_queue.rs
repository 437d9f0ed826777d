//! The error queue, and ICMP errors with and without it (REQUIREMENTS, O-44, O-50).

mod common;

use bytes::Bytes;
use cauce::{Errno, ErrorOrigin, SendFlags, StampKind, TcpSocket, Timestamping};
use common::{Icmp, Path, addr, errno};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};

const EAGAIN: i32 = 11;
const EPROTO: i32 = 71;
const ENOPROTOOPT: i32 = 92;
const ENETUNREACH: i32 = 101;
const ENOTCONN: i32 = 107;
const ECONNREFUSED: i32 = 111;
const EHOSTUNREACH: i32 = 113;

const NET: Icmp = (3, 0, 0);
const HOST: Icmp = (3, 1, 0);
const PROTOCOL: Icmp = (3, 2, 0);
const PORT: Icmp = (3, 3, 0);
const FRAGMENTATION_NEEDED: Icmp = (3, 4, 1000);
const SOURCE_QUENCH: Icmp = (4, 0, 0);
const ADMINISTRATION: Icmp = (3, 13, 0);
const PARAMETER_PROBLEM: Icmp = (12, 0, 0);

const ZERO_COPY: SendFlags =
    SendFlags { zero_copy: true, more: false, end_of_record: false, out_of_band: false, timestamping: None };

/// in SYN-SENT each is an error of its own, at once.
#[tokio::test]
async fn errors_of_routers_end_a_handshake() -> io::Result<()> {
    let path = Path::new()?;
    for (icmp, number, kind) in [
        (NET, ENETUNREACH, Some(ErrorKind::NetworkUnreachable)),
        (HOST, EHOSTUNREACH, Some(ErrorKind::HostUnreachable)),
        (ADMINISTRATION, EHOSTUNREACH, Some(ErrorKind::HostUnreachable)),
        (PROTOCOL, ENOPROTOOPT, None),
        (PORT, ECONNREFUSED, Some(ErrorKind::ConnectionRefused)),
    ] {
        path.answer(icmp);
        let error = path.left.connect("10.0.0.2:80").await.expect_err("a router refused");
        assert_eq!(error.raw_os_error(), Some(number), "{icmp:?}");
        assert!(kind.is_none_or(|kind| kind == error.kind()), "{error:?}");
    }
    Ok(())
}

/// in SYN-SENT the queue has the whole message; taking it takes the error away, so that connecting is just over.
#[tokio::test]
async fn a_failed_handshake_leaves_a_message() -> io::Result<()> {
    let (path, peer) = (Path::new()?, addr("10.0.0.2:80"));
    let socket = TcpSocket::new_v4(&path.left)?;
    assert_eq!(errno(socket.try_recv_error()), EAGAIN);
    socket.set_recverr_v4(true)?;
    path.answer(HOST);
    let _ = socket.try_connect(peer);
    assert!(socket.ready(Interest::ERROR).await?.is_error());
    let message = socket.recv_error().await?;
    assert_eq!((message.errno, message.origin), (Some(Errno::EHOSTUNREACH), ErrorOrigin::Icmp));
    assert_eq!((message.kind, message.code, message.info), (3, 1, 0));
    assert_eq!((message.offender, message.peer), (Some([10, 0, 0, 254].into()), peer));
    assert_eq!(&message.payload[..2], &path.last()[20..22], "the TCP header that was quoted");
    assert_eq!(errno(socket.recv_error().await), ENOTCONN, "none is left, and none will come");
    Ok(())
}

/// without IP_RECVERR an established connection only remembers it, and SO_ERROR tells.
#[tokio::test]
async fn errors_of_routers_are_soft_on_a_connection() -> io::Result<()> {
    let path = Path::new()?;
    let (mut client, mut server) = path.connected().await?;
    for (icmp, number) in [(HOST, EHOSTUNREACH), (PORT, ECONNREFUSED), (PARAMETER_PROBLEM, EPROTO)] {
        client.write_all(b"x").await?;
        server.read_exact(&mut [0]).await?;
        path.lose(true);
        client.write_all(b"x").await?;
        path.complain(icmp).await?;
        path.lose(false);
        let error = loop {
            match client.take_error()? {
                Some(error) => break error,
                None => tokio::task::yield_now().await,
            }
        };
        assert_eq!(error.raw_os_error(), Some(number));
        assert_eq!(errno(client.try_read(&mut [0])), EAGAIN, "no call fails");
        server.read_exact(&mut [0]).await?;
    }
    Ok(())
}

/// O-50: with IP_RECVERR the next call fails, the message is in the queue, and the connection lives.
#[tokio::test]
async fn with_recverr_errors_of_routers_are_told_at_once() -> io::Result<()> {
    let path = Path::new()?;
    let (mut client, mut server) = path.connected().await?;
    client.set_recverr_v4(true)?;
    for taken_first in [false, true] {
        path.lose(true);
        client.write_all(b"x").await?;
        path.complain(HOST).await?;
        path.lose(false);
        assert!(client.ready(Interest::ERROR).await?.is_error());
        if !taken_first {
            assert_eq!(errno(client.read(&mut [0]).await), EHOSTUNREACH);
        }
        let message = client.recv_error().await?;
        assert_eq!((message.errno, message.kind, message.code), (Some(Errno::EHOSTUNREACH), 3, 1));
        assert_eq!(errno(client.try_read(&mut [0])), EAGAIN, "taken with its message");
        server.read_exact(&mut [0]).await?;
    }
    Ok(())
}

/// source quench means nothing, and frag-needed lowers the path's MTU and no more.
#[tokio::test]
async fn some_messages_are_no_errors() -> io::Result<()> {
    let path = Path::new()?;
    let (mut client, mut server) = path.connected().await?;
    path.lose(true);
    client.write_all(&[7; 1448]).await?;
    path.complain(SOURCE_QUENCH).await?;
    path.complain(FRAGMENTATION_NEEDED).await?;
    path.lose(false);
    server.read_exact(&mut [0; 1448]).await?;
    assert!(client.take_error()?.is_none());
    assert_eq!((client.path_mtu()?, client.max_segment()?), (1000, 948));
    Ok(())
}

/// who hears of an error of a router and then of nothing is told the error instead of the time-out.
#[tokio::test]
async fn the_last_soft_error_is_told_instead_of_a_time_out() -> io::Result<()> {
    for (icmp, kind) in [(None, ErrorKind::TimedOut), (Some(HOST), ErrorKind::HostUnreachable)] {
        let path = Path::new()?;
        let (mut client, _server) = path.connected().await?;
        client.set_user_timeout(Some(Duration::from_millis(300)))?;
        path.lose(true);
        client.write_all(b"x").await?;
        if let Some(icmp) = icmp {
            path.complain(icmp).await?;
        }
        assert_eq!(client.read(&mut [0]).await.expect_err("a time-out").kind(), kind);
        assert_eq!(client.read(&mut [0]).await?, 0, "told once");
    }
    Ok(())
}

/// A-18, O-44: notices count the sends, and neighbours become one range; who has not set SO_ZEROCOPY gets none.
#[tokio::test]
async fn zero_copy_sends_are_answered() -> io::Result<()> {
    let (client, mut server) = cauce::stream_pair().await?;
    client.send_bytes_with(&mut Bytes::from_static(b"not counted"), ZERO_COPY).await?;
    client.set_zero_copy(true)?;
    for _ in 0..3 {
        client.send_bytes_with(&mut Bytes::from_static(b"counted"), ZERO_COPY).await?;
    }
    let copied = client.send_with(b"copied", ZERO_COPY).await?;
    server.read_exact(&mut [0; 11 + 3 * 7 + 6]).await?;
    let mut next = 0;
    while next < 4 {
        let notice = client.recv_error().await?;
        assert_eq!((notice.origin, notice.errno, notice.info), (ErrorOrigin::ZeroCopy, None, next));
        assert_eq!(notice.code == cauce::ZEROCOPY_COPIED, notice.info == 3, "a slice is copied");
        next = notice.data + 1;
    }
    assert_eq!((copied, errno(client.try_recv_error())), (6, EAGAIN));
    Ok(())
}

/// a message makes nobody ready but those who ask for errors, since no other call ends because of it.
#[tokio::test]
async fn messages_wake_only_who_asks_for_them() -> io::Result<()> {
    let (client, _server) = cauce::stream_pair().await?;
    client.set_zero_copy(true)?;
    client.send_bytes_with(&mut Bytes::from_static(b"counted"), ZERO_COPY).await?;
    assert!(client.ready(Interest::ERROR).await?.is_error());
    let ready = client.ready(Interest::READABLE | Interest::WRITABLE | Interest::ERROR).await?;
    assert!(ready.is_error() && ready.is_writable() && !ready.is_readable());
    assert!(poll_fn(|cx| Poll::Ready(client.poll_read_ready(cx).is_pending())).await);
    client.recv_error().await?;
    assert!(!client.ready(Interest::WRITABLE | Interest::ERROR).await?.is_error());
    Ok(())
}

/// SO_TIMESTAMPING: each moment of a sent byte is told once, in its order, with the key of the byte.
#[tokio::test]
async fn moments_of_sent_bytes() -> io::Result<()> {
    let (client, mut server) = cauce::stream_pair().await?;
    let all = Timestamping::TX_SCHED | Timestamping::TX_SOFTWARE | Timestamping::TX_ACK;
    let how = Timestamping::SOFTWARE | Timestamping::OPT_ID | Timestamping::OPT_TSONLY;
    client.set_timestamping(how)?;
    let flags = SendFlags { timestamping: Some(all), ..SendFlags::default() };
    client.send_with(&[7; 100], flags).await?;
    server.read_exact(&mut [0; 100]).await?;
    let mut last = None;
    for kind in [StampKind::Queued, StampKind::Sent, StampKind::Acknowledged] {
        let message = client.recv_error().await?;
        assert_eq!(message.origin, ErrorOrigin::Timestamping);
        assert_eq!((message.info, message.data), (kind as u32, 99));
        assert!(message.timestamp >= last && message.payload.is_empty());
        last = message.timestamp;
    }
    Ok(())
}

/// who waits for messages hears that the connection is over, and gets the notices that its end makes before.
#[tokio::test]
async fn the_queue_outlives_the_connection() -> io::Result<()> {
    let path = Path::new()?;
    let (client, server) = path.connected().await?;
    client.set_zero_copy(true)?;
    path.lose(true);
    client.send_bytes_with(&mut Bytes::from_static(b"lost"), ZERO_COPY).await?;
    path.lose(false);
    let (first, ()) = tokio::join!(client.recv_error(), async {
        tokio::task::yield_now().await;
        server.abort();
    });
    assert_eq!(first?.origin, ErrorOrigin::ZeroCopy);
    assert_eq!(errno(client.recv_error().await), ENOTCONN);
    Ok(())
}
