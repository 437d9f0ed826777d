//! `struct tcp_info`, `union tcp_cc_info` and SO_MEMINFO as the kernel lays them out, by name: what `%{ }%` may use.

use crate::target::Sample;

/// The socket option that tells the memory of a socket.
const SO_MEMINFO: i32 = 55;
/// The socket option that tells the state of the congestion control.
const TCP_CC_INFO: i32 = 26;

/// Width of a field in bytes.
type Width = usize;

/// Every field in the order of the structure; those of less than a byte are taken apart below.
const FIELDS: &[(&str, Width)] = &[
    ("state", 1),
    ("ca_state", 1),
    ("retransmits", 1),
    ("probes", 1),
    ("backoff", 1),
    ("options", 1),
    ("wscales", 1),
    ("app_limited", 1),
    ("rto", 4),
    ("ato", 4),
    ("snd_mss", 4),
    ("rcv_mss", 4),
    ("unacked", 4),
    ("sacked", 4),
    ("lost", 4),
    ("retrans", 4),
    ("fackets", 4),
    ("last_data_sent", 4),
    ("last_ack_sent", 4),
    ("last_data_recv", 4),
    ("last_ack_recv", 4),
    ("pmtu", 4),
    ("rcv_ssthresh", 4),
    ("rtt", 4),
    ("rttvar", 4),
    ("snd_ssthresh", 4),
    ("snd_cwnd", 4),
    ("advmss", 4),
    ("reordering", 4),
    ("rcv_rtt", 4),
    ("rcv_space", 4),
    ("total_retrans", 4),
    ("pacing_rate", 8),
    ("max_pacing_rate", 8),
    ("bytes_acked", 8),
    ("bytes_received", 8),
    ("segs_out", 4),
    ("segs_in", 4),
    ("notsent_bytes", 4),
    ("min_rtt", 4),
    ("data_segs_in", 4),
    ("data_segs_out", 4),
    ("delivery_rate", 8),
    ("busy_time", 8),
    ("rwnd_limited", 8),
    ("sndbuf_limited", 8),
    ("delivered", 4),
    ("delivered_ce", 4),
    ("bytes_sent", 8),
    ("bytes_retrans", 8),
    ("dsack_dups", 4),
    ("reord_seen", 4),
    ("rcv_ooopack", 4),
    ("snd_wnd", 4),
    ("rcv_wnd", 4),
    ("rehash", 4),
    ("total_rto", 2),
    ("total_rto_recoveries", 2),
    ("total_rto_time", 4),
    ("received_ce", 4),
    ("delivered_e1_bytes", 4),
    ("delivered_e0_bytes", 4),
    ("delivered_ce_bytes", 4),
    ("received_e1_bytes", 4),
    ("received_e0_bytes", 4),
    ("received_ce_bytes", 4),
    ("accecn_fail_mode", 2),
    ("accecn_opt_seen", 2),
];

/// Names that stand in one field of the structure.
const PARTS: [&str; 4] =
    ["tcpi_snd_wscale", "tcpi_rcv_wscale", "tcpi_delivery_rate_app_limited", "tcpi_fastopen_client_fail"];

/// What each congestion control that has a state tells, by its name.
const CONGESTION: [(&str, &[(&str, Width)]); 3] = [
    ("vegas", &[("tcpv_enabled", 4), ("tcpv_rttcnt", 4), ("tcpv_rtt", 4), ("tcpv_minrtt", 4)]),
    (
        "dctcp",
        &[
            ("dctcp_enabled", 2),
            ("dctcp_ce_state", 2),
            ("dctcp_alpha", 4),
            ("dctcp_ab_ecn", 4),
            ("dctcp_ab_tot", 4),
        ],
    ),
    (
        "bbr",
        &[
            ("bbr_bw_lo", 4),
            ("bbr_bw_hi", 4),
            ("bbr_min_rtt", 4),
            ("bbr_pacing_gain", 4),
            ("bbr_cwnd_gain", 4),
        ],
    ),
];

const MEMORY: [&str; 9] = [
    "SK_MEMINFO_RMEM_ALLOC",
    "SK_MEMINFO_RCVBUF",
    "SK_MEMINFO_WMEM_ALLOC",
    "SK_MEMINFO_SNDBUF",
    "SK_MEMINFO_FWD_ALLOC",
    "SK_MEMINFO_WMEM_QUEUED",
    "SK_MEMINFO_OPTMEM",
    "SK_MEMINFO_BACKLOG",
    "SK_MEMINFO_DROPS",
];

fn number(bytes: &[u8]) -> i128 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | i128::from(*byte))
}

/// Every name that a target may tell, as scripts write it.
pub(crate) fn names() -> impl Iterator<Item = String> {
    let whole = FIELDS.iter().filter(|(name, _)| !matches!(*name, "wscales" | "app_limited"));
    let fields = whole.map(|(name, _)| format!("tcpi_{name}")).chain(PARTS.map(str::to_owned));
    let congestion =
        CONGESTION.iter().flat_map(|(_, fields)| fields.iter()).map(|(name, _)| (*name).to_owned());
    let memory = MEMORY.iter().flat_map(|name| [*name, name.trim_start_matches("SK_MEMINFO_")]);
    fields.chain(congestion).chain(memory.map(str::to_owned))
}

/// Everything that `%{ }%` may look at of a socket whose options `read` returns (level, name, room); `None` when
/// it has no tcp_info.
pub(super) fn sample(mut read: impl FnMut(i32, i32, usize) -> Option<Vec<u8>>) -> Option<Sample> {
    let mut values = tcp_info(&read(libc::SOL_TCP, libc::TCP_INFO, 512)?);
    if let Some(bytes) = read(libc::SOL_SOCKET, SO_MEMINFO, 64) {
        values.extend(memory(&bytes));
    }
    let name = read(libc::SOL_TCP, libc::TCP_CONGESTION, 16);
    if let (Some(name), Some(state)) = (name, read(libc::SOL_TCP, TCP_CC_INFO, 64)) {
        let name = String::from_utf8_lossy(&name);
        values.extend(congestion(name.trim_end_matches('\0'), &state));
    }
    Some(values)
}

/// The fields that an older kernel does not have are 0.
pub(crate) fn tcp_info(bytes: &[u8]) -> Sample {
    let mut values = Sample::new();
    let mut at = 0;
    for (name, width) in FIELDS {
        let value = number(bytes.get(at..at + width).unwrap_or(&[]));
        at += width;
        match *name {
            "wscales" => {
                values.push(("tcpi_snd_wscale".to_owned(), value & 15));
                values.push(("tcpi_rcv_wscale".to_owned(), value >> 4));
            }
            "app_limited" => {
                values.push(("tcpi_delivery_rate_app_limited".to_owned(), value & 1));
                values.push(("tcpi_fastopen_client_fail".to_owned(), value >> 1 & 3));
            }
            name => values.push((format!("tcpi_{name}"), value)),
        }
    }
    values
}

/// The state of the congestion control `algorithm` by name; nothing when it has none.
fn congestion(algorithm: &str, bytes: &[u8]) -> Sample {
    let told_as = match algorithm {
        "westwood" | "illinois" | "yeah" => "vegas",
        own => own,
    };
    let known = CONGESTION.iter().find(|(name, _)| *name == told_as);
    let mut at = 0;
    let mut values = Sample::new();
    for (name, width) in known.map_or(&[][..], |(_, fields)| fields) {
        if let Some(field) = bytes.get(at..at + width) {
            values.push(((*name).to_owned(), number(field)));
        }
        at += width;
    }
    values
}

/// SO_MEMINFO by name.
fn memory(bytes: &[u8]) -> Sample {
    let words = bytes.chunks_exact(4);
    MEMORY.iter().zip(words).map(|(name, word)| ((*name).to_owned(), number(word))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_told() {
        let mut told: Vec<_> = tcp_info(&[0; 280]).into_iter().map(|(name, _)| name).collect();
        told.extend(memory(&[0; 36]).into_iter().map(|(name, _)| name));
        for (algorithm, _) in CONGESTION {
            told.extend(congestion(algorithm, &[0; 20]).into_iter().map(|(name, _)| name));
        }
        let bare =
            |name: &String| !MEMORY.iter().any(|known| known.strip_prefix("SK_MEMINFO_") == Some(name));
        let mut known: Vec<_> = names().filter(bare).collect();
        told.sort();
        known.sort();
        assert_eq!(told, known);
        assert_eq!(FIELDS.iter().map(|(_, width)| width).sum::<usize>(), 280);
    }

    #[test]
    fn congestion_controls_tell_their_own() {
        let bytes = [[1, 0, 0, 0], [2, 0, 0, 0], [3, 0, 0, 0], [0, 1, 0, 0], [5, 0, 0, 0]].concat();
        let of = |algorithm: &str, name: &str| {
            congestion(algorithm, &bytes).iter().find(|(known, _)| known == name).map(|(_, value)| *value)
        };
        assert_eq!((of("bbr", "bbr_pacing_gain"), of("dctcp", "dctcp_alpha")), (Some(256), Some(2)));
        assert_eq!((of("vegas", "tcpv_rtt"), of("westwood", "tcpv_minrtt")), (Some(3), Some(256)));
        assert_eq!(of("cubic", "bbr_bw_lo"), None);
    }

    #[test]
    fn fields_stand_where_the_kernel_puts_them() {
        let mut bytes = vec![0u8; 280];
        (bytes[0], bytes[6], bytes[8], bytes[80]) = (1, 0x87, 200, 10);
        let values = tcp_info(&bytes);
        let of = |name: &str| values.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        assert_eq!(of("tcpi_state"), Some(1));
        assert_eq!((of("tcpi_snd_wscale"), of("tcpi_rcv_wscale")), (Some(7), Some(8)));
        assert_eq!((of("tcpi_rto"), of("tcpi_snd_cwnd")), (Some(200), Some(10)));
    }
}
