//! Packets for the tests of this crate, built from plain bytes so that nothing under test builds them.
#![allow(dead_code)]

use bytes::Bytes;
use cauce_core::batch::{Batch, Gso, PartialChecksum, SendReason, Token, Transmit};
use cauce_core::frame::{DeviceId, Frame};

pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const PSH: u8 = 8;
pub const ACK: u8 = 16;
pub const URG: u8 = 32;
pub const CWR: u8 = 128;

/// RFC 1071, one word at a time.
pub fn plain_sum(parts: &[&[u8]]) -> u16 {
    let whole = parts.concat();
    let mut sum = 0u32;
    for word in whole.chunks(2) {
        sum += u32::from(u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or(0)]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// What a TCP segment of these tests says.
#[derive(Clone, Debug)]
pub struct Segment {
    pub v6: bool,
    pub ports: (u16, u16),
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub id: u16,
    pub class: u8,
    pub options: Vec<u8>,
}

impl Default for Segment {
    fn default() -> Self {
        let options = vec![1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9];
        Segment { v6: false, ports: (4000, 80), seq: 1, ack: 5, flags: ACK, id: 100, class: 0, options }
    }
}

impl Segment {
    /// IP and TCP headers for `payload` bytes. The TCP checksum field holds the pseudo-header's sum.
    pub fn headers(&self, payload: usize) -> (Vec<u8>, usize) {
        let tcp_len = 20 + self.options.len();
        let mut ip = if self.v6 {
            let mut ip = vec![0x60 | self.class >> 4, self.class << 4, 0, 9, 0, 0, 6, 64];
            ip[4..6].copy_from_slice(&((tcp_len + payload) as u16).to_be_bytes());
            ip.extend((1..33).map(|byte| byte * 7));
            ip
        } else {
            let mut ip = vec![0x45, self.class, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
            ip[2..4].copy_from_slice(&((20 + tcp_len + payload) as u16).to_be_bytes());
            ip[4..6].copy_from_slice(&self.id.to_be_bytes());
            let checksum = !plain_sum(&[&ip]);
            ip[10..12].copy_from_slice(&checksum.to_be_bytes());
            ip
        };
        let transport = ip.len();
        let addresses = if self.v6 { ip[8..40].to_vec() } else { ip[12..20].to_vec() };
        let mut tcp = Vec::new();
        tcp.extend(self.ports.0.to_be_bytes());
        tcp.extend(self.ports.1.to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        tcp.extend([(tcp_len as u8 / 4) << 4, self.flags, 0x12, 0x34]);
        let len = (tcp_len + payload) as u32;
        tcp.extend(plain_sum(&[&addresses, &[0, 6], &len.to_be_bytes()]).to_be_bytes());
        tcp.extend([0, 0]);
        tcp.extend(&self.options);
        ip.extend(tcp);
        (ip, transport)
    }

    /// The whole packet with its checksum complete.
    pub fn packet(&self, payload: &[u8]) -> Vec<u8> {
        let (mut packet, transport) = self.headers(payload.len());
        packet.extend_from_slice(payload);
        let checksum = !plain_sum(&[&packet[transport..]]);
        packet[transport + 16..transport + 18].copy_from_slice(&checksum.to_be_bytes());
        packet
    }

    pub fn frame(&self, payload: &[u8]) -> Frame {
        Frame::new(self.packet(payload).into())
    }

    /// The entry a stack would make, cut into segments of `size` when that is not 0.
    pub fn transmit(&self, payload: Vec<Bytes>, size: u16) -> Transmit {
        let len: usize = payload.iter().map(Bytes::len).sum();
        let (header, transport) = self.headers(len);
        let segments = if size == 0 { 1 } else { len.div_ceil(usize::from(size)) as u16 };
        Transmit {
            header: header.iter().copied().collect(),
            payload: payload.into_iter().collect(),
            gso: (size != 0).then_some(Gso { size, segments }),
            checksum: Some(PartialChecksum { start: transport as u16, offset: 16 }),
            network_offset: 0,
            transport_offset: transport as u8,
            device: DeviceId(0),
            reason: SendReason::Data,
            token: Token { bytes: len as u32, end: len as u64, ..Token::NONE },
        }
    }
}

/// True when the IPv4 and TCP checksums of a packet are right.
pub fn checksums_are_right(packet: &[u8]) -> bool {
    let v4 = packet[0] >> 4 == 4;
    let (transport, addresses) = if v4 { (20, &packet[12..20]) } else { (40, &packet[8..40]) };
    let len = ((packet.len() - transport) as u32).to_be_bytes();
    (!v4 || plain_sum(&[&packet[..20]]) == 0xffff)
        && plain_sum(&[addresses, &[0, 6], &len, &packet[transport..]]) == 0xffff
}

/// Bytes that differ from place to place.
pub fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251) as u8).collect()
}

pub fn batch_of(entries: impl IntoIterator<Item = Transmit>) -> Batch {
    let mut batch = Batch::new(256);
    entries.into_iter().for_each(|entry| batch.push(entry));
    batch
}
