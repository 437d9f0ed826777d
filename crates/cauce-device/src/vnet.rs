//! The header of 10 bytes that virtio-net puts before a packet, as TUN, TAP and packet sockets use it
//! (virtio 1.2, 5.1.6): built and read here and nowhere else.

use arrayvec::ArrayVec;
use cauce_core::batch::{PartialChecksum, Transmit};
use cauce_core::frame::{ChecksumState, Frame};

/// Bytes of the header.
pub const VNET_HEADER: usize = 10;

const NEEDS_CSUM: u8 = 1;
const DATA_VALID: u8 = 2;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_ECN: u8 = 0x80;
const CWR: u8 = 0x80;
/// Where a TCP header keeps its checksum.
const TCP_CHECKSUM: u16 = 16;

/// What the header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VnetHeader {
    /// `VIRTIO_NET_HDR_F_*`.
    pub flags: u8,
    /// `VIRTIO_NET_HDR_GSO_*`.
    pub gso_type: u8,
    /// Bytes of all headers of the packet; a hint.
    pub hdr_len: u16,
    /// Payload bytes of each segment.
    pub gso_size: u16,
    /// Where the checksum's sum starts.
    pub csum_start: u16,
    /// Where the checksum goes, from there.
    pub csum_offset: u16,
}

/// What a received packet turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// One packet.
    Single(ChecksumState),
    /// One packet of another protocol than TCP whose checksum has to be completed.
    Complete(PartialChecksum),
    /// A TCP super-packet.
    Super {
        /// Payload bytes of each segment but the last.
        size: u16,
        /// How many segments it stands for.
        segments: u16,
    },
}

impl VnetHeader {
    /// Reads the header; the fields are in the machine's order.
    pub fn parse(bytes: [u8; VNET_HEADER]) -> Self {
        let word = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        VnetHeader {
            flags: bytes[0],
            gso_type: bytes[1],
            hdr_len: word(2),
            gso_size: word(4),
            csum_start: word(6),
            csum_offset: word(8),
        }
    }

    /// Writes the header.
    pub fn emit(self) -> [u8; VNET_HEADER] {
        let mut bytes = ArrayVec::<u8, VNET_HEADER>::from_iter([self.flags, self.gso_type]);
        for word in [self.hdr_len, self.gso_size, self.csum_start, self.csum_offset] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.into_inner().unwrap_or_default()
    }

    /// The header for a packet on its way out; `None` when the kernel cannot be asked to do what is left
    /// to do and software must.
    pub fn for_transmit(transmit: &Transmit) -> Option<Self> {
        let mut header = VnetHeader::default();
        if let Some(partial) = transmit.checksum {
            header.flags = NEEDS_CSUM;
            (header.csum_start, header.csum_offset) = (partial.start, partial.offset);
        }
        // A last segment of no more than one size is an ordinary packet.
        if let Some(gso) = transmit.gso.filter(|gso| usize::from(gso.size) < transmit.payload_len()) {
            let version = *transmit.header.get(usize::from(transmit.network_offset))? >> 4;
            let flags = *transmit.header.get(usize::from(transmit.transport_offset) + 13)?;
            transmit.checksum?;
            header.gso_type = if version == 4 { GSO_TCPV4 } else { GSO_TCPV6 };
            if flags & CWR != 0 {
                header.gso_type |= GSO_ECN;
            }
            header.gso_size = gso.size;
            header.hdr_len = transmit.header.len() as u16;
        }
        Some(header)
    }

    /// What the packet of `len` bytes is that came behind this header and starts with `head`; `None` when
    /// the two contradict each other or the kind is one that was never asked for.
    pub fn judge(self, head: &[u8], len: usize) -> Option<Received> {
        let partial = PartialChecksum { start: self.csum_start, offset: self.csum_offset };
        let field = usize::from(partial.start) + usize::from(partial.offset);
        let needs = self.flags & NEEDS_CSUM != 0;
        if needs && field + 2 > len {
            return None;
        }
        match self.gso_type & !GSO_ECN {
            GSO_NONE if needs && partial.offset == TCP_CHECKSUM => {
                Some(Received::Single(ChecksumState::Partial))
            }
            GSO_NONE if needs => Some(Received::Complete(partial)),
            GSO_NONE if self.flags & DATA_VALID != 0 => Some(Received::Single(ChecksumState::Verified)),
            GSO_NONE => Some(Received::Single(ChecksumState::Unverified)),
            GSO_TCPV4 | GSO_TCPV6 if needs && self.gso_size > 0 => {
                let start = usize::from(self.csum_start);
                let header = start + usize::from(head.get(start + 12)? >> 4) * 4;
                let payload = len.checked_sub(header)?;
                let segments = payload.div_ceil(usize::from(self.gso_size)).max(1);
                Some(Received::Super { size: self.gso_size, segments: u16::try_from(segments).ok()? })
            }
            _ => None,
        }
    }
}

impl Received {
    /// Writes down in `frame` what is known.
    pub fn describe(self, frame: &mut Frame) {
        match self {
            Received::Single(checksum) => frame.checksum = checksum,
            Received::Complete(_) => frame.checksum = ChecksumState::Unverified,
            Received::Super { size, segments } => {
                frame.checksum = ChecksumState::Partial;
                (frame.segments, frame.segment_size) = (segments, if segments > 1 { size } else { 0 });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn emitted_is_parsed(flags: u8, gso_type: u8, words: [u16; 4]) {
            let [hdr_len, gso_size, csum_start, csum_offset] = words;
            let header = VnetHeader { flags, gso_type, hdr_len, gso_size, csum_start, csum_offset };
            prop_assert_eq!(VnetHeader::parse(header.emit()), header);
        }

        #[test]
        fn no_header_makes_the_judge_panic(bytes: [u8; VNET_HEADER], head in prop::collection::vec(any::<u8>(), 0..100), more in 0usize..70_000) {
            let _ = VnetHeader::parse(bytes).judge(&head, head.len() + more);
        }
    }
}
