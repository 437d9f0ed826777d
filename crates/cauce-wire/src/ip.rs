//! What IPv4 and IPv6 headers have in common, as values: [`IpHeader`] for what arrives, [`IpEmit`] for what
//! leaves. The bytes are in `ipv4` and `ipv6`.

use core::net::IpAddr;

use crate::bytes::u8_at;
use crate::{WireError, ipv4, ipv6};

/// Protocol numbers (IPv4) and next-header values (IPv6).
pub mod protocol {
    /// IPv6 hop-by-hop options.
    pub const HOP_BY_HOP: u8 = 0;
    /// ICMP for IPv4.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// IPv6 routing header.
    pub const ROUTING: u8 = 43;
    /// IPv6 fragment header.
    pub const FRAGMENT: u8 = 44;
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = 58;
    /// Nothing follows the IPv6 headers.
    pub const NO_NEXT_HEADER: u8 = 59;
    /// IPv6 destination options.
    pub const DESTINATION_OPTIONS: u8 = 60;
}

/// The version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpVersion {
    /// IPv4 (RFC 791).
    V4,
    /// IPv6 (RFC 8200).
    V6,
}

/// The two ECN bits of an IP header (RFC 3168 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ecn {
    /// Not ECN-capable.
    #[default]
    NotEct = 0,
    /// ECT(1).
    Ect1 = 1,
    /// ECT(0).
    Ect0 = 2,
    /// Congestion experienced.
    Ce = 3,
}

impl Ecn {
    /// The low two bits of `traffic_class`.
    pub const fn of(traffic_class: u8) -> Ecn {
        match traffic_class & 3 {
            0 => Ecn::NotEct,
            1 => Ecn::Ect1,
            2 => Ecn::Ect0,
            _ => Ecn::Ce,
        }
    }
}

/// Where a fragment belongs in its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Offset of this fragment's payload, bytes.
    pub offset: usize,
    /// More fragments follow this one.
    pub more: bool,
}

/// An IP header that has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpHeader {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// What follows at `header_len`: the protocol after all extension headers, or, of a fragment that is not
    /// whole, after the fragment header.
    pub protocol: u8,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// Type of service or traffic class, ECN in the low two bits.
    pub traffic_class: u8,
    /// Fragment header or fields, when this packet is a fragment. An IPv6 "atomic" fragment (offset 0, no more)
    /// counts as whole: it gives `None`.
    pub fragment: Option<Fragment>,
    /// IPv4's Don't Fragment bit; true for IPv6, which routers never fragment.
    pub dont_fragment: bool,
    /// IPv6 flow label, 20 bits; 0 for IPv4.
    pub flow_label: u32,
    /// Identification for reassembly; 0 for IPv6 without a fragment header.
    pub identification: u32,
    /// Where the transport header, or a fragment's payload, starts.
    pub header_len: usize,
    /// Length of the packet as its header states it. Bytes after it (link-layer padding) are not part of it.
    pub total_len: usize,
}

impl IpHeader {
    /// Reads the header at the start of `head`, of a packet that is `whole_len` bytes long in all. `head` must
    /// hold all IP headers but may be shorter than the packet.
    ///
    /// # Errors
    /// An unknown version, lengths that do not agree, a wrong IPv4 header checksum, and IPv6 extension headers
    /// that a host must not accept (see the module `ipv6`).
    #[inline]
    pub fn parse(head: &[u8], whole_len: usize) -> Result<IpHeader, WireError> {
        match u8_at(head, 0, "IP version")? >> 4 {
            4 => ipv4::parse(head, whole_len),
            6 => ipv6::parse(head, whole_len),
            version => Err(WireError::Invalid { field: "IP version", value: u32::from(version) }),
        }
    }

    /// The version of IP.
    pub fn version(&self) -> IpVersion {
        if self.src.is_ipv4() { IpVersion::V4 } else { IpVersion::V6 }
    }

    /// The ECN bits.
    pub fn ecn(&self) -> Ecn {
        Ecn::of(self.traffic_class)
    }

    /// Bytes from `header_len` to the end of the packet.
    pub fn payload_len(&self) -> usize {
        self.total_len.saturating_sub(self.header_len)
    }
}

/// An IP header to be written: no options, no extension headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpEmit {
    /// Source address.
    pub src: IpAddr,
    /// Destination address, of the same family.
    pub dst: IpAddr,
    /// Protocol of the payload.
    pub protocol: u8,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// Type of service or traffic class, ECN in the low two bits.
    pub traffic_class: u8,
    /// IPv6 flow label, of which the low 20 bits count; ignored for IPv4.
    pub flow_label: u32,
    /// IPv4 identification; ignored for IPv6.
    pub identification: u16,
    /// IPv4's Don't Fragment bit; ignored for IPv6.
    pub dont_fragment: bool,
    /// Bytes after the header. A super-packet may state more than its fields can hold only up to 65535 bytes
    /// (IPv4: header included); longer lengths are written as 0.
    pub payload_len: usize,
}

impl IpEmit {
    /// Length of the header: 20 or 40.
    pub fn len(&self) -> usize {
        match self.src {
            IpAddr::V4(_) => ipv4::HEADER_LEN,
            IpAddr::V6(_) => ipv6::HEADER_LEN,
        }
    }

    /// Never: a header has bytes.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Writes the header, with IPv4's header checksum, to the start of `out` and returns its length. Writes
    /// nothing and returns 0 when `out` is too short or the addresses are of two families.
    pub fn emit(&self, out: &mut [u8]) -> usize {
        let written = match (self.src, self.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => ipv4::emit(self, src, dst, out),
            (IpAddr::V6(src), IpAddr::V6(dst)) => ipv6::emit(self, src, dst, out),
            _ => None,
        };
        written.unwrap_or(0)
    }
}
