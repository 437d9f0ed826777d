//! Cuts super-segments.

use super::{TCP_CHECKSUM, TCP_MIN, pseudo_sum};
use crate::packet::Packet;
use crate::sys::checksum::{Accumulator, sum};
use cauce_core::batch::{Gso, Transmit};
use smallvec::SmallVec;

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;

/// Cuts one super-segment. What does not change from segment to segment is summed once.
#[derive(Debug)]
pub(super) struct Segmenter<'a> {
    transmit: &'a Transmit,
    size: usize,
    /// Payload bytes not yet handed out.
    pub(super) left: usize,
    /// Where the next payload byte lies.
    slice: usize,
    offset: usize,
    first: bool,
    v4: bool,
    network: usize,
    transport: usize,
    seq: u32,
    identification: u16,
    flags: u8,
    /// Sum of the IPv4 header without length, identification and checksum.
    ip_base: u32,
    /// Sum of pseudo-header and TCP header without length, sequence number, flags and checksum.
    tcp_base: u32,
}

impl<'a> Segmenter<'a> {
    /// `None` when the headers are not those of TCP over IP, or there is nothing to cut.
    pub(super) fn new(transmit: &'a Transmit, gso: Gso) -> Option<Self> {
        let header = &transmit.header[..];
        let (network, transport) =
            (usize::from(transmit.network_offset), usize::from(transmit.transport_offset));
        let (size, left) = (usize::from(gso.size), transmit.payload_len());
        let ip = header.get(network..transport)?;
        let tcp = header.get(transport..).filter(|tcp| tcp.len() >= TCP_MIN)?;
        let v4 = ip.first()? >> 4 == 4;
        if size == 0 || left == 0 || ip.len() < if v4 { 20 } else { 40 } {
            return None;
        }
        let word = |bytes: &[u8], at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let without = |base: u16, words: &[u16]| {
            words.iter().fold(u32::from(base), |total, &word| total + u32::from(!word))
        };
        let ip_base = if v4 { without(sum(ip), &[word(ip, 2), word(ip, 4), word(ip, 10)]) } else { 0 };
        let changing = [word(tcp, 4), word(tcp, 6), u16::from(tcp[13]), word(tcp, TCP_CHECKSUM)];
        Some(Segmenter {
            transmit,
            size,
            left,
            slice: 0,
            offset: 0,
            first: true,
            v4,
            network,
            transport,
            seq: u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]),
            identification: if v4 { word(ip, 4) } else { 0 },
            flags: tcp[13],
            ip_base,
            tcp_base: without(sum(tcp), &changing) + pseudo_sum(ip, 0)?,
        })
    }

    /// The next segment: its header goes through `header`, a copy of the super-segment's to be patched, and
    /// its share of the payload (slice, start and end in it) to `share`.
    #[inline]
    pub(super) fn cut(&mut self, header: &mut [u8], share: impl FnMut(usize, usize, usize)) {
        let len = self.left.min(self.size);
        let payload_sum = self.take_payload(len, share);
        let mut flags = self.flags;
        if self.left > 0 {
            flags &= !(FIN | PSH);
        }
        if !self.first {
            flags &= !CWR;
        }
        self.write_ip(header, len);
        self.write_tcp(header, len, flags, payload_sum);
        self.seq = self.seq.wrapping_add(len as u32);
        self.identification = self.identification.wrapping_add(1);
        self.first = false;
    }

    pub(super) fn next(&mut self) -> Option<Packet> {
        if self.left == 0 {
            return None;
        }
        let transmit = self.transmit;
        let mut packet = Packet { header: transmit.header.clone(), payload: SmallVec::new() };
        self.cut(&mut packet.header, |slice, start, end| {
            packet.payload.push(transmit.payload[slice].slice(start..end));
        });
        Some(packet)
    }

    /// Passes over one segment.
    fn skip(&mut self) {
        let mut wanted = self.left.min(self.size);
        self.seq = self.seq.wrapping_add(wanted as u32);
        self.identification = self.identification.wrapping_add(1);
        self.left -= wanted;
        while wanted > 0 {
            let part = wanted.min(self.transmit.payload[self.slice].len() - self.offset);
            (wanted, self.offset) = (wanted - part, self.offset + part);
            if self.offset == self.transmit.payload[self.slice].len() {
                (self.slice, self.offset) = (self.slice + 1, 0);
            }
        }
    }

    /// Passes over the next `len` payload bytes, says where they are, and sums them.
    #[inline]
    fn take_payload(&mut self, len: usize, mut share: impl FnMut(usize, usize, usize)) -> u16 {
        let mut total = Accumulator::default();
        let mut wanted = len;
        while wanted > 0 {
            let slice = &self.transmit.payload[self.slice];
            let (start, end) = (self.offset, slice.len().min(self.offset + wanted));
            if end > start {
                total.add(&slice[start..end]);
                share(self.slice, start, end);
                wanted -= end - start;
            }
            self.offset = end;
            if end == slice.len() {
                (self.slice, self.offset) = (self.slice + 1, 0);
            }
        }
        self.left -= len;
        total.folded()
    }

    #[inline]
    fn write_ip(&self, header: &mut [u8], payload: usize) {
        let len = header.len() - self.network + payload;
        let ip = &mut header[self.network..self.transport];
        if !self.v4 {
            ip[4..6].copy_from_slice(&((len - 40) as u16).to_be_bytes());
            return;
        }
        let (len, identification) = (len as u16, self.identification);
        let total = self.ip_base + u32::from(len) + u32::from(identification);
        ip[2..4].copy_from_slice(&len.to_be_bytes());
        ip[4..6].copy_from_slice(&identification.to_be_bytes());
        ip[10..12].copy_from_slice(&Accumulator::from_words(total).finish().to_be_bytes());
    }

    #[inline]
    fn write_tcp(&self, header: &mut [u8], payload: usize, flags: u8, payload_sum: u16) {
        let tcp = &mut header[self.transport..];
        let len = (tcp.len() + payload) as u32;
        let total = self.tcp_base
            + len
            + (self.seq >> 16)
            + (self.seq & 0xffff)
            + u32::from(flags)
            + u32::from(payload_sum);
        tcp[4..8].copy_from_slice(&self.seq.to_be_bytes());
        tcp[13] = flags;
        let checksum = Accumulator::from_words(total).finish();
        tcp[TCP_CHECKSUM..TCP_CHECKSUM + 2].copy_from_slice(&checksum.to_be_bytes());
    }
}

/// What is left of a super-segment when its first `segments` segments have been sent.
pub(crate) fn remainder(transmit: &Transmit, segments: usize) -> Transmit {
    let mut rest = transmit.clone();
    let Some(mut segmenter) = transmit.gso.and_then(|gso| Segmenter::new(transmit, gso)) else { return rest };
    for _ in 0..segments {
        segmenter.skip();
    }
    rest.payload.clear();
    let left = segmenter.left;
    if let Some(first) = transmit.payload.get(segmenter.slice) {
        rest.payload.push(first.slice(segmenter.offset..));
        rest.payload.extend(transmit.payload[segmenter.slice + 1..].iter().cloned());
    }
    segmenter.write_ip(&mut rest.header, left);
    let transport = segmenter.transport;
    let len = rest.header.len() - transport + left;
    let pseudo = pseudo_sum(&rest.header[segmenter.network..], len).unwrap_or(0);
    let tcp = &mut rest.header[transport..];
    tcp[4..8].copy_from_slice(&segmenter.seq.to_be_bytes());
    tcp[13] &= !CWR;
    tcp[TCP_CHECKSUM..TCP_CHECKSUM + 2]
        .copy_from_slice(&Accumulator::from_words(pseudo).folded().to_be_bytes());
    if let Some(gso) = &mut rest.gso {
        gso.segments = left.div_ceil(segmenter.size) as u16;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offload::packets;
    use bytes::Bytes;
    use cauce_core::batch::{PartialChecksum, SendReason, Token};
    use cauce_core::frame::DeviceId;

    /// Sending the first segments and then the remainder is sending the whole.
    #[test]
    fn a_super_segment_may_be_sent_in_two_goes() {
        let header: Vec<u8> = [
            &[0x45, 0, 0x1f, 0x68, 0, 9, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2][..],
            &[0x10, 0, 0, 80, 0xff, 0xff, 0xf0, 0, 0, 0, 0, 7, 0x50, 0x98, 1, 0, 0, 0, 0, 0],
        ]
        .concat();
        let bytes = Bytes::from((0..8000u32).map(|at| at as u8).collect::<Vec<_>>());
        let whole = Transmit {
            header: header.into_iter().collect(),
            payload: [bytes.slice(..1500), bytes.slice(1500..1501), bytes.slice(1501..)]
                .into_iter()
                .collect(),
            gso: Some(Gso { size: 1460, segments: 6 }),
            checksum: Some(PartialChecksum { start: 20, offset: 16 }),
            network_offset: 0,
            transport_offset: 20,
            device: DeviceId(0),
            reason: SendReason::Data,
            token: Token::NONE,
        };
        let expected: Vec<Bytes> = packets(&whole).map(|packet| packet.to_bytes()).collect();
        assert_eq!(expected.len(), 6);
        for sent in 1..6 {
            let rest = remainder(&whole, sent);
            assert_eq!(rest.segments(), 6 - sent);
            let again: Vec<Bytes> = packets(&rest).map(|packet| packet.to_bytes()).collect();
            assert_eq!(again, expected[sent..], "{sent} sent");
        }
    }
}
