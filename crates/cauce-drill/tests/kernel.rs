//! Every script of ours against the host's kernel: what they say about Linux is true.
//!
//! Needs root (or a user namespace with access to /dev/net/tun) and cubic among the allowed congestion
//! controls; without them it says so loudly and checks nothing.

use std::path::{Path, PathBuf};

use cauce_drill::against::kernel::assert_cubic;
use cauce_drill::{Against, Options, run_files};

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")
}

/// Why scripts cannot run here.
fn missing() -> Option<String> {
    let probe = std::fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun");
    if let Err(error) = probe {
        return Some(format!("/dev/net/tun: {error}"));
    }
    let status = std::process::Command::new("unshare").args(["--net", "true"]).status();
    match status {
        Ok(status) if status.success() => assert_cubic().err(),
        _ => Some("no privilege for a network namespace: run as root".to_owned()),
    }
}

#[test]
fn scripts_are_true_of_the_kernel() {
    if let Some(why) = missing() {
        eprintln!("\n!!! NOT CHECKED against the kernel: {why}\n");
        return;
    }
    let options = Options { jobs: 8, ..Options::new(vec![scripts()], Against::Kernel) };
    let summary = run_files(&options, |report| {
        if let Err(diagnostic) = &report.result {
            println!("{diagnostic}\n");
        }
    });
    println!("{summary}");
    assert!(summary.failed() == 0 && summary.unsupported() == 0 && summary.passed() > 0, "{summary}");
}
