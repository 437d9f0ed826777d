//! Many scripts: finding them, running each, counting.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::{fs, thread};

use crate::against::core::Core;
use crate::against::kernel::Kernel;
use crate::diagnostic::{Diagnostic, Kind, Source};
use crate::expectations::Expectations;
use crate::parser::{self, Given};
use crate::run::Checked;
use crate::settings::Settings;
use crate::target::Target;

/// What scripts run against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// Our own stack, in virtual time.
    Core,
    /// The host's kernel, in real time.
    Kernel,
}

/// How scripts are run.
#[derive(Debug)]
pub struct Options {
    /// Scripts, and directories that are searched for `*.pkt`.
    pub paths: Vec<PathBuf>,
    /// What they run against.
    pub against: Against,
    /// Options that override the scripts' own: names without dashes, and values.
    pub overrides: Vec<(String, Option<String>)>,
    /// `-D NAME=VALUE`.
    pub definitions: BTreeMap<String, String>,
    /// How many run at a time; at least one does.
    pub jobs: usize,
    /// What is known to fail.
    pub expectations: Expectations,
}

impl Options {
    /// Runs `paths` against `against`, one after the other, with nothing overridden.
    pub fn new(paths: Vec<PathBuf>, against: Against) -> Options {
        Options {
            paths,
            against,
            overrides: Vec::new(),
            definitions: BTreeMap::new(),
            jobs: 1,
            expectations: Expectations::default(),
        }
    }
}

/// How one script ended.
#[derive(Debug, Clone)]
pub struct Report {
    /// The script.
    pub path: PathBuf,
    /// `Ok`, or what stopped it.
    pub result: Result<(), Box<Diagnostic>>,
    /// Why it was expected to fail.
    pub known: Option<String>,
}

impl Report {
    /// `ok`, `FAILED`, `unsupported`, `known` (it fails, as was expected) or `PASSED` (which was not).
    pub fn verdict(&self) -> &'static str {
        match &self.result {
            Ok(()) if self.known.is_some() => "PASSED",
            Ok(()) => "ok",
            Err(_) if self.known.is_some() => "known",
            Err(diagnostic) if diagnostic.kind == Kind::Unsupported => "unsupported",
            Err(_) => "FAILED",
        }
    }
}

/// How all scripts ended, in the order of their paths.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// One entry a script.
    pub reports: Vec<Report>,
}

impl Summary {
    fn count(&self, verdict: &str) -> usize {
        self.reports.iter().filter(|report| report.verdict() == verdict).count()
    }

    /// Scripts whose every expectation held.
    pub fn passed(&self) -> usize {
        self.count("ok")
    }

    /// Scripts that could not be read, or in which something was not as expected; and those that pass although
    /// they are listed as failing.
    pub fn failed(&self) -> usize {
        self.count("FAILED") + self.count("PASSED")
    }

    /// Scripts that fail as was expected.
    pub fn known(&self) -> usize {
        self.count("known")
    }

    /// Scripts that ask for what the target does not have.
    pub fn unsupported(&self) -> usize {
        self.count("unsupported")
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.known() > 0 {
            write!(f, "{} known to fail; ", self.known())?;
        }
        write!(f, "{} passed, {} failed, {} unsupported", self.passed(), self.failed(), self.unsupported())
    }
}

/// Runs scripts. `each` is told of every script as it ends, in no particular order when jobs overlap.
///
/// ```
/// use cauce_drill::{Against, Options, run_files};
///
/// let summary = run_files(&Options::new(vec!["/no/such/file.pkt".into()], Against::Kernel), |_| {});
/// assert_eq!(summary.to_string(), "0 passed, 1 failed, 0 unsupported");
/// ```
pub fn run_files(options: &Options, each: impl Fn(&Report) + Sync) -> Summary {
    let mut reports = Vec::new();
    let mut scripts = Vec::new();
    for path in &options.paths {
        if let Err(error) = collect(path, &mut scripts) {
            let title = format!("{}: {error}", path.display());
            let diagnostic = Diagnostic::without_source(Kind::Script, title);
            reports.push(Report { path: path.clone(), result: Err(Box::new(diagnostic)), known: None });
            if let Some(report) = reports.last() {
                each(report);
            }
        }
    }
    let next = std::sync::atomic::AtomicUsize::new(0);
    let done = std::sync::Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, scripts.len().max(1)) {
            scope.spawn(|| {
                while let Some(path) = scripts.get(next.fetch_add(1, std::sync::atomic::Ordering::SeqCst)) {
                    let known = options.expectations.reason(path).map(str::to_owned);
                    let report = Report { path: path.clone(), result: run_file(path, options), known };
                    each(&report);
                    if let Ok(mut done) = done.lock() {
                        done.push(report);
                    }
                }
            });
        }
    });
    reports.extend(done.into_inner().unwrap_or_default());
    reports.sort_by(|a, b| a.path.cmp(&b.path));
    Summary { reports }
}

/// `path` itself, or the scripts below it in the order of their names.
fn collect(path: &Path, scripts: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !fs::metadata(path)?.is_dir() {
        scripts.push(path.to_owned());
        return Ok(());
    }
    let mut entries =
        fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    entries.sort();
    for entry in entries {
        if entry.is_dir() || entry.extension().is_some_and(|extension| extension == "pkt") {
            collect(&entry, scripts)?;
        }
    }
    Ok(())
}

/// Reads, checks and plays one script.
fn run_file(path: &Path, options: &Options) -> Result<(), Box<Diagnostic>> {
    let checked = read(path, options)?;
    play(&checked, path, options.against, Checked::run)
}

/// Plays the calls and the injected packets of the script at `path` and returns it with the packets, results and
/// times that really came: a truthful script in a minute.
///
/// # Errors
/// It cannot be read, or not be played to its end.
pub fn record_file(path: &Path, options: &Options) -> Result<String, Box<Diagnostic>> {
    let checked = read(path, options)?;
    play(&checked, path, options.against, Checked::record)
}

fn read(path: &Path, options: &Options) -> Result<Checked, Box<Diagnostic>> {
    let text = fs::read_to_string(path).map_err(|error| {
        Box::new(Diagnostic::without_source(Kind::Script, format!("{}: {error}", path.display())))
    })?;
    check(Source::new(&path.display().to_string(), &text), options)
}

/// What playing a script gives.
type Played<T> = Result<T, Box<Diagnostic>>;

fn play<T: Send>(
    checked: &Checked,
    path: &Path,
    against: Against,
    how: fn(&Checked, &mut dyn Target) -> Played<T>,
) -> Played<T> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match against {
        Against::Core => how(checked, &mut Core::new(directory.to_owned())),
        Against::Kernel => on_the_kernel(checked, directory, how),
    }
}

/// Real time needs a machine that keeps it. A run in which this one was late, or in which nothing but a time was
/// wrong, is repeated: what is really wrong is wrong every time.
const ATTEMPTS: usize = 4;

fn on_the_kernel<T: Send>(
    checked: &Checked,
    directory: &Path,
    how: fn(&Checked, &mut dyn Target) -> Played<T>,
) -> Played<T> {
    let attempt = || {
        let mut kernel = Kernel::new(directory.to_owned());
        let result = how(checked, &mut kernel as &mut dyn Target);
        (result, kernel.was_disturbed())
    };
    let mut left = ATTEMPTS;
    loop {
        left -= 1;
        let (result, disturbed) = thread::scope(|scope| match scope.spawn(attempt).join() {
            Ok(outcome) => outcome,
            Err(_) => {
                let diagnostic = Diagnostic::without_source(Kind::Failure, "the runner itself failed");
                (Err(Box::new(diagnostic)), false)
            }
        });
        let again = disturbed || result.as_ref().is_err_and(|diagnostic| diagnostic.timing);
        if result.is_ok() || !again || left == 0 {
            return result;
        }
    }
}

/// Reads a script and checks its options and calls.
///
/// # Errors
/// What is wrong with it.
pub fn check(source: Source, options: &Options) -> Result<Checked, Box<Diagnostic>> {
    let version = options.overrides.iter().rev().find(|(name, _)| name == "ip_version");
    let given = Given {
        definitions: options.definitions.clone(),
        ip_version: version.and_then(|(_, value)| value.clone()),
    };
    let script = parser::parse(&source, &given)?;
    let mut settings = Settings::of(&script, &source, &options.overrides)?;
    settings.definitions.clone_from(&options.definitions);
    Checked::new(source, script, settings)
}
