//! `nstat`: the counters under the kernel's names, as they grew since `nstat` was last asked.
//!
//! Linux keeps what was shown in a file; here it is a [`History`] that the caller keeps. Rates are those of a
//! daemon that samples, which nobody runs: they are always 0.0.

use std::collections::BTreeMap;
use std::fmt::Write;

use cauce_core::counters::Counter;
use cauce_core::stack::Stack;

use super::{Output, matches};

/// What earlier runs have shown. A fresh one knows nothing: the first run shows everything since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    seen: Option<BTreeMap<String, u64>>,
}

impl History {
    /// What was shown before, by name; `None` when nothing was.
    pub fn of(shown: Option<BTreeMap<String, u64>>) -> History {
        History { seen: shown }
    }

    /// What has been shown, to be kept for the next run.
    pub fn shown(&self) -> Option<&BTreeMap<String, u64>> {
        self.seen.as_ref()
    }
}

const USAGE: &str = "Usage: nstat [-ajnprsz] [PATTERN…]";

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    absolute: bool,
    json: bool,
    pretty: bool,
    quiet: bool,
    reset: bool,
    keep: bool,
    zeros: bool,
}

/// `nstat [-n] [-a] [-z] [-s] [-r] [-j] [-p] [PATTERN…]`.
///
/// ```
/// use cauce_core::{counters::Counter, stack::Stack, sysctl::Sysctls};
/// use cauce_posix::tools::nstat::{History, run};
/// let mut n = 0u64;
/// let stack = Stack::new(Sysctls::default(), Box::new(move || { n += 1; n }));
/// let mut history = History::default();
/// assert_eq!(run(&stack, &mut history, &["-n"]).stdout, "");
/// let text = run(&stack, &mut history, &["-z", "TcpExtTCPTimeouts"]).stdout;
/// assert_eq!(text, "#kernel\nTcpExtTCPTimeouts               0                  0.0\n");
/// ```
pub fn run(stack: &Stack, history: &mut History, arguments: &[&str]) -> Output {
    let (options, patterns) = match parse(arguments) {
        Ok(parsed) => parsed,
        Err(output) => return *output,
    };
    let matching = |name: &str| patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, name));
    let now: Vec<(String, u64)> = values(stack).collect();
    let old = history.seen.clone().filter(|_| !options.reset);
    let shown = now.iter().filter(|(name, _)| matching(name)).filter_map(|(name, value)| {
        let before = old.as_ref().filter(|_| !options.absolute).and_then(|old| old.get(name)).unwrap_or(&0);
        let grown = value.saturating_sub(*before);
        (options.zeros || grown > 0).then_some((name.as_str(), grown))
    });
    let output = match options {
        Options { quiet: true, .. } => Output::default(),
        Options { json: true, pretty, .. } => Output::text(json(shown, pretty)),
        _ => Output::text(text(shown)),
    };
    if !options.keep {
        // What was not asked for keeps its old value, so that it is still new when it is.
        let kept = |name: &String| old.as_ref().filter(|_| !matching(name)).and_then(|old| old.get(name));
        let seen = now.iter().map(|(name, value)| (name.clone(), *kept(name).unwrap_or(value))).collect();
        history.seen = Some(seen);
    }
    output
}

fn parse<'a>(arguments: &[&'a str]) -> Result<(Options, Vec<&'a str>), Box<Output>> {
    let (mut options, mut patterns, mut only_patterns) = (Options::default(), Vec::new(), false);
    for argument in arguments {
        let letters = match *argument {
            "--" if !only_patterns => {
                only_patterns = true;
                continue;
            }
            "--ignore" => "a",
            "--json" => "j",
            "--nooutput" => "n",
            "--pretty" => "p",
            "--reset" => "r",
            "--noupdate" => "s",
            "--zeros" => "z",
            word => match word.strip_prefix('-') {
                Some(letters) if !only_patterns && !letters.is_empty() => letters,
                _ => {
                    patterns.push(word);
                    continue;
                }
            },
        };
        for letter in letters.chars() {
            match letter {
                'a' => options.absolute = true,
                'j' => options.json = true,
                'n' => options.quiet = true,
                'p' => options.pretty = true,
                'r' => options.reset = true,
                's' => options.keep = true,
                'z' => options.zeros = true,
                'd' | 't' => return Err(Box::new(Output::unsupported(format!("nstat {argument}")))),
                _ => {
                    let message = format!("nstat: invalid option -- '{letter}'\n{USAGE}");
                    return Err(Box::new(Output::failed(255, message)));
                }
            }
        }
    }
    Ok((options, patterns))
}

/// Every counter with its full name. Gauges are no counters and are left out, as Linux's tool does.
pub fn values(stack: &Stack) -> impl Iterator<Item = (String, u64)> + '_ {
    let counters = Counter::ALL.iter().filter(|counter| **counter != Counter::CurrEstab);
    counters.map(|counter| (format!("{}{}", counter.group(), counter.name()), stack.counters().get(*counter)))
}

fn text<'a>(shown: impl Iterator<Item = (&'a str, u64)>) -> String {
    let mut text = String::from("#kernel\n");
    for (name, value) in shown {
        let _ = writeln!(text, "{name:<32}{value:<16}{:6.1}", 0.0);
    }
    text
}

fn json<'a>(shown: impl Iterator<Item = (&'a str, u64)>, pretty: bool) -> String {
    let pairs: Vec<String> = match pretty {
        true => shown.map(|(name, value)| format!("\n        \"{name}\": {value}")).collect(),
        false => shown.map(|(name, value)| format!("\"{name}\":{value}")).collect(),
    };
    match pretty {
        true => format!("{{\n    \"kernel\": {{{}\n    }}\n}}\n", pairs.join(",")),
        false => format!("{{\"kernel\":{{{}}}}}\n", pairs.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::{connected_stack, test_stack};

    fn ask(stack: &Stack, history: &mut History, arguments: &[&str]) -> String {
        run(stack, history, arguments).stdout
    }

    /// Two runs behave as the history file of the real one: the second shows what is new.
    #[test]
    fn a_run_shows_what_is_new_since_the_last() {
        let (quiet, (busy, _)) = (test_stack(), connected_stack(b"x"));
        let mut history = History::default();
        assert_eq!(ask(&quiet, &mut history, &["-n"]), "");
        let passive = "TcpPassiveOpens                 1                  0.0\n";
        assert!(ask(&busy, &mut history, &["-s"]).contains(passive), "-s does not update");
        assert!(ask(&busy, &mut history, &[]).contains(passive));
        assert_eq!(ask(&busy, &mut history, &[]), "#kernel\n");
        assert!(ask(&busy, &mut history, &["-a"]).contains(passive), "-a ignores the history");
        assert!(ask(&busy, &mut history, &["-rs", "TcpPassive*"]).ends_with(passive), "-r forgets it");
        assert!(!ask(&busy, &mut history, &["-az"]).contains("CurrEstab"));
    }

    #[test]
    fn what_was_not_asked_for_stays_new() {
        let (quiet, (busy, _)) = (test_stack(), connected_stack(b"x"));
        let mut history = History::default();
        ask(&quiet, &mut history, &["-n"]);
        assert_eq!(ask(&busy, &mut history, &["tcpinseGs"]).lines().count(), 2);
        let rest = ask(&busy, &mut history, &["Tcp*"]);
        assert!(rest.contains("TcpOutSegs") && !rest.contains("TcpInSegs"), "{rest}");
    }

    #[test]
    fn json_and_errors() {
        let stack = test_stack();
        let mut history = History::default();
        let both = ask(&stack, &mut history, &["-jz", "TcpInSegs", "TcpOutSegs"]);
        assert_eq!(both, "{\"kernel\":{\"TcpInSegs\":0,\"TcpOutSegs\":0}}\n");
        let wrong = run(&stack, &mut history, &["-Q"]);
        assert_eq!((wrong.status, wrong.stdout.as_str()), (255, ""));
        assert!(wrong.stderr.starts_with("nstat: invalid option -- 'Q'"));
        assert_eq!(run(&stack, &mut history, &["-d", "1"]).problems.len(), 1);
    }
}
