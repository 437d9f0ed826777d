//! What stands in a stack, socket by socket: the data of `/proc/net/tcp`, `ss` and `netstat` (Q-30, Q-31).
//!
//! It only reads. Which of it is shown, and in which words, is decided by whoever prints it (`cauce-posix`).
//! Listeners come first, then connections, half-open records and TIME-WAITs, each kind in the order of its table,
//! so that two listings of the same stack are the same text.

use super::entity::Owner;
use super::time_wait::Substate;
use super::{Entry, Stack};
use crate::connection::state::State;
use crate::connection::timers::TimerKind;
use crate::connection::{Connection, flag};
use crate::frame::DeviceId;
use crate::listen::listener::Listener;
use crate::recovery::RecoveryTimer;
use crate::socket::options::flag as option;
use crate::socket::tcp_info::TcpInfo;
use crate::socket::{Family, SocketId};
use crate::time::Instant;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use slotmap::Key;

/// One line of a listing.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The socket; `None` for half-open connections and TIME-WAITs, which no user has.
    pub id: Option<SocketId>,
    /// A number that no other line has, and that stays while the entry lives.
    pub cookie: u64,
    /// The state.
    pub state: State,
    /// The family of its socket: an IPv6 socket may speak to an IPv4 peer. A record that no socket owns any more
    /// has the family of its addresses.
    pub family: Family,
    /// The address of this side; unspecified where a listener takes every address.
    pub local: SocketAddr,
    /// The peer's address; unspecified, with port 0, for listeners.
    pub remote: SocketAddr,
    /// Bytes received and not yet read, a FIN counted; on a listener, connections that wait for accept.
    pub recv_queue: u32,
    /// Bytes written and not yet acknowledged, SYN and FIN counted; on a listener, the backlog.
    pub send_queue: u32,
    /// The timer that Linux would show, if one of those runs.
    pub timer: Option<ShownTimer>,
    /// Retransmission time-outs in a row.
    pub retransmits: u8,
    /// Unanswered keepalive or window probes.
    pub probes: u8,
    /// A user has it: neither orphaned nor waiting for accept.
    pub owned: bool,
    /// The user sees the peer's IPv4 connections too, unless this is set.
    pub v6_only: bool,
    /// SO_BINDTODEVICE; [`Stack::device_name`] tells its name.
    pub device: Option<DeviceId>,
    /// SO_MARK.
    pub mark: u32,
    /// Acknowledgements may wait for the user's answer ("pingpong").
    pub interactive: bool,
    /// Directions that are shut down: 1 receiving, 2 sending.
    pub shutdown: u8,
    /// What only sockets have.
    pub details: Option<Box<Details>>,
}

/// What a listing shows of a listener or of a whole connection.
#[derive(Clone, Debug)]
pub struct Details {
    /// TCP_INFO.
    pub info: TcpInfo,
    /// The name of its congestion control.
    pub algorithm: String,
    /// What its queues hold and may hold.
    pub memory: MemoryUse,
    /// The application, not the network, limits the rate.
    pub app_limited: bool,
    /// IP_TOS.
    pub tos: u8,
    /// IPV6_TCLASS.
    pub traffic_class: u8,
    /// SO_PRIORITY.
    pub priority: u32,
}

/// Memory of one socket, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Held by received data.
    pub receive: u32,
    /// SO_RCVBUF.
    pub receive_limit: u32,
    /// Held by data to send and what was sent and not yet acknowledged, with what each packet of it costs beside its
    /// bytes.
    pub send: u32,
    /// SO_SNDBUF.
    pub send_limit: u32,
}

/// A timer that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownTimer {
    /// Which one.
    pub kind: TimerKind,
    /// When it goes off.
    pub at: Instant,
}

/// The sums that `/proc/net/sockstat` shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketCounts {
    /// Listeners and connections of IPv4 sockets.
    pub in_use_v4: usize,
    /// Listeners and connections of IPv6 sockets.
    pub in_use_v6: usize,
    /// Connections that no user owns any more.
    pub orphans: usize,
    /// TIME-WAITs.
    pub time_waits: usize,
    /// Sockets that exist.
    pub allocated: usize,
    /// Pages of 4096 bytes in all queues.
    pub pages: u64,
}

impl Stack {
    /// Every listener, connection, half-open connection and TIME-WAIT, as it is at `now`.
    ///
    /// ```
    /// use cauce_core::{socket::Family, stack::Stack, sysctl::Sysctls, time::Instant};
    /// let mut n = 0u64;
    /// let mut stack = Stack::new(Sysctls::default(), Box::new(move || { n += 1; n }));
    /// let id = stack.open(Family::V4).unwrap();
    /// stack.socket(id).bind("0.0.0.0:80".parse().unwrap()).unwrap();
    /// stack.socket(id).listen(5).unwrap();
    /// let listed: Vec<_> = stack.listing(Instant::ZERO).collect();
    /// assert_eq!((listed[0].local.port(), listed[0].send_queue), (80, 5));
    /// ```
    pub fn listing(&self, now: Instant) -> impl Iterator<Item = Listed> + '_ {
        let listeners = self.sockets.iter().filter_map(|(id, entry)| match entry {
            Entry::Listener(listener) => Some(self.listed_listener(id, listener)),
            _ => None,
        });
        let connections = self.sockets.iter().filter_map(move |(id, entry)| match entry {
            Entry::Connection(conn) if conn.has(flag::IN_FLOWS) => Some(listed_connection(id, conn, now)),
            _ => None,
        });
        listeners.chain(connections).chain(self.listed_half_open()).chain(self.listed_time_waits())
    }

    /// The name of a device.
    pub fn device_name(&self, device: DeviceId) -> &str {
        self.interfaces.name(device)
    }

    /// The device of that name.
    pub fn device_named(&self, name: &str) -> Option<DeviceId> {
        self.interfaces.by_name(name)
    }

    /// How many sockets there are of each kind.
    pub fn socket_counts(&self) -> SocketCounts {
        let mut counts = SocketCounts {
            orphans: self.orphans as usize,
            time_waits: self.time_waits(),
            allocated: self.sockets(),
            pages: self.shared.memory.pages(),
            ..SocketCounts::default()
        };
        for entry in self.sockets.values() {
            let v6 = match entry {
                Entry::Listener(listener) => listener.family == Family::V6,
                Entry::Connection(conn) if conn.has(flag::IN_FLOWS) => conn.has(flag::V6_SOCKET),
                _ => continue,
            };
            if v6 {
                counts.in_use_v6 += 1;
            } else {
                counts.in_use_v4 += 1;
            }
        }
        counts
    }

    fn listed_listener(&self, id: SocketId, listener: &Listener) -> Listed {
        let (waiting, backlog) = (listener.accept.len() as u32, listener.accept.backlog());
        let details = Details {
            info: TcpInfo::of_listener(waiting, backlog, &listener.options, &self.shared.sysctl),
            algorithm: listener.algorithm.name.as_str().to_owned(),
            memory: MemoryUse {
                receive_limit: listener.options.recv_buffer,
                send_limit: listener.options.send_buffer,
                ..MemoryUse::default()
            },
            app_limited: false,
            tos: listener.options.traffic_class(true),
            traffic_class: listener.options.traffic_class(false),
            priority: listener.options.class().priority,
        };
        Listed {
            id: Some(id),
            cookie: id.data().as_ffi(),
            state: State::Listen,
            family: listener.family,
            local: SocketAddr::new(listener.at.addr.ip(), listener.at.port),
            remote: unspecified(listener.family),
            recv_queue: waiting,
            send_queue: backlog,
            timer: None,
            retransmits: 0,
            probes: 0,
            owned: true,
            v6_only: listener.options.has(option::V6ONLY),
            device: listener.options.device(),
            mark: listener.options.class().mark,
            interactive: false,
            shutdown: 0,
            details: Some(Box::new(details)),
        }
    }

    fn listed_half_open(&self) -> impl Iterator<Item = Listed> + '_ {
        self.syn_queue.iter().map(|(index, record)| {
            let family = match self.sockets.get(record.listener) {
                Some(Entry::Listener(listener)) => listener.family,
                _ => family_of(record.key.remote.is_v4()),
            };
            Listed {
                timer: self.shown(Owner::HalfOpen(index), TimerKind::SynAck),
                retransmits: record.retransmits,
                ..record_of(
                    index,
                    HALF_OPEN,
                    State::SynReceived,
                    family,
                    record.key.local(),
                    record.key.remote(),
                )
            }
        })
    }

    fn listed_time_waits(&self) -> impl Iterator<Item = Listed> + '_ {
        self.time_wait.iter().map(|(index, key, substate)| {
            let state = match substate {
                Substate::FinWait2 => State::FinWait2,
                Substate::TimeWait => State::TimeWait,
            };
            Listed {
                timer: self.shown(Owner::TimeWait(index), TimerKind::TimeWait),
                ..record_of(index, TIME_WAIT, state, family_of(key.is_v4()), key.local(), key.remote())
            }
        })
    }

    fn shown(&self, owner: Owner, kind: TimerKind) -> Option<ShownTimer> {
        self.deadlines.get(owner).map(|at| ShownTimer { kind, at })
    }
}

/// Bits that keep the cookies of records apart from those of sockets, whose low half is small.
const HALF_OPEN: u64 = 1 << 62;
const TIME_WAIT: u64 = 1 << 63;

fn record_of(
    index: u32,
    kind: u64,
    state: State,
    family: Family,
    local: SocketAddr,
    remote: SocketAddr,
) -> Listed {
    Listed {
        id: None,
        cookie: kind | u64::from(index),
        state,
        family,
        local,
        remote,
        recv_queue: 0,
        send_queue: 0,
        timer: None,
        retransmits: 0,
        probes: 0,
        owned: false,
        v6_only: false,
        device: None,
        mark: 0,
        interactive: false,
        shutdown: 0,
        details: None,
    }
}

fn listed_connection(id: SocketId, conn: &Connection, now: Instant) -> Listed {
    let fin = u64::from(conn.has(flag::SND_SHUTDOWN));
    let unacked = (conn.write.end() + fin).saturating_sub(conn.snd.una);
    let unread = conn.recv.nxt().saturating_sub(conn.recv.read_position());
    let waits_for_accept = conn.has(flag::UNACCEPTED) && !conn.has(flag::ACTIVE);
    let details = Details {
        info: TcpInfo::of(conn, now),
        algorithm: conn.cong.algorithm().to_owned(),
        memory: MemoryUse {
            receive: conn.recv.memory(),
            receive_limit: conn.recv.rcvbuf(),
            send: conn.send_memory().min(u64::from(u32::MAX)) as u32,
            send_limit: conn.options.send_buffer,
        },
        app_limited: conn.cong.rate.is_app_limited(),
        tos: conn.options.traffic_class(true),
        traffic_class: conn.options.traffic_class(false),
        priority: conn.options.class().priority,
    };
    Listed {
        id: Some(id),
        cookie: id.data().as_ffi(),
        state: conn.state,
        family: conn.family(),
        local: conn.key.local(),
        remote: conn.key.remote(),
        recv_queue: unread.min(u64::from(u32::MAX)) as u32,
        send_queue: unacked.min(u64::from(u32::MAX)) as u32,
        timer: shown_timer(conn),
        retransmits: conn.recovery.retransmits(),
        probes: conn.keepalive_probes.max(conn.window_probes),
        owned: !conn.has(flag::ORPHAN) && !waits_for_accept,
        v6_only: conn.options.has(option::V6ONLY),
        device: conn.options.device(),
        mark: conn.options.class().mark,
        interactive: !conn.recv.quick_ack(),
        shutdown: u8::from(conn.has(flag::RCV_SHUTDOWN)) | u8::from(conn.has(flag::SND_SHUTDOWN)) << 1,
        details: Some(Box::new(details)),
    }
}

/// Of the timers that run, the one that Linux shows: retransmission before probe before keepalive.
fn shown_timer(conn: &Connection) -> Option<ShownTimer> {
    if let Some((at, timer)) = conn.recovery.deadline() {
        let kind = match timer {
            RecoveryTimer::Rto => TimerKind::Retransmit,
            RecoveryTimer::Tlp => TimerKind::TailLossProbe,
            RecoveryTimer::Reo => TimerKind::Reordering,
        };
        return Some(ShownTimer { kind, at });
    }
    let idle = if conn.has(flag::ORPHAN) { TimerKind::FinWait2 } else { TimerKind::Keepalive };
    [(conn.timers.persist, TimerKind::Persist), (conn.timers.keepalive, idle)]
        .into_iter()
        .find(|(at, _)| *at != Instant::NEVER)
        .map(|(at, kind)| ShownTimer { kind, at })
}

fn family_of(v4: bool) -> Family {
    if v4 { Family::V4 } else { Family::V6 }
}

fn unspecified(family: Family) -> SocketAddr {
    let ip = match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(ip, 0)
}
