//! Replays the committed corpus of every target, and seeded mutations of it.
//!
//! `CAUCE_FUZZ_ROUNDS` says how many mutants each corpus file gets (default 40), `CAUCE_FUZZ_SEED` from which
//! seed. A failure prints target, seed and the input, made as small as a moment allows, in hexadecimal; the
//! program `reproduce` runs it again.

use cauce_fuzz::Target;
use cauce_fuzz::input::to_hex;
use cauce_fuzz::mutate::{Random, mutate};
use cauce_fuzz::shrink::shrink;
use std::cell::Cell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

const DEFAULT_ROUNDS: u64 = 40;
const DEFAULT_SEED: u64 = 1;
/// A run takes milliseconds; one that takes this long never ends.
const HANG: Duration = Duration::from_secs(30);
/// Runs that making a failure smaller may take.
const SHRINK_ATTEMPTS: usize = 3_000;

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")),
        Err(_) => default,
    }
}

/// The corpus of a target, in the order of its file names.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let entries = std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{directory:?}: {error}"));
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("a directory entry").path();
            let bytes = std::fs::read(&path).expect("a corpus file");
            (path.file_name().expect("a name").to_string_lossy().into_owned(), bytes)
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{directory:?} holds no inputs");
    files
}

fn replay(name: &'static str) {
    hush();
    let target = cauce_fuzz::target(name).expect("a target of this name");
    let watchdog = Watchdog::new(name);
    let files = corpus(name);
    let (rounds, seed) =
        (number("CAUCE_FUZZ_ROUNDS", DEFAULT_ROUNDS), number("CAUCE_FUZZ_SEED", DEFAULT_SEED));
    for (index, (file, bytes)) in files.iter().enumerate() {
        check(&watchdog, target, bytes, &format!("corpus file {file}"));
        for round in 0..rounds {
            let mutant_seed = seed << 40 ^ (index as u64) << 24 ^ round;
            let mut random = Random::new(mutant_seed);
            let other = &files[random.below(files.len())].1;
            let mutant = mutate(bytes, other, &mut random);
            check(&watchdog, target, &mutant, &format!("round {round} on {file}, CAUCE_FUZZ_SEED={seed}"));
        }
    }
}

thread_local! {
    /// Panics of this thread are expected: it makes an input smaller.
    static SILENT: Cell<bool> = const { Cell::new(false) };
}

fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !SILENT.get() {
                usual(info);
            }
        }));
    });
}

/// Ends the process, with the input printed, when one run never ends.
#[derive(Clone)]
struct Watchdog {
    /// Which run it is, and its input; the input is gone when the run is over.
    current: Arc<Mutex<(u64, Option<String>)>>,
}

impl Watchdog {
    fn new(name: &'static str) -> Self {
        let current = Arc::new(Mutex::new((0, None)));
        let watched = Arc::downgrade(&current);
        std::thread::spawn(move || {
            let mut before = 0;
            while let Some(current) = watched.upgrade() {
                let (run, input) = current.lock().expect("no holder panics").clone();
                if let Some(input) = input.filter(|_| run == before) {
                    let _ = writeln!(std::io::stderr(), "\ntarget {name} hangs: {input}");
                    std::process::abort();
                }
                before = run;
                drop(current);
                std::thread::sleep(HANG);
            }
        });
        Watchdog { current }
    }

    fn during<T>(&self, input: &[u8], run: impl FnOnce() -> T) -> T {
        let begin = |input| {
            let mut current = self.current.lock().expect("no holder panics");
            *current = (current.0 + 1, input);
        };
        begin(Some(to_hex(input)));
        let result = run();
        begin(None);
        result
    }
}

fn check(watchdog: &Watchdog, target: &Target, input: &[u8], origin: &str) {
    let Target { name, run } = *target;
    let fails =
        |bytes: &[u8]| watchdog.during(bytes, || catch_unwind(AssertUnwindSafe(|| run(bytes))).is_err());
    if !fails(input) {
        return;
    }
    SILENT.set(true);
    let small = shrink(input, SHRINK_ATTEMPTS, fails);
    SILENT.set(false);
    eprintln!("\ntarget {name} failed: {origin}\nwhole: {}\nsmall: {}", to_hex(input), to_hex(&small));
    run(&small);
    run(input);
    panic!("it failed once and never again");
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        #[test]
        fn every_target_is_replayed() {
            let replayed = [$(stringify!($name)),*];
            let known: Vec<&str> = cauce_fuzz::TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(known, replayed);
        }
    };
}

targets! { stack ip tcp icmp ethernet fragments offload literal sysctl drill }
