//! The raw peer on the wire: it builds segments, and follows the sequence numbers of what the stack sends.

use std::net::IpAddr;

use cauce_drill::{Settings, Target};
use cauce_wire::{Flags, IpEmit, IpHeader, Seq, TcpHeader, TcpOptions, checksum};

/// How long a packet that must come is waited for, in nanoseconds.
const PATIENCE: i64 = 20_000_000;
/// How long the wire must be silent before the peer looks at what came.
const SILENCE: i64 = 1_000_000;
/// The peer's initial sequence number.
const ISN: u32 = 1000;
const WINDOW: u16 = 30_000;

/// A packet on the wire, for scripts.
#[derive(Debug, Clone)]
pub struct Line {
    /// Which of the sequence's connections, by the ports that a script gives it: the stack's and the peer's.
    pub connection: (u16, u16),
    /// The peer sent it.
    incoming: bool,
    /// From the flags on.
    text: String,
}

impl Line {
    /// The stack sent it, and it is no bare acknowledgement.
    pub fn tells(&self) -> bool {
        !self.incoming && !self.text.starts_with(". ")
    }

    /// As a script writes it.
    pub fn text(&self, with_ports: bool) -> String {
        let (local, remote) = self.connection;
        let ports = match (with_ports, self.incoming) {
            (false, _) => String::new(),
            (true, true) => format!("{remote} > {local} "),
            (true, false) => format!("{local} > {remote} "),
        };
        format!("+0 {} {ports}{}", if self.incoming { '<' } else { '>' }, self.text)
    }
}

/// The ports that scripts bind and connect to, and what they call the stack's own.
const SCRIPT_PORT: u16 = 8080;
const SCRIPT_EPHEMERAL: u16 = 50_000;

/// One connection as the peer sees it.
#[derive(Debug, Clone, Copy)]
struct Connection {
    /// Ports of the stack and of the peer.
    ports: (u16, u16),
    /// The stack's initial sequence number; 0 until it is known.
    iss: Seq,
    /// The peer's next sequence number.
    next: u32,
    /// What the peer has seen of the stack.
    seen: Seq,
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
            wire: Vec::new(),
        }
    }

    /// A packet for the script. The peer counts from 0 there, and so does the stack.
    fn note(&mut self, at: Connection, incoming: bool, header: &TcpHeader, len: usize) {
        let (local, remote) = at.ports;
        let connection =
            if local == self.port { (SCRIPT_PORT, remote) } else { (SCRIPT_EPHEMERAL, SCRIPT_PORT) };
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
            ack: if flags.contains(Flags::ACK) { at.seen } else { Seq(0) },
            flags,
            window: WINDOW,
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
        let ip = IpEmit {
            src: self.remote,
            dst: self.local,
            protocol: 6,
            hop_limit: 64,
            traffic_class: 0,
            flow_label: 0,
            identification: 0,
            dont_fragment: true,
            payload_len: tcp.len(),
        };
        let mut packet = [0; 60];
        let len = ip.emit(&mut packet);
        target.inject(&[&packet[..len], &tcp].concat()).expect("the wire takes a packet");
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
                    known.iss = header.seq;
                }
                known.offered |= header.flags.contains(Flags::SYN | Flags::ACK);
            }
            None if begins => {
                let iss = header.seq;
                let new = Connection { ports, iss, next: ISN, seen: end, asked: true, offered: false };
                self.connections.push(new);
            }
            None => return,
        }
        if let Some(known) = self.connections.iter().find(|known| known.ports == ports).copied() {
            self.note(known, false, &header, tcp.len() - head);
        }
    }

    /// A SYN for the listener, and the end of the handshake when it is answered.
    pub fn connect(&mut self, target: &mut dyn Target) {
        self.own_port += 1;
        let ports = (self.port, self.own_port);
        let new =
            Connection { ports, iss: Seq(0), next: ISN + 1, seen: Seq(0), asked: false, offered: false };
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

    /// Something on the newest connection whose handshake is over.
    fn speak(&mut self, target: &mut dyn Target, flags: Flags, text: u16, urgent: u16) {
        self.listen(target, false);
        let Some(at) = self.connections.iter_mut().rev().find(|known| !known.asked) else { return };
        let seq = at.next;
        at.next = at.next.wrapping_add(u32::from(text) + flags.sequence_len());
        let at = *at;
        self.inject(target, at, seq, flags, text, urgent);
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
