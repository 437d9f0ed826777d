//! What a run tells while it goes on, and the last packets for when it fails.

use std::collections::VecDeque;
use std::fmt;

use super::calls::seconds_of;
use crate::expect::answer::seconds;

/// How many packets before a failure are shown.
const SHOWN_PACKETS: usize = 8;

/// Gets one line at a time.
type Listener<'j> = Box<dyn FnMut(&str) + Send + 'j>;

/// Who is told of every event as it happens, if anybody.
#[derive(Default)]
pub struct Journal<'j> {
    listener: Option<Listener<'j>>,
    /// The last packets: when, and in the language's own spelling.
    packets: VecDeque<(i64, String)>,
}

impl fmt::Debug for Journal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("packets", &self.packets).finish_non_exhaustive()
    }
}

impl<'j> Journal<'j> {
    /// A journal that nobody listens to.
    pub fn silent() -> Journal<'j> {
        Journal::default()
    }

    /// A journal that tells `listener` of every event in one line, with the time since the script began.
    pub fn told_to(listener: impl FnMut(&str) + Send + 'j) -> Journal<'j> {
        Journal { listener: Some(Box::new(listener)), packets: VecDeque::new() }
    }

    /// True when somebody listens, so that lines are worth making.
    pub(super) fn is_heard(&self) -> bool {
        self.listener.is_some()
    }

    /// Something that is no packet happened at `at`.
    pub(super) fn event(&mut self, at: i64, text: &str) {
        if let Some(listener) = &mut self.listener {
            listener(&format!("{} {text}", seconds(at)));
        }
    }

    /// A packet came or left at `at`.
    pub(super) fn packet(&mut self, at: i64, text: String) {
        self.event(at, &text);
        if self.packets.len() == SHOWN_PACKETS {
            self.packets.pop_front();
        }
        self.packets.push_back((at, text));
    }

    /// The last packets as a script writes them, each with its time after the one before.
    pub(super) fn last_packets(&self) -> Option<String> {
        let mut packets: Vec<_> = self.packets.iter().collect();
        // One that left early may have been looked at late.
        packets.sort_by_key(|(at, _)| *at);
        let mut before = None;
        let lines = packets.into_iter().map(|(at, text)| {
            let time = match before.replace(*at) {
                None => seconds_of(*at),
                Some(before) => format!("+{}", seconds_of(at - before)),
            };
            format!("{time} {text}")
        });
        Some(lines.collect::<Vec<_>>().join("\n")).filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_packets_are_lines_of_a_script() {
        let mut told = Vec::new();
        let mut journal = Journal::told_to(|line| told.push(line.to_owned()));
        assert_eq!(journal.last_packets(), None);
        for at in 0..10 {
            journal.packet(at * 40_000_000, format!("> . {at}:{at}(0) ack 1"));
        }
        let shown = journal.last_packets().unwrap_or_default();
        assert_eq!(shown.lines().count(), SHOWN_PACKETS);
        assert!(shown.starts_with(".08 > . 2:2(0) ack 1\n+.04 > . 3:3(0) ack 1\n"), "{shown}");
        drop(journal);
        assert_eq!(told.first().map(String::as_str), Some("0.000000 > . 0:0(0) ack 1"));
        assert_eq!(told.len(), 10);
    }
}
