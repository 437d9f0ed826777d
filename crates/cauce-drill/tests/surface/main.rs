//! The surface of sockets against the kernel: random sequences of options, ioctls and calls on sockets in random states,
//! on this machine's kernel and on our stack, with the same raw peer on a TUN device driving both. Results, errors,
//! what is written through pointers, and readiness after each step must be the same, and so must what has been sent in the
//! end, but for bare acknowledgements.
//!
//! What differs on purpose stands in [`exceptions`], each with its row. A difference prints its seed, the shortest
//! sequence that shows it, and a script of `cauce drill` that passes on the kernel. `CAUCE_SURFACE=COUNT` sets how many sequences run (default 400), `CAUCE_SEED` the first.

mod exceptions;
mod options;
mod peer;
mod play;
mod script;
mod sequence;

use std::sync::Mutex;
use std::thread;

use cauce_drill::IpMode;
use cauce_drill::against::kernel::ready;
use play::{Difference, Pair};
use sequence::Sequence;

/// Sequences that run without `CAUCE_SURFACE`.
const USUAL: u64 = 400;
/// Differences after which no more are looked for.
const ENOUGH: usize = 12;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// The version of IP of a seed; each thread has one of them.
const MODES: [IpMode; 4] = [IpMode::V4, IpMode::V6, IpMode::Mapped, IpMode::V4];

/// The seeds of one version, which lie apart by as many as there are versions.
fn run(seeds: &[u64], mode: IpMode, found: &Mutex<Vec<(u64, Difference)>>) {
    let mut pair = Pair::new(mode);
    for seed in seeds {
        if found.lock().expect("no panic").len() >= ENOUGH {
            return;
        }
        let sequence = Sequence::of_seed(*seed, mode);
        // The kernel runs in real time: only what it says twice counts.
        let differs = |pair: &mut Pair, sequence: &Sequence| {
            pair.compare(sequence).and_then(|_| pair.compare(sequence))
        };
        if differs(&mut pair, &sequence).is_some() {
            let least = sequence.shrunk(|shorter| differs(&mut pair, shorter).is_some());
            if let Some(difference) = pair.compare(&least) {
                found.lock().expect("no panic").push((*seed, difference));
            }
        }
    }
}

#[test]
fn the_kernel_says_the_same() {
    if let Err(why) = ready() {
        eprintln!("\n!!! NOT COMPARED with the kernel: {why}\n");
        return;
    }
    let (first, count) = (number("CAUCE_SEED", 1), number("CAUCE_SURFACE", USUAL));
    let found = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (remainder, mode) in (0..).zip(MODES) {
            let mine = |seed: &u64| seed % MODES.len() as u64 == remainder;
            let seeds: Vec<_> = (first..first + count).filter(mine).collect();
            // Each thread moves into a network namespace of its own.
            if !seeds.is_empty() {
                let found = &found;
                scope.spawn(move || run(&seeds, mode, found));
            }
        }
    });
    let found = found.into_inner().expect("no panic");
    for (seed, difference) in &found {
        println!("CAUCE_SEED={seed} CAUCE_SURFACE=1\n{difference}\n\n{}\n", difference.script());
    }
    assert!(found.is_empty(), "{} differences in {count} sequences from {first} on", found.len());
}

#[test]
fn exceptions_are_few_and_cite_rows() {
    let all = exceptions::ALL;
    assert!(all.len() <= 30, "{} exceptions", all.len());
    for exception in all {
        assert!(exception.row.contains('-') && !exception.why.is_empty(), "{exception:?}");
    }
}
