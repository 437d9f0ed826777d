//! Random worlds between two of our own stacks.
//!
//! `CAUCE_WORLDS` is how many worlds to run (default 2,000) and `CAUCE_SEED` the first seed (default 0). A
//! failing seed is printed; `CAUCE_SEED=n CAUCE_WORLDS=1` repeats it alone and prints its plan and packets.

use cauce_lab::log::EventLog;
use cauce_lab::report::Situation;
use cauce_lab::worlds::{WorldPlan, run_many, run_seed, run_seed_with};

fn from_env(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")),
        Err(_) => default,
    }
}

#[test]
fn random_worlds_keep_the_invariants() {
    let (first, count) = (from_env("CAUCE_SEED", 0), from_env("CAUCE_WORLDS", 2_000));
    if count == 1 {
        let log = EventLog::new();
        println!("{:#?}", WorldPlan::draw(first));
        let outcome = run_seed_with(first, Some(Box::new(log.clone())));
        println!("{}", log.text());
        assert_eq!(outcome.violations, Vec::<String>::new());
        return;
    }
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let summary = run_many(first, count, threads);
    println!("{summary}");
    assert!(summary.failures.is_empty(), "seeds from {first}:\n{summary}");
    // Give-ups that a setting explains: fewer than one in a thousand connections.
    assert!(summary.given_up * 1_000 < summary.connections.max(1_000), "{summary}");
    if count >= 1_000 {
        let missed: Vec<&str> = summary.report.missed(1).into_iter().map(Situation::name).collect();
        assert!(missed.is_empty(), "too few worlds reached {missed:?}:\n{summary}");
    }
}

#[test]
fn a_seed_repeats_its_world() {
    for seed in 0..10 {
        let run = || {
            let log = EventLog::new();
            let outcome = run_seed_with(seed, Some(Box::new(log.clone())));
            (log.text(), format!("{outcome:?}"))
        };
        assert_eq!(run(), run(), "seed {seed}");
    }
}

#[test]
fn the_summary_does_not_depend_on_the_threads() {
    let one = run_many(50, 20, 1);
    let many = run_many(50, 20, 4);
    assert_eq!(format!("{one:?}"), format!("{many:?}"));
    assert_eq!(one.report.worlds(), 20);
    assert!(run_seed(50).connections > 0);
}
