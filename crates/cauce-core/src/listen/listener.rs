//! A passive socket: where it listens, what its children inherit, and who waits to be accepted
//! (RFC 9293 3.10.1, 3.10.7.2; A-24, P-001, P-005).
//!
//! The handshake itself is kept in the SYN queue; this is what the user of LISTEN sees.

use super::accept_queue::AcceptQueue;
use super::fast_open::PendingOpens;
use crate::socket::options::SocketOptions;
use crate::socket::{AlgorithmChoice, Family};
use crate::stack::listeners::ListenAddr;
use crate::time::Instant;

/// A listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) family: Family,
    pub(crate) options: SocketOptions,
    pub(crate) at: ListenAddr,
    /// The bits that its port is held with.
    pub(crate) hold: crate::stack::PortHold,
    pub(crate) accept: AcceptQueue,
    /// Connections that their SYN has opened (Fast Open).
    pub(crate) opens: PendingOpens,
    /// Its congestion control, which children inherit if the user has chosen it.
    pub(crate) algorithm: AlgorithmChoice,
    /// What a lost connection of this socket left behind, until SO_ERROR tells it.
    pub(crate) error: Option<crate::socket::errno::Errno>,
    /// What a connection before it left in the socket.
    pub(crate) leftover: crate::socket::leftover::Leftover,
    /// When a SYN cookie was last sent, if ever: without one no ACK is taken for a cookie.
    pub(crate) last_cookie: Option<Instant>,
    /// The operator has been told of a flood of SYNs to it.
    pub(crate) flood_told: bool,
    /// In the stack's list of events.
    pub(crate) in_events: bool,
}
