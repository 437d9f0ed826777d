//! What concerns a netstack as a whole: packets, devices, settings, several of them.

use bytes::Bytes;
use cauce::device::{PipeOptions, pipe};
use cauce::{Counter, Netstack, PacketChannel};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn channel_net(address: &str, mtu: usize, capacity: usize) -> io::Result<(Netstack, PacketChannel)> {
    let (device, channel) = cauce::packet_channel(mtu, capacity);
    let net = Netstack::builder().address(address).route("0.0.0.0/0", None).device(device).build()?;
    Ok((net, channel))
}

/// Carries packets between two channels, as two ends of a tunnel do.
fn tunnel(left: PacketChannel, right: PacketChannel, mtu: usize) {
    let (left_in, mut left_out) = left.split();
    let (right_in, mut right_out) = right.split();
    tokio::spawn(async move {
        while let Some(packet) = left_out.recv().await {
            assert!(packet.len() <= mtu, "{} bytes", packet.len());
            if right_in.send(packet).await.is_err() {
                break;
            }
        }
    });
    tokio::spawn(async move {
        while let Some(packet) = right_out.recv().await {
            assert!(packet.len() <= mtu, "{} bytes", packet.len());
            if left_in.send(packet).await.is_err() {
                break;
            }
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tunnel_of_packet_channels_carries_streams() -> io::Result<()> {
    for (mtu, capacity) in [(1280, 256), (576, 1)] {
        let (client_net, left) = channel_net("10.1.0.1", mtu, capacity)?;
        let (server_net, right) = channel_net("10.2.0.1", mtu, capacity)?;
        tunnel(left, right, mtu);
        let listener = server_net.bind("10.2.0.1:80").await?;
        let mut client = client_net.connect("10.2.0.1:80").await?;
        let (mut server, _) = listener.accept().await?;
        let data: Vec<u8> = (0..300_000u32).map(|n| (n * 7 / 3) as u8).collect();
        let sent = data.clone();
        let writing = tokio::spawn(async move {
            client.write_all(&sent).await?;
            client.shutdown().await?;
            io::Result::Ok(client)
        });
        let mut got = Vec::new();
        server.read_to_end(&mut got).await?;
        assert!(got == data);
        drop(writing.await??);
        assert!(client_net.device_counters().tx_segments > 0);
    }
    Ok(())
}

#[tokio::test]
async fn a_channel_ends_with_its_netstack() -> io::Result<()> {
    let (net, mut channel) = channel_net("10.1.0.1", 1400, 4)?;
    net.shutdown().await;
    assert!(channel.recv().await.is_none());
    assert_eq!(channel.send(Bytes::from_static(b"x")).await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    Ok(())
}

#[tokio::test]
async fn packets_that_are_not_tcp_reach_the_embedder_and_he_may_answer() -> io::Result<()> {
    let (left, right) = pipe(PipeOptions::default());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let log = heard.clone();
    let a = Netstack::builder()
        .address("10.0.0.1/24")
        .device(left)
        .non_tcp(move |packet| log.lock().unwrap().push(packet))
        .build()?;
    let b = Netstack::builder()
        .address("10.0.0.2/24")
        .device(right)
        .non_tcp(move |packet| drop(sender.send(packet)))
        .build()?;
    // A UDP datagram from 10.0.0.1 to 10.0.0.2 without a UDP checksum.
    let mut datagram = b"E\0\0\x1d\0\0\0\0@\x11\0\0\x0a\0\0\x01\x0a\0\0\x02\0\x07\0\x07\0\x09\0\0x".to_vec();
    let sum =
        datagram[..20].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum::<u32>();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    datagram[10..12].copy_from_slice(&sum.to_be_bytes());
    a.send_packet(datagram.clone().into())?;
    assert_eq!(receiver.recv().await.unwrap()[..], datagram[..]);
    assert!(heard.lock().unwrap().is_empty());
    let too_long = a.send_packet(vec![0; 2000].into()).unwrap_err();
    assert_eq!(too_long.raw_os_error(), Some(90));
    assert_eq!(b.counters().get(Counter::InSegs), 0);
    Ok(())
}

#[tokio::test]
async fn netstacks_know_nothing_of_each_other() -> io::Result<()> {
    let mut kept = Vec::new();
    // The same addresses and ports, many times.
    for number in 0..20u8 {
        let (left, right) = cauce::pair();
        let listener = right.bind("10.0.0.2:80").await?;
        let mut client = left.connect("10.0.0.2:80").await?;
        client.write_all(&[number]).await?;
        kept.push((listener, client));
    }
    for (number, (listener, _client)) in kept.iter().enumerate() {
        let (mut server, _) = listener.accept().await?;
        assert_eq!(server.read_u8().await?, number as u8);
    }
    Ok(())
}

#[tokio::test]
async fn wrong_descriptions_are_told_in_a_sentence() {
    let with_device = || Netstack::builder().device(pipe(PipeOptions::default()).0);
    for (builder, word) in [
        (with_device().address("10.0.0.1/40"), "10.0.0.1/40"),
        (with_device().address("10.0.0.1/8").address("10.0.0.1/8"), "twice"),
        (with_device().mtu(9000), "1500"),
        (with_device().sysctl("tcp_nonsense", "1"), "tcp_nonsense"),
        (with_device().route("::/0", Some([10, 0, 0, 1].into())), "gateway"),
        (Netstack::builder().address("10.0.0.1"), "device"),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn outside_a_runtime_nothing_is_built() {
    let device = pipe(PipeOptions::default()).0;
    assert!(Netstack::builder().address("10.0.0.1").device(device).build().is_err());
}

#[tokio::test]
async fn an_mtu_of_ones_own_limits_every_packet() -> io::Result<()> {
    let (device, channel) = cauce::packet_channel(1500, 512);
    let small = Netstack::builder().address("10.1.0.1").route("0.0.0.0/0", None).mtu(600).device(device);
    let client_net = small.build()?;
    let (server_net, right) = channel_net("10.2.0.1", 1500, 512)?;
    tunnel(channel, right, 600);
    let listener = server_net.bind("10.2.0.1:80").await?;
    let mut client = client_net.connect("10.2.0.1:80").await?;
    let (mut server, _) = listener.accept().await?;
    server.write_all(&[1; 50_000]).await?;
    client.read_exact(&mut vec![0; 50_000]).await?;
    client.write_all(&[1; 50_000]).await?;
    server.read_exact(&mut vec![0; 50_000]).await?;
    Ok(())
}

/// A file that can be looked at.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_capture_has_what_crossed_the_device() -> io::Result<()> {
    let bytes = Shared::default();
    let file = cauce::device::wrap::pcap::PcapFile::new(bytes.clone())?;
    let (left, right) = pipe(PipeOptions::default());
    let a = Netstack::builder()
        .address("10.0.0.1/24")
        .interface_name("left")
        .capture(&file)
        .device(left)
        .build()?;
    let b = Netstack::builder().address("10.0.0.2/24").device(right).build()?;
    let listener = b.bind("10.0.0.2:80").await?;
    let mut client = a.connect("10.0.0.2:80").await?;
    client.write_all(b"to be found in the capture").await?;
    listener.accept().await?.0.read_exact(&mut [0; 26]).await?;
    file.flush()?;
    let written = bytes.0.lock().unwrap().clone();
    let holds = |what: &[u8]| written.windows(what.len()).any(|part| part == what);
    assert!(holds(b"left") && holds(b"to be found in the capture"));
    Ok(())
}
