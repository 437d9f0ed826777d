//! What went wrong, and where in the script: a title, the line with a caret, notes below it.
//!
//! Every refusal and every failed expectation becomes a [`Diagnostic`]. Rendering is rustc's
//! (annotate-snippets), without colour, so that two runs print the same bytes.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// A script's text and the name that diagnostics show for it.
#[derive(Debug, Clone)]
pub struct Source {
    /// The name: usually the path as the user gave it.
    pub path: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
}

impl Source {
    /// A source from its name and its text.
    pub fn new(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    /// Line and column of the byte at `offset`, both counted from 1, the column in characters.
    ///
    /// ```
    /// let source = cauce_drill::Source::new("a.pkt", "one\ntwo");
    /// assert_eq!(source.place(5), (2, 2));
    /// ```
    pub fn place(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }

    /// An event without its time: code as it is, everything else on one line.
    pub(crate) fn written(&self, event: &crate::ast::Event) -> String {
        match event.action {
            crate::ast::Action::Code(_) => self.text.get(event.action_span.clone()).unwrap_or("").to_owned(),
            _ => self.excerpt(&event.action_span),
        }
    }

    /// The text of `span` on one line, shortened for messages.
    pub fn excerpt(&self, span: &Range<usize>) -> String {
        let text = self.text.get(span.clone()).unwrap_or("");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// What kind of end a diagnostic means for the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The script is not written in the language, or cannot be read.
    Script,
    /// The script is right and what happened is not what it expects.
    Failure,
    /// The script asks for something that this target does not have: neither passed nor failed.
    Unsupported,
}

/// One message about one place of a script.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// The script; `None` when there is no text to point into (a file that cannot be read).
    pub source: Option<Source>,
    /// The bytes that the caret marks.
    pub span: Range<usize>,
    /// What kind of end this is.
    pub kind: Kind,
    /// The message in one sentence.
    pub title: String,
    /// What stands next to the caret.
    pub label: String,
    /// Nothing is wrong but a time.
    pub timing: bool,
    /// More lines: tables of fields, packets before this one, advice.
    pub notes: Vec<String>,
}

impl Diagnostic {
    /// A message of `kind` about `span` of `source`.
    pub fn new(source: &Source, span: Range<usize>, kind: Kind, title: impl Into<String>) -> Diagnostic {
        Diagnostic {
            source: Some(source.clone()),
            span,
            kind,
            title: title.into(),
            label: String::new(),
            timing: false,
            notes: Vec::new(),
        }
    }

    /// A message about a whole file whose text is not at hand.
    pub fn without_source(kind: Kind, title: impl Into<String>) -> Diagnostic {
        let (title, label) = (title.into(), String::new());
        Diagnostic { source: None, span: 0..0, kind, title, label, timing: false, notes: Vec::new() }
    }

    /// The same with `label` next to the caret.
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }

    /// The same, said to be about times only when `only` holds.
    pub fn timing(mut self, only: bool) -> Diagnostic {
        self.timing = only;
        self
    }

    /// The same with one more note.
    pub fn note(mut self, note: impl Into<String>) -> Diagnostic {
        self.notes.push(note.into());
        self
    }

    /// The same with one more note, before those that it has.
    pub fn first_note(mut self, note: impl Into<String>) -> Diagnostic {
        self.notes.insert(0, note.into());
        self
    }

    /// `path:line:column`, or nothing without a source.
    pub fn place(&self) -> Option<String> {
        let source = self.source.as_ref()?;
        let (line, column) = source.place(self.span.start);
        Some(format!("{}:{line}:{column}", source.path))
    }
}

/// Below this likeness, names are different names.
const ALIKE: f64 = 0.8;

/// The end of a sentence that names the one of `known` that was perhaps meant; empty when none is like `name`.
pub(crate) fn similar<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> String {
    let likeness = known.map(|known| (strsim::jaro_winkler(known, name), known));
    let best = likeness.filter(|(likeness, _)| *likeness > ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, known)| format!("; `{known}` is similar")).unwrap_or_default()
}

/// The bytes that the caret marks: inside the text, on character boundaries, at least one byte where there is one.
fn marked(text: &str, span: &Range<usize>) -> Range<usize> {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = span.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = match self.kind {
            Kind::Unsupported => format!("unsupported: {}", self.title),
            Kind::Script | Kind::Failure => self.title.clone(),
        };
        let level = if self.kind == Kind::Unsupported { Level::WARNING } else { Level::ERROR };
        let mut group = level.primary_title(title.as_str()).elements(None::<annotate_snippets::Message<'_>>);
        if let Some(source) = &self.source {
            let mut mark = AnnotationKind::Primary.span(marked(&source.text, &self.span));
            if !self.label.is_empty() {
                mark = mark.label(self.label.as_str());
            }
            group = group
                .element(Snippet::source(&*source.text).path(&*source.path).line_start(1).annotation(mark));
        }
        for note in &self.notes {
            group = group.element(Level::NOTE.message(note.as_str()));
        }
        f.write_str(&Renderer::plain().render(&[group]))
    }
}

impl std::error::Error for Diagnostic {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_place_and_the_caret() {
        let source = Source::new("a.pkt", "+0 close(3) = 0\n+0 frobnicate(3) = 0\n");
        let diagnostic = Diagnostic::new(&source, 19..29, Kind::Script, "unknown system call")
            .label("not one of the calls")
            .note("did you mean `fcntl`?");
        let text = diagnostic.to_string();
        assert!(text.contains("a.pkt:2:4"), "{text}");
        assert!(text.contains("^^^^^^^^^^ not one of the calls"), "{text}");
        assert!(text.contains("note: did you mean"), "{text}");
    }

    #[test]
    fn bad_spans_do_not_panic() {
        let source = Source::new("a.pkt", "é");
        for span in [0..0, 1..1, 1..2, 0..99, 99..100] {
            let _ = Diagnostic::new(&source, span, Kind::Failure, "x").to_string();
        }
        let empty = Source::new("b.pkt", "");
        let _ = Diagnostic::new(&empty, 0..1, Kind::Failure, "x").to_string();
    }
}
