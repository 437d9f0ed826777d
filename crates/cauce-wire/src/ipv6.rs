//! The IPv6 header and the extension headers that stand before TCP (RFC 8200).
//!
//! Hop-by-hop options, destination options and routing headers with no segments left are skipped, at most
//! eight of them; a fragment header is reported. What a host has to discard is an error: an option whose type
//! says so (RFC 8200 4.2), a routing header with segments left, hop-by-hop options that do not come first, a
//! jumbogram.

use core::net::{IpAddr, Ipv6Addr};

use crate::bytes::{array, u8_at};
use crate::{Fragment, IpEmit, IpHeader, WireError, protocol};

/// Length of the fixed header.
pub(crate) const HEADER_LEN: usize = 40;
/// Length of the fragment header.
pub(crate) const FRAGMENT_HEADER_LEN: usize = 8;
/// How many extension headers a packet may have.
const MAX_EXTENSION_HEADERS: u32 = 8;

/// Reads an IPv6 header and what extends it; the version has been looked at.
#[inline]
pub(crate) fn parse(head: &[u8], whole_len: usize) -> Result<IpHeader, WireError> {
    let fixed: &[u8; HEADER_LEN] = head.first_chunk().ok_or(WireError::Truncated {
        field: "IPv6 header",
        needed: HEADER_LEN,
        given: head.len(),
    })?;
    let [v0, v1, v2, v3, l0, l1, next_header, hop_limit, ..] = *fixed;
    let total_len = HEADER_LEN + usize::from(u16::from_be_bytes([l0, l1]));
    if total_len > whole_len {
        return Err(WireError::Truncated { field: "IPv6 packet", needed: total_len, given: whole_len });
    }
    let first_word = u32::from_be_bytes([v0, v1, v2, v3]);
    let mut header = IpHeader {
        src: IpAddr::V6(Ipv6Addr::from(array::<16>(fixed, 8, "IPv6 source")?)),
        dst: IpAddr::V6(Ipv6Addr::from(array::<16>(fixed, 24, "IPv6 destination")?)),
        protocol: next_header,
        hop_limit,
        traffic_class: (first_word >> 20) as u8,
        fragment: None,
        dont_fragment: true,
        flow_label: first_word & 0xf_ffff,
        identification: 0,
        header_len: HEADER_LEN,
        total_len,
    };
    if is_extension(next_header) {
        skip_extensions(&mut header, head)?;
    }
    Ok(header)
}

/// True for the extension headers that are walked through.
pub(crate) fn is_extension(next_header: u8) -> bool {
    matches!(
        next_header,
        protocol::HOP_BY_HOP | protocol::ROUTING | protocol::FRAGMENT | protocol::DESTINATION_OPTIONS
    )
}

/// Walks on from a first fragment's fragment header: the protocol at the end of the chain and where it starts.
pub(crate) fn skip_rest(header: &IpHeader, packet: &[u8]) -> Result<(u8, usize), WireError> {
    let mut rest = header.clone();
    skip_extensions(&mut rest, packet)?;
    Ok((rest.protocol, rest.header_len))
}

/// Walks the chain of extension headers, moving `header_len` and `protocol` along.
fn skip_extensions(header: &mut IpHeader, head: &[u8]) -> Result<(), WireError> {
    let end = header.total_len.min(head.len());
    let packet = head.get(..end).unwrap_or(head);
    for count in 0.. {
        if !is_extension(header.protocol) {
            return Ok(());
        }
        if count == MAX_EXTENSION_HEADERS {
            return Err(WireError::Invalid { field: "IPv6 extension header count", value: count + 1 });
        }
        let kind = header.protocol;
        let at = header.header_len;
        let len = if kind == protocol::FRAGMENT {
            FRAGMENT_HEADER_LEN
        } else {
            (usize::from(u8_at(packet, at + 1, "IPv6 extension header length")?) + 1) * 8
        };
        let Some(extension) = packet.get(at..at + len) else {
            return Err(WireError::Truncated {
                field: "IPv6 extension header",
                needed: at + len,
                given: end,
            });
        };
        header.protocol = u8_at(extension, 0, "IPv6 next header")?;
        header.header_len = at + len;
        match kind {
            protocol::FRAGMENT => {
                if read_fragment(header, extension)? {
                    return Ok(());
                }
            }
            protocol::ROUTING => check_routing(extension)?,
            protocol::HOP_BY_HOP if at != HEADER_LEN => {
                return Err(WireError::Invalid {
                    field: "IPv6 hop-by-hop options position",
                    value: at as u32,
                });
            }
            _ => check_options(extension)?,
        }
    }
    Ok(())
}

/// Reads a fragment header; true when the packet is a part of a datagram and not a whole one.
fn read_fragment(header: &mut IpHeader, extension: &[u8]) -> Result<bool, WireError> {
    let [_, _, o0, o1, i0, i1, i2, i3] = array::<FRAGMENT_HEADER_LEN>(extension, 0, "IPv6 fragment header")?;
    let word = u16::from_be_bytes([o0, o1]);
    let fragment = Fragment { offset: usize::from(word & !7), more: word & 1 != 0 };
    header.identification = u32::from_be_bytes([i0, i1, i2, i3]);
    // An atomic fragment is processed on its own (RFC 6946 4).
    let is_part = fragment.more || fragment.offset != 0;
    header.fragment = is_part.then_some(fragment);
    Ok(is_part)
}

/// A routing header may be passed over only when no segments are left (RFC 8200 4.4, RFC 5095).
fn check_routing(extension: &[u8]) -> Result<(), WireError> {
    match u8_at(extension, 3, "IPv6 segments left")? {
        0 => Ok(()),
        left => Err(WireError::Invalid { field: "IPv6 segments left", value: u32::from(left) }),
    }
}

/// Goes through the options of a hop-by-hop or destination options header; an option that is not known here
/// may be skipped only when the two highest bits of its type are 0 (RFC 8200 4.2).
fn check_options(extension: &[u8]) -> Result<(), WireError> {
    let mut at = 2;
    while at < extension.len() {
        let kind = u8_at(extension, at, "IPv6 option type")?;
        if kind == 0 {
            at += 1;
            continue;
        }
        if kind >> 6 != 0 {
            return Err(WireError::Invalid { field: "IPv6 option type", value: u32::from(kind) });
        }
        at += 2 + usize::from(u8_at(extension, at + 1, "IPv6 option length")?);
    }
    if at > extension.len() {
        return Err(WireError::Truncated { field: "IPv6 option", needed: at, given: extension.len() });
    }
    Ok(())
}

/// Writes an IPv6 header; `None` when `out` is too short.
pub(crate) fn emit(header: &IpEmit, src: Ipv6Addr, dst: Ipv6Addr, out: &mut [u8]) -> Option<usize> {
    let out = out.first_chunk_mut::<HEADER_LEN>()?;
    let first_word = 6 << 28 | u32::from(header.traffic_class) << 20 | header.flow_label & 0xf_ffff;
    out[..4].copy_from_slice(&first_word.to_be_bytes());
    out[4..6].copy_from_slice(&u16::try_from(header.payload_len).unwrap_or(0).to_be_bytes());
    out[6] = header.protocol;
    out[7] = header.hop_limit;
    out[8..24].copy_from_slice(&src.octets());
    out[24..].copy_from_slice(&dst.octets());
    Some(HEADER_LEN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        let header = IpEmit {
            src: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
            dst: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2).into(),
            protocol: first,
            hop_limit: 64,
            traffic_class: 0x12,
            flow_label: 0xabcde,
            identification: 0,
            dont_fragment: true,
            payload_len: rest.len(),
        };
        let mut bytes = alloc::vec![0; 40];
        assert_eq!(header.emit(&mut bytes), 40);
        bytes.extend_from_slice(rest);
        bytes
    }

    fn parse(first: u8, rest: &[u8]) -> Result<IpHeader, WireError> {
        let bytes = packet(first, rest);
        IpHeader::parse(&bytes, bytes.len())
    }

    #[test]
    fn reads_what_it_writes() {
        let header = parse(protocol::TCP, &[0; 24]).unwrap();
        assert_eq!((header.header_len, header.payload_len(), header.protocol), (40, 24, 6));
        assert_eq!((header.traffic_class, header.flow_label, header.hop_limit), (0x12, 0xabcde, 64));
        assert_eq!(header.fragment, None);
    }

    #[test]
    fn skips_extension_headers() {
        let rest = [
            &[60, 0, 1, 4, 0, 0, 0, 0][..],                         // hop-by-hop: PadN
            &[43, 1, 0x1e, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], // destination options: an unknown one to skip
            &[44, 0, 0, 0, 0, 0, 0, 0],                             // routing, no segments left
            &[6, 0, 0, 0, 0, 0, 0, 9],                              // atomic fragment
            &[0; 20],
        ]
        .concat();
        let header = parse(protocol::HOP_BY_HOP, &rest).unwrap();
        assert_eq!((header.protocol, header.header_len, header.payload_len()), (6, 80, 20));
        assert_eq!((header.fragment, header.identification), (None, 9));
    }

    #[test]
    fn reports_fragments_and_stops_there() {
        let header = parse(protocol::FRAGMENT, &[60, 0, 0x05, 0xa9, 0, 0, 1, 2, 0xff, 0xff]).unwrap();
        assert_eq!(header.fragment, Some(Fragment { offset: 0x5a8, more: true }));
        assert_eq!((header.protocol, header.header_len, header.identification), (60, 48, 0x102));
    }

    #[test]
    fn refuses_what_a_host_must_discard() {
        assert!(parse(protocol::ROUTING, &[6, 0, 0, 1, 0, 0, 0, 0]).is_err());
        assert!(parse(protocol::DESTINATION_OPTIONS, &[6, 0, 0xc9, 0, 1, 2, 0, 0]).is_err());
        assert!(parse(protocol::DESTINATION_OPTIONS, &[6, 0, 0x1e, 9, 0, 0, 0, 0]).is_err());
        assert!(
            parse(protocol::DESTINATION_OPTIONS, &[0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]).is_err()
        );
        assert!(parse(protocol::DESTINATION_OPTIONS, &[6, 1, 0, 0, 0, 0, 0, 0]).is_err());
        let endless: Vec<u8> = [60, 0, 0, 0, 0, 0, 0, 0].repeat(9);
        assert!(matches!(
            parse(protocol::DESTINATION_OPTIONS, &endless),
            Err(WireError::Invalid { value: 9, .. })
        ));
        let bytes = packet(protocol::TCP, &[0; 20]);
        assert!(IpHeader::parse(&bytes, 59).is_err());
        assert!(IpHeader::parse(&bytes[..39], 60).is_err());
        assert!(IpHeader::parse(&bytes[..40], 60).is_ok());
    }

    proptest! {
        #[test]
        fn parse_never_panics(first in prop_oneof![Just(0u8), Just(43), Just(44), Just(60), any::<u8>()],
                              mut rest in proptest::collection::vec(prop_oneof![Just(0u8), Just(60), any::<u8>()], 0..120),
                              cut in 0usize..160) {
            rest.truncate(0xffff);
            let bytes = packet(first, &rest);
            if let Ok(header) = IpHeader::parse(&bytes[..cut.min(bytes.len())], bytes.len()) {
                prop_assert!(header.header_len <= header.total_len);
            }
        }
    }
}
