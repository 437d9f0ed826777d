//! The rows of the sockets API (REQUIREMENTS 3), of the ground rules (0), and of the four time-outs (5b, 5c).

use super::rows::{Row, Section};

/// All rows.
pub fn rows() -> Vec<Row> {
    let row =
        |(id, what): &(&str, &str)| Row { kernel: kernel(id), ..Row::statement(Section::Calls, id, what) };
    CALLS.iter().map(row).collect()
}

/// Where Linux differs, or why there is no script to compare with.
fn kernel(id: &str) -> Option<&'static str> {
    Some(match id {
        "A-42" => "Linux queues nothing in ESTABLISHED; ours does when IP_RECVERR is set (X-20)",
        "A-27" => "Linux may send a FIN first; ours sends one RST",
        "A-46" | "A-50" => "a matter of the embedding, not of a script",
        "G-07" | "G-09" | "G-10" | "G-11" => "ours alone",
        _ => return None,
    })
}

const CALLS: &[(&str, &str)] = &[
    ("G-01", "a number is decimal, octal or hexadecimal, with blanks around it"),
    (
        "G-02",
        "text that is no number is EINVAL and changes nothing; an empty write succeeds and changes nothing",
    ),
    ("G-03", "a number out of range is EINVAL and changes nothing; nothing is clamped"),
    ("G-04", "what Linux keeps in a byte takes 0 to 255 and reads back as written"),
    ("G-05", "read-only settings refuse writers, secret ones readers without privilege"),
    (
        "G-06",
        "a setting acts at the moment of use, for sockets that there are too, unless the socket overrides it",
    ),
    ("G-07", "settings belong to one stack"),
    ("G-08", "lengths of option values: short is EINVAL, long is read for its first bytes"),
    ("G-09", "every setting of tcp(7) is there under its name"),
    ("G-10", "profiles `linux-6.18` and `manpage`"),
    ("G-11", "every effect moves a counter or a field of TCP_INFO"),
    ("A-01", "`MSG_OOB` sends the last byte as urgent"),
    ("A-02", "urgent data is announced to a closed window, too"),
    ("A-03", "without SO_OOBINLINE the urgent byte is read once, by `recv(MSG_OOB)`"),
    ("A-04", "`recv(MSG_OOB)`: EINVAL without urgent data, EAGAIN before its byte has come"),
    ("A-05", "a read stops at the urgent mark"),
    ("A-06", "a newer urgent byte makes the older one ordinary"),
    ("A-07", "reading past the mark discards an urgent byte that nobody read"),
    ("A-08", "with SO_OOBINLINE the byte stays in the stream"),
    ("A-09", "SIGURG comes with the pointer, POLLPRI with the byte"),
    ("A-10", "SIGURG goes to the owner of F_SETOWN, SIOCSPGRP and FIOSETOWN"),
    ("A-11", "POLLPRI while an urgent byte can be read"),
    ("A-12", "SIOCATMARK tells whether the mark is reached"),
    ("A-13", "MSG_PEEK leaves the bytes"),
    ("A-14", "MSG_TRUNC discards, and counts"),
    ("A-15", "MSG_WAITALL returns less only at an end, an error or a time-out"),
    ("A-16", "MSG_DONTWAIT, MSG_MORE, MSG_NOSIGNAL"),
    ("A-17", "MSG_FASTOPEN connects with data"),
    ("A-18", "MSG_ERRQUEUE and the notices of MSG_ZEROCOPY"),
    ("A-19", "recvmsg() never says MSG_TRUNC on a stream"),
    ("A-20", "SIOCINQ, FIONREAD: bytes to read, up to the urgent mark"),
    ("A-21", "SIOCOUTQ: bytes not acknowledged; SIOCOUTQNSD: bytes not sent"),
    ("A-22", "socket(): families, types, protocols"),
    ("A-23", "bind(): its errors"),
    ("A-24", "listen(): again, without bind(), its backlog and its bound"),
    ("A-25", "accept(): its errors; what was reset before is still returned"),
    ("A-26", "connect(): its errors and its progress"),
    ("A-27", "connect(AF_UNSPEC) dissolves a connection"),
    ("A-28", "a refused connect()"),
    ("A-29", "a reset tells itself once: ECONNRESET, then the end; EPIPE to writers"),
    ("A-30", "calls on a socket that is not connected"),
    ("A-31", "SIGPIPE with EPIPE, but for MSG_NOSIGNAL"),
    ("A-32", "shutdown() in each direction"),
    ("A-33", "readiness of half-closed, fresh and listening sockets"),
    ("A-34", "close() with unread bytes resets"),
    ("A-35", "data for a closed socket is answered by a reset"),
    ("A-36", "closing a listener resets what it has queued"),
    ("A-37", "EAFNOSUPPORT"),
    ("A-38", "EPIPE"),
    ("A-39", "ETIMEDOUT, or the last soft ICMP error instead"),
    ("A-40", "ICMP errors in SYN-SENT"),
    ("A-41", "ICMP errors in ESTABLISHED"),
    ("A-42", "what a record of the error queue holds"),
    ("A-43", "calls that wait: for a byte, for room; no records in a stream"),
    ("A-44", "no transfer on listeners and unconnected sockets; no broadcast, no multicast"),
    ("A-45", "sendfile() and splice()"),
    ("A-46", "the end of a process closes its sockets"),
    ("A-47", "readiness by level and by edge"),
    ("A-48", "getsockname() and getpeername() before and after connect()"),
    ("A-49", "accept() in the order of completion"),
    ("A-50", "calls of several threads lose no wake-up"),
    ("A-51", "errors of the sockets layer"),
    ("Q-20", "each connection shows which of its four timers runs, and what is left of it"),
    ("Q-21", "the user time-out, from every state"),
    ("Q-22", "the retransmission time-out"),
    ("Q-23", "the persist timer"),
    ("Q-24", "TIME-WAIT"),
    ("Q-25", "each of the four can be changed by a setting and by an option"),
    ("Q-30", "`netstat -nat` as Linux prints it"),
    ("Q-31", "counts of states are exact"),
    ("Q-32", "names of states as netstat prints them"),
    ("Q-33", "the grammar of sysctl.conf"),
    ("Q-34", "`sysctl -p`"),
    ("Q-35", "reading the settings back"),
    ("Q-36", "the recipe against TIME-WAIT has its effect"),
    ("Q-37", "`tcp_tw_reuse` for clients"),
    ("Q-38", "keepalive 120, 30, 3 drops a silent peer after 210 s"),
    ("Q-39", "settings are read from the file at the start"),
];
