//! The stack, its peers, and the promises that are checked after every step.

use super::craft::{self, Crafted};
use super::flow::Flow;
use super::link::{self, STACK_MAC};
use super::settings;
use crate::input::Input;
use crate::mutate::Random;
use bytes::Bytes;
use cauce_core::batch::{Batch, Transmit};
use cauce_core::connection::timers::TimerKind;
use cauce_core::counters::Counter;
use cauce_core::frame::{ChecksumState, DeviceId, Frame};
use cauce_core::socket::SocketId;
use cauce_core::socket::call::CallId;
use cauce_core::stack::{InterfaceConfig, Medium, Stack};
use cauce_core::sysctl::Sysctls;
use cauce_core::time::{Duration, Instant};
use cauce_core::trace::{Trace, TraceEvent};
use cauce_device::offload;
use cauce_wire::{Flags, IpHeader, TcpHeader, checksum, dissect, ethernet, protocol};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const MTU: u16 = 1500;
/// The stack's addresses: on the device without link headers, and on the Ethernet.
const STACK_V4: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 1, 0, 1)];
const STACK_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1), Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 1)];
/// Its peers'.
const PEER_V4: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(10, 1, 0, 2)];
const PEER_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2), Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 2)];
/// Most flows that the peers remember.
const MAX_FLOWS: usize = 12;
/// Everything that a user has let go of is gone after this time, whatever the peers do or leave undone.
const LONGEST_ORPHAN: Duration = Duration::from_secs(7200);
/// After an abort only TIME-WAITs and half-open connections are left, for this time.
const LONGEST_QUIET: Duration = Duration::from_secs(300);
/// Answers without payload that one packet may cause.
const REPLIES: usize = 3;

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) stack: Stack,
    pub(super) sockets: Vec<SocketId>,
    pub(super) calls: Vec<(CallId, Vec<u8>)>,
    flows: Vec<Flow>,
    /// Drops that the trace told of.
    drops: Arc<AtomicU64>,
    /// What happened since packets were last fetched: packets in, and how many sockets were touched.
    owed: usize,
    may_shrink: bool,
    neighbours_answer: bool,
    abort_at_end: bool,
    pending: Vec<(DeviceId, Vec<u8>)>,
}

impl World {
    pub(super) fn new(input: &mut Input<'_>) -> Self {
        let how = input.u8();
        let mut sysctls = Sysctls::default();
        for _ in 0..input.u8() & 7 {
            settings::change(&mut sysctls, input);
        }
        let mut random = Random::new(u64::from(how));
        let mut stack = Stack::new(sysctls, Box::new(move || random.number()));
        let max_super = if how & 1 == 0 { 64_000 } else { 0 };
        for (device, medium) in [Medium::Ip, Medium::Ethernet { mac: STACK_MAC }].into_iter().enumerate() {
            let name = format!("fuzz{device}");
            let id = stack.add_interface(InterfaceConfig { name, mtu: MTU, medium, max_super });
            let interfaces = stack.interfaces();
            assert!(interfaces.add_address(id, STACK_V4[device].into(), 24));
            assert!(interfaces.add_address(id, STACK_V6[device].into(), 64));
        }
        let drops = Arc::new(AtomicU64::new(0));
        let seen = drops.clone();
        *stack.trace_mut() =
            Trace::to(Box::new(move |at: Instant, _: Option<SocketId>, event: &TraceEvent| {
                super::narrate(|| format!("{:>14} - {event:?}", at.as_micros()));
                if let TraceEvent::Dropped(_) = event {
                    seen.fetch_add(1, Ordering::Relaxed);
                }
            }));
        World {
            now: Instant::from_secs(1_000),
            stack,
            sockets: Vec::new(),
            calls: Vec::new(),
            flows: first_flows(),
            drops,
            owed: 0,
            may_shrink: false,
            neighbours_answer: how & 2 == 0,
            abort_at_end: how & 4 != 0,
            pending: Vec::new(),
        }
    }

    /// One step of the input, and what follows from it.
    pub(super) fn step(&mut self, input: &mut Input<'_>) {
        let what = input.u8();
        match what & 15 {
            0..=6 => self.peer_segment(input, what),
            7 => {
                let flow = usize::from(input.u8()) % self.flows.len();
                let packet = craft::icmp_error(input, &self.flows[flow]);
                let to = self.flows[flow].local.ip();
                self.deliver(to, &packet, what, input);
            }
            8 => {
                let device = DeviceId(u16::from(what >> 4 & 1));
                let packet = Bytes::copy_from_slice(input.counted());
                self.handle(Frame { device, ..Frame::new(packet) });
            }
            9 => {
                let (v4, v6) = ([STACK_V4[1], PEER_V4[1]], [STACK_V6[1], PEER_V6[1]]);
                let mut frame = link::unasked(input, v4, v6);
                if what & 0x80 != 0 {
                    craft::bend_bytes(input, &mut frame);
                }
                self.handle(Frame { device: DeviceId(1), ..Frame::new(frame.into()) });
            }
            10 | 11 => {
                let by = u64::from(input.u8());
                let unit = [1_000, 1_000_000, 50_000_000, 1_000_000_000][usize::from(what >> 6)];
                self.pass(Duration::from_nanos(by * unit));
            }
            12 => {
                if what & 0xf0 == 0xf0 {
                    settings::change(self.stack.sysctl_mut(), input);
                } else if let Some((at, _)) = self.stack.poll_timeout() {
                    self.pass(at.since(self.now));
                }
            }
            _ => {
                self.owed += self.stack.sockets() + self.stack.half_open() + 1;
                self.user_call(input);
            }
        }
        if what & 0x20 == 0 {
            self.settle();
        }
    }

    fn peer_segment(&mut self, input: &mut Input<'_>, what: u8) {
        let which = usize::from(input.u8()) % self.flows.len();
        let ts_clock = self.now.as_millis() as u32;
        let Crafted { packet, flags, seq, scaled } = craft::segment(input, &self.flows[which], ts_clock);
        let flow = &mut self.flows[which];
        if flags.contains(Flags::SYN) {
            flow.note_peer_syn(seq, scaled);
        }
        if flags.contains(Flags::RST) {
            flow.note_peer_reset();
        }
        let to = flow.local.ip();
        if what & 0x10 != 0 {
            for piece in craft::fragments(input, &packet) {
                self.deliver(to, &piece, what, input);
            }
        } else {
            self.deliver(to, &packet, what, input);
        }
    }

    /// Hands a packet over on the device that its destination belongs to.
    fn deliver(&mut self, to: IpAddr, packet: &[u8], what: u8, input: &mut Input<'_>) {
        let ethernet = to == STACK_V4[1] || to == STACK_V6[1];
        let bytes = if ethernet { link::framed_ip(packet) } else { packet.to_vec() };
        let mut frame = Frame { device: DeviceId(u16::from(ethernet)), ..Frame::new(bytes.into()) };
        if what & 0xc0 == 0xc0 {
            // A super-packet, as receive offload or a virtio-net header makes them, true or not.
            frame.checksum = ChecksumState::Partial;
            frame.segment_size = u16::from(input.u8()) * 8;
            frame.segments = if frame.segment_size > 0 { 1 + u16::from(input.u8() & 63) } else { 1 };
            let cut = frame.head.len().min(usize::from(input.u8()) + 40);
            frame.frags.push(frame.head.split_off(cut));
        }
        self.handle(frame);
    }

    /// One packet in. What is plainly wrong with it must be in a counter and in the trace afterwards.
    fn handle(&mut self, frame: Frame) {
        self.owed += 1;
        super::narrate(|| {
            let bytes = frame.to_bytes();
            let packet = bytes.get(if frame.device == DeviceId(1) { 14 } else { 0 }..).unwrap_or(&[]);
            format!("{:>14} < {}", self.now.as_micros(), dissect::print_with_addresses(packet))
        });
        let counter = (frame.device == DeviceId(0)).then(|| refusal(&frame)).flatten();
        let before = (counter.map(|counter| self.stack.counters().get(counter)), self.told());
        // Frames of a link may carry other things than IP.
        let (received, is_packet) = (self.received(), frame.device == DeviceId(0));
        self.stack.handle_packet(self.now, frame);
        assert!(self.received() > received || !is_packet, "a packet was not counted");
        if let Some(counter) = counter {
            assert!(self.stack.counters().get(counter) > before.0.unwrap_or(0), "{counter:?} did not move");
            assert!(self.told() > before.1, "a drop ({counter:?}) was not traced");
        }
    }

    fn received(&self) -> u64 {
        let counters = self.stack.counters();
        counters.get(Counter::IpInReceives) + counters.get(Counter::Ip6InReceives)
    }

    fn told(&self) -> u64 {
        self.drops.load(Ordering::Relaxed)
    }

    /// Fetches and checks what leaves, until the stack is silent.
    fn settle(&mut self) {
        // Whoever forges what a SYN cookie's timestamp says chooses the stack's window scale for itself.
        self.may_shrink |= self.stack.sysctl().get("net.ipv4.tcp_shrink_window").as_deref() == Ok("1")
            || self.stack.counters().get(Counter::SyncookiesRecv) > 0;
        let allowed = REPLIES * self.owed;
        let mut without_payload = 0;
        for _ in 0..2_000 {
            self.resume_calls();
            while self.stack.poll_event().is_some() {}
            let mut batch = Batch::new(16);
            if self.stack.poll_transmit(self.now, &mut batch) == 0 && self.pending.is_empty() {
                self.owed = 0;
                return;
            }
            while let Some(transmit) = batch.pop() {
                without_payload += usize::from(transmit.payload_len() == 0);
                self.check_transmit(&transmit);
                self.stack.handle_transmitted(self.now, &[transmit.token]);
            }
            assert!(without_payload <= allowed + 16, "{without_payload} answers to {} packets", self.owed);
            for (device, bytes) in std::mem::take(&mut self.pending) {
                self.stack.handle_packet(self.now, Frame { device, ..Frame::new(bytes.into()) });
            }
        }
        panic!("the stack never falls silent");
    }

    fn check_transmit(&mut self, transmit: &Transmit) {
        assert!(transmit.header.len() >= usize::from(transmit.network_offset));
        for packet in offload::packets(transmit) {
            let bytes = packet.to_bytes();
            let mut ip_bytes = &bytes[..];
            if transmit.device == DeviceId(1) {
                if let Some(answer) = link::answer(&bytes).filter(|_| self.neighbours_answer) {
                    self.pending.push((transmit.device, answer));
                }
                let header = ethernet::EthernetHeader::parse(&bytes).expect("whole frames");
                if header.ethertype == ethernet::ethertype::ARP {
                    continue;
                }
                assert_eq!(header.src, STACK_MAC);
                ip_bytes = &bytes[ethernet::HEADER_LEN..];
            }
            self.check_packet(ip_bytes);
        }
    }

    fn check_packet(&mut self, bytes: &[u8]) {
        super::narrate(|| format!("{:>14} > {}", self.now.as_micros(), dissect::print_with_addresses(bytes)));
        let ip = IpHeader::parse(bytes, bytes.len()).expect("the stack sends sound IP packets");
        assert!(bytes.len() <= usize::from(MTU) && ip.total_len == bytes.len(), "{} bytes", bytes.len());
        assert!(matches!(ip.src, IpAddr::V4(v4) if STACK_V4.contains(&v4)) || ip.src.is_ipv6());
        if ip.protocol != protocol::TCP {
            return;
        }
        let tcp = &bytes[ip.header_len..];
        let (header, header_len) = TcpHeader::parse(tcp).expect("the stack sends sound TCP headers");
        assert!(checksum::verify_tcp(ip.src, ip.dst, [tcp].into_iter(), tcp.len()), "a wrong checksum left");
        let local = SocketAddr::new(ip.src, header.src_port);
        let remote = SocketAddr::new(ip.dst, header.dst_port);
        let known = self.flows.iter().position(|flow| flow.local == local && flow.remote == remote);
        let at = known.unwrap_or_else(|| {
            if self.flows.len() >= MAX_FLOWS {
                self.flows.remove(first_flows().len());
            }
            self.flows.push(Flow::new(local, remote));
            self.flows.len() - 1
        });
        let flow = &mut self.flows[at];
        flow.observe(&header, tcp.len() - header_len, self.may_shrink);
        flow.last = bytes[..bytes.len().min(120)].to_vec();
    }

    /// Lets time pass, with every deadline at its moment.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        let mut at_once = 0;
        loop {
            self.settle();
            let Some((at, kind)) = self.stack.poll_timeout().filter(|(at, _)| *at <= end) else { break };
            at_once = if at > self.now { 0 } else { at_once + 1 };
            assert!(at_once < 1_000, "the deadline {kind:?} at {at:?} never ends");
            self.now = self.now.max(at);
            // Every timer may have a segment to send.
            self.owed += self.stack.connections() + 2;
            self.stack.handle_timeout(self.now);
        }
        self.now = self.now.max(end);
    }

    /// Ends everything; nothing may be left.
    pub(super) fn finish(&mut self) {
        self.settle();
        for (call, _) in std::mem::take(&mut self.calls) {
            let _ = self.stack.cancel_call(call);
        }
        let now = self.now;
        self.owed += self.stack.sockets() + self.stack.half_open() + 1;
        for id in std::mem::take(&mut self.sockets) {
            let mut socket = self.stack.socket(id);
            let _ = if self.abort_at_end { socket.abort(now) } else { socket.close(now) };
        }
        self.pass(if self.abort_at_end { LONGEST_QUIET } else { LONGEST_ORPHAN });
        let stack = &mut self.stack;
        assert_eq!((stack.sockets(), stack.half_open(), stack.time_waits()), (0, 0, 0), "sockets");
        assert_eq!((stack.connections(), stack.ports_held()), (0, false), "flows and ports");
        assert_eq!(stack.memory_used(), 0, "bytes are still charged");
        // What the stack learned of neighbours and paths is forgotten in its own time.
        let kind = stack.poll_timeout().map(|(_, kind)| kind);
        assert!(
            matches!(kind, None | Some(TimerKind::Neighbour | TimerKind::Fragments)),
            "{kind:?} is armed"
        );
    }

    /// An address to connect to: a peer, somebody behind no router, this stack itself, nobody.
    pub(super) fn remote(&self, input: &mut Input<'_>) -> SocketAddr {
        let ip: IpAddr = match input.u8() & 15 {
            0..=3 => PEER_V4[0].into(),
            4 | 5 => PEER_V6[0].into(),
            6 | 7 => PEER_V4[1].into(),
            8 | 9 => PEER_V6[1].into(),
            10 => PEER_V4[0].to_ipv6_mapped().into(),
            11 => STACK_V4[0].into(),
            12 => Ipv4Addr::LOCALHOST.into(),
            13 => Ipv6Addr::UNSPECIFIED.into(),
            14 => Ipv4Addr::new(192, 0, 2, 1).into(),
            _ => Ipv4Addr::BROADCAST.into(),
        };
        SocketAddr::new(ip, input.choose(&[7, 80, 0]))
    }
}

/// What must be counted about a packet on the device without link headers that is plainly bad.
fn refusal(frame: &Frame) -> Option<Counter> {
    let is_v6 = frame.head.first().is_some_and(|byte| byte >> 4 == 6);
    let of_version = |v4, v6| Some(if is_v6 { v6 } else { v4 });
    let Ok(ip) = IpHeader::parse(&frame.head, frame.len()) else {
        return of_version(Counter::IpInHdrErrors, Counter::Ip6InHdrErrors);
    };
    if !matches!(ip.dst, IpAddr::V4(v4) if STACK_V4.contains(&v4) || v4.is_loopback())
        && !matches!(ip.dst, IpAddr::V6(v6) if STACK_V6.contains(&v6) || v6.is_loopback() || v6.to_ipv4_mapped().is_some())
    {
        return of_version(Counter::IpInAddrErrors, Counter::Ip6InAddrErrors);
    }
    if ip.fragment.is_some() || ip.protocol != protocol::TCP {
        return None;
    }
    let whole = frame.to_bytes();
    let head = &frame.head[ip.header_len.min(frame.head.len())..ip.total_len.min(frame.head.len())];
    if TcpHeader::parse(head).is_err() {
        return Some(Counter::InErrs);
    }
    let tcp = &whole[ip.header_len..ip.total_len.min(whole.len())];
    let sound = checksum::verify_tcp(ip.src, ip.dst, [tcp].into_iter(), tcp.len());
    (frame.checksum == ChecksumState::Unverified && !sound).then_some(Counter::InCsumErrors)
}

/// The flows that peers begin with: to ports with and without a listener, on both devices.
fn first_flows() -> Vec<Flow> {
    let mut flows = Vec::new();
    for device in [0, 1] {
        for port in [80, 81] {
            flows.push(Flow::new((STACK_V4[device], port).into(), (PEER_V4[device], 1000 + port).into()));
            flows.push(Flow::new((STACK_V6[device], port).into(), (PEER_V6[device], 1000 + port).into()));
        }
    }
    flows
}
