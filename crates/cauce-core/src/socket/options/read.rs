//! What an option reads as (getsockopt), with the values that Linux gives.
//!
//! Some options read differently from what was stored: doubled buffers, periods rounded to time-outs, the
//! system's value where the socket has none of its own. What depends on the state of the socket comes in as a
//! [`Seen`], so that the rules stand here in one place.

use super::{RareOptions, SocketOptions, flag, rare_flag};
use crate::connection::state::State;
use crate::socket::Family;
use crate::socket::errno::Errno;
use crate::sysctl::Sysctls;
use crate::time::Duration;
use alloc::string::String;
use alloc::vec::Vec;

macro_rules! names {
    ($($name:ident $doc:literal;)*) => {
        /// An option that can be read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum OptionName {
            $(#[doc = $doc] $name,)*
        }

        impl OptionName {
            /// All of them.
            pub const ALL: &[OptionName] = &[$(OptionName::$name,)*];
        }
    };
}

names! {
    NoDelay "TCP_NODELAY.";
    Cork "TCP_CORK.";
    QuickAck "TCP_QUICKACK: acknowledgements leave at once.";
    KeepAlive "SO_KEEPALIVE.";
    KeepIdle "TCP_KEEPIDLE in seconds.";
    KeepInterval "TCP_KEEPINTVL in seconds.";
    KeepCount "TCP_KEEPCNT.";
    UserTimeout "TCP_USER_TIMEOUT in milliseconds.";
    Linger "SO_LINGER.";
    Linger2 "TCP_LINGER2 in seconds, -1 for no stay.";
    SynCount "TCP_SYNCNT.";
    MaxSegment "TCP_MAXSEG in bytes.";
    WindowClamp "TCP_WINDOW_CLAMP in bytes.";
    SendBuffer "SO_SNDBUF in bytes, doubled.";
    RecvBuffer "SO_RCVBUF in bytes, doubled.";
    SendLowat "SO_SNDLOWAT: always 1.";
    RecvLowat "SO_RCVLOWAT in bytes.";
    ReuseAddr "SO_REUSEADDR.";
    ReusePort "SO_REUSEPORT.";
    V6Only "IPV6_V6ONLY.";
    Ttl "IP_TTL.";
    UnicastHops "IPV6_UNICAST_HOPS.";
    Tos "IP_TOS.";
    TrafficClass "IPV6_TCLASS.";
    Mtu "IP_MTU or IPV6_MTU in bytes.";
    MtuDiscover "IP_MTU_DISCOVER.";
    MtuDiscover6 "IPV6_MTU_DISCOVER.";
    MinTtl "IP_MINTTL.";
    MinHopCount "IPV6_MINHOPCOUNT.";
    RecvErr "IP_RECVERR.";
    RecvErr6 "IPV6_RECVERR.";
    BufLock "SO_BUF_LOCK.";
    DontRoute "SO_DONTROUTE.";
    BindAddressNoPort "IP_BIND_ADDRESS_NO_PORT.";
    LocalPortRange "IP_LOCAL_PORT_RANGE: the lowest port in the low half, the highest in the high half.";
    OobInline "SO_OOBINLINE.";
    NotSentLowat "TCP_NOTSENT_LOWAT in bytes.";
    Transparent "IP_TRANSPARENT.";
    FreeBind "IP_FREEBIND.";
    DeferAccept "TCP_DEFER_ACCEPT in seconds.";
    MaxPacingRate "SO_MAX_PACING_RATE in bytes per second.";
    RecvTimeout "SO_RCVTIMEO.";
    SendTimeout "SO_SNDTIMEO.";
    Error "SO_ERROR: the pending error, which is taken away, or 0.";
    AcceptConn "SO_ACCEPTCONN: the socket listens.";
    Type "SO_TYPE.";
    Protocol "SO_PROTOCOL.";
    Domain "SO_DOMAIN.";
    Priority "SO_PRIORITY.";
    Mark "SO_MARK.";
    BindToDevice "SO_BINDTODEVICE: the device's name.";
    IncomingCpu "SO_INCOMING_CPU.";
    Cookie "SO_COOKIE: a number that no other socket of the stack ever has.";
    MemInfo "SO_MEMINFO: nine counts of bytes.";
    ZeroCopy "SO_ZEROCOPY.";
    Inq "TCP_INQ.";
    SaveSyn "TCP_SAVE_SYN.";
    SavedSyn "TCP_SAVED_SYN: the headers of the peer's SYN, which are taken away.";
    TxRehash "SO_TXREHASH.";
    ThinLinearTimeouts "TCP_THIN_LINEAR_TIMEOUTS.";
    ThinDupAck "TCP_THIN_DUPACK: always 0.";
    RtoMax "TCP_RTO_MAX_MS.";
    RtoMin "TCP_RTO_MIN_US.";
    DelackMax "TCP_DELACK_MAX_US.";
    Timestamp "TCP_TIMESTAMP: the value that a segment sent now would carry.";
    Timestamping "SO_TIMESTAMPING.";
    ReceiveTimestamp "SO_TIMESTAMP.";
    ReceiveTimestampNanos "SO_TIMESTAMPNS.";
    PeekOffset "SO_PEEK_OFF.";
    FastOpen "TCP_FASTOPEN: most connections that wait for the end of their handshake.";
    FastOpenConnect "TCP_FASTOPEN_CONNECT.";
    FastOpenNoCookie "TCP_FASTOPEN_NO_COOKIE.";
    FastOpenKey "TCP_FASTOPEN_KEY: the listener's own keys; nothing when it uses the system's.";
    Congestion "TCP_CONGESTION: the algorithm's name.";
}

/// What an option reads as. The byte layout belongs to the descriptor faces.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionValue {
    /// An `int`; switches are 0 and 1.
    Int(i32),
    /// 64 bits (SO_COOKIE, SO_MAX_PACING_RATE).
    Long(u64),
    /// `struct linger`: on, and seconds.
    Linger {
        /// `l_onoff`.
        on: bool,
        /// `l_linger`, kept while the option is off.
        seconds: u32,
    },
    /// `struct timeval`.
    Time(Duration),
    /// Text or bytes of any length.
    Bytes(Vec<u8>),
    /// SO_MEMINFO, in the order of Linux's SK_MEMINFO_* numbers.
    Words([u32; 9]),
}

/// What some options depend on beside the options themselves.
pub(crate) struct Seen {
    pub(crate) state: State,
    pub(crate) family: Family,
    /// Payload bytes of a full segment; 536 before there is a connection.
    pub(crate) mss: u16,
    pub(crate) window_clamp: u32,
    pub(crate) quick_ack: bool,
    /// Path MTU, with a connection or after one.
    pub(crate) mtu: Option<u32>,
    /// The value of our timestamp clock.
    pub(crate) timestamp: u32,
    pub(crate) memory: [u32; 9],
    pub(crate) cookie: u64,
}

impl SocketOptions {
    /// What `name` reads as. Names that stand for more than options are answered by the stack before.
    pub(crate) fn read(&self, name: OptionName, seen: &Seen, sysctl: &Sysctls) -> Result<OptionValue, Errno> {
        use OptionName as N;
        let default = RareOptions::default();
        let rare = self.rare.as_deref().unwrap_or(&default);
        let switch = |on: bool| OptionValue::Int(i32::from(on));
        let int = |value: u32| OptionValue::Int(value as i32);
        Ok(match name {
            N::NoDelay => switch(self.has(flag::NODELAY)),
            N::Cork => switch(self.has(flag::CORK)),
            N::QuickAck => switch(seen.quick_ack),
            N::KeepAlive => switch(self.has(flag::KEEPALIVE)),
            N::KeepIdle => int(self.keep_idle(sysctl).as_secs() as u32),
            N::KeepInterval => int(self.keep_interval(sysctl).as_secs() as u32),
            N::KeepCount => int(self.keep_count(sysctl)),
            N::UserTimeout => int(self.user_timeout),
            N::Linger => OptionValue::Linger { on: self.has(flag::LINGER), seconds: self.linger },
            N::Linger2 => OptionValue::Int(match self.linger2 {
                0 => sysctl.tcp_fin_timeout as i32,
                seconds => i32::from(seconds),
            }),
            N::SynCount if self.syn_count == 0 => int(sysctl.tcp_syn_retries as u32),
            N::SynCount => int(u32::from(self.syn_count)),
            N::MaxSegment => int(u32::from(self.max_segment_seen(seen))),
            N::WindowClamp => int(seen.window_clamp),
            N::SendBuffer => int(self.send_buffer),
            N::RecvBuffer => int(self.recv_buffer),
            N::SendLowat => OptionValue::Int(1),
            N::RecvLowat => int(self.recv_lowat),
            N::ReuseAddr => switch(self.has(flag::REUSEADDR)),
            N::ReusePort => switch(self.has(flag::REUSEPORT)),
            N::V6Only if seen.family == Family::V4 => return Err(Errno::ENOPROTOOPT),
            N::V6Only => switch(self.has(flag::V6ONLY)),
            N::Ttl => int(u32::from(self.hop_limit(true, sysctl))),
            N::UnicastHops => int(u32::from(self.hop_limit(false, sysctl))),
            N::Tos => int(u32::from(self.tos)),
            N::TrafficClass => int(u32::from(self.traffic_class(false))),
            N::Mtu => int(seen.mtu.ok_or(Errno::ENOTCONN)?),
            N::MtuDiscover => int(u32::from(self.mtu_discover)),
            N::MtuDiscover6 => int(u32::from(rare.v6.mtu_discover)),
            N::MinTtl => int(u32::from(rare.min_ttl)),
            N::MinHopCount => int(u32::from(rare.v6.min_hops)),
            N::RecvErr => switch(self.has(flag::RECVERR)),
            N::RecvErr6 => switch(rare.v6.recv_err),
            N::BufLock => {
                let locks = [(flag::SNDBUF_LOCK, 1), (flag::RCVBUF_LOCK, 2)];
                int(locks.iter().filter(|(lock, _)| self.has(*lock)).map(|(_, bit)| bit).sum())
            }
            N::DontRoute => switch(self.has_rare(rare_flag::DONTROUTE)),
            N::BindAddressNoPort => switch(self.has_rare(rare_flag::ADDRESS_ONLY)),
            N::LocalPortRange => int(u32::from(rare.ports.0) | u32::from(rare.ports.1) << 16),
            N::OobInline => switch(self.has(flag::OOBINLINE)),
            N::NotSentLowat => int(rare.notsent_lowat.unwrap_or(0)),
            N::Transparent => switch(self.has(flag::TRANSPARENT)),
            N::FreeBind => switch(self.has(flag::FREEBIND)),
            N::DeferAccept => int(period_of(self.defer_accept)),
            N::MaxPacingRate => OptionValue::Long(rare.max_pacing_rate),
            N::RecvTimeout => OptionValue::Time(rare.recv_timeout),
            N::SendTimeout => OptionValue::Time(rare.send_timeout),
            N::AcceptConn => switch(seen.state == State::Listen),
            N::Type => OptionValue::Int(SOCK_STREAM),
            N::Protocol => OptionValue::Int(i32::from(crate::send::segmentize::PROTOCOL_TCP)),
            N::Domain => OptionValue::Int(if seen.family == Family::V4 { AF_INET } else { AF_INET6 }),
            N::Priority => OptionValue::Int(rare.priority),
            N::Mark => int(rare.mark),
            N::IncomingCpu => OptionValue::Int(rare.incoming_cpu),
            N::Cookie => OptionValue::Long(seen.cookie),
            N::MemInfo => OptionValue::Words(seen.memory),
            N::ZeroCopy => switch(self.has_rare(rare_flag::ZEROCOPY)),
            N::Inq => switch(self.has_rare(rare_flag::INQ)),
            N::SaveSyn => int(u32::from(rare.save_syn)),
            N::TxRehash => switch(!self.has(flag::NO_REHASH)),
            N::ThinLinearTimeouts => switch(self.has_rare(rare_flag::THIN_LINEAR)),
            N::ThinDupAck => OptionValue::Int(0),
            N::RtoMax => int(self.rto_max_ms()),
            N::RtoMin => int(self.rto_min_us()),
            N::DelackMax => int(self.delack_max_us()),
            N::Timestamp => int(seen.timestamp),
            N::Timestamping => int(rare.timestamping.bits()),
            N::ReceiveTimestamp => {
                switch(self.has_rare(rare_flag::STAMP) && !self.has_rare(rare_flag::STAMP_NANOS))
            }
            N::ReceiveTimestampNanos => switch(self.has_rare(rare_flag::STAMP_NANOS)),
            N::PeekOffset => OptionValue::Int(rare.peek_offset),
            N::FastOpen => int(rare.fast_open),
            N::FastOpenConnect => switch(self.has_rare(rare_flag::FASTOPEN_CONNECT)),
            N::FastOpenNoCookie => switch(self.has_rare(rare_flag::FASTOPEN_NO_COOKIE)),
            N::FastOpenKey => OptionValue::Bytes(rare.fast_open_keys.to_bytes()),
            N::Error | N::SavedSyn | N::BindToDevice | N::Congestion => return Err(Errno::ENOPROTOOPT),
        })
    }

    /// TCP_MAXSEG reads what was set only while there is no connection (O-09).
    fn max_segment_seen(&self, seen: &Seen) -> u16 {
        let unconnected = matches!(seen.state, State::Closed | State::Listen);
        if unconnected && self.max_segment != 0 { self.max_segment } else { seen.mss }
    }
}

const SOCK_STREAM: i32 = 1;
const AF_INET: i32 = 2;
const AF_INET6: i32 = 10;

/// The seconds that so many time-outs of a SYN,ACK cover (O-03).
fn period_of(retries: u8) -> u32 {
    let (mut covered, mut step) = (0, 1);
    for _ in 0..retries {
        covered += step;
        step = (step * 2).min(120);
    }
    covered
}

/// A name as the bytes of an option.
pub(crate) fn text(name: &str) -> OptionValue {
    OptionValue::Bytes(String::from(name).into_bytes())
}
