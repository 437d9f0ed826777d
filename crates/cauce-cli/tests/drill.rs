//! `cauce drill` from the outside: exit statuses, formats, lists of what is known to fail, options, records, and
//! what bad input is told.

mod common;

use common::{cauce, failure, success};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const OPENING: &str = "\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
";

/// A directory with scripts, gone when dropped.
struct Home(PathBuf);

impl Home {
    fn new(name: &str, scripts: &[(&str, &str)]) -> Home {
        let home = Home(common::scratch(name));
        for (path, text) in scripts {
            home.write(path, text);
        }
        home
    }

    /// One script that passes, one that fails, one that asks for what nobody has.
    fn of_each(name: &str) -> Home {
        let bad = OPENING.replace("ack 1", "ack 2");
        let unsupported = "+0 < udp (100)\n";
        Home::new(name, &[("a/good.pkt", OPENING), ("b/bad.pkt", &bad), ("c/udp.pkt", unsupported)])
    }

    fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// `cauce drill`, run inside.
    fn drill(&self, args: &[&str]) -> Command {
        let mut command = cauce();
        command.arg("drill").args(args).current_dir(&self.0).stdin(Stdio::null());
        command
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs to the given exit status and returns stdout.
fn printed(command: &mut Command, status: i32) -> String {
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        output.status.code(),
        Some(status),
        "{command:?}\n{}\n{told}",
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../cauce-drill/scripts")
}

fn has_all(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
}

#[test]
fn the_exit_status_is_0_when_nothing_failed() {
    let home = Home::of_each("statuses");
    let text = printed(&mut home.drill(&["."]), 1);
    assert!(text.ends_with("\n1 passed, 1 failed, 1 unsupported\n"), "{text}");
    has_all(&text, &["ok          ./a/good.pkt\n", "FAILED      ./b/bad.pkt\n", "unsupported ./c/udp.pkt\n"]);
    assert!(printed(&mut home.drill(&["a"]), 0).ends_with("\n1 passed, 0 failed, 0 unsupported\n"));
    assert!(printed(&mut home.drill(&["c"]), 0).ends_with("\n0 passed, 0 failed, 1 unsupported\n"));
    let text = printed(&mut home.drill(&["a", "no/such.pkt"]), 1);
    has_all(&text, &["FAILED      no/such.pkt", "no/such.pkt: there is no such file", "1 passed, 1 failed"]);
}

#[test]
fn a_command_line_without_sense_is_2() {
    let home = Home::of_each("misuse");
    for (args, parts) in [
        (&[][..], &["scripts are needed", "Usage:"][..]),
        (&["a", "--frobnicate"], &["--frobnicate"]),
        (&["a", "--mtu", "12"], &["--mtu=12", "68 to 65535"]),
        (&["a", "--tolerance-usecs", "soon"], &["--tolerance_usecs=soon", "0 to"]),
        (&["a", "--ip-version", "ipv5"], &["ipv5", "ipv4-mapped-ipv6"]),
        (&["a", "--ip-version", "ipv6", "--local-ip", "192.0.2.1"], &["192.0.2.1", "IPv6"]),
        (&["a", "--jobs", "0"], &["--jobs", "0"]),
        (&["a", "-D", "COOKIE"], &["COOKIE", "NAME=VALUE"]),
        (&["a", "--", "--tolerance_usec=1"], &["--tolerance_usec", "`tolerance_usecs` is similar"]),
        (&["a", "--", "-x"], &["`-x`"]),
        (&["--record", "a/good.pkt", "b/bad.pkt"], &["one script"]),
        (&["a", "--record", "--list"], &["--list", "cannot"]),
    ] {
        has_all(&failure(&mut home.drill(args), 2), parts);
    }
    has_all(&failure(&mut home.drill(&["a", "--filter", "x/*"]), 1), &["no script matches --filter x/*"]);
    let empty = Home::new("empty", &[("notes.txt", "")]);
    has_all(&failure(&mut empty.drill(&["."]), 1), &["*.pkt"]);
}

#[test]
fn bad_input_is_told_its_place() {
    for (text, parts) in [
        ("+0 bnd(3) = 0\n", &["a.pkt:1:4", "unknown system call `bnd`; `bind` is similar"][..]),
        ("+0 close(3) = 0\n\nfrob\n", &["a.pkt:3:1", "the time of an event"]),
        (
            "--tolerance_usec=1\n+0 close(3) = 0\n",
            &["a.pkt:1:1", "--tolerance_usec", "`tolerance_usecs` is similar"],
        ),
        ("--mtu=1\n+0 close(3) = 0\n", &["a.pkt:1:1", "--mtu=1: it must be 68 to 65535"]),
        ("+0.2~0.1 > . 1:1(0) ack 1\n", &["a.pkt:1:1", "ends before it starts"]),
        ("99999999999999999999 close(3) = 0\n", &["a.pkt:1:1", "too long"]),
        (
            "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+.5 close(3) = 0\n.1 close(3) = -1 EBADF\n",
            &["a.pkt:3:1", "it is 0.500000 already"],
        ),
        ("+0 < S 0:0(0) <mss 1460\n", &["a.pkt:1:24", "expected"]),
        ("+0 setsockopt(3, SOL_TCP, TCP_NODELY, [1], 4) = 0\n", &["a.pkt:1:27", "`TCP_NODELAY` is similar"]),
        ("+0 close(3) = -1 EBADFD_NOT\n", &["a.pkt:1:18", "unknown error"]),
        ("+0 %{ assert 1 == 1\n", &["a.pkt:1:4", "never closed"]),
    ] {
        let home = Home::new("bad", &[("a.pkt", text)]);
        let told = printed(&mut home.drill(&["a.pkt"]), 1);
        has_all(&told, parts);
        assert!(told.contains('^'), "{told}");
    }
    let home = Home::new("not-utf8", &[]);
    home.write("a.pkt", "");
    std::fs::write(home.0.join("a.pkt"), [b"// caf\xe9\n", OPENING.as_bytes()].concat()).unwrap();
    printed(&mut home.drill(&["a.pkt"]), 0);
}

#[test]
fn what_is_known_to_fail_fails_the_run_when_it_passes() {
    let home = Home::of_each("known");
    home.write("known.toml", "\"b/bad.pkt\" = \"P-001: not yet\"\n");
    let text = printed(&mut home.drill(&[".", "--expect", "known.toml"]), 0);
    has_all(
        &text,
        &[
            "known       ./b/bad.pkt (P-001: not yet)\n",
            "\n1 known to fail; 1 passed, 0 failed, 1 unsupported\n",
        ],
    );
    home.write("known.toml", "\"*.pkt\" = \"P-001: not yet\"\n");
    let text = printed(&mut home.drill(&[".", "--expect", "known.toml"]), 1);
    has_all(
        &text,
        &[
            "PASSED      ./a/good.pkt\n",
            "listed as failing (P-001: not yet)",
            "2 known to fail; 0 passed, 1 failed",
        ],
    );
    home.write("known.toml", "\"a/nothing.pkt\" = \"P-001\"\n");
    has_all(
        &failure(&mut home.drill(&[".", "--expect", "known.toml"]), 1),
        &["`a/nothing.pkt`", "no script"],
    );
    home.write("known.toml", "\"a.pkt\" = \"\"\n");
    has_all(
        &failure(&mut home.drill(&[".", "--expect", "known.toml"]), 1),
        &["known.toml", "needs a reason"],
    );
    has_all(&failure(&mut home.drill(&[".", "--expect", "none.toml"]), 1), &["none.toml"]);
}

#[test]
fn tap_has_a_line_for_every_script() {
    let home = Home::of_each("tap");
    let text = printed(&mut home.drill(&[".", "--format", "tap"]), 1);
    let lines: Vec<_> =
        text.lines().filter(|line| !line.starts_with(' ') && !line.starts_with('#')).collect();
    assert_eq!(
        lines,
        [
            "TAP version 14",
            "ok 1 - ./a/good.pkt",
            "not ok 2 - ./b/bad.pkt",
            "ok 3 - ./c/udp.pkt # SKIP unsupported: UDP packets",
            "1..3"
        ]
    );
}

#[test]
fn json_is_one_document() {
    let home = Home::of_each("json");
    let text = printed(&mut home.drill(&[".", "--format", "json"]), 1);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let scripts = document["scripts"].as_array().unwrap();
    let verdicts: Vec<_> = scripts.iter().map(|script| script["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["passed", "failed", "unsupported"]);
    assert_eq!((scripts[1]["line"].as_u64(), scripts[1]["column"].as_u64()), (Some(5), Some(1)));
    assert_eq!(document["summary"]["failed"], 1);
    assert!(scripts[0].get("seconds").is_none(), "durations are not the same twice");
}

#[test]
fn junit_is_xml() {
    let home = Home::of_each("junit");
    printed(&mut home.drill(&[".", "--format", "junit", "--output", "report.xml"]), 1);
    let program = "import sys, xml.etree.ElementTree as t\n\
                   suites = t.parse(sys.argv[1]).getroot()\n\
                   for case in suites.iter('testcase'):\n    \
                       print(case.get('classname'), case.get('name'), *(inner.tag for inner in case))\n\
                   print(suites.get('tests'), suites.get('failures'), suites.get('skipped'))";
    let mut python = Command::new("python3");
    python.args(["-c", program, "report.xml"]).current_dir(&home.0);
    if python.output().is_err() {
        return skip("python3 is not installed: JUnit's XML is not parsed");
    }
    assert_eq!(success(&mut python), "./a good.pkt\n./b bad.pkt failure\n./c udp.pkt skipped\n3 1 1\n");
}

#[test]
fn two_runs_say_the_same_however_many_run_at_a_time() {
    for format in ["text", "json"] {
        let run = |jobs: &str| {
            let mut command = cauce();
            command.args(["drill", "--format", format, "--jobs", jobs]).arg(scripts());
            command.output().unwrap().stdout
        };
        let one = run("1");
        assert!(one.len() > 1000);
        assert_eq!(one, run("5"));
    }
}

#[test]
fn scripts_are_listed_filtered_and_run_in_every_version_of_ip() {
    let six = format!("--ip_version=ipv6\n{OPENING}");
    let four = format!("--local_ip=192.168.1.1\n{OPENING}");
    let home = Home::new("versions", &[("a/any.pkt", OPENING), ("a/six.pkt", &six), ("b/four.pkt", &four)]);
    assert_eq!(printed(&mut home.drill(&["--list", "."]), 0), "./a/any.pkt\n./a/six.pkt\n./b/four.pkt\n");
    assert_eq!(
        printed(&mut home.drill(&["--list", ".", "--filter", "a/*", "--filter", "x"]), 0),
        "./a/any.pkt\n./a/six.pkt\n"
    );
    let names = printed(&mut home.drill(&["--list", ".", "--ip-version", "all"]), 0);
    assert_eq!(
        names.lines().collect::<Vec<_>>(),
        [
            "./a/any.pkt (ipv4)",
            "./a/any.pkt (ipv6)",
            "./a/any.pkt (ipv4-mapped-ipv6)",
            "./a/six.pkt",
            "./b/four.pkt (ipv4)",
            "./b/four.pkt (ipv4-mapped-ipv6)"
        ]
    );
    let text = printed(&mut home.drill(&[".", "--ip-version", "all"]), 0);
    assert!(text.ends_with("6 passed, 0 failed, 0 unsupported\n"), "{text}");
    for version in ["ipv4", "ipv6", "ipv4-mapped-ipv6"] {
        printed(&mut home.drill(&["a/any.pkt", "--ip-version", version]), 0);
    }
}

#[test]
fn options_are_taken_in_the_spelling_of_scripts() {
    let late = OPENING.replace("+0 > S.", "+.03 > S.");
    let home = Home::new("spelling", &[("late.pkt", &late), ("good.pkt", OPENING)]);
    printed(&mut home.drill(&["late.pkt"]), 1);
    printed(&mut home.drill(&["late.pkt", "--tolerance_usecs=50000"]), 0);
    printed(&mut home.drill(&["late.pkt", "--", "--tolerance_usecs=50000"]), 0);
    printed(&mut home.drill(&["--", "--tolerance_usecs=50000", "late.pkt"]), 0);
    // The script's own is overridden.
    home.write("late.pkt", &format!("--tolerance_usecs=1000\n{late}"));
    printed(&mut home.drill(&["late.pkt", "--tolerance-usecs", "50000"]), 0);
    let mut old = home.drill(&[
        "--ip_version=ipv4",
        "--so_filename=./lib.so",
        "--so_flags",
        "x",
        "--wire_client",
        "--local_ip=192.168.0.5",
        "--netmask_ip=255.255.0.0",
        "--strict_segments",
        "--send_omit_free",
        "good.pkt",
    ]);
    let output = old.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    has_all(
        &String::from_utf8_lossy(&output.stderr),
        &["--so_filename has no effect here", "built in", "--send_omit_free"],
    );
}

#[test]
fn symbols_come_from_the_command_line_or_the_script() {
    let script = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(SOCKET) = 0\n";
    let home = Home::new("symbols", &[("a.pkt", script)]);
    has_all(&printed(&mut home.drill(&["a.pkt"]), 1), &["a.pkt:2:10", "`SOCKET`"]);
    printed(&mut home.drill(&["a.pkt", "-D", "SOCKET=3"]), 0);
    printed(&mut home.drill(&["a.pkt", "-DSOCKET=3"]), 0);
    printed(&mut home.drill(&["a.pkt", "-DSOCKET=7"]), 1);
    home.write("a.pkt", &format!("--define=SOCKET=3\n{script}"));
    printed(&mut home.drill(&["a.pkt"]), 0);
    printed(&mut home.drill(&["a.pkt", "--", "-D", "SOCKET=7"]), 1);
}

#[test]
fn verbose_tells_every_event() {
    let script = format!(
        "--mss=1000\n{OPENING}+.1 < . 1:1(0) ack 1 win 32792\n+0 accept(3, ..., ...) = 4\n+0 %{{ print('seen', tcpi_snd_cwnd) }}%\n"
    );
    let home = Home::new("verbose", &[("a.pkt", &script)]);
    let quiet = printed(&mut home.drill(&["a.pkt"]), 0);
    assert_eq!(quiet, "ok          a.pkt\n  | seen 10\n1 passed, 0 failed, 0 unsupported\n");
    for more in [&[][..], &["--jobs", "2"], &["--output", "told.txt"]] {
        let mut told = printed(home.drill(&["a.pkt", "--verbose"]).args(more), 0);
        if more.contains(&"--output") {
            told = std::fs::read_to_string(home.0.join("told.txt")).unwrap();
        }
        has_all(
            &told,
            &[
                "--- a.pkt\n0.000000 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n",
                "0.000000 < S 0:0(0) win 32792 <mss 1000>\n0.000000 > S. 0:0(0) ack 1 win 64240 <mss 1460>\n",
                "0.100000 accept(3, ..., ...) = 4\n",
                " s]\n",
                "note: --mss has no effect here",
            ],
        );
    }
}

#[test]
fn packets_are_captured() {
    let home = Home::of_each("pcap");
    home.write("a/more.pkt", &format!("{OPENING}+.2 < R. 1:1(0) ack 1 win 0\n"));
    printed(&mut home.drill(&["a/good.pkt", "--pcap", "one.pcapng"]), 0);
    let counted = common::tshark_finds_no_fault(&home.0.join("one.pcapng"));
    assert!(
        counted.is_none_or(|packets| packets == 3),
        "a SYN, its answer, the reset at the end: {counted:?}"
    );
    printed(&mut home.drill(&[".", "--pcap", "all", "--ip-version", "all"]), 1);
    let mut names: Vec<_> = std::fs::read_dir(home.0.join("all"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 9, "{names:?}");
    assert_eq!(names[0], "a-good-ipv4-mapped-ipv6.pcapng");
    has_all(
        &printed(&mut home.drill(&["a/good.pkt", "--pcap", "/proc/no/such.pcapng"]), 1),
        &["/proc/no/such.pcapng"],
    );
}

#[test]
fn the_first_failure_may_end_the_run() {
    let home = Home::of_each("fail-fast");
    home.write("b/worse.pkt", "frob\n");
    for jobs in ["1", "4"] {
        let text = printed(&mut home.drill(&[".", "--fail-fast", "--jobs", jobs]), 1);
        assert!(text.contains("bad.pkt") && !text.contains("worse.pkt"), "{text}");
        assert!(text.ends_with("\n1 passed, 1 failed, 0 unsupported\n"), "{text}");
    }
}

#[test]
fn a_dry_run_runs_nothing() {
    let home = Home::of_each("dry");
    let text = printed(&mut home.drill(&[".", "--dry-run"]), 0);
    has_all(
        &text,
        &["checked     ./b/bad.pkt\n", "2 checked and not run; 0 passed, 0 failed, 1 unsupported\n"],
    );
    home.write("d.pkt", "frob\n");
    printed(&mut home.drill(&[".", "--dry_run"]), 1);
}

#[test]
fn init_scripts_run_before_the_script() {
    let home = Home::new("init", &[("a.pkt", OPENING), ("b.pkt", OPENING)]);
    printed(&mut home.drill(&["a.pkt", "--init-scripts", "sysctl -q net.ipv4.tcp_sack=0"]), 0);
    let text =
        printed(&mut home.drill(&["a.pkt", "--init-scripts", "sysctl -q net.ipv4.tcp_syn_retries=0"]), 1);
    has_all(&text, &["a.pkt:1:1", "tcp_syn_retries"]);
}

#[test]
fn the_script_of_the_documentation_passes() {
    let page = include_str!("../../../docs/drill.md");
    let script = page.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let home = Home::new("documentation", &[("a.pkt", script)]);
    printed(&mut home.drill(&["a.pkt"]), 0);
}

/// Says on the terminal, past the test harness, that nothing was checked.
fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "\n!!! SKIPPED: {why}\n");
}

/// True when scripts can be run against the kernel here; says loudly what is missing when they cannot.
fn kernel_is_ready(home: &Home) -> bool {
    let trial = home.drill(&["--against", "kernel", "--dry-run", "."]).output().unwrap();
    if !trial.status.success() {
        let why = String::from_utf8_lossy(&trial.stderr).trim().to_owned();
        skip(&format!("nothing is recorded from the kernel: {why}"));
    }
    trial.status.success()
}

/// Scripts whose records must hold: every kind of call and timer.
const RECORDED: [&str; 22] = [
    "api/epoll_edge",
    "api/epoll_level",
    "api/errors",
    "api/poll",
    "api/poll_timeout",
    "api/siocoutq",
    "api/tcp_info",
    "close/active",
    "close/fin_retransmit",
    "icmp/frag_needed",
    "open/active_blocking",
    "open/passive",
    "open/syn_ack_retransmit",
    "open/two_connections",
    "options/timestamps_echo",
    "receive/blocking_read",
    "receive/delayed_ack",
    "receive/read_timeout",
    "recovery/fast_retransmit",
    "recovery/rto",
    "recovery/rack_timer",
    "send/keepalive",
];

#[test]
fn records_of_the_kernel_hold_on_the_kernel() {
    let home = Home::new("records", &[("x.pkt", OPENING)]);
    if !kernel_is_ready(&home) {
        return;
    }
    std::fs::remove_file(home.0.join("x.pkt")).unwrap();
    let record = |name: &&str| {
        let script = scripts().join(name).with_extension("pkt");
        let to = home.0.join(name.replace('/', "-")).with_extension("pkt");
        success(home.drill(&["--record", "-o"]).arg(&to).arg(script));
    };
    // Real time: a few at once, so that the machine keeps it.
    std::thread::scope(|scope| {
        for part in RECORDED.chunks(6) {
            scope.spawn(move || part.iter().for_each(record));
        }
    });
    let text = printed(&mut home.drill(&["--against", "kernel", "--jobs", "4", "."]), 0);
    assert!(text.ends_with(&format!("\n{} passed, 0 failed, 0 unsupported\n", RECORDED.len())), "{text}");
}

#[test]
fn a_draft_is_recorded_with_what_really_came() {
    let draft = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n\
                 +0 < S 0:0(0) win 32792 <mss 1000,sackOK,TS val 7 ecr 0>\n+0 > S. 0:0(0) ack 9\n\
                 +.1 < . 1:1(0) ack 1 win 32792 <nop,nop,TS val 8 ecr 100>\n+0 accept(3, ..., ...) = ?\n\
                 +0 getsockopt(3, SOL_SOCKET, SO_ERROR, [7], [4]) = 1\n\
                 +0 poll([{fd=3, events=POLLIN, revents=POLLIN}], 1, 10) = 5\n\
                 +0 read(3, ..., 10) = 10\n";
    let home = Home::new("draft", &[("draft.pkt", draft)]);
    let text = printed(&mut home.drill(&["--record", "--against", "core", "draft.pkt"]), 0);
    has_all(
        &text,
        &[
            " <mss 1460,sackOK,TS val 100 ecr 7>\n+.1 <",
            "+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0\n",
            "+0...0.01 poll([{fd=3, events=POLLIN, revents=0}], 1, 10) = 0\n",
            "read(3, ..., 10) = -1 ENOTCONN (Transport endpoint is not connected)\n",
        ],
    );
    home.write("true.pkt", &text);
    printed(&mut home.drill(&["true.pkt"]), 0);
}
