//! The engine's picture of a connection under the names of `struct tcp_info`.

use cauce_core::socket::tcp_info::TcpInfo;

use crate::target::Sample;

/// Pairs of a name and a value, the name with its prefix.
macro_rules! named {
    ($info:expr, $($field:ident),* $(,)?) => {
        vec![$((concat!("tcpi_", stringify!($field)).to_owned(), i128::from($info.$field))),*]
    };
}

/// All fields.
pub(super) fn named(info: &TcpInfo) -> Sample {
    let mut values = named![
        info,
        retransmits,
        probes,
        backoff,
        options,
        snd_wscale,
        rcv_wscale,
        rto,
        ato,
        snd_mss,
        rcv_mss,
        unacked,
        sacked,
        lost,
        retrans,
        last_data_sent,
        last_data_recv,
        last_ack_recv,
        pmtu,
        rcv_ssthresh,
        rtt,
        rttvar,
        snd_ssthresh,
        snd_cwnd,
        advmss,
        reordering,
        rcv_rtt,
        rcv_space,
        total_retrans,
        pacing_rate,
        max_pacing_rate,
        bytes_acked,
        bytes_received,
        segs_out,
        segs_in,
        notsent_bytes,
        min_rtt,
        data_segs_in,
        data_segs_out,
        delivery_rate,
        busy_time,
        rwnd_limited,
        sndbuf_limited,
        delivered,
        bytes_sent,
        bytes_retrans,
        dsack_dups,
        reord_seen,
        rcv_ooopack,
        snd_wnd,
        rcv_wnd,
    ];
    values.push(("tcpi_state".to_owned(), info.state as i128));
    values.push(("tcpi_ca_state".to_owned(), info.ca_state as i128));
    values
}
