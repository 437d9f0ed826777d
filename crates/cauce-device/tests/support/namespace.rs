//! Runs a test in a network namespace of its own, so that nothing of the host is touched.
//!
//! The test binary starts itself again under `unshare`, as root or in a user namespace where the system
//! allows one. Where neither is possible the test says so on stderr and passes.

use std::io::Write;
use std::process::Command;

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
    let output = unshare(options)
        .arg(binary)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare was just found to work");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("1 passed"), "{test} did not run: {}", text(&output.stdout));
    false
}
