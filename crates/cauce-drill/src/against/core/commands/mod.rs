//! Commands of scripts, in backquotes: they act on the stack under test and never on the host.
//!
//! A text that consists of tools over the stack (`sysctl`, `ip`, `tc`, `nstat` …) alone, or of files of these, is
//! answered here ([`language`], [`tools`]) in microseconds. Every other one is run by a real shell, in namespaces
//! in which the settings under `/proc/sys/net`, the tables under `/proc/net` and the same tools are those of the
//! stack ([`sandbox`]). Virtual time stands still meanwhile.
//!
//! What the stack does not have, or refuses, fails the script by its name, whatever the shell made of it.

mod arithmetic;
mod language;
mod lexer;
mod offloads;
mod queue;
mod sandbox;
mod settings;
mod tools;

#[cfg(test)]
mod tests;

use std::path::Path;

use cauce_posix::tools::nstat::History;
use cauce_posix::tools::{Output, Problem};

use self::language::{Action, Condition, List, Reader};
use self::lexer::Stream;
use self::offloads::Offloads;
use self::queue::Qdisc;
use self::sandbox::Sandbox;
use super::{Core, TargetError, broken};

/// What commands leave behind for later ones of the same script.
#[derive(Debug, Default)]
pub(super) struct Commands {
    /// What `nstat` has shown.
    history: History,
    qdisc: Qdisc,
    offloads: Offloads,
    /// Where a real shell runs, once one was needed.
    sandbox: Option<Sandbox>,
}

impl Drop for Commands {
    fn drop(&mut self) {
        if let Some(sandbox) = self.sandbox.take() {
            sandbox.give_back();
        }
    }
}

/// The largest part of what a command printed that a failure shows, in bytes.
const SHOWN: usize = 2000;

/// Runs the text of a command.
pub(super) fn run(core: &mut Core, text: &str) -> Result<(), TargetError> {
    let directory = core.directory.clone();
    let reader = Reader { tools: &tools::NAMES, directory: &directory, bash: sandbox::has_bash() };
    let output = match reader.read(text) {
        Some(list) => evaluate(core, &list, &directory),
        None => sandbox::run(core, text)?,
    };
    verdict(text, output)
}

/// What a command's output means for the script.
fn verdict(text: &str, output: Output) -> Result<(), TargetError> {
    match output.problems.into_iter().next() {
        Some(Problem::Unsupported(what)) => Err(TargetError::Unsupported(what)),
        Some(Problem::Refused(why)) => Err(broken(why)),
        None if output.status == 0 => Ok(()),
        None => {
            let printed = [output.stderr.trim_end(), output.stdout.trim_end()];
            let printed = printed.into_iter().find(|text| !text.is_empty()).unwrap_or("it printed nothing");
            Err(broken(format!(
                "the command `{}` ended with status {}: {}",
                short(text),
                output.status,
                end_of(printed)
            )))
        }
    }
}

/// The first line of a command.
fn short(text: &str) -> String {
    let mut lines = text.trim().lines();
    let first = lines.next().unwrap_or_default();
    if lines.next().is_some() { format!("{first} …") } else { first.to_owned() }
}

fn end_of(text: &str) -> &str {
    let mut from = text.len().saturating_sub(SHOWN);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

/// Runs a list as a shell does: its status is that of the last command that ran.
fn evaluate(core: &mut Core, list: &List, directory: &Path) -> Output {
    let mut whole = Output::default();
    for step in list {
        let wanted = match step.condition {
            Condition::Always => true,
            Condition::IfDone => whole.status == 0,
            Condition::IfFailed => whole.status != 0,
        };
        if !wanted {
            continue;
        }
        let output = match &step.action {
            Action::Succeed => Output::default(),
            Action::Fail => Output { status: 1, ..Output::default() },
            Action::Tool(words) => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                tools::run(core, &words, directory)
            }
            Action::File(inner) => evaluate(core, inner, directory),
        };
        whole.status = output.status;
        whole.problems.extend(output.problems);
        for (stream, text) in [(step.stdout, output.stdout), (step.stderr, output.stderr)] {
            match stream {
                Stream::Stdout => whole.stdout.push_str(&text),
                Stream::Stderr => whole.stderr.push_str(&text),
                Stream::Dropped => {}
            }
        }
    }
    whole
}
