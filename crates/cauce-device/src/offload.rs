//! What the engine leaves to devices, done in software: segmentation and checksum completion.
//!
//! A super-segment becomes the segments that TCP would have sent one by one (P-235): sequence numbers and
//! IPv4 identifications count up, lengths are each segment's own, PSH and FIN stay on the last, CWR on the
//! first, every checksum is complete. Payload is shared, never copied.

use crate::packet::Packet;
use crate::sys::checksum::{Accumulator, sum};
use bytes::Bytes;
use cauce_core::batch::{Gso, MAX_HEADER, PartialChecksum, SendReason, Token, Transmit};
use cauce_core::frame::{ChecksumState, Frame};
use smallvec::SmallVec;

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;
/// The checksum's place in a TCP header.
const TCP_CHECKSUM: usize = 16;
/// The smallest TCP header.
const TCP_MIN: usize = 20;

/// Finishes a packet: the packets that reach the wire for `transmit`, one or many.
///
/// ```
/// # use cauce_core::batch::*;
/// # use cauce_core::frame::DeviceId;
/// # let transmit = Transmit { header: [0x45, 0, 0, 21, 0, 0, 0, 0, 64, 99, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
/// #     .into_iter().collect(), payload: [bytes::Bytes::from_static(b"x")].into_iter().collect(), gso: None,
/// #     checksum: None, network_offset: 0, transport_offset: 20, device: DeviceId(0),
/// #     reason: SendReason::Control, token: Token::NONE };
/// for packet in cauce_device::offload::packets(&transmit) {
///     println!("{} bytes", packet.len());
/// }
/// ```
pub fn packets(transmit: &Transmit) -> Packets<'_> {
    let state = match transmit.gso.and_then(|gso| Segmenter::new(transmit, gso)) {
        Some(segmenter) => State::Many(segmenter),
        None => State::One(transmit),
    };
    Packets(state)
}

/// The iterator that [`packets`] returns.
#[derive(Debug)]
pub struct Packets<'a>(State<'a>);

#[derive(Debug)]
enum State<'a> {
    One(&'a Transmit),
    Many(Segmenter<'a>),
    Done,
}

impl Iterator for Packets<'_> {
    type Item = Packet;

    #[inline]
    fn next(&mut self) -> Option<Packet> {
        match &mut self.0 {
            State::Many(segmenter) => segmenter.next(),
            State::One(transmit) => {
                let packet = finished(transmit);
                self.0 = State::Done;
                Some(packet)
            }
            State::Done => None,
        }
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

/// The packets that a received frame stands for, finished: super-packets are cut, and checksums that were
/// never computed are. `network` is where the IP header starts.
pub fn packets_of(frame: &Frame, network: usize) -> Vec<Packet> {
    let as_it_is = || {
        let mut packet = Packet::default();
        packet.payload.push(frame.head.clone());
        packet.payload.extend(frame.frags.iter().cloned());
        vec![packet]
    };
    if frame.segments <= 1 && frame.checksum != ChecksumState::Partial {
        return as_it_is();
    }
    let Some((transport, header)) = tcp_of(&frame.head, network) else { return as_it_is() };
    let mut transmit = Transmit {
        header: frame.head[..header].iter().copied().collect(),
        payload: SmallVec::new(),
        gso: (frame.segments > 1).then_some(Gso { size: frame.segment_size, segments: frame.segments }),
        checksum: Some(PartialChecksum { start: transport as u16, offset: TCP_CHECKSUM as u16 }),
        network_offset: network as u8,
        transport_offset: transport as u8,
        device: frame.device,
        reason: SendReason::Control,
        token: Token::NONE,
    };
    transmit.payload.push(frame.head.slice(header..));
    transmit.payload.extend(frame.frags.iter().cloned());
    packets(&transmit).collect()
}

/// Where the TCP header of a packet starts and ends, when all of it fits an entry's header.
fn tcp_of(head: &[u8], network: usize) -> Option<(usize, usize)> {
    let ip = head.get(network..)?;
    let transport = network
        + match ip.first()? >> 4 {
            4 if *ip.get(9)? == 6 => usize::from(ip[0] & 15) * 4,
            6 if *ip.get(6)? == 6 => 40,
            _ => return None,
        };
    let end = transport + usize::from(head.get(transport + 12)? >> 4) * 4;
    (end >= transport + TCP_MIN && end <= head.len().min(MAX_HEADER)).then_some((transport, end))
}

/// The finished packets of one entry, side by side, for devices that carry many.
#[derive(Debug, Default)]
pub(crate) struct Burst {
    /// The packets' headers, one after another, each `header_len` long.
    headers: Vec<u8>,
    header_len: usize,
    /// The packets' payload slices, one packet's after another's.
    payload: Vec<Bytes>,
    /// How many slices each packet has.
    slices: Vec<u8>,
    /// Packets and slices taken already.
    taken: (usize, usize),
}

impl Burst {
    /// Replaces what the burst holds by the packets of `transmit`, cut and finished.
    pub(crate) fn fill(&mut self, transmit: &Transmit) {
        self.clear();
        self.header_len = transmit.header.len();
        let Some(mut segmenter) = transmit.gso.and_then(|gso| Segmenter::new(transmit, gso)) else {
            self.fill_whole(transmit);
            if let Some(partial) = transmit.checksum {
                complete(&mut self.headers, &self.payload, partial);
            }
            return;
        };
        while segmenter.left > 0 {
            let (at, slices) = (self.headers.len(), self.payload.len());
            self.headers.extend_from_slice(&transmit.header);
            segmenter.cut(&mut self.headers[at..], |part| self.payload.push(part));
            self.slices.push((self.payload.len() - slices) as u8);
        }
    }

    /// Replaces what the burst holds by `transmit` as it is.
    pub(crate) fn fill_whole(&mut self, transmit: &Transmit) {
        self.clear();
        self.header_len = transmit.header.len();
        self.headers.extend_from_slice(&transmit.header);
        self.payload.extend(transmit.payload.iter().filter(|part| !part.is_empty()).cloned());
        self.slices.push(self.payload.len() as u8);
    }

    /// Packets not taken yet.
    pub(crate) fn len(&self) -> usize {
        self.slices.len() - self.taken.0
    }

    /// Hands over at most `most` packets, headers and payload slices, in order. Returns how many.
    #[inline]
    pub(crate) fn take(&mut self, most: usize, mut each: impl FnMut(&[u8], &mut [Bytes])) -> usize {
        let count = self.len().min(most);
        for _ in 0..count {
            let (packet, slice) = self.taken;
            let end = slice + usize::from(self.slices[packet]);
            let header = &self.headers[packet * self.header_len..(packet + 1) * self.header_len];
            each(header, &mut self.payload[slice..end]);
            self.taken = (packet + 1, end);
        }
        count
    }

    /// Empties the burst and keeps its memory.
    fn clear(&mut self) {
        self.taken = (0, 0);
        self.headers.clear();
        self.payload.clear();
        self.slices.clear();
    }
}

/// A single packet with its checksum completed.
fn finished(transmit: &Transmit) -> Packet {
    let mut packet = Packet { header: transmit.header.clone(), payload: transmit.payload.clone() };
    if let Some(partial) = transmit.checksum {
        complete(&mut packet.header, &packet.payload, partial);
    }
    packet
}

/// Completes a partial checksum over `header` from `partial.start` on and `payload`. The field's place must
/// lie in `header`, otherwise nothing happens.
pub fn complete(header: &mut [u8], payload: &[Bytes], partial: PartialChecksum) {
    let start = usize::from(partial.start);
    let field = start + usize::from(partial.offset);
    if field + 2 > header.len() {
        return;
    }
    let mut total = Accumulator::default();
    total.add(&header[start..]);
    payload.iter().for_each(|part| total.add(part));
    header[field..field + 2].copy_from_slice(&total.finish().to_be_bytes());
}

/// The sum of a TCP pseudo-header and of `len`, the length of header and payload, for the IP header that
/// `ip` starts with; `None` when that is neither IPv4 nor IPv6.
pub(crate) fn pseudo_sum(ip: &[u8], len: usize) -> Option<u32> {
    let addresses = match ip.first()? >> 4 {
        4 => ip.get(12..20)?,
        6 => ip.get(8..40)?,
        _ => return None,
    };
    Some(u32::from(sum(addresses)) + 6 + (len as u32 & 0xffff) + (len as u32 >> 16))
}

/// Cuts one super-segment. What does not change from segment to segment is summed once.
#[derive(Debug)]
struct Segmenter<'a> {
    transmit: &'a Transmit,
    size: usize,
    /// Payload bytes not yet handed out.
    left: usize,
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
    fn new(transmit: &'a Transmit, gso: Gso) -> Option<Self> {
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
    /// its payload slices to `payload`.
    #[inline]
    fn cut(&mut self, header: &mut [u8], payload: impl FnMut(Bytes)) {
        let len = self.left.min(self.size);
        let payload_sum = self.take_payload(len, payload);
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

    fn next(&mut self) -> Option<Packet> {
        if self.left == 0 {
            return None;
        }
        let mut packet = Packet { header: self.transmit.header.clone(), payload: SmallVec::new() };
        self.cut(&mut packet.header, |part| packet.payload.push(part));
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

    /// Moves the next `len` payload bytes over, shared, and sums them.
    #[inline]
    fn take_payload(&mut self, len: usize, mut into: impl FnMut(Bytes)) -> u16 {
        let mut total = Accumulator::default();
        let mut wanted = len;
        while wanted > 0 {
            let slice = &self.transmit.payload[self.slice];
            let end = slice.len().min(self.offset + wanted);
            let part = slice.slice(self.offset..end);
            total.add(&part);
            wanted -= part.len();
            self.offset = end;
            if end == slice.len() {
                (self.slice, self.offset) = (self.slice + 1, 0);
            }
            if !part.is_empty() {
                into(part);
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

/// Copies a whole packet, its partial checksum completed in the same pass, to the end of `into`.
pub fn linearise(transmit: &Transmit, into: &mut Vec<u8>) {
    let start = into.len();
    into.extend_from_slice(&transmit.header);
    let Some(partial) = transmit.checksum else {
        transmit.payload.iter().for_each(|part| into.extend_from_slice(part));
        return;
    };
    let from = usize::from(partial.start);
    let field = from + usize::from(partial.offset);
    let header_len = transmit.header.len();
    into.resize(start + transmit.len(), 0);
    let whole = &mut into[start..];
    let mut total = Accumulator::default();
    total.add(&whole[from.min(header_len)..header_len]);
    let mut at = header_len;
    for part in &transmit.payload {
        let sum = crate::sys::checksum::copy_and_sum(&mut whole[at..at + part.len()], part);
        total.add_folded(sum, part.len());
        at += part.len();
    }
    if field + 2 <= header_len {
        whole[field..field + 2].copy_from_slice(&total.finish().to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
