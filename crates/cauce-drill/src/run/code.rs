//! `%{ }%`: assertions in Python over values sampled when their events came, run after the last event.
//!
//! One interpreter runs all blocks of a script in order, so that names live on from one to the next. A script
//! without such blocks starts none.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::Ran;
use crate::ast::Span;
use crate::diagnostic::{Diagnostic, Kind, Source};
use crate::target::Sample;

/// One block and what it may look at.
pub(super) struct Block {
    pub span: Span,
    pub text: String,
    pub values: Sample,
}

/// Names that every block may use.
const CONSTANTS: &[(&str, i64)] = &[
    ("TCP_ESTABLISHED", 1),
    ("TCP_SYN_SENT", 2),
    ("TCP_SYN_RECV", 3),
    ("TCP_FIN_WAIT1", 4),
    ("TCP_FIN_WAIT2", 5),
    ("TCP_TIME_WAIT", 6),
    ("TCP_CLOSE", 7),
    ("TCP_CLOSE_WAIT", 8),
    ("TCP_LAST_ACK", 9),
    ("TCP_LISTEN", 10),
    ("TCP_CLOSING", 11),
    ("TCP_NEW_SYN_RECV", 12),
    ("TCP_CA_Open", 0),
    ("TCP_CA_Disorder", 1),
    ("TCP_CA_CWR", 2),
    ("TCP_CA_Recovery", 3),
    ("TCP_CA_Loss", 4),
    ("TCPI_OPT_TIMESTAMPS", 1),
    ("TCPI_OPT_SACK", 2),
    ("TCPI_OPT_WSCALE", 4),
    ("TCPI_OPT_ECN", 8),
    ("TCPI_OPT_ECN_SEEN", 16),
    ("TCPI_OPT_SYN_DATA", 32),
    ("TCPI_OPT_USEC_TS", 64),
    ("TCPI_OPT_TFO_CHILD", 128),
];

/// Marks the line on which the interpreter names the block that failed.
const MARK: &str = "cauce-drill-block";

/// Runs all blocks.
///
/// # Errors
/// The first block that raises, with what it printed; or python3 is missing.
pub(super) fn run(source: &Source, blocks: &[Block]) -> Ran<()> {
    let Some(first) = blocks.first() else { return Ok(()) };
    let refuse =
        |span: &Span, title: String| Box::new(Diagnostic::new(source, span.clone(), Kind::Failure, title));
    let mut child = Command::new("python3")
        .args(["-I", "-S", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            refuse(&first.span, format!("python3, which runs this, cannot be started: {error}"))
        })?;
    let program = program(source, blocks);
    if let Some(mut stdin) = child.stdin.take() {
        // A broken pipe means that the interpreter is gone; its status tells.
        let _ = stdin.write_all(program.as_bytes());
    }
    let output = child
        .wait_with_output()
        .map_err(|error| refuse(&first.span, format!("python3 was lost: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let failed = told.lines().find_map(|line| line.strip_prefix(MARK)?.trim().parse::<usize>().ok());
    let block = failed.and_then(|index| blocks.get(index)).unwrap_or(first);
    let lines: Vec<_> = told.lines().filter(|line| !line.starts_with(MARK)).collect();
    let title =
        lines.last().map_or("this code failed".to_owned(), |last| format!("this code failed: {last}"));
    let mut diagnostic = refuse(&block.span, title);
    let used: Vec<_> = block
        .values
        .iter()
        .filter(|(name, _)| block.text.contains(name.as_str()))
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    if !used.is_empty() {
        diagnostic.notes.push(format!("at that moment: {}", used.join(", ")));
    }
    Err(diagnostic)
}

/// The program: constants, then each block with its values.
fn program(source: &Source, blocks: &[Block]) -> String {
    let mut program = String::from("import sys, traceback\n");
    for (name, value) in CONSTANTS {
        let _ = writeln!(program, "{name} = {value}");
    }
    for (index, block) in blocks.iter().enumerate() {
        for (name, value) in &block.values {
            let _ = writeln!(program, "{name} = {value}");
        }
        let (line, _) = source.place(block.span.start);
        let _ = writeln!(program, "try:");
        let _ = writeln!(
            program,
            "    exec(compile({}, {}, 'exec'), globals())",
            quoted(&dedented(&block.text)),
            quoted(&format!("{}:{line}", source.path))
        );
        let _ = writeln!(
            program,
            "except BaseException:\n    print('{MARK} {index}', file=sys.stderr)\n    traceback.print_exc()\n    sys.exit(1)"
        );
    }
    program
}

/// The text without the indentation that all its lines share; the first line stands by itself.
fn dedented(text: &str) -> String {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or("").trim();
    let rest: Vec<_> = lines.collect();
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let shared = rest.iter().filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or(0);
    let rest = rest.iter().map(|line| line.get(shared..).unwrap_or("").trim_end());
    std::iter::once(first).chain(rest).collect::<Vec<_>>().join("\n")
}

/// A Python string literal.
fn quoted(text: &str) -> String {
    let mut literal = String::from("'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => literal.extend(['\\', c]),
            '\n' => literal.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(literal, "\\x{:02x}", u32::from(c) & 0xff);
            }
            c => literal.push(c),
        }
    }
    literal.push('\'');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indentation_is_taken_away() {
        assert_eq!(dedented(" assert a == 1 "), "assert a == 1");
        assert_eq!(dedented("\n   if a:\n     b()\n"), "\nif a:\n  b()");
    }

    #[test]
    fn the_failing_block_is_named() {
        let source = Source::new("t.pkt", "+0 %{ assert tcpi_snd_cwnd == 10 }%\n+0 %{ assert x }%\n");
        let block = |span: Span, text: &str, cwnd| Block {
            span,
            text: text.to_owned(),
            values: vec![("tcpi_snd_cwnd".to_owned(), cwnd)],
        };
        let good = block(0..35, "assert tcpi_snd_cwnd == 10\nx = TCP_ESTABLISHED", 10);
        assert!(run(&source, &[good]).is_ok());
        let good = block(0..35, "assert tcpi_snd_cwnd == 10\nx = 0", 10);
        let bad = block(36..52, "assert x == tcpi_snd_cwnd, 'it''s'", 11);
        let error = run(&source, &[good, bad]).unwrap_err().to_string();
        assert!(error.contains("t.pkt:2:1") && error.contains("tcpi_snd_cwnd = 11"), "{error}");
    }
}
