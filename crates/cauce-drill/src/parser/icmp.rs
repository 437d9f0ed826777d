//! `icmp unreachable frag_needed mtu 1200`: types and codes by their names, each family its own.

use super::fault::Fault;
use super::lexer::{Input, Parsed, at, bounded, keyword, peek, peek_word, word};
use crate::ast::{IcmpFamily, IcmpPacket};

type Codes = &'static [(&'static str, u8)];

const UNREACHABLE_V4: Codes = &[
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
const REDIRECT_V4: Codes = &[("net", 0), ("host", 1), ("net_for_tos", 2), ("host_for_tos", 3)];
const TIME_V4: Codes = &[("ttl", 0), ("exc_ttl", 0), ("fragtime", 1), ("exc_fragtime", 1)];
const UNREACHABLE_V6: Codes = &[
    ("no_route", 0),
    ("noroute", 0),
    ("admin_prohibited", 1),
    ("not_neighbour", 2),
    ("addr_unreachable", 3),
    ("host_unreachable", 3),
    ("port_unreachable", 4),
    ("policy_failed", 5),
    ("reject_route", 6),
];
const TIME_V6: Codes = &[("hoplimit", 0), ("exc_hoplimit", 0), ("fragtime", 1), ("exc_fragtime", 1)];
const PARAMETER_V6: Codes = &[("hdr_field", 0), ("unk_nexthdr", 1), ("unk_option", 2)];

const TYPES_V4: &[(&str, u8, Codes)] = &[
    ("unreachable", 3, UNREACHABLE_V4),
    ("dest_unreachable", 3, UNREACHABLE_V4),
    ("source_quench", 4, &[]),
    ("redirect", 5, REDIRECT_V4),
    ("time_exceeded", 11, TIME_V4),
    ("parameter_problem", 12, &[]),
];
const TYPES_V6: &[(&str, u8, Codes)] = &[
    ("unreachable", 1, UNREACHABLE_V6),
    ("dest_unreachable", 1, UNREACHABLE_V6),
    ("packet_too_big", 2, &[]),
    ("time_exceeded", 3, TIME_V6),
    ("parameter_problem", 4, PARAMETER_V6),
];

pub(super) fn icmp(input: &mut Input<'_>, family: IcmpFamily) -> Parsed<IcmpPacket> {
    let (types, wanted) = match family {
        IcmpFamily::V4 => (
            TYPES_V4,
            "a type of ICMP: unreachable, source_quench, redirect, time_exceeded or parameter_problem",
        ),
        IcmpFamily::V6 => {
            (TYPES_V6, "a type of ICMPv6: unreachable, packet_too_big, time_exceeded or parameter_problem")
        }
    };
    let mut name = word(input, wanted)?;
    if let Some(meant) = input.state.definitions.get(&name.value) {
        name.value.clone_from(meant);
    }
    if ["echo", "echo_request", "echo_reply"].contains(&name.value.as_str()) {
        return Err(Fault::unsupported(name.span, "ICMP echo"));
    }
    let Some((_, icmp_type, codes)) = types.iter().find(|(known, ..)| *known == name.value) else {
        return Err(Fault::expected(name.span.start, wanted));
    };
    let code = if let Some(c) = peek(input)
        && c.is_ascii_digit()
        && !next_is_event(input)
    {
        bounded(input, "the code", 255)?.value as u8
    } else {
        code_by_name(input, codes)?
    };
    let mtu = if keyword(input, "mtu")? {
        Some(bounded(input, "the MTU", u64::from(u32::MAX))?.value as u32)
    } else {
        None
    };
    Ok(IcmpPacket { family, icmp_type: *icmp_type, code, mtu, quoted: None })
}

/// A number here is the code only when it stands on the same line and is no time.
fn next_is_event(input: &Input<'_>) -> bool {
    let rest = super::lexer::rest(input);
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    !(after.is_empty() || after.starts_with('\n') || after.trim_start().starts_with(['[', 'm']))
}

fn code_by_name(input: &mut Input<'_>, codes: Codes) -> Parsed<u8> {
    let start = at(input);
    let name = peek_word(input);
    if name.is_empty() || name == "mtu" {
        return Ok(0);
    }
    let meant = input.state.definitions.get(name).map_or(name, String::as_str);
    if let Ok(code) = meant.parse() {
        word(input, "a code")?;
        return Ok(code);
    }
    let Some((_, code)) = codes.iter().find(|(known, _)| *known == meant) else {
        let known: Vec<_> = codes.iter().map(|(known, _)| *known).collect();
        let message = if known.is_empty() {
            format!("`{name}`: this type of ICMP has no codes by name")
        } else {
            format!("`{name}` is no code of this type; there are {}", known.join(", "))
        };
        return Err(Fault::message(start..start + name.len(), message));
    };
    word(input, "a code")?;
    Ok(*code)
}
