//! Many worlds on many threads; the result does not depend on how many.

use super::run::{Outcome, run_seed};
use crate::report::Report;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A world that broke a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// The seed that repeats it.
    pub seed: u64,
    /// What was broken.
    pub violations: Vec<String>,
}

/// What became of many worlds.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Connections that were opened.
    pub connections: u64,
    /// Of those, completed in both directions.
    pub completed: u64,
    /// Of those, cut off by a user's close or abort.
    pub cut_off: u64,
    /// Of those, given up by the engine as its settings say.
    pub given_up: u64,
    /// Bytes that came out.
    pub bytes: u64,
    /// How many worlds reached which situation.
    pub report: Report,
    /// Worlds that broke a rule, by seed.
    pub failures: Vec<Failure>,
}

impl Summary {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.connections += outcome.connections;
        self.completed += outcome.completed;
        self.cut_off += outcome.cut_off;
        self.given_up += outcome.given_up;
        self.bytes += outcome.bytes;
        self.report.add(outcome.reached);
        if !outcome.violations.is_empty() {
            self.failures.push(Failure { seed, violations: outcome.violations });
        }
    }

    fn merge(&mut self, other: Summary) {
        self.connections += other.connections;
        self.completed += other.completed;
        self.cut_off += other.cut_off;
        self.given_up += other.given_up;
        self.bytes += other.bytes;
        self.report.merge(&other.report);
        self.failures.extend(other.failures);
        self.failures.sort();
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.report)?;
        writeln!(
            f,
            "{} connections: {} completed, {} cut off by a user, {} given up; {} bytes delivered",
            self.connections, self.completed, self.cut_off, self.given_up, self.bytes
        )?;
        for failure in self.failures.iter().take(10) {
            writeln!(f, "seed {}: {}", failure.seed, failure.violations.join("; "))?;
        }
        if self.failures.len() > 10 {
            writeln!(f, "and {} more failing seeds", self.failures.len() - 10)?;
        }
        Ok(())
    }
}

/// Runs the worlds of `count` seeds from `first` on, on `threads` threads (at least one). A world that takes
/// ages is named on stderr: it may be one that never ends.
pub fn run_many(first: u64, count: u64, threads: usize) -> Summary {
    let next = AtomicU64::new(first);
    let whole = Mutex::new(Summary::default());
    let current: Vec<AtomicU64> = (0..threads.max(1)).map(|_| AtomicU64::new(IDLE)).collect();
    let running = AtomicUsize::new(current.len());
    std::thread::scope(|scope| {
        let watchdog = scope.spawn(|| watch(&current, &running)).thread().clone();
        for mine in &current {
            let (next, whole, running, watchdog) = (&next, &whole, &running, watchdog.clone());
            scope.spawn(move || {
                let part = run_some(next, first.saturating_add(count), mine);
                whole.lock().unwrap_or_else(PoisonError::into_inner).merge(part);
                if running.fetch_sub(1, Ordering::Relaxed) == 1 {
                    watchdog.unpark();
                }
            });
        }
    });
    whole.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// No seed: the thread is between two worlds.
const IDLE: u64 = u64::MAX;
/// A world takes milliseconds.
const AGES: Duration = Duration::from_secs(10);

/// Names seeds that are still running after a while.
fn watch(current: &[AtomicU64], running: &AtomicUsize) {
    let mut before = vec![IDLE; current.len()];
    while running.load(Ordering::Relaxed) > 0 {
        std::thread::park_timeout(AGES);
        for (seen, now) in before.iter_mut().zip(current) {
            let seed = now.load(Ordering::Relaxed);
            if seed == *seen && seed != IDLE && running.load(Ordering::Relaxed) > 0 {
                eprintln!("the world of seed {seed} has been running for ages");
            }
            *seen = seed;
        }
    }
}

/// Takes seeds until `end`.
fn run_some(next: &AtomicU64, end: u64, current: &AtomicU64) -> Summary {
    let mut summary = Summary::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            current.store(IDLE, Ordering::Relaxed);
            return summary;
        }
        current.store(seed, Ordering::Relaxed);
        // A world shares nothing with the next, so a panic in one leaves nothing behind.
        let outcome = catch_unwind(AssertUnwindSafe(|| run_seed(seed))).unwrap_or_else(|panic| {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
            Outcome { violations: vec![format!("panicked: {words}")], ..Outcome::default() }
        });
        summary.add(seed, outcome);
    }
}
