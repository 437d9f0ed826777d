//! The stack: the lower interface of RFC 9293 3.9.2, and the only doors of the engine.
//!
//! An embedder calls, in any order and as often as it likes,
//!
//! - [`Stack::handle_packet`] for each packet that arrived,
//! - [`Stack::handle_timeout`] when the moment of [`Stack::poll_timeout`] has come,
//! - [`Stack::socket`] for the user's calls,
//!
//! and after each of these, or after many of them, drains
//!
//! - [`Stack::poll_transmit`] until it returns 0, handing the packets to its device and the tokens of those
//!   that left to [`Stack::handle_transmitted`],
//! - [`Stack::poll_event`] until it returns `None`, waking whoever waits for those sockets,
//! - [`Stack::poll_timeout`] once, to know when to come back.
//!
//! A stack owns everything and lends a [`Context`] downwards; no room below knows it.

mod active;
mod binding;
pub mod black_hole;
mod calls;
#[cfg(test)]
pub(crate) mod context_for_tests;
pub mod control_segment;
mod cookies;
mod dead_hops;
pub mod deadlines;
pub mod demux;
mod disconnect;
pub mod entity;
mod errors;
mod fast_open;
pub mod fragments;
mod half_open;
pub mod icmp_errors;
mod icmp_input;
mod input;
pub mod interfaces;
mod ip_counts;
mod link;
pub mod listeners;
pub mod listing;
pub mod memory;
pub mod metrics_cache;
pub mod neighbours;
mod outlet;
mod passive;
pub mod path_mtu_cache;
pub mod ports;
mod quiet;
pub mod rate_limit;
pub mod recycled;
pub mod reset;
pub mod route;
mod set_option;
mod settle;
pub(crate) mod slab;
mod sockets;
pub mod time_wait;
mod timeouts;
mod views;

use crate::addr::{Addr, FlowKey};
use crate::batch::Transmit;
use crate::congestion::Registry;
use crate::connection::Connection;
use crate::context::Context;
use crate::counters::Counters;
use crate::frame::{DeviceId, Frame};
use crate::journal::{Journal, Remark};
use crate::listen::isn::IsnGenerator;
use crate::listen::listener::Listener;
use crate::listen::syn_cookie::SynCookies;
use crate::listen::syn_queue::SynQueue;
use crate::rng::Rng;
use crate::socket::call::{CallId, Waiting};
use crate::socket::readiness::Readiness;
use crate::socket::{Idle, Socket, SocketId};
use crate::sysctl::Sysctls;
use crate::time::Instant;
use crate::trace::Trace;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use bytes::Bytes;
use deadlines::Deadlines;
use demux::{FlowHasher, Flows};
use interfaces::Interfaces;
use listeners::Listeners;
use memory::Memory;
use ports::{Binding, Holder, Ports};
use rate_limit::ChallengeAcks;
use slotmap::SlotMap;

pub use interfaces::{InterfaceConfig, LOOPBACK, Medium};

/// One TCP/IP stack without IO.
pub struct Stack {
    shared: Shared,
    sockets: SlotMap<SocketId, Entry>,
    flows: Flows,
    listeners: Listeners,
    ports: Ports,
    deadlines: Deadlines,
    syn_queue: SynQueue,
    time_wait: time_wait::TimeWaits,
    recycled: recycled::Recycled,
    isn: IsnGenerator,
    cookies: SynCookies,
    interfaces: Interfaces,
    fragments: fragments::Fragments,
    neighbours: neighbours::Neighbours,
    registry: Registry,
    /// Connections with something to send.
    ready: VecDeque<SocketId>,
    /// Sockets whose readiness changed.
    events: VecDeque<SocketId>,
    /// Packets of this stack to itself, and others that wait to be taken in.
    loopback: VecDeque<Frame>,
    orphans: u32,
    /// TCP_SAVE_SYN: headers of SYNs whose handshake lasts, by the index of their half-open record.
    saved_syns: BTreeMap<u32, Bytes>,
    calls: SlotMap<CallId, Waiting>,
    woken_calls: VecDeque<CallId>,
}

/// What the stack lends out.
struct Shared {
    sysctl: Sysctls,
    counters: Counters,
    rng: Box<dyn Rng>,
    memory: Memory,
    trace: Trace,
    journal: Journal,
    replies: VecDeque<Transmit>,
    challenges: ChallengeAcks,
    destinations: metrics_cache::MetricsCache,
    black_hole: black_hole::BlackHole,
}

impl Shared {
    /// Tells the operator, unless he has been told too much.
    fn note(&mut self, now: Instant, make: impl FnOnce() -> Remark) {
        self.journal.note(now, &self.sysctl, make);
    }

    fn cx(&mut self, now: Instant) -> Context<'_> {
        self.memory.set_limits(self.sysctl.tcp_mem);
        Context {
            now,
            sysctl: &self.sysctl,
            counters: &mut self.counters,
            rng: &mut *self.rng,
            memory: &mut self.memory,
            trace: &mut self.trace,
            journal: &mut self.journal,
            replies: &mut self.replies,
            challenges: &mut self.challenges,
            destinations: &mut self.destinations,
            black_hole: &mut self.black_hole,
        }
    }
}

/// A socket in one of its three lives.
enum Entry {
    Idle(Box<Idle>),
    Listener(Box<Listener>),
    Connection(Box<Connection>),
}

/// How a socket holds its local port: what is needed to give it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PortHold {
    pub(crate) held: bool,
    pub(crate) v6_only: bool,
    pub(crate) reuse_addr: bool,
    pub(crate) reuse_port: bool,
    pub(crate) chosen_by_connect: bool,
    pub(crate) listening: bool,
    /// Bound to the wildcard address of its family, not to the one it uses.
    pub(crate) any_addr: bool,
    /// The user named the port: it is his until he closes the socket.
    pub(crate) user_port: bool,
}

impl PortHold {
    pub(crate) fn binding(self, addr: Addr) -> Binding {
        let holder = match (self.listening, self.chosen_by_connect) {
            (true, _) => Holder::Listening,
            (_, true) => Holder::Connected,
            _ => Holder::Bound,
        };
        Binding {
            addr,
            v6_only: self.v6_only,
            device: None,
            reuse_addr: self.reuse_addr,
            reuse_port: self.reuse_port,
            uid: 0,
            holder,
        }
    }
}

impl Stack {
    /// An empty stack: no interface, no socket. All of its secrets are drawn from `rng`.
    ///
    /// ```
    /// use cauce_core::stack::Stack;
    /// use cauce_core::sysctl::Sysctls;
    /// let mut counter = 0u64;
    /// let stack = Stack::new(Sysctls::default(), Box::new(move || { counter += 1; counter }));
    /// assert_eq!(stack.connections(), 0);
    /// ```
    pub fn new(sysctl: Sysctls, mut rng: Box<dyn Rng>) -> Self {
        let mut key = || rng.next_u64();
        let hasher = FlowHasher::new([key(), key()]);
        let ports = Ports::new([key(), key()]);
        let isn = IsnGenerator::new([key(), key(), key(), key()]);
        let cookies = SynCookies::new([key(), key(), key(), key()]);
        let memory = Memory::new(sysctl.tcp_mem);
        Stack {
            flows: Flows::new(hasher),
            ports,
            isn,
            cookies,
            time_wait: time_wait::TimeWaits::default(),
            recycled: recycled::Recycled::default(),
            fragments: fragments::Fragments::default(),
            neighbours: neighbours::Neighbours::default(),
            shared: Shared {
                sysctl,
                counters: Counters::new(),
                rng,
                memory,
                trace: Trace::off(),
                journal: Journal::default(),
                replies: VecDeque::new(),
                challenges: ChallengeAcks::default(),
                destinations: metrics_cache::MetricsCache::default(),
                black_hole: black_hole::BlackHole::default(),
            },
            sockets: SlotMap::with_key(),
            listeners: Listeners::default(),
            deadlines: Deadlines::default(),
            syn_queue: SynQueue::default(),
            interfaces: Interfaces::default(),
            registry: Registry::default(),
            ready: VecDeque::new(),
            events: VecDeque::new(),
            loopback: VecDeque::new(),
            orphans: 0,
            saved_syns: BTreeMap::new(),
            calls: SlotMap::with_key(),
            woken_calls: VecDeque::new(),
        }
    }

    /// Adds an interface and returns the id that its frames carry.
    pub fn add_interface(&mut self, config: InterfaceConfig) -> DeviceId {
        let medium = config.medium;
        let id = self.interfaces.add(config);
        if let Medium::Ethernet { mac } = medium {
            self.neighbours.add_interface(id, mac);
        }
        id
    }

    /// The interfaces, their addresses and the routes over them.
    pub fn interfaces(&mut self) -> &mut Interfaces {
        &mut self.interfaces
    }

    /// The settings.
    pub fn sysctl(&self) -> &Sysctls {
        &self.shared.sysctl
    }

    /// The settings, to change them.
    pub fn sysctl_mut(&mut self) -> &mut Sysctls {
        &mut self.shared.sysctl
    }

    /// The event counters.
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Memory in use by all queues, in bytes.
    pub fn memory_used(&self) -> u64 {
        self.shared.memory.used()
    }

    /// The event trace.
    pub fn trace_mut(&mut self) -> &mut Trace {
        &mut self.shared.trace
    }

    /// What the operator should know, and who reads it.
    pub fn journal_mut(&mut self) -> &mut Journal {
        &mut self.shared.journal
    }

    /// Congestion controls by name; foreign ones are added here.
    pub fn registry_mut(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// What is remembered of destinations: metrics, and cookies of Fast Open.
    pub fn destinations(&self) -> &metrics_cache::MetricsCache {
        &self.shared.destinations
    }

    /// The same, to forget some or all of it.
    pub fn destinations_mut(&mut self) -> &mut metrics_cache::MetricsCache {
        &mut self.shared.destinations
    }

    /// Entries of the flow table: connections, half-open ones and TIME-WAITs.
    pub fn connections(&self) -> usize {
        self.flows.len()
    }

    /// Sockets that exist: idle, listening, connected, and orphans that still live.
    pub fn sockets(&self) -> usize {
        self.sockets.len()
    }

    /// Compact TIME-WAIT records.
    pub fn time_waits(&self) -> usize {
        self.time_wait.len()
    }

    /// Half-open connections of all listeners.
    pub fn half_open(&self) -> usize {
        self.syn_queue.len()
    }

    /// Deadlines that are running.
    pub fn deadlines(&self) -> usize {
        self.deadlines.len()
    }

    /// Local ports that somebody holds.
    pub fn ports_held(&self) -> bool {
        !self.ports.is_empty()
    }

    /// The user calls on one socket. A stale id gives calls that fail with `EBADF`.
    pub fn socket(&mut self, id: SocketId) -> Socket<'_> {
        Socket::new(self, id)
    }

    /// The next socket whose readiness got better, with what it is now. Each socket is reported once for
    /// everything that happened since it was last reported.
    pub fn poll_event(&mut self) -> Option<(SocketId, Readiness)> {
        self.poll_news().map(|(id, _)| (id, self.readiness(id)))
    }

    /// As [`Stack::poll_event`], with what got better since the socket was last reported: an edge for whoever
    /// waits for one of these bits, whatever was ready before.
    pub fn poll_news(&mut self) -> Option<(SocketId, Readiness)> {
        while let Some(id) = self.events.pop_front() {
            match self.sockets.get_mut(id) {
                Some(Entry::Connection(conn)) => {
                    conn.clear(crate::connection::flag::IN_EVENTS);
                    return Some((id, core::mem::take(&mut conn.news)));
                }
                Some(Entry::Listener(listener)) => {
                    listener.in_events = false;
                    return Some((id, Readiness::IN));
                }
                _ => {}
            }
        }
        None
    }

    fn key_of(sockets: &SlotMap<SocketId, Entry>, id: SocketId) -> Option<FlowKey> {
        match sockets.get(id) {
            Some(Entry::Connection(conn)) => Some(conn.key),
            _ => None,
        }
    }
}

impl core::fmt::Debug for Stack {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Stack")
            .field("sockets", &self.sockets.len())
            .field("flows", &self.flows.len())
            .field("time_wait", &self.time_wait.len())
            .finish_non_exhaustive()
    }
}
