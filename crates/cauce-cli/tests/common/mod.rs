//! What the tests of the program share.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The program, with nothing in its environment that changes how it prints.
pub fn cauce() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cauce"));
    command.env_remove("COLUMNS").env("NO_COLOR", "1");
    command
}

/// Runs to the exit status 0 and returns stdout.
pub fn success(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{command:?}\n{}", both(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs to the given exit status and returns stderr.
pub fn failure(command: &mut Command, status: i32) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{command:?}\n{}", both(&output));
    String::from_utf8(output.stderr).unwrap()
}

fn both(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A path for a file of this test process.
pub fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()))
}

/// What no capture of ours may contain.
const FAULTS: &str =
    "_ws.malformed || tcp.checksum.status==0 || ip.checksum.status==0 || _ws.expert.severity==error";

/// Reads a capture by tshark with checksum validation on, expects no fault, and returns how many packets
/// it holds. `None`, said loudly, where there is no tshark.
pub fn tshark_finds_no_fault(path: &Path) -> Option<usize> {
    let tshark = |filter: &str| {
        let mut command = Command::new("tshark");
        command.args(["-n", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-r"]).arg(path);
        command.args(["-Y", filter]).output()
    };
    let Ok(all) = tshark("frame") else {
        eprintln!("\n!!! SKIPPED: tshark is not installed, the capture {} is not checked\n", path.display());
        return None;
    };
    assert!(all.status.success(), "{}", both(&all));
    let faults = tshark(FAULTS).unwrap();
    assert!(faults.status.success(), "{}", both(&faults));
    assert_eq!(String::from_utf8_lossy(&faults.stdout), "", "tshark finds faults");
    Some(String::from_utf8_lossy(&all.stdout).lines().count())
}

/// The command that runs another one in a network namespace of its own, as root or in a user namespace.
pub fn in_namespace() -> Option<Command> {
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

/// Says on the terminal, past the test harness, that nothing was checked.
pub fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "\n!!! SKIPPED: {why}: no session with real programs is checked\n");
}
