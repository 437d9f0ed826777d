//! What a passing script proves: every token of what it expects, wrong on its own, makes it fail.
//!
//! Each script of ours that passes against our stack under `--strict` is run again and again, each time with one
//! token changed: of every expected packet its flags, numbers, options and IP words; of every call its result, its
//! error and what it writes; of both the time, by more than twice the tolerance. What survives is printed by class
//! with the reason; at least 99 of 100 must fail, and nothing may survive whose class is not named here.
//!
//! `CAUCE_MUTANTS=N` runs N of them, drawn by `CAUCE_SEED` (default 1); without it all run.

mod calls;
mod packets;
mod times;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use cauce_drill::against::core::Core;
use cauce_drill::ast::{Action, Direction, Event, Packet, Payload, Script};
use cauce_drill::parser::{Given, parse};
use cauce_drill::{Checked, Expectations, Journal, Python, Settings, Source};

/// One event with one token changed.
#[derive(Debug, Clone)]
pub(crate) struct Mutant {
    pub class: &'static str,
    /// What was changed into what.
    pub what: String,
    pub event: Event,
}

impl Mutant {
    fn new(class: &'static str, what: String, event: &Event, action: Action) -> Mutant {
        Mutant { class, what, event: Event { action, ..event.clone() } }
    }
}

/// Classes of which some may survive, and why they say nothing against the runner.
const EXCUSED: &[(&str, &str)] = &[
    (
        "initial sequence number",
        "a script may count from any number: its first SYN says from which, and where no later packet names a \
         number of the stack the choice shows nowhere",
    ),
    (
        "first TSval",
        "a script may give the stack's clock any number: the first TSval says which, and where none is named or \
         echoed later the choice shows nowhere",
    ),
    (
        "room for an answer",
        "the length that getsockopt is given is the room that the call has; where the value is longer, one byte \
         more is as true",
    ),
];

/// The least share of mutants that must fail, in 1/1000.
const WANTED: usize = 990;

struct Subject {
    path: PathBuf,
    source: Source,
    script: Script,
    settings: Settings,
    /// Mutants: the event, and what stands there instead.
    mutants: Vec<(usize, Mutant)>,
}

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn scripts(directory: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{directory:?}: {error}"));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a directory entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            scripts(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "pkt") {
            found.push(path);
        }
    }
}

/// Reads the script at `path`; `None` when it is about what is not run.
fn subject(path: &Path) -> Option<Subject> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let source = Source::new(&path.display().to_string(), &text);
    let script = parse(&source, &Given::default()).ok()?;
    let strict = [("strict".to_owned(), None)];
    let settings = Settings::of(&script, &source, &strict).unwrap_or_else(|error| panic!("{error}"));
    let mut mutants = Vec::new();
    let mut syn_seen = false;
    let mut stamp_seen = false;
    let mut ports_seen = Vec::new();
    for (index, event) in script.events.iter().enumerate() {
        let mut of_event = times::mutants(event, &settings);
        match &event.action {
            Action::Packet(packet) if packet.direction == Direction::Out => {
                let firsts = packets::Firsts { syn: !syn_seen, stamp: !stamp_seen };
                of_event.extend(packets::mutants(event, packet, firsts));
                if let Payload::Tcp(tcp) = &packet.payload {
                    syn_seen |= tcp.flags.value.contains(cauce_wire::Flags::SYN);
                    stamp_seen |= packets::has_timestamps(tcp);
                }
            }
            // The first SYN between these ports begins another connection, with numbers of its own.
            Action::Packet(Packet { payload: Payload::Tcp(tcp), .. })
                if tcp.ports.is_some() && !ports_seen.contains(&tcp.ports) =>
            {
                ports_seen.push(tcp.ports);
                syn_seen &= !tcp.flags.value.contains(cauce_wire::Flags::SYN);
            }
            Action::Call(line) => {
                of_event.extend(calls::mutants(event, line));
                if ["socket", "connect", "sendto"].contains(&line.name.value.as_str()) {
                    (syn_seen, stamp_seen) = (false, false);
                }
            }
            _ => {}
        }
        mutants.extend(of_event.into_iter().map(|mutant| (index, mutant)));
    }
    Some(Subject { path: path.to_owned(), source, script, settings, mutants })
}

impl Subject {
    /// True when the script, with `change` in the place of an event, passes.
    fn passes(&self, change: Option<&(usize, Mutant)>, python: &mut Python) -> bool {
        let mut script = self.script.clone();
        if let Some((index, mutant)) = change {
            script.events[*index] = mutant.event.clone();
        }
        // What the language itself refuses is no less caught.
        let Ok(checked) = Checked::new(self.source.clone(), script, self.settings.clone()) else {
            return false;
        };
        let directory = self.path.parent().unwrap_or(Path::new(".")).to_owned();
        match checked.play(&mut Core::new(directory), Journal::silent()) {
            Ok(samples) => checked.judge(&samples, python).is_ok(),
            Err(_) => false,
        }
    }

    fn line(&self, event: usize) -> usize {
        self.source.place(self.script.events[event].span.start).0
    }
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")))
}

/// Runs `work` on `0..count` on all cores.
fn on_all_cores(count: usize, work: impl Fn(usize, &mut Python) + Sync) {
    let next = AtomicUsize::new(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let mut python = Python::new();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    work(index, &mut python);
                }
            });
        }
    });
}

/// splitmix64
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// The scripts that pass under `--strict`; those that do not and are not listed are told.
fn passing() -> (Vec<Subject>, Vec<String>) {
    let list = std::fs::read_to_string(home().join("expectations.toml")).expect("expectations.toml");
    let known = Expectations::parse(&list).expect("expectations.toml");
    let mut paths = Vec::new();
    scripts(&home().join("scripts"), &mut paths);
    scripts(&home().join("ours"), &mut paths);
    paths.retain(|path| known.reason(path).is_none());
    let subjects: Vec<_> = paths.iter().filter_map(|path| subject(path)).collect();
    let fails = Mutex::new(vec![false; subjects.len()]);
    on_all_cores(subjects.len(), |index, python| {
        let passes = subjects[index].passes(None, python);
        fails.lock().expect("no holder panics")[index] = !passes;
    });
    let fails = fails.into_inner().expect("no holder panics");
    let mut failing = Vec::new();
    let mut passing = Vec::new();
    for (subject, fails) in subjects.into_iter().zip(fails) {
        if fails {
            failing.push(subject.path.display().to_string());
        } else {
            passing.push(subject);
        }
    }
    (passing, failing)
}

#[test]
fn every_wrong_token_makes_a_script_fail() {
    let started = std::time::Instant::now();
    let (subjects, failing) = passing();
    assert!(
        failing.is_empty(),
        "these scripts do not pass under --strict; write their segments out, as `cauce drill --record \
         --strict-segments` does:\n{}",
        failing.join("\n")
    );
    let mut all: Vec<(usize, usize)> = Vec::new();
    for (index, subject) in subjects.iter().enumerate() {
        all.extend((0..subject.mutants.len()).map(|mutant| (index, mutant)));
    }
    if let Some(count) = number("CAUCE_MUTANTS") {
        let seed = number("CAUCE_SEED").unwrap_or(1);
        println!("CAUCE_SEED={seed}");
        let mut state = seed;
        for place in (1..all.len()).rev() {
            let other = random(&mut state) % (place as u64 + 1);
            all.swap(place, other as usize);
        }
        all.truncate(count as usize);
        all.sort_unstable();
    }
    let survived = Mutex::new(Vec::new());
    on_all_cores(all.len(), |index, python| {
        let (subject, mutant) = all[index];
        let subject = &subjects[subject];
        if subject.passes(Some(&subject.mutants[mutant]), python) {
            survived.lock().expect("no holder panics").push(index);
        }
    });
    let mut survived = survived.into_inner().expect("no holder panics");
    survived.sort_unstable();
    report(&subjects, &all, &survived);
    eprintln!("{} s", started.elapsed().as_secs());
}

fn report(subjects: &[Subject], all: &[(usize, usize)], survived: &[usize]) {
    let class = |(subject, mutant): (usize, usize)| subjects[subject].mutants[mutant].1.class;
    let mut classes: BTreeMap<&str, (usize, Vec<String>)> = BTreeMap::new();
    for place in all {
        classes.entry(class(*place)).or_default().0 += 1;
    }
    for index in survived {
        let (subject, mutant) = all[*index];
        let subject = &subjects[subject];
        let (event, mutant) = &subject.mutants[mutant];
        let place = format!("{}:{}: {}", subject.path.display(), subject.line(*event), mutant.what);
        classes.entry(mutant.class).or_default().1.push(place);
    }
    let mut unexcused = 0;
    for (class, (count, places)) in &classes {
        println!("{class:24} {count:6} mutants, {:4} survive", places.len());
        let reason = EXCUSED.iter().find(|(excused, _)| excused == class).map(|(_, reason)| *reason);
        if let (Some(reason), false) = (reason, places.is_empty()) {
            println!("    {reason}");
        }
        unexcused += if reason.is_none() { places.len() } else { 0 };
        for place in places {
            println!("    {place}");
        }
    }
    let failed = all.len() - survived.len();
    println!("{} scripts, {} mutants, {failed} fail", subjects.len(), all.len());
    assert!(failed * 1000 >= all.len() * WANTED, "{failed} of {} fail", all.len());
    assert_eq!(unexcused, 0, "mutants survive for which no reason is known");
}

#[test]
fn every_kind_of_token_is_changed() {
    let text = r#"0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 > [ect0,tos 0x10,ttl 64] S. 0:0(0) ack 1 win 5 urg 1 <mss 1460,sackOK,TS val 1 ecr 2,nop,wscale 7,sack 1:2,FO 00,ECN e0b 1>
+0...0.1 poll([{fd=3, events=POLLIN, revents=POLLIN}], 1, -1) = 1
+0 read(3, ..., 10) = -1 EAGAIN
+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0
"#;
    let path = std::env::temp_dir().join(format!("cauce-mutants-{}.pkt", std::process::id()));
    std::fs::write(&path, text).expect("a file in the temporary directory");
    let subject = subject(&path);
    let _ = std::fs::remove_file(&path);
    let subject = subject.expect("a script");
    let mut classes: Vec<_> = subject.mutants.iter().map(|(_, mutant)| mutant.class).collect();
    classes.sort_unstable();
    classes.dedup();
    let wanted = [
        "ECN word",
        "IP numbers",
        "TSecr",
        "ack",
        "answer",
        "end of call",
        "errno",
        "first TSval",
        "flags",
        "initial sequence number",
        "length",
        "option",
        "option number",
        "result",
        "room for an answer",
        "time",
        "urg",
        "win",
    ];
    assert_eq!(classes, wanted);
}
