//! The tools on a running stack, in a private network namespace: what they print as text and as JSON, by the same flags
//! and filters, and what they change (Q-30 to Q-34). The document's workflow has a test of its own: time_wait.rs.

mod common;

use common::{cauce, failure, in_namespace, scratch, skip, success};
use std::fs;

/// The stack serves an echo; connections come from the kernel, and the stack's side closes first or not at all.
const WORKFLOW: &str = r#"
set -eu
cauce=$1 home=$2
export CAUCE_CONTROL=$home/stack.sock XDG_RUNTIME_DIR=$home
"$cauce" up --tun t0 --host 10.9.0.1/24 --addr 10.9.0.2 --echo 7 --chargen 19 --control "$CAUCE_CONTROL" \
    >"$home/ready" 2>"$home/log" &
stack=$!
trap 'kill "$stack" 2>/dev/null || true; wait "$stack" || true' EXIT
for _ in $(seq 100); do [ -s "$home/ready" ] && break; sleep 0.05; done
stat -c 'mode %a' "$CAUCE_CONTROL"

churn() { python3 - <<'END'
import socket
for _ in range(20):
    stream = socket.create_connection(("10.9.0.2", 7))
    stream.sendall(b"x")
    assert stream.recv(1) == b"x"
    stream.close()
held = [socket.create_connection(("10.9.0.2", 7)) for _ in range(3)]
import subprocess, sys, os, time
for _ in range(100):
    table = subprocess.run([os.environ["CAUCE"], "netstat", "-nat"], capture_output=True, text=True, check=True).stdout
    if table.count("ESTABLISHED") == 3:
        break
    time.sleep(0.1)
print(table)
END
}
export CAUCE=$cauce
churn | awk 'NR > 2 && NF { print $6 }' | sort | uniq -c | sed 's/^ */count /'

printf '# kept\nnet.ipv4.tcp_fin_timeout = 30\n\nnet/ipv4/tcp_max_tw_buckets=5\n' > "$home/sysctl.conf"
"$cauce" sysctl -p "$home/sysctl.conf"
"$cauce" sysctl -n net.ipv4.tcp_fin_timeout net.ipv4.tcp_max_tw_buckets
"$cauce" sysctl -w net.ipv4.tcp_syn_retries=500 || echo "refused $?"

"$cauce" nstat >/dev/null
churn >/dev/null
"$cauce" nstat TcpPassiveOpens | tail -n 1 | awk '{ print "grown " $1 " " $2 }'
"$cauce" ss -tln | tail -n +2 | wc -l
json() { python3 -c "import json, sys; all = json.load(sys.stdin); print('json', $1)"; }
"$cauce" ss -tan --json | json 'sorted({one["state"] for one in all})'
"$cauce" ss --json state listening | json '[one["state"] for one in all]'
"$cauce" ss --json -ta sport = :19 | json '[one["local"][-3:] for one in all]'
"$cauce" ss --json -ta sport = :chargen | json 'len(all)'
"$cauce" ss --json -4 -ta | json 'len(all)'
"$cauce" ss --json -s | json 'all["transport"]["tcp"]["total"]'
"$cauce" ss --json -tli | json '(len(all), len(all[0]["info"]), all[0]["info"]["tcpi_state"], "memory" in all[0])'
"$cauce" ss --json -Q || echo "unknown $?"
"$cauce" netstat --json -ntl | json '[one["state"] for one in all]'
"$cauce" tcp-metrics --json show | json 'type(all).__name__'
"$cauce" netsh --json interface tcp show global | json 'sorted(all)'
echo 'net.ipv4.tcp_sack = 0' | "$cauce" sysctl --json -p - | json 'all'
"$cauce" sysctl net.ipv4.tcp_sack net.ipv4.tcp_dsack --json | json 'all'
"$cauce" ss -ti state established | grep -c cwnd || true
"$cauce" sysctl -q net.ipv4.tcp_max_orphans=0
churn >/dev/null
sed 's/^/log /' "$home/log"
"#;

#[test]
fn an_administrator_counts_changes_and_counts_again() {
    let Some(mut command) = in_namespace() else {
        return skip("no network namespace with a TUN device here");
    };
    let home = scratch("control");
    fs::create_dir_all(&home).unwrap();
    command.args(["bash", "-c", WORKFLOW, "workflow", env!("CARGO_BIN_EXE_cauce")]).arg(&home);
    let printed = success(&mut command);
    let has = |line: &str| printed.lines().any(|printed| printed.trim_end() == line);
    for line in [
        "mode 600",
        "count 2 LISTEN",
        "count 3 ESTABLISHED",
        "net.ipv4.tcp_fin_timeout = 30",
        "net.ipv4.tcp_max_tw_buckets = 5",
        "30",
        "5",
        "refused 1",
        "grown TcpPassiveOpens 23",
        "json ['LISTEN', 'LISTEN']",
        "json [':19']",
        "json 1",
        "json 0",
        "json 2",
        "json (2, 70, 10, False)",
        "unknown 1",
        "json list",
        "json ['autotuninglevel', 'congestionprovider']",
        "json {'net.ipv4.tcp_sack': '0'}",
        "json {'net.ipv4.tcp_dsack': '1', 'net.ipv4.tcp_sack': '0'}",
    ] {
        assert!(has(line), "`{line}` is missing in\n{printed}");
    }
    // S-27: the service closed what its clients had closed, and each was an orphan too many.
    let told = printed.lines().filter(|line| line.starts_with("log ") && line.contains("WARN"));
    let orphans =
        told.filter(|line| line.contains("10.9.0.2:7 10.9.0.1:") && line.ends_with("(tcp_max_orphans)"));
    assert!(orphans.count() >= 10, "{printed}");
    assert!(printed.contains("'ESTABLISHED'") || printed.contains("'LISTEN'"), "{printed}");
    assert!(!home.join("stack.sock").exists(), "the socket goes with the stack");
    fs::remove_dir_all(&home).unwrap();
}

#[test]
fn without_a_stack_there_is_a_profile_and_a_clear_word() {
    let home = scratch("nobody");
    let alone = |arguments: &[&str]| {
        let mut command = cauce();
        command.args(arguments).env_remove("CAUCE_CONTROL").env("XDG_RUNTIME_DIR", &home);
        command
    };
    fs::create_dir_all(&home).unwrap();
    let why = failure(&mut alone(&["ss", "-tan"]), 1);
    assert!(why.contains("no stack runs") && why.contains("--control"), "{why}");
    let why = failure(&mut alone(&["netstat", "--control", "/nowhere/x.sock", "-nat"]), 1);
    assert!(why.contains("/nowhere/x.sock"), "{why}");
    let all = success(&mut alone(&["sysctl", "-a"]));
    assert!(all.contains("net.ipv4.tcp_fin_timeout = 60\n"), "{all}");
    let old = success(&mut alone(&["sysctl", "--profile", "manpage", "-n", "net.ipv4.tcp_tw_reuse"]));
    assert_eq!(old, "0\n");
    let windows = success(&mut alone(&["sysctl", "--profile", "azure-windows", "-n", "KeepAliveTime"]));
    assert_eq!(windows, "120000\n");
    let json = success(&mut alone(&["sysctl", "--profile", "windows-xp", "--json", "TcpWindowSize"]));
    assert_eq!(json, "{\"TcpWindowSize\":\"17520\"}\n");
    let wrong = failure(&mut alone(&["sysctl", "--profile", "win95", "-a"]), 2);
    assert!(wrong.contains("linux-6.18"), "{wrong}");
    fs::remove_dir_all(&home).unwrap();
}
