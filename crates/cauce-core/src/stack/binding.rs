//! bind() and listen(): which address and port a socket has, and how it becomes a listener
//! (A-23, A-24, O-36, O-37, O-56, S-62).
//!
//! Whether a port is free is decided in `ports`; the backlog acts in the accept queue and the SYN queue.

use super::listeners::{ANY_PORT, ListenAddr};
use super::ports::PortRange;
use super::sockets::{hold_of, usable_addr, wildcard};
use super::{Entry, PortHold, Stack};
use crate::addr::Addr;
use crate::connection::path::Path;
use crate::connection::state::State;
use crate::listen::accept_queue::AcceptQueue;
use crate::listen::fast_open::PendingOpens;
use crate::listen::listener::Listener;
use crate::socket::errno::Errno;
use crate::socket::options::{flag as option, rare_flag};
use crate::socket::{Family, SocketId};
use alloc::boxed::Box;
use core::net::SocketAddr;

impl Stack {
    pub(crate) fn bind(&mut self, id: SocketId, addr: SocketAddr) -> Result<(), Errno> {
        let (family, options, bound) = match self.sockets.get(id).ok_or(Errno::EBADF)? {
            Entry::Idle(idle) => (idle.family, &idle.options, idle.bound.is_some_and(|at| at.port != 0)),
            Entry::Listener(listener) => (listener.family, &listener.options, true),
            Entry::Connection(conn) => {
                let bound = conn.state != State::Closed || conn.hold.user_port;
                (conn.family(), &conn.options, bound)
            }
        };
        // Linux looks at the address first with IPv4, at the socket first with IPv6.
        if bound && family == Family::V6 {
            return Err(Errno::EINVAL);
        }
        let local = usable_addr(family, options.has(option::V6ONLY), addr)?;
        let foreign_ok = options.has(option::TRANSPARENT | option::FREEBIND)
            || match local.is_v4() {
                true => self.shared.sysctl.ip_nonlocal_bind != 0,
                false => self.shared.sysctl.ipv6_ip_nonlocal_bind != 0,
            };
        if !local.is_unspecified() && !foreign_ok && !self.interfaces.loops_back(local) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        if bound {
            return Err(Errno::EINVAL);
        }
        let Some(Entry::Idle(idle)) = self.sockets.get_mut(id) else {
            return self.bind_ended(id, local, addr.port());
        };
        // An address of IPv6 says it (Linux).
        let v6_only = idle.options.has(option::V6ONLY) || says_v6_only(local);
        if addr.port() == 0 && idle.options.has_rare(rare_flag::ADDRESS_ONLY) {
            // connect() or listen() will choose the port.
            let at = ListenAddr { addr: local, port: 0, v6_only, device: idle.options.device() };
            if let Some(Entry::Idle(idle)) = self.sockets.get_mut(id) {
                idle.bound = Some(at);
                idle.options.put(option::V6ONLY, v6_only);
            }
            return Ok(());
        }
        let hold = PortHold { v6_only, ..hold_of(&idle.options, false) };
        let ports = idle.options.port_range(self.shared.sysctl.ip_local_port_range);
        let port = self.take_port(local, addr.port(), hold, ports)?;
        if let Some(Entry::Idle(idle)) = self.sockets.get_mut(id) {
            let device = idle.options.device();
            idle.bound = Some(ListenAddr { addr: local, port, v6_only, device });
            idle.options.put(option::V6ONLY, v6_only);
            let user_port = addr.port() != 0;
            idle.hold = PortHold { held: true, any_addr: local.is_unspecified(), user_port, ..hold };
        }
        Ok(())
    }

    /// bind() of a socket whose connection has ended and given its port back: it gets another one (Linux).
    fn bind_ended(&mut self, id: SocketId, local: Addr, port: u16) -> Result<(), Errno> {
        let Some(Entry::Connection(conn)) = self.sockets.get(id) else { return Err(Errno::EINVAL) };
        let v6_only = conn.options.has(option::V6ONLY) || says_v6_only(local);
        let hold = PortHold { v6_only, ..hold_of(&conn.options, false) };
        let ports = conn.options.port_range(self.shared.sysctl.ip_local_port_range);
        let user_port = port != 0;
        let port = self.take_port(local, port, hold, ports)?;
        if let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) {
            (conn.key.local, conn.key.local_port) = (local, port);
            conn.hold = PortHold { held: true, user_port, any_addr: local.is_unspecified(), ..hold };
            conn.options.put(option::V6ONLY, hold.v6_only);
            if conn.family() == Family::V4 {
                // A socket of IPv6 remembers the way (Linux).
                conn.path.hints |= Path::FORGOTTEN;
            }
        }
        Ok(())
    }

    /// The port, or one of `ports` when it is 0.
    fn take_port(&mut self, addr: Addr, port: u16, hold: PortHold, ports: [u16; 2]) -> Result<u16, Errno> {
        let binding = hold.binding(addr);
        let port = if port == 0 {
            let reserved = self.shared.sysctl.ip_local_reserved_ports.clone();
            let range = PortRange { ports, reserved: reserved.ranges() };
            self.ports.choose_for_bind(&binding, range, &mut *self.shared.rng).ok_or(Errno::EADDRINUSE)?
        } else if self.ports.may_bind(port, &binding) {
            port
        } else {
            return Err(Errno::EADDRINUSE);
        };
        self.ports.insert(port, binding);
        Ok(port)
    }

    pub(crate) fn listen(&mut self, id: SocketId, backlog: u32) -> Result<(), Errno> {
        let backlog = backlog.min((self.shared.sysctl.core_somaxconn as u64).min(u64::from(u32::MAX)) as u32);
        match self.sockets.get_mut(id) {
            Some(Entry::Listener(listener)) => {
                listener.accept.set_backlog(backlog);
                return Ok(());
            }
            Some(Entry::Idle(_)) => {}
            Some(Entry::Connection(_)) => return Err(Errno::EINVAL),
            None => return Err(Errno::EBADF),
        }
        self.bind_if_needed(id)?;
        let Some(Entry::Idle(idle)) = self.sockets.get(id) else { return Err(Errno::EINVAL) };
        let Some(at) = idle.bound else { return Err(Errno::EINVAL) };
        let listening = PortHold { listening: true, ..idle.hold };
        let (own, wanted) = (idle.hold.binding(at.addr), listening.binding(at.addr));
        if !self.ports.may_change(at.port, &own, &wanted) {
            return Err(Errno::EADDRINUSE);
        }
        self.ports.change(at.port, &own, wanted);
        self.become_listener(id, at, listening, backlog);
        Ok(())
    }

    pub(crate) fn listen_any(&mut self, id: SocketId, backlog: u32) -> Result<(), Errno> {
        let Some(Entry::Idle(idle)) = self.sockets.get(id) else { return Err(Errno::EINVAL) };
        if idle.bound.is_some() || !idle.options.has(option::TRANSPARENT) {
            return Err(Errno::EINVAL);
        }
        let v6_only = idle.options.has(option::V6ONLY);
        let addr = wildcard(idle.family);
        let at = ListenAddr { addr, port: ANY_PORT, v6_only, device: idle.options.device() };
        self.become_listener(id, at, PortHold::default(), backlog);
        Ok(())
    }

    fn bind_if_needed(&mut self, id: SocketId) -> Result<(), Errno> {
        let Some(Entry::Idle(idle)) = self.sockets.get_mut(id) else { return Ok(()) };
        let at = match idle.bound {
            Some(at) if at.port != 0 => return Ok(()),
            Some(at) => at.addr,
            None => wildcard(idle.family),
        };
        let hold = hold_of(&idle.options, false);
        let (v6_only, device) = (idle.options.has(option::V6ONLY), idle.options.device());
        let ports = idle.options.port_range(self.shared.sysctl.ip_local_port_range);
        let port = self.take_port(at, 0, hold, ports)?;
        if let Some(Entry::Idle(idle)) = self.sockets.get_mut(id) {
            idle.bound = Some(ListenAddr { addr: at, port, v6_only, device });
            idle.hold = PortHold { held: true, any_addr: at.is_unspecified(), user_port: false, ..hold };
        }
        Ok(())
    }

    fn become_listener(&mut self, id: SocketId, at: ListenAddr, hold: PortHold, backlog: u32) {
        let Some(entry) = self.sockets.get_mut(id) else { return };
        if let Entry::Idle(idle) = entry {
            let mut options = idle.options.clone();
            options.take_delayed_acks();
            let listener = Listener {
                flood_told: false,
                family: idle.family,
                options,
                at,
                hold,
                accept: AcceptQueue::new(backlog),
                opens: PendingOpens::default(),
                algorithm: idle.algorithm,
                error: idle.error,
                leftover: idle.leftover,
                last_cookie: None,
                in_events: false,
            };
            *entry = Entry::Listener(Box::new(listener));
            let queue = match self.sockets.get(id) {
                Some(Entry::Listener(listener)) => listener.options.incoming_queue(),
                _ => None,
            };
            self.listeners.insert(at, id);
            self.listeners.prefer_queue(at, id, queue);
            self.follow_backlog(id);
        }
    }
}

/// True for an address whose socket takes no connections of IPv4.
fn says_v6_only(local: Addr) -> bool {
    !local.is_v4() && !local.is_unspecified()
}
