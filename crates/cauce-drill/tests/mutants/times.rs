//! Expected packets and ends of calls at other times: off by more than twice what is tolerated there.

use cauce_drill::Settings;
use cauce_drill::ast::{Action, Direction, Event, Time};

use super::Mutant;

/// What our stack is held to when a script sets no tolerance of its own, ns.
const USUAL: i64 = 4_000_000;
/// Beyond twice the tolerance by this much, ns.
const BEYOND: i64 = 1_000_000;

/// All mutants of an event's expected time.
pub(crate) fn mutants(event: &Event, settings: &Settings) -> Vec<Mutant> {
    let expected = matches!(&event.action, Action::Packet(packet) if packet.direction == Direction::Out);
    let times = match event.time {
        Time::Absolute(at) if expected => moved(at, settings, Time::Absolute),
        Time::Relative(at) if expected => moved(at, settings, Time::Relative),
        Time::AbsoluteRange(from, to) if expected => moved_range(from, to, settings, Time::AbsoluteRange),
        Time::RelativeRange(from, to) if expected => moved_range(from, to, settings, Time::RelativeRange),
        Time::AbsoluteBlocking(from, end) => {
            moved(end - from, settings, |length| Time::AbsoluteBlocking(from, from + length))
        }
        Time::RelativeBlocking(from, end) => {
            moved(end - from, settings, |length| Time::RelativeBlocking(from, from + length))
        }
        // `*` accepts any time; what is done at a time is no expectation.
        _ => Vec::new(),
    };
    let class = if expected { "time" } else { "end of call" };
    let mutant = |time| Mutant {
        class,
        what: format!("{:?} to {time:?}", event.time),
        event: Event { time, ..event.clone() },
    };
    times.into_iter().map(mutant).collect()
}

/// How far a moment `gap` after the event before must go to be beyond twice the tolerance at its new place: later,
/// and earlier. `None` when the share that is tolerated leaves no such place.
fn distance(gap: i64, settings: &Settings) -> Option<(i64, i64)> {
    let fixed = 2 * settings.tolerance.unwrap_or(USUAL);
    let share = 2 * settings.tolerance_permille;
    if share >= 1000 {
        return None;
    }
    let later = fixed.max(gap / (1000 - share) * share + share);
    let earlier = fixed.max(gap / 1000 * share + share);
    Some((later + BEYOND, earlier + BEYOND))
}

fn moved(at: i64, settings: &Settings, time: impl Fn(i64) -> Time) -> Vec<Time> {
    let Some((later, earlier)) = distance(at, settings) else { return Vec::new() };
    let mut times = vec![time(at + later)];
    if at >= earlier {
        times.push(time(at - earlier));
    }
    times
}

fn moved_range(from: i64, to: i64, settings: &Settings, time: impl Fn(i64, i64) -> Time) -> Vec<Time> {
    let Some((later, earlier)) = distance(to, settings) else { return Vec::new() };
    let width = to - from;
    let mut times = vec![time(to + later, to + later + width)];
    if from >= earlier + width {
        times.push(time(from - earlier - width, from - earlier));
    }
    times
}
