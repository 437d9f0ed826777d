//! ICMP errors about TCP segments (RFC 792, RFC 1122 3.2.2, RFC 1191, RFC 4443), and echo for one-liners.
//!
//! Says which error it is and which segment it quotes. What an error does to a connection (soft, hard, path
//! MTU) and whether the quoted sequence number is believable (RFC 5927) is decided where the connections are.

use core::net::{IpAddr, SocketAddr};

use crate::bytes::{array, u8_at, u16_at, u32_at};
use crate::checksum::{Sum, pseudo_header};
use crate::{IpHeader, Seq, WireError, ipv6, protocol};

/// Length of the ICMP header before the quoted packet.
pub const HEADER_LEN: usize = 8;

/// ICMP's message types as this crate reads them, for both versions.
mod types {
    pub(super) const V4_UNREACHABLE: u8 = 3;
    pub(super) const V4_SOURCE_QUENCH: u8 = 4;
    pub(super) const V4_TIME_EXCEEDED: u8 = 11;
    pub(super) const V4_PARAMETER_PROBLEM: u8 = 12;
    pub(super) const V6_UNREACHABLE: u8 = 1;
    pub(super) const V6_PACKET_TOO_BIG: u8 = 2;
    pub(super) const V6_TIME_EXCEEDED: u8 = 3;
    pub(super) const V6_PARAMETER_PROBLEM: u8 = 4;
}

/// What an ICMP error says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpErrorKind {
    /// No route to the network (v4 code 0, 6, 11; v6 code 0).
    NetUnreachable,
    /// The host does not answer (v4 code 1, 7, 8, 12; v6 address unreachable, code 3).
    HostUnreachable,
    /// The host does not speak the protocol (v4 code 2; v6 parameter problem, unknown next header).
    ProtocolUnreachable,
    /// Nobody listens at the port (v4 code 3, v6 code 4).
    PortUnreachable,
    /// A packet with Don't Fragment did not fit (v4 code 4).
    FragmentationNeeded {
        /// MTU of the next hop, bytes; 0 from a router that predates RFC 1191.
        mtu: u32,
    },
    /// The source route failed (v4 code 5, v6 code 7).
    SourceRouteFailed,
    /// A filter refused it (v4 codes 9, 10, 13 to 15; v6 codes 1, 5, 6).
    AdminProhibited,
    /// Beyond the scope of the source address (v6 code 2).
    BeyondScope,
    /// TTL or hop limit ran out on the way (code 0).
    TtlExceeded,
    /// Reassembly took too long (code 1).
    ReassemblyTimeout,
    /// A header field was not understood.
    ParameterProblem {
        /// Where in the quoted packet, bytes.
        pointer: u32,
    },
    /// An obsolete plea to slow down; hosts ignore it (RFC 6633).
    SourceQuench,
    /// An IPv6 packet did not fit.
    PacketTooBig {
        /// MTU of the next hop, bytes.
        mtu: u32,
    },
    /// A destination-unreachable code that is none of the above.
    OtherUnreachable,
}

/// The TCP segment that an ICMP error quotes, in the direction in which it was sent: `src` is the receiver of
/// the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotedTcp {
    /// Source of the quoted segment.
    pub src: SocketAddr,
    /// Its destination.
    pub dst: SocketAddr,
    /// Its sequence number.
    pub seq: Seq,
    /// Its acknowledgment number, when enough is quoted.
    pub ack: Option<Seq>,
    /// Hop limit left when it was refused.
    pub hop_limit: u8,
    /// Payload bytes that it had, by its IP length and, when enough is quoted, its data offset; 0 when the quote
    /// says nothing sensible.
    pub payload_len: u16,
}

/// An ICMP error about a TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// What it says.
    pub kind: IcmpErrorKind,
    /// Type as on the wire.
    pub icmp_type: u8,
    /// Code as on the wire.
    pub code: u8,
    /// Who sent it.
    pub offender: IpAddr,
    /// The segment it is about.
    pub quoted: QuotedTcp,
}

/// Any ICMP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpMessage {
    /// An error about a TCP segment.
    TcpError(IcmpError),
    /// Anything else: not an error, or one about another protocol.
    Other {
        /// Type as on the wire.
        icmp_type: u8,
        /// Code as on the wire.
        code: u8,
    },
}

/// Reads the ICMPv4 message `message` (from the ICMP header on, whole) that arrived from `offender`.
///
/// # Errors
/// A wrong checksum, or fewer bytes than the header and eight quoted TCP bytes need.
pub fn parse_v4(message: &[u8], offender: IpAddr) -> Result<IcmpMessage, WireError> {
    let mut sum = Sum::new();
    sum.add_bytes(message);
    let (icmp_type, code) = header(message, &sum)?;
    let kind = match (icmp_type, code) {
        (types::V4_UNREACHABLE, 0 | 6 | 11) => IcmpErrorKind::NetUnreachable,
        (types::V4_UNREACHABLE, 1 | 7 | 8 | 12) => IcmpErrorKind::HostUnreachable,
        (types::V4_UNREACHABLE, 2) => IcmpErrorKind::ProtocolUnreachable,
        (types::V4_UNREACHABLE, 3) => IcmpErrorKind::PortUnreachable,
        (types::V4_UNREACHABLE, 4) => {
            IcmpErrorKind::FragmentationNeeded { mtu: u32::from(u16_at(message, 6, "next-hop MTU")?) }
        }
        (types::V4_UNREACHABLE, 5) => IcmpErrorKind::SourceRouteFailed,
        (types::V4_UNREACHABLE, 9 | 10 | 13..=15) => IcmpErrorKind::AdminProhibited,
        (types::V4_UNREACHABLE, _) => IcmpErrorKind::OtherUnreachable,
        (types::V4_SOURCE_QUENCH, _) => IcmpErrorKind::SourceQuench,
        (types::V4_TIME_EXCEEDED, 0) => IcmpErrorKind::TtlExceeded,
        (types::V4_TIME_EXCEEDED, 1) => IcmpErrorKind::ReassemblyTimeout,
        (types::V4_PARAMETER_PROBLEM, _) => {
            IcmpErrorKind::ParameterProblem { pointer: u32::from(u8_at(message, 4, "ICMP pointer")?) }
        }
        _ => return Ok(IcmpMessage::Other { icmp_type, code }),
    };
    error(message, kind, icmp_type, code, offender)
}

/// Reads the ICMPv6 message `message` (from the ICMP header on, whole) that `offender` sent to `dst`.
///
/// # Errors
/// A wrong checksum, or fewer bytes than the header and eight quoted TCP bytes need.
pub fn parse_v6(message: &[u8], offender: IpAddr, dst: IpAddr) -> Result<IcmpMessage, WireError> {
    let mut sum = pseudo_header(offender, dst, protocol::ICMPV6, message.len());
    sum.add_bytes(message);
    let (icmp_type, code) = header(message, &sum)?;
    let kind = match (icmp_type, code) {
        (types::V6_UNREACHABLE, 0) => IcmpErrorKind::NetUnreachable,
        (types::V6_UNREACHABLE, 1 | 5 | 6) => IcmpErrorKind::AdminProhibited,
        (types::V6_UNREACHABLE, 2) => IcmpErrorKind::BeyondScope,
        (types::V6_UNREACHABLE, 3) => IcmpErrorKind::HostUnreachable,
        (types::V6_UNREACHABLE, 4) => IcmpErrorKind::PortUnreachable,
        (types::V6_UNREACHABLE, 7) => IcmpErrorKind::SourceRouteFailed,
        (types::V6_UNREACHABLE, _) => IcmpErrorKind::OtherUnreachable,
        (types::V6_PACKET_TOO_BIG, _) => IcmpErrorKind::PacketTooBig { mtu: u32_at(message, 4, "MTU")? },
        (types::V6_TIME_EXCEEDED, 0) => IcmpErrorKind::TtlExceeded,
        (types::V6_TIME_EXCEEDED, 1) => IcmpErrorKind::ReassemblyTimeout,
        (types::V6_PARAMETER_PROBLEM, 1) => IcmpErrorKind::ProtocolUnreachable,
        (types::V6_PARAMETER_PROBLEM, _) => {
            IcmpErrorKind::ParameterProblem { pointer: u32_at(message, 4, "ICMPv6 pointer")? }
        }
        _ => return Ok(IcmpMessage::Other { icmp_type, code }),
    };
    error(message, kind, icmp_type, code, offender)
}

/// Type and code of a message whose checksum is right.
fn header(message: &[u8], sum: &Sum) -> Result<(u8, u8), WireError> {
    let [icmp_type, code, c0, c1, ..] = array::<HEADER_LEN>(message, 0, "ICMP header")?;
    if sum.finish() != 0 {
        return Err(WireError::Checksum { field: "ICMP checksum", found: u16::from_be_bytes([c0, c1]) });
    }
    Ok((icmp_type, code))
}

/// Puts an error together with the segment it quotes.
fn error(
    message: &[u8],
    kind: IcmpErrorKind,
    icmp_type: u8,
    code: u8,
    offender: IpAddr,
) -> Result<IcmpMessage, WireError> {
    let quoted = message.get(HEADER_LEN..).unwrap_or(&[]);
    Ok(match quoted_tcp(quoted)? {
        Some(quoted) => IcmpMessage::TcpError(IcmpError { kind, icmp_type, code, offender, quoted }),
        None => IcmpMessage::Other { icmp_type, code },
    })
}

/// The TCP segment at the head of a quoted packet; `None` when another protocol, or a later fragment, is
/// quoted. Neither lengths nor checksums of a quote are trusted or needed.
fn quoted_tcp(packet: &[u8]) -> Result<Option<QuotedTcp>, WireError> {
    let ip = quoted_ip(packet)?;
    if ip.protocol != protocol::TCP || ip.fragment.is_some_and(|fragment| fragment.offset != 0) {
        return Ok(None);
    }
    let at = ip.header_len;
    let tcp_header_len =
        u8_at(packet, at + 12, "quoted data offset").map_or(20, |offset| usize::from(offset >> 4) * 4);
    Ok(Some(QuotedTcp {
        src: SocketAddr::new(ip.src, u16_at(packet, at, "quoted source port")?),
        dst: SocketAddr::new(ip.dst, u16_at(packet, at + 2, "quoted destination port")?),
        seq: Seq(u32_at(packet, at + 4, "quoted sequence number")?),
        ack: u32_at(packet, at + 8, "quoted acknowledgment number").ok().map(Seq),
        hop_limit: ip.hop_limit,
        payload_len: u16::try_from(ip.payload_len().saturating_sub(tcp_header_len)).unwrap_or(0),
    }))
}

/// The IP header of a quote: routers change TTL without updating what they quote, so the checksum of the IPv4
/// header is not held against it, and the packet is cut off.
fn quoted_ip(packet: &[u8]) -> Result<IpHeader, WireError> {
    match u8_at(packet, 0, "quoted IP version")? >> 4 {
        4 => crate::ipv4::parse_quoted(packet),
        6 => ipv6::parse(packet, usize::MAX),
        version => Err(WireError::Invalid { field: "quoted IP version", value: u32::from(version) }),
    }
}

/// Writes an ICMPv4 message: type, code, the second header word (MTU, pointer, identifier and sequence) and
/// what follows, with its checksum. Returns its length; nothing and 0 when `out` is too short.
pub fn emit_v4(icmp_type: u8, code: u8, rest: u32, body: &[u8], out: &mut [u8]) -> usize {
    emit(icmp_type, code, rest, body, Sum::new(), out)
}

/// Writes an ICMPv6 message from `src` to `dst`, as [`emit_v4`] does.
pub fn emit_v6(
    src: IpAddr,
    dst: IpAddr,
    icmp_type: u8,
    code: u8,
    rest: u32,
    body: &[u8],
    out: &mut [u8],
) -> usize {
    let pseudo = pseudo_header(src, dst, protocol::ICMPV6, HEADER_LEN + body.len());
    emit(icmp_type, code, rest, body, pseudo, out)
}

fn emit(icmp_type: u8, code: u8, rest: u32, body: &[u8], mut sum: Sum, out: &mut [u8]) -> usize {
    let len = HEADER_LEN + body.len();
    let Some(out) = out.get_mut(..len) else { return 0 };
    let [r0, r1, r2, r3] = rest.to_be_bytes();
    out[..HEADER_LEN].copy_from_slice(&[icmp_type, code, 0, 0, r0, r1, r2, r3]);
    out[HEADER_LEN..].copy_from_slice(body);
    sum.add_bytes(out);
    out[2..4].copy_from_slice(&sum.finish().to_be_bytes());
    len
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Flags, IpEmit, TcpHeader};
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const V4: [&str; 3] = ["10.0.0.1", "10.0.0.2", "192.0.2.9"];
    const V6: [&str; 3] = ["2001:db8::1", "2001:db8::2", "2001:db8::9"];

    fn addr(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// The packet that provoked the error: from the first to the second address.
    fn provoking(addrs: [&str; 3], protocol: u8) -> Vec<u8> {
        let tcp =
            TcpHeader { src_port: 1000, dst_port: 80, seq: Seq(77), ack: Seq(88), ..Default::default() };
        let ip = IpEmit {
            src: addr(addrs[0]),
            dst: addr(addrs[1]),
            protocol,
            hop_limit: 3,
            traffic_class: 0,
            flow_label: 0,
            identification: 1,
            dont_fragment: true,
            payload_len: 1480,
        };
        let mut bytes = alloc::vec![0; ip.len() + 20];
        let at = ip.emit(&mut bytes);
        TcpHeader { flags: Flags::ACK, ..tcp }.emit(&mut bytes[at..]);
        bytes
    }

    fn v4(icmp_type: u8, code: u8, rest: u32, quote: &[u8]) -> Result<IcmpMessage, WireError> {
        let mut out = [0; 200];
        let len = emit_v4(icmp_type, code, rest, quote, &mut out);
        parse_v4(&out[..len], addr(V4[2]))
    }

    fn v6(icmp_type: u8, code: u8, rest: u32) -> Result<IcmpMessage, WireError> {
        let mut out = [0; 200];
        let (src, dst) = (addr(V6[2]), addr(V6[0]));
        let len = emit_v6(src, dst, icmp_type, code, rest, &provoking(V6, 6), &mut out);
        parse_v6(&out[..len], src, dst)
    }

    fn kind(message: Result<IcmpMessage, WireError>) -> IcmpErrorKind {
        match message {
            Ok(IcmpMessage::TcpError(error)) => error.kind,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn fragmentation_needed_p053() {
        let Ok(IcmpMessage::TcpError(error)) = v4(3, 4, 1200, &provoking(V4, 6)[..28]) else { panic!() };
        assert_eq!(error.kind, IcmpErrorKind::FragmentationNeeded { mtu: 1200 });
        assert_eq!((error.icmp_type, error.code, error.offender), (3, 4, addr(V4[2])));
        let quoted = error.quoted;
        assert_eq!(
            (quoted.src, quoted.dst),
            (SocketAddr::new(addr(V4[0]), 1000), SocketAddr::new(addr(V4[1]), 80))
        );
        assert_eq!((quoted.seq, quoted.ack, quoted.hop_limit), (Seq(77), None, 3));
    }

    #[test]
    fn packet_too_big_p054() {
        let Ok(IcmpMessage::TcpError(error)) = v6(2, 0, 1280) else { panic!() };
        assert_eq!(error.kind, IcmpErrorKind::PacketTooBig { mtu: 1280 });
        assert_eq!((error.quoted.seq, error.quoted.ack), (Seq(77), Some(Seq(88))));
    }

    #[test]
    fn kinds_p052() {
        use IcmpErrorKind::*;
        let quote = provoking(V4, 6);
        for (icmp_type, code, expected) in [
            (3, 0, NetUnreachable),
            (3, 1, HostUnreachable),
            (3, 2, ProtocolUnreachable),
            (3, 3, PortUnreachable),
            (3, 5, SourceRouteFailed),
            (3, 13, AdminProhibited),
            (3, 99, OtherUnreachable),
            (4, 0, SourceQuench),
            (11, 0, TtlExceeded),
            (11, 1, ReassemblyTimeout),
            (12, 0, ParameterProblem { pointer: 0 }),
        ] {
            assert_eq!(kind(v4(icmp_type, code, 0, &quote)), expected);
        }
        for (icmp_type, code, expected) in [
            (1, 0, NetUnreachable),
            (1, 1, AdminProhibited),
            (1, 2, BeyondScope),
            (1, 3, HostUnreachable),
            (1, 4, PortUnreachable),
            (3, 0, TtlExceeded),
            (4, 1, ProtocolUnreachable),
            (4, 0, ParameterProblem { pointer: 40 }),
        ] {
            assert_eq!(kind(v6(icmp_type, code, 40)), expected);
        }
    }

    #[test]
    fn what_is_not_about_tcp() {
        assert_eq!(v4(8, 0, 1, b"ping"), Ok(IcmpMessage::Other { icmp_type: 8, code: 0 }));
        assert_eq!(v4(3, 3, 0, &provoking(V4, 17)), Ok(IcmpMessage::Other { icmp_type: 3, code: 3 }));
        assert!(v4(3, 3, 0, &provoking(V4, 6)[..27]).is_err());
        assert!(parse_v4(&[3, 3, 0, 0, 0, 0, 0, 0], addr(V4[2])).is_err());
        assert!(parse_v4(&[3], addr(V4[2])).is_err());
    }

    proptest! {
        #[test]
        fn parse_never_panics(icmp_type in 0u8..13, code in 0u8..6, version in prop_oneof![Just(0x45u8), Just(0x60), any::<u8>()],
                              mut quote in proptest::collection::vec(prop_oneof![Just(6u8), any::<u8>()], 0..90)) {
            if let Some(first) = quote.first_mut() {
                *first = version;
            }
            let _ = v4(icmp_type, code, 9, &quote);
            let mut out = [0; 200];
            let len = emit_v6(addr(V6[2]), addr(V6[0]), icmp_type, code, 9, &quote, &mut out);
            let _ = parse_v6(&out[..len], addr(V6[2]), addr(V6[0]));
        }
    }
}
