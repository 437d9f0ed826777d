//! Two stacks joined by nothing but a loop, for tests that speak segments and user calls.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod heard;

use bytes::Bytes;
use cauce_core::batch::{Batch, TrafficClass, Transmit};
use cauce_core::connection::state::State;
use cauce_core::frame::{ChecksumState, DeviceId, Frame};
use cauce_core::socket::errno::Errno;
use cauce_core::socket::{Family, SocketId};
use cauce_core::stack::{InterfaceConfig, Medium, Stack};
use cauce_core::sysctl::Sysctls;
use cauce_core::time::{Duration, Instant};
use cauce_wire::TcpHeader;
use cauce_wire::checksum::Sum;

/// Two stacks and the time between them.
pub struct Two {
    pub now: Instant,
    pub stacks: [Stack; 2],
    /// What was sent, in order, since it was last taken.
    pub log: Vec<Sent>,
    /// Of so many ECN-capable packets on their way, one gets a congestion mark; 0 for none.
    pub marks_one_in: usize,
    /// ECN-capable packets so far.
    pub capable: usize,
}

/// One packet as a test looks at it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Which stack sent it.
    pub from: usize,
    pub header: TcpHeader,
    pub len: usize,
    pub class: TrafficClass,
}

const ADDRS: [&str; 2] = ["10.0.0.1", "10.0.0.2"];

impl Two {
    pub fn new() -> Self {
        Self::with(Sysctls::default())
    }

    /// Two stacks with these settings.
    pub fn with(sysctl: Sysctls) -> Self {
        let make = |which: usize| {
            let mut seed = 0x9e37_79b9_7f4a_7c15u64 ^ which as u64;
            let rng = move || {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                seed
            };
            let mut stack = Stack::new(sysctl.clone(), Box::new(rng));
            let config =
                InterfaceConfig { name: "pipe".into(), mtu: 1500, medium: Medium::Ip, max_super: 64_000 };
            let device = stack.add_interface(config);
            assert!(stack.interfaces().add_address(device, ADDRS[which].parse().unwrap(), 24));
            stack
        };
        Two {
            now: Instant::from_secs(10),
            stacks: [make(0), make(1)],
            log: Vec::new(),
            marks_one_in: 0,
            capable: 0,
        }
    }

    pub fn frame(packet: &Transmit) -> Frame {
        let mut frame = Frame::new(Bytes::copy_from_slice(&packet.header));
        frame.frags = packet.payload.to_vec();
        frame.truesize += packet.payload_len() as u32;
        frame.checksum = ChecksumState::Partial;
        frame.device = DeviceId(0);
        if let Some(gso) = packet.gso {
            (frame.segments, frame.segment_size) = (gso.segments, gso.size);
        }
        frame
    }

    /// The frame as it arrives, marked if it is its turn.
    fn carry(&mut self, packet: &Transmit) -> Frame {
        let mut frame = Self::frame(packet);
        let mut head = frame.head.to_vec();
        if head[1] & 3 != 0 {
            self.capable += 1;
            if self.marks_one_in != 0 && self.capable.is_multiple_of(self.marks_one_in) {
                head[1] |= 3;
                head[10..12].fill(0);
                let mut sum = Sum::new();
                sum.add_bytes(&head[..20]);
                head[10..12].copy_from_slice(&sum.finish().to_be_bytes());
                frame.head = head.into();
            }
        }
        frame
    }

    /// A packet of stack `from` as a test looks at it.
    pub fn seen(&self, from: usize, packet: &Transmit) -> Sent {
        let tcp = &packet.header[usize::from(packet.transport_offset)..];
        let (header, _) = TcpHeader::parse(tcp).unwrap();
        Sent { from, header, len: packet.payload_len(), class: packet.token.class }
    }

    /// Carries packets to and fro until both are silent.
    pub fn exchange(&mut self) {
        for _ in 0..10_000 {
            let mut moved = false;
            for from in 0..2 {
                let mut batch = Batch::new(64);
                while self.stacks[from].poll_transmit(self.now, &mut batch) > 0 {
                    while let Some(packet) = batch.pop() {
                        moved = true;
                        let seen = self.seen(from, &packet);
                        self.log.push(seen);
                        self.stacks[from].handle_transmitted(self.now, &[packet.token]);
                        let frame = self.carry(&packet);
                        let back = self.stacks[1 - from].handle_packet(self.now, frame);
                        assert!(back.is_none());
                    }
                }
            }
            self.now += Duration::from_micros(50);
            if !moved {
                return;
            }
        }
        panic!("the two never fell silent");
    }

    /// What stack `from` sends now, taken and counted as sent by its device.
    pub fn sent_by(&mut self, from: usize) -> Vec<Transmit> {
        let (now, mut batch) = (self.now, Batch::new(64));
        while self.stacks[from].poll_transmit(now, &mut batch) > 0 {}
        let packets: Vec<_> = core::iter::from_fn(|| batch.pop()).collect();
        packets.iter().for_each(|packet| self.stacks[from].handle_transmitted(now, &[packet.token]));
        packets
    }

    /// One packet of each leaves before either arrives.
    pub fn cross(&mut self) {
        let now = self.now;
        let packets = self.stacks.each_mut().map(|stack| {
            let mut batch = Batch::new(8);
            assert_eq!(stack.poll_transmit(now, &mut batch), 1);
            batch.pop().unwrap()
        });
        for (from, packet) in packets.iter().enumerate() {
            self.stacks[1 - from].handle_packet(now, Self::frame(packet));
        }
    }

    /// Lets time pass, with everything that falls due.
    pub fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.exchange();
            let next = self.stacks.iter_mut().filter_map(Stack::poll_timeout).map(|(at, _)| at).min();
            let Some(at) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            let now = self.now;
            self.stacks.iter_mut().for_each(|stack| stack.handle_timeout(now));
        }
        self.now = self.now.max(end);
    }

    /// A client on stack 0 connected to an accepted socket on stack 1.
    pub fn connected(&mut self) -> (SocketId, SocketId) {
        let listener = self.stacks[1].open(Family::V4).unwrap();
        let at = "10.0.0.2:80".parse().unwrap();
        self.stacks[1].socket(listener).bind(at).unwrap();
        self.stacks[1].socket(listener).listen(8).unwrap();
        let client = self.stacks[0].open(Family::V4).unwrap();
        assert_eq!(self.stacks[0].socket(client).connect(self.now, at), Err(Errno::EINPROGRESS));
        self.exchange();
        assert_eq!(self.stacks[0].socket(client).connect(self.now, at), Ok(()));
        let server = self.stacks[1].socket(listener).accept(self.now).unwrap();
        self.stacks[1].socket(listener).close(self.now).unwrap();
        (client, server)
    }

    pub fn state(&mut self, stack: usize, id: SocketId) -> State {
        self.stacks[stack].socket(id).tcp_info(self.now).unwrap().state
    }

    /// Sends `total` bytes from one side to the other and checks every one.
    pub fn transfer(&mut self, from: usize, sender: SocketId, receiver: SocketId, total: usize) {
        let pattern = |at: usize| (at * 31 % 251) as u8;
        let (mut sent, mut got) = (0, 0);
        let mut buffer = vec![0; 65_536];
        while got < total {
            let chunk: Vec<u8> = (sent..total.min(sent + 40_000)).map(pattern).collect();
            let now = self.now;
            match self.stacks[from].socket(sender).send(now, &chunk) {
                Ok(taken) => sent += taken,
                Err(error) => assert_eq!(error, Errno::EAGAIN),
            }
            self.exchange();
            loop {
                let now = self.now;
                match self.stacks[1 - from].socket(receiver).recv(now, &mut buffer) {
                    Ok(len) => {
                        assert!(
                            buffer[..len].iter().enumerate().all(|(at, byte)| *byte == pattern(got + at))
                        );
                        got += len;
                    }
                    Err(error) => {
                        assert_eq!(error, Errno::EAGAIN);
                        break;
                    }
                }
            }
            self.pass(Duration::from_micros(500));
        }
        assert_eq!(got, total);
    }

    pub fn assert_nothing_left(&mut self) {
        self.pass(Duration::from_secs(300));
        for stack in &self.stacks {
            assert_eq!((stack.connections(), stack.sockets(), stack.time_waits()), (0, 0, 0));
            assert_eq!((stack.deadlines(), stack.memory_used(), stack.ports_held()), (0, 0, false));
        }
    }

    pub fn close(&mut self, stack: usize, id: SocketId) {
        let now = self.now;
        self.stacks[stack].socket(id).close(now).unwrap();
    }
}
