//! The command line: help, completions, man pages, and what a wrong option is told.

mod common;

use common::{cauce, failure, scratch, success};

const COMMANDS: [&str; 12] = [
    "demo",
    "drill",
    "up",
    "nc",
    "ss",
    "netstat",
    "nstat",
    "sysctl",
    "netsh",
    "tcp-metrics",
    "completions",
    "man",
];

#[test]
fn help_teaches_with_examples() {
    let help = success(cauce().arg("--help"));
    assert!(help.contains("Examples:"), "{help}");
    for command in COMMANDS {
        assert!(help.contains(command), "{help}");
        let help = success(cauce().args([command, "--help"]));
        assert!(help.contains("Examples:"), "{help}");
        assert!(help.contains(&format!("cauce {command}")), "{help}");
    }
}

#[test]
fn the_help_is_this_text() {
    let help = success(cauce().arg("--help"));
    assert_eq!(help.trim_end(), include_str!("help.txt").trim_end());
}

#[test]
fn no_command_and_unknown_commands_show_what_there_is() {
    for text in [failure(&mut cauce(), 2), failure(cauce().arg("help-me"), 2)] {
        assert!(text.contains("cauce"), "{text}");
        assert!(text.contains("--help"), "{text}");
    }
    // as a document spells it.
    let text = failure(cauce().args(["systcl", "-p"]), 2);
    assert!(text.contains("similar") && text.contains("'sysctl'"), "{text}");
    assert!(success(cauce().arg("--version")).starts_with("cauce "));
}

#[test]
fn wrong_options_say_what_is_allowed() {
    for (args, parts) in [
        (&["--rate", "fast"][..], &["--rate", "`fast`", "100mbit"][..]),
        (&["--delay", "40"], &["--delay", "`40`", "40ms"]),
        (&["--loss", "101%"], &["--loss", "`101%`", "0 to 100"]),
        (&["--size", "5x"], &["--size", "`5x`", "64k"]),
        (&["--queue", "x"], &["--queue", "`x`", "packets"]),
        (&["--mtu", "20"], &["--mtu", "20", "88..=65535"]),
        (&["--seed", "x"], &["--seed", "x", "invalid digit"]),
        (&["--congestion", "warp"], &["--congestion", "`warp`", "cubic", "reno"]),
        (&["--sysctl", "tcp_sakc=1"], &["--sysctl", "`tcp_sakc`", "tcp_sack"]),
        (&["--sysctl", "tcp_syn_retries=0"], &["--sysctl", "tcp_syn_retries", "1 to 127"]),
        (&["--speed", "1"], &["--speed", "cauce demo"]),
    ] {
        let text = failure(cauce().arg("demo").args(args), 2);
        for part in parts {
            assert!(text.contains(part), "`{part}` is missing in\n{text}");
        }
    }
    for (args, parts) in [
        (&["up"][..], &["--addr", "--tun"][..]),
        (
            &["up", "--tun", "t0", "--af-packet", "e0", "--addr", "10.9.0.2"],
            &["--tun", "--af-packet", "cannot"],
        ),
        (&["up", "--tun", "a-name-too-long-0", "--addr", "10.9.0.2"], &["`a-name-too-long-0`", "1 to 15"]),
        (&["up", "--tun", "t0", "--host", "10.9.0.1", "--addr", "10.9.0.2"], &["--host", "10.9.0.1/24"]),
        (&["up", "--tun", "t0", "--addr", "10.9.0.300"], &["--addr", "`10.9.0.300`", "10.9.0.2/24"]),
        (&["up", "--tun", "t0", "--addr", "10.9.0.2", "--queues", "17"], &["--queues", "1..=16"]),
        (&["up", "--tun", "t0", "--addr", "10.9.0.2", "--echo", "0"], &["--echo", "1..=65535"]),
        (&["up", "--tun", "t0", "--addr", "10.9.0.2", "--http-port", "8080"], &["--serve"]),
        (&["nc", "--tun", "t0", "--addr", "10.9.0.2"], &["HOST PORT"]),
    ] {
        let text = failure(cauce().args(args), 2);
        for part in parts {
            assert!(text.contains(part), "`{part}` is missing in\n{text}");
        }
    }
    for (args, part) in [
        (
            &["up", "--tun", "t0", "--addr", "10.9.0.2", "--serve", "/no/such/directory"][..],
            "/no/such/directory",
        ),
        (&["nc", "--tun", "t0", "--addr", "10.9.0.2", "10.9.0.1"], "HOST and PORT"),
        (&["nc", "--tun", "t0", "--addr", "10.9.0.2", "10.9.0.1", "ssh"], "1 to 65535"),
        (&["nc", "--tun", "t0", "--addr", "10.9.0.2", "localhost", "22"], "`localhost`"),
    ] {
        let text = failure(cauce().args(args), 1);
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
    let text = failure(cauce().args(["demo", "--ipv6", "--mtu", "1000"]), 1);
    assert!(text.contains("1280"), "{text}");
}

#[test]
fn completions_and_man_pages_are_generated() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = success(cauce().args(["completions", shell]));
        assert!(script.contains("cauce") && script.contains("demo"), "{shell}");
    }
    let text = failure(cauce().args(["completions", "tcsh"]), 2);
    assert!(text.contains("bash") && text.contains("zsh"), "{text}");

    assert!(success(cauce().arg("man")).contains(".TH cauce 1"));
    let directory = scratch("man");
    success(cauce().arg("man").arg(&directory));
    for command in COMMANDS {
        let page = std::fs::read_to_string(directory.join(format!("cauce-{command}.1"))).unwrap();
        assert!(page.contains("Examples"), "{command}");
    }
    std::fs::remove_dir_all(directory).unwrap();
}
