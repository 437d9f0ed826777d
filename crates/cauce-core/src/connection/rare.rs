//! What few connections have, in a box that exists only for those: urgent data of the peer, an error queue,
//! notices that writes still owe, the peer's SYN, arrival times, Fast Open.

use super::Connection;
use super::arrivals::Arrivals;
use super::fast_open::Opening;
use super::notices::Notices;
use super::unconfirmed::{Confirmed, Unconfirmed};
use super::urgent::PeerUrgent;
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
    /// Fast Open of an active connection.
    pub(crate) opening: Option<Box<Opening>>,
    /// The SYN carried data, and has been acknowledged with it (Fast Open).
    pub(crate) syn_data_acked: bool,
    /// The open handshake of a passive connection that its SYN has opened.
    pub(crate) unconfirmed: Option<Box<Unconfirmed>>,
    /// How that handshake has ended, until the listener knows.
    pub(crate) confirmed: Option<Confirmed>,
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
