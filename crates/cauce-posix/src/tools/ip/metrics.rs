//! `ip tcp_metrics`: what the stack remembers of destinations (S-33).

use std::fmt::Write;
use std::net::IpAddr;

use cauce_core::stack::Stack;
use cauce_core::stack::metrics_cache::Known;
use cauce_core::stack::route::Prefix;
use cauce_core::time::Instant;

use super::{Family, is_short, no_process, unknown_command, wrong_address};
use crate::tools::Output;

/// `show [[address] PREFIX]`, `flush [all | PREFIX]`, `delete ADDRESS`.
pub(super) fn run(stack: &mut Stack, family: Family, now: Instant, words: &[&str]) -> Output {
    if let Some(shown) = shown(stack, family, words) {
        return shown.map_or_else(|output| *output, |known| show(&known, now));
    }
    let (command, rest) = split(words);
    if is_short(command, "flush", 1) {
        return match selected(stack, family, rest) {
            Ok(known) => {
                for known in known {
                    stack.destinations_mut().remove(&known.dst);
                }
                Output::default()
            }
            Err(output) => *output,
        };
    }
    match rest {
        [address] if is_short(command, "delete", 1) => match address.parse::<IpAddr>() {
            Ok(address) if stack.destinations_mut().remove(&address.into()) => Output::default(),
            Ok(_) => no_process(),
            Err(_) => wrong_address(address),
        },
        _ => unknown_command(command, "tcp_metrics"),
    }
}

/// The destinations that are to be shown; `None` when something else is to be done.
pub(super) fn shown(
    stack: &Stack,
    family: Family,
    words: &[&str],
) -> Option<Result<Vec<Known>, Box<Output>>> {
    let (command, rest) = split(words);
    let shows = is_short(command, "show", 1) || is_short(command, "list", 1);
    shows.then(|| selected(stack, family, rest))
}

/// The command and what it is about.
fn split<'w, 't>(words: &'w [&'t str]) -> (&'t str, &'w [&'t str]) {
    let (command, rest) = words.split_first().map_or(("show", words), |(command, rest)| (*command, rest));
    (command, rest.strip_prefix(&["address"]).unwrap_or(rest))
}

/// The destinations that a selector names.
fn selected(stack: &Stack, family: Family, words: &[&str]) -> Result<Vec<Known>, Box<Output>> {
    let prefix = match words {
        [] | ["all"] => None,
        [text, ..] => match (text.parse::<Prefix>(), text.parse::<IpAddr>()) {
            (Ok(prefix), _) => Some(prefix),
            (_, Ok(address)) => Prefix::new(address, if address.is_ipv4() { 32 } else { 128 }),
            _ => return Err(Box::new(wrong_address(text))),
        },
    };
    let known = stack.destinations().iter().filter(|known| {
        family.includes(&known.dst.ip()) && prefix.is_none_or(|prefix| prefix.contains(&known.dst))
    });
    Ok(known.collect())
}

fn show(known: &[Known], now: Instant) -> Output {
    let mut text = String::new();
    for Known { dst, source, metrics, updated } in known {
        let age = now.since(*updated).as_millis();
        // Writing to a String cannot fail.
        let _ = write!(text, "{dst} age {}.{:03}sec ", age / 1_000, age % 1_000);
        for (name, value, unit) in [
            ("ssthresh", metrics.ssthresh, ""),
            ("cwnd", metrics.cwnd, ""),
            ("reordering", metrics.reordering, ""),
            ("rtt", metrics.srtt_us, "us"),
            ("rttvar", metrics.rttvar_us, "us"),
        ] {
            if value != 0 {
                let _ = write!(text, "{name} {value}{unit} ");
            }
        }
        let _ = match source {
            Some(source) => writeln!(text, "source {source}"),
            None => writeln!(text),
        };
    }
    Output::text(text)
}
