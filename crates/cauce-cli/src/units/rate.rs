//! Bits a second.

use super::quantity;
use std::fmt;
use std::str::FromStr;

/// A line rate; `None` is unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(pub Option<u64>);

const UNITS: [(&str, u64); 5] = [
    ("bit/s", 1),
    ("kbit/s", 1_000),
    ("Mbit/s", 1_000_000),
    ("Gbit/s", 1_000_000_000),
    ("Tbit/s", 1_000_000_000_000),
];

/// A measured rate, cut to two digits behind the point.
pub fn bits_per_second(bits: u64) -> String {
    quantity::in_largest(bits, &UNITS, 2)
}

fn factor(unit: &str) -> Option<u64> {
    let (prefix, bits) = match unit.strip_suffix("bit") {
        Some(prefix) => (prefix, 1),
        None if unit.is_empty() => ("", 1),
        None => (unit.strip_suffix("bps")?, 8),
    };
    let multiple = match prefix {
        "" => 1,
        "k" => 1_000,
        "m" => 1_000_000,
        "g" => 1_000_000_000,
        "t" => 1_000_000_000_000,
        "ki" => 1 << 10,
        "mi" => 1 << 20,
        "gi" => 1 << 30,
        "ti" => 1 << 40,
        _ => return None,
    };
    Some(multiple * bits)
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("unlimited") {
            return Ok(Rate(None));
        }
        let parsed = quantity::split(text).and_then(|(number, unit)| {
            let bits = quantity::scale(number, factor(&unit)?)?;
            Some(bits)
        });
        match parsed {
            Some(bits) if bits > 0 => Ok(Rate(Some(bits))),
            _ => Err(format!(
                "`{text}` is not a rate; write a number above 0 with one of bit, kbit, mbit, gbit, tbit (bits a \
                 second), kibit, mibit, gibit (by 1024), bps, kbps, mbps, gbps (bytes a second) as in 100mbit, \
                 or `unlimited`"
            )),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bits) => f.write_str(&quantity::in_largest(bits, &UNITS, 6)),
            None => f.write_str("unlimited"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_units_of_tc() {
        for (text, bits) in [
            ("100mbit", 100_000_000),
            ("1Gbit", 1_000_000_000),
            ("1.5kbit", 1_500),
            ("2mbps", 16_000_000),
            ("1kibit", 1_024),
            ("9600", 9_600),
        ] {
            assert_eq!(text.parse(), Ok(Rate(Some(bits))), "{text}");
        }
        assert_eq!("unlimited".parse(), Ok(Rate(None)));
    }

    #[test]
    fn names_the_wrong_value_and_what_is_allowed() {
        for wrong in ["", "fast", "0", "0mbit", "100 bananas", "-1mbit", "99999999tbit"] {
            let error = wrong.parse::<Rate>().unwrap_err();
            assert!(error.contains(&format!("`{wrong}`")) && error.contains("100mbit"), "{error}");
        }
    }

    #[test]
    fn prints_what_it_read() {
        assert_eq!(Rate(Some(100_000_000)).to_string(), "100 Mbit/s");
        assert_eq!(Rate(None).to_string(), "unlimited");
    }
}
