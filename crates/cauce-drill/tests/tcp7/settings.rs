//! The rows of settings, from their own table (REQUIREMENTS 1).

use super::rows::{Row, Section};
use cauce_core::sysctl::{self, Effect, Kind, Profile, SysctlEntry};

const GONE: &str = "gone from Linux: ours alone";

/// Settings: row, name. The order is that of the page.
const NUMBERS: &[(&str, &str)] = &[
    ("S-01", "tcp_abc"),
    ("S-02", "tcp_abort_on_overflow"),
    ("S-03", "tcp_adv_win_scale"),
    ("S-04", "tcp_allowed_congestion_control"),
    ("S-05", "tcp_autocorking"),
    ("S-06", "tcp_available_congestion_control"),
    ("S-07", "tcp_app_win"),
    ("S-08", "tcp_base_mss"),
    ("S-09", "tcp_bic"),
    ("S-10", "tcp_bic_fast_convergence"),
    ("S-11", "tcp_bic_low_window"),
    ("S-12", "tcp_congestion_control"),
    ("S-13", "tcp_dma_copybreak"),
    ("S-14", "tcp_dsack"),
    ("S-15", "tcp_ecn"),
    ("S-16", "tcp_ecn_fallback"),
    ("S-17", "tcp_fack"),
    ("S-18", "tcp_fastopen"),
    ("S-19", "tcp_fastopen_key"),
    ("S-20", "tcp_fin_timeout"),
    ("S-21", "tcp_frto"),
    ("S-22", "tcp_frto_response"),
    ("S-23", "tcp_keepalive_intvl"),
    ("S-24", "tcp_keepalive_probes"),
    ("S-25", "tcp_keepalive_time"),
    ("S-26", "tcp_low_latency"),
    ("S-27", "tcp_max_orphans"),
    ("S-28", "tcp_max_syn_backlog"),
    ("S-29", "tcp_max_tw_buckets"),
    ("S-30", "tcp_mem"),
    ("S-31", "tcp_moderate_rcvbuf"),
    ("S-32", "tcp_mtu_probing"),
    ("S-33", "tcp_no_metrics_save"),
    ("S-34", "tcp_orphan_retries"),
    ("S-35", "tcp_reordering"),
    ("S-36", "tcp_retrans_collapse"),
    ("S-37", "tcp_rfc1337"),
    ("S-38", "tcp_retries1"),
    ("S-39", "tcp_retries2"),
    ("S-40", "tcp_rmem"),
    ("S-41", "tcp_sack"),
    ("S-42", "tcp_slow_start_after_idle"),
    ("S-43", "tcp_stdurg"),
    ("S-44", "tcp_syn_retries"),
    ("S-45", "tcp_synack_retries"),
    ("S-46", "tcp_syncookies"),
    ("S-47", "tcp_timestamps"),
    ("S-48", "tcp_tso_win_divisor"),
    ("S-49", "tcp_tw_recycle"),
    ("S-50", "tcp_tw_reuse"),
    ("S-51", "tcp_vegas_cong_avoid"),
    ("S-52", "tcp_westwood"),
    ("S-53", "tcp_window_scaling"),
    ("S-54", "tcp_wmem"),
    ("S-55", "tcp_workaround_signed_windows"),
    ("S-56", "tcp_syn_linear_timeouts"),
    ("S-57", "tcp_rto_max_ms"),
    ("S-57", "tcp_rto_min_us"),
    ("S-58", "tcp_tw_reuse_delay"),
    ("S-59", "net.core.rmem_max"),
    ("S-59", "net.core.wmem_max"),
    ("S-60", "net.core.rmem_default"),
    ("S-60", "net.core.wmem_default"),
    ("S-61", "net.core.somaxconn"),
    ("S-62", "ip_local_port_range"),
    ("S-63", "ip_default_ttl"),
    ("S-63", "route.min_pmtu"),
    ("S-63", "route.mtu_expires"),
    ("S-63", "route.min_adv_mss"),
    ("S-64", "tcp_early_retrans"),
    ("S-65", "tcp_recovery"),
    ("S-66", "tcp_max_reordering"),
    ("S-67", "tcp_invalid_ratelimit"),
    ("S-68", "tcp_challenge_ack_limit"),
    ("S-69", "tcp_notsent_lowat"),
    ("S-70", "tcp_no_ssthresh_metrics_save"),
    ("S-71", "tcp_comp_sack_delay_ns"),
    ("S-71", "tcp_comp_sack_slack_ns"),
    ("S-71", "tcp_comp_sack_nr"),
    ("S-72", "tcp_probe_interval"),
    ("S-72", "tcp_probe_threshold"),
    ("S-73", "tcp_min_snd_mss"),
    ("S-74", "tcp_limit_output_bytes"),
    ("S-75", "tcp_mtu_probe_floor"),
];

/// All settings: those that REQUIREMENTS counts, then the others of Linux, then our own, which are cited by name.
pub fn rows() -> Vec<Row> {
    let counted = NUMBERS.iter().map(|(id, name)| {
        let entry = sysctl::find(name).unwrap_or_else(|| panic!("there is no setting {name}"));
        row(id, entry)
    });
    let mut rows: Vec<Row> = counted.collect();
    for entry in sysctl::table() {
        if !rows.iter().any(|row| row.name == entry.name) {
            rows.push(row(entry.short_name(), entry));
        }
    }
    rows
}

fn row(id: &str, entry: &'static SysctlEntry) -> Row {
    let number = id.strip_prefix("S-").and_then(|number| number.parse::<u32>().ok());
    let section = match number {
        Some(..=55) => Section::Settings,
        _ if entry.name.starts_with("cauce.") => Section::Own,
        _ => Section::Companions,
    };
    Row {
        name: entry.name.to_owned(),
        columns: columns(entry),
        deaf_to: Some(entry.name.to_owned()),
        beyond_scripts: beyond_scripts(entry.short_name()),
        without_effect: without_effect(entry.short_name()),
        kernel: kernel(entry.short_name()),
        ..Row::statement(section, id, "")
    }
}

fn columns(entry: &SysctlEntry) -> String {
    let (default, manpage) = (entry.default_text(Profile::Linux618), entry.default_text(Profile::Manpage));
    let default = match default == manpage {
        true => format!("`{default}`"),
        false => format!("`{default}` (`{manpage}`)"),
    };
    let range = match entry.kind {
        Kind::Algorithm | Kind::AlgorithmList | Kind::Profile => "names".to_owned(),
        Kind::FastOpenKey => "hexadecimal".to_owned(),
        Kind::PortList => "ports".to_owned(),
        _ => format!("{} to {}", entry.min, entry.max),
    };
    let unit = if entry.unit.is_empty() { String::new() } else { format!(" {}", entry.unit) };
    let acts = match entry.effect {
        Effect::AtOnce => "at once",
        Effect::NextSegment => "next segment",
        Effect::NextConnection => "next connection",
    };
    format!("`{}` | {default} | {range}{unit} | {acts} | {}", entry.short_name(), entry.doc)
}

/// Why no script can show the effect.
fn beyond_scripts(name: &str) -> Option<&'static str> {
    Some(match name {
        _ if name.starts_with("neigh.") => "scripts have no layer-2 device",
        "ip_unprivileged_port_start" | "tcp_allowed_congestion_control" => "scripts run with privilege",
        "ipfrag_high_thresh" | "ipfrag_time" => "scripts send no fragments",
        "tcp_autocorking" | "tcp_limit_output_bytes" => "the device of scripts is never behind",
        "tcp_dma_copybreak" => "scripts read into buffers of their own",
        "tcp_low_latency" => "scripts let the stack answer after every packet",
        "cauce.max_pending_replies" => "scripts let the stack answer after every packet",
        "cauce.max_loopback_queue" => "scripts see no packet that stays in the stack",
        "cauce.max_error_queue" => "scripts would need 65 ICMP messages",
        "net.core.message_burst" | "net.core.message_cost" => "scripts do not read what the operator is told",
        _ => return None,
    })
}

/// Why no script can show when a change is felt.
pub fn moment_beyond_scripts(name: &str) -> Option<&'static str> {
    Some(match name {
        "net.core.rmem_max" | "net.core.wmem_max" => {
            "felt by SO_RCVBUF and SO_SNDBUF, which need no connection"
        }
        "tcp_tw_reuse" => "felt by the connection after the one whose TIME-WAIT it reuses",
        "tcp_app_win" | "tcp_bic" | "tcp_westwood" => {
            "its scripts change it between one connection and the next"
        }
        _ => return None,
    })
}

/// Why there is no effect to show.
fn without_effect(name: &str) -> Option<&'static str> {
    Some(match name {
        "net.core.rmem_default" | "net.core.wmem_default" => {
            "without effect on TCP, as on Linux: tcp_rmem and tcp_wmem have its defaults"
        }
        "tcp_available_congestion_control" => "read-only",
        _ => return None,
    })
}

/// Where Linux differs, or cannot be asked.
fn kernel(name: &str) -> Option<&'static str> {
    Some(match name {
        "tcp_abc"
        | "tcp_frto_response"
        | "tcp_dma_copybreak"
        | "tcp_tw_recycle"
        | "tcp_bic"
        | "tcp_bic_fast_convergence"
        | "tcp_bic_low_window"
        | "tcp_vegas_cong_avoid"
        | "tcp_westwood"
        | "tcp_timewait_len"
        | "tcp_probe_bytes"
        | "tcp_init_cwnd"
        | "tcp_offer_rfc1323"
        | "tcp_rto_initial_ms" => GONE,
        "net.ipv6.conf.default.hop_limit" => "for devices that come later on Linux, for all here",
        "tcp_fack" | "tcp_low_latency" => "without effect on Linux: ours alone",
        "tcp_adv_win_scale" => "without effect on Linux since 6.6; acts in profile manpage (X-10)",
        "tcp_recovery" => "RACK cannot be switched off on 6.18: ours alone",
        "tcp_max_orphans" | "tcp_mem" | "net.core.rmem_max" | "net.core.wmem_max" => {
            "of the whole machine on Linux, not of a namespace"
        }
        _ => return None,
    })
}
