//! Urgent data between two netstacks (REQUIREMENTS, O-34, S-43).

mod common;

use cauce::{Counter, Netstack, RecvFlags, TcpStream};
use common::{arrived, errno, with_bytes};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest, Ready};

const EINVAL: i32 = 22;
const EPIPE: i32 = 32;

const URGENT: RecvFlags = RecvFlags { out_of_band: true, peek: false, discard: false, wait_all: false };

/// A stream whose peer has sent `urgent`, the last byte of it urgent, and `after`.
async fn sent(urgent: &[u8], after: &[u8]) -> io::Result<(TcpStream, TcpStream)> {
    let (mut peer, stream) = cauce::stream_pair().await?;
    peer.set_nodelay(true)?;
    peer.send_urgent(urgent).await?;
    peer.write_all(after).await?;
    stream.ready(Interest::PRIORITY).await?;
    arrived(&stream, urgent.len() - 1).await?;
    Ok((stream, peer))
}

/// the byte stands beside the stream, can be looked at, and is read once.
#[tokio::test]
async fn the_urgent_byte_stands_beside_the_stream() -> io::Result<()> {
    let (stream, peer) = sent(b"abcX", b"").await?;
    let (mut one, mut buf) = ([0; 1], [0; 8]);
    assert_eq!(stream.bytes_to_read()?, 3);
    assert_eq!(stream.try_read(&mut buf)?, 3);
    let ready = stream.ready(Interest::PRIORITY | Interest::WRITABLE).await?;
    assert!(ready.is_priority() && !ready.is_readable(), "the stream is read, the byte is not");
    assert_eq!(stream.recv_with(&mut one, RecvFlags { peek: true, ..URGENT }).await?.bytes, 1);
    assert_eq!(&one, b"X");
    assert_eq!(stream.try_recv_urgent()?, Some(b'X'));
    assert_eq!(errno(stream.try_recv_urgent()), EINVAL);
    assert!(!stream.ready(Interest::PRIORITY | Interest::WRITABLE).await?.is_priority());
    assert_eq!(peer.try_send_urgent(b"")?, 0, "nothing is sent");
    peer.try_send_urgent(b"Y")?;
    stream.ready(Interest::PRIORITY).await?;
    let one = &mut [0];
    assert_eq!(stream.recv_with(one, RecvFlags { discard: true, ..URGENT }).await?.bytes, 1);
    assert_eq!((one, errno(stream.try_recv_urgent())), (&mut [0], EINVAL));
    Ok(())
}

/// what there is to read before there is any, and while it stays in the stream.
#[tokio::test]
async fn reading_what_is_not_there() -> io::Result<()> {
    let (stream, _peer) = with_bytes(b"plain").await?;
    assert_eq!(errno(stream.try_recv_urgent()), EINVAL);
    assert_eq!(errno(stream.recv_with(&mut [0], URGENT).await), EINVAL);
    stream.set_oob_inline(true)?;
    assert_eq!(errno(stream.recv_urgent().await), EINVAL, "it would wait for ever");
    Ok(())
}

/// a read stops at the mark, whatever its size, and the next one goes on behind it.
#[tokio::test]
async fn reads_stop_at_the_mark() -> io::Result<()> {
    for size in 1..6 {
        let (stream, _peer) = sent(b"12Y", b"34").await?;
        arrived(&stream, 2).await?;
        let (mut before, mut buf) = (Vec::<u8>::new(), [0; 6]);
        while !stream.at_mark()? {
            let count = stream.recv_with(&mut buf[..size], RecvFlags::default()).await?.bytes;
            before.extend(&buf[..count]);
        }
        assert_eq!(before, b"12", "{size} at a time");
        assert_eq!(stream.recv_urgent().await?, Some(b'Y'));
        assert_eq!(stream.recv_bytes(64).await?, "34");
        assert!(!stream.at_mark()?);
    }
    Ok(())
}

/// a newer byte makes the older an ordinary one, and a read that passes the mark loses what was not
/// fetched.
#[tokio::test]
async fn a_newer_byte_demotes_the_older() -> io::Result<()> {
    let (mut stream, mut peer) = sent(b"aP", b"").await?;
    peer.send_urgent(b"bQ").await?;
    arrived(&stream, 3).await?;
    let mut three = [0; 3];
    stream.read_exact(&mut three).await?;
    assert_eq!(&three, b"aPb");
    assert!(stream.at_mark()?);
    peer.write_all(b"c").await?;
    assert_eq!(stream.recv_bytes(64).await?, "c");
    assert_eq!(errno(stream.try_recv_urgent()), EINVAL, "passed, and lost");
    Ok(())
}

/// A-08, O-34: with SO_OOBINLINE it is a byte of the stream, with a mark before it.
#[tokio::test]
async fn urgent_bytes_in_line() -> io::Result<()> {
    let (peer, stream) = cauce::stream_pair().await?;
    stream.set_oob_inline(true)?;
    peer.send_urgent(b"abcX").await?;
    arrived(&stream, 4).await?;
    let ready = stream.ready(Interest::PRIORITY | Interest::READABLE).await?;
    assert!(ready.is_priority() && ready.is_readable());
    assert_eq!(stream.recv_bytes(64).await?, "abc");
    assert!(stream.at_mark()?);
    assert_eq!(stream.recv_bytes(64).await?, "X");
    assert_eq!(errno(stream.try_recv_urgent()), EINVAL);
    Ok(())
}

/// who stands for the owner of the socket hears of each urgent byte once, read or not.
#[tokio::test]
async fn each_urgent_byte_is_announced_once() -> io::Result<()> {
    let (peer, stream) = cauce::stream_pair().await?;
    peer.send_urgent(b"1").await?;
    assert!(stream.urgent_notice().await?);
    let (second, ()) = tokio::join!(stream.urgent_notice(), async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        peer.send_urgent(b"2").await.expect("room");
    });
    assert!(second?);
    assert_eq!(stream.recv_urgent().await?, Some(b'2'));
    drop(peer);
    assert!(!stream.urgent_notice().await?, "the stream has ended");
    Ok(())
}

/// whoever waits for a byte hears of the end of the stream; one of many gets what comes.
#[tokio::test]
async fn many_may_wait_for_it() -> io::Result<()> {
    let (mut peer, stream) = cauce::stream_pair().await?;
    let (one, two, ()) = tokio::join!(stream.recv_urgent(), stream.recv_urgent(), async {
        tokio::task::yield_now().await;
        peer.send_urgent(b"U").await.expect("room");
        assert_eq!(stream.ready(Interest::PRIORITY).await.expect("there"), Ready::PRIORITY);
        peer.shutdown().await.expect("open");
    });
    let mut got = [one?, two?];
    got.sort();
    assert_eq!(got, [None, Some(b'U')]);
    assert!(stream.ready(Interest::PRIORITY).await?.is_read_closed());
    assert_eq!(errno(peer.send_urgent(b"!").await), EPIPE);
    Ok(())
}

/// S-43: with RFC 1122's pointer at one end and BSD's at the other, the wrong byte is urgent.
#[tokio::test]
async fn two_readings_of_the_pointer() -> io::Result<()> {
    let (left, right): (Netstack, Netstack) = cauce::pair();
    left.set_sysctl("tcp_stdurg", "1")?;
    let listener = right.bind("10.0.0.2:80").await?;
    let client = left.connect("10.0.0.2:80").await?;
    let (server, _) = listener.accept().await?;
    client.send_urgent(b"ab").await?;
    client.try_write(b"c")?;
    let urgent =
        tokio::time::timeout(Duration::from_secs(10), server.recv_urgent()).await.expect("a byte")?;
    assert_eq!(urgent, Some(b'a'), "the pointer names the byte, and was read as the one behind it");
    assert_eq!(left.counters().get(Counter::ActiveOpens), 1);
    Ok(())
}
