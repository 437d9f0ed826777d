//! JUnit's XML. A script is a test case; its directory is the class.

use std::io::{self, Write};

use super::super::{Report, Summary, Verdict};

/// The whole document.
pub(super) fn document(out: &mut impl Write, summary: &Summary, verbose: bool) -> io::Result<()> {
    let skipped = |report: &&Report| !report.verdict().fails() && report.verdict() != Verdict::Passed;
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\"",
        summary.reports.len(),
        summary.failed(),
        summary.reports.iter().filter(skipped).count()
    );
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites {counts}>")?;
    writeln!(out, "  <testsuite name=\"cauce drill\" {counts}>")?;
    for report in &summary.reports {
        case(out, report, verbose)?;
    }
    writeln!(out, "  </testsuite>\n</testsuites>")
}

fn case(out: &mut impl Write, report: &Report, verbose: bool) -> io::Result<()> {
    let class = report.path.parent().map(|parent| parent.display().to_string()).unwrap_or_default();
    let class = if class.is_empty() { "." } else { &class };
    let name = report.name();
    let name = name.strip_prefix(class).map_or(&*name, |name| name.trim_start_matches('/'));
    write!(out, "    <testcase classname=\"{}\" name=\"{}\"", escaped(class), escaped(name))?;
    if verbose {
        write!(out, " time=\"{}\"", super::took(report))?;
    }
    let title = report.result.as_ref().err().map(|diagnostic| diagnostic.title.as_str());
    let mut inside = Vec::new();
    match report.verdict() {
        Verdict::Passed => {}
        Verdict::Failed | Verdict::Unlisted => inside.push(format!(
            "<failure message=\"{}\">{}</failure>",
            escaped(title.unwrap_or("passes although it is listed as failing")),
            escaped(&report.message().unwrap_or_default())
        )),
        Verdict::Unsupported => {
            let message = format!("unsupported: {}", title.unwrap_or(""));
            inside.push(format!("<skipped message=\"{}\"/>", escaped(&message)));
        }
        Verdict::Known => {
            let message = format!("known to fail: {}", report.known.as_deref().unwrap_or(""));
            inside.push(format!("<skipped message=\"{}\"/>", escaped(&message)));
        }
        Verdict::Checked => inside.push("<skipped message=\"checked and not run\"/>".to_owned()),
    }
    let mut told = report.printed.clone();
    if verbose {
        let lines = report.notes.iter().chain(&report.events);
        lines.for_each(|line| told.push_str(&format!("{line}\n")));
    }
    if !told.is_empty() {
        inside.push(format!("<system-out>{}</system-out>", escaped(&told)));
    }
    if inside.is_empty() {
        return writeln!(out, "/>");
    }
    writeln!(out, ">")?;
    for element in inside {
        writeln!(out, "      {element}")?;
    }
    writeln!(out, "    </testcase>")
}

/// Text that may stand in an attribute or between tags. XML has no way to write most control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
