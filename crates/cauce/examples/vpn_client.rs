//! What a VPN client does: TCP connections of its own through a tunnel, without a TUN and without a privilege.
//!
//! The netstack's packets come out of a packet channel; here they are wrapped in UDP datagrams and sent to the
//! other end of the tunnel, which in this example is a second netstack in the same process. A real client
//! would encrypt them.

use cauce::{Netstack, PacketChannel};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;

/// Largest packet inside the tunnel.
const MTU: usize = 1380;

#[tokio::main]
async fn main() -> io::Result<()> {
    let (ours, theirs) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    let (our_addr, their_addr) = (ours.local_addr()?, theirs.local_addr()?);

    // The far end: a server that only the tunnel reaches.
    let server_net = tunnelled("10.99.0.1", theirs, our_addr)?;
    let listener = server_net.bind("10.99.0.1:80").await?;
    tokio::spawn(async move {
        while let Ok((mut stream, peer)) = listener.accept().await {
            let greeting = format!("hello {peer}, you came through the tunnel\n");
            stream.write_all(greeting.as_bytes()).await?;
        }
        io::Result::Ok(())
    });

    // The client.
    let net = tunnelled("10.99.0.2", ours, their_addr)?;
    let mut stream = net.connect("10.99.0.1:80").await?;
    let mut greeting = String::new();
    stream.read_to_string(&mut greeting).await?;
    print!("{greeting}");
    println!("{} segments in, round trip {} us", stream.tcp_info()?.segs_in, stream.tcp_info()?.rtt);
    Ok(())
}

/// A netstack whose packets travel in datagrams to `peer`.
fn tunnelled(address: &str, socket: UdpSocket, peer: SocketAddr) -> io::Result<Netstack> {
    let (device, channel) = cauce::packet_channel(MTU, 256);
    tokio::spawn(carry(channel, Arc::new(socket), peer));
    Netstack::builder().address(address).route("0.0.0.0/0", None).device(device).build()
}

/// Carries packets between the netstack and the datagrams, both ways, until one of them ends.
async fn carry(channel: PacketChannel, socket: Arc<UdpSocket>, peer: SocketAddr) {
    let (inward, mut outward) = channel.split();
    let sending = socket.clone();
    let outgoing = tokio::spawn(async move {
        while let Some(packet) = outward.recv().await {
            // A datagram that does not leave is a packet lost: TCP sends it again.
            let _ = sending.send_to(&packet, peer).await;
        }
    });
    let mut datagram = vec![0; 65_536];
    while let Ok((len, from)) = socket.recv_from(&mut datagram).await {
        if from == peer && inward.send(bytes::Bytes::copy_from_slice(&datagram[..len])).await.is_err() {
            break;
        }
    }
    outgoing.abort();
}
