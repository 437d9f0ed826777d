//! `cauce demo` from the outside: what it prints, what its exit status says, what it captures.

mod common;

use common::{cauce, failure, success};
use std::process::Command;

/// A demonstration that takes little time in a debug build.
fn demo(more: &[&str]) -> Command {
    let mut command = cauce();
    command.args(["demo", "--size", "1m"]).args(more);
    command
}

#[test]
fn the_same_seed_prints_the_same_text() {
    let bad_path = ["--loss", "2%", "--reorder", "5%", "--jitter", "2ms", "--counters"];
    let run = |seed: &str| success(demo(&bad_path).args(["--seed", seed]));
    let first = run("7");
    assert_eq!(first, run("7"));
    assert_ne!(first, run("8"));
}

#[test]
fn prints_what_was_promised() {
    let text = success(&mut demo(&[]));
    for part in [
        "100 Mbit/s, round trip 40 ms, loss 0.1 %, queue 1000 packets, MTU 1500",
        "IPv4, cubic, seed 1",
        "Handshake 40.0",
        "From A to B: 1 MiB in",
        "From B to A: 1 MiB in",
        "goodput",
        "cwnd",
        "sent again",
        "RTT",
        "Everything arrived intact.",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let sums: Vec<_> = text.lines().filter_map(|line| line.trim().strip_prefix("SHA-256 ")).collect();
    assert_eq!(sums.len(), 2);
    assert_eq!(sums[0], sums[1]);
}

#[test]
fn a_bad_path_changes_nothing() {
    let bad = ["--loss", "5%", "--reorder", "10%", "--duplicate", "2%", "--corrupt", "1%"];
    let algorithms = ["reno", "bic", "ctcp"].map(|name| ["--congestion", name]);
    let others = [&[][..], &["--ipv6"], &["--sysctl", "tcp_sack=0"]];
    for more in algorithms.iter().map(|both| &both[..]).chain(others) {
        let text = success(demo(&bad).args(more));
        assert!(text.contains("Everything arrived intact."), "{text}");
    }
}

#[test]
fn odd_sizes_and_paths_work() {
    for more in [
        &["--size", "0"][..],
        &["--size", "1"],
        &["--size", "100001", "--mtu", "88", "--rate", "unlimited", "--delay", "0"],
        &["--size", "300k", "--rate", "256kbit", "--queue", "8"],
        &["--size", "1m", "--mtu", "65535", "--rate", "10gbit"],
    ] {
        success(cauce().arg("demo").args(more));
    }
}

#[test]
fn a_path_that_loses_everything_is_a_failure() {
    let text = failure(&mut demo(&["--loss", "100%"]), 1);
    assert!(text.contains("host A") && text.contains("ETIMEDOUT"), "{text}");
}

#[test]
fn sends_a_file_of_the_users() {
    let path = common::scratch("sent.txt");
    std::fs::write(&path, b"abc").unwrap();
    let text = success(cauce().args(["demo", "--file"]).arg(&path));
    std::fs::remove_file(path).unwrap();
    assert!(text.contains("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), "{text}");
    let text = failure(cauce().args(["demo", "--file", "/no/such/file"]), 1);
    assert!(text.contains("/no/such/file"), "{text}");
}

#[test]
fn captures_packets_with_valid_checksums() {
    let path = common::scratch("demo.pcapng");
    success(demo(&["--loss", "1%", "--reorder", "2%"]).arg("--pcap").arg(&path));
    let starts = std::fs::read(&path).unwrap();
    assert_eq!(starts[..4], [0x0a, 0x0d, 0x0d, 0x0a]);
    let counted = common::tshark_finds_no_fault(&path);
    std::fs::remove_file(path).unwrap();
    assert!(counted.is_none_or(|packets| packets > 500), "{counted:?}");
    let text = failure(&mut demo(&["--pcap", "/no/such/directory/demo.pcapng"]), 1);
    assert!(text.contains("/no/such/directory"), "{text}");
}
