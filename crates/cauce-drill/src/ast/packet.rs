//! Packets as they are written.

use cauce_wire::Flags;

use super::Spanned;

/// Which way a packet goes, seen from the stack under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `<`: injected.
    In,
    /// `>`: expected.
    Out,
}

/// One packet.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    /// Which way it goes.
    pub direction: Direction,
    /// What is said about its IP header.
    pub ip: IpFields,
    /// What it carries.
    pub payload: Payload,
}

/// What a packet carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// TCP.
    Tcp(TcpPacket),
    /// An ICMP error about an earlier segment.
    Icmp(IcmpPacket),
}

/// The bracketed words about the IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IpFields {
    /// `noecn`, `ect0`, `ect1`, `ect01`, `ce`.
    pub ecn: Option<Ecn>,
    /// `tos 0x10`: the whole byte.
    pub tos: Option<u8>,
    /// `flowlabel 0x12345`.
    pub flow_label: Option<u32>,
    /// `ttl 64`.
    pub ttl: Option<u8>,
    /// `df` and `nodf`: the bit of IPv4.
    pub dont_fragment: Option<bool>,
}

/// The ECN word of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ecn {
    /// Not ECN-capable.
    None,
    /// ECT(0).
    Ect0,
    /// ECT(1).
    Ect1,
    /// ECT(0) or ECT(1); sent as ECT(0).
    Either,
    /// Congestion experienced.
    Ce,
}

/// A TCP segment.
#[derive(Debug, Clone, PartialEq)]
pub struct TcpPacket {
    /// `source > destination`, when both are written.
    pub ports: Option<(u16, u16)>,
    /// The flags, an ACE digit resolved to its three bits.
    pub flags: Spanned<Flags>,
    /// First sequence number.
    pub seq: u32,
    /// Bytes of payload.
    pub len: u16,
    /// Where the sequence numbers stand.
    pub seq_span: super::Span,
    /// `ack N`.
    pub ack: Option<Spanned<u32>>,
    /// `win N`.
    pub window: Option<Spanned<u16>>,
    /// `urg N`.
    pub urgent: Option<Spanned<u16>>,
    /// The options.
    pub options: OptionList,
}

/// The options of a segment.
#[derive(Debug, Clone, PartialEq)]
pub enum OptionList {
    /// `<...>`: they are not looked at.
    Any,
    /// These, in this order; none when nothing is written.
    These(Vec<Spanned<TcpOption>>),
}

/// One option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TcpOption {
    /// `nop`
    Nop,
    /// `eol`
    Eol,
    /// `mss 1460`
    Mss(u16),
    /// `wscale 7`
    WindowScale(u8),
    /// `sackOK`
    SackPermitted,
    /// `sack 1:2 3:4`
    Sack(Vec<(u32, u32)>),
    /// `TS val 1 ecr 2`
    Timestamps {
        /// TSval.
        val: u32,
        /// TSecr.
        ecr: u32,
    },
    /// `FO` and `FOEXP`, with a cookie or (empty) asking for one.
    FastOpen {
        /// Kind 254 with its magic instead of kind 34.
        experimental: bool,
        /// The cookie.
        cookie: Vec<u8>,
    },
    /// `md5`, with the digest if it is written.
    Md5(Option<[u8; 16]>),
    /// `ECN e1b 1 ceb 0 e0b 1`: Accurate ECN, its counters in the order of the wire.
    AccEcn(AccEcnOrder, Vec<u32>),
    /// `ECN ceb 1`: Accurate ECN of either order with this CE counter; the others are not looked at.
    AccEcnCe(u32),
    /// An option that the language has no word for: kind and data. Only live packets have it.
    Other(u8, Vec<u8>),
}

/// Which counter of an Accurate ECN option comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccEcnOrder {
    /// Kind 172.
    E0First,
    /// Kind 174.
    E1First,
}

/// Whose ICMP it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IcmpFamily {
    /// ICMP.
    V4,
    /// ICMPv6.
    V6,
}

/// An ICMP error.
#[derive(Debug, Clone, PartialEq)]
pub struct IcmpPacket {
    /// Whose it is.
    pub family: IcmpFamily,
    /// Type.
    pub icmp_type: u8,
    /// Code.
    pub code: u8,
    /// `mtu N`.
    pub mtu: Option<u32>,
    /// The quoted segment's sequence numbers; 0 without payload when none are written.
    pub quoted: Option<(u32, u16)>,
}
