//! Commands as scripts write them, over a stack; as whoever runs the tests, and once more without privilege.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::*;
use crate::call::{Address, Call};
use crate::settings::{IpMode, Settings};
use crate::target::Target;

/// A stack as a script finds it, with a directory of its own.
struct Script {
    core: Core,
    directory: PathBuf,
}

impl Script {
    /// A script; `None`, and loudly, where a real shell cannot be kept from the host.
    fn sandboxed() -> Option<Script> {
        let mut script = Script::new();
        match script.run("x=1") {
            Ok(()) => Some(script),
            Err(TargetError::Unsupported(why)) => {
                // Around the harness, which would keep it to itself.
                let _ = writeln!(std::io::stderr(), "\n!!! NOT CHECKED: {why}\n");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn new() -> Script {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("cauce-commands-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        let mut core = Core::new(directory.clone());
        core.prepare(&Settings::new(IpMode::V4)).unwrap();
        Script { core, directory }
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.directory.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.directory.join(name)).unwrap().trim().to_owned()
    }

    fn run(&mut self, text: &str) -> Result<(), TargetError> {
        run(&mut self.core, text)
    }

    /// Runs a text that must succeed.
    fn done(&mut self, text: &str) {
        if let Err(error) = self.run(text) {
            panic!("{text}: {error}");
        }
    }

    fn refused(&mut self, text: &str) -> String {
        match self.run(text) {
            Err(TargetError::Broken(why)) => why,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn missing(&mut self, text: &str) -> String {
        match self.run(text) {
            Err(TargetError::Unsupported(what)) => what,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn setting(&self, name: &str) -> String {
        self.core.stack.sysctl().get(name).unwrap()
    }

    /// True when a real shell was needed so far.
    fn used_a_shell(&self) -> bool {
        self.core.commands.sandbox.is_some()
    }

    /// Makes the stack listen on port 8080.
    fn listen(&mut self) {
        let socket = Call::Socket { domain: libc::AF_INET, kind: libc::SOCK_STREAM, protocol: 0 };
        self.core.start_call(&socket, false).unwrap();
        self.core.start_call(&Call::Bind { fd: 3, address: Address::Local }, false).unwrap();
        self.core.start_call(&Call::Listen { fd: 3, backlog: 7 }, false).unwrap();
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Every setting of the host that the stack has under the same name.
fn host_settings() -> Vec<(PathBuf, String)> {
    let paths = cauce_core::sysctl::table()
        .iter()
        .map(|entry| Path::new("/proc/sys").join(entry.name.replace('.', "/")));
    paths.filter_map(|path| fs::read_to_string(&path).ok().map(|text| (path, text))).collect()
}

/// The 23 settings and the queue of a suite's common beginning.
const DEFAULTS: &str = r#"#!/bin/bash
# A known state.
ip tcp_metrics flush all > /dev/null 2>&1

sysctl -q net.ipv4.tcp_rmem="4096 540000 $((15*1024*1024))"
sysctl -q net.ipv4.tcp_wmem="4096 $((256*1024)) 4194304"
sysctl -q net.ipv4.tcp_timestamps=1
sysctl -q net.ipv4.tcp_syn_retries=5
sysctl -q net.ipv4.tcp_synack_retries=5
sysctl -q net.ipv4.tcp_frto=2
sysctl -q net.ipv4.tcp_sack=1
sysctl -q net.ipv4.tcp_dsack=1
sysctl -q net.ipv4.tcp_fack=0
sysctl -q net.ipv4.tcp_reordering=4
sysctl -q net.ipv4.tcp_congestion_control="cubic"
sysctl -q net.ipv4.tcp_slow_start_after_idle=0
sysctl -q net.ipv4.tcp_early_retrans=3
sysctl -q net.ipv4.tcp_recovery=1
sysctl -q net.ipv4.tcp_tso_win_divisor=3
sysctl -q net.ipv4.tcp_ecn=0
sysctl -q net.ipv4.tcp_min_tso_segs=2
sysctl -q net.ipv4.tcp_pacing_ss_ratio=200
sysctl -q net.ipv4.tcp_pacing_ca_ratio=120
sysctl -q net.ipv4.tcp_notsent_lowat=4294967295 > /dev/null 2>&1
sysctl -q net.ipv4.tcp_fastopen=0x70403
sysctl -q net.ipv4.tcp_fastopen_key=a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4
sysctl -q net.ipv4.tcp_syncookies=1

# The queue in front of the device.
tc qdisc replace dev tun0 root pfifo
"#;

fn check_defaults(script: &Script) {
    for (name, value) in [
        ("tcp_rmem", "4096\t540000\t15728640"),
        ("tcp_wmem", "4096\t262144\t4194304"),
        ("tcp_reordering", "4"),
        ("tcp_slow_start_after_idle", "0"),
        ("tcp_fastopen", "459779"),
        ("tcp_fastopen_key", "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4"),
        ("tcp_syn_retries", "5"),
    ] {
        assert_eq!(script.setting(name), value, "{name}");
    }
}

#[test]
fn settings_are_ours_and_never_the_hosts() {
    let before = host_settings();
    let mut script = Script::new();
    script.done(
        "sysctl -q net.ipv4.tcp_sack=0 net.ipv4.tcp_rmem=\"4096 5000 6000\" && sysctl net.ipv4.tcp_sack",
    );
    assert_eq!(
        (script.setting("tcp_sack"), script.setting("tcp_rmem")),
        ("0".into(), "4096\t5000\t6000".into())
    );
    assert!(
        script
            .refused("sysctl -q net.ipv4.tcp_sack=300")
            .contains("`300` is out of range (0 to 255 is allowed)")
    );
    assert_eq!(script.missing("sysctl -q net.ipv4.nosuch=1; true"), "the setting `net.ipv4.nosuch`");
    assert_eq!(script.missing("tc qdisc replace dev tun0 root fq"), "the queueing discipline `fq`");
    script.done("sysctl -e -q net.ipv4.nosuch=1; ip link set dev tun0 mtu 9000; ethtool -K tun0 tso off gso off; nstat -n");
    assert!(script.refused("ip route change 10.0.0.0/8 dev tun0").contains("No such file or directory"));
    assert!(!script.used_a_shell(), "none of this needs one");
    assert_eq!(before, host_settings());
}

/// What a suite runs before each of its scripts costs no shell, whichever way it is run.
#[test]
fn a_suites_defaults_are_read_here() {
    for text in [". ./defaults.sh", "source ./defaults.sh", "./defaults.sh", "bash ./defaults.sh && true"] {
        let mut script = Script::new();
        script.file("defaults.sh", DEFAULTS);
        script.done(text);
        check_defaults(&script);
        assert!(!script.used_a_shell(), "{text}");
    }
}

#[test]
fn a_suites_defaults_mean_the_same_to_a_real_shell() {
    let before = host_settings();
    let Some(mut script) = Script::sandboxed() else { return };
    script.file("defaults.sh", DEFAULTS);
    script.done("for way in 1; do . ./defaults.sh; done");
    check_defaults(&script);
    assert_eq!(before, host_settings());
}

#[test]
fn files_under_proc_sys_are_the_settings() {
    let before = host_settings();
    let Some(mut script) = Script::sandboxed() else { return };
    script.done("echo 0 > /proc/sys/net/ipv4/tcp_sack; echo 7000 8000 > /proc/sys/net/ipv4/tcp_rmem");
    assert_eq!(
        (script.setting("tcp_sack"), script.setting("tcp_rmem")),
        ("0".into(), "7000\t8000\t33554432".into())
    );
    script.done("sysctl -q net.core.somaxconn=77");
    script.done("[ $(cat /proc/sys/net/core/somaxconn) = 77 ] && [ $(cat /proc/sys/net/ipv4/tcp_sack) = 0 ]");
    // Between a file that was written and a tool that looks there is no gap.
    script.done("echo 1 > /proc/sys/net/ipv4/tcp_sack; sysctl -n net.ipv4.tcp_sack | grep -qx 1");
    script.done("sysctl -qw net.ipv4.tcp_sack=0; grep -qx 0 /proc/sys/net/ipv4/tcp_sack # by a real shell");
    assert!(script.refused("echo 300 > /proc/sys/net/ipv4/tcp_sack; true").contains("`300` is out of range"));
    assert_eq!(
        script.missing("echo 1 > /proc/sys/net/ipv4/tcp_frob || true"),
        "the setting `net.ipv4.tcp_frob`"
    );
    assert_eq!(
        script.missing("x=1; sysctl -q net.ipv4.tcp_frob=$x; true"),
        "the setting `net.ipv4.tcp_frob`"
    );
    let why = script.refused("sysctl -n net.ipv4.tcp_available_congestion_control; echo lost >&2; (exit 3)");
    assert!(why.contains("ended with status 3: lost"), "{why}");
    assert!(script.refused("no_such_program $x").contains("ended with status 127"));
    assert_eq!(script.setting("tcp_sack"), "0");
    assert_eq!(before, host_settings());
}

/// A helper that writes the files itself and leaves a script that puts them back, named after the runner.
#[test]
fn a_helper_in_python_leaves_a_restore_script() {
    let before = host_settings();
    let Some(mut script) = Script::sandboxed() else { return };
    if script.run("/usr/bin/env python3 -c 'x = 1'").is_err() {
        let _ = writeln!(std::io::stderr(), "\n!!! NOT CHECKED: there is no python3\n");
        return;
    }
    script.file(
        "set_sysctls.py",
        r#"import os, sys
name = '/tmp/sysctl_restore_%s.sh' % os.environ['PACKETDRILL_PID']
with open(name, 'w') as restore:
    restore.write('#!/bin/sh\n')
    for word in sys.argv[1:]:
        path, value = word.split('=')
        with open(path) as file:
            restore.write('echo "%s" > %s\n' % (file.read().strip(), path))
        with open(path, 'w') as file:
            file.write(value)
os.chmod(name, 0o755)
"#,
    );
    script.done("python3 ./set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0 '/proc/sys/net/ipv4/tcp_wmem=4096 5000 6000'");
    assert_eq!(
        (script.setting("tcp_timestamps"), script.setting("tcp_wmem")),
        ("0".into(), "4096\t5000\t6000".into())
    );
    // The shell's parent has the same number, and some scripts use that.
    script.done("[ $PPID = $PACKETDRILL_PID ] && /tmp/sysctl_restore_${PPID}.sh && rm /tmp/sysctl_restore_${PACKETDRILL_PID}.sh");
    assert_eq!(
        (script.setting("tcp_timestamps"), script.setting("tcp_wmem")),
        ("1".into(), "4096\t16384\t4194304".into())
    );
    assert_eq!(before, host_settings());
}

#[test]
fn tools_and_tables_show_the_stack() {
    let Some(mut script) = Script::sandboxed() else { return };
    script.listen();
    script.done("grep -q ':1F90 00000000:0000 0A' /proc/net/tcp && ! grep -q 1F90 /proc/net/tcp6");
    script.done("grep -q '^TcpExt: SyncookiesSent' /proc/self/../net/netstat && head -1 < /proc/net/snmp | grep -q Forwarding");
    script.done("ss -ltni | grep -q '192.168.0.1:8080 ' && ss -tln 'sport = :8080' | grep -q cubic || ss -tin state listening | grep -q cubic");
    script.done("netstat -nat | awk '{print $6}' | sort | uniq -c | grep -q '1 LISTEN'");
    script.done("nstat -n; nstat | grep -q OutOfWindowIcmps && exit 1; nstat -z | grep -q 'TcpExtOutOfWindowIcmps *0  '");
    script.done("ip route show | grep -q '^192.0.2.0/24 via 192.168.0.2 dev tun0'");
    script.done(
        "for n in 3 4; do ip route change 192.0.2.0/24 via 192.168.0.2 dev tun0 initcwnd $n || exit; done",
    );
    let route = script.core.stack.interfaces().routes().iter().find(|route| route.gateway.is_some()).copied();
    assert_eq!(route.map(|route| route.metrics.initcwnd), Some(4));
    // By its place it is the same tool, and two at once take turns.
    script.done("which ip > /dev/null; for tool in /sbin/ip /usr/sbin/ip /bin/ip; do [ ! -x $tool ] || $tool link show tun0; done");
    script.done("for n in 1 2 3 4 5 6; do sysctl -n net.ipv4.tcp_sack > out.$n & done; wait; cat out.? | grep -c 1 | grep -qx 6");
    assert_eq!(script.missing("x=fq; tc qdisc replace dev tun0 root $x"), "the queueing discipline `fq`");
    script.file("some.conf", "net.ipv4.tcp_dsack = 0\n");
    script.done("mkdir -p below && cd below && sysctl -q -p ../some.conf; (exit $?)");
    assert_eq!(script.setting("tcp_dsack"), "0");
}

#[test]
fn ordinary_programs_just_run() {
    let Some(mut script) = Script::sandboxed() else { return };
    script
        .done("dd if=/dev/zero of=big bs=1k count=8 2> /dev/null && cp big 'a copy' && rm big && sleep 0.01");
    assert_eq!(fs::metadata(script.directory.join("a copy")).unwrap().len(), 8192);
    script.done("cat; read -r nothing || true; printf '%s' \"line\nline\" | wc -l | grep -qx 1");
    script.done("seq 200000; true");
    assert!(script.refused("cd nowhere").contains("nowhere"));
}

/// Nothing of the host can be reached: not its network, not its settings beside those of the network.
#[test]
fn the_host_is_out_of_reach() {
    let Some(mut script) = Script::sandboxed() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    script.refused(&format!("exec 3<>/dev/tcp/127.0.0.1/{port}"));
    script.refused("cat /proc/sys/kernel/panic > /proc/sys/kernel/panic");
    script.refused("x=/sys/module/tcp_cubic/parameters/hystart; [ -e $x ] && cat $x > $x");
    script.refused("cat /proc/sys/vm/swappiness > /proc/sys/vm/swappiness");
}

/// Two scripts that run at the same time have stacks, settings and numbers of their own.
#[test]
fn two_scripts_at_once_do_not_meet() {
    if Script::sandboxed().is_none() {
        return;
    }
    let before = host_settings();
    let barrier = Barrier::new(2);
    let numbers = std::thread::scope(|scope| {
        let runs = [1, 2].map(|which| {
            let barrier = &barrier;
            scope.spawn(move || {
                let mut script = Script::sandboxed().expect("a sandbox");
                barrier.wait();
                for round in 0..5 {
                    let value = which * 10 + round;
                    script.done(&format!("x={value}; echo $x > /proc/sys/net/ipv4/tcp_keepalive_probes"));
                    script.done(&format!("[ $(sysctl -n net.ipv4.tcp_keepalive_probes) = {value} ]"));
                    assert_eq!(script.setting("tcp_keepalive_probes"), value.to_string());
                }
                script.done("echo $PACKETDRILL_PID > first");
                script.done("echo $PACKETDRILL_PID > second");
                barrier.wait();
                assert_eq!(script.read("first"), script.read("second"));
                script.read("first")
            })
        });
        runs.map(|run| run.join().unwrap())
    });
    assert_ne!(numbers[0], numbers[1]);
    assert_eq!(before, host_settings());
}

/// A sandbox serves the next script, which finds nothing of the last one.
#[test]
fn the_next_script_starts_afresh() {
    let Some(mut first) = Script::sandboxed() else { return };
    first.listen();
    first.done("echo 0 > /proc/sys/net/ipv4/tcp_sack; nstat -n; true");
    drop(first);
    for _ in 0..3 {
        let mut next = Script::sandboxed().expect("a sandbox");
        next.done("[ $(cat /proc/sys/net/ipv4/tcp_sack) = 1 ] && ! grep 1F90 /proc/net/tcp");
        assert_eq!(next.setting("tcp_sack"), "1");
    }
}

/// What a script leaves running in the background does not hold it up, and ends with it.
#[test]
fn background_processes_end_with_the_script() {
    let Some(mut script) = Script::sandboxed() else { return };
    script.done("sleep 1000 & echo $! > number");
    let number = script.read("number");
    let gone =
        || fs::read_to_string(format!("/proc/{number}/stat")).map_or(true, |stat| stat.contains(") Z "));
    assert!(!gone(), "the command has waited until process {number} ended");
    script.core.commands = Commands::default();
    let looks = 100_000;
    let ended = (0..looks).any(|_| {
        gone() || {
            std::thread::sleep(Duration::from_millis(1));
            false
        }
    });
    assert!(ended, "process {number} lives on");
}

/// A script that ends its own keeper is told, and the next one has another.
#[test]
fn a_keeper_that_dies_is_missed() {
    let Some(mut script) = Script::sandboxed() else { return };
    assert!(script.refused("kill -9 $PPID; sleep 1").contains("the keeper of its shell is gone"));
    script.done("x=1");
}

/// All of the above once more as a user without any privilege.
#[test]
fn without_privilege() {
    const NOBODY: u32 = 65_534;
    const INNER: &str = "CAUCE_TEST_WITHOUT_PRIVILEGE";
    if std::env::var_os(INNER).is_some() {
        return;
    }
    if fs::metadata("/proc/self").is_ok_and(|owner| std::os::unix::fs::MetadataExt::uid(&owner) != 0) {
        let _ = writeln!(
            std::io::stderr(),
            "\nno root here: the other tests have run without privilege already\n"
        );
        return;
    }
    let directory = Script::new();
    let program = directory.directory.join("tests");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(&program)
        .args(["against::core::commands::tests", "--test-threads=2"])
        .env(INNER, "1")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let told =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let _ = write!(std::io::stderr(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
}
