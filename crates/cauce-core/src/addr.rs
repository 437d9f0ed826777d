//! Addresses and flow keys in the compact form that the tables keep.
//!
//! An IPv4 address is kept as its IPv4-mapped IPv6 address (RFC 4291 2.5.5.2), so one table serves IPv4,
//! IPv6 and dual-stack sockets. The standard library's types are used wherever a user looks.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An IPv4 or IPv6 address in sixteen bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr(pub [u8; 16]);

const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

impl Addr {
    /// The IPv6 wildcard, `::`.
    pub const UNSPECIFIED: Addr = Addr([0; 16]);

    /// True for an IPv4 address (and so for an IPv4-mapped one).
    pub fn is_v4(&self) -> bool {
        self.0[..12] == MAPPED
    }

    /// True for `0.0.0.0` and `::`.
    pub fn is_unspecified(&self) -> bool {
        self.ip().is_unspecified()
    }

    /// True for a multicast address and for the limited broadcast address, which TCP never talks to
    /// (RFC 9293 3.9.2.3, MUST-57).
    pub fn is_multicast_or_broadcast(&self) -> bool {
        match self.ip() {
            IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast(),
            IpAddr::V6(v6) => v6.is_multicast(),
        }
    }

    /// The address as the standard library writes it; mapped addresses come out as IPv4.
    pub fn ip(&self) -> IpAddr {
        if self.is_v4() {
            IpAddr::V4(Ipv4Addr::new(self.0[12], self.0[13], self.0[14], self.0[15]))
        } else {
            IpAddr::V6(Ipv6Addr::from(self.0))
        }
    }

    /// The address as an IPv6 socket sees it: IPv4 in its mapped form.
    pub fn ipv6(&self) -> Ipv6Addr {
        Ipv6Addr::from(self.0)
    }
}

impl From<IpAddr> for Addr {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Addr(v4.to_ipv6_mapped().octets()),
            IpAddr::V6(v6) => Addr(v6.octets()),
        }
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.ip(), f)
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.ip(), f)
    }
}

/// The four values that name a connection, seen from this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    /// This host's address.
    pub local: Addr,
    /// The peer's address.
    pub remote: Addr,
    /// This host's port.
    pub local_port: u16,
    /// The peer's port.
    pub remote_port: u16,
}

impl FlowKey {
    /// The key for a connection from `local` to `remote`.
    pub fn new(local: SocketAddr, remote: SocketAddr) -> Self {
        FlowKey {
            local: local.ip().into(),
            remote: remote.ip().into(),
            local_port: local.port(),
            remote_port: remote.port(),
        }
    }

    /// This host's end.
    pub fn local(&self) -> SocketAddr {
        SocketAddr::new(self.local.ip(), self.local_port)
    }

    /// The peer's end.
    pub fn remote(&self) -> SocketAddr {
        SocketAddr::new(self.remote.ip(), self.remote_port)
    }

    /// True when packets of this flow are IPv4.
    pub fn is_v4(&self) -> bool {
        self.remote.is_v4()
    }

    /// The key as the other end sees it.
    pub fn reversed(&self) -> Self {
        FlowKey {
            local: self.remote,
            remote: self.local,
            local_port: self.remote_port,
            remote_port: self.local_port,
        }
    }
}
