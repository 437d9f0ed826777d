//! Runs a test in a network namespace of its own, so that nothing of the host is touched.
//!
//! The test binary starts itself again under `unshare`, as root or in a user namespace where the system
//! allows one. Where neither is possible the test says so on stderr and passes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

const INSIDE: &str = "CAUCE_TEST_NAMESPACE";

/// True inside the namespace, where the caller goes on with the test; false outside, where the test has
/// run already in a process of its own, or could not run.
pub fn inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let unshare = |options: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(options).arg("--net");
        command
    };
    let ways: [&[&str]; 2] = [&[], &["--user", "--map-root-user"]];
    let possible = |options: &&&[&str]| {
        let check = unshare(options).args(["sh", "-c", "exec 3<>/dev/net/tun"]).output();
        check.is_ok_and(|output| output.status.success())
    };
    let Some(options) = ways.iter().find(possible) else {
        // Straight to the descriptor: what `eprintln` writes, the harness hides when a test passes.
        let _ = writeln!(
            std::io::stderr().lock(),
            "\n*** SKIPPED {test}: it needs a network namespace and /dev/net/tun (root, or a user namespace)"
        );
        return false;
    };
    let binary = std::env::current_exe().expect("the test's own path");
    let mut child = unshare(options)
        .arg(binary)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare was just found to work");
    // Line by line through this test's own output, which the harness shows or hides as it was told.
    let mut ran = false;
    for line in BufReader::new(child.stdout.take().expect("a pipe")).lines() {
        let line = line.expect("text from the test");
        ran |= line.contains("1 passed");
        println!("{line}");
    }
    let status = child.wait().expect("the test was started");
    assert!(status.success(), "{test} failed in its namespace: {status}");
    assert!(ran, "{test} did not run in its namespace");
    false
}
