//! What the tests of the socket surface share: errors by number, streams with bytes in them, and a path between two
//! netstacks whose router is the test: it sees every packet of the left one, loses them, or answers with ICMP errors.

#![allow(dead_code, reason = "each test takes what it needs")]

use bytes::Bytes;
use cauce::{Netstack, PacketReceiver, PacketSender, TcpListener, TcpStream, packet_channel};
use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::io::AsyncWriteExt;

pub fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// The number of Linux for the error of a call that must fail.
#[track_caller]
pub fn errno<T: Debug>(result: io::Result<T>) -> i32 {
    result.expect_err("this must fail").raw_os_error().expect("a number of Linux")
}

/// A stream that has `bytes` to read, and the peer that has sent them.
pub async fn with_bytes(bytes: &[u8]) -> io::Result<(TcpStream, TcpStream)> {
    let (mut peer, stream) = cauce::stream_pair().await?;
    peer.write_all(bytes).await?;
    arrived(&stream, bytes.len()).await?;
    Ok((stream, peer))
}

/// Waits until `count` bytes can be read.
pub async fn arrived(stream: &TcpStream, count: usize) -> io::Result<()> {
    while stream.bytes_to_read()? < count {
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Type and code of an ICMP error, and the number in its second word.
pub type Icmp = (u8, u8, u16);

#[derive(Default)]
struct Router {
    seen: Vec<Bytes>,
    loses: bool,
    lost: Option<Bytes>,
    answer: Option<Icmp>,
}

/// Two netstacks, 10.0.0.1 and 10.0.0.2, and the router 10.0.0.254 between them.
pub struct Path {
    pub left: Netstack,
    pub right: Netstack,
    to_left: Arc<PacketSender>,
    router: Arc<Mutex<Router>>,
}

impl Path {
    pub fn new() -> io::Result<Path> {
        let (left, left_wire) = packet_channel(1500, 1024);
        let (right, right_wire) = packet_channel(1500, 1024);
        let left = Netstack::builder()
            .address("10.0.0.1/24")
            .gateway([10, 0, 0, 254].into())
            .device(left)
            .build()?;
        let right = Netstack::builder()
            .address("10.0.0.2/24")
            .gateway([10, 0, 0, 254].into())
            .device(right)
            .build()?;
        let (to_left, from_left) = left_wire.split();
        let (to_right, mut from_right) = right_wire.split();
        let path = Path { left, right, to_left: Arc::new(to_left), router: Arc::default() };
        tokio::spawn(route(from_left, to_right, path.to_left.clone(), path.router.clone()));
        let to_left = path.to_left.clone();
        tokio::spawn(async move {
            while let Some(packet) = from_right.recv().await {
                let _ = to_left.send(packet).await;
            }
        });
        Ok(path)
    }

    /// A connection from the left to the right.
    pub async fn connected(&self) -> io::Result<(TcpStream, TcpStream)> {
        let listener: TcpListener = self.right.bind("10.0.0.2:80").await?;
        let client = self.left.connect("10.0.0.2:80").await?;
        let (server, _) = listener.accept().await?;
        Ok((client, server))
    }

    fn router(&self) -> MutexGuard<'_, Router> {
        self.router.lock().expect("no test panics with it")
    }

    /// From now on, the packets of the left are lost, or not.
    pub fn lose(&self, loses: bool) {
        let mut router = self.router();
        (router.loses, router.lost) = (loses, None);
    }

    /// The next packet of the left is answered by an ICMP error, and lost.
    pub fn answer(&self, icmp: Icmp) {
        self.router().answer = Some(icmp);
    }

    /// Waits until a packet of the left is lost, and sends an ICMP error about it.
    pub async fn complain(&self, icmp: Icmp) -> io::Result<()> {
        let lost = loop {
            let lost = self.router().lost.clone();
            match lost {
                Some(packet) => break packet,
                None => tokio::task::yield_now().await,
            }
        };
        self.to_left.send(icmp_about(&lost, icmp)).await
    }

    /// The last packet that the left has sent.
    pub fn last(&self) -> Bytes {
        self.router().seen.last().expect("a packet").clone()
    }

    /// The packets that the left has sent so far.
    pub fn seen(&self) -> Vec<Bytes> {
        self.router().seen.clone()
    }
}

async fn route(
    mut from: PacketReceiver,
    to: PacketSender,
    back: Arc<PacketSender>,
    router: Arc<Mutex<Router>>,
) {
    while let Some(packet) = from.recv().await {
        let (loses, answer) = {
            let mut router = router.lock().expect("no test panics with it");
            router.seen.push(packet.clone());
            if router.loses {
                router.lost = Some(packet.clone());
            }
            (router.loses, router.answer.take())
        };
        let _ = match answer {
            Some(icmp) => back.send(icmp_about(&packet, icmp)).await,
            None if loses => Ok(()),
            None => to.send(packet).await,
        };
    }
}

/// The ICMP error of a router about an IPv4 packet of 10.0.0.1: RFC 792, with the whole TCP header quoted.
fn icmp_about(packet: &[u8], (kind, code, info): Icmp) -> Bytes {
    let quoted = &packet[..packet.len().min(40)];
    let mut icmp = vec![kind, code, 0, 0, 0, 0];
    icmp.extend(info.to_be_bytes());
    icmp.extend(quoted);
    let sum = checksum(&icmp);
    icmp[2..4].copy_from_slice(&sum.to_be_bytes());
    let len = (20 + icmp.len()) as u16;
    let mut ip = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 254, 10, 0, 0, 1];
    ip[2..4].copy_from_slice(&len.to_be_bytes());
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    ip.extend(icmp);
    ip.into()
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let words =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
