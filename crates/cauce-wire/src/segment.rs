//! The TCP header (RFC 9293 3.1): twenty bytes and the options. Checksums are `checksum`'s business.

use crate::bytes::array;
use crate::options::{MAX_OPTIONS_LEN, TcpOptions};
use crate::{Flags, Seq, WireError};

/// Where the checksum is in a TCP header.
pub const TCP_CHECKSUM_OFFSET: usize = 16;
/// Length of a TCP header without options.
pub const MIN_TCP_HEADER_LEN: usize = 20;
/// Length of the longest TCP header.
pub const MAX_TCP_HEADER_LEN: usize = MIN_TCP_HEADER_LEN + MAX_OPTIONS_LEN;

/// A TCP header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpHeader {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number of the first byte (of the SYN, if there is one).
    pub seq: Seq,
    /// Next sequence number expected; significant with ACK.
    pub ack: Seq,
    /// Control bits.
    pub flags: Flags,
    /// Window, not scaled.
    pub window: u16,
    /// Urgent pointer, relative to `seq`; significant with URG. It may point beyond the segment.
    pub urgent: u16,
    /// Options.
    pub options: TcpOptions,
}

impl TcpHeader {
    /// Reads the header at the start of `segment_head`, which may hold less than the whole segment.
    ///
    /// Returns the header and its length, where the payload starts. The checksum is not looked at
    /// (see [`crate::checksum::verify_tcp`]).
    ///
    /// # Errors
    /// Fewer than 20 bytes, a data offset below 5 words, or one beyond the bytes given.
    #[inline]
    pub fn parse(segment_head: &[u8]) -> Result<(TcpHeader, usize), WireError> {
        let head: [u8; MIN_TCP_HEADER_LEN] = array(segment_head, 0, "TCP header")?;
        let [s0, s1, d0, d1, n0, n1, n2, n3, a0, a1, a2, a3, offset_high, low, w0, w1, _, _, u0, u1] = head;
        let header_len = usize::from(offset_high >> 4) * 4;
        if header_len < MIN_TCP_HEADER_LEN {
            return Err(WireError::Invalid { field: "TCP data offset", value: u32::from(offset_high >> 4) });
        }
        let options = segment_head.get(MIN_TCP_HEADER_LEN..header_len).ok_or(WireError::Truncated {
            field: "TCP options",
            needed: header_len,
            given: segment_head.len(),
        })?;
        let header = TcpHeader {
            src_port: u16::from_be_bytes([s0, s1]),
            dst_port: u16::from_be_bytes([d0, d1]),
            seq: Seq(u32::from_be_bytes([n0, n1, n2, n3])),
            ack: Seq(u32::from_be_bytes([a0, a1, a2, a3])),
            flags: Flags(u16::from_be_bytes([offset_high & 1, low])),
            window: u16::from_be_bytes([w0, w1]),
            urgent: u16::from_be_bytes([u0, u1]),
            options: TcpOptions::parse(options),
        };
        Ok((header, header_len))
    }

    /// Length of the header with its options: a multiple of 4 between 20 and 60.
    pub fn header_len(&self) -> usize {
        MIN_TCP_HEADER_LEN + self.options.wire_len()
    }

    /// Writes the header to the start of `out`, with the checksum field 0, and returns its length.
    /// Writes nothing and returns 0 when `out` is shorter than [`TcpHeader::header_len`].
    pub fn emit(&self, out: &mut [u8]) -> usize {
        let Some((fixed, rest)) = out.split_first_chunk_mut::<MIN_TCP_HEADER_LEN>() else { return 0 };
        let Some(options_len) = self.options.emit(rest) else { return 0 };
        let header_len = MIN_TCP_HEADER_LEN + options_len;
        let [s0, s1] = self.src_port.to_be_bytes();
        let [d0, d1] = self.dst_port.to_be_bytes();
        let [n0, n1, n2, n3] = self.seq.0.to_be_bytes();
        let [a0, a1, a2, a3] = self.ack.0.to_be_bytes();
        let [ae, low] = (self.flags.0 & Flags::ALL.0).to_be_bytes();
        let offset_high = ((header_len / 4) as u8) << 4 | ae;
        let [w0, w1] = self.window.to_be_bytes();
        let [u0, u1] = self.urgent.to_be_bytes();
        *fixed = [s0, s1, d0, d1, n0, n1, n2, n3, a0, a1, a2, a3, offset_high, low, w0, w1, 0, 0, u0, u1];
        header_len
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_bad_data_offsets() {
        let mut bytes = [0u8; 24];
        assert!(matches!(TcpHeader::parse(&bytes[..19]), Err(WireError::Truncated { given: 19, .. })));
        bytes[12] = 4 << 4;
        assert_eq!(TcpHeader::parse(&bytes), Err(WireError::Invalid { field: "TCP data offset", value: 4 }));
        bytes[12] = 7 << 4;
        assert_eq!(
            TcpHeader::parse(&bytes),
            Err(WireError::Truncated { field: "TCP options", needed: 28, given: 24 })
        );
        bytes[12] = 6 << 4;
        assert_eq!(TcpHeader::parse(&bytes).map(|(_, len)| len), Ok(24));
    }

    #[test]
    fn emit_into_a_short_buffer_writes_nothing() {
        let header =
            TcpHeader { options: TcpOptions { mss: Some(1), ..Default::default() }, ..Default::default() };
        assert_eq!(header.emit(&mut [0; 23]), 0);
        assert_eq!(header.emit(&mut [0; 24]), 24);
    }

    proptest! {
        #[test]
        fn parse_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok((_, len)) = TcpHeader::parse(&bytes) {
                prop_assert!((20..=60).contains(&len) && len <= bytes.len());
            }
        }

        #[test]
        fn fixed_fields_round_trip(ports: (u16, u16), seq: u32, ack: u32, flags in 0u16..0x200, window: u16, urgent: u16) {
            let header = TcpHeader {
                src_port: ports.0, dst_port: ports.1, seq: Seq(seq), ack: Seq(ack), flags: Flags(flags), window, urgent,
                options: TcpOptions::default(),
            };
            let mut bytes = [0xff; 20];
            prop_assert_eq!(header.emit(&mut bytes), 20);
            prop_assert_eq!(&bytes[16..18], &[0, 0]);
            prop_assert_eq!(TcpHeader::parse(&bytes), Ok((header, 20)));
        }
    }
}
