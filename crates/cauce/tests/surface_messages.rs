//! Writes and reads with flags (REQUIREMENTS, O-22).

mod common;

use bytes::Bytes;
use cauce::{RecvFlags, SendFlags, TcpSocket, TcpStream};
use common::{addr, arrived, errno, with_bytes};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};

const EPIPE: i32 = 32;
const ECONNRESET: i32 = 104;

const PEEK: RecvFlags = RecvFlags { peek: true, discard: false, out_of_band: false, wait_all: false };
const DISCARD: RecvFlags = RecvFlags { discard: true, peek: false, ..PEEK };
const ALL: RecvFlags = RecvFlags { wait_all: true, peek: false, ..PEEK };
const MORE: SendFlags =
    SendFlags { more: true, end_of_record: false, out_of_band: false, zero_copy: false, timestamping: None };

/// a peek leaves the bytes, a discard takes them and leaves the buffer, both together only count.
#[tokio::test]
async fn peeking_and_discarding() -> io::Result<()> {
    let (stream, _peer) = with_bytes(b"0123456789").await?;
    let mut buf = *b"zzzz";
    assert_eq!(stream.recv_with(&mut buf, RecvFlags { peek: true, ..DISCARD }).await?.bytes, 4);
    assert_eq!(stream.recv_with(&mut buf, DISCARD).await?.bytes, 4);
    assert_eq!(&buf, b"zzzz");
    for _ in 0..2 {
        assert_eq!(stream.recv_with(&mut buf, PEEK).await?.bytes, 4);
        assert_eq!(&buf, b"4567");
    }
    assert_eq!(stream.discard(3).await?, 3);
    assert_eq!(stream.recv_bytes(64).await?, "789");
    assert_eq!(stream.try_recv_with(&mut buf, PEEK).expect_err("nothing").kind(), ErrorKind::WouldBlock);
    Ok(())
}

/// SO_PEEK_OFF: peeks go on, and reads take the offset back.
#[tokio::test]
async fn peeks_that_go_on() -> io::Result<()> {
    let (stream, _peer) = with_bytes(b"abcdef").await?;
    stream.set_peek_offset(Some(1))?;
    let mut buf = [0; 2];
    stream.recv_with(&mut buf, PEEK).await?;
    assert_eq!((&buf, stream.peek_offset()?), (b"bc", Some(3)));
    stream.recv_with(&mut buf, RecvFlags::default()).await?;
    assert_eq!((&buf, stream.peek_offset()?), (b"ab", Some(1)));
    stream.recv_with(&mut buf, PEEK).await?;
    assert_eq!(&buf, b"de");
    Ok(())
}

/// MSG_WAITALL waits for all of the buffer, over any number of segments.
#[tokio::test]
async fn waiting_for_a_full_buffer() -> io::Result<()> {
    let (stream, mut peer) = with_bytes(b"01").await?;
    peer.set_nodelay(true)?;
    let mut buf = [0; 6];
    let (received, ()) = tokio::join!(stream.recv_with(&mut buf, ALL), async {
        for piece in [b"23", b"45", b"67"] {
            peer.write_all(piece).await.expect("room");
            tokio::task::yield_now().await;
        }
    });
    assert_eq!((received?.bytes, &buf), (6, b"012345"));
    let mut four = [0; 4];
    let (received, ()) = tokio::join!(stream.recv_with(&mut four, RecvFlags { peek: true, ..ALL }), async {
        peer.write_all(b"89").await.expect("room");
    });
    assert_eq!((received?.bytes, &four), (4, b"6789"));
    assert_eq!(stream.bytes_to_read()?, 4, "it was a peek");
    Ok(())
}

/// the end of the stream, a reset and an urgent mark cut MSG_WAITALL short; the reset is told afterwards.
#[tokio::test]
async fn what_ends_a_wait_for_a_full_buffer() -> io::Result<()> {
    let mut buf = [0; 10];
    let (stream, mut peer) = with_bytes(b"end").await?;
    peer.shutdown().await?;
    assert_eq!(stream.recv_with(&mut buf, ALL).await?.bytes, 3);
    assert_eq!(stream.recv_with(&mut buf, ALL).await?.bytes, 0);

    let (stream, peer) = with_bytes(b"reset").await?;
    let (received, ()) = tokio::join!(stream.recv_with(&mut buf, ALL), async {
        tokio::task::yield_now().await;
        peer.abort();
    });
    assert_eq!(received?.bytes, 5);
    assert_eq!(errno(stream.recv_with(&mut buf, ALL).await), ECONNRESET);
    assert_eq!(stream.recv_with(&mut buf, ALL).await?.bytes, 0, "told once");

    let (stream, peer) = with_bytes(b"mark").await?;
    peer.send_urgent(b"!").await?;
    peer.try_write(b"behind")?;
    arrived(&stream, 4).await?;
    stream.ready(Interest::PRIORITY).await?;
    assert_eq!(stream.recv_with(&mut buf, ALL).await?.bytes, 4);
    Ok(())
}

/// MSG_MORE holds what is written until something without it follows.
#[tokio::test]
async fn more_is_announced() -> io::Result<()> {
    let (client, server) = cauce::stream_pair().await?;
    client.send_with(b"one ", MORE).await?;
    client.try_send_with(b"two ", MORE)?;
    assert_eq!((client.bytes_to_send()?, client.bytes_to_deliver()?), (8, 8));
    let mut data = Bytes::from_static(b"three");
    client.send_bytes_with(&mut data, SendFlags::default()).await?;
    assert!(data.is_empty());
    arrived(&server, 13).await?;
    assert_eq!(client.tcp_info()?.data_segs_out, 1, "one segment carried it all");
    Ok(())
}

/// MSG_EOR: no segment carries the end of a record together with what follows.
#[tokio::test]
async fn records_end_segments() -> io::Result<()> {
    let (client, server) = cauce::stream_pair().await?;
    client.set_cork(true)?;
    client.send_with(b"one", SendFlags { end_of_record: true, ..SendFlags::default() }).await?;
    client.send_with(b"two", SendFlags::default()).await?;
    client.set_cork(false)?;
    client.set_nodelay(true)?;
    arrived(&server, 6).await?;
    assert_eq!(client.tcp_info()?.data_segs_out, 2);
    Ok(())
}

/// O-22: TCP_INQ tells what is left, and says 1 before the end of a stream that was closed. A-19: and reads of a stream
/// are never cut.
#[tokio::test]
async fn reads_tell_what_is_left() -> io::Result<()> {
    let (stream, mut peer) = with_bytes(b"abcdef").await?;
    let mut buf = [0; 4];
    assert_eq!(stream.try_recv_with(&mut buf, PEEK)?.left, None, "only who asks is told");
    stream.set_inq(true)?;
    stream.set_recv_timestamps(true)?;
    peer.write_all(b"gh").await?;
    arrived(&stream, 8).await?;
    assert_eq!(stream.recv_with(&mut buf, RecvFlags::default()).await?.left, Some(4));
    let received = stream.recv_with(&mut buf, RecvFlags::default()).await?;
    assert_eq!((received.bytes, received.left), (4, Some(0)));
    assert!(received.arrived.expect("a stamp") <= stream.netstack().now());
    peer.write_all(b"i").await?;
    peer.shutdown().await?;
    while !stream.ready(Interest::READABLE).await?.is_read_closed() {
        tokio::task::yield_now().await;
    }
    assert_eq!(stream.recv_with(&mut buf, RecvFlags::default()).await?.left, Some(1), "so that it reads on");
    Ok(())
}

/// what is in the queues.
#[tokio::test]
async fn queues_are_counted() -> io::Result<()> {
    let (client, mut server) = cauce::stream_pair().await?;
    server.set_recv_buffer_size(4096)?;
    let mut written = 0;
    while let Ok(count) = client.try_write(&[7; 4096]) {
        written += count;
    }
    assert_eq!(client.bytes_to_deliver()?, written);
    arrived(&server, 1).await?;
    assert!(client.bytes_to_send()? > 0 && client.bytes_to_send()? < written);
    let mut all = vec![0; written];
    server.read_exact(&mut all).await?;
    while client.bytes_to_deliver()? > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((client.bytes_to_send()?, server.bytes_to_read()?), (0, 0));
    server.write_all(b"12345").await?;
    arrived(&client, 5).await?;
    server.shutdown().await?;
    client.ready(Interest::READABLE).await?;
    assert_eq!(client.bytes_to_read()?, 5, "a FIN does not count");
    Ok(())
}

fn file_of(bytes: &[u8], name: &str) -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("cauce-{name}-{}", std::process::id()));
    File::create(&path)?.write_all(bytes)?;
    let file = File::open(&path);
    std::fs::remove_file(&path)?;
    file
}

async fn read_all(stream: &mut TcpStream, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// a file goes out whole, in full segments, behind a header that waited for it (O-02).
#[tokio::test]
async fn files_are_sent() -> io::Result<()> {
    let (client, mut server) = cauce::stream_pair().await?;
    let content: Vec<u8> = (0..1_000_000_u32).map(|at| (at % 251) as u8).collect();
    let file = file_of(&content, "whole")?;
    let (sent, got) =
        tokio::join!(client.send_file(&file, 0, u64::MAX), read_all(&mut server, content.len()));
    assert_eq!((sent?, got? == content), (1_000_000, true));

    assert_eq!(client.send_file(&file, 999_990, 1000).await?, 10, "what there is");
    assert_eq!(read_all(&mut server, 10).await?, content[999_990..]);
    assert_eq!(client.send_file(&file, 2_000_000, 1000).await?, 0);
    assert_eq!(client.send_file(&file, 0, 0).await?, 0);

    let before = client.tcp_info()?.data_segs_out;
    client.send_with(&[7; 30], MORE).await?;
    client.send_file(&file, 100, 1000).await?;
    assert_eq!(read_all(&mut server, 1030).await?[30..], content[100..1100]);
    assert_eq!(client.tcp_info()?.data_segs_out - before, 1, "header and file in one segment");
    Ok(())
}

/// errors of the file and of the connection.
#[tokio::test]
async fn files_that_cannot_be_sent() -> io::Result<()> {
    let (mut client, _server) = cauce::stream_pair().await?;
    let directory = File::open(std::env::temp_dir())?;
    assert_eq!(
        client.send_file(&directory, 0, 10).await.expect_err("no file").kind(),
        ErrorKind::IsADirectory
    );
    client.shutdown().await?;
    let file = file_of(b"too late", "late")?;
    assert_eq!(errno(client.send_file(&file, 0, 8).await), EPIPE);
    Ok(())
}

/// O-16, A-17, S-18: connecting by the first write puts its bytes into the SYN, once the cookie is known.
#[tokio::test]
async fn connecting_by_the_first_write() -> io::Result<()> {
    let (left, right) = cauce::pair();
    right.set_sysctl("tcp_fastopen", "3")?;
    let listener = right.bind("10.0.0.2:80").await?;
    listener.set_fast_open(8)?;
    for round in 0..2 {
        let socket = TcpSocket::new_v4(&left)?;
        socket.set_fast_open_connect(true)?;
        let mut client = socket.connect(addr("10.0.0.2:80")).await?;
        client.write_all(b"hello").await?;
        let (mut server, _) = listener.accept().await?;
        assert_eq!(read_all(&mut server, 5).await?, b"hello");
        assert_eq!(client.tcp_info()?.options & 32 != 0, round == 1, "the first only asks for the cookie");
    }
    assert_eq!(right.counters().get(cauce::Counter::TCPFastOpenPassive), 1);
    Ok(())
}
