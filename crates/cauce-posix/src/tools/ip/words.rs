//! The words of an `ip` command, taken one by one, and what is said of wrong ones.

use std::net::IpAddr;

use crate::tools::Output;

/// A value, or the output that says what is wrong.
pub(super) type Parsed<T> = Result<T, Box<Output>>;

/// The words that are left.
pub(super) struct Words<'w, 't> {
    /// Them.
    pub rest: &'w [&'t str],
}

impl<'t> Words<'_, 't> {
    /// Takes the next one.
    pub fn next(&mut self) -> Option<&'t str> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// Takes the next word if it is one of these.
    pub fn skip(&mut self, these: &[&str]) -> bool {
        let is = self.rest.first().is_some_and(|word| these.contains(word));
        if is {
            self.rest = &self.rest[1..];
        }
        is
    }

    /// The value of what was just named.
    pub fn value(&mut self, name: &str) -> Parsed<&'t str> {
        let missing =
            || Box::new(Output::failed(255, format!("Command line is not complete: {name} needs a value.")));
        self.next().ok_or_else(missing)
    }

    /// An address.
    pub fn address(&mut self, name: &str) -> Parsed<IpAddr> {
        let text = self.value(name)?;
        text.parse().map_err(|_| {
            let message = format!("Error: an inet address is expected rather than \"{text}\".");
            Box::new(Output::failed(1, message))
        })
    }

    /// A number up to `most`.
    pub fn number(&mut self, name: &str, most: u32) -> Parsed<u32> {
        let text = self.value(name)?;
        text.parse().ok().filter(|number| *number <= most).ok_or_else(|| {
            let message =
                format!("Error: argument \"{text}\" is wrong: \"{name}\" value is invalid (0 to {most})");
            Box::new(Output::failed(255, message))
        })
    }

    /// A span such as `30ms`, in microseconds; a bare number counts milliseconds.
    pub fn span(&mut self, name: &str) -> Parsed<u32> {
        let text = self.value(name)?;
        let end = text.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let scale = match unit {
            "" | "ms" | "msec" | "msecs" => Some(1_000.0),
            "s" | "sec" | "secs" => Some(1_000_000.0),
            "us" | "usec" | "usecs" => Some(1.0),
            _ => None,
        };
        let micros = number.parse::<f64>().ok().zip(scale).map(|(number, scale)| number * scale);
        micros.filter(|micros| *micros <= f64::from(u32::MAX)).map(|micros| micros as u32).ok_or_else(|| {
            let message = format!("Error: argument \"{text}\" is wrong: \"{name}\" value is invalid");
            Box::new(Output::failed(255, message))
        })
    }
}
