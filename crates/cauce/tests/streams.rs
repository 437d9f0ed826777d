//! Streams between two netstacks on a link in memory.

use bytes::Bytes;
use cauce::{Counter, TcpListener, TcpSocket, TcpStream};
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest};
use tokio::task::JoinSet;

/// Bytes that tell where they came from.
fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

async fn serve_echo(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let (mut reader, mut writer) = stream.split();
            if tokio::io::copy(&mut reader, &mut writer).await.is_ok() {
                let _ = writer.shutdown().await;
            }
        });
    }
}

async fn echoed(stream: TcpStream, data: Vec<u8>) -> io::Result<Vec<u8>> {
    let (mut reader, mut writer) = stream.into_split();
    let sent = data.clone();
    let writing = tokio::spawn(async move {
        writer.write_all(&sent).await?;
        writer.shutdown().await
    });
    let mut back = Vec::new();
    reader.read_to_end(&mut back).await?;
    writing.await??;
    Ok(back)
}

#[tokio::test]
async fn what_is_echoed_is_what_was_sent() -> io::Result<()> {
    let (left, right) = cauce::pair();
    tokio::spawn(serve_echo(right.bind("10.0.0.2:7").await?));
    for len in [0, 1, 1459, 1460, 1461, 65_536, 3_000_000] {
        let data = pattern(len as u64, len);
        let stream = left.connect("10.0.0.2:7").await?;
        assert!(echoed(stream, data.clone()).await? == data, "{len} bytes");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_streams_at_once_on_several_threads() -> io::Result<()> {
    let (left, right) = cauce::pair();
    tokio::spawn(serve_echo(right.bind("[::]:7").await?));
    let mut streams = JoinSet::new();
    for number in 0..64u64 {
        let left = left.clone();
        streams.spawn(async move {
            let addr = if number % 2 == 0 { "10.0.0.2:7" } else { "[fd00::2]:7" };
            let data = pattern(number, 150_000 + 1000 * number as usize);
            let stream = left.connect(addr).await?;
            io::Result::Ok(echoed(stream, data.clone()).await? == data)
        });
    }
    while let Some(result) = streams.join_next().await {
        assert!(result??, "the echo differs");
    }
    Ok(())
}

#[tokio::test]
async fn each_direction_closes_by_itself() -> io::Result<()> {
    let (mut client, mut server) = cauce::stream_pair().await?;
    client.write_all(b"question").await?;
    client.shutdown().await?;
    let mut question = String::new();
    server.read_to_string(&mut question).await?;
    assert_eq!(question, "question");
    assert_eq!(client.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    server.write_all(b"answer").await?;
    server.shutdown().await?;
    server.shutdown().await?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    assert_eq!(answer, "answer");
    assert_eq!(client.read(&mut [0; 1]).await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_calls_lose_nothing() -> io::Result<()> {
    let (client, mut server) = cauce::stream_pair().await?;
    let data = pattern(3, 200_000);
    let sent = data.clone();
    let writing = tokio::spawn(async move {
        let mut rest = &sent[..];
        while !rest.is_empty() {
            let chunk = &rest[..rest.len().min(777)];
            tokio::select! {
                biased;
                () = tokio::task::yield_now() => {}
                written = async { client.writable().await?; client.try_write(chunk) } => match written {
                    Ok(count) => rest = &rest[count..],
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            client.writable().await?;
            match client.try_write(&rest[..rest.len().min(777)]) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(client)
    });
    let mut got = Vec::new();
    let mut buf = [0; 1000];
    loop {
        tokio::select! {
            biased;
            () = tokio::task::yield_now() => {}
            read = server.read(&mut buf) => { let count = read?; got.extend_from_slice(&buf[..count]); }
        }
        let mut peeked = [0; 16];
        tokio::select! {
            count = server.peek(&mut peeked) => {
                let count = count?;
                assert_eq!(peeked[..count], data[got.len()..got.len() + count]);
            }
            () = tokio::task::yield_now() => {}
        }
        if got.len() < data.len() {
            let count = server.read(&mut buf).await?;
            got.extend_from_slice(&buf[..count]);
        }
        if got.len() >= data.len() {
            break;
        }
    }
    assert!(got == data);
    drop(writing.await??);
    Ok(())
}

#[tokio::test]
async fn an_accept_that_was_given_up_loses_no_connection() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let listener = right.bind("10.0.0.2:80").await?;
    for _ in 0..3 {
        tokio::select! {
            biased;
            _ = listener.accept() => panic!("nobody has connected"),
            () = tokio::task::yield_now() => {}
        }
    }
    let client = left.connect("10.0.0.2:80").await?;
    let (_server, peer) = listener.accept().await?;
    assert_eq!(client.local_addr()?, peer);
    Ok(())
}

#[tokio::test]
async fn a_writer_waits_for_a_reader_who_does_not_read() -> io::Result<()> {
    let (client, mut server) = cauce::stream_pair().await?;
    let chunk = vec![7; 65_536];
    let mut written = 0;
    // Fill all buffers until nothing moves any more.
    loop {
        match client.try_write(&chunk) {
            Ok(count) => written += count,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                let more = tokio::time::timeout(Duration::from_millis(300), client.writable()).await;
                if more.is_err() {
                    break;
                }
            }
        }
        assert!(written < 64 << 20, "a bound on what is buffered");
    }
    let reading = tokio::spawn(async move {
        let mut buf = vec![0; 65_536];
        let mut read = 0;
        loop {
            match server.read(&mut buf).await? {
                0 => return io::Result::Ok(read),
                count => read += count,
            }
        }
    });
    client.writable().await?;
    written += client.try_write(b"again").unwrap_or(0);
    drop(client);
    assert_eq!(reading.await??, written);
    Ok(())
}

#[tokio::test]
async fn peeking_takes_nothing_away_and_wakes_everybody() -> io::Result<()> {
    let (mut client, server) = cauce::stream_pair().await?;
    let server = Arc::new(server);
    let mut tasks = JoinSet::new();
    for _ in 0..10 {
        let (peeking, waiting) = (server.clone(), server.clone());
        tasks.spawn(async move {
            let mut buf = [0; 3];
            peeking.peek(&mut buf).await.map(|count| buf[..count].to_vec())
        });
        tasks.spawn(async move { waiting.readable().await.map(|()| b"abc".to_vec()) });
    }
    tokio::task::yield_now().await;
    client.write_all(b"abc").await?;
    while let Some(result) = tasks.join_next().await {
        assert_eq!(result??, b"abc");
    }
    assert_eq!(server.try_read(&mut [0; 8])?, 3);
    Ok(())
}

#[tokio::test]
async fn halves_reunite_and_know_strangers() -> io::Result<()> {
    let (client, mut server) = cauce::stream_pair().await?;
    let (stranger, _peer) = cauce::stream_pair().await?;
    let (reader, writer) = client.into_split();
    let (other_reader, other_writer) = stranger.into_split();
    let error = reader.reunite(other_writer).unwrap_err();
    let (reader, other_writer) = (error.0, error.1);
    other_reader.reunite(other_writer).unwrap();
    let mut client = writer.reunite(reader).unwrap();
    client.write_all(b"one piece").await?;
    drop(client);
    let mut text = String::new();
    server.read_to_string(&mut text).await?;
    assert_eq!(text, "one piece", "reuniting shut nothing down");
    Ok(())
}

#[tokio::test]
async fn the_end_comes_with_the_write_half() -> io::Result<()> {
    let (client, mut server) = cauce::stream_pair().await?;
    let (mut reader, mut writer) = client.into_split();
    writer.write_all(b"last words").await?;
    drop(writer);
    let mut text = String::new();
    server.read_to_string(&mut text).await?;
    assert_eq!(text, "last words");
    server.write_all(b"still heard").await?;
    drop(server);
    reader.read_to_string(&mut text).await?;
    assert!(text.ends_with("still heard"));
    Ok(())
}

#[tokio::test]
async fn vectored_writes_are_one_write() -> io::Result<()> {
    let (mut client, mut server) = cauce::stream_pair().await?;
    assert!(AsyncWrite::is_write_vectored(&client));
    let parts = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde"), IoSlice::new(b"")];
    let before = client.netstack().counters().get(Counter::OutSegs);
    assert_eq!(client.write_vectored(&parts).await?, 5);
    assert_eq!(client.netstack().counters().get(Counter::OutSegs) - before, 1, "one segment carries all");
    let mut buf = [0; 5];
    server.read_exact(&mut buf).await?;
    assert_eq!(&buf, b"abcde");
    assert_eq!(client.write_vectored(&[]).await?, 0);
    let (big, small) = (pattern(1, 9_000_000), pattern(2, 10));
    let sent = client.write_vectored(&[IoSlice::new(&big), IoSlice::new(&small)]).await?;
    assert!(sent < big.len(), "a short write ends in the first buffer");
    let mut got = vec![0; sent];
    server.read_exact(&mut got).await?;
    assert!(got == big[..sent]);
    Ok(())
}

#[tokio::test]
async fn bytes_are_handed_over_without_a_copy() -> io::Result<()> {
    let (client, server) = cauce::stream_pair().await?;
    let data = Bytes::from(pattern(5, 4_000_000));
    let sent = data.clone();
    let sending = tokio::spawn(async move { client.send_bytes(sent).await.map(|()| client) });
    let mut got = Vec::new();
    while got.len() < data.len() {
        let part = server.recv_bytes(100_000).await?;
        assert!(!part.is_empty() && part.len() <= 100_000);
        got.extend_from_slice(&part);
    }
    assert!(got == data);
    drop(sending.await??);
    assert!(server.recv_bytes(10).await?.is_empty(), "the end of the stream");
    Ok(())
}

#[tokio::test]
async fn any_address_and_port_can_be_taken() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let listener = TcpListener::bind_any(&right).await?;
    let special = right.bind("10.0.0.2:22").await?;
    for wanted in ["192.0.2.1:443", "[2001:db8::7]:8080", "10.0.0.2:5"] {
        let mut client = left.connect(wanted).await?;
        let (mut server, peer) = listener.accept().await?;
        assert_eq!(server.local_addr()?, wanted.parse().unwrap(), "the original destination");
        assert_eq!(client.local_addr()?, peer);
        client.write_all(b"hi").await?;
        drop(client);
        let mut text = String::new();
        server.read_to_string(&mut text).await?;
        assert_eq!(text, "hi");
    }
    let _client = left.connect("10.0.0.2:22").await?;
    assert_eq!(special.accept().await?.0.local_addr()?.port(), 22);
    Ok(())
}

#[tokio::test]
async fn an_ipv6_listener_takes_ipv4_unless_told_otherwise() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let both = right.bind("[::]:80").await?;
    let _v4 = left.connect("10.0.0.2:80").await?;
    let _v6 = left.connect("[fd00::2]:80").await?;
    both.accept().await?;
    both.accept().await?;
    let only = TcpSocket::new_v6(&right)?;
    only.set_only_v6(true)?;
    only.bind("[::]:81".parse().unwrap())?;
    let _only = only.listen(8)?;
    assert_eq!(left.connect("10.0.0.2:81").await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    left.connect("[fd00::2]:81").await?;
    Ok(())
}

#[tokio::test]
async fn a_stack_talks_to_itself() -> io::Result<()> {
    let (net, _peer) = cauce::pair();
    tokio::spawn(serve_echo(net.bind("127.0.0.1:7").await?));
    let data = pattern(4, 500_000);
    let stream = net.connect("127.0.0.1:7").await?;
    assert!(echoed(stream, data.clone()).await? == data);
    assert_eq!(net.device_counters().tx_packets, 0);
    Ok(())
}

#[tokio::test]
async fn readiness_tells_what_the_next_call_will_do() -> io::Result<()> {
    let (mut client, server) = cauce::stream_pair().await?;
    let ready = server.ready(Interest::READABLE | Interest::WRITABLE).await?;
    assert!(ready.is_writable() && !ready.is_readable());
    client.write_all(b"x").await?;
    let ready = server.ready(Interest::READABLE).await?;
    assert!(ready.is_readable() && !ready.is_writable() && !ready.is_read_closed());
    server.try_read(&mut [0; 1])?;
    client.shutdown().await?;
    assert!(server.ready(Interest::READABLE).await?.is_read_closed());
    assert_eq!(server.try_read(&mut [0; 1])?, 0);
    Ok(())
}

/// calls of several threads at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_writers_and_closers_lose_no_wake_up() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let listener = Arc::new(right.bind("10.0.0.2:80").await?);
    let total = Arc::new(AtomicUsize::new(0));
    let mut servers = JoinSet::new();
    // Several tasks accept on one listener.
    for _ in 0..4 {
        let (listener, total) = (listener.clone(), total.clone());
        servers.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let total = total.clone();
                tokio::spawn(async move {
                    let mut buf = [0; 512];
                    while let Ok(count @ 1..) = stream.read(&mut buf).await {
                        total.fetch_add(count, Ordering::Relaxed);
                        if stream.write_all(&buf[..count]).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
    }
    let mut clients = JoinSet::new();
    for number in 0..200u64 {
        let left = left.clone();
        clients.spawn(async move {
            let mut stream = left.connect("10.0.0.2:80").await?;
            for round in 0..20usize {
                let data = pattern(number, 1 + 37 * round);
                stream.write_all(&data).await?;
                let mut back = vec![0; data.len()];
                stream.read_exact(&mut back).await?;
                assert_eq!(back, data);
            }
            io::Result::Ok(())
        });
    }
    while let Some(result) = clients.join_next().await {
        result??;
    }
    assert_eq!(total.load(Ordering::Relaxed), 200 * (20 + 37 * 190));
    left.idle().await;
    servers.abort_all();
    Ok(())
}
