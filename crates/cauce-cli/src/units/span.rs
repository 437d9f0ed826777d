//! Spans of time.

use super::quantity;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

const UNITS: [(&str, u64); 4] = [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];

/// The longest span that a path may take.
const LONGEST: Duration = Duration::from_secs(100);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = quantity::split(text).and_then(|(number, unit)| {
            let factor = match unit.as_str() {
                "ns" | "nsec" => 1,
                "us" | "µs" | "usec" => 1_000,
                "ms" | "msec" => 1_000_000,
                "s" | "sec" => 1_000_000_000,
                "" if number.parse() == Ok(0.0) => 1,
                _ => return None,
            };
            quantity::scale(number, factor).map(Duration::from_nanos)
        });
        match parsed {
            Some(span) if span <= LONGEST => Ok(Span(span)),
            Some(_) => Err(format!("`{text}` is too long; at most 100s is allowed")),
            None => {
                Err(format!("`{text}` is not a span of time; write a number with ns, us, ms or s as in 40ms"))
            }
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quantity::in_largest(u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX), &UNITS, 6))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_spans_with_a_unit() {
        for (text, micros) in
            [("40ms", 40_000), ("1.5s", 1_500_000), ("250us", 250), ("3 msec", 3_000), ("0", 0)]
        {
            assert_eq!(text.parse(), Ok(Span(Duration::from_micros(micros))), "{text}");
        }
        for wrong in ["40", "ms", "40 minutes", "-1ms"] {
            let error = wrong.parse::<Span>().unwrap_err();
            assert!(error.contains(&format!("`{wrong}`")) && error.contains("40ms"), "{error}");
        }
        assert!("101s".parse::<Span>().unwrap_err().contains("at most 100s"));
        assert_eq!(Span(Duration::from_micros(40_100)).to_string(), "40.1 ms");
    }
}
