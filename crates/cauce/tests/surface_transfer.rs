//! What streams and their halves offer to move bytes, method by method, with the errors that each can return.

use bytes::{Bytes, BytesMut};
use cauce::{Counter, TcpStream};
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::task::Poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest, ReadBuf};

fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> ErrorKind {
    result.expect_err("this must fail").kind()
}

/// A stream whose peer has written `bytes`, and the peer.
async fn with_bytes(bytes: &[u8]) -> io::Result<(TcpStream, TcpStream)> {
    let (mut peer, stream) = cauce::stream_pair().await?;
    peer.write_all(bytes).await?;
    stream.readable().await?;
    while stream.bytes_to_read()? < bytes.len() {
        tokio::task::yield_now().await;
    }
    Ok((stream, peer))
}

#[tokio::test]
async fn reading_without_waiting() -> io::Result<()> {
    let (stream, mut peer) = with_bytes(b"0123456789").await?;
    let (mut one, mut two) = ([0; 2], [0; 2]);
    assert_eq!(stream.try_read(&mut one)?, 2);
    assert_eq!(stream.try_read_vectored(&mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)])?, 4);
    assert_eq!((&one, &two), (b"23", b"45"));
    assert_eq!(stream.try_recv_bytes(1)?, Bytes::from_static(b"6"));
    let mut buf = BytesMut::with_capacity(64);
    assert_eq!(stream.try_read_buf(&mut buf)?, 3);
    assert_eq!(&buf[..], b"789");
    assert_eq!(kind(stream.try_read(&mut one)), ErrorKind::WouldBlock);
    assert_eq!(kind(stream.try_recv_bytes(9)), ErrorKind::WouldBlock);
    peer.shutdown().await?;
    stream.readable().await?;
    assert_eq!(stream.try_read(&mut one)?, 0, "the end");
    assert!(stream.try_recv_bytes(9)?.is_empty());
    Ok(())
}

#[tokio::test]
async fn peeking_again_and_again() -> io::Result<()> {
    let (stream, _peer) = with_bytes(b"abc").await?;
    let mut buf = [0; 8];
    for _ in 0..2 {
        assert_eq!(stream.peek(&mut buf).await?, 3);
        let mut room = ReadBuf::new(&mut buf);
        assert_eq!(poll_fn(|cx| stream.poll_peek(cx, &mut room)).await?, 3);
        assert_eq!(room.filled(), b"abc");
    }
    assert_eq!(stream.recv_bytes(2).await?, Bytes::from_static(b"ab"));
    assert_eq!(stream.bytes_to_read()?, 1);
    Ok(())
}

#[tokio::test]
async fn writing_without_waiting_until_there_is_no_room() -> io::Result<()> {
    let (stream, _peer) = cauce::stream_pair().await?;
    assert_eq!(stream.try_write(b"abc")?, 3);
    assert_eq!(stream.try_write_vectored(&[IoSlice::new(b"de"), IoSlice::new(b"f")])?, 3);
    let mut data = Bytes::from(vec![7; 64 << 20]);
    let before = data.len();
    let mut taken = 0;
    let refused = loop {
        match stream.try_send_bytes(&mut data) {
            Ok(now) => taken += now,
            Err(error) => break error.kind(),
        }
    };
    assert_eq!((refused, taken + data.len()), (ErrorKind::WouldBlock, before), "what was not taken is left");
    assert_eq!(kind(stream.try_write(b"x")), ErrorKind::WouldBlock);
    Ok(())
}

#[tokio::test]
async fn readiness_of_each_kind() -> io::Result<()> {
    let (stream, peer) = with_bytes(b"abc").await?;
    let ready = stream.ready(Interest::READABLE | Interest::WRITABLE).await?;
    assert!(ready.is_readable() && ready.is_writable());
    stream.writable().await?;
    poll_fn(|cx| stream.poll_read_ready(cx)).await?;
    poll_fn(|cx| stream.poll_write_ready(cx)).await?;
    assert_eq!(stream.try_io(Interest::READABLE, || Ok(5))?, 5);
    let mut buf = [0; 3];
    assert_eq!(stream.async_io(Interest::READABLE, || stream.try_read(&mut buf)).await?, 3);
    assert_eq!(kind(stream.try_io(Interest::READABLE, || Ok(5))), ErrorKind::WouldBlock);
    let pending = poll_fn(|cx| Poll::Ready(stream.poll_read_ready(cx).is_pending())).await;
    assert!(pending, "nothing to read");
    peer.abort();
    stream.readable().await?;
    assert_eq!(kind(stream.try_read(&mut buf)), ErrorKind::ConnectionReset);
    Ok(())
}

#[tokio::test]
async fn borrowed_halves_do_what_the_stream_does() -> io::Result<()> {
    let (mut stream, mut peer) = with_bytes(b"0123456789").await?;
    let (local, remote) = (stream.local_addr()?, stream.peer_addr()?);
    let (mut reader, mut writer) = stream.split();
    assert_eq!([reader.local_addr()?, writer.local_addr()?], [local; 2]);
    assert_eq!([reader.peer_addr()?, writer.peer_addr()?], [remote; 2]);
    let mut buf = [0; 4];
    reader.readable().await?;
    assert!(reader.ready(Interest::READABLE).await?.is_readable());
    assert_eq!(reader.peek(&mut buf).await?, 4);
    assert_eq!(poll_fn(|cx| reader.poll_peek(cx, &mut ReadBuf::new(&mut buf))).await?, 4);
    assert_eq!(reader.try_read(&mut buf)?, 4);
    assert_eq!(reader.try_read_vectored(&mut [IoSliceMut::new(&mut buf)])?, 4);
    assert_eq!(reader.recv_bytes(9).await?, Bytes::from_static(b"89"));
    assert_eq!(kind(reader.try_read_buf(&mut BytesMut::with_capacity(4))), ErrorKind::WouldBlock);
    writer.writable().await?;
    assert!(writer.ready(Interest::WRITABLE).await?.is_writable());
    assert_eq!(writer.try_write(b"ab")?, 2);
    assert_eq!(writer.try_write_vectored(&[IoSlice::new(b"c"), IoSlice::new(b"d")])?, 2);
    writer.send_bytes(Bytes::from_static(b"ef")).await?;
    writer.shutdown().await?;
    let mut got = Vec::new();
    peer.read_to_end(&mut got).await?;
    assert_eq!(got, b"abcdef");
    assert_eq!(kind(writer.try_write(b"x")), ErrorKind::BrokenPipe);
    Ok(())
}

#[tokio::test]
async fn owned_halves_do_what_the_stream_does() -> io::Result<()> {
    let (stream, mut peer) = with_bytes(b"0123456789").await?;
    let (local, remote) = (stream.local_addr()?, stream.peer_addr()?);
    let (mut reader, mut writer) = stream.into_split();
    assert_eq!([reader.local_addr()?, writer.local_addr()?], [local; 2]);
    assert_eq!([reader.peer_addr()?, writer.peer_addr()?], [remote; 2]);
    let mut buf = [0; 4];
    assert_eq!(reader.peek(&mut buf).await?, 4);
    assert_eq!(reader.try_read(&mut buf)?, 4);
    assert_eq!(reader.recv_bytes(100).await?, Bytes::from_static(b"456789"));
    writer.send_bytes(Bytes::from_static(b"abc")).await?;
    let (_, stranger) = cauce::stream_pair().await?.0.into_split();
    let error = reader.reunite(stranger).expect_err("halves of two streams");
    let reader = error.0;
    let stream = reader.reunite(writer).expect("halves of one stream");
    let (mut reader, writer) = stream.into_split();
    writer.forget();
    assert_eq!(peer.read(&mut [0; 8]).await?, 3);
    peer.write_all(b"still open").await?;
    assert_eq!(reader.read(&mut [0; 16]).await?, 10, "forgetting closes nothing");
    drop(reader);
    Ok(())
}

/// What a netstack tells of itself, and packets that an embedder sends.
#[tokio::test]
async fn counters_and_packets_of_a_netstack() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let _listener = right.bind("10.0.0.2:80").await?;
    let stream = left.connect("10.0.0.2:80").await?;
    assert_eq!(left.counters().get(Counter::ActiveOpens), 1);
    assert_eq!(left.with_stack(|stack, _| stack.sysctl().tcp_sack), 1);
    assert!(left.device_counters().tx_packets > 0);
    left.send_packet(Bytes::from_static(b"no packet of TCP"))?;
    let refused = left.send_packet(Bytes::from(vec![0; 1501])).expect_err("above the MTU");
    assert_eq!(refused.raw_os_error(), Some(90), "EMSGSIZE");
    assert_eq!(stream.netstack().sockets(), left.sockets());
    Ok(())
}
