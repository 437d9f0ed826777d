//! `%{ }%`: assertions in Python over values sampled when their events came, run after the last event.
//!
//! The blocks of a script run in order in one namespace, so that names live on from one to the next. A script
//! without such blocks starts no interpreter.

mod python;

use std::fmt::Write as _;

pub use self::python::Python;
use super::Ran;
use crate::against;
use crate::ast::Span;
use crate::call::symbols::constants;
use crate::diagnostic::{Diagnostic, Kind, Source};
use crate::target::Sample;

/// One block and what it may look at.
#[derive(Debug)]
pub(super) struct Block {
    /// From `%{` to `}%`.
    pub span: Span,
    pub text: String,
    pub values: Sample,
}

/// What stands before the text of a block.
const OPENING: usize = "%{".len();

/// Runs all blocks and returns what they printed.
///
/// # Errors
/// The first block that raises, with the values it used and what was printed before; or python3 is missing.
pub(super) fn run(source: &Source, blocks: &[Block], python: &mut Python) -> Ran<String> {
    let Some(first) = blocks.first() else { return Ok(String::new()) };
    let answer = python
        .run(&request(source, blocks))
        .map_err(|why| Box::new(Diagnostic::new(source, first.span.clone(), Kind::Failure, why)))?;
    let Some((index, line)) = answer.failed else { return Ok(answer.printed) };
    let block = blocks.get(index).unwrap_or(first);
    let span = line_span(source, &block.span, line);
    let (kind, title) = verdict(&answer.told, block);
    let mut diagnostic = Diagnostic::new(source, span, kind, title);
    let used: Vec<_> = block
        .values
        .iter()
        .filter(|(name, _)| uses(&block.text, name))
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    if !used.is_empty() {
        diagnostic.notes.push(format!("at that moment: {}", used.join(", ")));
    }
    if !answer.printed.is_empty() {
        diagnostic.notes.push(format!("printed before:\n{}", answer.printed.trim_end()));
    }
    Err(Box::new(diagnostic))
}

/// What an exception means for the script.
fn verdict(told: &str, block: &Block) -> (Kind, String) {
    let unknown = told.strip_prefix("NameError: name '").and_then(|rest| rest.split('\'').next());
    if let Some(name) = unknown
        && against::names().any(|known| known == name)
        && !block.values.iter().any(|(known, _)| known == name)
    {
        return (Kind::Unsupported, format!("this target does not tell `{name}`"));
    }
    match told.strip_prefix("AssertionError") {
        Some("") => (Kind::Failure, "this does not hold".to_owned()),
        Some(message) => (Kind::Failure, format!("this does not hold{message}")),
        None => (Kind::Failure, format!("this code failed: {told}")),
    }
}

/// The line that failed, or the whole block when it is not known.
fn line_span(source: &Source, block: &Span, line: usize) -> Span {
    let (first, _) = source.place(block.start);
    let text = source.text.get(block.clone()).unwrap_or("");
    let Some(index) = line.checked_sub(first) else { return block.clone() };
    let Some(wanted) = text.split_inclusive('\n').nth(index) else { return block.clone() };
    let offset: usize = text.split_inclusive('\n').take(index).map(str::len).sum();
    let (wanted, offset) = match index {
        0 => (wanted.get(OPENING..).unwrap_or(""), OPENING),
        _ => (wanted, offset),
    };
    let wanted = wanted.split("}%").next().unwrap_or("");
    let start = block.start + offset + (wanted.len() - wanted.trim_start().len());
    if wanted.trim().is_empty() { block.clone() } else { start..start + wanted.trim().len() }
}

/// True when `name` stands in `text` as a word.
fn uses(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(is_word) && !text[at + name.len()..].starts_with(is_word))
}

/// The script's name, the constants, and each block with its line and its values, as Python writes them.
fn request(source: &Source, blocks: &[Block]) -> String {
    let mut request = format!("({}, ", quoted(&source.path));
    dictionary(&mut request, constants().map(|(name, value)| (name, i128::from(value))));
    request.push_str(", [");
    for block in blocks {
        let (line, _) = source.place(block.span.start);
        let _ = write!(request, "({line}, {}, ", quoted(&dedented(&block.text)));
        let values = block.values.iter().map(|(name, value)| (name.as_str(), *value));
        let bare =
            values.clone().filter_map(|(name, value)| Some((name.strip_prefix("SK_MEMINFO_")?, value)));
        dictionary(&mut request, values.chain(bare));
        request.push_str("),");
    }
    request.push_str("])");
    request
}

fn dictionary<'n>(text: &mut String, entries: impl Iterator<Item = (&'n str, i128)>) {
    text.push('{');
    for (name, value) in entries {
        let _ = write!(text, "{}: {value},", quoted(name));
    }
    text.push('}');
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

    fn block(source: &Source, nth: usize, cwnd: i128) -> Block {
        let start = source.text.match_indices("%{").nth(nth).expect("a block").0;
        let end = start + source.text[start..].find("}%").expect("its end") + 2;
        let text = source.text[start + 2..end - 2].to_owned();
        let values = [("tcpi_snd_cwnd", cwnd), ("tcpi_snd_mss", 1000), ("SK_MEMINFO_RCVBUF", 87380)];
        let values = values.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Block { span: start..end, text, values }
    }

    fn all(text: &str, values: &[i128]) -> Result<String, String> {
        let source = Source::new("t.pkt", text);
        let blocks: Vec<_> = values.iter().enumerate().map(|(i, cwnd)| block(&source, i, *cwnd)).collect();
        run(&source, &blocks, &mut Python::new()).map_err(|failed| failed.to_string())
    }

    #[test]
    fn indentation_is_taken_away() {
        assert_eq!(dedented(" assert a == 1 "), "assert a == 1");
        assert_eq!(dedented("\n   if a:\n     b()\n"), "\nif a:\n  b()");
    }

    #[test]
    fn blocks_share_names_and_see_their_own_values() {
        let text = "+0 %{ x = tcpi_snd_cwnd; assert TCP_CA_Open == 0; print(x) }%\n\
                    +0 %{\nassert tcpi_snd_cwnd == x + 1\nassert RCVBUF == SK_MEMINFO_RCVBUF == 87380\n}%\n";
        assert_eq!(all(text, &[10, 11]), Ok("10\n".to_owned()));
    }

    #[test]
    fn the_failing_line_is_shown_with_its_values() {
        let text =
            "+0 %{ x = 0 }%\n+0 %{ print('here')\n  if x == 0:\n    assert x == tcpi_snd_cwnd, 'it''s'\n}%\n";
        let error = all(text, &[10, 11]).unwrap_err();
        for words in
            ["t.pkt:4:5", "this does not hold: its", "moment: tcpi_snd_cwnd = 11\n", "before:", "here"]
        {
            assert!(error.contains(words), "`{words}` is missing in\n{error}");
        }
        let error = all("+0 %{ assert tcpi_snd_cwnd == }%\n", &[1]).unwrap_err();
        assert!(error.contains("SyntaxError") && error.contains("t.pkt:1:7"), "{error}");
        let error = all("+0 %{ assert tcpi_snd_cwmd == 1 }%\n", &[1]).unwrap_err();
        assert!(error.contains("similar names are tcpi_snd_cwnd"), "{error}");
    }

    #[test]
    fn what_the_target_does_not_tell_is_unsupported() {
        let error = all("+0 %{ assert tcpi_rehash == 1 }%\n", &[1]).unwrap_err();
        assert!(error.contains("unsupported: this target does not tell `tcpi_rehash`"), "{error}");
    }
}
