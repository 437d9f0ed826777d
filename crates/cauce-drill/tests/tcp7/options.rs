//! The rows of socket options (REQUIREMENTS 2): every option of Linux that a process over our stack can set or read.

use super::rows::{Row, Section};
use cauce_core::socket::errno::Errno;
use cauce_core::stack::Stack;
use cauce_core::sysctl::Sysctls;
use cauce_core::time::Instant;
use cauce_posix::options::{is_only_kept, option_names};
use cauce_posix::{Call, Outcome, Process, Progress};

/// An option of Linux, and what our side does about it.
#[derive(Debug)]
pub struct Known {
    pub name: &'static str,
    /// It can be set or read.
    pub is_there: bool,
    /// It can be set, with privilege at least.
    pub is_set: bool,
    /// It is kept and read back, and nothing else.
    pub is_kept: bool,
}

/// All options of Linux, each tried on a fresh IPv6 socket, which has them all.
pub fn known() -> Vec<Known> {
    let now = Instant::from_secs(10);
    let mut stack = Stack::new(Sysctls::default(), Box::new(|| 4));
    let mut process = Process::new(8);
    let mut call = |call| process.call(&mut stack, now, call);
    let open = Call::Socket { domain: libc::AF_INET6, kind: libc::SOCK_STREAM, protocol: 0 };
    let Progress::Done(Outcome { result: Ok(fd), .. }) = call(open) else { panic!("no socket") };
    let fd = i32::try_from(fd).expect("a descriptor");
    let refused = |progress, errors: &[Errno]| match progress {
        Progress::Done(Outcome { result: Err(error), .. }) => errors.contains(&error),
        Progress::Done(_) | Progress::Sleeps(_) => false,
        Progress::Unsupported(_) => true,
    };
    let mut known = Vec::new();
    for (level, number, name) in option_names() {
        let read = call(Call::GetOption { fd, level, name: number, len: 256 });
        let set = call(Call::SetOption { fd, level, name: number, value: Some(vec![0; 32]) });
        let is_read = !refused(read, &[Errno::ENOPROTOOPT, Errno::EOPNOTSUPP]);
        let is_set = !refused(set, &[Errno::ENOPROTOOPT, Errno::EOPNOTSUPP, Errno::EPERM]);
        known.push(Known { name, is_there: is_read || is_set, is_set, is_kept: is_only_kept(level, number) });
    }
    known
}

/// The rows: all options that there are, those that REQUIREMENTS names besides, and what is said of options together.
pub fn rows() -> Vec<Row> {
    let known = known();
    let mut rows = Vec::new();
    for (id, name, what) in TEXTS {
        let found = known.iter().find(|known| known.name == *name);
        rows.push(row(if id.is_empty() { name } else { id }, name, what, found));
    }
    rows.extend(TOGETHER.iter().map(|(id, what)| {
        let mut row = Row::statement(Section::Options, id, what);
        row.columns = format!("- | {what}");
        row
    }));
    rows.sort_by_key(|row| (!row.id.starts_with("O-"), row.id.clone()));
    rows
}

fn row(id: &str, name: &str, what: &str, known: Option<&Known>) -> Row {
    let is_there = known.is_some_and(|known| known.is_there);
    let kept = known.filter(|known| known.is_kept && !TELL_OF_THE_CARRIER.contains(&name));
    let mut row = Row {
        id: id.to_owned(),
        name: name.to_owned(),
        columns: format!("`{name}` | {what}"),
        deaf_to: is_there.then(|| name.to_owned()),
        beyond_scripts: beyond_scripts(name),
        // Setting IPV6_MTU says nothing to TCP; reading it tells the path's MTU.
        is_set: known.is_some_and(|known| known.is_set) && name != "IPV6_MTU",
        not_yet: (!is_there).then_some("refused by its name"),
        without_effect: kept.map(|_| "kept and read back; Linux's TCP does not look at it either"),
        kernel: kernel(name),
        ..Row::statement(Section::Options, id, what)
    };
    row.without_effect = without_effect(name).or(row.without_effect);
    row
}

/// Options that the engine only keeps, and that the process looks at when it reads the error queue.
const TELL_OF_THE_CARRIER: [&str; 8] = [
    "IP_PKTINFO",
    "IP_RECVTTL",
    "IP_RECVTOS",
    "IP_ORIGDSTADDR",
    "IPV6_RECVPKTINFO",
    "IPV6_RECVHOPLIMIT",
    "IPV6_RECVTCLASS",
    "IPV6_ORIGDSTADDR",
];

/// Options of Linux that are refused by their names.
pub fn refused() -> Vec<&'static str> {
    known().into_iter().filter(|known| !known.is_there).map(|known| known.name).collect()
}

/// Why no script can show the effect.
fn beyond_scripts(name: &str) -> Option<&'static str> {
    Some(match name {
        "SO_PRIORITY" | "SO_MARK" => "goes down to the device beside each packet, which carries none of it",
        "SO_INCOMING_CPU" => "the device of scripts has a single queue",
        "SO_COOKIE" => "a number that the stack chooses",
        _ => return None,
    })
}

/// Why there is nothing to show but that it is accepted and reads back.
fn without_effect(name: &str) -> Option<&'static str> {
    Some(match name {
        "TCP_THIN_DUPACK" => "ignored, as on Linux since 4.16",
        "TCP_REPAIR" | "TCP_REPAIR_QUEUE" | "TCP_QUEUE_SEQ" => "there is no repair mode to enter",
        "TCP_ULP" => "there are no upper layer protocols, as on a kernel without their modules",
        "SO_BUSY_POLL" | "SO_PREFER_BUSY_POLL" => "kept and read back; no device here is polled busily",
        "TCP_IS_MPTCP" | "SO_INCOMING_NAPI_ID" => "always 0",
        "SO_BSDCOMPAT" => "ignored, as on Linux",
        "SO_BUSY_POLL_BUDGET" => "no device here is polled busily",
        _ => return None,
    })
}

/// Where Linux differs, or cannot be asked.
fn kernel(name: &str) -> Option<&'static str> {
    Some(match name {
        "TCP_WINDOW_CLAMP" => "Linux forgets the clamp once the buffer grows; ours keeps it (X-19)",
        "TCP_USER_TIMEOUT" => "Linux counts from the first retransmission, ours is exact (X-15)",
        "TCP_DEFER_ACCEPT" => "seconds become SYN,ACK retries, as on Linux (X-36)",
        "TCP_REPAIR" | "TCP_REPAIR_QUEUE" | "TCP_QUEUE_SEQ" => "Linux has repair mode for the privileged",
        _ => return None,
    })
}

/// What REQUIREMENTS says of options together.
const TOGETHER: &[(&str, &str)] = &[
    ("O-17", "TCP_INFO: what each field of the structure tells"),
    ("O-26", "TCP_USER_TIMEOUT with SO_KEEPALIVE: the time-out replaces the count of probes"),
];

/// The number in REQUIREMENTS, if there is one; the option; what it does. Options of one number stand together.
const TEXTS: &[(&str, &str, &str)] = &[
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
    ("O-20", "TCP_THIN_DUPACK", "accepted, reads 0"),
    ("O-25", "TCP_TX_DELAY", "microseconds that segments wait before they leave"),
    ("O-39", "SO_SNDLOWAT", "always 1"),
    ("O-42", "SO_PRIORITY", "the priority of packets for the device's scheduler; above 6 with privilege"),
    ("O-42", "SO_MARK", "the mark of packets, with privilege"),
    ("O-43", "SO_BINDTODEVICE", "segments go and come over this device alone"),
    ("O-43", "SO_DONTROUTE", "only peers on the own link are reached"),
    ("O-43", "SO_BROADCAST", "no connection to a broadcast address, with it or without"),
    ("O-43", "SO_DEBUG", "EACCES without privilege"),
    ("O-44", "SO_BUSY_POLL", "0 and more"),
    ("O-44", "SO_INCOMING_CPU", "the queue whose connections this listener of a SO_REUSEPORT group prefers"),
    ("O-44", "SO_TXREHASH", "-1 to 1"),
    ("O-56", "IP_BIND_ADDRESS_NO_PORT", "bind() to port 0 leaves the choice to connect()"),
    ("O-56", "IP_LOCAL_PORT_RANGE", "ports that are chosen for this socket"),
    ("O-57", "IPV6_MTU_DISCOVER", "as IP_MTU_DISCOVER"),
    ("O-57", "IPV6_MTU", "as IP_MTU; setting it, from 1280 on, says nothing to TCP"),
    ("O-57", "IPV6_MINHOPCOUNT", "as IP_MINTTL"),
    ("O-57", "IPV6_FREEBIND", "as IP_FREEBIND"),
    ("O-57", "IPV6_TRANSPARENT", "as IP_TRANSPARENT"),
    ("", "TCP_RTO_MIN_US", "the floor of this socket's retransmission time-out, in microseconds"),
    ("", "TCP_DELACK_MAX_US", "the longest delay of an acknowledgement, in microseconds"),
    ("", "TCP_CC_INFO", "what the congestion control tells of itself; Reno and CUBIC tell nothing"),
    ("", "TCP_IS_MPTCP", "no multipath TCP"),
    ("", "TCP_QUEUE_SEQ", "EPERM or EINVAL"),
    ("", "TCP_REPAIR", "EPERM, unless it is switched off"),
    ("", "TCP_REPAIR_QUEUE", "EPERM"),
    ("", "TCP_ULP", "ENOENT; reads nothing"),
    ("", "SO_BINDTOIFINDEX", "SO_BINDTODEVICE by the number of the device"),
    ("", "SO_BSDCOMPAT", "accepted, reads 0"),
    ("", "SO_BUF_LOCK", "which buffers keep their size: 1 the send buffer, 2 the receive buffer"),
    ("", "SO_BUSY_POLL_BUDGET", "0 to 65535"),
    ("", "SO_COOKIE", "a number that no other socket has"),
    ("", "SO_INCOMING_NAPI_ID", "always 0"),
    ("", "SO_MEMINFO", "the memory of the socket in nine numbers"),
    ("", "SO_NO_CHECK", "0 and 1"),
    ("", "SO_NOFCS", "0 and 1"),
    ("", "SO_PEEK_OFF", "MSG_PEEK begins so many bytes behind the front, and goes on from there"),
    ("", "SO_PEERCRED", "no process, nobody"),
    ("", "SO_PREFER_BUSY_POLL", "0 and 1, with privilege"),
    ("", "SO_RCVMARK", "0 and 1"),
    ("", "SO_RCVPRIORITY", "0 and 1"),
    ("", "SO_RCVTIMEO_NEW", "SO_RCVTIMEO by its newer number"),
    ("", "SO_RXQ_OVFL", "0 and 1"),
    ("", "SO_SELECT_ERR_QUEUE", "0 and 1"),
    ("", "SO_SNDTIMEO_NEW", "SO_SNDTIMEO by its newer number"),
    ("", "SO_TIMESTAMP", "recvmsg() tells when the newest byte came, in microseconds"),
    ("", "SO_TIMESTAMPING", "which moments of bytes on their way are told"),
    ("", "SO_TIMESTAMPING_NEW", "SO_TIMESTAMPING by its newer number"),
    ("", "SO_TIMESTAMPNS", "SO_TIMESTAMP in nanoseconds"),
    ("", "SO_TIMESTAMPNS_NEW", "SO_TIMESTAMPNS by its newer number"),
    ("", "SO_TIMESTAMP_NEW", "SO_TIMESTAMP by its newer number"),
    ("", "SO_WIFI_STATUS", "0 and 1"),
    ("", "IP_MULTICAST_ALL", "0 and 1"),
    ("", "IP_MULTICAST_LOOP", "0 and 1"),
    ("", "IPV6_MULTICAST_ALL", "0 and 1"),
    ("", "IPV6_MULTICAST_LOOP", "0 and 1"),
    (
        "",
        "IP_ORIGDSTADDR",
        "tells, in the error queue, of the packet that brought an ICMP error: its destination and port",
    ),
    ("", "IP_PASSSEC", "0 and 1"),
    (
        "",
        "IP_PKTINFO",
        "tells, in the error queue, of the packet that brought an ICMP error: device and destination",
    ),
    ("", "IP_PROTOCOL", "the local port, as on Linux"),
    ("", "IP_RECVOPTS", "0 and 1"),
    ("", "IP_RECVTOS", "tells, in the error queue, of the packet that brought an ICMP error: its TOS"),
    ("", "IP_RECVTTL", "tells, in the error queue, of the packet that brought an ICMP error: its TTL"),
    ("", "IP_RETOPTS", "0 and 1"),
    (
        "",
        "IPV6_ORIGDSTADDR",
        "tells, in the error queue, of the packet that brought an ICMP error: its destination and port",
    ),
    (
        "",
        "IPV6_RECVHOPLIMIT",
        "tells, in the error queue, of the packet that brought an ICMP error: its hop limit",
    ),
    (
        "",
        "IPV6_RECVPKTINFO",
        "tells, in the error queue, of the packet that brought an ICMP error: device and destination",
    ),
    (
        "",
        "IPV6_RECVTCLASS",
        "tells, in the error queue, of the packet that brought an ICMP error: its traffic class",
    ),
];
