//! What a write to a setting does is what the kernel does (G-01 to G-05): every setting that both have, each with
//! the same texts, on the kernel in a network namespace of this test's own.
//!
//! Needs `unshare`, `python3` and the right to make namespaces; without them it says so loudly and checks nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use cauce_core::sysctl::{self, Access, Sysctls};

/// What is written to each setting: forms of numbers, bounds of types and of ranges, and what is none of these.
const TEXTS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "5",
    "47",
    "48",
    "127",
    "128",
    "255",
    "256",
    "300",
    "301",
    "999",
    "1000",
    "1001",
    "65535",
    "65536",
    "86400",
    "86401",
    "120000",
    "120001",
    "8589934",
    "8589935",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999",
    "-1",
    "-31",
    "-32",
    "-5",
    "-2147483648",
    "-2147483649",
    "0x10",
    "0X1f",
    "0x",
    "0xg",
    "010",
    "08",
    "00",
    " 7 ",
    "\t7",
    "\n7",
    "7\n",
    "5\n6",
    "1 x",
    "1x",
    "1.5",
    "abc",
    "+1",
    "- 1",
    "--1",
    " ",
    "\n",
    "",
    "1 2",
    "1 2 3",
    "1 2 3 4",
    "3 2 1",
    "1,2",
    "4096 x",
    "4096 0",
    "4096 -1",
    "20 10",
    "40000 50000",
    "0 0",
    "80,90-100",
    "100-90",
    "reno",
    "cubic\n",
    "reno ",
    " reno",
    "reno cubic",
    "reno reno",
    "nosuch",
    "reno nosuch",
    "yes",
    "true",
];

/// A text for a setting, and what the kernel makes of it.
type Which = fn(&str, &Outcome) -> bool;

/// Where this stack differs on purpose: the setting, which texts, and the row or reason. No setting is left out whole.
const EXCEPTIONS: &[(&str, Which, &str)] = &[
    ("tcp_base_mss", |_, theirs| !(1..=65_535).contains(&theirs.number()), "S-08: 1 to 65535"),
    ("tcp_fin_timeout", |_, theirs| theirs.number() < 0, "X-38: no negative times"),
    ("tcp_keepalive_intvl", |_, theirs| theirs.number() < 0, "X-38: no negative times"),
    ("tcp_keepalive_time", |_, theirs| theirs.number() < 0, "X-38: no negative times"),
    ("ipfrag_time", |_, theirs| theirs.number() < 0, "X-38: no negative times"),
    ("route.mtu_expires", |_, theirs| theirs.number() < 0, "X-38: no negative times"),
    ("route.min_adv_mss", |_, theirs| theirs.number() < 0, "S-63: no negative sizes"),
    ("tcp_ecn_option", |text, _| text.starts_with('3'), "S-15: 3 is a later kernel's"),
    ("tcp_ecn", |text, _| text.starts_with(['3', '5']), "S-15: 3 to 5 ask for AccECN"),
    (
        "ipfrag_high_thresh",
        |_, theirs| theirs.errno == libc::EINVAL,
        "there is no ipfrag_low_thresh to bound it",
    ),
    (
        "tcp_invalid_ratelimit",
        |text, _| ["4294967296", "-2147483649"].contains(&text),
        "G-03: beyond 32 bits",
    ),
    ("tcp_rmem", |text, _| text == "1 x", "G-02: what is refused changes nothing, its first parts included"),
    ("tcp_wmem", |text, _| text == "1 x", "G-02: what is refused changes nothing, its first parts included"),
];

/// Reads lines `PATH,DEFAULT,TEXT` in hexadecimal; writes the default, then the text, and answers with the errno of the
/// second write and the value read afterwards. Nothing is answered for a file that is missing or may not be written.
const WRITER: &str = r#"
import os, sys
def write(path, text):
    try:
        fd = os.open(path, os.O_WRONLY)
        os.write(fd, text)
    except OSError as error:
        return error.errno
    os.close(fd)
    return 0
for line in sys.stdin:
    path, default, text = [bytes.fromhex(word) for word in line.split(",")]
    if os.access(path, os.W_OK) and write(path, default or b"\n") == 0:
        code = write(path, text)
        with open(path, "rb") as file: print(code, file.read().hex(), sep=",")
    else:
        print()
"#;

/// What became of one write.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    errno: i32,
    value: String,
}

impl Outcome {
    /// The number that is kept now, -1 for none.
    fn number(&self) -> i64 {
        self.value.parse().unwrap_or(-1)
    }
}

/// Per setting the outcome of each text. `None` without namespaces or python3.
fn ask_kernel(names: &[&'static str]) -> Option<BTreeMap<&'static str, Vec<Outcome>>> {
    let defaults = Sysctls::default();
    let line = |name: &str, text: &str| {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        format!("{},{},{}\n", hex(&path), hex(&defaults.get(name).unwrap()), hex(text))
    };
    let lines: String =
        names.iter().flat_map(|name| TEXTS.iter().map(move |text| line(name, text))).collect();
    let mut python = Command::new("unshare")
        .args(["--net", "--map-root-user", "python3", "-c", WRITER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut input = python.stdin.take()?;
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = python.wait_with_output().ok()?;
    writer.join().ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut answers = text.lines();
    let mut found = BTreeMap::new();
    for name in names {
        let answers: Vec<_> = answers.by_ref().take(TEXTS.len()).collect();
        let outcomes: Option<Vec<_>> = answers.into_iter().map(outcome).collect();
        outcomes
            .filter(|outcomes| outcomes.len() == TEXTS.len())
            .map(|outcomes| found.insert(*name, outcomes));
    }
    Some(found)
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn outcome(answer: &str) -> Option<Outcome> {
    let (errno, value) = answer.split_once(',')?;
    let byte = |at| u8::from_str_radix(&value[at..at + 2], 16).ok();
    let bytes: Vec<u8> = (0..value.len()).step_by(2).map(byte).collect::<Option<_>>()?;
    let value = String::from_utf8(bytes).ok()?.trim_end_matches('\n').to_owned();
    Some(Outcome { errno: errno.parse().ok()?, value })
}

fn write_here(sysctls: &mut Sysctls, name: &str, text: &str) -> Outcome {
    let errno = match sysctls.set(name, text) {
        Ok(()) => 0,
        Err(error) => match error.errno_name() {
            "EINVAL" => libc::EINVAL,
            "ENOENT" => libc::ENOENT,
            _ => libc::EACCES,
        },
    };
    Outcome { errno, value: sysctls.get(name).unwrap() }
}

/// X-38: negative times, which Linux takes, are refused.
#[test]
fn g01_to_g04_writes_end_as_in_the_kernel() {
    let writable = sysctl::table().iter().filter(|entry| entry.access != Access::ReadOnly);
    let names: Vec<_> = writable.map(|entry| entry.name).collect();
    let Some(kernel) = ask_kernel(&names).filter(|found| !found.is_empty()) else {
        eprintln!("\n!!! NOT CHECKED against the kernel: no namespace of its own, or no python3\n");
        return;
    };
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for (name, outcomes) in &kernel {
        let short = sysctl::find(name).unwrap().short_name();
        for (text, theirs) in TEXTS.iter().zip(outcomes) {
            let ours = write_here(&mut Sysctls::default(), name, text);
            let excepted =
                EXCEPTIONS.iter().position(|(known, which, _)| *known == short && which(text, theirs));
            match (ours == *theirs, excepted) {
                (true, _) => {}
                (false, Some(at)) => drop(used.insert(at)),
                (false, None) => wrong.push(format!("{name} <- {text:?}: {ours:?}, the kernel {theirs:?}")),
            }
        }
    }
    println!("{} settings, {} texts each", kernel.len(), TEXTS.len());
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(used.len(), EXCEPTIONS.len(), "an exception that is none: {used:?}");
}
