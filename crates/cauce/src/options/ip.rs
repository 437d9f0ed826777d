//! Options of IPv4 and IPv6 (REQUIREMENTS O-50 to O-57). Those that end in `_v6` are no options of an IPv4 socket.

use super::{int, make, on, options, reads, writes};
use crate::listener::TcpListener;
use crate::socket::TcpSocket;
use crate::stream::TcpStream;
use cauce_core::socket::options::{OptionName, SocketOption};
use std::io;

/// How the MTU of the path is found (IP_MTU_DISCOVER, IPV6_MTU_DISCOVER).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(i32)]
pub enum PathMtuDiscovery {
    /// ICMP tells it, and routers may fragment IPv4 packets meanwhile.
    Dont = 0,
    /// ICMP tells it, unless the route has a locked MTU.
    #[default]
    Want = 1,
    /// ICMP tells it.
    Do = 2,
    /// It is the interface's, whatever ICMP says, so that larger packets can probe the path.
    Probe = 3,
    /// It is the interface's, whatever ICMP says.
    Interface = 4,
    /// It is the interface's, and what is larger may be fragmented.
    Omit = 5,
}

impl PathMtuDiscovery {
    fn of(number: u64) -> PathMtuDiscovery {
        use PathMtuDiscovery::*;
        [Dont, Want, Do, Probe, Interface, Omit]
            .into_iter()
            .find(|mode| *mode as u64 == number)
            .unwrap_or_default()
    }
}

options! { [TcpSocket TcpStream TcpListener] {
    /// How few hops IPv4 packets that arrive may have left (IP_MINTTL); 0 for any.
    min_ttl_v4 -> u32 = MinTtl as |hops| hops as u32;
    /// Sets IP_MINTTL, 0 to 255: segments with fewer hops left are dropped.
    set_min_ttl_v4(hops) = SocketOption::MinTtl(int(hops)), example "254";

    /// How few hops IPv6 packets that arrive may have left (IPV6_MINHOPCOUNT); 0 for any.
    min_hops_v6 -> u32 = MinHopCount as |hops| hops as u32;
    /// Sets IPV6_MINHOPCOUNT, 0 to 255.
    set_min_hops_v6(hops) = SocketOption::MinHopCount(int(hops)), example "254";

    /// How the MTU of IPv4 paths is found (IP_MTU_DISCOVER).
    mtu_discover_v4 -> PathMtuDiscovery = MtuDiscover as PathMtuDiscovery::of;
    /// Sets IP_MTU_DISCOVER.
    set_mtu_discover_v4(mode) = SocketOption::MtuDiscover(mode as i32), example "cauce::PathMtuDiscovery::Dont";

    /// How the MTU of IPv6 paths is found (IPV6_MTU_DISCOVER).
    mtu_discover_v6 -> PathMtuDiscovery = MtuDiscover6 as PathMtuDiscovery::of;
    /// Sets IPV6_MTU_DISCOVER.
    set_mtu_discover_v6(mode) = SocketOption::MtuDiscover6(mode as i32), example "cauce::PathMtuDiscovery::Do";

    /// True when ICMP errors are told at once (IP_RECVERR).
    recverr_v4 -> bool = RecvErr as on;
    /// Sets IP_RECVERR: an ICMP error that would be remembered only fails the next call, and
    /// [`TcpStream::recv_error`] tells the whole of it. The connection lives on.
    set_recverr_v4(recverr) = SocketOption::RecvErr(recverr), example "true";

    /// True when ICMPv6 errors are told at once (IPV6_RECVERR).
    recverr_v6 -> bool = RecvErr6 as on;
    /// Sets IPV6_RECVERR, the twin of [`TcpStream::set_recverr_v4`].
    set_recverr_v6(recverr) = SocketOption::RecvErr6(recverr), example "true";
}}

options! { [TcpStream TcpListener] {
    /// Type of service of IPv4 packets, without the ECN bits (IP_TOS).
    tos_v4 -> u32 = Tos as |tos| tos as u32;
    /// Sets the type of service of IPv4 packets (IP_TOS); the ECN bits stay TCP's own.
    set_tos_v4(tos) = SocketOption::Tos(tos as i32), example "0x20";

    /// Traffic class of IPv6 packets, without the ECN bits (IPV6_TCLASS).
    tclass_v6 -> u32 = TrafficClass as |class| class as u32;
    /// Sets the traffic class of IPv6 packets, 0 to 255 (IPV6_TCLASS); the ECN bits stay TCP's own.
    set_tclass_v6(tclass) = SocketOption::TrafficClass(int(tclass)), example "0x20";
}}

options! { [TcpSocket] {
    /// True when the socket may bind to an address that the netstack does not have yet (IP_FREEBIND).
    freebind -> bool = FreeBind as on;
    /// Sets IP_FREEBIND.
    set_freebind(freebind) = SocketOption::FreeBind(freebind), example "true";

    /// True when binding to port 0 leaves the port to [`TcpSocket::connect`] (IP_BIND_ADDRESS_NO_PORT).
    bind_address_no_port -> bool = BindAddressNoPort as on;
    /// Sets IP_BIND_ADDRESS_NO_PORT: many sockets may then share a port, as long as their peers differ.
    set_bind_address_no_port(later) = SocketOption::BindAddressNoPort(later), example "true";

    /// The lowest and the highest port that are chosen for this socket, 0 for the system's (IP_LOCAL_PORT_RANGE).
    local_port_range -> (u16, u16) = LocalPortRange as |range| (range as u16, (range >> 16) as u16);
    /// Sets IP_LOCAL_PORT_RANGE; what lies outside of the system's range does not count.
    set_local_port_range(range) = SocketOption::LocalPortRange(u32::from(range.0) | u32::from(range.1) << 16),
        example "(40_000, 40_100)";
}}

impl TcpStream {
    /// The largest IP packet in bytes, headers included, that the path is believed to carry (IP_MTU, IPV6_MTU).
    ///
    /// # Errors
    /// `NotConnected` when the connection is over.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// assert_eq!(client.path_mtu()?, 1500);
    /// # Ok(()) }
    /// ```
    pub fn path_mtu(&self) -> io::Result<u32> {
        self.handle.number(OptionName::Mtu).map(|bytes| bytes as u32)
    }
}
