//! Packets as lines of text, for traces and for failing tests: the spelling of [`crate::literal`].

use alloc::format;
use alloc::string::{String, ToString};

use crate::icmp::{self, IcmpErrorKind, IcmpMessage};
use crate::literal::{IcmpLine, Segment};
use crate::{IpHeader, IpVersion, WireError, protocol};

/// The line of an IP packet, without addresses and ports: a TCP segment or an ICMP message as a script would
/// say it; anything else, and what is wrong with a packet, in plain words.
///
/// ```
/// assert_eq!(cauce_wire::dissect::print(&[0x45]), "bad packet: IPv4 header needs 20 bytes, 1 given");
/// ```
pub fn print(packet: &[u8]) -> String {
    print_head(packet, packet.len())
}

/// The line of an IP packet of `whole_len` bytes of which only `head`, with all headers, is at hand.
pub fn print_head(head: &[u8], whole_len: usize) -> String {
    line(head, whole_len, false)
}

/// The line of an IP packet with its addresses before it: `10.0.0.1:4000 > 10.0.0.2:80 S 0:0(0) win 64240`.
pub fn print_with_addresses(packet: &[u8]) -> String {
    line(packet, packet.len(), true)
}

fn line(head: &[u8], whole_len: usize, addresses: bool) -> String {
    dissect(head, whole_len, addresses).unwrap_or_else(|error| format!("bad packet: {error}"))
}

fn dissect(head: &[u8], whole_len: usize, addresses: bool) -> Result<String, WireError> {
    let ip = IpHeader::parse(head, whole_len)?;
    let end = ip.total_len.min(head.len());
    let payload = head.get(ip.header_len..end).unwrap_or(&[]);
    let mut ports = None;
    let text = if let Some(fragment) = ip.fragment {
        let last = if fragment.more { "" } else { " last" };
        let (id, from, to) = (ip.identification, fragment.offset, fragment.offset + ip.payload_len());
        format!("fragment {id} of protocol {} {from}:{to}({}){last}", ip.protocol, ip.payload_len())
    } else {
        match ip.protocol {
            protocol::TCP => {
                let mut segment = Segment::of_head(head, whole_len)?;
                ports = segment.ports.take();
                segment.to_string()
            }
            protocol::ICMP | protocol::ICMPV6 => icmp_line(&ip, payload)?.to_string(),
            other => format!("protocol {other} ({})", ip.payload_len()),
        }
    };
    Ok(match (addresses, ports) {
        (false, _) => text,
        (true, None) => format!("{} > {} {text}", ip.src, ip.dst),
        (true, Some((source, destination))) => {
            let from = core::net::SocketAddr::new(ip.src, source);
            format!("{from} > {} {text}", core::net::SocketAddr::new(ip.dst, destination))
        }
    })
}

/// The message, with the range that a quoted segment covers as far as the quote says it.
fn icmp_line(ip: &IpHeader, message: &[u8]) -> Result<IcmpLine, WireError> {
    let version = ip.version();
    let parsed = match version {
        IpVersion::V4 => icmp::parse_v4(message, ip.src)?,
        IpVersion::V6 => icmp::parse_v6(message, ip.src, ip.dst)?,
    };
    let error = match parsed {
        IcmpMessage::TcpError(error) => error,
        IcmpMessage::Other { icmp_type, code } => {
            return Ok(IcmpLine { version, icmp_type, code, mtu: None, quoted: None });
        }
    };
    let mtu = match error.kind {
        IcmpErrorKind::FragmentationNeeded { mtu } | IcmpErrorKind::PacketTooBig { mtu } => Some(mtu),
        _ => None,
    };
    let quoted = Some((error.quoted.seq.0, error.quoted.payload_len));
    Ok(IcmpLine { version, icmp_type: error.icmp_type, code: error.code, mtu, quoted })
}
