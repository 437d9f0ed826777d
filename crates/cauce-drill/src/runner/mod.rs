//! Many scripts: finding them, running them on several threads, telling how they ended in the order of their paths.
//!
//! What is told does not depend on how many run at a time, nor on the machine's speed.

mod capture;
mod collect;
mod formats;
mod glob;
mod play;
mod report;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

pub use self::collect::Case;
pub use self::formats::{Format, Printer};
pub(crate) use self::glob::matches_end;
pub use self::report::{Report, Summary, Verdict};
use crate::against::deaf;
use crate::against::kernel::own_descriptors;
use crate::diagnostic::{Diagnostic, Source};
use crate::expectations::Expectations;
use crate::parser::{self, Given};
use crate::run::{Checked, Python};
use crate::settings::{IpMode, Settings, definition};

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
    /// Globs; only scripts that one of them matches are run. None lets all run.
    pub filters: Vec<String>,
    /// Lets our stack ignore what is written to this setting or option; see [`Deaf`](crate::against::deaf::Deaf).
    pub deaf_to: Option<deaf::Name>,
    /// Since when, for a setting.
    pub deaf_since: deaf::Since,
    /// Runs every script in each version of IP that its own option lines allow.
    pub all_versions: bool,
    /// Options that override the scripts' own: names without dashes, and values.
    pub overrides: Vec<(String, Option<String>)>,
    /// `-D NAME=VALUE`, which override the scripts' own `--define`.
    pub definitions: BTreeMap<String, String>,
    /// How many run at a time; at least one does.
    pub jobs: usize,
    /// Starts no more scripts after the first that fails.
    pub fail_fast: bool,
    /// What is known to fail.
    pub expectations: Expectations,
    /// Where packets are written: a file for one script, a directory for several.
    pub pcap: Option<PathBuf>,
    /// Keeps every event of a script in its report.
    pub verbose: bool,
    /// With `verbose`: called with every event as it happens, instead of keeping it. For a single job.
    pub live: Option<fn(&str)>,
}

impl Options {
    /// Runs `paths` against `against`, one after the other, with nothing overridden.
    pub fn new(paths: Vec<PathBuf>, against: Against) -> Options {
        Options {
            paths,
            against,
            filters: Vec::new(),
            deaf_to: None,
            deaf_since: deaf::Since::default(),
            all_versions: false,
            overrides: Vec::new(),
            definitions: BTreeMap::new(),
            jobs: 1,
            fail_fast: false,
            expectations: Expectations::default(),
            pcap: None,
            verbose: false,
            live: None,
        }
    }
}

/// The names of the scripts that [`run_files`] would run, in order; those that cannot be read included.
pub fn list_files(options: &Options) -> Vec<String> {
    let name = |case: Result<Case, Report>| match case {
        Ok(case) => case.name(),
        Err(report) => report.name(),
    };
    collect::cases(options).into_iter().map(name).collect()
}

/// Runs scripts. `each` is told of every script in the order of their paths, as soon as those before it have ended.
///
/// ```
/// use cauce_drill::{Against, Options, run_files};
///
/// let summary = run_files(&Options::new(vec!["/no/such/file.pkt".into()], Against::Core), |_| {});
/// assert_eq!(summary.to_string(), "0 passed, 1 failed, 0 unsupported");
/// ```
pub fn run_files(options: &Options, each: impl Fn(&Report) + Sync) -> Summary {
    let cases = collect::cases(options);
    let captures = options.pcap.as_ref().map(|file| collect::captures(file, &cases));
    let next = AtomicUsize::new(0);
    let queue = Queue { stop: AtomicBool::new(false), state: Mutex::default() };
    thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, cases.len().max(1)) {
            scope.spawn(|| {
                if options.against == Against::Kernel {
                    // Without memory for that, a script may rarely see another's descriptors linger.
                    let _ = own_descriptors();
                }
                let mut python = Python::new();
                while !queue.stop.load(Ordering::SeqCst) {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    let Some(case) = cases.get(index) else { break };
                    let mut report = match case {
                        Err(report) => report.clone(),
                        Ok(case) => {
                            let capture = captures.as_ref().and_then(|files| files.get(index));
                            play::run(case, capture, options, &mut python)
                        }
                    };
                    let reason = options.expectations.reason(Path::new(&report.name()));
                    let reason = reason.or_else(|| options.expectations.reason(&report.path));
                    report.known = reason.map(str::to_owned);
                    queue.put(index, report, options.fail_fast, &each);
                }
            });
        }
    });
    let reports = queue.state.into_inner().unwrap_or_else(PoisonError::into_inner).told;
    Summary { reports }
}

/// Reports on their way into the order of their paths.
#[derive(Debug)]
struct Queue {
    /// No more scripts are to be started.
    stop: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Those that wait for one before them.
    waiting: BTreeMap<usize, Report>,
    told: Vec<Report>,
    /// One has failed, and nothing after it is told.
    over: bool,
}

impl Queue {
    fn put(&self, index: usize, report: Report, fail_fast: bool, each: &impl Fn(&Report)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if fail_fast && report.verdict().fails() {
            // Those before it have been started already.
            self.stop.store(true, Ordering::SeqCst);
        }
        state.waiting.insert(index, report);
        while !state.over {
            let next = state.told.len();
            let Some(report) = state.waiting.remove(&next) else { break };
            each(&report);
            state.over = fail_fast && report.verdict().fails();
            state.told.push(report);
        }
    }
}

/// Plays the calls and the injected packets of the script at `path` and returns it with the packets, results and
/// times that really came: a truthful script in a minute.
///
/// # Errors
/// It cannot be read, or not be played to its end.
pub fn record_file(path: &Path, options: &Options) -> Result<String, Box<Diagnostic>> {
    play::record(path, options)
}

/// Reads a script and checks its options and calls.
///
/// # Errors
/// What is wrong with it.
pub fn check(source: Source, options: &Options) -> Result<Checked, Box<Diagnostic>> {
    check_in(source, None, options)
}

/// The same in `version`, if one is given.
fn check_in(source: Source, version: Option<IpMode>, options: &Options) -> Result<Checked, Box<Diagnostic>> {
    let mut overrides = options.overrides.clone();
    overrides.extend(version.map(|version| ("ip_version".to_owned(), Some(version.name().to_owned()))));
    let ip_version = overrides.iter().rev().find(|(name, _)| name == "ip_version");
    let mut definitions = BTreeMap::new();
    for line in parser::options(&source)?.iter().filter(|line| line.name.value == "define") {
        let text = line.value.as_ref().map_or("", |value| value.value.as_str());
        // What is no definition is refused below, with its place.
        definitions.extend(definition(text).ok());
    }
    definitions.extend(options.definitions.clone());
    let given = Given {
        definitions: definitions.clone(),
        ip_version: ip_version.and_then(|(_, value)| value.clone()),
    };
    let script = parser::parse(&source, &given)?;
    let mut settings = Settings::of(&script, &source, &overrides)?;
    settings.definitions = definitions;
    let symbols = options.definitions.iter().map(|(name, value)| format!("{name}={value}"));
    settings.given.extend(symbols.map(|symbol| ("define".to_owned(), Some(symbol))));
    Checked::new(source, script, settings)
}
