//! The result of a call against the script's.

use std::net::SocketAddr;

use super::Difference;
use crate::against::tcp_info;
use crate::call::symbols::{bits, errno_name};
use crate::call::{Answer, CONTROL_HEADER, Outcome, Wanted, WantedAnswer, WantedControl, WantedData};

/// What is not as wanted. `is_fd` tells that the result is a descriptor, which may stand for the script's; `strict`
/// also wants the length that getsockopt gives back to be the one that it was given.
pub(crate) fn differences(
    wanted: &Wanted,
    outcome: &Outcome,
    is_fd: bool,
    strict: bool,
    tolerance: i64,
) -> Vec<Difference> {
    let mut found = Vec::new();
    if let Some(result) = wanted.result {
        // Any descriptor may stand for the script's number.
        let same = if is_fd && result >= 0 { outcome.result >= 0 } else { outcome.result == result };
        if !same || wanted.errno.is_some_and(|errno| errno != outcome.errno) {
            let expected = match wanted.errno {
                Some(errno) => format!("{result} {}", errno_name(errno)),
                None => result.to_string(),
            };
            found.push(Difference::new("result", expected, outcome.spelled()));
        }
    }
    if found.is_empty() && outcome.errno == 0 {
        answer(&wanted.answer, &outcome.answer, tolerance, &mut found);
        if let (Some(expected), Answer::Bytes(bytes)) = (wanted.len, &outcome.answer)
            && strict
            && expected != bytes.len()
        {
            found.push(Difference::new("length", format!("[{expected}]"), format!("[{}]", bytes.len())));
        }
    }
    found
}

fn answer(wanted: &WantedAnswer, came: &Answer, tolerance: i64, found: &mut Vec<Difference>) {
    match (wanted, came) {
        (WantedAnswer::Bytes(expected), Answer::Bytes(actual)) if expected != actual => {
            found.push(Difference::new("value", spelled(expected), spelled(actual)));
        }
        (WantedAnswer::Text(expected), Answer::Bytes(actual)) => {
            let end = actual.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).escape_default().to_string();
            let bare = expected.strip_suffix(&[0]).unwrap_or(expected);
            if actual.get(..end) != Some(bare) && actual != expected {
                found.push(Difference::new("value", text(expected), text(actual)));
            }
        }
        (WantedAnswer::Info(expected), Answer::Bytes(actual)) => {
            let live = tcp_info(actual);
            for (name, wanted) in expected {
                let value = live.iter().find(|(known, _)| known == name).map_or(0, |(_, value)| *value);
                if value != *wanted {
                    found.push(Difference::new(name, wanted, value));
                }
            }
        }
        (WantedAnswer::Int(expected), Answer::Int(actual)) if expected != actual => {
            found.push(Difference::new("value", expected, actual));
        }
        (WantedAnswer::Name(expected), Answer::Peer(actual)) => {
            // IPv4 addresses of IPv6 sockets are written as such.
            let actual = SocketAddr::new(actual.ip().to_canonical(), actual.port());
            if *expected != actual {
                found.push(Difference::new("address", expected, actual));
            }
        }
        (WantedAnswer::Poll(expected), Answer::Poll(actual)) => {
            for (i, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                if expected != actual {
                    let text = |events: i16| bits(u32::from(events as u16), "POLL");
                    found.push(Difference::new(&format!("revents {i}"), text(*expected), text(*actual)));
                }
            }
        }
        (WantedAnswer::Epoll(expected), Answer::Epoll(actual)) => epoll(expected, actual, found),
        (
            WantedAnswer::Message { flags, controls },
            Answer::Message { flags: live_flags, controls: live },
        ) => {
            if let Some(flags) = flags
                && flags != live_flags
            {
                let text = |flags: i32| bits(flags as u32, "MSG_");
                found.push(Difference::new("msg_flags", text(*flags), text(*live_flags)));
            }
            if let Some(controls) = controls {
                self::controls(controls, live, tolerance, found);
            }
        }
        (WantedAnswer::Nothing | WantedAnswer::Pipe(..), _)
        | (WantedAnswer::Bytes(_), Answer::Bytes(_))
        | (WantedAnswer::Int(_), Answer::Int(_)) => {}
        _ => found.push(Difference::new("answer", "what the script says", "nothing that can be compared")),
    }
}

/// A value as C sees it: an int, text, or bytes.
fn spelled(bytes: &[u8]) -> String {
    if let Ok(int) = <[u8; 4]>::try_from(bytes) {
        return format!("[{}]", i32::from_ne_bytes(int));
    }
    let text = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    format!("{} bytes: {text}", bytes.len())
}

/// An empty result is written as one event without bits.
fn epoll(expected: &[(u32, u64)], actual: &[(u32, u64)], found: &mut Vec<Difference>) {
    let text = |event: Option<&(u32, u64)>| match event {
        Some((events, data)) => format!("{{events={}, data={data}}}", bits(*events, "EPOLL")),
        None => "nothing".to_owned(),
    };
    for (i, event) in expected.iter().enumerate() {
        let live = actual.get(i);
        let same = if *event == (0, 0) { live.is_none() } else { live == Some(event) };
        if !same {
            found.push(Difference::new(&format!("event {i}"), text(Some(event)), text(live)));
        }
    }
}

fn controls(
    expected: &[WantedControl],
    live: &[(i32, i32, Vec<u8>)],
    tolerance: i64,
    found: &mut Vec<Difference>,
) {
    if expected.len() != live.len() {
        found.push(Difference::new("control messages", expected.len(), live.len()));
    }
    for (i, (wanted, (level, kind, data))) in expected.iter().zip(live).enumerate() {
        let name = format!("control message {i}");
        if (wanted.level, wanted.kind) != (*level, *kind) {
            let text = |level, kind| format!("level {level}, type {kind}");
            found.push(Difference::new(&name, text(wanted.level, wanted.kind), text(*level, *kind)));
            continue;
        }
        if let Some(len) = wanted.len
            && len != data.len() + CONTROL_HEADER
        {
            found.push(Difference::new(&format!("{name}, cmsg_len"), len, data.len() + CONTROL_HEADER));
        }
        let expected = contents(&wanted.data);
        let actual = live_contents(&wanted.data, data);
        let same = match &wanted.data {
            WantedData::Any => true,
            WantedData::Time(at) => {
                software_time(data).is_some_and(|live| live.abs_diff(*at) <= tolerance.unsigned_abs())
            }
            _ => expected == actual,
        };
        if !same {
            found.push(Difference::new(&name, expected, actual));
        }
    }
}

/// The first of the three timestamps, nanoseconds.
fn software_time(data: &[u8]) -> Option<i64> {
    let seconds = i64::from_ne_bytes(data.get(..8)?.try_into().ok()?);
    let nanos = i64::from_ne_bytes(data.get(8..16)?.try_into().ok()?);
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

fn contents(wanted: &WantedData) -> String {
    match wanted {
        WantedData::Any => "...".to_owned(),
        WantedData::Int(value) => value.to_string(),
        WantedData::Bytes(bytes) => spelled(bytes),
        WantedData::Time(at) => seconds(*at),
        WantedData::ExtendedError { errno, origin, kind, code, info, data } => {
            extended([*errno, u32::from(*origin), u32::from(*kind), u32::from(*code), *info, *data])
        }
    }
}

fn live_contents(wanted: &WantedData, bytes: &[u8]) -> String {
    let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_ne_bytes);
    let text = match wanted {
        WantedData::Any => Some("...".to_owned()),
        WantedData::Int(_) => word(0).map(|value| (value as i32).to_string()),
        WantedData::Bytes(_) => Some(spelled(bytes)),
        WantedData::Time(_) => software_time(bytes).map(seconds),
        WantedData::ExtendedError { .. } => (|| {
            let byte = |at: usize| bytes.get(at).map(|byte| u32::from(*byte));
            Some(extended([word(0)?, byte(4)?, byte(5)?, byte(6)?, word(8)?, word(12)?]))
        })(),
    };
    text.unwrap_or_else(|| format!("{} bytes", bytes.len()))
}

fn extended([errno, origin, kind, code, info, data]: [u32; 6]) -> String {
    format!("{} origin {origin} type {kind} code {code} info {info} data {data}", errno_name(errno as i32))
}

/// Nanoseconds as seconds, to the microsecond.
pub(crate) fn seconds(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let micros = nanos.unsigned_abs() / 1000;
    format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}
