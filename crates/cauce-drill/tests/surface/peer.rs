//! The raw peer on the wire: it builds segments, and follows the sequence numbers of what the stack sends.

use std::net::IpAddr;

use super::sequence::Unreached;
use cauce_drill::{Settings, Target};
use cauce_wire::{Flags, IpEmit, IpHeader, Seq, TcpHeader, TcpOptions, checksum, icmp, protocol};

/// How long a packet that must come is waited for, in nanoseconds.
const PATIENCE: i64 = 20_000_000;
/// How long the wire must be silent before the peer looks at what came.
const SILENCE: i64 = 1_000_000;
/// The peer's initial sequence number.
const ISN: u32 = 1000;
const WINDOW: u16 = 30_000;
/// Bytes of the hole before what comes too early, and of what comes again.
const HOLE: u32 = 100;

/// A packet on the wire, for scripts.
#[derive(Debug, Clone)]
pub struct Line {
    /// Which of the sequence's connections, by the ports that a script gives it: the stack's and the peer's.
    pub connection: (u16, u16),
    /// The peer sent it.
    incoming: bool,
    /// From the flags on, or all of an ICMP message.
    text: String,
}

impl Line {
    /// The stack sent it, and it is no bare acknowledgement.
    pub fn tells(&self) -> bool {
        let bare = self.text.starts_with(". ") && self.text.contains("(0)");
        !self.incoming && !bare
    }

    /// As a script writes it.
    pub fn text(&self, with_ports: bool) -> String {
        let (local, remote) = self.connection;
        let ports = match (with_ports, self.incoming) {
            (false, _) => String::new(),
            (true, true) if self.text.starts_with("icmp") => String::new(),
            (true, true) => format!("{remote} > {local} "),
            (true, false) => format!("{local} > {remote} "),
        };
        format!("+0 {} {ports}{}", if self.incoming { '<' } else { '>' }, self.text)
    }
}

/// The ports that scripts bind and connect to, and what they call the stack's own.
const SCRIPT_PORT: u16 = 8080;
const SCRIPT_EPHEMERAL: u16 = 50_000;

/// The stack's last segment, which a router may quote.
#[derive(Debug, Clone)]
struct Last {
    /// Its packet up to the end of the TCP header.
    quote: Vec<u8>,
    connection: Connection,
    /// Where its text begins in the stream, and how long it is.
    seq: u32,
    len: usize,
}

/// One connection as the peer sees it.
#[derive(Debug, Clone, Copy)]
struct Connection {
    /// Ports of the stack and of the peer.
    ports: (u16, u16),
    /// The stack's initial sequence number; 0 until it is known.
    iss: Seq,
    /// The peer's next sequence number.
    next: u32,
    /// What the peer has seen of the stack, and what it acknowledges of that.
    seen: Seq,
    acked: Seq,
    /// The stack's SYN waits for an answer.
    asked: bool,
    /// The stack's SYN,ACK waits for its acknowledgement.
    offered: bool,
}

/// The peer during one sequence.
#[derive(Debug)]
pub struct Peer {
    local: IpAddr,
    remote: IpAddr,
    connections: Vec<Connection>,
    /// The port of the stack's listener, and the peer's next own.
    port: u16,
    own_port: u16,
    last: Option<Last>,
    /// Of what the peer sends.
    pub window: u16,
    /// What has passed since the last step.
    pub wire: Vec<Line>,
}

impl Peer {
    /// A peer that connects to `port`.
    pub fn new(settings: &Settings, port: u16) -> Peer {
        Peer {
            local: settings.local,
            remote: settings.remote,
            connections: Vec::new(),
            port,
            own_port: 40_000,
            last: None,
            window: WINDOW,
            wire: Vec::new(),
        }
    }

    fn script_ports(&self, at: Connection) -> (u16, u16) {
        let (local, remote) = at.ports;
        if local == self.port { (SCRIPT_PORT, remote) } else { (SCRIPT_EPHEMERAL, SCRIPT_PORT) }
    }

    /// A packet for the script. The peer counts from 0 there, and so does the stack.
    fn note(&mut self, at: Connection, incoming: bool, header: &TcpHeader, len: usize) {
        let connection = self.script_ports(at);
        let [own, theirs] = [Seq(ISN), at.iss];
        let (seq, ack) = if incoming { (own, theirs) } else { (theirs, own) };
        let seq = if header.seq == Seq(0) { 0 } else { header.seq.0.wrapping_sub(seq.0) };
        let end = seq.wrapping_add(len as u32);
        let mut text = format!("{} {seq}:{end}({len})", header.flags);
        if header.flags.contains(Flags::ACK) {
            text += &format!(" ack {}", header.ack.0.wrapping_sub(ack.0));
        }
        if incoming {
            text += &format!(" win {}", header.window);
            text += &if header.urgent > 0 { format!(" urg {}", header.urgent) } else { String::new() };
            text += if header.options.mss.is_some() { " <mss 1000>" } else { "" };
        } else {
            text += " <...>";
        }
        self.wire.push(Line { connection, incoming, text });
    }

    fn inject(
        &mut self,
        target: &mut dyn Target,
        at: Connection,
        seq: u32,
        flags: Flags,
        text: u16,
        urgent: u16,
    ) {
        let header = TcpHeader {
            src_port: at.ports.1,
            dst_port: at.ports.0,
            seq: Seq(seq),
            ack: if flags.contains(Flags::ACK) { at.acked } else { Seq(0) },
            flags,
            window: self.window,
            urgent,
            options: TcpOptions { mss: flags.contains(Flags::SYN).then_some(1000), ..TcpOptions::default() },
        };
        self.note(at, true, &header, usize::from(text));
        let mut tcp = [0; 60];
        let head = header.emit(&mut tcp);
        let mut tcp = [&tcp[..head], &vec![0; usize::from(text)]].concat();
        let mut sum = checksum::pseudo_header(self.remote, self.local, 6, tcp.len());
        sum.add_bytes(&tcp);
        tcp[16..18].copy_from_slice(&sum.finish().to_be_bytes());
        self.inject_packet(target, protocol::TCP, &tcp);
    }

    fn inject_packet(&self, target: &mut dyn Target, protocol: u8, payload: &[u8]) {
        let ip = IpEmit {
            src: self.remote,
            dst: self.local,
            protocol,
            hop_limit: 64,
            traffic_class: 0,
            flow_label: 0,
            identification: 0,
            dont_fragment: true,
            payload_len: payload.len(),
        };
        let mut packet = [0; 60];
        let len = ip.emit(&mut packet);
        target.inject(&[&packet[..len], payload].concat()).expect("the wire takes a packet");
    }

    /// Follows what the stack has sent until it is silent, or for as long as a packet may take when one must come.
    pub fn listen(&mut self, target: &mut dyn Target, must_come: bool) {
        let mut limit = if must_come { PATIENCE } else { SILENCE };
        loop {
            let deadline = target.now() + limit;
            let Some(captured) = target.next_packet(deadline).expect("the wire holds") else { return };
            self.follow(&captured.bytes);
            limit = SILENCE;
        }
    }

    fn follow(&mut self, bytes: &[u8]) {
        let Ok(ip) = IpHeader::parse(bytes, bytes.len()) else { return };
        if ip.protocol != 6 {
            return;
        }
        let tcp = &bytes[ip.header_len..];
        let Ok((header, head)) = TcpHeader::parse(tcp) else { return };
        let end = header.seq + (tcp.len() - head) as u32 + header.flags.sequence_len();
        let ports = (header.src_port, header.dst_port);
        let begins = header.flags.contains(Flags::SYN);
        let known = self.connections.iter_mut().find(|known| known.ports == ports);
        match known {
            Some(known) => {
                if known.seen == Seq(0) || end.after(known.seen) {
                    known.seen = end;
                }
                if begins {
                    known.acked = known.seen;
                }
                if begins {
                    known.iss = header.seq;
                }
                known.offered |= header.flags.contains(Flags::SYN | Flags::ACK);
            }
            None if begins => {
                let iss = header.seq;
                let (next, seen, acked) = (ISN, end, end);
                let new = Connection { ports, iss, next, seen, acked, asked: true, offered: false };
                self.connections.push(new);
            }
            None => return,
        }
        if let Some(known) = self.connections.iter().find(|known| known.ports == ports).copied() {
            let len = tcp.len() - head;
            self.note(known, false, &header, len);
            let quote = bytes[..ip.header_len + head].to_vec();
            let seq = header.seq.0.wrapping_sub(known.iss.0);
            self.last = Some(Last { quote, connection: known, seq, len });
        }
    }

    /// A SYN for the listener, and the end of the handshake when it is answered.
    pub fn connect(&mut self, target: &mut dyn Target) {
        self.own_port += 1;
        let ports = (self.port, self.own_port);
        let zero = Seq(0);
        let (next, seen, acked) = (ISN + 1, zero, zero);
        let new = Connection { ports, iss: zero, next, seen, acked, asked: false, offered: false };
        self.inject(target, new, ISN, Flags::SYN, 0, 0);
        self.connections.push(new);
        self.listen(target, true);
        let last = self.connections.last().copied();
        match last.filter(|last| last.ports == ports && last.offered) {
            Some(last) => self.inject(target, last, last.next, Flags::ACK, 0, 0),
            None => self.connections.retain(|known| known.ports != ports),
        }
    }

    /// Waits for a SYN of the stack.
    fn hear_question(&mut self, target: &mut dyn Target) {
        self.listen(target, self.connections.iter().all(|known| !known.asked));
    }

    /// Answers the stack's SYN.
    pub fn accept(&mut self, target: &mut dyn Target) {
        self.hear_question(target);
        let Some(at) = self.connections.iter_mut().find(|known| known.asked) else { return };
        at.asked = false;
        at.next = ISN + 1;
        let at = *at;
        self.inject(target, at, ISN, Flags::SYN | Flags::ACK, 0, 0);
    }

    /// Refuses the stack's SYN.
    pub fn refuse(&mut self, target: &mut dyn Target) {
        self.hear_question(target);
        let Some(at) = self.connections.iter().position(|known| known.asked) else { return };
        let at = self.connections.remove(at);
        self.inject(target, at, 0, Flags::RST | Flags::ACK, 0, 0);
    }

    /// The newest connection whose handshake is over, once the wire is silent.
    fn newest(&mut self, target: &mut dyn Target) -> Option<&mut Connection> {
        self.listen(target, false);
        self.connections.iter_mut().rev().find(|known| !known.asked)
    }

    /// Something on the newest connection, with all that has come acknowledged.
    fn speak(&mut self, target: &mut dyn Target, flags: Flags, text: u16, urgent: u16) {
        let Some(at) = self.newest(target) else { return };
        let seq = at.next;
        at.next = at.next.wrapping_add(u32::from(text) + flags.sequence_len());
        at.acked = at.seen;
        let at = *at;
        self.inject(target, at, seq, flags, text, urgent);
    }

    /// Text that comes too early.
    pub fn send_ahead(&mut self, target: &mut dyn Target, bytes: u16) {
        let Some(at) = self.newest(target).map(|at| *at) else { return };
        self.inject(target, at, at.next.wrapping_add(HOLE), Flags::ACK | Flags::PSH, bytes, 0);
    }

    /// Text that has come before, or so it seems.
    pub fn repeat(&mut self, target: &mut dyn Target) {
        let Some(at) = self.newest(target).map(|at| *at) else { return };
        self.inject(target, at, at.next.wrapping_sub(HOLE), Flags::ACK | Flags::PSH, HOLE as u16, 0);
    }

    /// Acknowledges half of what is not acknowledged.
    pub fn acknowledge_part(&mut self, target: &mut dyn Target) {
        let Some(at) = self.newest(target) else { return };
        at.acked = at.acked + at.seen.0.wrapping_sub(at.acked.0) / 2;
        let at = *at;
        self.inject(target, at, at.next, Flags::ACK, 0, 0);
    }

    /// An ICMP error about the stack's last segment, from a router at the peer's address.
    pub fn report(&mut self, target: &mut dyn Target, why: Unreached) {
        self.listen(target, false);
        let Some(last) = self.last.clone() else { return };
        let v4 = self.local.is_ipv4();
        let (kind, code, rest, name) = match (why, v4) {
            (Unreached::Net, true) => (3, 0, 0, "unreachable net_unreachable".to_owned()),
            (Unreached::Host, true) => (3, 1, 0, "unreachable host_unreachable".to_owned()),
            (Unreached::Port, true) => (3, 3, 0, "unreachable port_unreachable".to_owned()),
            (Unreached::TooBig(mtu), true) => {
                (3, 4, mtu.into(), format!("unreachable frag_needed mtu {mtu}"))
            }
            (Unreached::TimeExceeded, true) => (11, 0, 0, "time_exceeded ttl".to_owned()),
            (Unreached::Net, false) => (1, 0, 0, "unreachable no_route".to_owned()),
            (Unreached::Host, false) => (1, 3, 0, "unreachable host_unreachable".to_owned()),
            (Unreached::Port, false) => (1, 4, 0, "unreachable port_unreachable".to_owned()),
            (Unreached::TooBig(mtu), false) => (2, 0, mtu.into(), format!("packet_too_big mtu {mtu}")),
            (Unreached::TimeExceeded, false) => (3, 0, 0, "time_exceeded hoplimit".to_owned()),
        };
        let mut message = vec![0; last.quote.len() + 8];
        let (family, protocol) = match v4 {
            true => {
                icmp::emit_v4(kind, code, rest, &last.quote, &mut message);
                ("icmp", protocol::ICMP)
            }
            false => {
                icmp::emit_v6(self.remote, self.local, kind, code, rest, &last.quote, &mut message);
                ("icmpv6", protocol::ICMPV6)
            }
        };
        let (seq, end) = (last.seq, last.seq.wrapping_add(last.len as u32));
        let text = format!("{family} {name} [{seq}:{end}({})]", last.len);
        let connection = self.script_ports(last.connection);
        self.wire.push(Line { connection, incoming: true, text });
        self.inject_packet(target, protocol, &message);
    }

    pub fn send(&mut self, target: &mut dyn Target, bytes: u16, urgent: bool) {
        let (flag, pointer) = if urgent { (Flags::URG, bytes) } else { (Flags::PSH, 0) };
        self.speak(target, Flags::ACK | flag, bytes, pointer);
    }

    pub fn acknowledge(&mut self, target: &mut dyn Target) {
        self.speak(target, Flags::ACK, 0, 0);
    }

    pub fn close(&mut self, target: &mut dyn Target) {
        self.speak(target, Flags::FIN | Flags::ACK, 0, 0);
    }

    pub fn reset(&mut self, target: &mut dyn Target) {
        self.speak(target, Flags::RST | Flags::ACK, 0, 0);
    }
}
