//! The settings under which an input runs.

use crate::input::Input;
use cauce_core::sysctl::Sysctls;

/// Settings that change what a stack does with packets, with the values that matter.
const CHOICES: &[(&str, &[&str])] = &[
    ("net.ipv4.tcp_timestamps", &["1", "0", "2"]),
    ("net.ipv4.tcp_sack", &["1", "0"]),
    ("net.ipv4.tcp_window_scaling", &["1", "0"]),
    ("net.ipv4.tcp_syncookies", &["1", "0", "2"]),
    ("net.ipv4.tcp_ecn", &["2", "1", "0"]),
    ("net.ipv4.tcp_shrink_window", &["0", "1"]),
    ("net.ipv4.tcp_rfc1337", &["0", "1"]),
    ("net.ipv4.tcp_tw_reuse", &["2", "1", "0"]),
    ("net.ipv4.tcp_abort_on_overflow", &["0", "1"]),
    ("net.ipv4.tcp_mtu_probing", &["0", "1", "2"]),
    ("net.ipv4.tcp_max_syn_backlog", &["4096", "1", "4"]),
    ("net.ipv4.tcp_rmem", &["4096 131072 6291456", "4096 4096 4096", "4096 16384 1000000"]),
    ("net.ipv4.tcp_mem", &["100000 200000 300000", "1 2 3", "0 0 0"]),
    ("net.ipv4.tcp_max_orphans", &["1000", "0", "1"]),
    ("net.ipv4.tcp_max_tw_buckets", &["1000", "0", "1"]),
    ("net.ipv4.tcp_congestion_control", &["cubic", "reno", "bic", "ctcp"]),
    ("net.ipv4.tcp_keepalive_time", &["7200", "1"]),
    ("net.ipv4.tcp_fin_timeout", &["60", "1", "0"]),
    ("net.ipv4.tcp_no_metrics_save", &["0", "1"]),
    ("net.ipv4.tcp_frto", &["2", "0"]),
    ("net.ipv4.tcp_recovery", &["1", "0"]),
    ("net.ipv4.tcp_early_retrans", &["3", "0"]),
    ("net.ipv4.tcp_window_clamp", &["0", "1000"]),
    ("net.ipv4.tcp_autocorking", &["1", "0"]),
];

/// Draws one change; a name or value that this stack does not have changes nothing.
pub(super) fn change(settings: &mut Sysctls, input: &mut Input<'_>) {
    let (name, values) = input.choose(CHOICES);
    let _ = settings.set(name, input.choose(values));
}
