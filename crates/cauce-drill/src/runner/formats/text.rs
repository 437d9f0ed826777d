//! For people.

use std::io::{self, Write};

use super::super::{Report, Verdict};

/// One line, then what is wrong and what was printed.
pub(super) fn report(out: &mut impl Write, report: &Report, verbose: bool) -> io::Result<()> {
    for line in &report.events {
        writeln!(out, "{line}")?;
    }
    write!(out, "{:<11} {}", report.verdict(), report.name())?;
    if let (Some(reason), Verdict::Known) = (&report.known, report.verdict()) {
        write!(out, " ({reason})")?;
    }
    if verbose {
        write!(out, " [{} s]", super::took(report))?;
    }
    writeln!(out)?;
    if verbose {
        for note in &report.notes {
            writeln!(out, "note: {note}")?;
        }
    }
    for line in report.printed.lines() {
        writeln!(out, "  | {line}")?;
    }
    match report.message() {
        Some(message) => writeln!(out, "{message}\n"),
        None => Ok(()),
    }
}
