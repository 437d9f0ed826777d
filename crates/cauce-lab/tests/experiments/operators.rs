//! What operators count and change: N-36 with.

use crate::rig::{Rig, delay, ms};
use cauce_core::counters::Counter;
use cauce_core::socket::SocketId;
use cauce_core::socket::errno::Errno;
use cauce_core::stack::Stack;
use cauce_core::time::Duration;
use cauce_lab::pair::{Pair, Side};
use cauce_posix::tools::{netstat, sysctl};
use std::collections::BTreeMap;

/// `netstat -nat | awk '{print $6}' | sort | uniq -c` on B, with the order of a locale: letters alone count, small
/// ones first.
fn states(rig: &Rig) -> Vec<String> {
    let table = netstat::run(rig.pair.endpoint(Side::B), rig.pair.now(), &["-nat"]).stdout;
    let mut counts: BTreeMap<(String, bool, String), u32> = BTreeMap::new();
    for line in table.lines() {
        let word = line.split_whitespace().nth(5).unwrap().to_owned();
        let letters = word.to_lowercase().replace(|c: char| !c.is_alphabetic(), "");
        let large = word.chars().all(|c| !c.is_lowercase());
        *counts.entry((letters, large, word)).or_default() += 1;
    }
    counts.into_iter().map(|((_, _, word), count)| format!("{count:3} {word}")).collect()
}

fn accept_one(pair: &mut Pair<Stack>, listeners: &[SocketId]) -> Option<SocketId> {
    listeners.iter().find_map(|id| pair.with(Side::B, |stack, now| stack.socket(*id).accept(now).ok()))
}

/// the table of the document, line for line.
#[test]
fn n36_states_are_counted() {
    let mut rig = Rig::new(&delay(10), &[]);
    let listeners: Vec<_> = (1..=38).map(|port| rig.listen_on(port, &[])).collect();
    for at in 0..34 {
        let client = rig.connect_to(at + 1, &[]);
        rig.run(Duration::from_millis(100));
        let server = accept_one(&mut rig.pair, &listeners).unwrap();
        match at {
            0..6 => rig.close(Side::A, client),
            6..16 => {
                rig.close(Side::B, server);
                rig.run(Duration::from_millis(100));
                rig.close(Side::A, client);
            }
            _ => {}
        }
    }
    rig.run(Duration::from_secs(1));
    let table = [
        "  6 CLOSE_WAIT",
        "  1 established)",
        " 18 ESTABLISHED",
        "  1 Foreign",
        " 38 LISTEN",
        " 10 TIME_WAIT",
    ];
    assert_eq!(states(&rig), table);
}

/// The document's file, with its comments and its indentation.
const RECIPE: &str = "\
\t # Disminuir tiempo TIME_WAIT segundos
\t net.ipv4.tcp_fin_timeout = 30

\t # Activar Reciclar y reusar TIME_WAIT
\t net.ipv4.tcp_tw_recycle = 1
\t net.ipv4.tcp_tw_reuse = 1
\t # Disminuir el KeepAlive
\t net.ipv4.tcp_keepalive_time = 120
\t net.ipv4.tcp_keepalive_intvl = 30
\t net.ipv4.tcp_keepalive_probes = 3
";

fn apply_recipe(rig: &mut Rig, side: Side) {
    rig.pair.with(side, |stack, _| {
        let read = |path: &str| match path {
            "/etc/sysctl.conf" => Ok(RECIPE.to_owned()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        };
        let output = sysctl::run(stack.sysctl_mut(), &["-p"], &read);
        assert_eq!((output.status, output.stdout.lines().count()), (0, 6), "{output:?}");
    });
}

/// all six lines are taken, and read back as the document shows.
#[test]
fn q35_the_recipe_reads_back() {
    let mut rig = Rig::new(&delay(10), &[]);
    apply_recipe(&mut rig, Side::A);
    rig.pair.with(Side::A, |stack, _| {
        for (path, text) in [
            ("net/ipv4/tcp_fin_timeout", "30\n"),
            ("net/ipv4/tcp_tw_recycle", "1\n"),
            ("net/ipv4/tcp_tw_reuse", "1\n"),
        ] {
            let missing = |_: &str| Err(std::io::ErrorKind::NotFound.into());
            assert_eq!(sysctl::run(stack.sysctl_mut(), &["-n", path], &missing).stdout, text);
        }
    });
    let profile = cauce_core::sysctl::Sysctls::with_profile(cauce_core::sysctl::Profile::TimeWaitRelief);
    for name in ["tcp_fin_timeout", "tcp_tw_recycle", "tcp_tw_reuse", "tcp_keepalive_probes"] {
        assert_eq!(rig.pair.endpoint(Side::A).sysctl().get(name), profile.get(name), "{name}");
    }
}

/// A opens and closes `rate` connections a second for `seconds`, each with a word of its own that B must read alone.
/// Returns how many TIME-WAITs A has in the end.
fn churn(rig: &mut Rig, rate: u64, seconds: u64) -> usize {
    // Two services, or Linux's choice of ports would have to pass over every even one each time.
    let listeners = [1, 2].map(|port| rig.listen_on(port, &[]));
    let start = rig.pair.now();
    let gap = Duration::from_nanos(1_000_000_000 / rate);
    let mut open: Vec<(SocketId, u64)> = Vec::new();
    let mut serving: Vec<SocketId> = Vec::new();
    let mut heard = 0u64;
    for number in 0..rate * seconds {
        rig.pair.run_for((start + gap * number as u32).since(rig.pair.now()));
        open.push((rig.connect_to(1 + (number % 2) as u16, &[]), number));
        open.retain(|(id, number)| !speak_and_close(&mut rig.pair, *id, *number));
        while let Some(id) = accept_one(&mut rig.pair, &listeners) {
            serving.push(id);
        }
        serving.retain(|id| !hear_and_close(&mut rig.pair, *id, &mut heard));
    }
    assert!(ms(rig.pair.now(), start) <= seconds as f64 * 1e3);
    assert!(heard > rate * (seconds - 1), "{heard} were served");
    rig.pair.endpoint(Side::A).time_waits()
}

/// Once it is open, A says its number and closes first.
fn speak_and_close(pair: &mut Pair<Stack>, id: SocketId, number: u64) -> bool {
    pair.with(Side::A, |stack, now| match stack.socket(id).send(now, &number.to_be_bytes()) {
        Ok(8) => {
            stack.socket(id).close(now).unwrap();
            true
        }
        Err(Errno::EAGAIN) => false,
        other => panic!("{other:?}"),
    })
}

/// B reads one number, in order, then the end, and closes.
fn hear_and_close(pair: &mut Pair<Stack>, id: SocketId, heard: &mut u64) -> bool {
    pair.with(Side::B, |stack, now| {
        let mut buffer = [0; 16];
        match stack.socket(id).recv(now, &mut buffer) {
            Ok(8) => {
                assert_eq!(buffer[..8], heard.to_be_bytes(), "no other connection's bytes");
                *heard += 1;
                false
            }
            Ok(0) => {
                stack.socket(id).close(now).unwrap();
                true
            }
            Err(Errno::EAGAIN) => false,
            other => panic!("{other:?}"),
        }
    })
}

/// 300 active closes a second for two minutes leave 18,000 TIME-WAITs.
#[test]
fn q36_before_the_recipe() {
    let mut rig = Rig::new(&delay(1), &[("tcp_tw_reuse", "0")]);
    let left = churn(&mut rig, 300, 120);
    assert!((17_900..=18_000).contains(&left), "{left}");
    assert_eq!(rig.pair.endpoint(Side::A).counters().get(Counter::TWRecycled), 0);
}

/// with the recipe TIME-WAITs of connections with timestamps last 3.5 time-outs, so there are hardly more than
/// one second opens; no connection gets another's bytes.
#[test]
fn q36_after_the_recipe() {
    for profile in [false, true] {
        let mut rig = Rig::new(&delay(1), &[]);
        match profile {
            true => rig.set(Side::A, &[("cauce.profile", "time-wait-relief")]),
            false => apply_recipe(&mut rig, Side::A),
        }
        let left = churn(&mut rig, 300, 120);
        assert!((200..=300).contains(&left), "{left}");
    }
}

/// and a port is free again after 3.5 time-outs, so that a handful of them serves what thousands did.
#[test]
fn q36_ports_come_back() {
    let mut rig = Rig::new(&delay(1), &[("ip_local_port_range", "40000 40399")]);
    apply_recipe(&mut rig, Side::A);
    let left = churn(&mut rig, 300, 60);
    assert!((200..=300).contains(&left), "{left}");
}
