//! `cauce up` and `cauce nc` with real programs in a private network namespace: tests/session.py, with sizes
//! that a debug build takes little time for. The gate runs it with larger ones.

mod common;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// The command that runs another one in a network namespace of its own, as root or in a user namespace.
fn in_namespace() -> Option<Command> {
    let ways: [&[&str]; 2] = [&["-n"], &["-r", "-n"]];
    let tun = "test -r /dev/net/tun && test -w /dev/net/tun && ip tuntap add mode tun name t0";
    ways.into_iter().find_map(|flags| {
        let mut trial = Command::new("unshare");
        trial.args(flags).args(["sh", "-c", tun]).stdout(Stdio::null()).stderr(Stdio::null());
        let works = trial.status().is_ok_and(|status| status.success());
        works.then(|| {
            let mut command = Command::new("unshare");
            command.args(flags);
            command
        })
    })
}

fn has(program: &str) -> bool {
    let mut command = Command::new(program);
    let command = command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Says on the terminal, past the test harness, that nothing was checked.
fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "\n!!! SKIPPED: {why}: no session with real programs is checked\n");
}

fn session(only: &str) {
    for program in ["python3", "curl"] {
        if !has(program) {
            return skip(&format!("{program} is not installed"));
        }
    }
    let Some(mut command) = in_namespace() else {
        return skip(
            "neither root nor a user namespace gives a network namespace with a TUN device here; \
             as root, `cargo test` checks it",
        );
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/session.py");
    command.arg("python3").arg(script).args(["--cauce", env!("CARGO_BIN_EXE_cauce"), "--only", only]);
    common::success(&mut command);
}

#[test]
fn tun() {
    session("tun");
}

#[test]
fn veth() {
    session("veth");
}
