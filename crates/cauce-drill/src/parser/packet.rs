//! `< [ect0] S 0:0(0) win 1000 <mss 1460>`: direction, IP words, flags, numbers.

use cauce_wire::Flags;
use winnow::Parser;
use winnow::token::take_while;

use super::fault::Fault;
use super::icmp::icmp;
use super::lexer::{
    Input, Parsed, at, blank, bounded, keyword, maybe, peek_word, rest, sees, span_from, symbol, unsigned,
    word, wrapping,
};
use super::options::options;
use crate::ast::{
    Direction, Ecn, IcmpFamily, IpFields, OptionList, Packet, Payload, Spanned, TcpOption, TcpPacket,
};

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
        let tcp = tcp(input, whole)?;
        if direction == Direction::In {
            injectable(&tcp, start..span_from(input, start, whole).end)?;
        }
        Payload::Tcp(tcp)
    };
    Ok(Packet { direction, ip, payload })
}

/// An injected packet says all that goes on the wire.
fn injectable(tcp: &TcpPacket, span: std::ops::Range<usize>) -> Parsed<()> {
    let OptionList::These(options) = &tcp.options else {
        return Err(Fault::message(span, "an injected packet needs its options written out, not `<...>`"));
    };
    match options.iter().find(|option| matches!(option.value, TcpOption::AccEcnCe(_))) {
        Some(part) => Err(Fault::message(
            part.span.clone(),
            "an injected packet needs the counter that stands before `ceb`: `e0b N ceb N` or `e1b N ceb N`",
        )),
        None => Ok(()),
    }
}

/// `[1:1001(1000)]`, and not words about the IP header.
fn brackets_numbers(text: &str) -> bool {
    text.trim_start_matches('[').trim_start().starts_with(|c: char| c.is_ascii_digit() || c == '-')
}

fn bracketed_range(input: &mut Input<'_>) -> Parsed<(u32, u16)> {
    symbol(input, "[", "`[`")?;
    let (seq, len) = range(input)?;
    symbol(input, "]", "`]`")?;
    Ok((seq, len))
}

fn ip_fields(input: &mut Input<'_>, ip: &mut IpFields) -> Parsed<()> {
    symbol(input, "[", "`[`")?;
    loop {
        let what = "`noecn`, `ect0`, `ect1`, `ect01`, `ce`, `df`, `nodf`, `tos`, `flowlabel` or `ttl`";
        let name = word(input, what)?;
        match name.value.as_str() {
            "noecn" => ip.ecn = Some(Ecn::None),
            "ect0" => ip.ecn = Some(Ecn::Ect0),
            "ect1" => ip.ecn = Some(Ecn::Ect1),
            "ect01" => ip.ecn = Some(Ecn::Either),
            "ce" => ip.ecn = Some(Ecn::Ce),
            "df" => ip.dont_fragment = Some(true),
            "nodf" => ip.dont_fragment = Some(false),
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
    let (seq, len) = range(input)?;
    let seq_span = span_from(input, start, whole);
    let ack = acknowledgment(input, whole)?;
    let window = number_after(input, "win", 65535)?;
    let urgent = number_after(input, "urg", 65535)?;
    let options = options(input)?;
    Ok(TcpPacket {
        ports,
        flags,
        seq,
        len,
        seq_span,
        ack,
        window: window.map(|number| Spanned { value: number.value as u16, span: number.span }),
        urgent: urgent.map(|number| Spanned { value: number.value as u16, span: number.span }),
        options,
    })
}

fn number_after(input: &mut Input<'_>, name: &'static str, max: u64) -> Parsed<Option<Spanned<u64>>> {
    if !keyword(input, name)? {
        return Ok(None);
    }
    let what = if name == "win" { "the window" } else { "the urgent pointer" };
    bounded(input, what, max).map(Some)
}

fn acknowledgment(input: &mut Input<'_>, whole: &str) -> Parsed<Option<Spanned<u32>>> {
    if !keyword(input, "ack")? {
        return Ok(None);
    }
    let start = at(input);
    let value = wrapping(input, "the acknowledgment number")?;
    Ok(Some(Spanned { value, span: span_from(input, start, whole) }))
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
fn range(input: &mut Input<'_>) -> Parsed<(u32, u16)> {
    let start = at(input);
    let seq = wrapping(input, "the first sequence number")?;
    symbol(input, ":", "`:` between the sequence numbers")?;
    let end = wrapping(input, "the sequence number after the last byte")?;
    symbol(input, "(", "`(` and the length")?;
    let len = unsigned(input, "the length of the payload")?;
    let last = at(input);
    symbol(input, ")", "`)`")?;
    if len.value > 65535 {
        return Err(Fault::message(len.span, "the payload is longer than a packet can be (65535)"));
    }
    let len = len.value as u16;
    let right = seq.wrapping_add(u32::from(len));
    if right != end {
        let message = format!("these sequence numbers do not agree: {seq} and {len} bytes make {right}");
        return Err(Fault::message(start..last + 1, message));
    }
    Ok((seq, len))
}
