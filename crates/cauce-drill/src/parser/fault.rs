//! What the parser says when the text does not go on as it must: where, and what would have been right.

use std::ops::Range;

use winnow::error::ParserError;
use winnow::stream::{Location, Stream};

use crate::diagnostic::{Diagnostic, Kind, Source};

/// A refusal. The one that got furthest into the text wins over the others.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    pub span: Range<usize>,
    /// What could have stood here, in the order in which it was tried.
    pub expected: Vec<&'static str>,
    /// A sentence that says more than the list of what was expected.
    pub message: Option<String>,
    /// A construct that is understood and refused.
    pub unsupported: bool,
    /// No other reading is worth trying.
    pub fatal: bool,
}

impl Fault {
    pub fn expected(at: usize, what: &'static str) -> Fault {
        Fault { span: at..at, expected: vec![what], message: None, unsupported: false, fatal: false }
    }

    pub fn message(span: Range<usize>, message: impl Into<String>) -> Fault {
        Fault { span, expected: Vec::new(), message: Some(message.into()), unsupported: false, fatal: true }
    }

    pub fn unsupported(span: Range<usize>, name: impl Into<String>) -> Fault {
        Fault { unsupported: true, ..Fault::message(span, name) }
    }

    pub fn fatal(mut self) -> Fault {
        self.fatal = true;
        self
    }

    /// The diagnostic that users see.
    pub fn into_diagnostic(self, source: &Source) -> Diagnostic {
        let (start, end) = self.place(&source.text);
        let found = source.text.get(start..end).filter(|text| !text.is_empty());
        let kind = if self.unsupported { Kind::Unsupported } else { Kind::Script };
        if let Some(message) = self.message {
            return Diagnostic::new(source, start..end, kind, message);
        }
        let title = match found {
            Some(text) => format!("unexpected `{text}`"),
            None if start >= source.text.len() => "unexpected end of the script".to_owned(),
            None => "unexpected end of the line".to_owned(),
        };
        let mut wanted = Vec::new();
        for what in self.expected {
            if !wanted.contains(&what) {
                wanted.push(what);
            }
        }
        let label = match wanted.split_last() {
            None => String::new(),
            Some((last, [])) => format!("expected {last}"),
            Some((last, rest)) => format!("expected {} or {last}", rest.join(", ")),
        };
        Diagnostic::new(source, start..end, kind, title).label(label)
    }

    /// Where the caret goes. What is missing at the end of a line is shown there, not on the next line.
    fn place(&self, text: &str) -> (usize, usize) {
        let (start, end) = self.widened(text);
        let before = text.get(..start).unwrap_or("");
        let trimmed = before.trim_end();
        let starts_event = self.expected.iter().any(|what| what.contains("event"));
        let crossed_line = before[trimmed.len()..].contains('\n');
        if self.message.is_none() && crossed_line && !starts_event && !trimmed.is_empty() {
            return (trimmed.len(), trimmed.len());
        }
        (start, end)
    }

    /// An empty span grows over the word that starts there, so that the caret shows what is wrong.
    fn widened(&self, text: &str) -> (usize, usize) {
        let start = self.span.start.min(text.len());
        if self.span.end > start || !text.is_char_boundary(start) {
            return (start, self.span.end.min(text.len()));
        }
        let rest = &text[start..];
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let word = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let len = match rest.chars().next() {
            Some(c) if word == 0 && !c.is_whitespace() => c.len_utf8(),
            _ => word,
        };
        (start, start + len)
    }
}

impl<I: Stream + Location> ParserError<I> for Fault {
    type Inner = Fault;

    fn from_input(input: &I) -> Fault {
        let at = input.current_token_start();
        Fault { span: at..at, expected: Vec::new(), message: None, unsupported: false, fatal: false }
    }

    fn or(mut self, mut other: Fault) -> Fault {
        match self.span.start.cmp(&other.span.start) {
            std::cmp::Ordering::Greater => self,
            std::cmp::Ordering::Less => other,
            std::cmp::Ordering::Equal => {
                self.expected.append(&mut other.expected);
                self
            }
        }
    }

    fn is_backtrack(&self) -> bool {
        !self.fatal
    }

    fn into_inner(self) -> Result<Fault, Fault> {
        Ok(self)
    }
}
