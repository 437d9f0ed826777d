//! What happens in a random world, drawn from its seed before anything happens.
//!
//! A plan is plain data: printed, it tells what a failing seed does.

use crate::pair::{PairOptions, Side};
use crate::rng::Probability;
use cauce_core::socket::Family;
use cauce_core::time::{Duration, Instant};
use std::net::{IpAddr, SocketAddr};

/// A whole world.
#[derive(Clone, Debug)]
pub struct WorldPlan {
    /// The link, its faults and the seed.
    pub pair: PairOptions,
    /// Nothing passes either way between these moments.
    pub outage: Option<(Instant, Instant)>,
    /// From here on the path is perfect.
    pub heals_at: Instant,
    /// Which addresses connections use, and through which sockets.
    pub addressing: Addressing,
    /// Settings of each host.
    pub sysctls: [Vec<(&'static str, &'static str)>; 2],
    /// The connections.
    pub connections: Vec<ConnectionPlan>,
}

/// Addresses and the family of the sockets that use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// IPv4 through IPv6 sockets.
    Mapped,
}

impl Addressing {
    /// The address of a host, as its peers' sockets want it.
    pub fn addr(self, host: Side, port: u16) -> SocketAddr {
        let ip = match (self, host.ipv4()) {
            (Addressing::V6, _) => host.ipv6(),
            (Addressing::Mapped, IpAddr::V4(v4)) => IpAddr::V6(v4.to_ipv6_mapped()),
            (_, v4) => v4,
        };
        SocketAddr::new(ip, port)
    }

    /// The family of the sockets.
    pub fn family(self) -> Family {
        if self == Addressing::V4 { Family::V4 } else { Family::V6 }
    }
}

/// One connection. Its two ends are called A and B like the hosts where they usually are.
#[derive(Clone, Debug)]
pub struct ConnectionPlan {
    /// Which host each end is on; both on one when the connection loops.
    pub hosts: [Side; 2],
    /// When it is opened.
    pub opens_at: Instant,
    /// Who opens it.
    pub opening: Opening,
    /// Both ends wait until all bytes have arrived, then end their streams in the same nanosecond.
    pub end_together: bool,
    /// What the users at A and B do.
    pub ends: [EndPlan; 2],
}

/// How a connection comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// This end connects, the other listens.
    By(Side),
    /// Both connect to each other, B this much later than A.
    Simultaneous(Duration),
}

/// What the user at one end does.
#[derive(Clone, Debug)]
pub struct EndPlan {
    /// Bytes to send.
    pub bytes: u64,
    /// Most bytes of one send.
    pub write_size: u64,
    /// Chance to rest after a send, and for how long.
    pub write_rest: (Probability, Duration),
    /// Most bytes of one receive.
    pub read_size: u64,
    /// Chance to rest after a receive, and for how long.
    pub read_rest: (Probability, Duration),
    /// TCP_NODELAY.
    pub nodelay: bool,
    /// Keepalive after one idle second.
    pub keepalive: bool,
    /// Chance that a send announces more (MSG_MORE).
    pub more: Probability,
    /// Sends and receives without a copy.
    pub zero_copy: bool,
    /// Looks at what has arrived before taking it.
    pub peeks: bool,
    /// How the user ends it.
    pub ending: Ending,
}

/// How the user at one end parts with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// SHUTDOWN of the sending side when everything is sent, CLOSE after the peer's end.
    Shutdown,
    /// CLOSE when everything is sent and everything that the peer will send was read.
    Close,
    /// CLOSE this long after the opening, whatever is under way.
    CloseAfter(Duration),
    /// ABORT this long after the opening.
    AbortAfter(Duration),
}

impl Ending {
    /// True when bytes under way may be lost by the user's own will.
    pub const fn is_rude(self) -> bool {
        matches!(self, Ending::CloseAfter(_) | Ending::AbortAfter(_))
    }
}

/// When worlds begin: not at zero, so that "never" and "at once" differ.
pub const START: Instant = Instant::from_secs(100);
