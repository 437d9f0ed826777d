//! `< [ect0] S 0:0(0) win 1000 <mss 1460>`: direction, IP words, flags, numbers.

use cauce_wire::Flags;
use winnow::Parser;
use winnow::token::take_while;

use super::fault::Fault;
use super::icmp::icmp;
use super::lexer::{
    Input, Parsed, at, blank, bounded, keyword, maybe, peek, peek_word, rest, sees, span_from, symbol,
    unsigned, word,
};
use super::options::options;
use crate::ast::{Direction, Ecn, IcmpFamily, IpFields, Packet, Payload, Span, Spanned, TcpPacket};

/// Names of what the language can say and this runner does not run.
const REFUSED: [(&str, &str); 6] = [
    ("udp", "UDP packets"),
    ("gre", "GRE encapsulation"),
    ("mpls", "MPLS labels"),
    ("psp", "PSP packets"),
    ("ipv4", "IP in IP"),
    ("ipv6", "IP in IP"),
];

pub(super) fn packet(input: &mut Input<'_>, whole: &str) -> Parsed<Packet> {
    let direction = if maybe(input, "<")? { Direction::In } else { Direction::Out };
    if direction == Direction::Out {
        symbol(input, ">", "`<` or `>`")?;
    }
    let mut ip = IpFields::default();
    let mut quoted = None;
    while sees(input, "[") {
        if brackets_numbers(rest(input)) {
            quoted = Some(bracketed_range(input)?);
        } else {
            ip_fields(input, &mut ip)?;
        }
    }
    let start = at(input);
    let name = peek_word(input).to_ascii_lowercase();
    if let Some((_, what)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return Err(Fault::unsupported(start..start + name.len(), *what));
    }
    let family = match name.as_str() {
        "icmp" => Some(input.state.family.unwrap_or(IcmpFamily::V4)),
        "icmpv6" => Some(IcmpFamily::V6),
        _ => None,
    };
    let payload = if let Some(family) = family {
        word(input, "icmp")?;
        if direction == Direction::Out {
            return Err(Fault::unsupported(start..start + name.len(), "expected ICMP packets"));
        }
        let mut packet = icmp(input, family)?;
        if sees(input, "[") && quoted.is_none() {
            quoted = Some(bracketed_range(input)?);
        }
        packet.quoted = quoted;
        Payload::Icmp(packet)
    } else if quoted.is_some() {
        return Err(Fault::expected(start, "`icmp` after the quoted sequence numbers"));
    } else {
        Payload::Tcp(tcp(input, whole)?)
    };
    Ok(Packet { direction, ip, payload })
}

/// `[1:1001(1000)]`, and not words about the IP header.
fn brackets_numbers(text: &str) -> bool {
    text.trim_start_matches('[').trim_start().starts_with(|c: char| c.is_ascii_digit())
}

fn bracketed_range(input: &mut Input<'_>) -> Parsed<(u32, u16)> {
    symbol(input, "[", "`[`")?;
    let (seq, len, _) = range(input, Flags::NONE)?;
    symbol(input, "]", "`]`")?;
    Ok((seq, len))
}

fn ip_fields(input: &mut Input<'_>, ip: &mut IpFields) -> Parsed<()> {
    symbol(input, "[", "`[`")?;
    loop {
        let what = "`noecn`, `ect0`, `ect1`, `ect01`, `ce`, `tos`, `flowlabel` or `ttl`";
        let name = word(input, what)?;
        match name.value.as_str() {
            "noecn" => ip.ecn = Some(Ecn::None),
            "ect0" => ip.ecn = Some(Ecn::Ect0),
            "ect1" => ip.ecn = Some(Ecn::Ect1),
            "ect01" => ip.ecn = Some(Ecn::Either),
            "ce" => ip.ecn = Some(Ecn::Ce),
            "tos" => ip.tos = Some(bounded(input, "the TOS byte", 255)?.value as u8),
            "ttl" => ip.ttl = Some(bounded(input, "the TTL", 255)?.value as u8),
            "flowlabel" => ip.flow_label = Some(bounded(input, "the flow label", 0xf_ffff)?.value as u32),
            _ => return Err(Fault::expected(name.span.start, what)),
        }
        if !maybe(input, ",")? {
            break;
        }
    }
    symbol(input, "]", "`,` or `]`")
}

fn tcp(input: &mut Input<'_>, whole: &str) -> Parsed<TcpPacket> {
    let ports = ports(input)?;
    let flags = flags(input)?;
    let start = at(input);
    let (seq, len, _) = range(input, flags.value)?;
    let seq_span = span_from(input, start, whole);
    let ack = number_after(input, "ack", u64::from(u32::MAX))?;
    let window = number_after(input, "win", 65535)?;
    let urgent = number_after(input, "urg", 65535)?;
    let options = options(input)?;
    Ok(TcpPacket {
        ports,
        flags,
        seq,
        len,
        seq_span,
        ack: ack.map(|number| Spanned { value: number.value as u32, span: number.span }),
        window: window.map(|number| Spanned { value: number.value as u16, span: number.span }),
        urgent: urgent.map(|number| Spanned { value: number.value as u16, span: number.span }),
        options,
    })
}

fn number_after(input: &mut Input<'_>, name: &'static str, max: u64) -> Parsed<Option<Spanned<u64>>> {
    if !keyword(input, name)? {
        return Ok(None);
    }
    let what = match name {
        "ack" => "the acknowledgment number",
        "win" => "the window",
        _ => "the urgent pointer",
    };
    bounded(input, what, max).map(Some)
}

/// `5000 > 8080`, told from an ACE digit by the `>` that follows.
fn ports(input: &mut Input<'_>) -> Parsed<Option<(u16, u16)>> {
    let text = rest(input);
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits == 0 || !text[digits..].trim_start().starts_with('>') {
        return Ok(None);
    }
    let source = bounded(input, "the source port", 65535)?.value as u16;
    symbol(input, ">", "`>` between the ports")?;
    let destination = bounded(input, "the destination port", 65535)?.value as u16;
    Ok(Some((source, destination)))
}

fn flags(input: &mut Input<'_>) -> Parsed<Spanned<Flags>> {
    let start = at(input);
    let wanted = "TCP flags: letters of `SFRPU.EWA`, an ACE digit, or `-`";
    let letters: Parsed<&str> =
        take_while(1.., |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-').parse_next(input);
    let letters = letters.map_err(|_| Fault::expected(start, wanted))?;
    let mut value = Flags::NONE;
    if letters != "-" {
        for letter in letters.chars() {
            let flag = match letter {
                'S' => Flags::SYN,
                'F' => Flags::FIN,
                'R' => Flags::RST,
                'P' => Flags::PSH,
                'U' => Flags::URG,
                '.' => Flags::ACK,
                'E' => Flags::ECE,
                'W' => Flags::CWR,
                'A' => Flags::AE,
                '0'..='7' => Flags::from_ace(letter as u8 - b'0'),
                _ => return Err(Fault::expected(start, wanted)),
            };
            value |= flag;
        }
    }
    let span = start..at(input);
    blank(input)?;
    Ok(Spanned { value, span })
}

/// `start:end(length)`, where the three agree.
fn range(input: &mut Input<'_>, _flags: Flags) -> Parsed<(u32, u16, Span)> {
    let start = at(input);
    let first = bounded(input, "the first sequence number", u64::from(u32::MAX))?;
    symbol(input, ":", "`:` between the sequence numbers")?;
    let last = bounded(input, "the sequence number after the last byte", u64::from(u32::MAX))?;
    symbol(input, "(", "`(` and the length")?;
    let len = unsigned(input, "the length of the payload")?;
    let end = at(input);
    symbol(input, ")", "`)`")?;
    if len.value > 65535 {
        return Err(Fault::message(len.span, "the payload is longer than a packet can be (65535)"));
    }
    let (seq, len) = (first.value as u32, len.value as u16);
    let span = start..end + 1;
    if seq.wrapping_add(u32::from(len)) != last.value as u32 {
        let message = format!(
            "these sequence numbers do not agree: {seq} and {len} bytes make {}",
            seq.wrapping_add(u32::from(len))
        );
        return Err(Fault::message(span, message));
    }
    if let Some('|') = peek(input) {
        return Err(Fault::expected(at(input), "`ack`, `win`, `urg`, `<` and options, or the next event"));
    }
    Ok((seq, len, span))
}
