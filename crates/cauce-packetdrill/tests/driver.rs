//! A C program loads the shared object as packetdrill does and drives it: see `driver.c`.
//!
//! It is built with the system's compiler. Where there is none, or no valgrind, or no network namespace can be
//! had, the tests that need it say so loudly and pass.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Straight to the descriptor: what `eprintln` writes, the harness hides when a test passes.
fn skipped(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr().lock(), "\n*** SKIPPED {test}: {why}");
}

/// The object that cargo has built for this test, beside its own executable.
fn object() -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let folder = test.parent().expect("a folder");
    let name = "libcauce_packetdrill.so";
    let places = [folder.join(name), folder.join("..").join(name)];
    let found = places.iter().find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is not beside {}", test.display())).clone()
}

/// The driver, built once.
fn driver() -> Option<&'static Path> {
    static DRIVER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let build = || {
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packetdrill-driver");
        // Another run of this test may use the old one.
        let fresh = output.with_extension(std::process::id().to_string());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/driver.c");
        let built = Command::new(compiler)
            .args(["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function"])
            .args(["-pthread", "-o"])
            .arg(&fresh)
            .arg(source)
            .arg("-ldl")
            .output();
        match built {
            Ok(built) if built.status.success() => {
                std::fs::rename(&fresh, &output).expect("the driver was just built");
                Some(output)
            }
            Ok(built) => panic!("driver.c: {}", String::from_utf8_lossy(&built.stderr)),
            Err(_) => None,
        }
    };
    DRIVER.get_or_init(build).as_deref()
}

/// Runs tests of the driver, behind the words of `before`. `None` without a C compiler.
fn run(before: &[&str], tests: &[&str]) -> Option<Output> {
    let Some(driver) = driver() else {
        skipped(&tests.join(" "), "it needs a C compiler (cc)");
        return None;
    };
    let mut words = before.iter().map(std::ffi::OsStr::new).chain([driver.as_os_str()]);
    let mut command = Command::new(words.next().expect("a program"));
    Some(command.args(words).arg(object()).args(tests).output().expect("the driver starts"))
}

/// Runs tests that must succeed, every one of them.
fn passes(before: &[&str], tests: &[&str]) {
    let Some(output) = run(before, tests) else { return };
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{tests:?}: {}\n{said}{told}", output.status);
    let ok: Vec<_> = said.lines().collect();
    assert_eq!(ok, tests.iter().map(|test| format!("ok {test}")).collect::<Vec<_>>());
}

macro_rules! plays {
    ($($name:ident)+) => {$(
        #[test]
        fn $name() {
            passes(&[], &[stringify!($name)]);
        }
    )+};
}

plays! {
    layout calls messages handles clock passive active refused delayed_ack rto fast_retransmit close_active close_passive
    close_simultaneous reset readiness splice blocking families large
}

/// Flags that cannot be used are told on stderr: the key, the value, and what is allowed.
#[test]
fn flags() {
    let Some(output) = run(&[], &["flags"]) else { return };
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{told}", output.status);
    for said in [
        "cauce: --so_flags: mtu: `9` is not a number of bytes from 68 to 65535",
        "cauce: --so_flags: there is no key `nonsense` (local, mtu, queue,",
        "cauce: --so_flags: sysctl.tcp_sack: net.ipv4.tcp_sack: `999` is out of range (0 to 255 is allowed)",
        "cauce: invalid utf-8",
    ] {
        assert!(told.contains(said), "{said} in {told}");
    }
}

/// Preloaded, the object answers the C library's getsockopt too.
#[test]
fn preload() {
    let environment = format!("LD_PRELOAD={}", object().display());
    passes(&["env", &environment], &["preload", "layout", "passive"]);
}

/// Settings of the host are read back, from a network namespace of the driver's own.
#[test]
fn host() {
    match run(&[], &["host"]) {
        Some(output) if output.status.code() == Some(77) => {
            skipped("host", String::from_utf8_lossy(&output.stderr).trim());
        }
        Some(output) => {
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}\n{told}", output.status);
        }
        None => {}
    }
}

/// Nothing is read that was not written, nothing is lost, also with threads.
#[test]
fn under_valgrind() {
    let tests =
        ["layout", "calls", "messages", "handles", "passive", "active", "close_active", "reset", "splice"];
    if !Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return skipped("under_valgrind", "it needs valgrind");
    }
    let valgrind =
        ["valgrind", "-q", "--error-exitcode=9", "--leak-check=full", "--show-leak-kinds=definite,possible"];
    passes(&valgrind, &tests);
}
