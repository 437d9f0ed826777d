//! The kernel's own TCP: over its loopback, and as the peer across a TUN. CUBIC is set on every socket,
//! because the system's default may be another.

use crate::netns::pin;
use crate::ours::bulk::CHUNK;
use anyhow::{Context as _, Result, ensure};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

fn socket() -> Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_tcp_congestion(b"cubic").context("the kernel has no CUBIC")?;
    Ok(socket)
}

/// A listener of the kernel's.
///
/// # Errors
/// When the system refuses.
pub fn listen(addr: SocketAddr) -> Result<TcpListener> {
    let socket = socket()?;
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(64)?;
    Ok(socket.into())
}

/// A connection of the kernel's.
///
/// # Errors
/// When it does not come about.
pub fn connect(addr: SocketAddr) -> Result<TcpStream> {
    let socket = socket()?;
    socket.connect_timeout(&addr.into(), Duration::from_secs(5))?;
    Ok(socket.into())
}

/// Writes until `span` is over or the peer goes away. Returns bytes and time.
pub fn send_for(stream: &mut TcpStream, span: Duration) -> (usize, Duration) {
    let (chunk, start, mut sent) = (vec![0x5a; CHUNK], Instant::now(), 0);
    while start.elapsed() < span {
        match stream.write(&chunk) {
            Ok(len) => sent += len,
            Err(_) => break,
        }
    }
    (sent, start.elapsed())
}

/// Reads until the end of the stream. Returns bytes and the time from the first to the last.
pub fn receive_all(stream: &mut TcpStream) -> (usize, Duration) {
    let (mut chunk, mut got) = (vec![0; CHUNK], 0);
    let mut start = Instant::now();
    loop {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return (got, start.elapsed()),
            Ok(len) => {
                if got == 0 {
                    start = Instant::now();
                }
                got += len;
            }
        }
    }
}

/// One stream over the kernel's loopback for `span`, sender and receiver each on a processor of its own.
///
/// # Errors
/// When the system refuses.
pub fn loopback(span: Duration) -> Result<(usize, Duration)> {
    let listener = listen((Ipv4Addr::LOCALHOST, 0).into())?;
    let addr = listener.local_addr()?;
    let sender = std::thread::spawn(move || -> Result<()> {
        pin(0)?;
        send_for(&mut connect(addr)?, span);
        Ok(())
    });
    let receiver = std::thread::spawn(move || -> Result<_> {
        pin(1)?;
        Ok(receive_all(&mut listener.accept()?.0))
    });
    sender.join().expect("the sender does not panic")?;
    let received = receiver.join().expect("the receiver does not panic")?;
    ensure!(received.0 > 0, "nothing arrived");
    Ok(received)
}
