//! One TCP option as a script spells it and as it stands on the wire, in any order and with every NOP.

use alloc::vec::Vec;
use core::fmt;

use arrayvec::ArrayVec;

use super::cursor::{Cursor, LiteralError};
use crate::options::{FAST_OPEN_MAGIC, kind};
use crate::{
    AccEcn, AccEcnOrder, AuthOption, FastOpen, FastOpenKind, MAX_OPTIONS_LEN, RawOption, SackBlock, Seq,
    TcpOptions, Timestamps, raw_options,
};

/// One option of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpOption {
    /// `eol`
    Eol,
    /// `nop`
    Nop,
    /// `mss 1460`
    Mss(u16),
    /// `wscale 7`: as written, above 14 too.
    WindowScale(u8),
    /// `sackOK`
    SackPermitted,
    /// `sack 1:1001 2001:3001`
    Sack(ArrayVec<SackBlock, 4>),
    /// `TS val 1 ecr 0`
    Timestamps(Timestamps),
    /// `FO` or `FOEXP`, a request, and `FO 0123456789abcdef` with a cookie.
    FastOpen(FastOpen),
    /// `md5 000102030405060708090a0b0c0d0e0f`
    Md5([u8; 16]),
    /// `ao keyid 1 rnext 2 mac 0x0011`
    Auth(AuthOption),
    /// `ECN e1b 1 ceb 0 e0b 1` or `ECN e0b 1 ceb 0 e1b 1`: the first counter tells the kind. Without counters
    /// `ECN` is kind 174 and `ECN 172` the other.
    AccEcn(AccEcn),
    /// `uto 300s` or `uto 5m`: granularity bit and 15 bits.
    UserTimeout(u16),
    /// `kind 77 0xabcd`: a kind that has no word, or one whose length is not its own.
    Other {
        /// The kind.
        kind: u8,
        /// What follows the length.
        data: ArrayVec<u8, MAX_OPTIONS_LEN>,
    },
    /// `raw 0x0301`: bytes that are no option, up to the end of the header.
    Raw(ArrayVec<u8, MAX_OPTIONS_LEN>),
}

impl TcpOption {
    /// All of the option bytes of a header.
    pub(super) fn list(bytes: &[u8]) -> Vec<TcpOption> {
        let mut list = Vec::new();
        let mut rest = bytes;
        for raw in raw_options(bytes) {
            let len = if raw.kind <= kind::NOP { 1 } else { 2 + raw.data.len() };
            rest = rest.get(len..).unwrap_or(&[]);
            list.push(TcpOption::of(raw));
        }
        if rest.iter().all(|byte| *byte == kind::EOL) && list.last() == Some(&TcpOption::Eol) {
            list.extend(rest.iter().map(|_| TcpOption::Eol));
        } else if !rest.is_empty() {
            list.push(TcpOption::Raw(rest.iter().copied().take(MAX_OPTIONS_LEN).collect()));
        }
        list
    }

    fn of(raw: RawOption<'_>) -> TcpOption {
        TcpOption::known(raw).unwrap_or_else(|| TcpOption::Other {
            kind: raw.kind,
            data: raw.data.iter().copied().take(MAX_OPTIONS_LEN).collect(),
        })
    }

    /// The option by its word, when reading it and writing it back gives the same bytes.
    fn known(raw: RawOption<'_>) -> Option<TcpOption> {
        match raw.kind {
            kind::EOL => return Some(TcpOption::Eol),
            kind::NOP => return Some(TcpOption::Nop),
            kind::WINDOW_SCALE => {
                return raw.data.first().filter(|_| raw.data.len() == 1).copied().map(Self::WindowScale);
            }
            _ => {}
        }
        let mut options = TcpOptions::default();
        options.read(raw);
        let option = match raw.kind {
            kind::MSS => options.mss.map(TcpOption::Mss),
            kind::SACK_PERMITTED => options.sack_permitted.then_some(TcpOption::SackPermitted),
            kind::SACK => Some(TcpOption::Sack(options.sack)).filter(|_| !raw.data.is_empty()),
            kind::TIMESTAMPS => options.timestamps.map(TcpOption::Timestamps),
            kind::MD5 => options.md5.map(TcpOption::Md5),
            kind::USER_TIMEOUT => options.user_timeout.map(TcpOption::UserTimeout),
            kind::AUTH => options.ao.map(TcpOption::Auth),
            kind::FAST_OPEN | kind::EXPERIMENT => options.fast_open.map(TcpOption::FastOpen),
            kind::ACC_ECN_0 | kind::ACC_ECN_1 => options.acc_ecn.map(TcpOption::AccEcn),
            _ => None,
        };
        option.filter(|option| {
            let mut bytes = Vec::new();
            option.emit(&mut bytes);
            bytes.get(2..) == Some(raw.data)
        })
    }

    /// Appends the option's bytes, without padding.
    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        match self {
            TcpOption::Eol => out.push(kind::EOL),
            TcpOption::Nop => out.push(kind::NOP),
            TcpOption::Mss(mss) => put(out, kind::MSS, &[&mss.to_be_bytes()]),
            TcpOption::WindowScale(scale) => put(out, kind::WINDOW_SCALE, &[&[*scale]]),
            TcpOption::SackPermitted => put(out, kind::SACK_PERMITTED, &[]),
            TcpOption::Sack(blocks) => {
                let bytes: ArrayVec<u8, 32> = blocks.iter().flat_map(|block| block.to_bytes()).collect();
                put(out, kind::SACK, &[&bytes]);
            }
            TcpOption::Timestamps(ts) => {
                put(out, kind::TIMESTAMPS, &[&ts.val.to_be_bytes(), &ts.ecr.to_be_bytes()])
            }
            TcpOption::FastOpen(FastOpen { cookie, kind: FastOpenKind::Standard }) => {
                put(out, kind::FAST_OPEN, &[cookie]);
            }
            TcpOption::FastOpen(FastOpen { cookie, kind: FastOpenKind::Experimental }) => {
                put(out, kind::EXPERIMENT, &[&FAST_OPEN_MAGIC.to_be_bytes(), cookie]);
            }
            TcpOption::Md5(digest) => put(out, kind::MD5, &[digest]),
            TcpOption::Auth(ao) => put(out, kind::AUTH, &[&[ao.key_id, ao.rnext_key_id], &ao.mac]),
            TcpOption::AccEcn(option) => {
                let mut bytes: ArrayVec<u8, 9> = ArrayVec::new();
                option
                    .counters()
                    .iter()
                    .for_each(|counter| bytes.extend(counter.to_be_bytes().into_iter().skip(1)));
                let e0_first = option.order() == AccEcnOrder::E0First;
                put(out, if e0_first { kind::ACC_ECN_0 } else { kind::ACC_ECN_1 }, &[&bytes]);
            }
            TcpOption::UserTimeout(timeout) => put(out, kind::USER_TIMEOUT, &[&timeout.to_be_bytes()]),
            TcpOption::Other { kind, data } => put(out, *kind, &[data]),
            TcpOption::Raw(bytes) => out.extend_from_slice(bytes),
        }
    }

    /// Reads one option.
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<TcpOption, LiteralError> {
        const WORDS: &str = "a TCP option: mss nop eol sackOK sack TS wscale FO FOEXP md5 ao ECN uto, `kind N 0x..` or `raw 0x..`";
        let word = cursor.peek();
        if !matches!(
            word,
            "mss"
                | "nop"
                | "eol"
                | "sackOK"
                | "sack"
                | "TS"
                | "wscale"
                | "FO"
                | "FOEXP"
                | "md5"
                | "ao"
                | "ECN"
                | "uto"
                | "kind"
                | "raw"
        ) {
            return Err(cursor.error(WORDS));
        }
        cursor.word();
        Ok(match word {
            "mss" => TcpOption::Mss(cursor.number("an MSS up to 65535")?),
            "wscale" => TcpOption::WindowScale(cursor.number("a window scale up to 255")?),
            "sackOK" => TcpOption::SackPermitted,
            "sack" => TcpOption::Sack(sack_blocks(cursor)?),
            "TS" => {
                cursor.expect_keyword("val")?;
                let val = cursor.number("a timestamp value")?;
                cursor.expect_keyword("ecr")?;
                TcpOption::Timestamps(Timestamps { val, ecr: cursor.number("a timestamp echo")? })
            }
            "FO" => TcpOption::FastOpen(fast_open(cursor, FastOpenKind::Standard)?),
            "FOEXP" => TcpOption::FastOpen(fast_open(cursor, FastOpenKind::Experimental)?),
            "md5" => {
                const DIGEST: &str = "an MD5 digest of 32 hexadecimal digits";
                let digest: ArrayVec<u8, 16> = cursor.hex(DIGEST)?;
                TcpOption::Md5(digest.into_inner().map_err(|_| cursor.error(DIGEST))?)
            }
            "ao" => TcpOption::Auth(auth(cursor)?),
            "ECN" => TcpOption::AccEcn(acc_ecn(cursor)?),
            "uto" => TcpOption::UserTimeout(user_timeout(cursor)?),
            "kind" => {
                let kind = cursor.number_in(2, 255, "an option kind from 2 to 255")? as u8;
                TcpOption::Other { kind, data: optional_hex(cursor)? }
            }
            "raw" => TcpOption::Raw(cursor.hex("up to 40 bytes in hexadecimal")?),
            "eol" => TcpOption::Eol,
            _ => TcpOption::Nop,
        })
    }
}

fn put(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    out.extend_from_slice(&[kind, (2 + len) as u8]);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

fn optional_hex<const N: usize>(cursor: &mut Cursor<'_>) -> Result<ArrayVec<u8, N>, LiteralError> {
    if cursor.peek().is_empty() { Ok(ArrayVec::new()) } else { cursor.hex("bytes in hexadecimal") }
}

fn sack_blocks(cursor: &mut Cursor<'_>) -> Result<ArrayVec<SackBlock, 4>, LiteralError> {
    let mut blocks = ArrayVec::new();
    while blocks.is_empty() || !cursor.peek().is_empty() {
        let left = Seq(cursor.number("a SACK block `left:right`")?);
        cursor.expect_sign(':', "`:` between the edges of a SACK block")?;
        let right = Seq(cursor.number("the right edge of a SACK block")?);
        blocks.try_push(SackBlock { left, right }).map_err(|_| cursor.error("at most four SACK blocks"))?;
    }
    Ok(blocks)
}

fn fast_open(cursor: &mut Cursor<'_>, kind: FastOpenKind) -> Result<FastOpen, LiteralError> {
    Ok(FastOpen { cookie: optional_hex(cursor)?, kind })
}

fn auth(cursor: &mut Cursor<'_>) -> Result<AuthOption, LiteralError> {
    cursor.expect_keyword("keyid")?;
    let key_id = cursor.number("a key id up to 255")?;
    cursor.expect_keyword("rnext")?;
    let rnext_key_id = cursor.number("a key id up to 255")?;
    let mac = if cursor.keyword("mac") { cursor.hex("a MAC of at most 16 bytes")? } else { ArrayVec::new() };
    Ok(AuthOption { key_id, rnext_key_id, mac })
}

fn acc_ecn(cursor: &mut Cursor<'_>) -> Result<AccEcn, LiteralError> {
    if cursor.keyword("172") {
        return Ok(AccEcn::new(AccEcnOrder::E0First, &[]));
    }
    let (order, names) = match cursor.peek() {
        "e0b" => (AccEcnOrder::E0First, ["e0b", "ceb", "e1b"]),
        _ => (AccEcnOrder::E1First, ["e1b", "ceb", "e0b"]),
    };
    let mut counters: ArrayVec<u32, 3> = ArrayVec::new();
    for name in names {
        if !cursor.keyword(name) {
            break;
        }
        counters.push(cursor.number_in(0, 0xff_ffff, "a counter of 24 bits")?);
    }
    Ok(AccEcn::new(order, &counters))
}

fn user_timeout(cursor: &mut Cursor<'_>) -> Result<u16, LiteralError> {
    const TIMEOUT: &str = "a time-out below 32768 with its unit, as in `300s` or `5m`";
    let word = cursor.peek();
    let (digits, minutes) = match (word.strip_suffix('s'), word.strip_suffix('m')) {
        (Some(digits), _) => (digits, 0),
        (_, Some(digits)) => (digits, 0x8000),
        _ => return Err(cursor.error(TIMEOUT)),
    };
    let value =
        digits.parse::<u16>().ok().filter(|value| *value < 0x8000).ok_or_else(|| cursor.error(TIMEOUT))?;
    cursor.word();
    Ok(minutes | value)
}

/// Bytes as hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for TcpOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TcpOption::Eol => f.write_str("eol"),
            TcpOption::Nop => f.write_str("nop"),
            TcpOption::Mss(mss) => write!(f, "mss {mss}"),
            TcpOption::WindowScale(scale) => write!(f, "wscale {scale}"),
            TcpOption::SackPermitted => f.write_str("sackOK"),
            TcpOption::Sack(blocks) => {
                f.write_str("sack")?;
                blocks.iter().try_for_each(|block| write!(f, " {}:{}", block.left, block.right))
            }
            TcpOption::Timestamps(Timestamps { val, ecr }) => write!(f, "TS val {val} ecr {ecr}"),
            TcpOption::FastOpen(FastOpen { cookie, kind }) => {
                f.write_str(if *kind == FastOpenKind::Standard { "FO" } else { "FOEXP" })?;
                if cookie.is_empty() { Ok(()) } else { write!(f, " {}", Hex(cookie)) }
            }
            TcpOption::Md5(digest) => write!(f, "md5 {}", Hex(digest)),
            TcpOption::Auth(AuthOption { key_id, rnext_key_id, mac }) => {
                write!(f, "ao keyid {key_id} rnext {rnext_key_id}")?;
                if mac.is_empty() { Ok(()) } else { write!(f, " mac 0x{}", Hex(mac)) }
            }
            TcpOption::AccEcn(option) => display_acc_ecn(option, f),
            TcpOption::UserTimeout(timeout) => {
                write!(f, "uto {}{}", timeout & 0x7fff, if timeout & 0x8000 == 0 { 's' } else { 'm' })
            }
            TcpOption::Other { kind, data } if data.is_empty() => write!(f, "kind {kind}"),
            TcpOption::Other { kind, data } => write!(f, "kind {kind} 0x{}", Hex(data)),
            TcpOption::Raw(bytes) => write!(f, "raw 0x{}", Hex(bytes)),
        }
    }
}

fn display_acc_ecn(option: &AccEcn, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (bare, names) = match option.order() {
        AccEcnOrder::E0First => ("ECN 172", ["e0b", "ceb", "e1b"]),
        AccEcnOrder::E1First => ("ECN", ["e1b", "ceb", "e0b"]),
    };
    f.write_str(if option.counters().is_empty() { bare } else { "ECN" })?;
    names.iter().zip(option.counters()).try_for_each(|(name, counter)| write!(f, " {name} {counter}"))
}
