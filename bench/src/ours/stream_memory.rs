//! Bytes of an idle connection as a program holds it: a `TcpStream` of the crate `cauce`, with its handle, its
//! place among those that wait, and everything below. In real time, as the face has no other.

use super::memory::Cost;
use super::scale::PER_PORT;
use crate::counting;
use anyhow::{Context, Result, ensure};
use cauce::{Netstack, TcpStream};
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Longer than a delayed acknowledgement, a tail-loss probe and the round trip take.
const REST: Duration = Duration::from_secs(2);

/// An idle established connection after 1 KiB each way, one end, with the handle that owns it.
///
/// # Errors
/// When a connection does not come about or a byte is lost.
pub fn idle(count: usize) -> Result<Cost> {
    runtime()?.block_on(measure(count, false))
}

/// The same with somebody who waits for the next byte.
///
/// # Errors
/// As [`idle`].
pub fn awaited(count: usize) -> Result<Cost> {
    runtime()?.block_on(measure(count, true))
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")
}

async fn measure(count: usize, awaited: bool) -> Result<Cost> {
    let (left, right) = cauce::pair();
    let mut streams: Vec<TcpStream> = Vec::with_capacity(2 * count);
    let reserved = counting::in_use();
    for first in (0..count).step_by(PER_PORT) {
        let port = 9000 + (first / PER_PORT) as u16;
        connect(&left, &right, port, PER_PORT.min(count - first), &mut streams).await?;
    }
    tokio::time::sleep(REST).await;
    if awaited {
        wait_on(&streams).await;
    }
    let mut cost = super::memory::per(reserved, counting::in_use(), streams.len());
    let handle = size_of::<TcpStream>() as f64;
    cost.requested += handle;
    cost.allocated += handle;
    Ok(cost)
}

/// Opens `count` connections to `port` and sends 1 KiB each way on each.
async fn connect(
    left: &Netstack,
    right: &Netstack,
    port: u16,
    count: usize,
    streams: &mut Vec<TcpStream>,
) -> Result<()> {
    let listener = right.bind(("10.0.0.2", port)).await?;
    let mut buffer = [7; 1024];
    for _ in 0..count {
        let mut client = left.connect(("10.0.0.2", port)).await?;
        let (mut server, _) = listener.accept().await?;
        client.write_all(&buffer).await?;
        server.read_exact(&mut buffer).await?;
        server.write_all(&buffer).await?;
        client.read_exact(&mut buffer).await?;
        ensure!(buffer.iter().all(|byte| *byte == 7), "bytes were changed");
        streams.extend([client, server]);
    }
    Ok(())
}

/// Registers the calling task with every stream, as a task that waits for each would be.
async fn wait_on(streams: &[TcpStream]) {
    poll_fn(|cx| {
        for stream in streams {
            // Nothing has come: what stays is the registration.
            let _ = stream.poll_read_ready(cx);
        }
        Poll::Ready(())
    })
    .await;
}
