//! How connections begin and end, and netstacks with them.

mod common;

use cauce::Counter;
use common::Path;
use std::io::{self, ErrorKind};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_reset_is_told_once_and_then_the_stream_is_over() -> io::Result<()> {
    let (client, mut server) = cauce::stream_pair().await?;
    client.set_linger(Some(Duration::ZERO))?;
    drop(client);
    let error = server.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(error.raw_os_error(), Some(104));
    assert_eq!(server.read(&mut [0; 8]).await?, 0);
    assert_eq!(server.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    Ok(())
}

#[tokio::test]
async fn unread_bytes_make_a_close_a_reset() -> io::Result<()> {
    let (client, mut server) = cauce::stream_pair().await?;
    server.write_all(b"never read").await?;
    client.readable().await?;
    drop(client);
    let error = server.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    Ok(())
}

#[tokio::test]
async fn connecting_fails_as_the_kernel_fails() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let refused = left.connect("10.0.0.2:1").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    // Nobody answers for this address, and the stack gives up soon.
    for (name, value) in [("tcp_syn_retries", "1"), ("tcp_syn_linear_timeouts", "0")] {
        left.set_sysctl(name, value)?;
    }
    right.shutdown().await;
    let timed_out = left.connect("10.0.0.9:80").await.unwrap_err();
    assert_eq!(timed_out.kind(), ErrorKind::TimedOut);
    assert_eq!(left.sockets(), 0, "attempts leave nothing behind");
    assert_eq!(left.counters().get(Counter::TCPSynRetrans), 1, "one SYN more, by the time-out alone");
    assert_eq!(left.counters().get(Counter::TCPLossProbes), 0);
    assert_eq!(left.counters().get(Counter::AttemptFails), 2);
    Ok(())
}

#[tokio::test]
async fn a_connect_that_was_given_up_leaves_nothing() -> io::Result<()> {
    let (left, right) = cauce::pair();
    right.shutdown().await;
    tokio::select! {
        _ = left.connect("10.0.0.2:80") => panic!("nobody answers"),
        () = tokio::time::sleep(Duration::from_millis(20)) => {}
    }
    assert_eq!(left.sockets(), 0);
    Ok(())
}

/// a dropped stream closes as close() does.
#[tokio::test]
async fn what_was_written_before_a_drop_arrives() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let listener = right.bind("10.0.0.2:80").await?;
    let data = vec![9; 1_000_000];
    let mut client = left.connect("10.0.0.2:80").await?;
    let (mut server, _) = listener.accept().await?;
    let sent = data.clone();
    let writing = tokio::spawn(async move { client.write_all(&sent).await });
    let mut got = Vec::new();
    server.read_to_end(&mut got).await?;
    writing.await??;
    assert!(got == data);
    drop((server, listener));
    left.idle().await;
    assert_eq!(left.sockets(), 0);
    Ok(())
}

#[tokio::test]
async fn the_netstack_outlives_its_last_handle_until_all_is_delivered() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let listener = right.bind("10.0.0.2:80").await?;
    let client = left.connect("10.0.0.2:80").await?;
    drop(left);
    let (mut server, _) = listener.accept().await?;
    let mut sent = 0;
    while let Ok(count) = client.try_write(&[1; 65_536]) {
        sent += count;
    }
    drop(client);
    let mut got = Vec::new();
    server.read_to_end(&mut got).await?;
    assert_eq!(got.len(), sent);
    Ok(())
}

#[tokio::test]
async fn closing_everything_wakes_everybody() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let listener = right.bind("10.0.0.2:80").await?;
    let mut client = left.connect("10.0.0.2:80").await?;
    let (mut server, _) = listener.accept().await?;
    let reading = tokio::spawn(async move { server.read(&mut [0; 1]).await });
    let accepting = tokio::spawn(async move { listener.accept().await.map(drop) });
    tokio::task::yield_now().await;
    right.close_all();
    assert_eq!(reading.await?.unwrap_err().kind(), ErrorKind::ConnectionAborted);
    assert_eq!(accepting.await?.unwrap_err().raw_os_error(), Some(9));
    assert_eq!(client.read(&mut [0; 1]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(right.sockets(), 0);
    let listener = right.bind("10.0.0.2:80").await?;
    left.connect("10.0.0.2:80").await?;
    listener.accept().await?;
    Ok(())
}

#[tokio::test]
async fn after_a_shutdown_the_network_is_down() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let listener = right.bind("10.0.0.2:80").await?;
    let mut client = left.connect("10.0.0.2:80").await?;
    let (mut server, _) = listener.accept().await?;
    let reading = tokio::spawn(async move { client.read(&mut [0; 1]).await });
    tokio::task::yield_now().await;
    left.shutdown().await;
    left.shutdown().await;
    assert_eq!(reading.await?.unwrap_err().kind(), ErrorKind::NetworkDown);
    assert_eq!(left.connect("10.0.0.2:80").await.unwrap_err().kind(), ErrorKind::NetworkDown);
    assert_eq!(server.read(&mut [0; 1]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    Ok(())
}

/// who ends leaves nothing open.
#[test]
fn a_runtime_that_ends_takes_its_netstacks_down() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (client, server) = runtime.block_on(cauce::stream_pair()).unwrap();
    drop(runtime);
    assert_eq!(client.try_write(b"x").unwrap_err().kind(), ErrorKind::NetworkDown);
    drop((client, server));
}

/// O-35: close waits for the last acknowledgement, the linger time at most, and not at all without one.
#[tokio::test]
async fn closing_waits_for_delivery() -> io::Result<()> {
    let (client, mut server) = cauce::stream_pair().await?;
    client.set_linger(Some(Duration::from_secs(60)))?;
    client.try_write(b"delivered")?;
    client.close().await?;
    assert_eq!(server.bytes_to_read()?, 9);
    let mut text = String::new();
    server.read_to_string(&mut text).await?;
    assert_eq!(text, "delivered");

    let path = Path::new()?;
    let (client, _server) = path.connected().await?;
    path.lose(true);
    client.set_linger(Some(Duration::from_secs(1)))?;
    client.try_write(b"lost")?;
    client.close().await?;
    assert_eq!(path.left.sockets(), 1, "the time is over, and the rest is tried in the background");
    Ok(())
}

/// O-35, A-50: a close that is given up, and one whose netstack ends, end all the same.
#[tokio::test]
async fn a_close_can_be_given_up() -> io::Result<()> {
    for by_shutdown in [false, true] {
        let path = Path::new()?;
        let (client, _server) = path.connected().await?;
        path.lose(true);
        client.set_linger(Some(Duration::from_secs(60)))?;
        client.try_write(b"lost")?;
        let closing = tokio::spawn(client.close());
        tokio::task::yield_now().await;
        if by_shutdown {
            path.left.shutdown().await;
            assert_eq!(closing.await?.expect_err("it is over").raw_os_error(), Some(100));
        } else {
            closing.abort();
            assert!(closing.await.expect_err("given up").is_cancelled());
            assert_eq!(path.left.sockets(), 1, "an orphan, which still tries");
        }
    }
    Ok(())
}
