//! TUN, TAP and packet sockets against the kernel, each test in a network namespace of its own.

#[path = "support/namespace.rs"]
mod namespace;
mod support;

use bytes::Bytes;
use cauce_core::batch::{Batch, Gso, PartialChecksum, SendReason, Token, TrafficClass, Transmit};
use cauce_core::frame::{ChecksumState, DeviceId, Frame};
use cauce_device::host::{HostConfig, HostRoute, configure};
use cauce_device::offload::packets_of;
use cauce_device::*;
use namespace::inside;
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};
use support::{ACK, FIN, PSH, SYN, checksums_are_right, payload, plain_sum};

const HOST4: &str = "10.9.0.1";
const OURS4: &str = "10.9.0.2";
const HOST6: &str = "fd09::1";
const OURS6: &str = "fd09::2";

fn addresses() -> HostConfig {
    let addresses = vec![(HOST4.parse().unwrap(), 24), (HOST6.parse().unwrap(), 64)];
    HostConfig { up: true, addresses, ..HostConfig::default() }
}

/// A peer for one TCP connection of the kernel's: just enough of TCP to carry bytes both ways without loss.
struct Peer<D> {
    device: D,
    link: Vec<u8>,
    v6: bool,
    ours: u16,
    theirs: u16,
    seq: u32,
    ack: u32,
    largest: u16,
}

/// What the peer made of a segment.
struct Arrived {
    flags: u8,
    bytes: Vec<u8>,
}

impl<D: Device> Peer<D> {
    fn addresses(&self) -> (Vec<u8>, Vec<u8>) {
        let octets = |text: &str| match text.parse().unwrap() {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        if self.v6 { (octets(OURS6), octets(HOST6)) } else { (octets(OURS4), octets(HOST4)) }
    }

    fn send(&mut self, flags: u8, bytes: &[u8], size: u16) {
        let (from, to) = self.addresses();
        let mut tcp = Vec::new();
        tcp.extend(self.ours.to_be_bytes());
        tcp.extend(self.theirs.to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        tcp.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        let len = ((tcp.len() + bytes.len()) as u32).to_be_bytes();
        tcp[16..18].copy_from_slice(&plain_sum(&[&from, &to, &len, &[0, 6]]).to_be_bytes());
        let total = tcp.len() + bytes.len();
        let mut header = self.link.clone();
        let network = header.len();
        if self.v6 {
            header.extend([0x60, 0, 0, 0, (total >> 8) as u8, total as u8, 6, 64]);
            header.extend([&from[..], &to].concat());
        } else {
            let total = (total + 20) as u16;
            let mut ip = vec![0x45, 0, (total >> 8) as u8, total as u8, 0, 7, 0x40, 0, 64, 6, 0, 0];
            ip.extend([&from[..], &to].concat());
            let checksum = !plain_sum(&[&ip]);
            ip[10..12].copy_from_slice(&checksum.to_be_bytes());
            header.extend(ip);
        }
        let transport = header.len();
        header.extend(tcp);
        let segments = bytes.len().div_ceil(usize::from(size.max(1))) as u16;
        let half = bytes.len() / 3;
        let mut batch = Batch::new(4);
        batch.push(Transmit {
            header: header.into_iter().collect(),
            payload: [Bytes::copy_from_slice(&bytes[..half]), Bytes::copy_from_slice(&bytes[half..])]
                .into_iter()
                .collect(),
            gso: (segments > 1).then_some(Gso { size, segments }),
            checksum: Some(PartialChecksum { start: transport as u16, offset: 16 }),
            network_offset: network as u8,
            transport_offset: transport as u8,
            device: DeviceId(0),
            reason: SendReason::Data,
            token: Token::NONE,
        });
        while !batch.is_empty() {
            self.device.transmit(&mut batch, &mut Vec::new()).unwrap();
        }
        assert_eq!(self.device.counters().tx_rejected, 0, "errno {}", self.device.counters().tx_last_errno);
        self.seq = self.seq.wrapping_add(bytes.len() as u32 + u32::from(flags & (SYN | FIN) != 0));
    }

    /// Waits for the next segment of the connection and acknowledges what it carries.
    fn arrived(&mut self) -> Arrived {
        let network = self.link.len();
        loop {
            let frame = next(&mut self.device, |frame| is_tcp(frame, network, self.v6, self.ours));
            self.largest = self.largest.max(frame.segments);
            for packet in packets_of(&frame, network) {
                let packet = packet.to_bytes();
                assert!(checksums_are_right(&packet[network..]), "{:?}", frame.checksum);
            }
            let bytes = frame.to_bytes();
            let tcp = &bytes[network + if self.v6 { 40 } else { 20 }..];
            self.theirs = u16::from_be_bytes([tcp[0], tcp[1]]);
            let seq = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
            let flags = tcp[13];
            if flags & SYN != 0 {
                self.ack = seq;
                if network > 0 {
                    self.link[..6].copy_from_slice(&bytes[6..12]);
                }
            }
            let data = &tcp[usize::from(tcp[12] >> 4) * 4..];
            let counted = data.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
            let known = self.ack.wrapping_sub(seq);
            if counted > 0 && known >= counted {
                // Sent again, or ahead of what was lost: say what is wanted.
                self.send(ACK, &[], 0);
                continue;
            }
            let data = &data[data.len().min(known as usize)..];
            self.ack = seq.wrapping_add(counted);
            if counted > 0 && flags & SYN == 0 {
                self.send(ACK, &[], 0);
            }
            return Arrived { flags, bytes: data.to_vec() };
        }
    }
}

fn is_tcp(frame: &Frame, network: usize, v6: bool, port: u16) -> bool {
    let head = &frame.head[network.min(frame.head.len())..];
    let at = match head.first().map(|byte| byte >> 4) {
        Some(4) if !v6 && head[9] == 6 => 20,
        Some(6) if v6 && head[6] == 6 => 40,
        _ => return false,
    };
    head.len() >= at + 20 && head[at + 2..at + 4] == port.to_be_bytes()
}

/// The next frame that is wanted. Answers ARP and neighbour solicitation on the way.
fn next<D: Device>(device: &mut D, wanted: impl Fn(&Frame) -> bool) -> Frame {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut frames = Vec::new();
    while Instant::now() < deadline {
        if device.receive(1, &mut frames).unwrap() == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        for frame in frames.drain(..) {
            if wanted(&frame) {
                return frame;
            }
            resolve(device, &frame.head);
        }
    }
    panic!("nothing arrived in 20 s");
}

fn resolve<D: Device>(device: &mut D, asked: &[u8]) {
    let Medium::Ethernet { mac } = device.capabilities().medium else { return };
    let reply = if asked.get(12..14) == Some(&[8, 6]) && asked.len() >= 42 {
        let mut reply =
            [&asked[6..12], &mac, &asked[12..20], &[0, 2], &mac, &asked[38..42], &asked[22..32]].concat();
        reply.truncate(42);
        reply
    } else if asked.get(12..14) == Some(&[0x86, 0xdd]) && asked.get(54) == Some(&135) {
        let target = &asked[62..78];
        let mut icmp = [&[136, 0, 0, 0, 0x60, 0, 0, 0], target, &[2, 1], &mac[..]].concat();
        let sum = plain_sum(&[target, &asked[22..38], &[0, 0, 0, 32, 0, 0, 0, 58], &icmp]);
        icmp[2..4].copy_from_slice(&(!sum).to_be_bytes());
        let ip = [&[0x60, 0, 0, 0, 0, 32, 58, 255], target, &asked[22..38]].concat();
        [&asked[6..12], &mac, &[0x86, 0xdd], &ip, &icmp].concat()
    } else {
        return;
    };
    let (header, rest) = reply.split_at(14);
    let mut batch = Batch::new(1);
    batch.push(Transmit {
        header: header.iter().copied().collect(),
        payload: [Bytes::copy_from_slice(rest)].into_iter().collect(),
        gso: None,
        checksum: None,
        network_offset: 14,
        transport_offset: 14,
        device: DeviceId(0),
        reason: SendReason::Control,
        token: Token::NONE,
    });
    device.transmit(&mut batch, &mut Vec::new()).unwrap();
}

/// The kernel connects, sends 200,000 bytes, reads 60,000 and closes. Returns the most segments that came
/// in one frame.
fn exchange<D: Device>(device: D, v6: bool) -> (D, u16) {
    let link = match device.capabilities().medium {
        Medium::Ip => vec![],
        Medium::Ethernet { mac } => [&[0; 6][..], &mac, if v6 { &[0x86, 0xdd] } else { &[8, 0] }].concat(),
    };
    let mut peer = Peer { device, link, v6, ours: 7777, theirs: 0, seq: 0xffff_f000, ack: 0, largest: 0 };
    let kernel = std::thread::spawn(move || {
        let to: IpAddr = if v6 { OURS6 } else { OURS4 }.parse().unwrap();
        let mut stream = TcpStream::connect((to, 7777)).unwrap();
        stream.write_all(&payload(200_000)).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        assert!(received == payload(60_000), "{} bytes arrived", received.len());
    });
    assert_eq!(peer.arrived().flags & (SYN | ACK), SYN);
    peer.send(SYN | ACK, &[], 0);
    let mut received = Vec::new();
    loop {
        let segment = peer.arrived();
        received.extend(segment.bytes);
        if segment.flags & FIN != 0 {
            break;
        }
    }
    assert!(received == payload(200_000), "{} bytes arrived", received.len());
    // Nobody announced a larger segment than 536 bytes, so the kernel's windows count on such.
    peer.send(ACK | PSH | FIN, &payload(60_000), 536);
    kernel.join().unwrap();
    (peer.device, peer.largest)
}

/// The kernel sends a datagram, whose checksum it leaves to the device, and takes one back.
fn datagrams<D: Device>(device: &mut D) {
    let socket = UdpSocket::bind((HOST4, 0)).unwrap();
    socket.connect((OURS4, 9)).unwrap();
    socket.send(b"whole?").unwrap();
    let frame = next(device, |frame| frame.head.get(9) == Some(&17) && frame.head.ends_with(b"whole?"));
    assert_ne!(frame.checksum, ChecksumState::Partial);
    let udp = &frame.head[20..];
    let len = (udp.len() as u16).to_be_bytes();
    assert_eq!(plain_sum(&[&frame.head[12..20], &[0, 17], &len, udp]), 0xffff);
    let mut reply = frame.head.to_vec();
    for (a, b) in [(12, 16), (13, 17), (14, 18), (15, 19), (20, 22), (21, 23)] {
        reply.swap(a, b);
    }
    let mut batch = Batch::new(1);
    batch.push(Transmit {
        header: reply.into_iter().collect(),
        payload: [].into_iter().collect(),
        gso: None,
        checksum: None,
        network_offset: 0,
        transport_offset: 20,
        device: DeviceId(0),
        reason: SendReason::Control,
        token: Token::NONE,
    });
    device.transmit(&mut batch, &mut Vec::new()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut back = [0; 16];
    assert_eq!(socket.recv(&mut back).unwrap(), 6);
}

fn tun(options: &TunOptions) -> Tun {
    let device = Tun::open(options).unwrap().remove(0);
    configure(device.name(), &addresses()).unwrap();
    device
}

#[test]
fn tun_with_offload() {
    if !inside("tun_with_offload") {
        return;
    }
    let mut device = tun(&TunOptions::default());
    datagrams(&mut device);
    for v6 in [false, true] {
        let (back, largest) = exchange(device, v6);
        assert!(largest > 10, "super-packets of {largest} segments");
        device = back;
    }
    assert_eq!(device.counters().rx_malformed, 0);
}

#[test]
fn tun_without_offload() {
    if !inside("tun_without_offload") {
        return;
    }
    let mut device = tun(&TunOptions { offload: false, mtu: 1400, ..TunOptions::default() });
    datagrams(&mut device);
    for v6 in [false, true] {
        device = exchange(device, v6).0;
    }
    assert_eq!(device.counters().rx_packets, device.counters().rx_segments);
}

#[test]
fn tun_with_two_queues_and_a_route() {
    if !inside("tun_with_two_queues_and_a_route") {
        return;
    }
    let queues =
        Tun::open(&TunOptions { name: "two%d".into(), queues: 2, mtu: 9000, ..TunOptions::default() })
            .unwrap();
    assert_eq!(queues.iter().map(Tun::name).collect::<Vec<_>>(), ["two0", "two0"]);
    assert_eq!(queues[1].capabilities().mtu, 9000);
    let route = |destination: &str, prefix| HostRoute {
        destination: destination.parse().unwrap(),
        prefix,
        gateway: None,
    };
    let routes = vec![route("10.77.0.0", 16), route("fd77::", 32)];
    let config = HostConfig { routes, ..addresses() };
    configure("two0", &config).unwrap();
    configure("two0", &config).unwrap();
    let socket = UdpSocket::bind((HOST4, 0)).unwrap();
    let mut seen = [false; 2];
    let mut queues = queues;
    for port in 1..64 {
        socket.send_to(b"x", ("10.77.1.2", port)).unwrap();
    }
    for (queue, seen) in queues.iter_mut().zip(&mut seen) {
        let mut frames = Vec::new();
        queue.receive(1000, &mut frames).unwrap();
        *seen = frames.iter().any(|frame| frame.head.get(9) == Some(&17));
        assert!(
            frames.iter().all(|frame| frame.queue == queue.capabilities().queues - 1 || frame.queue == 0)
        );
    }
    assert_eq!(seen, [true, true], "63 flows and none on one of the queues");
}

#[test]
fn tap_with_and_without_offload() {
    if !inside("tap_with_and_without_offload") {
        return;
    }
    for offload in [true, false] {
        let device = Tap::open(&TapOptions { offload, ..TapOptions::default() }).unwrap().remove(0);
        configure(device.name(), &addresses()).unwrap();
        let (device, _) = exchange(device, false);
        exchange(device, true);
    }
}

/// A veth pair: the kernel has addresses on one end, the packet socket will be on the other.
fn make_veth() {
    let work = async {
        let (connection, handle, _) = rtnetlink::new_connection().unwrap();
        tokio::spawn(connection);
        handle.link().add(rtnetlink::LinkVeth::new("host0", "ours0").build()).execute().await.unwrap();
    };
    tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap().block_on(work);
    configure("ours0", &HostConfig { up: true, ..HostConfig::default() }).unwrap();
    configure("host0", &addresses()).unwrap();
}

fn on_a_veth(offload: bool, mac: Option<[u8; 6]>) {
    make_veth();
    let options = AfPacketOptions { interface: "ours0".into(), offload, mac };
    let mut device = AfPacket::open(&options).unwrap();
    assert_eq!((device.capabilities().mtu, device.capabilities().tso), (1500, offload));
    for v6 in [false, true] {
        let (back, largest) = exchange(device, v6);
        assert!(largest > 10, "super-packets of {largest} segments");
        device = back;
    }
}

#[test]
fn packet_socket_on_a_veth() {
    if inside("packet_socket_on_a_veth") {
        on_a_veth(true, None);
    }
}

#[test]
fn packet_socket_that_finishes_in_software() {
    if inside("packet_socket_that_finishes_in_software") {
        on_a_veth(false, None);
    }
}

#[test]
fn packet_socket_with_an_address_of_its_own() {
    if inside("packet_socket_with_an_address_of_its_own") {
        on_a_veth(true, Some([2, 0, 0, 9, 9, 9]));
    }
}

/// Runs `tc` with these words; `None` where this kernel has not what they ask for.
fn tc(words: &str) -> Option<String> {
    let output = Command::new("tc").args(words.split(' ')).output().expect("tc (iproute2)");
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// How many packets each of the three classes of `ours0` has sent.
fn sent_by_class() -> [u64; 3] {
    let told = tc("-s class show dev ours0").unwrap();
    [1, 2, 3].map(|class| {
        let (_, after) = told.split_once(&format!("class htb 1:{class} ")).unwrap();
        let (before, _) = after.split_once(" pkt").unwrap();
        before.rsplit(' ').next().unwrap().parse().unwrap()
    })
}

/// A frame for nobody, of a sender with this class.
fn frame_of(class: TrafficClass) -> Transmit {
    let header = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1], &[0x88, 0xb5], &[0; 46]].concat();
    Transmit {
        header: header.into_iter().collect(),
        payload: [].into_iter().collect(),
        gso: None,
        checksum: None,
        network_offset: 14,
        transport_offset: 34,
        device: DeviceId(0),
        reason: SendReason::Data,
        token: Token { class, ..Token::NONE },
    }
}

/// O-42: the interface's scheduler sees SO_PRIORITY of what a packet socket sends, packet by packet.
#[test]
fn a_scheduler_sees_priorities() {
    if !inside("a_scheduler_sees_priorities") {
        return;
    }
    make_veth();
    let class =
        |number| format!("class add dev ours0 parent 1: classid 1:{number} htb rate 1gbit quantum 1500");
    let mut words = vec!["qdisc add dev ours0 root handle 1: htb default 1".to_owned()];
    words.extend([1, 2, 3].map(class));
    if words.iter().any(|words| tc(words).is_none()) {
        let _ = writeln!(std::io::stderr().lock(), "\n*** SKIPPED: this kernel has no HTB");
        return;
    }
    let options = AfPacketOptions { interface: "ours0".into(), offload: true, mac: None };
    let mut device = AfPacket::open(&options).unwrap();
    let before = sent_by_class();
    let mut batch = Batch::new(16);
    // A priority that is the handle of a class chooses it.
    for priority in [0, 0x1_0002, 0x1_0002, 0x1_0003, 0, 0x1_0003, 0x1_0002, 0, 0] {
        batch.push(frame_of(TrafficClass { priority, mark: 0 }));
    }
    device.transmit(&mut batch, &mut Vec::new()).unwrap();
    let after = sent_by_class();
    assert_eq!([0, 1, 2].map(|class| after[class] - before[class]), [4, 3, 2]);
    assert_eq!(device.counters().tx_unclassed, 0);
}

/// O-42: so do its filters with SO_MARK, for which the socket has what the packet has.
#[test]
fn filters_see_marks() {
    if !inside("filters_see_marks") {
        return;
    }
    make_veth();
    let options = AfPacketOptions { interface: "ours0".into(), offload: false, mac: None };
    let mut device = AfPacket::open(&options).unwrap();
    for mark in [0, 77, 77, 3, 0] {
        let mut batch = Batch::new(1);
        batch.push(frame_of(TrafficClass { priority: 0, mark }));
        device.transmit(&mut batch, &mut Vec::new()).unwrap();
        assert_eq!(SockRef::from(&device.readiness().unwrap()).mark().unwrap(), mark);
    }
    assert_eq!((device.counters().tx_packets, device.counters().tx_unclassed), (5, 0));
}

#[test]
fn what_cannot_be_opened_says_why() {
    if !inside("what_cannot_be_opened_says_why") {
        return;
    }
    let missing = AfPacket::open(&AfPacketOptions { interface: "nowhere".into(), offload: true, mac: None });
    assert!(missing.unwrap_err().to_string().contains("nowhere"));
    let long = Tun::open(&TunOptions { name: "a-name-that-is-too-long".into(), ..TunOptions::default() });
    assert!(long.unwrap_err().to_string().contains("1 to 15 bytes"));
    let first = Tun::open(&TunOptions { name: "one".into(), ..TunOptions::default() }).unwrap();
    let again = Tun::open(&TunOptions { name: "one".into(), ..TunOptions::default() });
    assert!(again.unwrap_err().to_string().contains("open TUN device \"one\""));
    drop(first);
}
