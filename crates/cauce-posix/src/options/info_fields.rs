//! The fields of `struct tcp_info` by the kernel's names, read from its bytes: what a listing tells of a connection is
//! what TCP_INFO fills.

use cauce_core::socket::tcp_info::TcpInfo;

/// Where a field stands: whole bytes, or bits of the one that follows.
#[derive(Clone, Copy)]
enum Width {
    Bytes(usize),
    /// Lowest bit, how many, and whether it is the last field of its byte.
    Bits(u8, u8, bool),
}

use Width::{Bits, Bytes};

const FIELDS: &[(&str, Width)] = &[
    ("tcpi_state", Bytes(1)),
    ("tcpi_ca_state", Bytes(1)),
    ("tcpi_retransmits", Bytes(1)),
    ("tcpi_probes", Bytes(1)),
    ("tcpi_backoff", Bytes(1)),
    ("tcpi_options", Bytes(1)),
    ("tcpi_snd_wscale", Bits(0, 4, false)),
    ("tcpi_rcv_wscale", Bits(4, 4, true)),
    ("tcpi_delivery_rate_app_limited", Bits(0, 1, false)),
    ("tcpi_fastopen_client_fail", Bits(1, 2, true)),
    ("tcpi_rto", Bytes(4)),
    ("tcpi_ato", Bytes(4)),
    ("tcpi_snd_mss", Bytes(4)),
    ("tcpi_rcv_mss", Bytes(4)),
    ("tcpi_unacked", Bytes(4)),
    ("tcpi_sacked", Bytes(4)),
    ("tcpi_lost", Bytes(4)),
    ("tcpi_retrans", Bytes(4)),
    ("tcpi_fackets", Bytes(4)),
    ("tcpi_last_data_sent", Bytes(4)),
    ("tcpi_last_ack_sent", Bytes(4)),
    ("tcpi_last_data_recv", Bytes(4)),
    ("tcpi_last_ack_recv", Bytes(4)),
    ("tcpi_pmtu", Bytes(4)),
    ("tcpi_rcv_ssthresh", Bytes(4)),
    ("tcpi_rtt", Bytes(4)),
    ("tcpi_rttvar", Bytes(4)),
    ("tcpi_snd_ssthresh", Bytes(4)),
    ("tcpi_snd_cwnd", Bytes(4)),
    ("tcpi_advmss", Bytes(4)),
    ("tcpi_reordering", Bytes(4)),
    ("tcpi_rcv_rtt", Bytes(4)),
    ("tcpi_rcv_space", Bytes(4)),
    ("tcpi_total_retrans", Bytes(4)),
    ("tcpi_pacing_rate", Bytes(8)),
    ("tcpi_max_pacing_rate", Bytes(8)),
    ("tcpi_bytes_acked", Bytes(8)),
    ("tcpi_bytes_received", Bytes(8)),
    ("tcpi_segs_out", Bytes(4)),
    ("tcpi_segs_in", Bytes(4)),
    ("tcpi_notsent_bytes", Bytes(4)),
    ("tcpi_min_rtt", Bytes(4)),
    ("tcpi_data_segs_in", Bytes(4)),
    ("tcpi_data_segs_out", Bytes(4)),
    ("tcpi_delivery_rate", Bytes(8)),
    ("tcpi_busy_time", Bytes(8)),
    ("tcpi_rwnd_limited", Bytes(8)),
    ("tcpi_sndbuf_limited", Bytes(8)),
    ("tcpi_delivered", Bytes(4)),
    ("tcpi_delivered_ce", Bytes(4)),
    ("tcpi_bytes_sent", Bytes(8)),
    ("tcpi_bytes_retrans", Bytes(8)),
    ("tcpi_dsack_dups", Bytes(4)),
    ("tcpi_reord_seen", Bytes(4)),
    ("tcpi_rcv_ooopack", Bytes(4)),
    ("tcpi_snd_wnd", Bytes(4)),
    ("tcpi_rcv_wnd", Bytes(4)),
    ("tcpi_rehash", Bytes(4)),
    ("tcpi_total_rto", Bytes(2)),
    ("tcpi_total_rto_recoveries", Bytes(2)),
    ("tcpi_total_rto_time", Bytes(4)),
    ("tcpi_received_ce", Bytes(4)),
    ("tcpi_delivered_e1_bytes", Bytes(4)),
    ("tcpi_delivered_e0_bytes", Bytes(4)),
    ("tcpi_delivered_ce_bytes", Bytes(4)),
    ("tcpi_received_e1_bytes", Bytes(4)),
    ("tcpi_received_e0_bytes", Bytes(4)),
    ("tcpi_received_ce_bytes", Bytes(4)),
    ("tcpi_accecn_fail_mode", Bytes(2)),
    ("tcpi_accecn_opt_seen", Bytes(2)),
];

/// Every field in the structure's order.
pub fn tcp_info_fields(info: &TcpInfo) -> Vec<(&'static str, u64)> {
    let bytes = super::info::tcp_info(info);
    let mut rest = bytes.as_slice();
    FIELDS
        .iter()
        .map(|&(name, width)| match width {
            Bytes(len) => {
                let (field, after) = rest.split_at(len.min(rest.len()));
                rest = after;
                (name, number(field))
            }
            Bits(low, len, last) => {
                let byte = rest.first().copied().unwrap_or_default();
                if last {
                    rest = rest.get(1..).unwrap_or_default();
                }
                (name, u64::from(byte >> low & ((1 << len) - 1)))
            }
        })
        .collect()
}

/// A field in the machine's order of bytes.
fn number(field: &[u8]) -> u64 {
    let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    if cfg!(target_endian = "little") { field.iter().rev().fold(0, fold) } else { field.iter().fold(0, fold) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cauce_core::time::Instant;

    /// The names cover the structure to its last byte, and each reads what its field holds.
    #[test]
    fn names_cover_the_structure() {
        let mut stack = crate::tools::test_stack();
        let id = stack.open(cauce_core::socket::Family::V4).unwrap();
        let mut info = stack.socket(id).tcp_info(Instant::ZERO).unwrap();
        (info.snd_wscale, info.rcv_wscale, info.fastopen_client_fail) = (7, 10, 2);
        (info.rto, info.snd_cwnd, info.pacing_rate, info.rcv_wnd) = (200, 10, 1 << 40, 8);
        (info.total_rto, info.accecn_opt_seen) = (3, 5);
        let fields = tcp_info_fields(&info);
        let value = |name: &str| fields.iter().find(|(field, _)| *field == name).map(|(_, value)| *value);
        for (name, expected) in [
            ("tcpi_snd_wscale", 7),
            ("tcpi_rcv_wscale", 10),
            ("tcpi_fastopen_client_fail", 2),
            ("tcpi_rto", 200),
            ("tcpi_snd_cwnd", 10),
            ("tcpi_pacing_rate", 1 << 40),
            ("tcpi_rcv_wnd", 8),
            ("tcpi_total_rto", 3),
            ("tcpi_accecn_opt_seen", 5),
        ] {
            assert_eq!(value(name), Some(expected), "{name}");
        }
        let wide: usize = FIELDS.iter().map(|(_, width)| if let Bytes(len) = width { *len } else { 0 }).sum();
        assert_eq!(wide + 2, super::super::info::tcp_info(&info).len());
    }
}
