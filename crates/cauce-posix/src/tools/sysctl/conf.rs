//! Files of settings, as sysctl.conf(5) and sysctl.d(5) describe them.
//!
//! Lines `NAME = VALUE` with blanks anywhere, comments behind `#` or `;` at their beginning. A leading `-` forgives a line
//! its failure. A name with `*`, `?` or `[…]` stands for every setting that fits and that no line names outright; `-NAME`
//! without a value takes a setting out of those.

use cauce_core::sysctl;

use crate::tools::matches;

/// One line that sets something, or keeps something from being set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    name: String,
    /// `None`: patterns do not reach this name.
    value: Option<String>,
    forgiving: bool,
}

/// One setting to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment<'l> {
    pub name: String,
    pub value: &'l str,
    pub forgiving: bool,
}

/// The lines of a file, and the numbers of those that are none.
pub(super) fn read(text: &str) -> (Vec<Line>, Vec<usize>) {
    let (mut lines, mut wrong) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let (forgiving, line) = match line.strip_prefix('-') {
            Some(line) => (true, line),
            None => (false, line),
        };
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim().to_owned())),
            None => (line.trim(), None),
        };
        if name.is_empty() || value.is_none() && !forgiving {
            wrong.push(number + 1);
        } else {
            lines.push(Line { name: name.to_owned(), value, forgiving });
        }
    }
    (lines, wrong)
}

/// What the lines of all files together set, in their order.
pub(super) fn assignments(lines: &[Line]) -> Vec<Assignment<'_>> {
    let is_pattern = |line: &Line| line.name.contains(['*', '?', '[']);
    let outright: Vec<String> =
        lines.iter().filter(|line| !is_pattern(line)).map(|line| super::path(&line.name)).collect();
    let mut all = Vec::new();
    for line in lines {
        let Some(value) = &line.value else { continue };
        let set = |name: String| Assignment { name, value, forgiving: line.forgiving };
        if !is_pattern(line) {
            all.push(set(line.name.clone()));
            continue;
        }
        let pattern = super::path(&line.name);
        let mut fitting: Vec<&str> = sysctl::table().iter().map(|entry| entry.name).collect();
        fitting.retain(|name| {
            let path = super::path(name);
            fits(&pattern, &path) && !outright.contains(&path)
        });
        fitting.sort_unstable();
        all.extend(fitting.into_iter().map(|name| set(name.to_owned())));
    }
    all
}

/// True when a path fits a pattern, whose `*` stays within one part of it.
fn fits(pattern: &str, path: &str) -> bool {
    pattern.split('/').count() == path.split('/').count()
        && pattern.split('/').zip(path.split('/')).all(|(pattern, part)| matches(pattern, part))
}
