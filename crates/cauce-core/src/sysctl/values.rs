//! The values that are not plain numbers: algorithm names, port lists and Fast Open keys.

use super::text::{Value, number};
use super::{Kind, Profile, Refusal, SysctlEntry, UnknownProfile};
use alloc::string::String;
use alloc::vec::Vec;
use arrayvec::{ArrayString, ArrayVec};
use core::fmt::{self, Write};

/// Longest name of an algorithm, as `TCP_CA_NAME_MAX` (16, its terminating zero included) allows.
const MAX_NAME: usize = 15;
/// Most algorithms of a list.
const MAX_ALGORITHMS: usize = 32;

/// The name of a congestion-control algorithm, stored in place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlgorithmName(ArrayString<MAX_NAME>);

impl AlgorithmName {
    /// The name, unless it is empty, longer than 15 bytes, or not plain visible ASCII.
    pub fn new(name: &str) -> Option<Self> {
        let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        if !plain {
            return None;
        }
        ArrayString::from(name).ok().map(AlgorithmName)
    }

    /// CUBIC's name, the default.
    pub(super) fn cubic() -> Self {
        let mut name = ArrayString::new();
        name.push_str("cubic");
        AlgorithmName(name)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AlgorithmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AlgorithmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq<&str> for AlgorithmName {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl Value for AlgorithmName {
    const KIND: Kind = Kind::Algorithm;
    fn format(&self) -> String {
        self.as_str().into()
    }
    fn parse(&self, text: &str, _: &SysctlEntry) -> Result<Self, Refusal> {
        let word = text.split('\n').next().unwrap_or_default();
        AlgorithmName::new(word).ok_or(Refusal::UnknownAlgorithm { known: String::new() })
    }
}

impl Value for Profile {
    const KIND: Kind = Kind::Profile;
    fn format(&self) -> String {
        self.name().into()
    }
    fn parse(&self, text: &str, _: &SysctlEntry) -> Result<Self, Refusal> {
        text.trim().parse().map_err(|UnknownProfile| Refusal::Malformed(UnknownProfile::KNOWN))
    }
}

/// Algorithm names without duplicates, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlgorithmList(ArrayVec<AlgorithmName, MAX_ALGORITHMS>);

impl AlgorithmList {
    /// A list of these names; what is no valid name, or does not fit, is left out.
    pub fn of(names: &[&str]) -> Self {
        let mut list = AlgorithmList::default();
        names.iter().filter_map(|name| AlgorithmName::new(name)).for_each(|name| list.insert(name));
        list
    }

    /// True when the list has this name.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|known| known.as_str() == name)
    }

    /// Adds a name at the end, unless it is there already or the list (32 names) is full.
    pub fn insert(&mut self, name: AlgorithmName) {
        if !self.0.contains(&name) {
            // A full list stays as it is: 32 is far more than there are algorithms.
            let _ = self.0.try_push(name);
        }
    }

    /// The names in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> + '_ {
        self.0.iter().map(AlgorithmName::as_str)
    }
}

impl Value for AlgorithmList {
    const KIND: Kind = Kind::AlgorithmList;
    fn format(&self) -> String {
        let mut text = String::new();
        for name in self.iter() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(name);
        }
        text
    }
    fn parse(&self, text: &str, _: &SysctlEntry) -> Result<Self, Refusal> {
        let mut list = AlgorithmList::default();
        for word in text.split_ascii_whitespace() {
            match AlgorithmName::new(word) {
                Some(name) => list.insert(name),
                None => return Err(Refusal::UnknownAlgorithm { known: String::new() }),
            }
        }
        Ok(list)
    }
}

/// A set of ports, as sorted ranges that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortList(Vec<(u16, u16)>);

impl PortList {
    /// True when the set has this port.
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|&(first, last)| (first..=last).contains(&port))
    }

    /// The ranges, first and last port each.
    pub fn ranges(&self) -> &[(u16, u16)] {
        &self.0
    }

    fn from_ranges(mut ranges: Vec<(u16, u16)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::new();
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(previous) if u32::from(first) <= u32::from(previous.1) + 1 => {
                    previous.1 = previous.1.max(last);
                }
                _ => merged.push((first, last)),
            }
        }
        PortList(merged)
    }
}

const PORT_LIST_FORM: &str = "a list of ports and ranges such as 8080,9000-9010";

impl Value for PortList {
    const KIND: Kind = Kind::PortList;
    fn format(&self) -> String {
        let mut text = String::new();
        for &(first, last) in &self.0 {
            let comma = if text.is_empty() { "" } else { "," };
            // Writing to a String cannot fail.
            let _ = if first == last {
                write!(text, "{comma}{first}")
            } else {
                write!(text, "{comma}{first}-{last}")
            };
        }
        text
    }
    fn parse(&self, text: &str, _: &SysctlEntry) -> Result<Self, Refusal> {
        // Newlines part entries as commas do; blanks are refused everywhere, and a last comma may stand alone.
        let port = |text: &str| -> Result<u16, Refusal> {
            let (value, rest) = number(text).map_err(|_| Refusal::Malformed(PORT_LIST_FORM))?;
            if !rest.is_empty() || !text.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(Refusal::Malformed(PORT_LIST_FORM));
            }
            u16::try_from(value).map_err(|_| Refusal::OutOfRange { min: 0, max: 65_535 })
        };
        let mut ranges = Vec::new();
        for line in text.split('\n').filter(|line| !line.is_empty()) {
            for part in line.strip_suffix(',').unwrap_or(line).split(',') {
                let (first, last) = part.split_once('-').unwrap_or((part, part));
                let range = (port(first)?, port(last)?);
                if range.0 > range.1 {
                    return Err(Refusal::Malformed(PORT_LIST_FORM));
                }
                ranges.push(range);
            }
        }
        Ok(PortList::from_ranges(ranges))
    }
}

/// The keys for Fast Open cookies: none, one, or two. The first makes cookies, both check them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FastOpenKeys(ArrayVec<[u32; 4], 2>);

impl FastOpenKeys {
    /// One key, or a new one and the old one that is still valid.
    pub fn new(primary: [u32; 4], backup: Option<[u32; 4]>) -> Self {
        let mut keys = ArrayVec::new();
        keys.push(primary);
        keys.extend(backup);
        FastOpenKeys(keys)
    }

    /// Keys as TCP_FASTOPEN_KEY takes them: 16 bytes, or 32 with the older key behind. `None` for other lengths.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let word = |part: &[u8]| Some(u32::from_le_bytes(part.try_into().ok()?));
        let key = |part: &[u8]| -> Option<[u32; 4]> {
            let mut words = part.chunks(4).map(word);
            Some([words.next()??, words.next()??, words.next()??, words.next()??])
        };
        match bytes.len() {
            16 => Some(FastOpenKeys::new(key(bytes)?, None)),
            32 => Some(FastOpenKeys::new(key(&bytes[..16])?, Some(key(&bytes[16..])?))),
            _ => None,
        }
    }

    /// The keys as TCP_FASTOPEN_KEY reads them.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flatten().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// The key that makes cookies, unless none has been set.
    pub fn primary(&self) -> Option<[u32; 4]> {
        self.0.first().copied()
    }

    /// The older key, which still validates cookies.
    pub fn backup(&self) -> Option<[u32; 4]> {
        self.0.get(1).copied()
    }
}

impl fmt::Debug for FastOpenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FastOpenKeys({} set)", self.0.len())
    }
}

const KEY_FORM: &str = "one or two keys, each four hexadecimal words joined by `-`, with a comma between";

impl Value for FastOpenKeys {
    const KIND: Kind = Kind::FastOpenKey;
    fn format(&self) -> String {
        let unset = [[0; 4]];
        let keys: &[[u32; 4]] = if self.0.is_empty() { &unset } else { &self.0 };
        let mut text = String::new();
        for [a, b, c, d] in keys {
            let comma = if text.is_empty() { "" } else { "," };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}{a:08x}-{b:08x}-{c:08x}-{d:08x}");
        }
        text
    }
    fn parse(&self, text: &str, _: &SysctlEntry) -> Result<Self, Refusal> {
        let key = |text: &str| -> Option<[u32; 4]> {
            let mut words = text.split('-').map(hex_word);
            let key = [words.next()??, words.next()??, words.next()??, words.next()??];
            words.next().is_none().then_some(key)
        };
        let mut parts = text.trim_ascii().split(',');
        let primary = parts.next().and_then(key).ok_or(Refusal::Malformed(KEY_FORM))?;
        let backup = match parts.next() {
            Some(part) => Some(key(part).ok_or(Refusal::Malformed(KEY_FORM))?),
            None => None,
        };
        if parts.next().is_some() {
            return Err(Refusal::Malformed(KEY_FORM));
        }
        Ok(FastOpenKeys::new(primary, backup))
    }
}

/// A hexadecimal word; one that is too long keeps its low 32 bits, as S-19 records of Linux.
fn hex_word(text: &str) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.chars().try_fold(0u32, |word, c| Some((word << 4) | c.to_digit(16)?))
}
