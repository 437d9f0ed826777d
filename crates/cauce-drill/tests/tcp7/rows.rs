//! A row of the page, and the rows of socket options (REQUIREMENTS 2).

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The settings that tcp(7) lists.
    Settings,
    /// Settings that later kernels have, and those of other layers that TCP reads.
    Companions,
    /// Settings that only we have.
    Own,
    /// Socket options.
    Options,
    /// Calls, ioctls, urgent data, errors.
    Calls,
}

impl Section {
    /// The title, and the columns between the row's number and its proofs.
    pub fn head(self) -> (&'static str, &'static str) {
        const SETTING: &str = "name | default (manpage) | range | acts | what it does";
        match self {
            Section::Settings => ("The settings of tcp(7)", SETTING),
            Section::Companions => ("Companions of these settings", SETTING),
            Section::Own => ("Settings of Cauce alone", SETTING),
            Section::Options => ("Socket options", "option | what it does"),
            Section::Calls => ("Calls, ioctls, urgent data and errors", "what holds"),
        }
    }
}

/// One row.
#[derive(Debug)]
pub struct Row {
    pub section: Section,
    /// The number in REQUIREMENTS.
    pub id: String,
    /// The name of the setting or the option; the number again for calls.
    pub name: String,
    /// The cells between number and proofs.
    pub columns: String,
    /// What a stack can be deaf to.
    pub deaf_to: Option<String>,
    /// Why no script can show the effect; a test in Rust does.
    pub beyond_scripts: Option<&'static str>,
    /// Where Linux differs, or why it cannot be asked.
    pub kernel: Option<&'static str>,
    /// What is missing.
    pub not_yet: Option<&'static str>,
}

impl Row {
    /// What tells the row from every other.
    pub fn key(&self) -> String {
        format!("{} {}", self.id, self.name)
    }
}

/// An option: row, name, what it does.
fn option(id: &str, name: &str, what: &str) -> Row {
    Row {
        section: Section::Options,
        id: id.to_owned(),
        name: name.to_owned(),
        columns: format!("`{name}` | {what}"),
        deaf_to: Some(name.to_owned()),
        beyond_scripts: None,
        kernel: None,
        not_yet: None,
    }
}

/// What is special about an option.
fn special(row: &mut Row) {
    match row.name.as_str() {
        "TCP_WINDOW_CLAMP" => {
            row.kernel = Some("Linux forgets the clamp once the buffer grows; ours keeps it (X-19)")
        }
        "TCP_USER_TIMEOUT" => {
            row.kernel = Some("Linux counts from the first retransmission, ours is exact (X-15)")
        }
        "TCP_SAVE_SYN" | "TCP_SAVED_SYN" => row.beyond_scripts = Some("scripts cannot compare the bytes"),
        "TCP_TIMESTAMP" => row.beyond_scripts = Some("its value is a clock"),
        "TCP_DEFER_ACCEPT" => row.kernel = Some("seconds become SYN,ACK retries, as on Linux (X-36)"),
        _ => {}
    }
}

/// All options.
pub fn options() -> Vec<Row> {
    let mut rows: Vec<Row> = OPTIONS.iter().map(|(id, name, what)| option(id, name, what)).collect();
    rows.iter_mut().for_each(special);
    rows
}

const OPTIONS: &[(&str, &str, &str)] = &[
    (
        "O-01",
        "TCP_CONGESTION",
        "replaces the congestion control of the socket and keeps cwnd and ssthresh; unknown ENOENT, not allowed EPERM",
    ),
    ("O-02", "TCP_CORK", "holds a segment that is not full, for 200 ms at most"),
    (
        "O-03",
        "TCP_DEFER_ACCEPT",
        "a listener takes no bare ACK as the end of a handshake and wakes accept() with data",
    ),
    ("O-04", "TCP_INFO", "the kernel's structure of 6.18, cut to what the caller asks for"),
    ("O-05", "TCP_KEEPCNT", "unanswered keepalive probes before the connection is dropped; 1 to 127"),
    (
        "O-06",
        "TCP_KEEPIDLE",
        "idle seconds before the first probe; idle time already passed counts; 1 to 32767",
    ),
    ("O-07", "TCP_KEEPINTVL", "seconds between unanswered probes; 1 to 32767"),
    ("O-08", "TCP_LINGER2", "seconds of an orphan in FIN-WAIT-2, at most 120; negative: reset instead"),
    (
        "O-09",
        "TCP_MAXSEG",
        "the announced MSS and a ceiling of our own; 88 to 32767; acts before the handshake",
    ),
    ("O-10", "TCP_NODELAY", "no Nagle; setting it sends what waits, a cork included, once"),
    ("O-11", "TCP_QUICKACK", "1 acknowledges at once for a while, 0 delays; not lasting"),
    ("O-12", "TCP_SYNCNT", "how often a SYN is sent again; 1 to 127"),
    ("O-13", "TCP_USER_TIMEOUT", "milliseconds that data may stay unacknowledged or blocked"),
    ("O-14", "TCP_WINDOW_CLAMP", "the largest window that is offered"),
    (
        "O-15",
        "TCP_FASTOPEN",
        "a listener takes data in SYNs; the value bounds what is in SYN-RECEIVED that way",
    ),
    ("O-16", "TCP_FASTOPEN_CONNECT", "connect() waits for the first write, whose bytes go into the SYN"),
    ("O-18", "TCP_NOTSENT_LOWAT", "writable only while fewer bytes are unsent"),
    ("O-19", "TCP_FASTOPEN_KEY", "keys of this listener's cookies"),
    ("O-19", "TCP_FASTOPEN_NO_COOKIE", "Fast Open without cookies on this socket"),
    ("O-20", "TCP_THIN_LINEAR_TIMEOUTS", "no exponential back-off while few segments are out"),
    ("O-21", "TCP_SAVE_SYN", "a listener keeps the headers of SYNs"),
    ("O-21", "TCP_SAVED_SYN", "those headers, once"),
    ("O-22", "TCP_INQ", "recvmsg() tells how many bytes are left"),
    ("O-23", "TCP_TIMESTAMP", "the timestamp clock; setting it needs repair mode"),
    ("O-24", "TCP_RTO_MAX_MS", "the cap of this socket's retransmission time-out"),
    ("O-30", "SO_SNDBUF", "twice the value bounds the send buffer, which no longer grows by itself"),
    ("O-31", "SO_RCVBUF", "twice the value bounds the receive buffer and shapes the window scale"),
    ("O-32", "SO_SNDBUFFORCE", "as SO_SNDBUF, beyond wmem_max, with privilege"),
    ("O-32", "SO_RCVBUFFORCE", "as SO_RCVBUF, beyond rmem_max, with privilege"),
    ("O-33", "SO_KEEPALIVE", "starts and stops keepalive at once"),
    ("O-34", "SO_OOBINLINE", "the urgent byte stays in the stream"),
    ("O-35", "SO_LINGER", "close() resets (0 s), waits, or returns at once (off)"),
    ("O-36", "SO_REUSEADDR", "bind() beside connections in TIME-WAIT"),
    ("O-37", "SO_REUSEPORT", "several listeners share a port"),
    ("O-38", "SO_ERROR", "returns and clears the pending error, then the soft one"),
    ("O-39", "SO_RCVLOWAT", "readable from so many bytes on"),
    ("O-40", "SO_RCVTIMEO", "recv() and accept() give up with EAGAIN"),
    ("O-40", "SO_SNDTIMEO", "send() gives up with EAGAIN, connect() with EINPROGRESS"),
    ("O-41", "SO_ACCEPTCONN", "1 on a listener"),
    ("O-41", "SO_TYPE", "1, SOCK_STREAM"),
    ("O-41", "SO_PROTOCOL", "6"),
    ("O-41", "SO_DOMAIN", "the family"),
    ("O-44", "SO_MAX_PACING_RATE", "the highest rate of sending in bytes per second"),
    ("O-44", "SO_ZEROCOPY", "allows MSG_ZEROCOPY"),
    ("O-50", "IP_RECVERR", "ICMP errors reach the program at once and stand in the error queue"),
    ("O-51", "IP_TOS", "DSCP of segments; the ECN bits belong to TCP"),
    ("O-52", "IP_TTL", "TTL of segments"),
    ("O-53", "IP_MTU_DISCOVER", "0 sends without DF"),
    ("O-54", "IP_MTU", "the path's MTU"),
    ("O-55", "IP_MINTTL", "segments with less TTL are dropped"),
    ("O-56", "IP_FREEBIND", "bind() to an address that is not there"),
    ("O-56", "IP_TRANSPARENT", "bind() to a foreign address, with privilege"),
    ("O-57", "IPV6_V6ONLY", "no IPv4 on an IPv6 socket"),
    ("O-57", "IPV6_UNICAST_HOPS", "hop limit of segments"),
    ("O-57", "IPV6_TCLASS", "traffic class of segments"),
    ("O-57", "IPV6_RECVERR", "as IP_RECVERR"),
];
