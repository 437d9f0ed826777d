//! What a socket's options come to: its own value, or the system's, or what follows from both (G-06).
//!
//! Nothing is stored or checked here.

use super::{DEFAULT_RTO_MAX_MS, DEFAULT_RTO_MIN_US, SocketOptions, flag, pmtu, rare_flag};
use crate::batch::TrafficClass;
use crate::connection::path::Path;
use crate::frame::DeviceId;
use crate::socket::timestamping::Timestamping;
use crate::stack::route::RouteQuery;
use crate::sysctl::{FastOpenKeys, Sysctls};
use crate::time::Duration;

/// The longest delay of an acknowledgement in microseconds (TCP_DELACK_MAX_US).
const DEFAULT_DELACK_MAX_US: u32 = 200_000;

impl SocketOptions {
    /// The longest time-out in milliseconds (TCP_RTO_MAX_MS, S-57).
    pub(crate) fn rto_max_ms(&self) -> u32 {
        match &self.rare {
            Some(rare) if rare.rto_max != 0 => rare.rto_max,
            _ => DEFAULT_RTO_MAX_MS,
        }
    }

    /// The same as a span.
    pub(crate) fn rto_max(&self) -> Duration {
        Duration::from_millis(self.rto_max_ms().into())
    }

    /// The shortest time-out in microseconds, unless the route says otherwise (S-58).
    pub(crate) fn rto_min_us(&self) -> u32 {
        match &self.rare {
            Some(rare) if rare.rto_min_us != 0 => rare.rto_min_us,
            _ => DEFAULT_RTO_MIN_US,
        }
    }

    /// The longest delay of an acknowledgement in microseconds (TCP_DELACK_MAX_US).
    pub(crate) fn delack_max_us(&self) -> u32 {
        match &self.rare {
            Some(rare) if rare.delack_max_us != 0 => rare.delack_max_us,
            _ => DEFAULT_DELACK_MAX_US,
        }
    }

    /// SO_MARK and SO_PRIORITY, which leave with each packet.
    pub(crate) fn class(&self) -> TrafficClass {
        self.rare.as_ref().map_or(TrafficClass::default(), |rare| TrafficClass {
            priority: rare.priority as u32,
            mark: rare.mark,
        })
    }

    /// An MSS, bounded by TCP_MAXSEG (O-09).
    pub(crate) fn at_most_asked(&self, mss: u16) -> u16 {
        if self.max_segment == 0 { mss } else { mss.min(self.max_segment) }
    }

    /// True when segments that arrive on `device` are for this socket.
    pub(crate) fn hears(&self, device: DeviceId) -> bool {
        self.rare.as_ref().is_none_or(|rare| rare.device.is_none_or(|bound| bound == device))
    }

    /// SO_INCOMING_CPU, as far as it names a queue.
    pub(crate) fn incoming_queue(&self) -> Option<u16> {
        self.rare.as_ref().and_then(|rare| u16::try_from(rare.incoming_cpu).ok())
    }

    /// IP_MINTTL, or IPV6_MINHOPCOUNT.
    pub(crate) fn min_ttl(&self, v4: bool) -> u8 {
        self.rare.as_ref().map_or(0, |rare| if v4 { rare.min_ttl } else { rare.v6.min_hops })
    }

    /// Type of service, or traffic class, of segments.
    pub(crate) fn traffic_class(&self, v4: bool) -> u8 {
        if v4 { self.tos } else { self.rare.as_ref().map_or(0, |rare| rare.v6.traffic_class) }
    }

    pub(crate) fn set_traffic_class(&mut self, v4: bool, class: u8) {
        if v4 {
            self.tos = class;
        } else if class != self.traffic_class(false) {
            self.rare_mut().v6.traffic_class = class;
        }
    }

    /// How the path's MTU is looked for: IP_MTU_DISCOVER, or its twin.
    pub(crate) fn mtu_discover(&self, v4: bool) -> u8 {
        if v4 { self.mtu_discover } else { self.rare.as_ref().map_or(1, |rare| rare.v6.mtu_discover) }
    }

    /// Routers must not cut packets of this socket. Where the path's MTU is not to be lowered, only IP_PMTUDISC_DO still
    /// forbids it (O-53).
    pub(crate) fn dont_fragment(&self, path: &Path) -> bool {
        match self.mtu_discover(path.v4) {
            pmtu::DO => true,
            pmtu::WANT => !path.has(Path::MTU_LOCKED),
            _ => false,
        }
    }

    /// ICMP errors are told at once: IP_RECVERR, or its twin.
    pub(crate) fn recv_err(&self, v4: bool) -> bool {
        if v4 { self.has(flag::RECVERR) } else { self.rare.as_ref().is_some_and(|rare| rare.v6.recv_err) }
    }

    /// IP_LOCAL_PORT_RANGE within the system's range.
    pub(crate) fn port_range(&self, system: [u16; 2]) -> [u16; 2] {
        let own = self.rare.as_ref().map_or((0, 0), |rare| rare.ports);
        let within = |port: u16| (system[0]..=system[1]).contains(&port);
        [if within(own.0) { own.0 } else { system[0] }, if within(own.1) { own.1 } else { system[1] }]
    }

    /// TCP_SAVE_SYN.
    pub(crate) fn saves_syn(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.save_syn != 0)
    }

    /// TCP_FASTOPEN: most connections that wait for the end of their handshake.
    pub(crate) fn fast_open_limit(&self) -> u32 {
        self.rare.as_ref().map_or(0, |rare| rare.fast_open)
    }

    /// TCP_FASTOPEN_KEY, if it was set.
    pub(crate) fn fast_open_keys(&self) -> Option<&FastOpenKeys> {
        self.rare.as_ref().map(|rare| &rare.fast_open_keys).filter(|keys| keys.primary().is_some())
    }

    /// TCP_QUICKACK 0 of a socket without a connection. A connection takes it over, and so does listen(), to no effect.
    pub(crate) fn take_delayed_acks(&mut self) -> bool {
        let asked = self.has_rare(rare_flag::DELAYED_ACKS);
        if asked {
            self.put_rare(rare_flag::DELAYED_ACKS, false);
        }
        asked
    }

    /// Which routes the socket takes: SO_BINDTODEVICE and SO_DONTROUTE.
    pub(crate) fn route_query(&self) -> RouteQuery {
        RouteQuery { device: self.device(), on_link: self.has_rare(rare_flag::DONTROUTE), avoid: None }
    }

    /// SO_BINDTODEVICE.
    pub(crate) fn device(&self) -> Option<DeviceId> {
        self.rare.as_ref().and_then(|rare| rare.device)
    }

    /// What SO_TIMESTAMPING asks for.
    pub(crate) fn timestamping(&self) -> Timestamping {
        self.rare.as_ref().map_or(Timestamping::NONE, |rare| rare.timestamping)
    }

    /// Time to live or hop limit of segments.
    pub(crate) fn hop_limit(&self, v4: bool, sysctl: &Sysctls) -> u8 {
        if !v4 {
            let own = self.rare.as_ref().map_or(-1, |rare| rare.v6.hops);
            return u8::try_from(own).unwrap_or(sysctl.ipv6_hop_limit);
        }
        if self.ttl != 0 { self.ttl } else { (sysctl.ip_default_ttl as u32).clamp(1, 255) as u8 }
    }

    /// Idle time before the first keepalive probe.
    pub(crate) fn keep_idle(&self, sysctl: &Sysctls) -> Duration {
        seconds(self.keep_idle, sysctl.tcp_keepalive_time as u64)
    }

    /// Spacing of unanswered keepalive probes.
    pub(crate) fn keep_interval(&self, sysctl: &Sysctls) -> Duration {
        seconds(self.keep_interval, sysctl.tcp_keepalive_intvl as u64)
    }

    /// Unanswered keepalive probes before the connection is given up.
    pub(crate) fn keep_count(&self, sysctl: &Sysctls) -> u32 {
        if self.keep_count != 0 { u32::from(self.keep_count) } else { sysctl.tcp_keepalive_probes as u32 }
    }

    /// TCP_NOTSENT_LOWAT: bytes not yet sent above which the socket is not writable.
    pub(crate) fn notsent_lowat(&self, sysctl: &Sysctls) -> u32 {
        self.rare.as_ref().and_then(|rare| rare.notsent_lowat).unwrap_or(sysctl.tcp_notsent_lowat)
    }

    /// SO_MAX_PACING_RATE in bytes per second.
    pub(crate) fn max_pacing_rate(&self) -> u64 {
        self.rare.as_ref().map_or(u64::MAX, |rare| rare.max_pacing_rate)
    }
}

fn seconds(own: u16, system: u64) -> Duration {
    Duration::from_secs(if own != 0 { u64::from(own) } else { system })
}
