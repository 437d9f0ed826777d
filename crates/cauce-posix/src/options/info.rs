//! The structures that TCP_INFO and TCP_CC_INFO fill, byte for byte as Linux 6.18 lays them out.

use cauce_core::congestion::CcInfo;
use cauce_core::socket::tcp_info::TcpInfo;

/// A structure that grows field by field.
#[derive(Default)]
struct Layout(Vec<u8>);

impl Layout {
    fn byte(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    fn half(mut self, value: u16) -> Self {
        self.0.extend(value.to_ne_bytes());
        self
    }

    fn word(mut self, value: u32) -> Self {
        self.0.extend(value.to_ne_bytes());
        self
    }

    fn long(mut self, value: u64) -> Self {
        self.0.extend(value.to_ne_bytes());
        self
    }
}

/// `struct tcp_info`.
///
/// Fields of mechanisms that the engine does not have yet are 0, as on a connection that never used them.
pub(crate) fn tcp_info(info: &TcpInfo) -> Vec<u8> {
    Layout::default()
        .byte(info.state as u8)
        .byte(info.ca_state as u8)
        .byte(info.retransmits)
        .byte(info.probes)
        .byte(info.backoff)
        .byte(info.options)
        .byte(info.snd_wscale & 15 | info.rcv_wscale << 4)
        .byte(u8::from(info.delivery_rate_app_limited) | info.fastopen_client_fail << 1)
        .word(info.rto)
        .word(info.ato)
        .word(info.snd_mss)
        .word(info.rcv_mss)
        .word(info.unacked)
        .word(info.sacked)
        .word(info.lost)
        .word(info.retrans)
        .word(info.fackets)
        .word(info.last_data_sent)
        .word(0)
        .word(info.last_data_recv)
        .word(info.last_ack_recv)
        .word(info.pmtu)
        .word(info.rcv_ssthresh)
        .word(info.rtt)
        .word(info.rttvar)
        .word(info.snd_ssthresh)
        .word(info.snd_cwnd)
        .word(info.advmss)
        .word(info.reordering)
        .word(info.rcv_rtt)
        .word(info.rcv_space)
        .word(info.total_retrans)
        .long(info.pacing_rate)
        .long(info.max_pacing_rate)
        .long(info.bytes_acked)
        .long(info.bytes_received)
        .word(info.segs_out)
        .word(info.segs_in)
        .word(info.notsent_bytes)
        .word(info.min_rtt)
        .word(info.data_segs_in)
        .word(info.data_segs_out)
        .long(info.delivery_rate)
        .long(info.busy_time)
        .long(info.rwnd_limited)
        .long(info.sndbuf_limited)
        .word(info.delivered)
        .word(info.delivered_ce)
        .long(info.bytes_sent)
        .long(info.bytes_retrans)
        .word(info.dsack_dups)
        .word(info.reord_seen)
        .word(info.rcv_ooopack)
        .word(info.snd_wnd)
        .word(info.rcv_wnd)
        .word(info.rehash)
        .half(info.total_rto)
        .half(info.total_rto_recoveries)
        .word(info.total_rto_time)
        .word(info.received_ce)
        .word(info.delivered_e1_bytes)
        .word(info.delivered_e0_bytes)
        .word(info.delivered_ce_bytes)
        .word(info.received_e1_bytes)
        .word(info.received_e0_bytes)
        .word(info.received_ce_bytes)
        .half(info.accecn_fail_mode)
        .half(info.accecn_opt_seen)
        .0
}

/// `union tcp_cc_info`: the member of the algorithm.
pub(crate) fn cc_info(info: &CcInfo) -> Vec<u8> {
    let layout = Layout::default();
    match *info {
        CcInfo::Vegas { enabled, rttcnt, rtt_us, min_rtt_us } => {
            layout.word(u32::from(enabled)).word(rttcnt).word(rtt_us).word(min_rtt_us)
        }
        CcInfo::Dctcp { enabled, ce_state, alpha, ab_ecn, ab_tot } => {
            layout.half(enabled.into()).half(ce_state.into()).word(alpha).word(ab_ecn).word(ab_tot)
        }
        CcInfo::Bbr { bw, min_rtt_us, pacing_gain, cwnd_gain } => {
            layout.word(bw as u32).word((bw >> 32) as u32).word(min_rtt_us).word(pacing_gain).word(cwnd_gain)
        }
    }
    .0
}

#[cfg(test)]
mod tests {
    use super::*;
    use cauce_core::socket::Family;
    use cauce_core::stack::Stack;
    use cauce_core::sysctl::Sysctls;
    use cauce_core::time::Instant;

    /// The structure's size, and fields at the places that Linux documents for it.
    #[test]
    fn fields_stand_where_linux_has_them() {
        let mut n = 0u64;
        let rng = move || {
            n += 1;
            n
        };
        let mut stack = Stack::new(Sysctls::default(), Box::new(rng));
        let id = stack.open(Family::V4).unwrap();
        let mut info = stack.socket(id).tcp_info(Instant::ZERO).unwrap();
        (info.rto, info.snd_cwnd, info.pacing_rate, info.delivered, info.rcv_wnd) = (200, 10, 7, 9, 8);
        let bytes = tcp_info(&info);
        let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(bytes.len(), 280);
        assert_eq!((word(8), word(80), word(104), word(192), word(232)), (200, 10, 7, 9, 8));
    }
}
