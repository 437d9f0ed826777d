//! The timers of a connection: named slots with exact deadlines (DESIGN 4.7).
//!
//! Here are kept the deadlines that belong to no other room. The retransmission family (RTO, tail-loss probe,
//! reordering) is kept by `recovery`, the delayed acknowledgement by `receive`; [`TimerKind`] names them all,
//! so that every wake-up of a stack has a reason.

use crate::send::pacing::PacingGate;
use crate::time::Instant;

/// Why a stack wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerKind {
    /// The retransmission time-out (RFC 6298).
    Retransmit,
    /// The tail-loss probe (RFC 8985 7).
    TailLossProbe,
    /// RACK's reordering window (RFC 8985 6.2).
    Reordering,
    /// The zero-window probe (RFC 9293 3.8.6.1), or the end of a cork.
    Persist,
    /// The delayed acknowledgement (RFC 9293 3.8.6.3).
    DelayedAck,
    /// The keepalive probe (RFC 9293 3.8.4).
    Keepalive,
    /// An orphan's stay in FIN-WAIT-2.
    FinWait2,
    /// The user time-out (RFC 9293 3.8.3, RFC 5482).
    UserTimeout,
    /// Enforced pacing lets the next segment go.
    Pacing,
    /// A half-open connection's SYN,ACK.
    SynAck,
    /// The end of a TIME-WAIT.
    TimeWait,
    /// A waiting user call's own limit.
    Call,
    /// Incomplete fragments expire.
    Fragments,
    /// A neighbour is asked again, or given up.
    Neighbour,
    /// Packets of this stack to itself wait.
    Loopback,
}

impl TimerKind {
    /// The name that traces and views show.
    pub const fn name(self) -> &'static str {
        match self {
            TimerKind::Retransmit => "RTO",
            TimerKind::TailLossProbe => "TLP",
            TimerKind::Reordering => "REO",
            TimerKind::Persist => "PERSIST",
            TimerKind::DelayedAck => "DELACK",
            TimerKind::Keepalive => "KEEPALIVE",
            TimerKind::FinWait2 => "FIN-WAIT-2",
            TimerKind::UserTimeout => "USER-TIMEOUT",
            TimerKind::Pacing => "PACING",
            TimerKind::SynAck => "SYN-ACK",
            TimerKind::TimeWait => "TIME-WAIT",
            TimerKind::Call => "CALL",
            TimerKind::Fragments => "FRAGMENTS",
            TimerKind::Neighbour => "NEIGHBOUR",
            TimerKind::Loopback => "LOOPBACK",
        }
    }
}

/// One deadline each; [`Instant::NEVER`] when it is not running.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timers {
    pub(crate) persist: Instant,
    /// Keepalive while a socket owns the connection, FIN-WAIT-2 for an orphan: never both.
    pub(crate) keepalive: Instant,
    pub(crate) pacing: PacingGate,
}

impl Timers {
    pub(crate) const fn new() -> Self {
        Timers { persist: Instant::NEVER, keepalive: Instant::NEVER, pacing: PacingGate::open() }
    }

    pub(crate) fn stop_all(&mut self) {
        *self = Timers::new();
    }
}
