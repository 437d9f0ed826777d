//! The smallest pieces: blanks and comments, words, numbers, strings. Each eats the blanks after it.

use std::collections::BTreeMap;
use std::ops::Range;

use winnow::Parser;
use winnow::combinator::{alt, opt};
use winnow::stream::{LocatingSlice, Location, Stateful, Stream};
use winnow::token::{literal, one_of, take_until, take_while};

use super::fault::Fault;
use crate::ast::{IcmpFamily, Spanned};

/// What the parser knows besides the text.
#[derive(Debug, Default, Clone)]
pub(crate) struct Known {
    /// `-D NAME=VALUE`.
    pub definitions: BTreeMap<String, String>,
    /// Whose ICMP names are meant; decided by `ip_version`.
    pub family: Option<IcmpFamily>,
}

pub(crate) type Input<'s> = Stateful<LocatingSlice<&'s str>, &'s Known>;
pub(crate) type Parsed<T> = Result<T, Fault>;

/// The offset of the next character.
pub(crate) fn at(input: &Input<'_>) -> usize {
    input.current_token_start()
}

/// The offset just after the last character that was taken, blanks not counted.
pub(crate) fn end_of(input: &Input<'_>, start: usize, whole: &str) -> usize {
    let end = at(input);
    whole.get(start..end).map_or(end, |text| start + text.trim_end().len())
}

/// What is left to read.
pub(crate) fn rest<'s>(input: &Input<'s>) -> &'s str {
    input.input.peek_slice(input.input.eof_offset())
}

/// True when the text goes on with `text`.
pub(crate) fn sees(input: &Input<'_>, text: &str) -> bool {
    rest(input).starts_with(text)
}

/// The next character.
pub(crate) fn peek(input: &Input<'_>) -> Option<char> {
    rest(input).chars().next()
}

/// Blanks, line ends and comments of both kinds.
pub(crate) fn blank(input: &mut Input<'_>) -> Parsed<()> {
    loop {
        take_while(0.., char::is_whitespace).void().parse_next(input)?;
        let start = at(input);
        if opt(literal("//")).parse_next(input)?.is_some() {
            take_while(0.., |c| c != '\n').void().parse_next(input)?;
        } else if opt(literal("/*")).parse_next(input)?.is_some() {
            let closed: Parsed<()> = (take_until(0.., "*/"), literal("*/")).void().parse_next(input);
            closed.map_err(|_: Fault| {
                Fault::message(start..start + 2, "this comment is never closed: `*/` is missing")
            })?;
        } else {
            return Ok(());
        }
    }
}

/// The rest of the line.
pub(crate) fn line(input: &mut Input<'_>) -> Parsed<()> {
    take_while(0.., |c| c != '\n').void().parse_next(input)
}

/// Exactly `text`, which is called `what` when it is missing.
pub(crate) fn symbol(input: &mut Input<'_>, text: &'static str, what: &'static str) -> Parsed<()> {
    let start = at(input);
    let taken: Parsed<()> = literal(text).void().parse_next(input);
    taken.map_err(|_| Fault::expected(start, what))?;
    blank(input)
}

/// `text` if it stands here.
pub(crate) fn maybe(input: &mut Input<'_>, text: &'static str) -> Parsed<bool> {
    let found = opt(literal(text)).parse_next(input)?.is_some();
    if found {
        blank(input)?;
    }
    Ok(found)
}

fn is_word_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The word that stands here, not taken.
pub(crate) fn peek_word<'s>(input: &Input<'s>) -> &'s str {
    let rest = rest(input);
    if !rest.starts_with(is_word_start) {
        return "";
    }
    &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())]
}

/// A name.
pub(crate) fn word(input: &mut Input<'_>, what: &'static str) -> Parsed<Spanned<String>> {
    let start = at(input);
    let taken: Parsed<&str> = (one_of(is_word_start), take_while(0.., is_word)).take().parse_next(input);
    let value = taken.map_err(|_| Fault::expected(start, what))?.to_owned();
    let span = start..at(input);
    blank(input)?;
    Ok(Spanned { value, span })
}

/// The word `text` if it stands here.
pub(crate) fn keyword(input: &mut Input<'_>, text: &'static str) -> Parsed<bool> {
    if peek_word(input) == text { word(input, text).map(|_| true) } else { Ok(false) }
}

/// A number without sign, decimal or hexadecimal.
pub(crate) fn unsigned(input: &mut Input<'_>, what: &'static str) -> Parsed<Spanned<u64>> {
    let start = at(input);
    let mut hexadecimal =
        opt((alt((literal("0x"), literal("0X"))), one_of(|c: char| c.is_ascii_hexdigit())).take());
    let value = if let Some(first) = hexadecimal.parse_next(input)? {
        let more: &str = take_while(0.., |c: char| c.is_ascii_hexdigit()).parse_next(input)?;
        u64::from_str_radix(&format!("{}{more}", &first[2..]), 16)
    } else {
        let digits: Parsed<&str> = take_while(1.., |c: char| c.is_ascii_digit()).parse_next(input);
        digits.map_err(|_| Fault::expected(start, what))?.parse()
    };
    let span = start..at(input);
    let value = value.map_err(|_| Fault::message(span.clone(), "this number is too large"))?;
    blank(input)?;
    Ok(Spanned { value, span })
}

/// A number without sign that is at most `max`.
pub(crate) fn bounded(input: &mut Input<'_>, what: &'static str, max: u64) -> Parsed<Spanned<u64>> {
    let number = unsigned(input, what)?;
    if number.value > max {
        return Err(Fault::message(number.span, format!("{what} must be at most {max}")));
    }
    Ok(number)
}

/// A number modulo 2^32: one without sign, or `-N` for what lies N before 0.
pub(crate) fn wrapping(input: &mut Input<'_>, what: &'static str) -> Parsed<u32> {
    let start = at(input);
    let negative = peek(input) == Some('-');
    if negative {
        symbol(input, "-", what)?;
    }
    let number = unsigned(input, what)?;
    let max = if negative { 1 << 31 } else { u64::from(u32::MAX) };
    if number.value > max {
        let sign = if negative { "at least -" } else { "at most " };
        return Err(Fault::message(start..number.span.end, format!("{what} must be {sign}{max}")));
    }
    let value = number.value as u32;
    Ok(if negative { value.wrapping_neg() } else { value })
}

/// Seconds as a decimal fraction, in nanoseconds.
pub(crate) fn seconds(input: &mut Input<'_>) -> Parsed<i64> {
    let start = at(input);
    let whole: &str = take_while(0.., |c: char| c.is_ascii_digit()).parse_next(input)?;
    let after = rest(input);
    let dots = after.len() - after.trim_start_matches('.').len();
    let digits = after[dots..].starts_with(|c: char| c.is_ascii_digit());
    // `1.` is a time, and so is the `1` of `1...2`, whose dots are the ellipsis.
    let dotted = dots == 1 && (digits || !whole.is_empty()) || dots == 4 && !whole.is_empty();
    let fraction = if dotted {
        literal(".").void().parse_next(input)?;
        take_while(0.., |c: char| c.is_ascii_digit()).parse_next(input)?
    } else {
        ""
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(Fault::expected(start, "a time in seconds"));
    }
    let span = start..at(input);
    let nanos = format!("{:0<9}", fraction.get(..9).unwrap_or(fraction));
    let value = format!("0{whole}")
        .parse::<i64>()
        .ok()
        .filter(|seconds| *seconds < 1_000_000_000)
        .and_then(|seconds| Some(seconds.checked_mul(1_000_000_000)? + nanos.parse::<i64>().ok()?));
    blank(input)?;
    value.ok_or_else(|| Fault::message(span, "this time is too long"))
}

/// A string in double quotes.
pub(crate) fn text(input: &mut Input<'_>) -> Parsed<Vec<u8>> {
    let start = at(input);
    let taken: Parsed<()> = literal("\"").void().parse_next(input);
    taken.map_err(|_| Fault::expected(start, "a string"))?;
    let mut bytes = Vec::new();
    loop {
        let here = at(input);
        let next: Parsed<char> = winnow::token::any.parse_next(input);
        match next {
            Ok('"') => break,
            Ok('\\') => bytes.push(escape(input, here)?),
            Ok('\n') | Err(_) => {
                return Err(Fault::message(start..here, "this string is never closed: `\"` is missing"));
            }
            Ok(other) => bytes.extend(other.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    blank(input)?;
    Ok(bytes)
}

fn escape(input: &mut Input<'_>, start: usize) -> Parsed<u8> {
    let next: Parsed<char> = winnow::token::any.parse_next(input);
    Ok(match next {
        Ok('n') => b'\n',
        Ok('t') => b'\t',
        Ok('r') => b'\r',
        Ok('a') => 7,
        Ok('b') => 8,
        Ok('f') => 12,
        Ok('v') => 11,
        Ok(first @ '0'..='7') => {
            let more: &str = take_while(0..=2, |c: char| c.is_digit(8)).parse_next(input)?;
            let value = u32::from_str_radix(&format!("{first}{more}"), 8).unwrap_or(u32::MAX);
            u8::try_from(value)
                .map_err(|_| Fault::message(start..at(input), "this octal escape is no byte"))?
        }
        Ok(c @ ('\\' | '"' | '\'')) => c as u8,
        Ok('x') => {
            let digits: &str = take_while(1..=2, |c: char| c.is_ascii_hexdigit())
                .parse_next(input)
                .map_err(|_: Fault| Fault::expected(at(input), "hexadecimal digits").fatal())?;
            u8::from_str_radix(digits, 16).unwrap_or(0)
        }
        _ => return Err(Fault::message(start..at(input), "unknown escape in a string")),
    })
}

/// The text between `open` and `close`, both taken.
pub(crate) fn enclosed(
    input: &mut Input<'_>,
    open: &'static str,
    close: &'static str,
    what: &'static str,
) -> Parsed<Spanned<String>> {
    let start = at(input);
    let taken: Parsed<()> = literal(open).void().parse_next(input);
    taken.map_err(|_| Fault::expected(start, what))?;
    let body: Parsed<&str> = take_until(0.., close).parse_next(input);
    let unclosed =
        |_| Fault::message(start..start + open.len(), format!("this is never closed: `{close}` is missing"));
    let value = body.map_err(unclosed)?.to_owned();
    let end: Parsed<()> = literal(close).void().parse_next(input);
    end?;
    let span = start..at(input);
    blank(input)?;
    Ok(Spanned { value, span })
}

/// The span from `start` to the last character taken that is no blank.
pub(crate) fn span_from(input: &Input<'_>, start: usize, whole: &str) -> Range<usize> {
    start..end_of(input, start, whole).max(start)
}
