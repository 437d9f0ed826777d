//! What the two SYNs agreed on (RFC 7323, 2018, 6691; P-046, P-110 to P-112).
//!
//! The wire room says which options stood in a header; here is decided what they mean for a connection.

use crate::addr::FlowKey;
use crate::socket::options::SocketOptions;
use crate::sysctl::Sysctls;
use cauce_wire::TcpOptions;

/// The MSS taken for a peer of IPv4 that names none (RFC 9293 3.7.1, MUST-15).
pub const DEFAULT_MSS: u16 = 536;
/// The same with IPv6.
const DEFAULT_MSS_V6: u16 = 1220;
/// Header bytes that the timestamp option takes from every segment, with its padding.
pub const TIMESTAMP_SPACE: u16 = 12;
/// Largest window shift (RFC 7323 2.3).
pub const MAX_WINDOW_SCALE: u8 = 14;

/// The MSS taken for a peer that names none.
pub fn default_mss(key: &FlowKey) -> u16 {
    if key.is_v4() { DEFAULT_MSS } else { DEFAULT_MSS_V6 }
}

/// The agreement, and before it our offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Negotiated {
    /// Both sides use window scaling.
    pub window_scaling: bool,
    /// Both sides use timestamps.
    pub timestamps: bool,
    /// Both sides permit SACK.
    pub sack: bool,
    /// Shift of the windows that we offer.
    pub rcv_scale: u8,
    /// Shift of the windows that the peer offers.
    pub snd_scale: u8,
    /// The largest segment that the peer's SYN and TCP_MAXSEG allow, options of the header included: the peer's MSS
    /// option, or the default, never below tcp_min_snd_mss (S-73), and at most what the user asked for (O-09).
    pub peer_mss: u16,
    /// The MSS that we announced.
    pub advertised_mss: u16,
}

impl Negotiated {
    /// What we offer in a SYN of our own: what we can do, unless it is kept for answers.
    pub fn offer(key: &FlowKey, advertised_mss: u16, rcv_scale: u8, sysctl: &Sysctls) -> Self {
        let able = Self::able(key, advertised_mss, rcv_scale, sysctl);
        let offers = sysctl.tcp_offer_rfc1323 != 0;
        Negotiated {
            window_scaling: able.window_scaling && offers,
            timestamps: able.timestamps && offers,
            ..able
        }
    }

    /// What we can do, and agree to when the peer's SYN asks for it.
    pub fn able(key: &FlowKey, advertised_mss: u16, rcv_scale: u8, sysctl: &Sysctls) -> Self {
        Negotiated {
            window_scaling: sysctl.tcp_window_scaling != 0,
            timestamps: sysctl.tcp_timestamps != 0,
            sack: sysctl.tcp_sack != 0,
            rcv_scale,
            snd_scale: 0,
            peer_mss: default_mss(key),
            advertised_mss,
        }
    }

    /// Narrows an offer to what the peer's SYN has too, and to the user's TCP_MAXSEG as it is now.
    pub fn agree(mut self, theirs: &TcpOptions, options: &SocketOptions, sysctl: &Sysctls) -> Self {
        let least = sysctl.least_mss();
        if let Some(mss @ 1..) = theirs.mss {
            self.peer_mss = mss.max(least);
        }
        self.peer_mss = options.at_most_asked(self.peer_mss);
        self.timestamps &= theirs.timestamps.is_some();
        self.sack &= theirs.sack_permitted;
        match theirs.window_scale {
            Some(shift) if self.window_scaling => self.snd_scale = shift.min(MAX_WINDOW_SCALE),
            _ => {
                self.window_scaling = false;
                self.snd_scale = 0;
                self.rcv_scale = 0;
            }
        }
        self
    }

    /// Header bytes that options take from every data segment.
    pub fn option_space(&self) -> u16 {
        if self.timestamps { TIMESTAMP_SPACE } else { 0 }
    }
}
