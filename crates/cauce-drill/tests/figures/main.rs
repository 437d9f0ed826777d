//! What is counted and shown, against the kernel: every script runs on this machine's kernel and on our stack, and at
//! its end all counters (`nstat`; G-11) and the tcp_info of every open socket (O-04, O-17) must be the same.
//!
//! What differs on purpose stands in [`exceptions`], each with its reason. `CAUCE_FIGURES=WORD` compares only scripts
//! whose path contains the word.

mod compare;
mod exceptions;
mod play;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use cauce_drill::against::kernel::ready;
use cauce_drill::{Against, Options, list_files};
use compare::Difference;

/// Scripts that wait on the kernel at a time: they sleep nearly all the time.
const JOBS: usize = 12;

fn scripts() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let word = std::env::var("CAUCE_FIGURES").unwrap_or_default();
    let all = list_files(&Options::new(vec![root], Against::Core)).into_iter();
    all.filter(|path| path.contains(&word)).map(PathBuf::from).collect()
}

/// The differences of one script that the kernel shows twice.
fn differences(path: &Path) -> Vec<Difference> {
    let mut found = Vec::new();
    for attempt in 0..3 {
        let Some((kernel, core)) = play::both(path) else { return Vec::new() };
        let now = compare::all(path, &kernel, &core);
        found = if attempt == 0 { now } else { compare::in_both(found, now) };
        if found.is_empty() {
            break;
        }
    }
    found
}

#[test]
fn the_kernel_shows_the_same_figures() {
    if let Err(why) = ready() {
        eprintln!("\n!!! NOT COMPARED with the kernel: {why}\n");
        return;
    }
    let (scripts, next) = (scripts(), AtomicUsize::new(0));
    let found = Mutex::new(BTreeMap::<String, Vec<String>>::new());
    thread::scope(|scope| {
        for _ in 0..JOBS {
            scope.spawn(|| {
                while let Some(path) = scripts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    for difference in differences(path) {
                        let mut found = found.lock().expect("no panic");
                        found.entry(difference.what.clone()).or_default().push(difference.to_string());
                    }
                }
            });
        }
    });
    let found = found.into_inner().expect("no panic");
    for (what, scripts) in &found {
        println!("{what} differs in {}: {}", scripts.len(), scripts.join(", "));
    }
    println!("{} scripts compared", scripts.len());
    assert!(found.is_empty(), "{} figures differ", found.len());
}

#[test]
fn exceptions_give_reasons() {
    for exception in exceptions::ALL {
        assert!(exception.why.len() > 10 && !exception.figures.is_empty(), "{exception:?}");
    }
}
