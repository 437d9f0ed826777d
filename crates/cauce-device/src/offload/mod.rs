//! What the engine leaves to devices, done in software: segmentation and checksum completion.
//!
//! A super-segment becomes the segments that TCP would have sent one by one (P-235): sequence numbers and
//! IPv4 identifications count up, lengths are each segment's own, PSH and FIN stay on the last, CWR on the
//! first, every checksum is complete. Payload is shared, never copied.

mod burst;
mod segmenter;

use crate::packet::Packet;
use crate::sys::checksum::{Accumulator, sum};
use bytes::Bytes;
use cauce_core::batch::{Gso, MAX_HEADER, PartialChecksum, SendReason, Token, Transmit};
use cauce_core::frame::{ChecksumState, Frame};
use segmenter::Segmenter;
use smallvec::SmallVec;

pub(crate) use burst::Burst;
pub(crate) use segmenter::remainder;

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
