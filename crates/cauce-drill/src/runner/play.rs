//! One script: reading it, playing it against its target, judging its code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use super::capture::{Tap, unwritten};
use super::collect::{Case, read, unreadable};
use super::{Against, Options, Report, check_in};
use crate::against::core::Core;
use crate::against::deaf::{self, Deaf};
use crate::against::kernel::Kernel;
use crate::diagnostic::{Diagnostic, Kind, Source};
use crate::run::{Checked, Journal, Python};
use crate::target::Target;

/// Real time needs a machine that keeps it. A run in which this one was late, or in which nothing but a time was
/// wrong, is repeated: what is really wrong is wrong every time.
const ATTEMPTS: usize = 4;

type Played<T> = Result<T, Box<Diagnostic>>;

/// Reads, checks and plays one script.
pub(super) fn run(case: &Case, capture: Option<&PathBuf>, options: &Options, python: &mut Python) -> Report {
    let began = Instant::now();
    let mut report = Report::new(case.path.clone(), Ok(()));
    report.version = case.version;
    match prepare(case, options) {
        Err(refused) => report.result = Err(refused),
        Ok(checked) => {
            report.notes.clone_from(&checked.settings().notes);
            report.checked_only = checked.settings().dry_run;
            if !report.checked_only {
                attempts(&checked, case, capture, options, python, &mut report);
            }
        }
    }
    report.took = began.elapsed();
    report
}

/// The script at `case`, read and checked.
pub(super) fn prepare(case: &Case, options: &Options) -> Played<Checked> {
    let text = match read(&case.path) {
        Ok(text) => text,
        Err(error) => {
            unreadable(&case.path, &error).result?;
            String::new()
        }
    };
    check_in(Source::new(&case.path.display().to_string(), &text), case.version, options)
}

fn attempts(
    checked: &Checked,
    case: &Case,
    capture: Option<&PathBuf>,
    options: &Options,
    python: &mut Python,
    report: &mut Report,
) {
    let header = format!("--- {}", case.name());
    let mut left = if options.against == Against::Kernel { ATTEMPTS } else { 1 };
    loop {
        left -= 1;
        report.events.clear();
        let events = &mut report.events;
        let mut tell = |line: &str| match options.live {
            Some(print) => print(line),
            None => events.push(line.to_owned()),
        };
        if options.verbose {
            tell(&header);
        }
        let journal = if options.verbose { Journal::told_to(tell) } else { Journal::silent() };
        let play = |target: &mut dyn Target| checked.play(target, journal);
        let (played, disturbed) = match options.deaf_to {
            Some(name) => (on_deaf_ears(checked, &case.path, (name, options.deaf_since), play), false),
            None => on_target(&case.path, options.against, capture, play),
        };
        report.result = played.and_then(|samples| {
            report.printed = checked.judge(&samples, python)?;
            Ok(())
        });
        let again = disturbed || report.result.as_ref().is_err_and(|diagnostic| diagnostic.timing);
        if report.result.is_ok() || !again || left == 0 {
            return;
        }
    }
}

/// Has `play` play against a fresh target. The second value tells whether the machine was too busy for real time.
fn on_target<T: Send>(
    path: &Path,
    against: Against,
    capture: Option<&PathBuf>,
    play: impl FnOnce(&mut dyn Target) -> Played<T> + Send,
) -> (Played<T>, bool) {
    let directory = directory_of(path);
    let tapped = |target: &mut dyn Target| match capture {
        None => play(target),
        Some(file) => {
            let mut tap = Tap::new(target, against == Against::Kernel);
            let played = play(&mut tap);
            let written = tap.write(file);
            played.and_then(|played| match written {
                Ok(()) => Ok(played),
                Err(error) => Err(broken(unwritten(file, &error))),
            })
        }
    };
    let caught = || match against {
        Against::Core => (tapped(&mut Core::new(directory.to_owned())), false),
        Against::Kernel => {
            let mut kernel = Kernel::new(directory.to_owned());
            let played = tapped(&mut kernel);
            (played, kernel.was_disturbed())
        }
    };
    let guarded = || {
        catch_unwind(AssertUnwindSafe(caught)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            (Err(broken(format!("{}: a bug of this program: {text}", path.display()))), false)
        })
    };
    match against {
        Against::Core => guarded(),
        // The thread moves into a network namespace of its own.
        Against::Kernel => thread::scope(|scope| {
            let run = thread::Builder::new().spawn_scoped(scope, guarded);
            match run.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(done)) => done,
                Ok(Err(_)) => (Err(broken("the thread of the script was lost".to_owned())), false),
                Err(error) => (Err(broken(format!("no thread for the script: {error}"))), false),
            }
        }),
    }
}

/// The directory in which a script lies.
fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Has `play` play against a stack that is deaf to `name`, after the script has been heard once.
fn on_deaf_ears<T>(
    checked: &Checked,
    path: &Path,
    (name, since): (deaf::Name, deaf::Since),
    play: impl FnOnce(&mut dyn Target) -> Played<T>,
) -> Played<T> {
    let directory = directory_of(path).to_owned();
    let mut hearing = Deaf::hearing(directory.clone(), name);
    checked.play(&mut hearing, Journal::silent())?;
    play(&mut Deaf::new(directory, name, since, hearing.answers()))
}

fn broken(title: String) -> Box<Diagnostic> {
    Box::new(Diagnostic::without_source(Kind::Failure, title))
}

/// Plays the calls and the injected packets of a script and writes it back with what really came. Against the kernel
/// a record that the machine disturbed is made again.
pub(super) fn record(path: &Path, options: &Options) -> Played<String> {
    let case = Case::single(path);
    let checked = prepare(&case, options)?;
    let mut left = if options.against == Against::Kernel { ATTEMPTS } else { 1 };
    loop {
        left -= 1;
        let capture = options.pcap.as_ref();
        let (recorded, disturbed) =
            on_target(path, options.against, capture, |target: &mut dyn Target| checked.record(target));
        if !disturbed || left == 0 {
            return recorded;
        }
    }
}
