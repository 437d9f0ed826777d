//! What a connection knows of its way to the peer: device, MTU, header sizes, offloads.
//!
//! The routing table decides; a connection keeps this copy and asks again when the table's generation moves
//! (DESIGN 4.13) or when retransmissions keep failing (S-38).

use crate::frame::DeviceId;
use crate::sysctl::Sysctls;

/// A connection's copy of its route.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// The device that leads to the peer.
    pub device: DeviceId,
    /// Largest IP packet, headers included, that the path is believed to carry.
    pub mtu: u16,
    /// Most payload bytes of a super-segment, 0 when the device takes none.
    pub max_super: u16,
    /// The generation of the routing table this was copied from.
    pub generation: u32,
    /// Packets are IPv4.
    pub v4: bool,
    /// The MSS to announce at most; 0 for what the MTU gives.
    pub advmss: u16,
    /// The initial window in segments; 0 for the system's.
    pub initcwnd: u16,
    /// The receive window to start with in segments; 0 for the system's.
    pub initrwnd: u16,
    /// The route's own RTO minimum in microseconds; 0 for the system's.
    pub rto_min_us: u32,
    /// The route asks for ECN whatever `tcp_ecn` says.
    pub ecn: bool,
    /// What else there is to say of it: [`Path::MTU_LOCKED`], [`Path::QUICKACK`], [`Path::FORGOTTEN`].
    pub hints: u8,
}

impl Path {
    /// The path's MTU must not be lowered by ICMP (a locked route metric).
    pub const MTU_LOCKED: u8 = 1;
    /// Acknowledge at once, never delayed.
    pub const QUICKACK: u8 = 2;
    /// The connection has ended and its socket was bound anew: there is no way any more whose MTU could be told.
    pub const FORGOTTEN: u8 = 4;

    /// True when the route gives this hint.
    pub fn has(&self, hint: u8) -> bool {
        self.hints & hint != 0
    }

    /// Bytes of the IP header.
    pub fn network_header(&self) -> u16 {
        if self.v4 { 20 } else { 40 }
    }

    /// The initial congestion window in segments.
    pub(crate) fn initial_window(&self, sysctl: &Sysctls) -> u32 {
        match self.initcwnd {
            0 => sysctl.tcp_init_cwnd.max(1),
            segments => u32::from(segments),
        }
    }
}
