//! Every script of ours against the host's kernel: what they say about Linux is true.
//!
//! Needs root (or a user namespace with access to /dev/net/tun) and cubic among the allowed congestion
//! controls; without them it says so loudly and checks nothing.

use std::path::{Path, PathBuf};

use cauce_drill::against::kernel::ready;
use cauce_drill::{Against, Options, run_files};

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")
}

#[test]
fn scripts_are_true_of_the_kernel() {
    if let Err(why) = ready() {
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
