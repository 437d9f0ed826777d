//! How a connection comes into being: by an active open, or out of a half-open record
//! (RFC 9293 3.10.1, 3.10.7.3, 3.10.7.4; P-002, P-012, P-046, P-080).

use super::negotiated::Negotiated;
use super::path::Path;
use super::state::State;
use super::stats::Stats;
use super::timers::Timers;
use super::timestamps::Timestamps;
use super::{Connection, SendVariables, env_of, flag, pending};
use crate::addr::FlowKey;
use crate::congestion::Algorithm;
use crate::congestion::window::Congestion;
use crate::context::Context;
use crate::listen::syn_queue::{HalfOpen, HalfOpenFlags};
use crate::receive::{InitialWindow, Receiver, ReceiverConfig, WindowRequest, initial_window};
use crate::recovery::Recovery;
use crate::send::write_queue::WriteQueue;
use crate::socket::SocketId;
use crate::socket::options::{SocketOptions, flag as option};
use crate::socket::readiness::Readiness;
use crate::stack::PortHold;
use crate::stack::reset::ECN_MASK;
use crate::sysctl::Sysctls;
use crate::time::Instant;

/// What the stack has decided before a connection exists.
pub(crate) struct Setup {
    pub(crate) id: SocketId,
    pub(crate) key: FlowKey,
    pub(crate) path: Path,
    pub(crate) hold: PortHold,
    pub(crate) options: SocketOptions,
    pub(crate) v6_socket: bool,
    /// The offset of our SYN.
    pub(crate) iss: u64,
    pub(crate) ts_offset: u32,
    pub(crate) algorithm: Algorithm,
}

/// What a packet of the greatest length carries over IPv4, and less than one does over IPv6.
const LARGEST_MSS: u16 = 65_495;

/// The MSS that a SYN announces: what the interface carries, less fixed headers (RFC 6691), or what the
/// user or the route asks for.
pub(crate) fn advertised_mss(path: &Path, options: &SocketOptions, sysctl: &Sysctls) -> u16 {
    options.at_most_asked(mss_of_path(path, sysctl))
}

/// The largest MSS for this path: `route.min_adv_mss` of its version at least, unless the route asks for less (S-63).
pub(crate) fn mss_of_path(path: &Path, sysctl: &Sysctls) -> u16 {
    let fits = path.mtu.saturating_sub(path.network_header() + 20).max(1);
    match path.advmss {
        0 => {
            let least = if path.v4 { sysctl.route_min_adv_mss } else { sysctl.ipv6_route_min_adv_mss };
            fits.max(u16::try_from(least).unwrap_or(u16::MAX).min(LARGEST_MSS))
        }
        asked => fits.min(asked),
    }
}

/// The largest window without scaling.
const LARGEST_UNSCALED: u32 = 65_535;

/// The window and the scale of our SYN or SYN,ACK.
pub(crate) fn opening_window(
    options: &SocketOptions,
    path: &Path,
    mss: u16,
    scaling: bool,
    sysctl: &Sysctls,
) -> InitialWindow {
    let request = WindowRequest {
        rcvbuf: options.recv_buffer,
        rcvbuf_locked: options.has(option::RCVBUF_LOCK),
        clamp: options.window_clamp,
        mss,
        scaling,
        initrwnd: u32::from(path.initrwnd),
    };
    initial_window(&request, sysctl)
}

impl Connection {
    /// CLOSED to SYN-SENT: the SYN is asked for.
    pub(crate) fn active(setup: Setup, cx: &mut Context<'_>) -> Connection {
        let mss = advertised_mss(&setup.path, &setup.options, cx.sysctl);
        let scaling = cx.sysctl.tcp_window_scaling != 0;
        let window = opening_window(&setup.options, &setup.path, mss, scaling, cx.sysctl);
        let negotiated = Negotiated::offer(&setup.key, mss, window.scale, cx.sysctl);
        let mut conn = Connection::build_block(setup, negotiated, 1 << 32, window, cx);
        conn.state = State::SynSent;
        conn.set(flag::ACTIVE);
        conn.ask_for_ecn(cx.sysctl);
        conn.begin_path_probing(cx);
        conn.stalled_since = cx.now;
        conn.want(pending::SYN);
        conn
    }

    /// A half-open record whose handshake ends becomes a connection in SYN-RECEIVED; the segment that ends
    /// it is processed next, and echoes `echo` of our timestamps.
    pub(crate) fn passive(
        setup: Setup,
        record: &HalfOpen,
        echo: Option<u32>,
        cx: &mut Context<'_>,
    ) -> Connection {
        let mut conn = Connection::from_record(setup, record, cx);
        conn.sample_syn_ack(record, echo, cx);
        conn.recovery.handshake_retransmitted(record.retransmits);
        if record.timeouts > 0 {
            conn.recovery.handshake_timed_out(record.timeouts, cx.now.since(record.first_sent));
            // They were of the record, which has no socket whose way could have changed.
            conn.rare_mut().not_rehashed = record.timeouts.into();
        }
        // More than one SYN,ACK was lost, unless the echo answers the first (RFC 5681 3.1, RFC 6298 5.7).
        let late = conn.negotiated.timestamps && echo == Some(conn.ts.now(record.first_sent));
        if record.retransmits > 1 && record.timeouts > 0 && !late {
            conn.cong.set_initial_window(1);
        }
        conn
    }

    /// A connection in SYN-RECEIVED with everything that its two SYNs have agreed upon.
    pub(crate) fn from_record(setup: Setup, record: &HalfOpen, cx: &mut Context<'_>) -> Connection {
        let scaling = record.flags.contains(HalfOpenFlags::WINDOW_SCALE);
        let timestamps = record.flags.contains(HalfOpenFlags::TIMESTAMPS);
        let negotiated = Negotiated {
            window_scaling: scaling,
            timestamps,
            sack: record.flags.contains(HalfOpenFlags::SACK),
            rcv_scale: record.rcv_wscale,
            snd_scale: record.snd_wscale,
            peer_mss: record.peer_mss,
            advertised_mss: record.advertised_mss,
        };
        let irs = (1u64 << 32) + u64::from(record.irs);
        let mss = record.advertised_mss;
        let opening = opening_window(&setup.options, &setup.path, mss, scaling, cx.sysctl);
        let window = InitialWindow { window: record.rcv_wnd, scale: record.rcv_wscale, ..opening };
        let mut conn = Connection::build_block(setup, negotiated, irs, window, cx);
        conn.state = State::SynReceived;
        // The SYN came before there was a connection to count it.
        conn.stats.segs_in = 1;
        conn.options.set_traffic_class(conn.key.is_v4(), record.tos & !ECN_MASK);
        if timestamps {
            conn.ts.store(record.ts_recent, cx.now);
        }
        conn.adopt_ecn(record, cx.sysctl);
        conn.snd.nxt = conn.snd.iss() + 1;
        if !conn.key.is_v4() {
            conn.ip_id = record.flow_seed;
        }
        conn.sync_mss(cx);
        conn
    }

    /// The SYN,ACK left before the connection existed; its acknowledgement is the first RTT sample. If it had to be
    /// repeated, only `echo` tells which one was acknowledged (Karn, RFC 7323 4), and if it was a cookie, when it left.
    pub(crate) fn sample_syn_ack(&mut self, record: &HalfOpen, echo: Option<u32>, cx: &mut Context<'_>) {
        let since_first = cx.now.micros_since(record.first_sent).clamp(1, u64::from(u32::MAX)) as u32;
        let echo = echo.filter(|echo| self.negotiated.timestamps && *echo != 0);
        let by_echo = echo.map(|echo| self.ts.now(cx.now).wrapping_sub(echo).max(1).saturating_mul(1000));
        let known = record.retransmits == 0 && !record.flags.contains(HalfOpenFlags::COOKIE);
        let sample = if known { Some(since_first) } else { by_echo };
        let nxt = self.snd.nxt;
        let env = self.env(cx);
        self.recovery.on_established(sample, nxt, nxt, &env);
    }

    fn build_block(
        mut setup: Setup,
        negotiated: Negotiated,
        irs: u64,
        window: InitialWindow,
        cx: &mut Context<'_>,
    ) -> Connection {
        let iss = setup.iss;
        let delays_acks = setup.options.take_delayed_acks();
        let initial = setup.path.initial_window(cx.sysctl);
        let config = Self::receiver_config_of(&setup.options, &negotiated, window, cx.sysctl);
        let mut recovery = Recovery::new(&env_of(&setup.path, &setup.options, cx).settings);
        recovery.set_sack(negotiated.sack);
        let mut cong = Congestion::new(initial, setup.algorithm, cx.now);
        cong.set_max_pacing_rate(setup.options.max_pacing_rate());
        let mut conn = Connection {
            id: setup.id,
            key: setup.key,
            state: State::Closed,
            pending: 0,
            flags: if setup.v6_socket { flag::V6_SOCKET } else { 0 },
            news: Readiness::NONE,
            error: None,
            soft_error: None,
            mss: 0,
            ip_id: cx.rng.next_u64() as u16,
            hold: setup.hold,
            keepalive_probes: 0,
            window_probes: 0,
            persist_backoff: 0,
            negotiated,
            snd: SendVariables::new(iss, irs),
            rare: None,
            ts: Timestamps::new(setup.ts_offset),
            last_oow_ack: 0,
            stalled_since: cx.now,
            paced_at: Instant::ZERO,
            irs: irs as u32,
            path: setup.path,
            write: WriteQueue::new(iss + 1),
            recv: Receiver::new(irs, &config, cx),
            recovery,
            cong,
            timers: Timers::new(),
            stats: Stats::new(cx.now),
            options: setup.options,
            charged: 0,
        };
        if delays_acks {
            conn.recv.enter_pingpong();
        }
        conn.sync_mss(cx);
        conn
    }

    /// The receiver of a connection whose peer's SYN has just told what he can do. The window and the scale are those
    /// that our SYN has offered, whatever buffer or settings have become since (RFC 7323 2.2).
    pub(crate) fn new_receiver(&self, irs: u64, cx: &mut Context<'_>) -> Receiver {
        let scale = self.negotiated.rcv_scale;
        let mss = self.negotiated.advertised_mss;
        let now =
            opening_window(&self.options, &self.path, mss, cx.sysctl.tcp_window_scaling != 0, cx.sysctl);
        let clamp = now.clamp.min(LARGEST_UNSCALED << scale);
        // The header of a SYN cannot say more than this, but the route may have asked for more.
        let offered = match self.recv.offered() {
            LARGEST_UNSCALED => now.window.max(LARGEST_UNSCALED),
            offered => offered,
        };
        let window = InitialWindow { window: offered, scale, clamp };
        let config = Self::receiver_config_of(&self.options, &self.negotiated, window, cx.sysctl);
        Receiver::new(irs, &config, cx)
    }

    fn receiver_config_of(
        options: &SocketOptions,
        negotiated: &Negotiated,
        window: InitialWindow,
        sysctl: &Sysctls,
    ) -> ReceiverConfig {
        ReceiverConfig {
            rcvbuf: options.recv_buffer,
            rcvbuf_locked: options.has(option::RCVBUF_LOCK),
            user_clamp: options.window_clamp,
            initial: window,
            mss: negotiated.advertised_mss.saturating_sub(negotiated.option_space()),
            peer_mss: negotiated.peer_mss,
            timestamps: negotiated.timestamps,
            sack: negotiated.sack,
            low_water: options.recv_lowat,
            adv_win_scale: sysctl.cauce_profile.splits_buffer(),
        }
    }
}
