//! Numbers as `/proc/sys` reads and writes them (rules G-01 to G-05, S-40).

use super::{Kind, Refusal, SysctlEntry};
use alloc::string::{String, ToString};

/// A value that a setting can have.
pub(super) trait Value: Sized {
    /// Its kind, for the table.
    const KIND: Kind;
    /// The value as text.
    fn format(&self) -> String;
    /// The value that `text` asks for; parts that `text` leaves out stay as they are in `self`.
    fn parse(&self, text: &str, entry: &SysctlEntry) -> Result<Self, Refusal>;
}

const BLANKS: [char; 6] = [' ', '\t', '\n', '\r', '\x0b', '\x0c'];

/// Reads one number at the start of `text` and returns what stands behind it. A number ends at the end, a
/// blank, a tab or a newline.
pub(super) fn number(text: &str) -> Result<(i128, &str), Refusal> {
    let text = text.trim_start_matches(BLANKS);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', next, ..] if next.is_ascii_hexdigit() => (16, &digits[2..]),
        [b'0', ..] => (8, digits),
        _ => (10, digits),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if digits.is_empty() || !(rest.is_empty() || rest.starts_with([' ', '\t', '\n'])) {
        return Err(Refusal::NotANumber);
    }
    // Past 64 bits no setting has a value: saturation keeps the number out of every range.
    let magnitude = digits.chars().fold(0i128, |sum, c| {
        let digit = i128::from(c.to_digit(radix).unwrap_or(0));
        (sum * i128::from(radix) + digit).min(1 << 100)
    });
    Ok((if negative { -magnitude } else { magnitude }, rest))
}

/// As [`number`], within the entry's range.
pub(super) fn number_within<'t>(text: &'t str, entry: &SysctlEntry) -> Result<(i128, &'t str), Refusal> {
    let (value, rest) = number(text)?;
    if value < entry.min || value > entry.max {
        return Err(Refusal::OutOfRange { min: entry.min, max: entry.max });
    }
    Ok((value, rest))
}

macro_rules! integer_values {
    ($($type:ty: $kind:ident,)+) => {$(
        impl Value for $type {
            const KIND: Kind = Kind::$kind;
            fn format(&self) -> String {
                self.to_string()
            }
            fn parse(&self, text: &str, entry: &SysctlEntry) -> Result<Self, Refusal> {
                let (value, _) = number_within(text, entry)?;
                <$type>::try_from(value).map_err(|_| Refusal::OutOfRange { min: entry.min, max: entry.max })
            }
        }
    )+};
}

integer_values! {
    u8: U8,
    i32: I32,
    u32: U32,
    u64: U64,
}

/// Reads up to `N` numbers; those that are missing keep their old value, further words are ignored.
pub(super) fn vector<T: Copy + TryFrom<i128>, const N: usize>(
    old: &[T; N],
    text: &str,
    entry: &SysctlEntry,
) -> Result<[T; N], Refusal> {
    let mut new = *old;
    let mut rest = text;
    for (index, part) in new.iter_mut().enumerate() {
        if index > 0 && rest.trim_matches(BLANKS).is_empty() {
            break;
        }
        let (value, behind) = number_within(rest, entry)?;
        *part = T::try_from(value).map_err(|_| Refusal::OutOfRange { min: entry.min, max: entry.max })?;
        rest = behind;
    }
    Ok(new)
}

fn join<T: ToString>(parts: &[T]) -> String {
    let mut text = String::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            text.push('\t');
        }
        text.push_str(&part.to_string());
    }
    text
}

impl Value for [i32; 3] {
    const KIND: Kind = Kind::I32x3;
    fn format(&self) -> String {
        join(self)
    }
    fn parse(&self, text: &str, entry: &SysctlEntry) -> Result<Self, Refusal> {
        vector(self, text, entry)
    }
}

impl Value for [u64; 3] {
    const KIND: Kind = Kind::U64x3;
    fn format(&self) -> String {
        join(self)
    }
    fn parse(&self, text: &str, entry: &SysctlEntry) -> Result<Self, Refusal> {
        vector(self, text, entry)
    }
}

impl Value for [u16; 2] {
    const KIND: Kind = Kind::PortRange;
    fn format(&self) -> String {
        join(self)
    }
    fn parse(&self, text: &str, entry: &SysctlEntry) -> Result<Self, Refusal> {
        let new = vector(self, text, entry)?;
        if new[0] > new[1] {
            return Err(Refusal::Malformed("a range: the first port must not exceed the last"));
        }
        Ok(new)
    }
}
