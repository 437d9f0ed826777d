//! `<mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>`: TCP options in the order of the wire.

use winnow::Parser;
use winnow::token::take_while;

use super::fault::Fault;
use super::lexer::{
    Input, Parsed, at, blank, bounded, keyword, maybe, peek, peek_word, sees, symbol, word, wrapping,
};
use crate::ast::{AccEcnOrder, OptionList, Spanned, TcpOption};

const WANTED: &str =
    "a TCP option: mss, wscale, sackOK, sack, TS, FO, FOEXP, md5, ECN, nop, eol, or `...` for any";
const MAX_U32: u64 = u32::MAX as u64;

pub(super) fn options(input: &mut Input<'_>) -> Parsed<OptionList> {
    if !maybe(input, "<")? {
        return Ok(OptionList::These(Vec::new()));
    }
    if maybe(input, "...")? {
        symbol(input, ">", "`>`")?;
        return Ok(OptionList::Any);
    }
    let mut list = Vec::new();
    let start = at(input);
    if maybe(input, ">")? {
        return Ok(OptionList::These(list));
    }
    loop {
        let start = at(input);
        let value = option(input)?;
        list.push(Spanned { value, span: start..at(input) });
        if !maybe(input, ",")? {
            break;
        }
    }
    let end = at(input);
    symbol(input, ">", "`,` or `>`")?;
    let len: usize = list.iter().map(|option| option.value.wire_len()).sum();
    if len > 40 {
        return Err(Fault::message(
            start..end,
            format!("these options take {len} bytes; a TCP header has room for 40"),
        ));
    }
    Ok(OptionList::These(list))
}

fn option(input: &mut Input<'_>) -> Parsed<TcpOption> {
    let name = word(input, WANTED)?;
    let number = |input: &mut Input<'_>, what, max| bounded(input, what, max).map(|number| number.value);
    Ok(match name.value.as_str() {
        "nop" => TcpOption::Nop,
        "eol" => TcpOption::Eol,
        "mss" => TcpOption::Mss(number(input, "the MSS", 65535)? as u16),
        "wscale" => TcpOption::WindowScale(number(input, "the window scale", 255)? as u8),
        "sackOK" => TcpOption::SackPermitted,
        "sack" => TcpOption::Sack(sack_blocks(input)?),
        "TS" => {
            expect_word(input, "val")?;
            let val = number(input, "TSval", MAX_U32)? as u32;
            expect_word(input, "ecr")?;
            TcpOption::Timestamps { val, ecr: number(input, "TSecr", MAX_U32)? as u32 }
        }
        "FO" | "FOEXP" => {
            TcpOption::FastOpen { experimental: name.value == "FOEXP", cookie: hexadecimal(input, 16)? }
        }
        "md5" => {
            let start = at(input);
            let digest = hexadecimal(input, 16)?;
            match <[u8; 16]>::try_from(digest.as_slice()) {
                Ok(digest) => TcpOption::Md5(Some(digest)),
                Err(_) if digest.is_empty() => TcpOption::Md5(None),
                Err(_) => return Err(Fault::message(start..at(input), "an MD5 digest has 16 bytes")),
            }
        }
        "ECN" | "AccECN" => acc_ecn(input)?,
        _ => return Err(Fault::expected(name.span.start, WANTED)),
    })
}

fn expect_word(input: &mut Input<'_>, text: &'static str) -> Parsed<()> {
    let start = at(input);
    if keyword(input, text)? {
        Ok(())
    } else {
        Err(Fault::expected(start, if text == "val" { "`val`" } else { "`ecr`" }))
    }
}

fn sack_blocks(input: &mut Input<'_>) -> Parsed<Vec<(u32, u32)>> {
    let mut blocks = Vec::new();
    while blocks.is_empty() || peek(input).is_some_and(|c| c.is_ascii_digit() || c == '-') {
        let left = wrapping(input, "the left edge of a SACK block")?;
        symbol(input, ":", "`:` between the edges of a SACK block")?;
        let right = wrapping(input, "the right edge of a SACK block")?;
        blocks.push((left, right));
    }
    Ok(blocks)
}

/// Hexadecimal digits or a defined symbol; nothing when neither follows.
fn hexadecimal(input: &mut Input<'_>, max: usize) -> Parsed<Vec<u8>> {
    let start = at(input);
    if sees(input, ",") || sees(input, ">") {
        return Ok(Vec::new());
    }
    let name = peek_word(input);
    let (digits, span) = if let Some(value) = input.state.definitions.get(name) {
        let span = word(input, "a symbol")?.span;
        (value.clone(), span)
    } else {
        let digits: &str =
            take_while(0.., |c: char| c.is_ascii_alphanumeric() || c == '_').parse_next(input)?;
        let span = start..at(input);
        blank(input)?;
        (digits.to_owned(), span)
    };
    let digits = digits.strip_prefix("0x").unwrap_or(&digits);
    if digits.is_empty() {
        return Err(Fault::expected(start, "hexadecimal digits, a symbol, `,` or `>`"));
    }
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        let message = format!("`{digits}` is neither hexadecimal nor a symbol given by -D NAME=VALUE");
        return Err(Fault::message(span, message));
    }
    if digits.len() % 2 != 0 || digits.len() / 2 > max {
        return Err(Fault::message(
            span,
            format!("this must be an even number of digits, at most {}", max * 2),
        ));
    }
    Ok((0..digits.len() / 2)
        .filter_map(|i| u8::from_str_radix(digits.get(2 * i..2 * i + 2)?, 16).ok())
        .collect())
}

/// The first counter decides the order; the others must follow it. `ceb` alone looks at that one only.
fn acc_ecn(input: &mut Input<'_>) -> Parsed<TcpOption> {
    if keyword(input, "ceb")? {
        return Ok(TcpOption::AccEcnCe(bounded(input, "a counter of 24 bits", 0xff_ffff)?.value as u32));
    }
    let mut order = AccEcnOrder::E1First;
    let mut counters = Vec::new();
    loop {
        let start = at(input);
        let wanted = match peek_word(input) {
            "e0b" | "e1b" | "ceb" => word(input, "a counter")?,
            _ => break,
        };
        if counters.is_empty() && wanted.value == "e0b" {
            order = AccEcnOrder::E0First;
        }
        let names = match order {
            AccEcnOrder::E0First => ["e0b", "ceb", "e1b"],
            AccEcnOrder::E1First => ["e1b", "ceb", "e0b"],
        };
        if names.get(counters.len()) != Some(&wanted.value.as_str()) {
            return Err(Fault::message(
                start..at(input),
                "the counters are `e0b N ceb N e1b N` or `e1b N ceb N e0b N`, from the left as many as there are",
            ));
        }
        counters.push(bounded(input, "a counter of 24 bits", 0xff_ffff)?.value as u32);
    }
    Ok(TcpOption::AccEcn(order, counters))
}

impl TcpOption {
    /// Bytes that the option takes on the wire.
    pub fn wire_len(&self) -> usize {
        match self {
            TcpOption::Nop | TcpOption::Eol => 1,
            TcpOption::Mss(_) => 4,
            TcpOption::WindowScale(_) => 3,
            TcpOption::SackPermitted => 2,
            TcpOption::Sack(blocks) => 2 + 8 * blocks.len(),
            TcpOption::Timestamps { .. } => 10,
            TcpOption::FastOpen { experimental, cookie } => {
                2 + cookie.len() + if *experimental { 2 } else { 0 }
            }
            TcpOption::Md5(_) => 18,
            TcpOption::AccEcn(_, counters) => 2 + 3 * counters.len(),
            TcpOption::AccEcnCe(_) => 8,
            TcpOption::Other(_, data) => 2 + data.len(),
        }
    }
}
