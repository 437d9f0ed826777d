//! How results are written: for people, for TAP harnesses, as JSON, as JUnit's XML.
//!
//! Durations stand nowhere unless they are asked for, so that two runs are the same byte for byte.

mod json;
mod junit;
mod tap;
mod text;

use std::io::{self, Write};

use super::{Report, Summary};

/// A way to write results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// One line a script and what is wrong with it.
    #[default]
    Text,
    /// The Test Anything Protocol, version 14.
    Tap,
    /// One JSON document.
    Json,
    /// JUnit's XML, which continuous integration reads.
    Junit,
}

/// Writes reports as they come, and what stands around them.
#[derive(Debug)]
pub struct Printer<W> {
    out: W,
    format: Format,
    /// Also events, notes and durations.
    verbose: bool,
    count: usize,
}

impl<W: Write> Printer<W> {
    /// A printer that writes to `out`; with `verbose` also events, notes and durations.
    pub fn new(out: W, format: Format, verbose: bool) -> Printer<W> {
        Printer { out, format, verbose, count: 0 }
    }

    /// Writes what stands before all reports.
    ///
    /// # Errors
    /// The output cannot be written to.
    pub fn begin(&mut self) -> io::Result<()> {
        if self.format == Format::Tap { writeln!(self.out, "TAP version 14") } else { Ok(()) }
    }

    /// Writes the next report, in the formats that go script by script.
    ///
    /// # Errors
    /// The output cannot be written to.
    pub fn report(&mut self, report: &Report) -> io::Result<()> {
        self.count += 1;
        match self.format {
            Format::Text => text::report(&mut self.out, report, self.verbose)?,
            Format::Tap => tap::report(&mut self.out, self.count, report, self.verbose)?,
            Format::Json | Format::Junit => return Ok(()),
        }
        self.out.flush()
    }

    /// Writes what stands after all reports, or everything.
    ///
    /// # Errors
    /// The output cannot be written to.
    pub fn end(&mut self, summary: &Summary) -> io::Result<()> {
        match self.format {
            Format::Text => writeln!(self.out, "{summary}")?,
            Format::Tap => writeln!(self.out, "1..{}\n# {summary}", self.count)?,
            Format::Json => json::document(&mut self.out, summary, self.verbose)?,
            Format::Junit => junit::document(&mut self.out, summary, self.verbose)?,
        }
        self.out.flush()
    }

    /// What it wrote to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// Seconds to the millisecond.
fn took(report: &Report) -> String {
    format!("{:.3}", report.took.as_secs_f64())
}

#[cfg(test)]
mod tests;
