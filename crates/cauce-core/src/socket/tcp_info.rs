//! The state of a connection as TCP_INFO shows it (O-04, O-17; RFC 9293's STATUS call).
//!
//! Field names, units and meanings are those of Linux's `struct tcp_info`; here they are values of Rust. The
//! byte layout belongs to the descriptor faces.

use crate::congestion::INFINITE_SSTHRESH;
use crate::connection::ecn::{Mode, Received};
use crate::connection::state::State;
use crate::connection::{Connection, FIRST_OFFSET, flag};
use crate::recovery::phase::Phase;
use crate::socket::options::SocketOptions;
use crate::sysctl::Sysctls;
use crate::time::Instant;

/// What `rcv_mss` begins with (Linux: `TCP_MIN_MSS`).
const SMALLEST_MSS: u32 = 88;

/// What Linux begins with before a connection knows better.
const INITIAL_CWND: u32 = 10;
const INITIAL_VARIATION_US: u32 = 250_000;
const FIRST_MSS: u32 = 536;

/// A picture of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// The state.
    pub state: State,
    /// The phase of loss recovery.
    pub ca_state: Phase,
    /// Retransmission time-outs in a row.
    pub retransmits: u8,
    /// Unanswered window or keepalive probes.
    pub probes: u8,
    /// How often the RTO has been doubled.
    pub backoff: u8,
    /// 1 timestamps, 2 SACK, 4 window scaling, 8 ECN, 16 something ECN-capable has arrived, 32 the data of the SYN was
    /// taken (Fast Open), 128 a SYN opened the connection (Fast Open, passive).
    pub options: u8,
    /// Shift of the peer's windows.
    pub snd_wscale: u8,
    /// Shift of our windows.
    pub rcv_wscale: u8,
    /// Retransmission time-out in microseconds.
    pub rto: u32,
    /// Delayed-ACK time-out in microseconds.
    pub ato: u32,
    /// Payload bytes of a full segment that we send.
    pub snd_mss: u32,
    /// Estimated payload bytes of the peer's full segments.
    pub rcv_mss: u32,
    /// Segments outstanding; on a listener, connections that wait for accept.
    pub unacked: u32,
    /// Segments SACKed; on a listener, the backlog.
    pub sacked: u32,
    /// Segments marked lost.
    pub lost: u32,
    /// Retransmitted segments outstanding.
    pub retrans: u32,
    /// Segments below the highest SACK, where `tcp_fack` is set (S-17); 0 otherwise, as on Linux.
    pub fackets: u32,
    /// Milliseconds since data was last sent.
    pub last_data_sent: u32,
    /// Milliseconds since data last arrived.
    pub last_data_recv: u32,
    /// Milliseconds since an ACK last arrived.
    pub last_ack_recv: u32,
    /// Path MTU in bytes.
    pub pmtu: u32,
    /// Current limit of the offered window in bytes.
    pub rcv_ssthresh: u32,
    /// Smoothed RTT in microseconds.
    pub rtt: u32,
    /// RTT variation in microseconds.
    pub rttvar: u32,
    /// Slow-start threshold in segments.
    pub snd_ssthresh: u32,
    /// Congestion window in segments.
    pub snd_cwnd: u32,
    /// The MSS that we advertised, less options.
    pub advmss: u32,
    /// Reordering metric in segments.
    pub reordering: u32,
    /// RTT as the receiver measures it, in microseconds.
    pub rcv_rtt: u32,
    /// Bytes that the application read in the last receive RTT.
    pub rcv_space: u32,
    /// Segments sent again since the connection began.
    pub total_retrans: u32,
    /// Pacing rate in bytes per second.
    pub pacing_rate: u64,
    /// SO_MAX_PACING_RATE.
    pub max_pacing_rate: u64,
    /// Bytes acknowledged; a FIN counts, and the SYN of an active open.
    pub bytes_acked: u64,
    /// Bytes received in order; a FIN counts.
    pub bytes_received: u64,
    /// Segments sent.
    pub segs_out: u32,
    /// Segments received.
    pub segs_in: u32,
    /// Bytes written and not sent yet.
    pub notsent_bytes: u32,
    /// Windowed minimum RTT in microseconds, `u32::MAX` before the first sample.
    pub min_rtt: u32,
    /// Segments with data received.
    pub data_segs_in: u32,
    /// Segments with data sent.
    pub data_segs_out: u32,
    /// Delivery rate in bytes per second.
    pub delivery_rate: u64,
    /// The application, not the network, limited that rate.
    pub delivery_rate_app_limited: bool,
    /// Microseconds with data outstanding.
    pub busy_time: u64,
    /// Of them, blocked by the peer's window.
    pub rwnd_limited: u64,
    /// Of them, short of send buffer.
    pub sndbuf_limited: u64,
    /// Segments delivered.
    pub delivered: u32,
    /// Of them, delivered with a congestion mark.
    pub delivered_ce: u32,
    /// Packets received with a congestion mark, those without text too.
    pub received_ce: u32,
    /// Bytes of text received with ECT(1), modulo 2^32 as the next two.
    pub received_e1_bytes: u32,
    /// Bytes of text received with ECT(0).
    pub received_e0_bytes: u32,
    /// Bytes of text received with a congestion mark.
    pub received_ce_bytes: u32,
    /// Bytes of ours delivered with ECT(1), as accurate ECN tells, modulo 2^32 as the next two.
    pub delivered_e1_bytes: u32,
    /// Bytes of ours delivered with ECT(0).
    pub delivered_e0_bytes: u32,
    /// Bytes of ours delivered with a congestion mark.
    pub delivered_ce_bytes: u32,
    /// What accurate ECN does not trust: 2 the peer's counter of packets, 4 that our option passes, 8 the peer's option.
    pub accecn_fail_mode: u16,
    /// What was seen of the peer's option: 1 one without counters, 2 counters, 3 erased counters.
    pub accecn_opt_seen: u16,
    /// Bytes sent, repetitions included.
    pub bytes_sent: u64,
    /// Bytes sent again.
    pub bytes_retrans: u64,
    /// D-SACKs received.
    pub dsack_dups: u32,
    /// Reordering events seen.
    pub reord_seen: u32,
    /// Segments received out of order.
    pub rcv_ooopack: u32,
    /// The peer's window in bytes.
    pub snd_wnd: u32,
    /// The window that we offer, in bytes.
    pub rcv_wnd: u32,
    /// How often a time-out made the connection try another path.
    pub rehash: u32,
    /// Retransmission time-outs.
    pub total_rto: u16,
    /// Recoveries that began with a time-out.
    pub total_rto_recoveries: u16,
    /// Milliseconds spent in them.
    pub total_rto_time: u32,
    /// Why Fast Open spared no round trip: 1 no cookie, 2 data not acknowledged, 3 the SYN was sent again.
    pub fastopen_client_fail: u8,
}

impl TcpInfo {
    /// A socket without a connection: what a connection would begin with.
    pub(crate) fn closed(options: &SocketOptions, sysctl: &Sysctls) -> Self {
        TcpInfo {
            rto: sysctl.tcp_rto_initial_ms.saturating_mul(1000),
            rttvar: INITIAL_VARIATION_US,
            min_rtt: u32::MAX,
            snd_mss: FIRST_MSS,
            snd_ssthresh: INFINITE_SSTHRESH,
            delivery_rate_app_limited: true,
            ..TcpInfo::unused(options, sysctl)
        }
    }

    pub(crate) fn of_listener(waiting: u32, backlog: u32, options: &SocketOptions, sysctl: &Sysctls) -> Self {
        TcpInfo {
            state: State::Listen,
            unacked: waiting,
            sacked: backlog,
            ..TcpInfo::unused(options, sysctl)
        }
    }

    /// What a listener shows, too.
    fn unused(options: &SocketOptions, sysctl: &Sysctls) -> Self {
        let rate = options.max_pacing_rate();
        TcpInfo {
            snd_cwnd: INITIAL_CWND,
            reordering: sysctl.reordering(),
            pacing_rate: rate,
            max_pacing_rate: rate,
            ..TcpInfo::default()
        }
    }

    pub(crate) fn of(conn: &Connection, now: Instant) -> Self {
        let millis = |at: Instant| now.since(at).as_millis().min(u128::from(u32::MAX)) as u32;
        let (busy_time, rwnd_limited, sndbuf_limited) = conn.stats.limited_times(now);
        let (agreed, ecn) = (&conn.negotiated, conn.ecn());
        let accurate = ecn.and_then(|ecn| ecn.accurate.as_deref());
        let delivered = accurate.map_or_else(Received::default, |accurate| accurate.delivered);
        let received = ecn.map_or_else(Received::default, |ecn| ecn.received);
        let first = conn.snd.iss() + 1;
        let (total_rto, total_rto_recoveries) = conn.recovery.rto_totals();
        let info = TcpInfo {
            state: conn.state,
            ca_state: conn.recovery.phase(),
            retransmits: conn.recovery.retransmits().max(conn.syn_ack_timeouts()),
            probes: conn.keepalive_probes.max(conn.window_probes),
            backoff: conn.recovery.backoff().max(conn.persist_backoff),
            options: u8::from(agreed.timestamps)
                | u8::from(agreed.sack) << 1
                | u8::from(agreed.window_scaling) << 2
                | u8::from(conn.syn_data_acked()) << 5
                | u8::from(conn.rare.as_ref().is_some_and(|rare| rare.opened_by_syn)) << 7
                | ecn.map_or(0, |ecn| u8::from(ecn.mode != Mode::Off) << 3 | u8::from(ecn.seen) << 4),
            snd_wscale: agreed.snd_scale,
            rcv_wscale: agreed.rcv_scale,
            rto: conn.recovery.rto().as_micros(),
            ato: conn.recv.ato_us().min(conn.options.delack_max_us()),
            snd_mss: u32::from(conn.mss),
            rcv_mss: conn.recv.rcv_mss(),
            unacked: conn.recovery.packets_out(),
            sacked: conn.recovery.sacked_out(),
            lost: conn.recovery.lost_out(),
            retrans: conn.recovery.retrans_out(),
            fackets: 0,
            last_data_sent: millis(conn.stats.last_data_sent),
            last_data_recv: millis(conn.stats.last_data_recv),
            last_ack_recv: millis(conn.stats.last_ack_recv),
            pmtu: u32::from(conn.path.mtu),
            rcv_ssthresh: conn.recv.rcv_ssthresh(),
            rtt: conn.recovery.srtt_us(),
            rttvar: conn.recovery.rttvar_us(),
            snd_ssthresh: conn.cong.ssthresh(),
            snd_cwnd: conn.cong.cwnd(),
            advmss: u32::from(agreed.advertised_mss.saturating_sub(agreed.option_space())),
            reordering: conn.recovery.reordering(),
            rcv_rtt: conn.recv.rtt_us(),
            rcv_space: conn.recv.rcv_space(),
            total_retrans: conn.recovery.total_retrans(),
            pacing_rate: conn.cong.pacing_rate(),
            max_pacing_rate: conn.cong.max_pacing_rate(),
            // As Linux counts: with the FIN, and with a SYN that a connection record has sent.
            bytes_acked: conn.snd.una.saturating_sub(first - u64::from(conn.has(flag::ACTIVE))),
            bytes_received: conn.recv.nxt().saturating_sub(FIRST_OFFSET + u64::from(conn.irs) + 1),
            segs_out: conn.stats.segs_out,
            segs_in: conn.stats.segs_in,
            notsent_bytes: conn.unsent().min(u64::from(u32::MAX)) as u32,
            min_rtt: conn.recovery.min_rtt_us(),
            data_segs_in: conn.stats.data_segs_in,
            data_segs_out: conn.stats.data_segs_out,
            delivery_rate: conn.cong.rate.delivery_rate(u32::from(conn.mss)),
            delivery_rate_app_limited: conn.cong.rate.delivery_rate_app_limited(),
            busy_time,
            rwnd_limited,
            sndbuf_limited,
            delivered: conn.cong.rate.delivered(),
            delivered_ce: ecn.map_or(0, |ecn| ecn.delivered_ce),
            received_ce: received.ce,
            received_e1_bytes: received.e1_bytes,
            received_e0_bytes: received.e0_bytes,
            received_ce_bytes: received.ce_bytes,
            delivered_e1_bytes: delivered.e1_bytes,
            delivered_e0_bytes: delivered.e0_bytes,
            delivered_ce_bytes: delivered.ce_bytes,
            accecn_fail_mode: accurate.map_or(0, |accurate| accurate.fail_mode),
            accecn_opt_seen: accurate.map_or(0, |accurate| accurate.seen as u16),
            bytes_sent: conn.snd.nxt.min(conn.write.end()).saturating_sub(first) + conn.stats.bytes_retrans,
            bytes_retrans: conn.stats.bytes_retrans,
            dsack_dups: conn.recovery.dsack_dups(),
            reord_seen: conn.recovery.reord_seen(),
            rcv_ooopack: conn.recv.out_of_order_segments(),
            snd_wnd: conn.snd.wnd,
            rcv_wnd: conn.recv.offered(),
            rehash: conn.rehashes(),
            total_rto,
            total_rto_recoveries,
            total_rto_time: conn.recovery.rto_time_ms(now),
            fastopen_client_fail: conn.fast_open_failure() as u8,
        };
        let unanswered = conn.has(flag::ACTIVE) && conn.snd.max_wnd == 0;
        if conn.state == State::SynSent || unanswered {
            info.before_agreement(agreed.advertised_mss)
        } else {
            info
        }
    }

    /// As long as the peer has not answered, nothing is agreed upon and nothing has been measured.
    fn before_agreement(self, advertised_mss: u16) -> Self {
        let (options, snd_wscale, rcv_wscale, rcv_space) = (0, 0, 0, 0);
        TcpInfo {
            options,
            snd_wscale,
            rcv_wscale,
            rcv_space,
            advmss: advertised_mss.into(),
            rcv_mss: SMALLEST_MSS,
            rcv_ssthresh: self.rcv_wnd,
            ..self
        }
    }
}
