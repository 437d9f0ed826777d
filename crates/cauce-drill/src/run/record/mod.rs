//! Writing a script back with what really came.

mod call;
mod packets;

pub(super) use self::call::rewritten;
use super::calls::seconds_of;
use crate::ast::Script;
use crate::diagnostic::Source;
use crate::expect::Merged;
use crate::packet::Live;

/// Packets no further apart than this are pieces of one super-segment, ns.
const MOMENT: i64 = 1_000_000;
/// Times are written to the millisecond.
const GRAIN: i64 = 1_000_000;

/// One line and when it happened.
#[derive(Debug)]
struct Line {
    at: i64,
    /// When a call that slept returned.
    end: Option<i64>,
    text: String,
}

/// What has happened so far.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    lines: Vec<Line>,
    /// The last line, when it is a packet: whose, and of what it is made.
    last: Option<(usize, Merged)>,
    /// A packet that has been looked at and belongs to what comes next.
    ahead: Option<(usize, Live)>,
}

impl Recorder {
    /// An injected packet, a command or code.
    pub fn event(&mut self, at: i64, text: String) {
        self.last = None;
        self.lines.push(Line { at, end: None, text });
    }

    /// A call starts; its line is completed when it returns.
    pub fn call(&mut self, at: i64) -> usize {
        self.event(at, String::new());
        self.lines.len() - 1
    }

    /// The call of `line` has returned at `end`, which is written down when it slept for more than a moment or when
    /// the script gives it an end time.
    pub fn returned(&mut self, line: usize, end: i64, (slept, timed): (bool, bool), text: String) {
        let Some(line) = self.lines.get_mut(line) else { return };
        line.text = text;
        line.end = Some(end).filter(|end| timed || slept && end - line.at >= GRAIN);
    }

    /// The last line and `live` together, if they can be one segment.
    pub fn joined(&self, flow: usize, live: &Live) -> Option<Merged> {
        let (owner, before) = self.last.as_ref()?;
        let close = *owner == flow && live.at - before.whole.at < MOMENT && before.whole.len > 0;
        let mut merged = before.clone();
        (close && merged.push(live).is_ok()).then_some(merged)
    }

    /// A packet of the connection `flow`, or the last one grown by another piece.
    pub fn packet(&mut self, flow: usize, merged: Merged, text: String) {
        if merged.count > 1 {
            self.lines.pop();
        }
        self.lines.push(Line { at: merged.whole.at, end: None, text });
        self.last = Some((flow, merged));
    }

    /// All lines with their times, each counted from the one before.
    pub fn into_text(self) -> Vec<String> {
        let mut before = 0;
        let rounded = |at: i64| (at + GRAIN / 2) / GRAIN * GRAIN;
        let mut lines = Vec::new();
        for line in self.lines {
            let at = rounded(line.at).max(before);
            let end = line.end.map(|end| seconds_of((rounded(end) - before).max(0)));
            // A fraction needs a digit here, or its point would be one of the dots.
            let end =
                end.map(|end| if end.starts_with('.') { format!("...0{end}") } else { format!("...{end}") });
            lines.push(format!("+{}{} {}", seconds_of(at - before), end.unwrap_or_default(), line.text));
            before = at;
        }
        lines
    }
}

/// The whole script: what stands before its first event, with the options that were given from outside, the lines, and
/// its last command.
pub(super) fn script(
    source: &Source,
    script: &Script,
    given: &[(String, Option<String>)],
    lines: &[String],
) -> String {
    let start = script.events.first().map_or(0, |event| event.span.start);
    // Behind the script's own options, which they override.
    let own = script.init.as_ref().map_or(start, |init| init.span.start);
    let mut text = source.text.get(..own).unwrap_or("").to_owned();
    for (name, value) in given {
        let value = value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
        text.push_str(&format!("--{name}{value}\n"));
    }
    text.push_str(source.text.get(own..start).unwrap_or(""));
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    if let Some(cleanup) = &script.cleanup {
        text.push_str(&format!("`{}`\n", cleanup.value));
    }
    text
}
