//! The IPv4 header (RFC 791). Options are skipped; nothing here acts on them.

use core::net::{IpAddr, Ipv4Addr};

use crate::bytes::{array, u16_at};
use crate::checksum::checksum;
use crate::{Fragment, IpEmit, IpHeader, WireError};

/// Length of the header without options.
pub(crate) const HEADER_LEN: usize = 20;
const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET_MASK: u16 = 0x1fff;

/// Reads an IPv4 header; the version has been looked at.
#[inline]
pub(crate) fn parse(head: &[u8], whole_len: usize) -> Result<IpHeader, WireError> {
    let header = parse_quoted(head)?;
    let IpHeader { header_len, total_len, .. } = header;
    if total_len < header_len {
        return Err(WireError::Invalid { field: "IPv4 total length", value: total_len as u32 });
    }
    if total_len > whole_len {
        return Err(WireError::Truncated { field: "IPv4 packet", needed: total_len, given: whole_len });
    }
    if head.get(..header_len).is_none_or(|bytes| checksum(bytes) != 0) {
        let found = u16_at(head, 10, "IPv4 header checksum")?;
        return Err(WireError::Checksum { field: "IPv4 header checksum", found });
    }
    Ok(header)
}

/// Reads an IPv4 header that an ICMP error quotes: routers change headers without updating what they quote and
/// cut packets off, so neither the checksum nor the total length is held against it.
#[inline]
pub(crate) fn parse_quoted(head: &[u8]) -> Result<IpHeader, WireError> {
    let fixed: [u8; HEADER_LEN] = array(head, 0, "IPv4 header")?;
    let [
        first,
        traffic_class,
        t0,
        t1,
        i0,
        i1,
        f0,
        f1,
        hop_limit,
        protocol,
        _,
        _,
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
    ] = fixed;
    let header_len = usize::from(first & 0xf) * 4;
    if header_len < HEADER_LEN {
        return Err(WireError::Invalid { field: "IPv4 header length", value: u32::from(first & 0xf) });
    }
    if header_len > head.len() {
        return Err(WireError::Truncated { field: "IPv4 options", needed: header_len, given: head.len() });
    }
    let total_len = usize::from(u16::from_be_bytes([t0, t1]));
    let fragment_word = u16::from_be_bytes([f0, f1]);
    let (more, offset) = (fragment_word & MORE_FRAGMENTS != 0, usize::from(fragment_word & OFFSET_MASK) * 8);
    Ok(IpHeader {
        src: IpAddr::V4(Ipv4Addr::new(s0, s1, s2, s3)),
        dst: IpAddr::V4(Ipv4Addr::new(d0, d1, d2, d3)),
        protocol,
        hop_limit,
        traffic_class,
        fragment: (more || offset != 0).then_some(Fragment { offset, more }),
        dont_fragment: fragment_word & DONT_FRAGMENT != 0,
        flow_label: 0,
        identification: u32::from(u16::from_be_bytes([i0, i1])),
        header_len,
        total_len,
    })
}

/// Writes an IPv4 header with its checksum; `None` when `out` is too short.
pub(crate) fn emit(header: &IpEmit, src: Ipv4Addr, dst: Ipv4Addr, out: &mut [u8]) -> Option<usize> {
    let out = out.first_chunk_mut::<HEADER_LEN>()?;
    let [t0, t1] = u16::try_from(HEADER_LEN + header.payload_len).unwrap_or(0).to_be_bytes();
    let [i0, i1] = header.identification.to_be_bytes();
    let [f0, f1] = if header.dont_fragment { DONT_FRAGMENT } else { 0 }.to_be_bytes();
    let [s0, s1, s2, s3] = src.octets();
    let [d0, d1, d2, d3] = dst.octets();
    let (class, ttl, protocol) = (header.traffic_class, header.hop_limit, header.protocol);
    *out = [0x45, class, t0, t1, i0, i1, f0, f1, ttl, protocol, 0, 0, s0, s1, s2, s3, d0, d1, d2, d3];
    let sum = checksum(out);
    [out[10], out[11]] = sum.to_be_bytes();
    Some(HEADER_LEN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IpVersion;
    use proptest::prelude::*;

    fn sample() -> IpEmit {
        IpEmit {
            src: Ipv4Addr::new(10, 0, 0, 1).into(),
            dst: Ipv4Addr::new(10, 0, 0, 2).into(),
            protocol: 6,
            hop_limit: 64,
            traffic_class: 0xb9,
            flow_label: 0,
            identification: 7,
            dont_fragment: true,
            payload_len: 30,
        }
    }

    #[test]
    fn reads_what_it_writes() {
        let mut bytes = [0; 20];
        assert_eq!(sample().emit(&mut bytes), 20);
        let header = IpHeader::parse(&bytes, 60).unwrap();
        assert_eq!((header.total_len, header.payload_len(), header.header_len), (50, 30, 20));
        assert_eq!((header.version(), header.ecn()), (IpVersion::V4, crate::Ecn::Ect1));
        assert_eq!((header.src, header.dst, header.protocol), (sample().src, sample().dst, 6));
        assert!(header.dont_fragment && header.fragment.is_none() && header.identification == 7);
    }

    #[test]
    fn refuses_bad_lengths_and_checksums() {
        let mut good = [0; 20];
        sample().emit(&mut good);
        assert!(matches!(
            IpHeader::parse(&good, 49),
            Err(WireError::Truncated { needed: 50, given: 49, .. })
        ));
        assert!(matches!(IpHeader::parse(&good[..19], 50), Err(WireError::Truncated { .. })));
        let with = |at: usize, value: u8| {
            let mut bytes = good;
            bytes[at] = value;
            IpHeader::parse(&bytes, 50)
        };
        assert!(matches!(with(0, 0x44), Err(WireError::Invalid { field: "IPv4 header length", value: 4 })));
        assert!(matches!(with(0, 0x46), Err(WireError::Truncated { field: "IPv4 options", .. })));
        assert!(matches!(with(0, 0x55), Err(WireError::Invalid { field: "IP version", value: 5 })));
        assert!(matches!(with(3, 19), Err(WireError::Invalid { field: "IPv4 total length", value: 19 })));
        assert!(matches!(with(15, 9), Err(WireError::Checksum { .. })));
        assert_eq!(
            IpHeader::parse(&[], 0),
            Err(WireError::Truncated { field: "IP version", needed: 1, given: 0 })
        );
    }

    #[test]
    fn mixed_families_and_short_buffers_write_nothing() {
        assert_eq!(sample().emit(&mut [0; 19]), 0);
        let mixed = IpEmit { dst: core::net::Ipv6Addr::LOCALHOST.into(), ..sample() };
        assert_eq!(mixed.emit(&mut [0; 60]), 0);
    }

    proptest! {
        #[test]
        fn parse_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..100), fix: bool, extra in 0usize..9) {
            if let (true, Some(first)) = (fix, bytes.first_mut()) {
                *first = 0x40 | *first & 0xf;
            }
            let whole = bytes.len() + extra;
            if let Ok(header) = IpHeader::parse(&bytes, whole) {
                prop_assert!(header.header_len <= header.total_len && header.total_len <= whole);
            }
        }
    }
}
