//! A real shell whose host is the stack under test.
//!
//! A *keeper*, a small shell in namespaces of its own ([`crate::sys::sandbox`]), starts a shell for each command, so
//! that all commands of a script have the same parent; its number is their `PACKETDRILL_PID`. The settings are files
//! ([`super::settings`]); `/proc/net` holds what the stack looks like. Tools are small scripts that ask through a FIFO
//! and print what they are answered. While a command runs, this side answers; virtual time stands still.
//!
//! A keeper costs some milliseconds. When its script is over it serves the next one, unless something that the
//! script has started still runs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use cauce_posix::proc;
use cauce_posix::tools::Output;

use super::settings::{Files, write_file};
use super::tools;
use super::{Core, TargetError, broken, short};
use crate::sys::inotify::Watcher;
use crate::sys::poll::{Ready, end_group, wait};
use crate::sys::sandbox::{self, NET, OWN};

/// How long a command may run, in real time.
const LONGEST: Duration = Duration::from_secs(60);
/// The most of a command's output that is looked at, in bytes.
const READ: u64 = 1 << 20;
/// The largest request of a tool, in bytes.
const REQUEST: usize = 1 << 20;

/// Keepers whose scripts are over.
static IDLE: Mutex<Vec<Sandbox>> = Mutex::new(Vec::new());

/// What the keeper does: it reads a directory and a shell, and runs the command there. What runs on in the
/// background holds `alive` open.
const KEEPER: &str = r#"
export PACKETDRILL_PID=$$
d=/proc/sys/net/.cauce
while IFS= read -r directory && IFS= read -r shell; do
    (exec </dev/null >"$d/stdout" 2>"$d/stderr" 9>"$d/alive" && cd -- "$directory" && exec "$shell" "$d/command")
    echo $?
done
"#;

/// What stands in the place of each tool. One asks at a time, for the way of the answers is shared; `busy` is made
/// by who asks and removed by who answers.
const TOOL: &str = r#"#!/bin/sh
d=/proc/sys/net/.cauce
set -C
until true >"$d/busy"; do sleep 0.01; done 2>/dev/null
set +C
printf '%s\0' "$(($# + 2))" "$PWD" "${0##*/}" "$@" >"$d/ask"
IFS= read -r status <"$d/answer"
[ -s "$d/out" ] && cat "$d/out"
[ -s "$d/err" ] && cat "$d/err" >&2
printf '%s\0' 0 >"$d/ask"
exit "$status"
"#;

/// True when commands are run by bash; else by sh.
pub(super) fn has_bash() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| Path::new("/bin/bash").exists())
}

/// A keeper and the ways to it.
#[derive(Debug)]
pub(super) struct Sandbox {
    keeper: Child,
    orders: ChildStdin,
    statuses: ChildStdout,
    /// The sandbox's own directory, seen from outside.
    own: PathBuf,
    ask: File,
    answer: File,
    alive: File,
    files: Files,
    /// The tables under `/proc/net` as they were last written.
    tables: Vec<(&'static str, String)>,
}

/// Runs a command in the script's sandbox.
pub(super) fn run(core: &mut Core, text: &str) -> Result<Output, TargetError> {
    let mut sandbox = match core.commands.sandbox.take() {
        Some(sandbox) => sandbox,
        None => Sandbox::ready(text)?,
    };
    match sandbox.run(core, text) {
        Ok(output) => {
            core.commands.sandbox = Some(sandbox);
            Ok(output)
        }
        Err(why) => {
            sandbox.end();
            Err(broken(format!("the command `{}`: {why}", short(text))))
        }
    }
}

/// What a running command wants next.
enum Event {
    /// A tool was called: where, and with which words.
    Tool(PathBuf, Vec<String>),
    /// The command has ended with this status.
    Over(u8),
}

impl Sandbox {
    /// A keeper that waits for a script, or a new one.
    fn ready(text: &str) -> Result<Sandbox, TargetError> {
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(sandbox) => Ok(sandbox),
            None => Sandbox::new().map_err(|refused| {
                TargetError::Unsupported(format!(
                    "the command `{}`: a real shell is kept from the host by {}, and the system refuses ({}); run as \
                     root, or where user namespaces are allowed",
                    short(text),
                    refused.needs,
                    refused.error
                ))
            }),
        }
    }

    fn new() -> Result<Sandbox, sandbox::Refused> {
        let mut keeper = sandbox::spawn(KEEPER, &tools::NAMES)?;
        let (Some(orders), Some(statuses)) = (keeper.stdin.take(), keeper.stdout.take()) else {
            return Err(io::Error::other("the keeper has no pipes").into());
        };
        let root = PathBuf::from(format!("/proc/{}/root{}", keeper.id(), sandbox::ROOT.to_string_lossy()));
        let own = root.join(OWN);
        let open = |name: &str, write: bool| {
            OpenOptions::new().read(true).write(write).custom_flags(libc::O_NONBLOCK).open(own.join(name))
        };
        let opened = (|| {
            for tool in tools::NAMES {
                fs::write(own.join("bin").join(tool), TOOL)?;
            }
            Ok((open("ask", true)?, open("answer", true)?, open("alive", false)?))
        })();
        match opened {
            Ok((ask, answer, alive)) => {
                let files = Files::new(root, Watcher::new().ok());
                Ok(Sandbox { keeper, orders, statuses, own, ask, answer, alive, files, tables: Vec::new() })
            }
            Err(error) => {
                end_group(&keeper);
                let _ = keeper.wait();
                Err(sandbox::Refused { needs: "its tmpfs to be seen through /proc/PID/root", error })
            }
        }
    }

    /// Leaves the keeper to the next script, or ends it with everything that the script has left running.
    pub fn give_back(self) {
        let background = wait([self.alive.as_fd()], 0);
        if matches!(background, Ok([ready]) if !ready.hung_up && self.was_used()) || background.is_err() {
            return self.end();
        }
        IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(self);
    }

    /// A FIFO that was never opened for writing is not hung up either.
    fn was_used(&self) -> bool {
        !self.tables.is_empty()
    }

    fn end(mut self) {
        end_group(&self.keeper);
        // It was told to end, and nobody else waits for it.
        let _ = self.keeper.wait();
    }

    fn run(&mut self, core: &mut Core, text: &str) -> Result<Output, String> {
        let failed = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
        self.prepare(core, text).map_err(failed("its sandbox cannot be filled"))?;
        self.start(&core.directory)?;
        let mut problems = Vec::new();
        let begin = Instant::now();
        let status = loop {
            match self.next_event(begin)? {
                Event::Over(status) => break status,
                Event::Tool(directory, words) => {
                    let output = self.call(core, &directory, &words);
                    let output = output.map_err(failed("its settings cannot be read"))?;
                    self.reply(&output).map_err(failed("its tool cannot be answered"))?;
                    problems.extend(output.problems);
                }
            }
        };
        let written =
            self.files.take_over(core.stack.sysctl_mut()).map_err(failed("its settings cannot be read"))?;
        problems.extend(written);
        Ok(Output { status, stdout: self.printed("stdout"), stderr: self.printed("stderr"), problems })
    }

    /// Makes the files what the stack is now.
    fn prepare(&mut self, core: &mut Core, text: &str) -> io::Result<()> {
        // What a tool that was ended in the middle has left.
        match fs::remove_file(self.own.join("busy")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        drain(&mut self.ask);
        drain(&mut self.answer);
        self.files.publish(core.stack.sysctl())?;
        let tables = proc::files(&core.stack, core.now);
        for table in &tables {
            if !self.tables.contains(table) {
                write_file(&self.own.join(NET).join(table.0), &table.1)?;
            }
        }
        self.tables = tables;
        write_file(&self.own.join("command"), text)
    }

    fn start(&mut self, directory: &Path) -> Result<(), String> {
        let place = directory.canonicalize().map_err(|error| format!("{}: {error}", directory.display()))?;
        let place = place.to_str().filter(|place| !place.contains('\n'));
        let place = place.ok_or("the name of the script's directory has a line end, or is no UTF-8")?;
        let shell = if has_bash() { "/bin/bash" } else { "/bin/sh" };
        let order = format!("{place}\n{shell}\n");
        self.orders
            .write_all(order.as_bytes())
            .map_err(|error| format!("the keeper of its shell is gone: {error}"))
    }

    fn next_event(&mut self, begin: Instant) -> Result<Event, String> {
        loop {
            let [ask, statuses] = self.wait(begin)?;
            if ask.readable {
                if let Some((directory, words)) = self.request(begin)? {
                    return Ok(Event::Tool(directory, words));
                }
            } else if statuses.readable || statuses.hung_up {
                let mut line = [0; 16];
                let len = self.statuses.read(&mut line).map_err(|error| error.to_string())?;
                let status = std::str::from_utf8(&line[..len]).ok().and_then(|line| line.trim().parse().ok());
                return status.map(Event::Over).ok_or_else(|| "the keeper of its shell is gone".to_owned());
            } else {
                return Err(format!("it has not ended after {} seconds", LONGEST.as_secs()));
            }
        }
    }

    fn wait(&self, begin: Instant) -> Result<[Ready; 2], String> {
        let left = LONGEST.saturating_sub(begin.elapsed()).as_millis() as i32;
        wait([self.ask.as_fd(), self.statuses.as_fd()], left).map_err(|error| error.to_string())
    }

    /// The request of a tool: the number of its words, and the words, each with a NUL behind. A tool that has its
    /// answer sends the number 0.
    fn request(&mut self, begin: Instant) -> Result<Option<(PathBuf, Vec<String>)>, String> {
        let mut bytes = Vec::new();
        loop {
            let mut part = [0; 4096];
            match self.ask.read(&mut part) {
                Ok(len) => bytes.extend_from_slice(&part[..len]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !self.wait(begin)?[0].readable {
                        return Err("a tool has not said what it wants".to_owned());
                    }
                }
                Err(error) => return Err(error.to_string()),
            }
            let mut words =
                bytes.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
            let count = words.next().and_then(|count| count.parse::<usize>().ok());
            let complete = bytes.iter().filter(|byte| **byte == 0).count();
            match count {
                Some(0) if complete > 0 => {
                    // Who asks next may come in.
                    let _ = fs::remove_file(self.own.join("busy"));
                    return Ok(None);
                }
                Some(count) if complete > count => {
                    let directory = PathBuf::from(words.next().unwrap_or_default());
                    return Ok(Some((directory, words.take(count - 1).collect())));
                }
                None if complete > 0 => {
                    return Err("a tool has asked in a way that is not its own".to_owned());
                }
                _ if bytes.len() > REQUEST => return Err("a tool has more words than it may".to_owned()),
                _ => {}
            }
        }
    }

    /// Runs a tool. What was written to files before is known to it, and what it changes stands in files after it.
    fn call(&mut self, core: &mut Core, directory: &Path, words: &[String]) -> io::Result<Output> {
        let mut problems = self.files.take_over(core.stack.sysctl_mut())?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut output = tools::run(core, &words, directory);
        self.files.publish(core.stack.sysctl())?;
        problems.append(&mut output.problems);
        Ok(Output { problems, ..output })
    }

    fn reply(&mut self, output: &Output) -> io::Result<()> {
        write_file(&self.own.join("out"), &output.stdout)?;
        write_file(&self.own.join("err"), &output.stderr)?;
        self.answer.write_all(format!("{}\n", output.status).as_bytes())
    }

    fn printed(&self, name: &str) -> String {
        let mut bytes = Vec::new();
        // What cannot be read was not printed.
        let _ = File::open(self.own.join(name)).and_then(|file| file.take(READ).read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Takes out of a FIFO what is left there.
fn drain(fifo: &mut File) {
    let mut part = [0; 4096];
    while fifo.read(&mut part).is_ok_and(|len| len > 0) {}
}
