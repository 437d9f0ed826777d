//! The Test Anything Protocol, version 14: `ok 1 - name`, with a YAML block below what is not ok.

use std::io::{self, Write};

use super::super::{Report, Verdict};

/// One test point. What is known to fail is a TODO, what is unsupported is skipped.
pub(super) fn report(out: &mut impl Write, number: usize, report: &Report, verbose: bool) -> io::Result<()> {
    let name = escaped(&report.name());
    let title = report.result.as_ref().err().map_or("", |diagnostic| diagnostic.title.as_str());
    match report.verdict() {
        Verdict::Passed => writeln!(out, "ok {number} - {name}")?,
        Verdict::Checked => writeln!(out, "ok {number} - {name} # SKIP checked and not run")?,
        Verdict::Unsupported => writeln!(out, "ok {number} - {name} # SKIP unsupported: {}", escaped(title))?,
        Verdict::Known => {
            let reason = report.known.as_deref().unwrap_or("");
            writeln!(out, "not ok {number} - {name} # TODO {}", escaped(reason))?;
        }
        Verdict::Failed | Verdict::Unlisted => writeln!(out, "not ok {number} - {name}")?,
    }
    let mut block = Vec::new();
    if let (Some(message), true) = (report.message(), report.verdict().fails()) {
        if let Err(diagnostic) = &report.result {
            block.push(format!("message: {}", quoted(&diagnostic.title)));
            block.extend(diagnostic.place().map(|place| format!("at: {}", quoted(&place))));
        }
        literal("diagnostic", &message, &mut block);
    }
    literal("printed", &report.printed, &mut block);
    if verbose {
        block.push(format!("duration_ms: {:.3}", report.took.as_secs_f64() * 1000.0));
        literal("notes", &report.notes.join("\n"), &mut block);
        literal("events", &report.events.join("\n"), &mut block);
    }
    if !block.is_empty() {
        writeln!(out, "  ---")?;
        for line in block {
            writeln!(out, "  {line}")?;
        }
        writeln!(out, "  ...")?;
    }
    Ok(())
}

/// `\` and `#` mean something in a description, and a line ends it.
fn escaped(text: &str) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    flat.replace('\\', "\\\\").replace('#', "\\#")
}

/// A YAML string in double quotes.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// A YAML text of several lines. Its indentation is said, since its first line may be indented.
fn literal(key: &str, text: &str, block: &mut Vec<String>) {
    if !text.is_empty() {
        block.push(format!("{key}: |2"));
        let visible = |line: &str| line.replace(|c: char| c.is_control() && c != '\t', "\u{fffd}");
        block.extend(text.lines().map(|line| format!("  {}", visible(line))));
    }
}
