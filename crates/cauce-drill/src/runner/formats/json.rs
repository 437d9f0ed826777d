//! One JSON document: every script and the summary.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::super::{Report, Summary, Verdict};

/// `{"scripts": [...], "summary": {...}}`.
pub(super) fn document(out: &mut impl Write, summary: &Summary, verbose: bool) -> io::Result<()> {
    let scripts: Vec<_> = summary.reports.iter().map(|report| script(report, verbose)).collect();
    let document = json!({
        "scripts": scripts,
        "summary": {
            "passed": summary.passed(),
            "failed": summary.failed(),
            "unsupported": summary.unsupported(),
            "known": summary.known(),
            "checked": summary.checked(),
        },
    });
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn script(report: &Report, verbose: bool) -> Value {
    let mut script = Map::new();
    script.insert("path".to_owned(), json!(report.path.display().to_string()));
    if let Some(version) = report.version {
        script.insert("ip_version".to_owned(), json!(version.name()));
    }
    script.insert("verdict".to_owned(), json!(word(report.verdict())));
    if let Some(reason) = &report.known {
        script.insert("reason".to_owned(), json!(reason));
    }
    if let Err(diagnostic) = &report.result {
        script.insert("message".to_owned(), json!(diagnostic.title));
        if let Some(source) = &diagnostic.source {
            let (line, column) = source.place(diagnostic.span.start);
            script.insert("line".to_owned(), json!(line));
            script.insert("column".to_owned(), json!(column));
        }
        script.insert("diagnostic".to_owned(), json!(diagnostic.to_string()));
    }
    if !report.printed.is_empty() {
        script.insert("printed".to_owned(), json!(report.printed));
    }
    if verbose {
        script.insert("seconds".to_owned(), json!(report.took.as_secs_f64()));
        script.insert("notes".to_owned(), json!(report.notes));
        script.insert("events".to_owned(), json!(report.events));
    }
    Value::Object(script)
}

/// The verdict as programs compare it.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Checked => "checked",
        Verdict::Failed => "failed",
        Verdict::Unsupported => "unsupported",
        Verdict::Known => "known",
        Verdict::Unlisted => "passed although listed",
    }
}
