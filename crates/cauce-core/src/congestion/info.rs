//! What TCP_CC_INFO reports: the values of the kernel's `union tcp_cc_info`, before they become bytes.

/// The state of an algorithm as TCP_CC_INFO shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CcInfo {
    /// Vegas and its kin (`struct tcpvegas_info`).
    Vegas {
        /// The algorithm is measuring.
        enabled: bool,
        /// RTT samples in this round.
        rttcnt: u32,
        /// In microseconds: Vegas' least RTT, Westwood's last.
        rtt_us: u32,
        /// In microseconds: Vegas' least RTT of the round, Westwood's least.
        min_rtt_us: u32,
    },
    /// DCTCP (`struct tcp_dctcp_info`).
    Dctcp {
        /// The peer and the path support ECN.
        enabled: bool,
        /// The last packet received carried CE.
        ce_state: bool,
        /// The fraction of marked segments, in 1/1024.
        alpha: u32,
        /// Bytes acknowledged with ECE in this round.
        ab_ecn: u32,
        /// Bytes acknowledged in this round.
        ab_tot: u32,
    },
    /// BBR (`struct tcp_bbr_info`).
    Bbr {
        /// Bandwidth in bytes per second.
        bw: u64,
        /// Minimum RTT in microseconds.
        min_rtt_us: u32,
        /// Pacing gain in 1/256.
        pacing_gain: u32,
        /// Window gain in 1/256.
        cwnd_gain: u32,
    },
}
