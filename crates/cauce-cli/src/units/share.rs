//! Shares in a hundred: how often a fault strikes.

use cauce_lab::rng::Probability;
use std::fmt;
use std::str::FromStr;

/// A share of all packets, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(f64);

impl Share {
    /// The share as a probability.
    pub fn probability(self) -> Probability {
        Probability::percent(self.0)
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.trim().strip_suffix('%').unwrap_or(text).trim();
        match number.parse() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Share(percent)),
            _ => Err(format!("`{text}` is not a share; write a percentage from 0 to 100 as in 0.1%")),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_percentages() {
        assert_eq!("0.1%".parse(), Ok(Share(0.1)));
        assert_eq!("25".parse(), Ok(Share(25.0)));
        assert_eq!("100 %".parse(), Ok(Share(100.0)));
        for wrong in ["", "101", "-1%", "NaN", "some"] {
            let error = wrong.parse::<Share>().unwrap_err();
            assert!(error.contains(&format!("`{wrong}`")) && error.contains("0 to 100"), "{error}");
        }
        assert_eq!(Share(0.1).to_string(), "0.1 %");
    }
}
