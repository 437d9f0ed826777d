//! What few connections have, in a box that exists only for those: urgent data of the peer, an error queue,
//! notices that writes still owe, the peer's SYN, arrival times, ECN, Fast Open, a search for the path MTU.

use super::Connection;
use super::arrivals::Arrivals;
use super::ecn::Ecn;
use super::fast_open::Opening;
use super::notices::Notices;
use super::unconfirmed::{Confirmed, Unconfirmed};
use super::urgent::PeerUrgent;
use crate::send::path_mtu::PathProbing;
use crate::socket::error_queue::ErrorQueue;
use alloc::boxed::Box;
use bytes::Bytes;

/// The rare parts of one connection.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// The peer's urgent pointer, until what it points at has been passed by the reader.
    pub(crate) urgent: Option<PeerUrgent>,
    pub(crate) errors: ErrorQueue,
    pub(crate) notices: Notices,
    /// The headers of the peer's SYN (TCP_SAVED_SYN), until they are read.
    pub(crate) saved_syn: Option<Bytes>,
    pub(crate) arrivals: Arrivals,
    /// Explicit congestion notification, where it is used or marks have arrived.
    pub(crate) ecn: Option<Box<Ecn>>,
    /// Fast Open of an active connection.
    pub(crate) opening: Option<Box<Opening>>,
    /// The SYN carried data, and has been acknowledged with it (Fast Open).
    pub(crate) syn_data_acked: bool,
    /// A SYN has opened it, and was answered by this connection (Fast Open).
    pub(crate) opened_by_syn: bool,
    /// Time-outs after which the packets took no other way.
    pub(crate) not_rehashed: u16,
    /// The open handshake of a passive connection that its SYN has opened.
    pub(crate) unconfirmed: Option<Box<Unconfirmed>>,
    /// How that handshake has ended, until the listener knows.
    pub(crate) confirmed: Option<Confirmed>,
    /// The highest acknowledgement of a segment that was refused for its place; 0 without any.
    pub(crate) heard: u64,
    /// The search for the path MTU, where one goes on.
    pub(crate) probing: Option<Box<PathProbing>>,
    /// The user has shut it down before he asked how its handshake went: connect(2) will not tell any more.
    pub(crate) never_told: bool,
}

impl Rare {
    /// True when the box holds nothing that is still needed.
    pub(crate) fn is_empty(&self) -> bool {
        self.urgent.is_none()
            && self.errors.is_empty()
            && self.notices.is_unused()
            && self.saved_syn.is_none()
            && self.arrivals.is_unused()
            && self.ecn.is_none()
            && self.opening.is_none()
            && !self.syn_data_acked
            && !self.opened_by_syn
            && self.not_rehashed == 0
            && self.unconfirmed.is_none()
            && self.confirmed.is_none()
            && self.heard == 0
            && self.probing.is_none()
            && !self.never_told
    }
}

impl Connection {
    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// The peer's urgent pointer, if the reader has not passed it.
    pub(crate) fn peer_urgent(&self) -> Option<&PeerUrgent> {
        self.rare.as_ref().and_then(|rare| rare.urgent.as_ref())
    }
}
