//! Reads words, numbers and punctuation from one line, and says where and why it could not.

use alloc::string::String;
use core::fmt;

use arrayvec::ArrayVec;

/// Why a line is not a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiteralError {
    /// Byte offset in the line.
    pub at: usize,
    /// What could stand there.
    pub expected: &'static str,
    /// What stands there; empty at the end of the line.
    pub found: String,
}

impl fmt::Display for LiteralError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LiteralError { at, expected, found } = self;
        if found.is_empty() {
            write!(f, "expected {expected} at the end of the line")
        } else {
            write!(f, "expected {expected} at column {}, found `{found}`", at + 1)
        }
    }
}

impl core::error::Error for LiteralError {}

/// A place in a line. A copy looks ahead.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

const PUNCTUATION: &[char] = &[',', ':', '<', '>', '(', ')', '[', ']'];

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Cursor<'a> {
        Cursor { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// The error that `expected` does not stand here.
    pub(super) fn error(&mut self, expected: &'static str) -> LiteralError {
        self.skip_blanks();
        let word = self.peek();
        let found = if word.is_empty() { self.rest().chars().take(1).collect() } else { String::from(word) };
        LiteralError { at: self.at, expected, found }
    }

    /// The next word without taking it: up to a blank or punctuation, possibly empty.
    pub(super) fn peek(&mut self) -> &'a str {
        self.skip_blanks();
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || PUNCTUATION.contains(&c)).unwrap_or(rest.len());
        rest.get(..end).unwrap_or("")
    }

    pub(super) fn word(&mut self) -> &'a str {
        let word = self.peek();
        self.at += word.len();
        word
    }

    /// Takes `word` if it is the next one.
    pub(super) fn keyword(&mut self, word: &str) -> bool {
        let is_next = self.peek() == word;
        self.at += if is_next { word.len() } else { 0 };
        is_next
    }

    pub(super) fn expect_keyword(&mut self, word: &'static str) -> Result<(), LiteralError> {
        if self.keyword(word) { Ok(()) } else { Err(self.error(word)) }
    }

    /// Takes the punctuation `sign` if it comes next.
    pub(super) fn sign(&mut self, sign: char) -> bool {
        self.skip_blanks();
        let is_next = self.rest().starts_with(sign);
        self.at += if is_next { sign.len_utf8() } else { 0 };
        is_next
    }

    pub(super) fn expect_sign(&mut self, sign: char, expected: &'static str) -> Result<(), LiteralError> {
        if self.sign(sign) { Ok(()) } else { Err(self.error(expected)) }
    }

    /// A number, decimal or with `0x`, that is right for `T`.
    pub(super) fn number<T: TryFrom<u64>>(&mut self, expected: &'static str) -> Result<T, LiteralError> {
        let word = self.peek();
        let number = parse_number(word).and_then(|number| T::try_from(number).ok());
        let number = number.ok_or_else(|| self.error(expected))?;
        self.at += word.len();
        Ok(number)
    }

    /// A number from `min` to `max`.
    pub(super) fn number_in(
        &mut self,
        min: u32,
        max: u32,
        expected: &'static str,
    ) -> Result<u32, LiteralError> {
        let mut before = *self;
        let number = self.number(expected)?;
        if (min..=max).contains(&number) { Ok(number) } else { Err(before.error(expected)) }
    }

    /// The number after the keyword `word`, if that comes next.
    pub(super) fn number_after<T: TryFrom<u64>>(
        &mut self,
        word: &str,
        expected: &'static str,
    ) -> Result<Option<T>, LiteralError> {
        if self.keyword(word) { self.number(expected).map(Some) } else { Ok(None) }
    }

    /// Bytes in hexadecimal, with or without `0x`.
    pub(super) fn hex<const N: usize>(
        &mut self,
        expected: &'static str,
    ) -> Result<ArrayVec<u8, N>, LiteralError> {
        let word = self.peek();
        let bytes = parse_hex(word.strip_prefix("0x").unwrap_or(word)).ok_or_else(|| self.error(expected))?;
        self.at += word.len();
        Ok(bytes)
    }

    /// Fails when anything but blanks is left.
    pub(super) fn end(&mut self) -> Result<(), LiteralError> {
        self.skip_blanks();
        if self.rest().is_empty() { Ok(()) } else { Err(self.error("the end of the line")) }
    }
}

fn parse_number(word: &str) -> Option<u64> {
    let (digits, radix) = word.strip_prefix("0x").map_or((word, 10), |digits| (digits, 16));
    let is_number = digits.chars().all(|c| c.is_digit(radix));
    if is_number { u64::from_str_radix(digits, radix).ok() } else { None }
}

fn parse_hex<const N: usize>(digits: &str) -> Option<ArrayVec<u8, N>> {
    let mut bytes = ArrayVec::new();
    let mut digits = digits.chars().map(|c| c.to_digit(16));
    while let Some(high) = digits.next() {
        let low = digits.next()??;
        bytes.try_push((high? << 4 | low) as u8).ok()?;
    }
    Some(bytes)
}
