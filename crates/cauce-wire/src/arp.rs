//! ARP for IPv4 over Ethernet (RFC 826): parse and emit. Who answers, and what is remembered, is decided where
//! the neighbours are kept.

use core::net::Ipv4Addr;

use crate::WireError;
use crate::bytes::{array, u16_at};
use crate::ethernet::Mac;

/// Length of an ARP packet for IPv4 over Ethernet.
pub const ARP_LEN: usize = 28;
/// Hardware type Ethernet, protocol IPv4, and the lengths of their addresses.
const ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];

/// What an ARP packet wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArpOperation {
    /// Who has the target address?
    Request,
    /// The sender has its address.
    Reply,
}

/// An ARP packet.
///
/// ```
/// use cauce_wire::arp::{ARP_LEN, ArpOperation, ArpPacket};
///
/// let request = ArpPacket {
///     operation: ArpOperation::Request,
///     sender_mac: [2, 0, 0, 0, 0, 1],
///     sender_ip: [10, 0, 0, 1].into(),
///     target_mac: [0; 6],
///     target_ip: [10, 0, 0, 2].into(),
/// };
/// let mut bytes = [0; ARP_LEN];
/// request.emit(&mut bytes);
/// assert_eq!(ArpPacket::parse(&bytes), Ok(request));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArpPacket {
    /// Request or reply.
    pub operation: ArpOperation,
    /// Hardware address of the sender.
    pub sender_mac: Mac,
    /// IP address of the sender; unspecified in an address probe (RFC 5227).
    pub sender_ip: Ipv4Addr,
    /// Hardware address of the target; meaningless in a request.
    pub target_mac: Mac,
    /// IP address of the target.
    pub target_ip: Ipv4Addr,
}

impl ArpPacket {
    /// Reads the packet that an Ethernet frame with ethertype ARP carries; padding after it is ignored.
    ///
    /// # Errors
    /// Fewer than 28 bytes, other hardware or another protocol, an operation that is neither request nor reply.
    pub fn parse(packet: &[u8]) -> Result<ArpPacket, WireError> {
        let bytes: [u8; ARP_LEN] = array(packet, 0, "ARP packet")?;
        if !bytes.starts_with(&ETHERNET_IPV4) {
            return Err(WireError::Invalid {
                field: "ARP protocol type",
                value: u32::from(u16_at(&bytes, 2, "ARP protocol type")?),
            });
        }
        let operation = match u16_at(&bytes, 6, "ARP operation")? {
            1 => ArpOperation::Request,
            2 => ArpOperation::Reply,
            other => return Err(WireError::Invalid { field: "ARP operation", value: u32::from(other) }),
        };
        Ok(ArpPacket {
            operation,
            sender_mac: array(&bytes, 8, "ARP sender")?,
            sender_ip: array::<4>(&bytes, 14, "ARP sender")?.into(),
            target_mac: array(&bytes, 18, "ARP target")?,
            target_ip: array::<4>(&bytes, 24, "ARP target")?.into(),
        })
    }

    /// Writes the packet to the start of `out` and returns its length; nothing and 0 when `out` is too short.
    pub fn emit(&self, out: &mut [u8]) -> usize {
        let Some(out) = out.first_chunk_mut::<ARP_LEN>() else { return 0 };
        out[..6].copy_from_slice(&ETHERNET_IPV4);
        out[6] = 0;
        out[7] = if self.operation == ArpOperation::Request { 1 } else { 2 };
        out[8..14].copy_from_slice(&self.sender_mac);
        out[14..18].copy_from_slice(&self.sender_ip.octets());
        out[18..24].copy_from_slice(&self.target_mac);
        out[24..].copy_from_slice(&self.target_ip.octets());
        ARP_LEN
    }

    /// The reply of the host with `mac` to this request for its address.
    pub fn reply_from(&self, mac: Mac) -> ArpPacket {
        ArpPacket {
            operation: ArpOperation::Reply,
            sender_mac: mac,
            sender_ip: self.target_ip,
            target_mac: self.sender_mac,
            target_ip: self.sender_ip,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn etherparse_agrees() {
        let request = ArpPacket {
            operation: ArpOperation::Request,
            sender_mac: [2, 0, 0, 0, 0, 1],
            sender_ip: [10, 0, 0, 1].into(),
            target_mac: [0; 6],
            target_ip: [10, 0, 0, 2].into(),
        };
        for packet in [request, request.reply_from([2, 0, 0, 0, 0, 2])] {
            let mut bytes = [0; 40];
            assert_eq!(packet.emit(&mut bytes), ARP_LEN);
            let theirs = etherparse::ArpPacketSlice::from_slice(&bytes).unwrap();
            assert_eq!(theirs.sender_hw_addr(), packet.sender_mac);
            assert_eq!(theirs.sender_protocol_addr(), packet.sender_ip.octets());
            assert_eq!(theirs.target_hw_addr(), packet.target_mac);
            assert_eq!(theirs.target_protocol_addr(), packet.target_ip.octets());
            assert_eq!(ArpPacket::parse(&bytes), Ok(packet));
        }
        assert_eq!(request.emit(&mut [0; 27]), 0);
    }

    proptest! {
        #[test]
        fn parse_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..40), fix: bool) {
            if fix && bytes.len() >= 8 {
                bytes[..6].copy_from_slice(&ETHERNET_IPV4);
                bytes[6..8].copy_from_slice(&[0, 2]);
            }
            if let Ok(packet) = ArpPacket::parse(&bytes) {
                let mut out = [0; ARP_LEN];
                packet.emit(&mut out);
                prop_assert_eq!(&out[..], &bytes[..ARP_LEN]);
            }
        }
    }
}
