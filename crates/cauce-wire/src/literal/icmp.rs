//! The line of an ICMP message: `[1:1001(1000)] icmp unreachable frag_needed mtu 1200`.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

use super::cursor::{Cursor, LiteralError};
use super::{BuildError, Segment, range};
use crate::icmp::{HEADER_LEN, emit_v4, emit_v6};
use crate::{Flags, IpEmit, IpVersion, protocol};

/// Words for the types, per version; a number stands for a type that has no word.
const TYPES_V4: &[(&str, u8)] = &[
    ("echo_reply", 0),
    ("unreachable", 3),
    ("source_quench", 4),
    ("redirect", 5),
    ("echo_request", 8),
    ("time_exceeded", 11),
    ("parameter_problem", 12),
];
const TYPES_V6: &[(&str, u8)] = &[
    ("unreachable", 1),
    ("packet_too_big", 2),
    ("time_exceeded", 3),
    ("parameter_problem", 4),
    ("echo_request", 128),
    ("echo_reply", 129),
];

/// Words for the codes of `unreachable`.
const CODES_V4: &[(&str, u8)] = &[
    ("net_unreachable", 0),
    ("host_unreachable", 1),
    ("protocol_unreachable", 2),
    ("port_unreachable", 3),
    ("frag_needed", 4),
    ("source_route_failed", 5),
    ("net_unknown", 6),
    ("host_unknown", 7),
    ("source_host_isolated", 8),
    ("net_prohibited", 9),
    ("host_prohibited", 10),
    ("net_unreachable_for_tos", 11),
    ("host_unreachable_for_tos", 12),
    ("packet_filtered", 13),
    ("precedence_violation", 14),
    ("precedence_cutoff", 15),
];
const CODES_V6: &[(&str, u8)] = &[
    ("no_route", 0),
    ("admin_prohibited", 1),
    ("beyond_scope", 2),
    ("address_unreachable", 3),
    ("port_unreachable", 4),
    ("source_policy", 5),
    ("reject_route", 6),
];

/// An ICMP message as a line says it.
///
/// ```
/// use cauce_wire::IpVersion;
/// use cauce_wire::literal::parse_icmp;
///
/// let line = "[1:1001(1000)] icmp unreachable frag_needed mtu 1200";
/// let message = parse_icmp(line, IpVersion::V4)?;
/// assert_eq!((message.icmp_type, message.code, message.mtu), (3, 4, Some(1200)));
/// assert_eq!(message.to_string(), line);
/// # Ok::<(), cauce_wire::literal::LiteralError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpLine {
    /// Which ICMP: the same word means different types.
    pub version: IpVersion,
    /// Type.
    pub icmp_type: u8,
    /// Code.
    pub code: u8,
    /// `mtu N`
    pub mtu: Option<u32>,
    /// The TCP range that is quoted: first sequence number and payload length.
    pub quoted: Option<(u32, u16)>,
}

/// Reads the line of an ICMP message. The quoted range may stand before `icmp` or at the end.
///
/// # Errors
/// Where the line stops being one, and what could stand there.
pub fn parse_icmp(line: &str, version: IpVersion) -> Result<IcmpLine, LiteralError> {
    let mut cursor = Cursor::new(line);
    let mut quoted = quoted(&mut cursor)?;
    cursor.expect_keyword("icmp")?;
    let (types, codes) = words(version);
    let icmp_type = named(&mut cursor, types, "an ICMP type")?;
    let unreachable = if version == IpVersion::V4 { 3 } else { 1 };
    let has_code = !matches!(cursor.peek(), "" | "mtu");
    let code = match has_code {
        true if icmp_type == unreachable => named(&mut cursor, codes, "a code of this ICMP version")?,
        true => cursor.number("an ICMP code")?,
        false => 0,
    };
    let mtu = cursor.number_after("mtu", "an MTU")?;
    if quoted.is_none() {
        quoted = self::quoted(&mut cursor)?;
    }
    cursor.end()?;
    Ok(IcmpLine { version, icmp_type, code, mtu, quoted })
}

type Words = &'static [(&'static str, u8)];

fn words(version: IpVersion) -> (Words, Words) {
    match version {
        IpVersion::V4 => (TYPES_V4, CODES_V4),
        IpVersion::V6 => (TYPES_V6, CODES_V6),
    }
}

fn quoted(cursor: &mut Cursor<'_>) -> Result<Option<(u32, u16)>, LiteralError> {
    if !cursor.sign('[') {
        return Ok(None);
    }
    let quoted = range(cursor)?;
    cursor.expect_sign(']', "`]` after the quoted range")?;
    Ok(Some(quoted))
}

fn named(cursor: &mut Cursor<'_>, words: Words, expected: &'static str) -> Result<u8, LiteralError> {
    let word = cursor.peek();
    match words.iter().find(|(known, _)| *known == word) {
        Some((_, number)) => {
            cursor.word();
            Ok(*number)
        }
        None => cursor.number(expected),
    }
}

impl IcmpLine {
    /// The whole IP packet in which `offender` tells `src` about the segment that `src` sent to `dst`.
    ///
    /// # Errors
    /// Addresses of different families, or not of this message's version.
    pub fn to_packet(
        &self,
        offender: IpAddr,
        src: SocketAddr,
        dst: SocketAddr,
    ) -> Result<Vec<u8>, BuildError> {
        let is_v4 = self.version == IpVersion::V4;
        if [offender, src.ip(), dst.ip()].iter().any(|address| address.is_ipv4() != is_v4) {
            return Err(BuildError::Families);
        }
        let body = match self.quoted {
            Some((seq, payload_len)) => quote(seq, payload_len, src, dst)?,
            None => Vec::new(),
        };
        let icmp_len = HEADER_LEN + body.len();
        let ip = IpEmit {
            src: offender,
            dst: src.ip(),
            protocol: if is_v4 { protocol::ICMP } else { protocol::ICMPV6 },
            hop_limit: 64,
            traffic_class: 0,
            flow_label: 0,
            identification: 0,
            dont_fragment: false,
            payload_len: icmp_len,
        };
        let mut packet = vec![0; ip.len() + icmp_len];
        let at = ip.emit(&mut packet);
        let (mtu, out) = (self.mtu.unwrap_or(0), &mut packet[at..]);
        if is_v4 {
            emit_v4(self.icmp_type, self.code, mtu, &body, out);
        } else {
            emit_v6(offender, src.ip(), self.icmp_type, self.code, mtu, &body, out);
        }
        Ok(packet)
    }
}

/// The head of the quoted segment: its IP header and its TCP header.
fn quote(seq: u32, payload_len: u16, src: SocketAddr, dst: SocketAddr) -> Result<Vec<u8>, BuildError> {
    let segment = Segment {
        flags: Flags::ACK,
        seq,
        payload_len,
        ack: Some(0),
        window: Some(0),
        options: Some(Vec::new()),
        ..Segment::default()
    };
    let mut packet = segment.to_packet(src, dst)?;
    packet.truncate(if src.is_ipv4() { 40 } else { 60 });
    Ok(packet)
}

impl fmt::Display for IcmpLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((seq, len)) = self.quoted {
            write!(f, "[{seq}:{}({len})] ", seq.wrapping_add(u32::from(len)))?;
        }
        f.write_str("icmp ")?;
        let (types, codes) = words(self.version);
        let type_word = types.iter().find(|(_, number)| *number == self.icmp_type);
        match type_word {
            Some((word, _)) => f.write_str(word)?,
            None => write!(f, "{}", self.icmp_type)?,
        }
        let code_word = codes.iter().find(|(_, number)| *number == self.code);
        match (type_word, code_word) {
            (Some(("unreachable", _)), Some((word, _))) => write!(f, " {word}")?,
            _ if self.code != 0 => write!(f, " {}", self.code)?,
            _ => {}
        }
        self.mtu.map_or(Ok(()), |mtu| write!(f, " mtu {mtu}"))
    }
}
