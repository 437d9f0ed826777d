//! Bytes, and how much a queue takes.

use super::quantity;
use cauce_lab::queue::QueueLimit;
use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

const UNITS: [(&str, u64); 5] =
    [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

fn factor(unit: &str) -> Option<u64> {
    Some(match unit {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return None,
    })
}

fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = quantity::split(text)?;
    quantity::scale(number, factor(&unit)?)
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        bytes(text).map(Size).ok_or_else(|| {
            format!("`{text}` is not a size; write a number of bytes, or one with k, m, g or t (by 1024) as in 64k")
        })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quantity::in_largest(self.0, &UNITS, 1))
    }
}

/// How much may wait for a transmitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSize(pub QueueLimit);

impl FromStr for QueueSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("unlimited") {
            return Ok(QueueSize(QueueLimit::UNLIMITED));
        }
        let parsed = quantity::split(text).and_then(|(number, unit)| match unit.as_str() {
            "" | "p" | "packets" => number.parse().ok().map(QueueLimit::packets),
            unit => quantity::scale(number, factor(unit)?).map(QueueLimit::bytes),
        });
        parsed.map(QueueSize).ok_or_else(|| {
            format!(
                "`{text}` is not a queue's size; write a number of packets as in 1000, bytes with b, k, m or g \
                 (by 1024) as in 256k, or `unlimited`"
            )
        })
    }
}

impl fmt::Display for QueueSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.packets, self.0.bytes) {
            (Some(packets), _) => write!(f, "{packets} packets"),
            (None, Some(bytes)) => Size(bytes).fmt(f),
            (None, None) => f.write_str("unlimited"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_bytes_and_multiples_of_1024() {
        for (text, bytes) in
            [("0", 0), ("1500", 1_500), ("64k", 65_536), ("1.5MiB", 1_572_864), ("2 gb", 2 << 30)]
        {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        let error = "64kbit".parse::<Size>().unwrap_err();
        assert!(error.contains("`64kbit`") && error.contains("64k"), "{error}");
        assert_eq!(Size(16 << 20).to_string(), "16 MiB");
    }

    #[test]
    fn a_queue_holds_packets_or_bytes() {
        assert_eq!("1000".parse(), Ok(QueueSize(QueueLimit::packets(1_000))));
        assert_eq!("256k".parse(), Ok(QueueSize(QueueLimit::bytes(262_144))));
        assert_eq!("100b".parse(), Ok(QueueSize(QueueLimit::bytes(100))));
        assert_eq!("unlimited".parse(), Ok(QueueSize(QueueLimit::UNLIMITED)));
        assert!("1.5".parse::<QueueSize>().is_err());
        assert!("5x".parse::<QueueSize>().unwrap_err().contains("`5x`"));
        assert_eq!(QueueSize(QueueLimit::packets(7)).to_string(), "7 packets");
    }
}
