//! The Ethernet II header, for layer-2 devices. VLAN tags and 802.3 lengths are not understood: their
//! ethertype is no protocol of ours.

use core::fmt;

use crate::WireError;
use crate::bytes::array;

/// Length of the header.
pub const HEADER_LEN: usize = 14;
/// A hardware address.
pub type Mac = [u8; 6];
/// The address that every station listens to.
pub const BROADCAST: Mac = [0xff; 6];

/// Ethertypes.
pub mod ethertype {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// ARP.
    pub const ARP: u16 = 0x0806;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
}

/// An Ethernet header.
///
/// ```
/// use cauce_wire::ethernet::{BROADCAST, EthernetHeader, ethertype};
///
/// let header = EthernetHeader { dst: BROADCAST, src: [2, 0, 0, 0, 0, 1], ethertype: ethertype::ARP };
/// let mut bytes = [0; 14];
/// header.emit(&mut bytes);
/// assert_eq!(EthernetHeader::parse(&bytes), Ok(header));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EthernetHeader {
    /// Destination.
    pub dst: Mac,
    /// Source.
    pub src: Mac,
    /// What follows the header.
    pub ethertype: u16,
}

impl EthernetHeader {
    /// Reads the header at the start of `frame`; what it carries starts at [`HEADER_LEN`].
    ///
    /// # Errors
    /// Fewer than 14 bytes.
    pub fn parse(frame: &[u8]) -> Result<EthernetHeader, WireError> {
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] =
            array::<HEADER_LEN>(frame, 0, "Ethernet header")?;
        Ok(EthernetHeader {
            dst: [d0, d1, d2, d3, d4, d5],
            src: [s0, s1, s2, s3, s4, s5],
            ethertype: u16::from_be_bytes([t0, t1]),
        })
    }

    /// Writes the header to the start of `out` and returns its length; nothing and 0 when `out` is too short.
    pub fn emit(&self, out: &mut [u8]) -> usize {
        let Some(out) = out.first_chunk_mut::<HEADER_LEN>() else { return 0 };
        out[..6].copy_from_slice(&self.dst);
        out[6..12].copy_from_slice(&self.src);
        out[12..].copy_from_slice(&self.ethertype.to_be_bytes());
        HEADER_LEN
    }
}

/// Shows a hardware address as `02:00:00:00:00:01`.
pub struct DisplayMac(pub Mac);

impl fmt::Display for DisplayMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn short_frames_and_buffers() {
        assert!(EthernetHeader::parse(&[0; 13]).is_err());
        assert_eq!(EthernetHeader::default().emit(&mut [0; 13]), 0);
        assert_eq!(DisplayMac([2, 0, 0, 0, 0xab, 1]).to_string(), "02:00:00:00:ab:01");
    }
}
