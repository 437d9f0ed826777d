//! Options that Linux's TCP never looks at: they are checked, kept, inherited and read back here as there. Some of them
//! say what MSG_ERRQUEUE tells of ICMP errors (`message`); the others do nothing to a stream. What has an effect on TCP
//! itself is never in this table.

use cauce_core::socket::Family;
use cauce_core::socket::errno::Errno;

/// What values an option takes.
#[derive(Clone, Copy, Debug)]
enum Rule {
    /// Any int, which reads as 0 or 1.
    Switch,
    /// As `Switch`, and turning it on needs privilege.
    PrivilegedSwitch(Errno),
    /// An int in this range.
    Range(i32, i32),
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    level: i32,
    name: i32,
    rule: Rule,
    default: i32,
}

const fn switch(level: i32, name: i32) -> Kept {
    Kept { level, name, rule: Rule::Switch, default: 0 }
}

const SOCKET: i32 = libc::SOL_SOCKET;
const IP: i32 = libc::SOL_IP;
const IPV6: i32 = libc::SOL_IPV6;

const IP_MULTICAST_ALL: i32 = 49;
const IPV6_MULTICAST_ALL: i32 = 29;

const TABLE: &[Kept] = &[
    Kept { rule: Rule::PrivilegedSwitch(Errno::EACCES), ..switch(SOCKET, libc::SO_DEBUG) },
    switch(SOCKET, libc::SO_BROADCAST),
    switch(SOCKET, libc::SO_NO_CHECK),
    switch(SOCKET, libc::SO_RXQ_OVFL),
    switch(SOCKET, libc::SO_WIFI_STATUS),
    switch(SOCKET, libc::SO_NOFCS),
    switch(SOCKET, libc::SO_SELECT_ERR_QUEUE),
    Kept { rule: Rule::Range(0, i32::MAX), ..switch(SOCKET, libc::SO_BUSY_POLL) },
    Kept {
        rule: Rule::PrivilegedSwitch(Errno::EPERM),
        ..switch(SOCKET, super::numbers::SO_PREFER_BUSY_POLL)
    },
    switch(SOCKET, super::numbers::SO_RCVMARK),
    switch(SOCKET, super::numbers::SO_RCVPRIORITY),
    switch(IP, libc::IP_PKTINFO),
    switch(IP, libc::IP_RECVTTL),
    switch(IP, libc::IP_RECVTOS),
    switch(IP, libc::IP_RECVOPTS),
    switch(IP, libc::IP_RETOPTS),
    switch(IP, libc::IP_PASSSEC),
    switch(IP, libc::IP_ORIGDSTADDR),
    Kept { default: 1, ..switch(IP, libc::IP_MULTICAST_LOOP) },
    Kept { rule: Rule::Range(0, 1), default: 1, ..switch(IP, IP_MULTICAST_ALL) },
    switch(IPV6, libc::IPV6_RECVPKTINFO),
    Kept { rule: Rule::Range(0, 1), default: 1, ..switch(IPV6, libc::IPV6_MULTICAST_LOOP) },
    Kept { default: 1, ..switch(IPV6, IPV6_MULTICAST_ALL) },
    switch(IPV6, libc::IPV6_RECVHOPLIMIT),
    switch(IPV6, libc::IPV6_RECVTCLASS),
    switch(IPV6, libc::IPV6_ORIGDSTADDR),
];

/// Whether an option is checked, kept and read back, and does nothing, as on Linux.
///
/// ```
/// assert!(cauce_posix::options::is_only_kept(libc::SOL_SOCKET, libc::SO_BROADCAST));
/// assert!(!cauce_posix::options::is_only_kept(libc::SOL_SOCKET, libc::SO_KEEPALIVE));
/// ```
pub fn is_only_kept(level: i32, name: i32) -> bool {
    Kept::find(level, name, Family::V6).is_some()
}

impl Kept {
    /// The option of that number, on a socket of that family.
    pub(crate) fn find(level: i32, name: i32, family: Family) -> Option<Kept> {
        let there = level != IPV6 || family == Family::V6;
        TABLE.iter().copied().find(|kept| there && (kept.level, kept.name) == (level, name))
    }

    /// The number under which the engine keeps it.
    pub(crate) fn key(self) -> u16 {
        TABLE.iter().position(|kept| (kept.level, kept.name) == (self.level, self.name)).unwrap_or(0) as u16
    }

    /// What it reads as before it was set.
    pub(crate) fn default(self) -> i32 {
        self.default
    }

    /// The value that is kept for `value`.
    ///
    /// # Errors
    /// EINVAL out of range; EPERM or EACCES without privilege.
    pub(crate) fn checked(self, value: i32, privileged: bool) -> Result<i32, Errno> {
        match self.rule {
            Rule::Switch => Ok(i32::from(value != 0)),
            Rule::PrivilegedSwitch(error) if value != 0 && !privileged => Err(error),
            Rule::PrivilegedSwitch(_) => Ok(i32::from(value != 0)),
            Rule::Range(min, max) if !(min..=max).contains(&value) => Err(Errno::EINVAL),
            Rule::Range(..) => Ok(value),
        }
    }
}
