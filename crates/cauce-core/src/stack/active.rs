//! OPEN, active (RFC 9293 3.10.1): addresses, a port, perhaps that of a TIME-WAIT, and the connection that asks for its SYN
//! (A-26, S-50, S-62; RFC 6056).

use super::entity::FlowRef;
use super::interfaces::{LOOPBACK, PathError};
use super::ip_counts::IpCounters;
use super::listeners::ListenAddr;
use super::ports::PortRange;
use super::sockets::{hold_of, usable_addr};
use super::time_wait::Takeover;
use super::{Entry, PortHold, Stack};
use crate::addr::{Addr, FlowKey};
use crate::connection::{Connection, Setup, flag};
use crate::counters::Counter;
use crate::frame::DeviceId;
use crate::socket::errno::Errno;
use crate::socket::options::{flag as option, rare_flag};
use crate::socket::{Family, SocketId};
use crate::time::Instant;
use alloc::boxed::Box;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};

impl Stack {
    /// OPEN, active (RFC 9293 3.10.1): chooses addresses and port, and asks for the SYN.
    pub(super) fn open_actively(
        &mut self,
        id: SocketId,
        now: Instant,
        remote: SocketAddr,
    ) -> Result<(), Errno> {
        let Some(Entry::Idle(idle)) = self.sockets.get(id) else { return Err(Errno::EBADF) };
        let mut to = usable_addr(idle.family, false, remote)?;
        if to.is_v4() && idle.family == Family::V6 && idle.options.has(option::V6ONLY) {
            return Err(Errno::ENETUNREACH);
        }
        if to.is_unspecified() {
            to = if to.is_v4() {
                IpAddr::from([127, 0, 0, 1]).into()
            } else {
                IpAddr::V6(Ipv6Addr::LOCALHOST).into()
            };
        }
        if to.is_multicast_or_broadcast() {
            self.shared.counters.add(IpCounters::of_address(&to).out_no_routes, 1);
            return Err(Errno::ENETUNREACH);
        }
        self.interfaces.forget_old_advice(now);
        let bound = idle.bound;
        let from = bound.map(|at| at.addr).filter(|addr| !addr.is_unspecified());
        // IP_FREEBIND lets a socket have an address that is not ours, but not send from it in IPv4 (Linux).
        let foreign = |addr: Addr| addr.is_v4() && !self.interfaces.loops_back(addr);
        if from.is_some_and(foreign) && !idle.options.has(option::TRANSPARENT) {
            self.shared.counters.add(IpCounters::of_address(&to).out_no_routes, 1);
            return Err(Errno::ENETUNREACH);
        }
        let found = self.interfaces.path(from, to, idle.options.route_query(), now);
        let (path, source) = found.map_err(|PathError(errno)| {
            if errno == Errno::ENETUNREACH {
                self.shared.counters.add(IpCounters::of_address(&to).out_no_routes, 1);
            }
            errno
        })?;
        let hold = idle.hold;
        let options = idle.options.clone();
        let mut key = FlowKey { local: source, remote: to, local_port: 0, remote_port: remote.port() };
        let mut takeover = None;
        let hold = match bound {
            Some(at) if at.port != 0 => {
                key.local_port = at.port;
                self.bound_tuple(&key, at, hold)?
            }
            _ => {
                let ports = options.port_range(self.shared.sysctl.ip_local_port_range);
                (key.local_port, takeover) = self.ephemeral_port(&key, path.device, ports, now)?;
                let hold = PortHold { held: true, chosen_by_connect: true, ..hold_of(&options, false) };
                self.ports.insert(key.local_port, hold.binding(key.local));
                hold
            }
        };
        self.start_connection(id, now, key, path, hold, takeover)
    }

    /// A bound socket connects: its port stays, its address becomes the one it sends from.
    fn bound_tuple(&mut self, key: &FlowKey, at: ListenAddr, hold: PortHold) -> Result<PortHold, Errno> {
        let hash = self.flows.hash(key);
        if self.find_flow(hash, key).is_some() {
            return Err(Errno::EADDRNOTAVAIL);
        }
        self.ports.change(at.port, &hold.binding(at.addr), hold.binding(key.local));
        Ok(hold)
    }

    fn ephemeral_port(
        &mut self,
        key: &FlowKey,
        device: DeviceId,
        ports: [u16; 2],
        now: Instant,
    ) -> Result<(u16, Option<Takeover>), Errno> {
        let reserved = self.shared.sysctl.ip_local_reserved_ports.clone();
        let range = PortRange { ports, reserved: reserved.ranges() };
        let Stack { ports, flows, sockets, syn_queue, time_wait, shared, .. } = self;
        let mut taken_over = None;
        let sysctl = &shared.sysctl;
        let usable = |port: u16| {
            let candidate = FlowKey { local_port: port, ..*key };
            let hash = flows.hash(&candidate);
            let found = flows.find(hash, |flow| match flow {
                FlowRef::Socket(id) => Self::key_of(sockets, id) == Some(candidate),
                FlowRef::HalfOpen(index) => {
                    syn_queue.get(index).is_some_and(|record| record.key == candidate)
                }
                FlowRef::TimeWait(index) => time_wait.key(index) == Some(candidate),
            });
            match found {
                None => true,
                Some(FlowRef::TimeWait(index)) => {
                    let takeover = time_wait.takeover(index, now, sysctl, device == LOOPBACK);
                    taken_over = takeover.map(|takeover| (index, takeover));
                    taken_over.is_some()
                }
                Some(_) => false,
            }
        };
        let port = ports.choose_for_connect(key, range, &mut *shared.rng, usable);
        let port = port.ok_or(Errno::EADDRNOTAVAIL)?;
        let Some((index, takeover)) = taken_over else { return Ok((port, None)) };
        shared.counters.add(Counter::TWRecycled, 1);
        self.remove_time_wait(index);
        Ok((port, Some(takeover)))
    }

    fn start_connection(
        &mut self,
        id: SocketId,
        now: Instant,
        key: FlowKey,
        path: crate::connection::path::Path,
        hold: PortHold,
        takeover: Option<Takeover>,
    ) -> Result<(), Errno> {
        let Some(Entry::Idle(idle)) = self.sockets.get_mut(id) else { return Err(Errno::EBADF) };
        let messages = core::mem::take(&mut idle.messages);
        let name = self.interfaces.algorithm(key.remote, idle.options.route_query());
        let name = name.unwrap_or(idle.algorithm.name);
        let algorithm = self.registry.by_name(name.as_str()).unwrap_or_default();
        let sequence =
            takeover.map_or_else(|| self.isn.initial_sequence(&key, now), |takeover| takeover.iss.0);
        let iss = (1u64 << 32) + u64::from(sequence);
        let setup = Setup {
            id,
            key,
            path,
            hold,
            options: idle.options.clone(),
            v6_socket: idle.family == Family::V6,
            iss,
            ts_offset: self.timestamp_offset(&key),
            algorithm,
        };
        let mut cx = self.shared.cx(now);
        let mut conn = Connection::active(setup, &mut cx);
        conn.set(flag::IN_FLOWS | flag::CONNECTING);
        if !messages.is_empty() {
            conn.rare_mut().errors = messages;
        }
        let by_write = conn.options.has_rare(rare_flag::FASTOPEN_CONNECT) && conn.connect_by_write(&mut cx);
        if let Some(entry) = self.sockets.get_mut(id) {
            *entry = Entry::Connection(Box::new(conn));
        }
        self.insert_flow(&key, FlowRef::Socket(id));
        self.settle(id, now);
        if by_write { Ok(()) } else { Err(Errno::EINPROGRESS) }
    }

    pub(super) fn timestamp_offset(&self, key: &FlowKey) -> u32 {
        if self.shared.sysctl.tcp_timestamps == 2 { 0 } else { self.isn.timestamp_offset(key) }
    }
}
