//! Words, quotes, redirections and the ends of commands, as a shell reads them.
//!
//! It says `None` of everything that means more than it shows; what is made of the words is [`super::language`]'s.

use super::arithmetic;

/// Where a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
    Dropped,
}

/// What ends a simple command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Text,
    Line,
    Semicolon,
    And,
    Or,
}

/// A simple command with what ends it.
pub(super) struct Simple {
    pub words: Vec<String>,
    pub stdout: Stream,
    pub stderr: Stream,
    pub redirected: bool,
    pub end: End,
}

/// The text that is left.
pub(super) struct Lexer<'t> {
    rest: &'t str,
}

impl<'t> Lexer<'t> {
    pub fn new(text: &'t str) -> Lexer<'t> {
        Lexer { rest: text }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn skip(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        if let Some(rest) = rest {
            self.rest = rest;
        }
        rest.is_some()
    }

    /// The next simple command with what ends it; `None` for whatever is not understood.
    pub fn command(&mut self) -> Option<Simple> {
        let mut simple = Simple {
            words: Vec::new(),
            stdout: Stream::Stdout,
            stderr: Stream::Stderr,
            redirected: false,
            end: End::Text,
        };
        loop {
            let Some(c) = self.rest.chars().next() else { return Some(simple) };
            match c {
                ' ' | '\t' => {
                    self.next();
                }
                '\\' if self.skip("\\\n") => {}
                '#' => {
                    let end = self.rest.find('\n').unwrap_or(self.rest.len());
                    self.rest = &self.rest[end..];
                }
                '\n' => {
                    self.next();
                    simple.end = End::Line;
                    return Some(simple);
                }
                ';' => {
                    self.next();
                    simple.end = End::Semicolon;
                    return Some(simple);
                }
                '&' | '|' => {
                    simple.end = if self.skip("&&") {
                        End::And
                    } else if self.skip("||") {
                        End::Or
                    } else {
                        return None;
                    };
                    return Some(simple);
                }
                '>' => self.redirection(&mut simple, 1)?,
                '1' | '2' if self.rest[1..].starts_with('>') => {
                    self.next();
                    self.redirection(&mut simple, if c == '1' { 1 } else { 2 })?;
                }
                _ => {
                    let word = self.word()?;
                    // An assignment before a command, or a variable: the shell's.
                    if simple.words.is_empty() && word.contains('=') {
                        return None;
                    }
                    simple.words.push(word);
                }
            }
        }
    }

    /// `>/dev/null`, `>&1`, `>&2`, for stream 1 or 2.
    fn redirection(&mut self, simple: &mut Simple, which: u8) -> Option<()> {
        self.next();
        let stream = if self.skip("&1") {
            simple.stdout
        } else if self.skip("&2") {
            simple.stderr
        } else {
            self.skip(">");
            self.rest = self.rest.trim_start_matches([' ', '\t']);
            if !self.skip("/dev/null") {
                return None;
            }
            Stream::Dropped
        };
        // The name must end here.
        if !self.rest.is_empty() && !self.rest.starts_with([' ', '\t', '\n', ';', '&', '|', '>']) {
            return None;
        }
        simple.redirected = true;
        match which {
            1 => simple.stdout = stream,
            _ => simple.stderr = stream,
        }
        Some(())
    }

    /// A word, its quotes taken away.
    fn word(&mut self) -> Option<String> {
        let mut word = String::new();
        loop {
            let Some(c) = self.rest.chars().next() else { return Some(word) };
            match c {
                // The number of a stream other than the two.
                '>' if !word.is_empty() && word.bytes().all(|digit| digit.is_ascii_digit()) => return None,
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '>' => return Some(word),
                '\'' => {
                    self.next();
                    let end = self.rest.find('\'')?;
                    word.push_str(&self.rest[..end]);
                    self.rest = &self.rest[end + 1..];
                }
                '"' => {
                    self.next();
                    self.double_quoted(&mut word)?;
                }
                '\\' => {
                    self.next();
                    match self.next()? {
                        '\n' => {}
                        c => word.push(c),
                    }
                }
                '$' => word.push_str(&self.arithmetic()?),
                // Expansions, groups, input, patterns, and what a newcomer's editor leaves behind.
                '`' | '(' | ')' | '{' | '}' | '<' | '*' | '?' | '[' | ']' | '~' | '!' | '\r' | '\0' => {
                    return None;
                }
                c => {
                    self.next();
                    word.push(c);
                }
            }
        }
    }

    fn double_quoted(&mut self, word: &mut String) -> Option<()> {
        loop {
            match self.rest.chars().next()? {
                '"' => {
                    self.next();
                    return Some(());
                }
                '`' => return None,
                '$' => word.push_str(&self.arithmetic()?),
                '\\' => {
                    self.next();
                    match self.next()? {
                        '\n' => {}
                        c @ ('"' | '\\' | '$' | '`') => word.push(c),
                        c => word.extend(['\\', c]),
                    }
                }
                c => {
                    self.next();
                    word.push(c);
                }
            }
        }
    }

    /// `$((…))` over numbers; every other `$` is the shell's.
    fn arithmetic(&mut self) -> Option<String> {
        if !self.skip("$((") {
            return None;
        }
        let (inner, rest) = self.rest.split_once("))")?;
        // An inner parenthesis may end at the same place: `$(((1+2)))`.
        let (inner, rest) = match rest.strip_prefix(')') {
            Some(rest) if inner.matches('(').count() > inner.matches(')').count() => {
                (self.rest.get(..inner.len() + 1)?, rest)
            }
            _ => (inner, rest),
        };
        let value = arithmetic::value(inner)?;
        self.rest = rest;
        Some(value.to_string())
    }
}
