//! Options with the values that sequences give them: usual, at the edges, and wrong.

/// How an option's value is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An int.
    Int,
    /// `struct linger`.
    Linger,
    /// `struct timeval`.
    Time,
    /// A name.
    Name,
    /// A key of Fast Open, or two.
    Key,
    /// Bytes that mean nothing.
    Blob,
}

/// An option.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    pub level: i32,
    pub number: i32,
    pub name: &'static str,
    pub kind: Kind,
    /// Values of an int that are telling beside the usual ones.
    pub edges: &'static [i32],
    /// The value depends on the stack: only result and length are compared.
    pub opaque: bool,
}

const fn int(level: i32, number: i32, name: &'static str, edges: &'static [i32]) -> Known {
    Known { level, number, name, kind: Kind::Int, edges, opaque: false }
}

const fn opaque(level: i32, number: i32, name: &'static str) -> Known {
    Known { level, number, name, kind: Kind::Int, edges: &[], opaque: true }
}

const fn other(level: i32, number: i32, name: &'static str, kind: Kind) -> Known {
    Known { level, number, name, kind, edges: &[], opaque: false }
}

const SOCKET: i32 = libc::SOL_SOCKET;
const TCP: i32 = libc::SOL_TCP;
const IP: i32 = libc::SOL_IP;
const IPV6: i32 = libc::SOL_IPV6;

/// All options that are compared.
pub const ALL: &[Known] = &[
    int(TCP, libc::TCP_NODELAY, "TCP_NODELAY", &[]),
    int(TCP, libc::TCP_MAXSEG, "TCP_MAXSEG", &[87, 88, 536, 700, 32_767, 32_768]),
    int(TCP, libc::TCP_CORK, "TCP_CORK", &[]),
    int(TCP, libc::TCP_KEEPIDLE, "TCP_KEEPIDLE", &[32_767, 32_768]),
    int(TCP, libc::TCP_KEEPINTVL, "TCP_KEEPINTVL", &[32_767, 32_768]),
    int(TCP, libc::TCP_KEEPCNT, "TCP_KEEPCNT", &[127, 128]),
    int(TCP, libc::TCP_SYNCNT, "TCP_SYNCNT", &[127, 128, 255]),
    int(TCP, libc::TCP_LINGER2, "TCP_LINGER2", &[-5, 60, 119, 120, 121]),
    int(TCP, libc::TCP_DEFER_ACCEPT, "TCP_DEFER_ACCEPT", &[2, 3, 4, 7, 8, 100, 100_000]),
    int(TCP, libc::TCP_WINDOW_CLAMP, "TCP_WINDOW_CLAMP", &[1000, 1151, 1152, 1153, 5000, 70_000]),
    opaque(TCP, libc::TCP_INFO, "TCP_INFO"),
    int(TCP, libc::TCP_QUICKACK, "TCP_QUICKACK", &[]),
    other(TCP, libc::TCP_CONGESTION, "TCP_CONGESTION", Kind::Name),
    int(TCP, libc::TCP_USER_TIMEOUT, "TCP_USER_TIMEOUT", &[3000, i32::MAX]),
    int(TCP, libc::TCP_NOTSENT_LOWAT, "TCP_NOTSENT_LOWAT", &[1000]),
    int(TCP, libc::TCP_THIN_LINEAR_TIMEOUTS, "TCP_THIN_LINEAR_TIMEOUTS", &[]),
    int(TCP, libc::TCP_THIN_DUPACK, "TCP_THIN_DUPACK", &[]),
    opaque(TCP, libc::TCP_TIMESTAMP, "TCP_TIMESTAMP"),
    opaque(TCP, 26, "TCP_CC_INFO"),
    int(TCP, 27, "TCP_SAVE_SYN", &[3]),
    int(TCP, 36, "TCP_INQ", &[]),
    int(TCP, 37, "TCP_TX_DELAY", &[1000, 2_000_000]),
    int(TCP, 44, "TCP_RTO_MAX_MS", &[999, 1000, 1001, 1003, 120_000, 120_001]),
    other(TCP, libc::TCP_ULP, "TCP_ULP", Kind::Name),
    int(TCP, libc::TCP_REPAIR, "TCP_REPAIR", &[]),
    int(TCP, libc::TCP_REPAIR_QUEUE, "TCP_REPAIR_QUEUE", &[]),
    int(TCP, libc::TCP_QUEUE_SEQ, "TCP_QUEUE_SEQ", &[]),
    int(TCP, 43, "TCP_IS_MPTCP", &[]),
    int(TCP, libc::TCP_FASTOPEN, "TCP_FASTOPEN", &[5, 100_000]),
    int(TCP, 30, "TCP_FASTOPEN_CONNECT", &[1, 1]),
    other(TCP, 33, "TCP_FASTOPEN_KEY", Kind::Key),
    int(TCP, 34, "TCP_FASTOPEN_NO_COOKIE", &[1, 1]),
    int(TCP, 99, "(TCP option 99)", &[]),
    int(SOCKET, libc::SO_DEBUG, "SO_DEBUG", &[]),
    int(SOCKET, libc::SO_REUSEADDR, "SO_REUSEADDR", &[]),
    int(SOCKET, libc::SO_REUSEPORT, "SO_REUSEPORT", &[]),
    int(SOCKET, libc::SO_TYPE, "SO_TYPE", &[]),
    int(SOCKET, libc::SO_ERROR, "SO_ERROR", &[]),
    int(SOCKET, libc::SO_DONTROUTE, "SO_DONTROUTE", &[]),
    int(SOCKET, libc::SO_BROADCAST, "SO_BROADCAST", &[]),
    int(SOCKET, libc::SO_SNDBUF, "SO_SNDBUF", &[2304, 5000, 65_536, 100_000_000]),
    int(SOCKET, libc::SO_RCVBUF, "SO_RCVBUF", &[1152, 5000, 65_536, 100_000_000]),
    int(SOCKET, 32, "SO_SNDBUFFORCE", &[5000, 10_000_000]),
    int(SOCKET, 33, "SO_RCVBUFFORCE", &[5000, 10_000_000]),
    int(SOCKET, libc::SO_KEEPALIVE, "SO_KEEPALIVE", &[]),
    int(SOCKET, libc::SO_OOBINLINE, "SO_OOBINLINE", &[]),
    int(SOCKET, libc::SO_NO_CHECK, "SO_NO_CHECK", &[]),
    int(SOCKET, libc::SO_PRIORITY, "SO_PRIORITY", &[6, 7]),
    other(SOCKET, libc::SO_LINGER, "SO_LINGER", Kind::Linger),
    int(SOCKET, libc::SO_PASSCRED, "SO_PASSCRED", &[]),
    int(SOCKET, libc::SO_RCVLOWAT, "SO_RCVLOWAT", &[100, 5000]),
    int(SOCKET, libc::SO_SNDLOWAT, "SO_SNDLOWAT", &[]),
    other(SOCKET, libc::SO_RCVTIMEO, "SO_RCVTIMEO", Kind::Time),
    other(SOCKET, libc::SO_SNDTIMEO, "SO_SNDTIMEO", Kind::Time),
    other(SOCKET, libc::SO_BINDTODEVICE, "SO_BINDTODEVICE", Kind::Name),
    int(SOCKET, libc::SO_TIMESTAMP, "SO_TIMESTAMP", &[]),
    int(SOCKET, libc::SO_TIMESTAMPNS, "SO_TIMESTAMPNS", &[]),
    int(SOCKET, libc::SO_TIMESTAMPING, "SO_TIMESTAMPING", &[2, 8, 16, 0x8000, 0x800_0000]),
    int(SOCKET, libc::SO_ACCEPTCONN, "SO_ACCEPTCONN", &[]),
    int(SOCKET, libc::SO_MARK, "SO_MARK", &[77]),
    int(SOCKET, libc::SO_PROTOCOL, "SO_PROTOCOL", &[]),
    int(SOCKET, libc::SO_DOMAIN, "SO_DOMAIN", &[]),
    int(SOCKET, libc::SO_RXQ_OVFL, "SO_RXQ_OVFL", &[]),
    int(SOCKET, libc::SO_PEEK_OFF, "SO_PEEK_OFF", &[-7, 3]),
    int(SOCKET, libc::SO_SELECT_ERR_QUEUE, "SO_SELECT_ERR_QUEUE", &[]),
    int(SOCKET, libc::SO_BUSY_POLL, "SO_BUSY_POLL", &[50]),
    int(SOCKET, 47, "SO_MAX_PACING_RATE", &[100_000]),
    opaque(SOCKET, libc::SO_INCOMING_CPU, "SO_INCOMING_CPU"),
    opaque(SOCKET, 55, "SO_MEMINFO"),
    opaque(SOCKET, 57, "SO_COOKIE"),
    int(SOCKET, 60, "SO_ZEROCOPY", &[]),
    int(SOCKET, 69, "SO_PREFER_BUSY_POLL", &[]),
    int(SOCKET, 72, "SO_BUF_LOCK", &[3, 4]),
    int(SOCKET, 74, "SO_TXREHASH", &[255]),
    int(SOCKET, 75, "SO_RCVMARK", &[]),
    int(SOCKET, 999, "(socket option 999)", &[]),
    int(IP, libc::IP_TOS, "IP_TOS", &[16, 0xb8, 255, 256]),
    int(IP, libc::IP_TTL, "IP_TTL", &[33, 255, 256]),
    int(IP, libc::IP_MTU_DISCOVER, "IP_MTU_DISCOVER", &[3, 4, 5, 6]),
    int(IP, libc::IP_RECVERR, "IP_RECVERR", &[]),
    int(IP, libc::IP_MTU, "IP_MTU", &[]),
    int(IP, libc::IP_FREEBIND, "IP_FREEBIND", &[]),
    int(IP, libc::IP_TRANSPARENT, "IP_TRANSPARENT", &[]),
    int(IP, libc::IP_MINTTL, "IP_MINTTL", &[33, 255, 256]),
    int(IP, libc::IP_RECVTTL, "IP_RECVTTL", &[]),
    int(IP, libc::IP_RECVTOS, "IP_RECVTOS", &[]),
    int(IP, libc::IP_PKTINFO, "IP_PKTINFO", &[]),
    int(IP, libc::IP_BIND_ADDRESS_NO_PORT, "IP_BIND_ADDRESS_NO_PORT", &[]),
    int(IP, 51, "IP_LOCAL_PORT_RANGE", &[0x9c41_9c40_u32 as i32, 40_000]),
    opaque(IP, 52, "IP_PROTOCOL"),
    // Not a number of netfilter, which has some of its own where it is loaded.
    int(IP, 61, "(IP option 61)", &[]),
    int(IPV6, libc::IPV6_V6ONLY, "IPV6_V6ONLY", &[]),
    int(IPV6, libc::IPV6_UNICAST_HOPS, "IPV6_UNICAST_HOPS", &[33, 255, 256]),
    int(IPV6, libc::IPV6_TCLASS, "IPV6_TCLASS", &[16, 255, 256]),
    int(IPV6, libc::IPV6_MTU_DISCOVER, "IPV6_MTU_DISCOVER", &[3, 4, 5, 6]),
    int(IPV6, libc::IPV6_RECVERR, "IPV6_RECVERR", &[]),
    int(IPV6, libc::IPV6_MTU, "IPV6_MTU", &[1279, 1280, 1400]),
    int(IPV6, 73, "IPV6_MINHOPCOUNT", &[33, 255, 256]),
    int(IPV6, 75, "IPV6_TRANSPARENT", &[]),
    int(IPV6, 78, "IPV6_FREEBIND", &[]),
    int(IPV6, libc::IPV6_RECVPKTINFO, "IPV6_RECVPKTINFO", &[]),
    int(IPV6, libc::IPV6_RECVHOPLIMIT, "IPV6_RECVHOPLIMIT", &[]),
    int(IPV6, libc::IPV6_RECVTCLASS, "IPV6_RECVTCLASS", &[]),
    int(IPV6, 99, "(IPv6 option 99)", &[]),
    other(7, 1, "(level 7, option 1)", Kind::Blob),
];
