//! Socket options: what a user may change, the checks of each value, and what a child inherits
//! (REQUIREMENTS section 2).
//!
//! A socket stores only what it overrode; everything else is read from the sysctl table when it is used
//! (G-06). What an option *does* is decided where the value is read.

mod effective;
pub(crate) mod read;
mod store;

use crate::frame::DeviceId;
use crate::socket::Family;
use crate::socket::timestamping::Timestamping;
use crate::sysctl::{FastOpenKeys, Sysctls};
use crate::time::Duration;
use alloc::vec::Vec;

pub use read::{OptionName, OptionValue};

/// One option with its new value. Units stand beside each variant; defaults are Linux's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketOption {
    /// TCP_NODELAY (O-10).
    NoDelay(bool),
    /// TCP_CORK (O-02).
    Cork(bool),
    /// TCP_QUICKACK (O-11); not sticky.
    QuickAck(bool),
    /// TCP_QUICKACK with an even number but 0: what is owed is acknowledged now, and no more than that (O-11).
    QuickAckOnce,
    /// SO_KEEPALIVE (O-33).
    KeepAlive(bool),
    /// TCP_KEEPIDLE in seconds, 1 to 32767 (O-06).
    KeepIdle(u32),
    /// TCP_KEEPINTVL in seconds, 1 to 32767 (O-07).
    KeepInterval(u32),
    /// TCP_KEEPCNT, 1 to 127 (O-05).
    KeepCount(u32),
    /// TCP_USER_TIMEOUT in milliseconds, up to 2^31-1; 0 means the system's rules (O-13).
    UserTimeout(u32),
    /// SO_LINGER (O-35); `Some(0)` resets on close.
    Linger(Option<Duration>),
    /// TCP_LINGER2 in seconds: negative means no stay in FIN-WAIT-2, 0 the system's value (O-08).
    Linger2(i32),
    /// TCP_SYNCNT, 1 to 127 (O-12).
    SynCount(u32),
    /// TCP_MAXSEG in bytes, 88 to 32767, or 0 (O-09).
    MaxSegment(u32),
    /// TCP_WINDOW_CLAMP in bytes; 0, for none, only on a closed socket (O-14).
    WindowClamp(u32),
    /// SO_SNDBUF in bytes before doubling (O-30).
    SendBuffer(i32),
    /// SO_RCVBUF in bytes before doubling (O-31).
    RecvBuffer(i32),
    /// SO_SNDBUFFORCE: as SO_SNDBUF, without its limit. Whether the caller may is for the face to ask (O-32).
    SendBufferForce(i32),
    /// SO_RCVBUFFORCE: as SO_RCVBUF, without its limit (O-32).
    RecvBufferForce(i32),
    /// SO_REUSEADDR (O-36).
    ReuseAddr(bool),
    /// SO_REUSEPORT (O-37).
    ReusePort(bool),
    /// IPV6_V6ONLY; only before bind.
    V6Only(bool),
    /// IP_TTL, 1 to 255, or -1 for the system's value (O-52).
    Ttl(i32),
    /// IP_TTL and IPV6_UNICAST_HOPS at once, 1 to 255.
    HopLimit(i32),
    /// IPV6_UNICAST_HOPS, 0 to 255, or -1 for the system's value (O-57).
    UnicastHops(i32),
    /// IP_TOS; the ECN bits are cleared (O-51).
    Tos(i32),
    /// IPV6_TCLASS, 0 to 255, or -1 for none; the ECN bits are cleared (O-57).
    TrafficClass(i32),
    /// IP_MTU_DISCOVER, 0 to 5 (O-53).
    MtuDiscover(i32),
    /// IPV6_MTU_DISCOVER, 0 to 5 (O-57).
    MtuDiscover6(i32),
    /// IP_RECVERR (O-50).
    RecvErr(bool),
    /// IPV6_RECVERR (O-57).
    RecvErr6(bool),
    /// SO_OOBINLINE (O-34).
    OobInline(bool),
    /// SO_RCVLOWAT in bytes (O-39).
    RecvLowat(i32),
    /// TCP_NOTSENT_LOWAT in bytes (O-18).
    NotSentLowat(u32),
    /// IP_TRANSPARENT: bind to and accept for addresses that are not ours (O-56).
    Transparent(bool),
    /// IP_FREEBIND: bind to an address that is not ours yet (O-56).
    FreeBind(bool),
    /// TCP_DEFER_ACCEPT in seconds (O-03).
    DeferAccept(i32),
    /// SO_MAX_PACING_RATE in bytes per second; `u64::MAX` means none (O-44).
    MaxPacingRate(u64),
    /// SO_RCVTIMEO; zero means none (O-40).
    RecvTimeout(Duration),
    /// SO_SNDTIMEO; zero means none (O-40).
    SendTimeout(Duration),
    /// SO_PRIORITY: a number that goes out with each packet, for the device's scheduler (O-42). Whether the
    /// caller may exceed 6 is for the face to ask.
    Priority(i32),
    /// SO_MARK: a number that goes out with each packet (O-42).
    Mark(u32),
    /// SO_BINDTODEVICE: the only device that the socket speaks over; `None` for all (O-43).
    BindToDevice(Option<DeviceId>),
    /// SO_INCOMING_CPU: the queue whose connections a listener of a SO_REUSEPORT group prefers (O-44).
    IncomingCpu(i32),
    /// SO_ZEROCOPY, 0 or 1: MSG_ZEROCOPY counts and is answered by completion notices (O-44).
    ZeroCopy(i32),
    /// TCP_INQ, 0 or 1: reads tell how many bytes are left (O-22).
    Inq(i32),
    /// TCP_SAVE_SYN, 0 to 2: a listener keeps the headers of SYNs for TCP_SAVED_SYN (O-21).
    SaveSyn(i32),
    /// SO_TXREHASH: 0 or 1, or -1 for what `net.core.txrehash` says (O-44).
    TxRehash(i32),
    /// TCP_THIN_LINEAR_TIMEOUTS, 0 or 1 (O-20).
    ThinLinearTimeouts(i32),
    /// TCP_THIN_DUPACK, 0 or 1: accepted and ignored, as Linux does since 4.16; reads 0 (O-20).
    ThinDupAck(i32),
    /// TCP_RTO_MAX_MS: the cap of the time-out in milliseconds, 1000 to 120000, rounded up to a tick (O-24).
    RtoMax(i32),
    /// TCP_RTO_MIN_US: the least time-out in microseconds, more than a tick and at most 200 ms, rounded up to a tick.
    RtoMin(i32),
    /// TCP_DELACK_MAX_US: the longest delay of an acknowledgement in microseconds, more than a tick and at most 200 ms,
    /// rounded up to a tick.
    DelackMax(i32),
    /// IP_MINTTL, 0 to 255: segments with fewer hops left are dropped (O-55).
    MinTtl(i32),
    /// IPV6_MINHOPCOUNT, 0 to 255 (O-57).
    MinHopCount(i32),
    /// SO_BUF_LOCK: which buffers keep their size, bit 0 the send buffer, bit 1 the receive buffer.
    BufLock(i32),
    /// SO_DONTROUTE: only peers on the own link are reached (O-43).
    DontRoute(bool),
    /// IP_BIND_ADDRESS_NO_PORT: bind() to port 0 leaves the port to connect() (O-56).
    BindAddressNoPort(bool),
    /// IP_LOCAL_PORT_RANGE: the ports that are chosen for this socket, within those of the system; the low half is the
    /// lowest, the high half the highest, 0 for the system's (O-56).
    LocalPortRange(u32),
    /// SO_TIMESTAMPING: which moments of packets are reported.
    Timestamping(u32),
    /// SO_TIMESTAMP: reads tell when their newest byte arrived.
    ReceiveTimestamp(bool),
    /// SO_TIMESTAMPNS: the same with nanoseconds.
    ReceiveTimestampNanos(bool),
    /// SO_PEEK_OFF: where the next peek begins, -1 for always at the front.
    PeekOffset(i32),
    /// TCP_FASTOPEN: how many connections may wait for the end of their handshake after their SYN has brought data;
    /// 0 takes no data (O-15). Capped by `core.somaxconn`.
    FastOpen(i32),
    /// TCP_FASTOPEN_CONNECT, 0 or 1: connect() to a peer whose cookie is known waits for the first write (O-16).
    FastOpenConnect(i32),
    /// TCP_FASTOPEN_NO_COOKIE, 0 or 1: Fast Open without cookies, on either side (O-19).
    FastOpenNoCookie(i32),
    /// TCP_FASTOPEN_KEY: the keys of this listener's cookies, instead of the system's (O-19).
    FastOpenKey(FastOpenKeys),
    /// TCP_TIMESTAMP: only repair mode, which there is not, may set it (O-23).
    TimestampClock,
}

macro_rules! flags {
    ($($name:ident = $bit:expr;)*) => {
        $(pub(crate) const $name: u16 = 1 << $bit;)*
    };
}

/// Values of IP_MTU_DISCOVER and its twin.
pub(crate) mod pmtu {
    pub(crate) const DONT: u8 = 0;
    pub(crate) const WANT: u8 = 1;
    pub(crate) const DO: u8 = 2;
    /// This value and the next believe no ICMP message.
    pub(crate) const INTERFACE: u8 = 4;
}

/// Bits of [`SocketOptions::flags`].
pub(crate) mod flag {
    flags! {
        NODELAY = 0; CORK = 1; KEEPALIVE = 2; REUSEADDR = 3; REUSEPORT = 4; V6ONLY = 5; RECVERR = 6;
        OOBINLINE = 7; TRANSPARENT = 8; FREEBIND = 9; LINGER = 10; SNDBUF_LOCK = 11; RCVBUF_LOCK = 12; NO_REHASH = 13;
    }
}

/// What a socket overrode. Zero, or `None`, means "as the system says" unless a field says otherwise.
#[derive(Clone, Debug)]
pub struct SocketOptions {
    pub(crate) flags: u16,
    pub(crate) tos: u8,
    pub(crate) ttl: u8,
    pub(crate) keep_count: u8,
    pub(crate) syn_count: u8,
    pub(crate) defer_accept: u8,
    pub(crate) mtu_discover: u8,
    pub(crate) keep_idle: u16,
    pub(crate) keep_interval: u16,
    pub(crate) max_segment: u16,
    pub(crate) linger2: i16,
    /// Seconds.
    pub(crate) linger: u32,
    pub(crate) user_timeout: u32,
    pub(crate) window_clamp: u32,
    pub(crate) send_buffer: u32,
    pub(crate) recv_buffer: u32,
    pub(crate) recv_lowat: u32,
    pub(crate) rare: Option<alloc::boxed::Box<RareOptions>>,
}

macro_rules! rare_flags {
    ($($name:ident = $bit:expr;)*) => {
        $(pub(crate) const $name: u16 = 1 << $bit;)*
    };
}

/// Bits of [`RareOptions::flags`].
pub(crate) mod rare_flag {
    rare_flags! {
        ZEROCOPY = 0; INQ = 1; THIN_LINEAR = 2; STAMP = 3; STAMP_NANOS = 4; DONTROUTE = 5; ADDRESS_ONLY = 6;
        FASTOPEN_CONNECT = 7; FASTOPEN_NO_COOKIE = 8; DELAYED_ACKS = 9;
    }
}

/// Options that few sockets set, kept apart so that the others stay small.
#[derive(Clone, Debug)]
pub(crate) struct RareOptions {
    pub(crate) flags: u16,
    pub(crate) save_syn: u8,
    pub(crate) min_ttl: u8,
    pub(crate) priority: i32,
    pub(crate) mark: u32,
    pub(crate) device: Option<DeviceId>,
    pub(crate) incoming_cpu: i32,
    /// Longest time-out in milliseconds; 0 for [`DEFAULT_RTO_MAX_MS`].
    pub(crate) rto_max: u32,
    /// Shortest time-out in microseconds; 0 for [`DEFAULT_RTO_MIN_US`].
    pub(crate) rto_min_us: u32,
    /// Microseconds; 0 for the usual.
    pub(crate) delack_max_us: u32,
    pub(crate) peek_offset: i32,
    pub(crate) timestamping: Timestamping,
    pub(crate) max_pacing_rate: u64,
    pub(crate) recv_timeout: Duration,
    pub(crate) send_timeout: Duration,
    pub(crate) notsent_lowat: Option<u32>,
    /// TCP_FASTOPEN.
    pub(crate) fast_open: u32,
    /// TCP_FASTOPEN_KEY; without keys the system's are used.
    pub(crate) fast_open_keys: FastOpenKeys,
    pub(crate) v6: V6Options,
    /// IP_LOCAL_PORT_RANGE: lowest and highest.
    pub(crate) ports: (u16, u16),
    /// What is kept for a face that has options of no meaning to the engine; see `Socket::keep`.
    pub(crate) kept: Vec<(u16, i32)>,
}

/// What IPv6 has its own options for.
#[derive(Clone, Debug)]
pub(crate) struct V6Options {
    pub(crate) traffic_class: u8,
    /// -1 for the system's value.
    pub(crate) hops: i16,
    pub(crate) mtu_discover: u8,
    pub(crate) recv_err: bool,
    pub(crate) min_hops: u8,
}

impl Default for RareOptions {
    fn default() -> Self {
        RareOptions {
            flags: 0,
            save_syn: 0,
            min_ttl: 0,
            priority: 0,
            mark: 0,
            device: None,
            incoming_cpu: -1,
            rto_max: 0,
            rto_min_us: 0,
            delack_max_us: 0,
            peek_offset: -1,
            timestamping: Timestamping::NONE,
            max_pacing_rate: u64::MAX,
            recv_timeout: Duration::ZERO,
            send_timeout: Duration::ZERO,
            notsent_lowat: None,
            v6: V6Options { traffic_class: 0, hops: -1, mtu_discover: 1, recv_err: false, min_hops: 0 },
            ports: (0, 0),
            kept: Vec::new(),
            fast_open: 0,
            fast_open_keys: FastOpenKeys::default(),
        }
    }
}

/// What a socket has of `tcp_rto_max_ms` unless that said otherwise when it was made.
const DEFAULT_RTO_MAX_MS: u32 = 120_000;
/// The same of `tcp_rto_min_us`.
const DEFAULT_RTO_MIN_US: u32 = 200_000;

/// Smallest SO_SNDBUF after doubling (Linux's SOCK_MIN_SNDBUF).
pub(crate) const MIN_SNDBUF: u32 = 4608;
/// Smallest SO_RCVBUF after doubling (Linux's SOCK_MIN_RCVBUF).
pub(crate) const MIN_RCVBUF: u32 = 2304;
/// Longest FIN-WAIT-2 stay that TCP_LINGER2 may ask for, in seconds.
const MAX_LINGER2: i32 = 120;

impl SocketOptions {
    /// A fresh socket's options.
    pub fn new(family: Family, sysctl: &Sysctls) -> Self {
        let only_v6 = family == Family::V6 && sysctl.ipv6_bindv6only != 0;
        let discover = family == Family::V6 || sysctl.ip_no_pmtu_disc == 0;
        let fixed_way = sysctl.core_txrehash == 0;
        let mut options = SocketOptions {
            flags: if only_v6 { flag::V6ONLY } else { 0 } | if fixed_way { flag::NO_REHASH } else { 0 },
            tos: 0,
            ttl: 0,
            keep_count: 0,
            syn_count: 0,
            defer_accept: 0,
            mtu_discover: u8::from(discover),
            keep_idle: 0,
            keep_interval: 0,
            max_segment: 0,
            linger: 0,
            linger2: 0,
            user_timeout: 0,
            window_clamp: 0,
            send_buffer: sysctl.tcp_wmem[1].max(1) as u32,
            recv_buffer: sysctl.tcp_rmem[1].max(1) as u32,
            recv_lowat: 1,
            rare: None,
        };
        // A socket keeps the limits of its time-outs that held when it was made (Linux).
        if sysctl.tcp_rto_max_ms != DEFAULT_RTO_MAX_MS {
            options.rare_mut().rto_max = sysctl.tcp_rto_max_ms;
        }
        if sysctl.tcp_rto_min_us != DEFAULT_RTO_MIN_US {
            options.rare_mut().rto_min_us = sysctl.tcp_rto_min_us;
        }
        options
    }

    pub(crate) fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub(crate) fn put(&mut self, flag: u16, on: bool) {
        if on { self.flags |= flag } else { self.flags &= !flag }
    }

    pub(crate) fn rare_mut(&mut self) -> &mut RareOptions {
        self.rare.get_or_insert_with(Default::default)
    }

    fn put_rare(&mut self, flag: u16, on: bool) {
        let flags = &mut self.rare_mut().flags;
        if on { *flags |= flag } else { *flags &= !flag }
    }

    pub(crate) fn has_rare(&self, flag: u16) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.flags & flag != 0)
    }

    /// What a connection accepted from a socket with these options starts with: all of them but the deferral
    /// and the priority (O-03, O-42).
    pub(crate) fn inherited(&self) -> Self {
        let mut child = SocketOptions { defer_accept: 0, ..self.clone() };
        if let Some(rare) = &mut child.rare {
            rare.priority = 0;
            rare.fast_open = 0;
        }
        child
    }
}
