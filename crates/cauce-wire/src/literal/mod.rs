//! One line of text is one segment, in packetdrill's spelling, both ways: traces, tests and scripts read alike.
//!
//! ```
//! use cauce_wire::literal::{Segment, parse};
//!
//! let line = "S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>";
//! let segment: Segment = parse(line)?;
//! assert_eq!(segment.ack, Some(1));
//! assert_eq!(segment.to_string(), line);
//!
//! let (server, client) = ("192.0.2.1:80".parse().unwrap(), "10.0.0.1:4000".parse().unwrap());
//! let packet = segment.to_packet(server, client).unwrap();
//! assert_eq!(cauce_wire::dissect::print(&packet), line);
//! # Ok::<(), cauce_wire::literal::LiteralError>(())
//! ```
//!
//! A line is `[ip words] ports flags seq:end(length) ack N win N urg N <options>`, all but flags and range
//! optional: `[ect0,ttl 64]`, `8080 > 80`. Numbers are taken as they are; [`Segment::shifted`] moves between a
//! script's relative numbers and those of a connection. ICMP has lines too: [`IcmpLine`].

mod cursor;
mod icmp;
mod option;

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

pub use cursor::LiteralError;
pub use icmp::{IcmpLine, parse_icmp};
pub use option::TcpOption;

use crate::checksum::pseudo_header;
use crate::{
    Ecn, Flags, IpEmit, IpHeader, MAX_OPTIONS_LEN, MIN_TCP_HEADER_LEN, Seq, TCP_CHECKSUM_OFFSET, TcpHeader,
    WireError, protocol,
};
use cursor::Cursor;

/// What a line says of the IP header; what is absent is not said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IpWords {
    /// `noecn`, `ect0`, `ect1`, `ce`
    pub ecn: Option<Ecn>,
    /// `tos 0x10`: the whole byte.
    pub traffic_class: Option<u8>,
    /// `ttl 64`
    pub hop_limit: Option<u8>,
    /// `flowlabel 0x12345`
    pub flow_label: Option<u32>,
}

/// One TCP segment as a line says it. The payload is zeros, or nobody's business.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// The IP header.
    pub ip: IpWords,
    /// `source > destination`
    pub ports: Option<(u16, u16)>,
    /// Control bits; digits from 0 to 7 stand for the ACE counter.
    pub flags: Flags,
    /// First sequence number.
    pub seq: u32,
    /// Payload bytes.
    pub payload_len: u16,
    /// `ack N`
    pub ack: Option<u32>,
    /// `win N`, as in the header.
    pub window: Option<u16>,
    /// `urg N`
    pub urgent: Option<u16>,
    /// Options in order; `None` is the wildcard `<...>` that matches any.
    pub options: Option<Vec<TcpOption>>,
}

/// Why a segment cannot become a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildError {
    /// The options are a wildcard.
    WildcardOptions,
    /// No window is given.
    NoWindow,
    /// The options take this many bytes: more than 40, or not a multiple of 4 (add NOPs).
    OptionsLength(usize),
    /// The two addresses are of different families.
    Families,
    /// The packet would be longer than IP can say.
    PacketLength(usize),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::WildcardOptions => f.write_str("options are `...`, which no packet can be made of"),
            BuildError::NoWindow => f.write_str("no `win` is given"),
            BuildError::OptionsLength(len) => {
                write!(f, "options take {len} bytes, which must be at most 40 and a multiple of 4: add nops")
            }
            BuildError::Families => f.write_str("source and destination are of different IP versions"),
            BuildError::PacketLength(len) => write!(f, "a packet of {len} bytes is too long"),
        }
    }
}

impl core::error::Error for BuildError {}

/// Reads the line of a TCP segment.
///
/// # Errors
/// Where the line stops being one, and what could stand there.
pub fn parse(line: &str) -> Result<Segment, LiteralError> {
    let mut cursor = Cursor::new(line);
    let ip = if cursor.sign('[') { ip_words(&mut cursor)? } else { IpWords::default() };
    let ports = ports(&mut cursor)?;
    let flags = flags(&mut cursor)?;
    let (seq, payload_len) = range(&mut cursor)?;
    let ack = cursor.number_after("ack", "an acknowledgment number")?;
    let window = cursor.number_after("win", "a window up to 65535")?;
    let urgent = cursor.number_after("urg", "an urgent pointer up to 65535")?;
    let options = if cursor.sign('<') { options(&mut cursor)? } else { Some(Vec::new()) };
    cursor.end()?;
    Ok(Segment { ip, ports, flags, seq, payload_len, ack, window, urgent, options })
}

impl core::str::FromStr for Segment {
    type Err = LiteralError;

    fn from_str(line: &str) -> Result<Segment, LiteralError> {
        parse(line)
    }
}

/// `ect0,ttl 64]`: commas may be left out.
fn ip_words(cursor: &mut Cursor<'_>) -> Result<IpWords, LiteralError> {
    let mut words = IpWords::default();
    while !cursor.sign(']') {
        match cursor.peek() {
            "tos" => words.traffic_class = cursor.number_after("tos", "a traffic class up to 255")?,
            "ttl" => words.hop_limit = cursor.number_after("ttl", "a TTL up to 255")?,
            "flowlabel" => {
                cursor.word();
                words.flow_label = Some(cursor.number_in(0, 0xf_ffff, "a flow label of 20 bits")?);
            }
            word => {
                let ecn = match word {
                    "noecn" => Ecn::NotEct,
                    "ect0" => Ecn::Ect0,
                    "ect1" => Ecn::Ect1,
                    "ce" => Ecn::Ce,
                    _ => return Err(cursor.error("noecn, ect0, ect1, ce, tos N, ttl N, flowlabel N or `]`")),
                };
                cursor.word();
                words.ecn = Some(ecn);
            }
        }
        cursor.sign(',');
    }
    Ok(words)
}

/// `8080 > 80`. A lone digit could be flags as well: only the `>` after it tells.
fn ports(cursor: &mut Cursor<'_>) -> Result<Option<(u16, u16)>, LiteralError> {
    let mut ahead = *cursor;
    let Ok(source) = ahead.number("a port") else { return Ok(None) };
    if !ahead.sign('>') {
        return Ok(None);
    }
    *cursor = ahead;
    Ok(Some((source, cursor.number("a port up to 65535")?)))
}

fn flags(cursor: &mut Cursor<'_>) -> Result<Flags, LiteralError> {
    const FLAGS: &str = "flags of the letters SFRPU.EWA, digits 0 to 7, or - for none";
    let word = cursor.peek();
    let flags = Flags::parse(word).ok_or_else(|| cursor.error(FLAGS))?;
    cursor.word();
    Ok(flags)
}

/// `seq:end(length)`, whose three numbers must agree.
fn range(cursor: &mut Cursor<'_>) -> Result<(u32, u16), LiteralError> {
    let seq: u32 = cursor.number("a range `seq:end(length)`")?;
    cursor.expect_sign(':', "`:` after the first sequence number")?;
    let end: u32 = cursor.number("the sequence number after the last byte")?;
    cursor.expect_sign('(', "`(` and the payload length")?;
    let mut at_len = *cursor;
    let len: u16 = cursor.number("a payload length up to 65535")?;
    if u32::from(len) != end.wrapping_sub(seq) {
        return Err(at_len.error("a payload length that is the end minus the start"));
    }
    cursor.expect_sign(')', "`)` after the payload length")?;
    Ok((seq, len))
}

/// `<`, which has been read, then options or `...`, then `>`.
fn options(cursor: &mut Cursor<'_>) -> Result<Option<Vec<TcpOption>>, LiteralError> {
    if cursor.keyword("...") {
        cursor.expect_sign('>', "`>` after `...`")?;
        return Ok(None);
    }
    let mut list = Vec::new();
    if cursor.sign('>') {
        return Ok(Some(list));
    }
    loop {
        list.push(TcpOption::parse(cursor)?);
        if cursor.sign('>') {
            return Ok(Some(list));
        }
        cursor.expect_sign(',', "`,` or `>` after a TCP option")?;
    }
}

impl Segment {
    /// The segment in the IP packet `packet`; see [`Segment::of_head`].
    ///
    /// # Errors
    /// The packet is not a whole TCP segment.
    pub fn of_packet(packet: &[u8]) -> Result<Segment, WireError> {
        Segment::of_head(packet, packet.len())
    }

    /// The segment in an IP packet of `whole_len` bytes, of which `head` holds all headers. Says the ports, the
    /// ECN mark if there is one, the window, and of acknowledgment number and urgent pointer what is significant
    /// or not zero.
    ///
    /// # Errors
    /// The headers are wrong, or the packet is a fragment or not TCP.
    pub fn of_head(head: &[u8], whole_len: usize) -> Result<Segment, WireError> {
        let ip = IpHeader::parse(head, whole_len)?;
        if ip.protocol != protocol::TCP {
            return Err(WireError::Invalid { field: "IP protocol", value: u32::from(ip.protocol) });
        }
        if let Some(fragment) = ip.fragment {
            return Err(WireError::Invalid { field: "IP fragment offset", value: fragment.offset as u32 });
        }
        let end = ip.total_len.min(head.len());
        let (tcp, tcp_len) = TcpHeader::parse(head.get(ip.header_len..end).unwrap_or(&[]))?;
        let options_at = ip.header_len + MIN_TCP_HEADER_LEN;
        let options = head.get(options_at..ip.header_len + tcp_len).unwrap_or(&[]);
        let said = |flag: Flags, value: bool| tcp.flags.contains(flag) || value;
        Ok(Segment {
            ip: IpWords { ecn: Some(ip.ecn()).filter(|ecn| *ecn != Ecn::NotEct), ..IpWords::default() },
            ports: Some((tcp.src_port, tcp.dst_port)),
            flags: tcp.flags,
            seq: tcp.seq.0,
            payload_len: ip.payload_len().saturating_sub(tcp_len) as u16,
            ack: said(Flags::ACK, tcp.ack != Seq(0)).then_some(tcp.ack.0),
            window: Some(tcp.window),
            urgent: said(Flags::URG, tcp.urgent != 0).then_some(tcp.urgent),
            options: Some(TcpOption::list(options)),
        })
    }

    /// The bytes of the options.
    ///
    /// # Errors
    /// A wildcard, or a length that no header can have.
    pub fn option_bytes(&self) -> Result<Vec<u8>, BuildError> {
        let list = self.options.as_ref().ok_or(BuildError::WildcardOptions)?;
        let mut bytes = Vec::new();
        list.iter().for_each(|option| option.emit(&mut bytes));
        if bytes.len() > MAX_OPTIONS_LEN || !bytes.len().is_multiple_of(4) {
            return Err(BuildError::OptionsLength(bytes.len()));
        }
        Ok(bytes)
    }

    /// The whole IP packet from `src` to `dst`, with a payload of zeros and right checksums. Ports of the line
    /// win over those of the addresses.
    ///
    /// # Errors
    /// Something is missing in the line, or does not fit.
    pub fn to_packet(&self, src: SocketAddr, dst: SocketAddr) -> Result<Vec<u8>, BuildError> {
        if src.is_ipv4() != dst.is_ipv4() {
            return Err(BuildError::Families);
        }
        let options = self.option_bytes()?;
        let (src_port, dst_port) = self.ports.unwrap_or((src.port(), dst.port()));
        let header_len = MIN_TCP_HEADER_LEN + options.len();
        let tcp_len = header_len + usize::from(self.payload_len);
        let ip = self.ip_header(src.ip(), dst.ip(), tcp_len);
        let tcp_at = ip.len();
        if tcp_at + tcp_len > usize::from(u16::MAX) {
            return Err(BuildError::PacketLength(tcp_at + tcp_len));
        }
        let tcp = TcpHeader {
            src_port,
            dst_port,
            seq: Seq(self.seq),
            ack: Seq(self.ack.unwrap_or(0)),
            flags: self.flags,
            window: self.window.ok_or(BuildError::NoWindow)?,
            urgent: self.urgent.unwrap_or(0),
            ..TcpHeader::default()
        };
        let mut packet = vec![0; tcp_at + tcp_len];
        ip.emit(&mut packet);
        let segment = &mut packet[tcp_at..];
        tcp.emit(segment);
        segment[MIN_TCP_HEADER_LEN..header_len].copy_from_slice(&options);
        segment[12] = ((header_len / 4) as u8) << 4 | segment[12] & 0xf;
        let mut sum = pseudo_header(src.ip(), dst.ip(), protocol::TCP, tcp_len);
        sum.add_bytes(segment);
        segment[TCP_CHECKSUM_OFFSET..TCP_CHECKSUM_OFFSET + 2].copy_from_slice(&sum.finish().to_be_bytes());
        Ok(packet)
    }

    fn ip_header(&self, src: IpAddr, dst: IpAddr, payload_len: usize) -> IpEmit {
        let class = self.ip.traffic_class.unwrap_or(0);
        IpEmit {
            src,
            dst,
            protocol: protocol::TCP,
            hop_limit: self.ip.hop_limit.unwrap_or(64),
            traffic_class: self.ip.ecn.map_or(class, |ecn| class & !3 | ecn as u8),
            flow_label: self.ip.flow_label.unwrap_or(0),
            identification: 0,
            dont_fragment: true,
            payload_len,
        }
    }

    /// The segment with `seq_base` added to its sequence number, and `ack_base` to what speaks of the other
    /// direction: acknowledgment number and SACK blocks. Wraps; subtract with `wrapping_neg`.
    #[must_use]
    pub fn shifted(mut self, seq_base: u32, ack_base: u32) -> Segment {
        self.seq = self.seq.wrapping_add(seq_base);
        if let Some(ack) = &mut self.ack {
            *ack = ack.wrapping_add(ack_base);
        }
        for option in self.options.iter_mut().flatten() {
            if let TcpOption::Sack(blocks) = option {
                for block in blocks {
                    (block.left, block.right) = (block.left + ack_base, block.right + ack_base);
                }
            }
        }
        self
    }
}

impl fmt::Display for IpWords {
    /// Nothing, or `[ect0,ttl 64] ` with the blank after it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "[";
        if let Some(ecn) = self.ecn {
            let word = match ecn {
                Ecn::NotEct => "noecn",
                Ecn::Ect0 => "ect0",
                Ecn::Ect1 => "ect1",
                Ecn::Ce => "ce",
            };
            write!(f, "[{word}")?;
            before = ",";
        }
        let numbers = [
            ("tos", self.traffic_class.map(u32::from)),
            ("ttl", self.hop_limit.map(u32::from)),
            ("flowlabel", self.flow_label),
        ];
        for (word, number) in numbers {
            if let Some(number) = number {
                write!(f, "{before}{word} {number}")?;
                before = ",";
            }
        }
        if before == "[" { Ok(()) } else { f.write_str("] ") }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ip.fmt(f)?;
        if let Some((source, destination)) = self.ports {
            write!(f, "{source} > {destination} ")?;
        }
        let end = self.seq.wrapping_add(u32::from(self.payload_len));
        write!(f, "{} {}:{end}({})", self.flags, self.seq, self.payload_len)?;
        let numbers =
            [("ack", self.ack), ("win", self.window.map(u32::from)), ("urg", self.urgent.map(u32::from))];
        for (word, number) in numbers {
            if let Some(number) = number {
                write!(f, " {word} {number}")?;
            }
        }
        match self.options.as_deref() {
            None => f.write_str(" <...>"),
            Some([]) => Ok(()),
            Some([first, rest @ ..]) => {
                write!(f, " <{first}")?;
                rest.iter().try_for_each(|option| write!(f, ",{option}"))?;
                f.write_str(">")
            }
        }
    }
}
