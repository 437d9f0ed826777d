//! What differs on purpose, or cannot be the same.

/// Figures that are not compared, and why.
#[derive(Debug)]
pub struct Exception {
    /// Words of the paths of the scripts; none for all.
    pub scripts: &'static [&'static str],
    /// The figures; a `*` at the end stands for any rest.
    pub figures: &'static [&'static str],
    pub why: &'static str,
}

/// All of them.
pub const ALL: &[Exception] = &[
    Exception {
        scripts: &[],
        figures: &["IpForwarding", "IpDefaultTTL", "TcpRtoAlgorithm", "TcpRtoMin", "TcpRtoMax", "TcpMaxConn"],
        why: "settings and no counters; nstat does not show them",
    },
    Exception {
        scripts: &[],
        figures: &["IcmpMsg*", "Icmp6InType*", "Icmp6OutType*"],
        why: "repeat by number what InDestUnreachs and its like count by name",
    },
    Exception {
        scripts: &[],
        figures: &["Icmp6Out*", "Ip6OutMcast*", "Ip6OutOctets"],
        why: "the kernel looks for routers on the script's device by itself",
    },
    Exception {
        scripts: &[],
        figures: &["TcpExtTCPSackShifted", "TcpExtTCPSackMerged", "TcpExtTCPSackShiftFallback"],
        why: "they count how the kernel moves its buffers when a SACK arrives; ours are never moved",
    },
    Exception {
        scripts: &["options/so_bindtodevice_moved", "options/dontroute_open"],
        figures: &["*"],
        why: "what has no way counts as sent and lost; the kernel keeps it unsent, or sends it to the loopback",
    },
    Exception {
        scripts: &["timers/all_four_shown"],
        figures: &["tcpi_backoff"],
        why: "commands of the script take time on the kernel and none in virtual time",
    },
    Exception {
        scripts: &["api/self_connect"],
        figures: &["*"],
        why: "a connection to itself: the kernel sends one ACK more before it settles",
    },
    Exception {
        scripts: &["fast_open/client_nothing_written"],
        figures: &["TcpExtTCPOrigDataSent", "TcpExtTCPDelivered", "tcpi_delivered"],
        why: "a SYN with a cookie and without data takes an empty buffer of data along on the kernel",
    },
    Exception {
        scripts: &["fast_open/client_answer_with_data"],
        figures: &["tcpi_data_segs_in"],
        why: "the kernel counts the text of a SYN,ACK twice",
    },
    Exception {
        scripts: &["fast_open/client_simultaneous_unacked"],
        figures: &["TcpExtTCPSpuriousRTOs", "tcpi_busy_time"],
        why: "both sides time out in SYN-RECEIVED; the kernel's F-RTO does not look at that",
    },
    Exception {
        scripts: &["fast_open/client_refused"],
        figures: &["tcpi_busy_time"],
        why: "the kernel's clock runs on after the reset of a SYN that carried data",
    },
    Exception {
        scripts: &["fast_open/server_"],
        figures: &["tcpi_delivery_rate*", "tcpi_rcv_space", "tcpi_rcv_ssthresh"],
        why: "before the handshake is over the kernel has stamped no time of delivery and not taken the timestamps off",
    },
    Exception {
        scripts: &["fast_open/client_path_mtu", "fast_open/client_syn_lost"],
        figures: &["tcpi_advmss", "tcpi_rcv_space", "tcpi_rcv_ssthresh", "tcpi_delivery_rate_app_limited"],
        why: "what a retransmitted SYN tells of the path is kept by the kernel for what it announces",
    },
    Exception {
        scripts: &[
            "api/info_receiver",
            "api/tcp_info",
            "close/unread_then_reset",
            "open/simultaneous_data",
            "receive/delayed_ack",
            "receive/delack_second_segment",
            "receive/full_buffer_has_room_behind",
            "receive/two_full_segments",
            "receive/window_small_segments",
            "recovery/no_dup_after_data",
            "sysctl/route_quickack",
        ],
        figures: &["TcpExtTCPHPHits", "tcpi_last_ack_recv"],
        why: "whether the fast path has memory at hand depends on the pages that the kernel holds for what it sends, too",
    },
    Exception {
        scripts: &["api/info_receiver", "ecn/tos", "recovery/loss_repairs_on_data"],
        figures: &["TcpExtTCPHPAcks"],
        why: "the kernel leaves its prediction switched off until the next data arrives",
    },
    Exception {
        scripts: &["ecn/cookie", "open/syn_cookie", "sysctl/tcp_syncookies"],
        figures: &["tcpi_rto", "tcpi_rtt*", "tcpi_min_rtt", "tcpi_rcv_wnd", "tcpi_pacing_rate"],
        why: "a connection of a SYN cookie (S-46) takes the time of its handshake for a round trip",
    },
    Exception {
        scripts: &["options/ip_mtu_discover_dont"],
        figures: &["tcpi_pmtu", "tcpi_snd_mss", "tcpi_delivery_rate"],
        why: "with IP_PMTUDISC_DONT the kernel still learns what it does not use at once (O-54)",
    },
    Exception {
        scripts: &[
            "options/so_rcvbufforce",
            "receive/dsack_two_overlaps",
            "receive/window_clamp",
            "receive/window_unscaled_full",
            "receive/zero_window_fin",
            "sysctl/tcp_abort_on_overflow_cookie",
            "sysctl/tcp_shrink_window",
            "sysctl/tcp_tw_reuse",
            "sysctl/tcp_workaround_signed_windows",
        ],
        figures: &["tcpi_rcv_ssthresh", "tcpi_rcv_wnd"],
        why: "the kernel keeps a larger window than the one that its last segment could tell",
    },
    Exception {
        scripts: &["api/refused", "api/connect_after_shutdown"],
        figures: &["tcpi_rcv_mss"],
        why: "the kernel learns from a SYN,ACK that it refuses, and keeps what a connection before had learned",
    },
    Exception {
        scripts: &["options/so_bindtodevice_loopback_self", "options/so_bindtodevice_own_address"],
        figures: &["tcpi_snd_mss"],
        why: "half of a window of 65,535 bytes is rounded differently before any timestamps are agreed upon",
    },
    Exception {
        scripts: &["recovery/newreno"],
        figures: &["tcpi_delivery_rate*"],
        why: "without SACK nobody knows which segments were delivered: the two guess differently",
    },
    Exception {
        scripts: &["send/window_taken_back"],
        figures: &["tcpi_backoff"],
        why: "the kernel keeps the back-off of a window that has opened again",
    },
    Exception {
        scripts: &["send/buffer_full_blocking"],
        figures: &["tcpi_sndbuf_limited"],
        why: "the kernel's writer was woken in time to keep the buffer from being the limit",
    },
    Exception {
        scripts: &["sysctl/tcp_comp_sack_"],
        figures: &["tcpi_delivery_rate", "tcpi_pacing_rate"],
        why: "rates of a moment that is as long as the machine needs",
    },
];

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

/// True when `figure` is not compared in the script at `path`.
pub fn excuse(path: &str, figure: &str) -> bool {
    ALL.iter().any(|exception| {
        let there = exception.scripts.is_empty() || exception.scripts.iter().any(|word| path.contains(word));
        there && exception.figures.iter().any(|pattern| matches(pattern, figure))
    })
}
