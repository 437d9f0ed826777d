//! `cauce up` and `cauce nc` with real programs in a private network namespace: tests/session.py, with sizes
//! that a debug build takes little time for. The gate runs it with larger ones.

mod common;

use common::{in_namespace, skip};
use std::path::Path;
use std::process::{Command, Stdio};

fn has(program: &str) -> bool {
    let mut command = Command::new(program);
    let command = command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
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
