//! Addresses and the values of socket options: numbers, text and C's structures.

use std::net::{IpAddr, SocketAddr};

use super::buffers::{member, only};
use super::lower::{Lowered, Setting, not_looked_at};
use super::{Address, WantedAnswer};
use crate::against::names;
use crate::ast::{Expr, Field, Spanned};

type Arg = Spanned<Expr>;

/// The bytes of a socket option: `[1]`, `"cubic"`, `{onoff=1, linger=2}`, `{tv_sec=0, tv_usec=100000}`. A single
/// number is as wide as `len` says, if that is the width of an integer; several are ints.
pub(super) fn option_value(arg: &Arg, len: usize, s: &Setting<'_>) -> Lowered<Vec<u8>> {
    match &arg.value {
        Expr::List(items) => match items.as_slice() {
            [one] if matches!(len, 1 | 2 | 8) => {
                let value = s.number(one)?;
                let fits = len == 8 || (-(1i64 << (8 * len - 1))..1 << (8 * len)).contains(&value);
                if !fits {
                    return s.refuse(&one.span, format!("{value} does not fit {len} bytes"));
                }
                // The kernel's own order: the low bytes come first where this runs.
                let bytes = value.to_ne_bytes();
                let low = if cfg!(target_endian = "little") { &bytes[..len] } else { &bytes[8 - len..] };
                Ok(low.to_vec())
            }
            _ => {
                let mut bytes = Vec::new();
                for item in items {
                    bytes.extend(s.c_int(item)?.to_ne_bytes());
                }
                Ok(bytes)
            }
        },
        Expr::Text(bytes) => Ok(bytes.clone()),
        Expr::Struct(fields) => structure(arg, fields, s),
        _ => s.refuse(&arg.span, "the value of a socket option is written `[N]`, \"text\" or `{…}`"),
    }
}

/// What getsockopt must give: a value, or members of `struct tcp_info`.
pub(super) fn wanted_value(arg: &Arg, len: usize, s: &Setting<'_>) -> Lowered<WantedAnswer> {
    match &arg.value {
        Expr::Ellipsis => Ok(WantedAnswer::Nothing),
        Expr::Text(bytes) => Ok(WantedAnswer::Text(bytes.clone())),
        Expr::Struct(fields) if fields.iter().any(is_info) => info(fields, s).map(WantedAnswer::Info),
        _ => option_value(arg, len, s).map(WantedAnswer::Bytes),
    }
}

fn is_info(field: &Field) -> bool {
    field.name.as_ref().is_some_and(|name| name.value.starts_with("tcpi_"))
}

fn info(fields: &[Field], s: &Setting<'_>) -> Lowered<Vec<(String, i128)>> {
    let mut members = Vec::new();
    for field in fields {
        match &field.name {
            Some(name) if names().any(|known| known == name.value) => {
                members.push((name.value.clone(), i128::from(s.number(&field.value)?)));
            }
            Some(name) => {
                return s.refuse(&name.span, format!("struct tcp_info has no member `{}`", name.value));
            }
            // `...` for the members that are not looked at.
            None if field.value.value == Expr::Ellipsis => {}
            None => return s.refuse(&field.value.span, "members are written `tcpi_state=1`"),
        }
    }
    Ok(members)
}

fn structure(arg: &Arg, fields: &[Field], s: &Setting<'_>) -> Lowered<Vec<u8>> {
    let pair = |names: [&[&str]; 2]| -> Lowered<Option<[&Arg; 2]>> {
        let find = |names: &[&str]| names.iter().find_map(|name| member(fields, name));
        Ok(find(names[0]).zip(find(names[1])).map(|(first, second)| [first, second]))
    };
    if let Some([onoff, linger]) = pair([&["onoff", "l_onoff"], &["linger", "l_linger"]])? {
        only(fields, &["onoff", "linger", "l_onoff", "l_linger"], s)?;
        return Ok([s.c_int(onoff)?, s.c_int(linger)?].into_iter().flat_map(i32::to_ne_bytes).collect());
    }
    if let Some([seconds, micros]) = pair([&["tv_sec"], &["tv_usec"]])? {
        only(fields, &["tv_sec", "tv_usec"], s)?;
        return Ok([s.number(seconds)?, s.number(micros)?].into_iter().flat_map(i64::to_ne_bytes).collect());
    }
    if let Some([flags, phc]) = pair([&["flags"], &["bind_phc"]])? {
        only(fields, &["flags", "bind_phc"], s)?;
        return Ok([s.c_int(flags)?, s.c_int(phc)?].into_iter().flat_map(i32::to_ne_bytes).collect());
    }
    if member(fields, "tcpm_key").is_some() {
        return md5_signature(arg, fields, s);
    }
    s.refuse(
        &arg.span,
        "known structures are {onoff=, linger=}, {tv_sec=, tv_usec=}, {flags=, bind_phc=}, \
         {tcpm_addr=, tcpm_key=…} and, for getsockopt, {tcpi_…=}",
    )
}

/// The longest key of TCP-MD5.
const LONGEST_KEY: usize = 80;
/// `struct sockaddr_storage`.
const STORAGE: usize = 128;

/// `struct tcp_md5sig`: `{tcpm_addr=…, tcpm_flags=0, tcpm_prefixlen=0, tcpm_keylen=5, tcpm_ifindex=0,
/// tcpm_key="hello"}`; only the address and the key must be there.
fn md5_signature(arg: &Arg, fields: &[Field], s: &Setting<'_>) -> Lowered<Vec<u8>> {
    only(
        fields,
        &["tcpm_addr", "tcpm_flags", "tcpm_prefixlen", "tcpm_keylen", "tcpm_ifindex", "tcpm_key"],
        s,
    )?;
    let (Some(of), Some(key)) = (member(fields, "tcpm_addr"), member(fields, "tcpm_key")) else {
        return s.refuse(&arg.span, "tcpm_addr and tcpm_key are needed");
    };
    let Expr::Text(key_bytes) = &key.value else {
        return s.refuse(&key.span, "a key is written as a string");
    };
    if key_bytes.len() > LONGEST_KEY {
        return s.refuse(&key.span, format!("a key has {LONGEST_KEY} bytes at most"));
    }
    let number = |name: &str| match member(fields, name) {
        Some(value) => s.int::<u16>(value).map(Some),
        None => Ok(None),
    };
    let small = |name: &str| match member(fields, name) {
        Some(value) => s.int::<u8>(value),
        None => Ok(0),
    };
    let remote = SocketAddr::new(s.remote, 0);
    let peer = match address(of, Address::Literal(remote), s)? {
        Address::Literal(literal) => literal,
        _ => return s.refuse(&of.span, "a key needs the peer's address"),
    };
    let key_len = number("tcpm_keylen")?.unwrap_or(key_bytes.len() as u16);
    let index = member(fields, "tcpm_ifindex").map(|index| s.c_int(index)).transpose()?.unwrap_or(0);
    let mut bytes = peer_bytes(peer, s);
    bytes.resize(STORAGE, 0);
    bytes.extend([small("tcpm_flags")?, small("tcpm_prefixlen")?]);
    bytes.extend(key_len.to_ne_bytes());
    bytes.extend(index.to_ne_bytes());
    bytes.extend(key_bytes);
    bytes.resize(STORAGE + 8 + LONGEST_KEY, 0);
    Ok(bytes)
}

/// A `struct sockaddr` of the family of the script's sockets.
fn peer_bytes(peer: SocketAddr, s: &Setting<'_>) -> Vec<u8> {
    let ip = match peer.ip() {
        IpAddr::V4(ip) if s.domain == libc::AF_INET6 => IpAddr::V6(ip.to_ipv6_mapped()),
        ip => ip,
    };
    let family = if ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 } as u16;
    let mut bytes = family.to_ne_bytes().to_vec();
    bytes.extend(peer.port().to_be_bytes());
    match ip {
        IpAddr::V4(ip) => bytes.extend(ip.octets()),
        IpAddr::V6(ip) => {
            bytes.extend([0; 4]);
            bytes.extend(ip.octets());
        }
    }
    bytes
}

/// An address: `...` stands for `usual`.
pub(super) fn address(arg: &Arg, usual: Address, s: &Setting<'_>) -> Lowered<Address> {
    match &arg.value {
        Expr::Ellipsis => Ok(usual),
        Expr::Symbol(name) if name == "AF_UNSPEC" => Ok(Address::Unspecified),
        Expr::Struct(fields) => {
            let family = match member(fields, "sa_family") {
                Some(family) => s.number(family)?,
                None => return s.refuse(&arg.span, "an address needs sa_family"),
            };
            if family == i64::from(libc::AF_UNSPEC) {
                return Ok(Address::Unspecified);
            }
            literal_address(arg, fields, family, s)
        }
        _ => s.refuse(&arg.span, "an address is written `...`, AF_UNSPEC or `{sa_family=…}`"),
    }
}

/// The address that getsockname must give: written out, or `...` when it is not looked at.
pub(super) fn wanted_name(arg: &Arg, s: &Setting<'_>) -> Lowered<WantedAnswer> {
    match &arg.value {
        Expr::Struct(_) => match address(arg, Address::Local, s)? {
            Address::Literal(name) => Ok(WantedAnswer::Name(name)),
            _ => s.refuse(&arg.span, "an address of this family is no socket's"),
        },
        _ => not_looked_at([arg], s).map(|()| WantedAnswer::Nothing),
    }
}

/// Checks the length that goes with an address: `...`, or the right number of bytes.
pub(super) fn address_length(arg: &Arg, address: Address, s: &Setting<'_>) -> Lowered<()> {
    let right = match (&arg.value, address) {
        (Expr::Ellipsis, _) => true,
        (Expr::Integer(len), Address::Literal(literal)) => *len == if literal.is_ipv4() { 16 } else { 28 },
        (Expr::Integer(len), Address::Unspecified) => *len == 16,
        (Expr::Integer(len), _) => *len == if s.domain == libc::AF_INET { 16 } else { 28 },
        _ => false,
    };
    if right { Ok(()) } else { s.refuse(&arg.span, "the length of an address is written `...`") }
}

/// The members of an address, IPv4's and IPv6's; strace's spelling of `inet_pton` names the member itself.
fn literal_address(arg: &Arg, fields: &[Field], family: i64, s: &Setting<'_>) -> Lowered<Address> {
    let known =
        ["sa_family", "sin_port", "sin6_port", "sin_addr", "sin6_addr", "sin6_flowinfo", "sin6_scope_id"];
    only(fields, &known, s)?;
    for name in ["sin6_flowinfo", "sin6_scope_id"] {
        if let Some(value) = member(fields, name)
            && s.number(value)? != 0
        {
            return s.refuse(&value.span, format!("{name} can only be 0 here"));
        }
    }
    let named = |names: [&str; 2]| names.iter().find_map(|name| member(fields, name));
    let unnamed = || {
        fields.iter().filter(|field| field.name.is_none()).map(|field| &field.value).find(
            |value| matches!(&value.value, Expr::Apply(name, _) if name == "inet_pton" || name == "inet_addr"),
        )
    };
    let port = named(["sin_port", "sin6_port"]);
    let host = named(["sin_addr", "sin6_addr"]).or_else(unnamed);
    let (Some(port), Some(host)) = (port, host) else {
        return s.refuse(&arg.span, "an address needs sin_port and sin_addr, or sin6_port and sin6_addr");
    };
    let text = match &host.value {
        Expr::Apply(name, args) if name == "inet_addr" || name == "inet_pton" => {
            args.iter().find_map(text_of)
        }
        _ => text_of(host),
    };
    let Some(ip) = text.and_then(|text| text.parse::<IpAddr>().ok()) else {
        return s.refuse(&host.span, "an address is written inet_addr(\"192.0.2.1\")");
    };
    if family != i64::from(if ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }) {
        return s.refuse(&host.span, format!("{ip} is not of this sa_family"));
    }
    Ok(Address::Literal(SocketAddr::new(ip, s.int(port)?)))
}

fn text_of(arg: &Arg) -> Option<String> {
    match &arg.value {
        Expr::Text(bytes) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    }
}
