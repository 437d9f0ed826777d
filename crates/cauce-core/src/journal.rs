//! What the operator should know although no call tells it: a user time-out (RFC 9293 3.9.1.1; Q-21), a limit of the
//! whole stack that has cost a connection (S-27, S-29), SYNs refused for their address (S-49), a flood of SYNs.
//!
//! A flood of remarks is held back: `net.core.message_burst` of them in `net.core.message_cost` seconds, like Linux's
//! own, and the next one to come through is preceded by how many were not told. Whoever embeds the engine decides where
//! they go; without a reader nothing is made. Typed events of single segments are the [`trace`](crate::trace)'s.

use crate::addr::FlowKey;
use crate::sysctl::Sysctls;
use crate::time::{Duration, Instant};
use alloc::boxed::Box;
use core::fmt;

/// One thing to know. Its text is made when it is displayed.
///
/// ```
/// use cauce_core::journal::Remark;
/// assert_eq!(Remark::HeldBack(12).to_string(), "12 remarks held back");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remark {
    /// TCP_USER_TIMEOUT, or keepalive, has ended this connection.
    UserTimeout(FlowKey),
    /// This connection was reset when its user left it: there are more than `tcp_max_orphans` such.
    TooManyOrphans(FlowKey),
    /// This connection without a user was reset: all sockets together hold more than `tcp_mem` allows.
    OutOfMemory(FlowKey),
    /// This connection has not gone through TIME-WAIT: there are `tcp_max_tw_buckets` already.
    TimeWaitOverflow(FlowKey),
    /// A SYN was refused because its address has sent a later timestamp (`tcp_tw_recycle`).
    OldTimestamp(FlowKey),
    /// More connections than its queue holds ask for this listening port: `cookies` answer them, or nothing does.
    SynFlood {
        /// The port.
        port: u16,
        /// SYN cookies answer.
        cookies: bool,
    },
    /// So many remarks before the next one were not told.
    HeldBack(u64),
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remark::UserTimeout(key) => write!(f, "{}: connection aborted due to user timeout", Pair(key)),
            Remark::TooManyOrphans(key) => {
                write!(f, "{}: reset, too many orphaned sockets (tcp_max_orphans)", Pair(key))
            }
            Remark::OutOfMemory(key) => write!(f, "{}: reset, out of memory (tcp_mem)", Pair(key)),
            Remark::TimeWaitOverflow(key) => {
                write!(f, "{}: no TIME-WAIT, too many of them (tcp_max_tw_buckets)", Pair(key))
            }
            Remark::OldTimestamp(key) => {
                write!(
                    f,
                    "{}: SYN refused, its address has sent a later timestamp (tcp_tw_recycle)",
                    Pair(key)
                )
            }
            Remark::SynFlood { port, cookies } => {
                let answer = if *cookies { "cookies are sent" } else { "they are dropped" };
                write!(f, "port {port}: more SYNs than its queue holds, {answer} (tcp_syncookies)")
            }
            Remark::HeldBack(count) => write!(f, "{count} remarks held back"),
        }
    }
}

/// Both ends of a connection, this host's first.
struct Pair<'a>(&'a FlowKey);

impl fmt::Display for Pair<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.local(), self.0.remote())
    }
}

/// Takes remarks: the moment of the door that was opened, and what there is to know.
pub type Reader = Box<dyn FnMut(Instant, &Remark) + Send>;

/// The way of remarks to their reader, if there is one.
#[derive(Default)]
pub struct Journal {
    reader: Option<Reader>,
    /// When the current interval began.
    since: Option<Instant>,
    /// Told in this interval, and held back in it.
    told: u32,
    held_back: u64,
}

impl Journal {
    /// Puts another reader in place (or none) and returns the one before. It must not block.
    pub fn replace(&mut self, reader: Option<Reader>) -> Option<Reader> {
        core::mem::replace(&mut self.reader, reader)
    }

    /// Tells the reader what `make` returns, or counts it when there have been too many.
    pub(crate) fn note(&mut self, now: Instant, sysctl: &Sysctls, make: impl FnOnce() -> Remark) {
        let Some(reader) = &mut self.reader else { return };
        let interval = Duration::from_secs(u64::from(sysctl.core_message_cost));
        if self.since.is_none_or(|since| now.since(since) >= interval) {
            (self.since, self.told) = (Some(now), 0);
            let held_back = core::mem::take(&mut self.held_back);
            if held_back > 0 {
                reader(now, &Remark::HeldBack(held_back));
            }
        }
        if self.told >= sysctl.core_message_burst && !interval.is_zero() {
            self.held_back = self.held_back.saturating_add(1);
            return;
        }
        self.told = self.told.saturating_add(1);
        reader(now, &make());
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.reader.is_some() { "Journal(read)" } else { "Journal(not read)" })
    }
}
