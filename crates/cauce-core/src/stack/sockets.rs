//! The user calls that touch more than one connection: opening, binding, connecting, accepting, closing
//! (RFC 9293 3.10.1, 3.10.4, 3.10.5; ).

use super::{Entry, PortHold, Stack};
use crate::addr::Addr;
use crate::connection::state::State;
use crate::connection::{Connection, flag};
use crate::context::Context;
use crate::counters::Counter;
use crate::journal::Remark;
use crate::socket::errno::Errno;
use crate::socket::error_queue::ErrorQueue;
use crate::socket::leftover::Leftover;
use crate::socket::options::{SocketOptions, flag as option};
use crate::socket::readiness::Readiness;
use crate::socket::tcp_info::TcpInfo;
use crate::socket::{AlgorithmChoice, Family, Idle, Shutdown, SocketId};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};

impl Stack {
    /// A fresh socket.
    ///
    /// # Errors
    /// `ENFILE` when the stack has as many sockets as `cauce.max_sockets` allows.
    pub fn open(&mut self, family: Family) -> Result<SocketId, Errno> {
        if self.sockets.len() as u64 >= u64::from(self.shared.sysctl.max_sockets) {
            return Err(Errno::ENFILE);
        }
        let options = SocketOptions::new(family, &self.shared.sysctl);
        let algorithm = AlgorithmChoice { name: self.shared.sysctl.tcp_congestion_control, by_user: false };
        let (hold, leftover) = (PortHold::default(), Leftover::default());
        let messages = ErrorQueue::default();
        let idle =
            Idle { family, options, bound: None, hold, algorithm, error: None, leftover, messages, shut: 0 };
        Ok(self.sockets.insert(Entry::Idle(Box::new(idle))))
    }

    pub(crate) fn connection(&self, id: SocketId) -> Option<&Connection> {
        match self.sockets.get(id) {
            Some(Entry::Connection(conn)) => Some(conn),
            _ => None,
        }
    }

    pub(crate) fn connection_mut(&mut self, id: SocketId) -> Option<&mut Connection> {
        match self.sockets.get_mut(id) {
            Some(Entry::Connection(conn)) => Some(conn),
            _ => None,
        }
    }

    /// Runs `call` on a connection and takes over what it caused. `unconnected` is the error of any other
    /// socket.
    pub(crate) fn with_connection<T>(
        &mut self,
        id: SocketId,
        now: Instant,
        unconnected: Errno,
        call: impl FnOnce(&mut Connection, &mut Context<'_>) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        match self.sockets.get_mut(id) {
            Some(Entry::Connection(conn)) => {
                let mut cx = self.shared.cx(now);
                let result = call(conn, &mut cx);
                self.settle(id, now);
                result
            }
            // What a lost connection left behind is told first.
            Some(Entry::Idle(idle)) => Err(idle.error.take().unwrap_or(unconnected)),
            // Writes alone tell what was left before the socket listened.
            Some(Entry::Listener(listener)) if unconnected == Errno::EPIPE => {
                Err(listener.error.take().unwrap_or(unconnected))
            }
            Some(Entry::Listener(_)) => Err(unconnected),
            None => Err(Errno::EBADF),
        }
    }

    /// The same for reads. A socket without a connection whose reading was shut down is at the end of its stream.
    pub(crate) fn with_reader<T: Default>(
        &mut self,
        id: SocketId,
        now: Instant,
        read: impl FnOnce(&mut Connection, &mut Context<'_>) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        if self.is_shut_for_reading(id) {
            return Ok(T::default());
        }
        self.with_connection(id, now, Errno::ENOTCONN, read)
    }

    /// There is no connection, no error of one, and no reading.
    pub(super) fn is_shut_for_reading(&self, id: SocketId) -> bool {
        let Some(Entry::Idle(idle)) = self.sockets.get(id) else { return false };
        idle.error.is_none() && idle.shut & flag::RCV_SHUTDOWN != 0
    }

    pub(crate) fn accept(&mut self, id: SocketId, now: Instant) -> Result<SocketId, Errno> {
        let child = match self.sockets.get_mut(id) {
            Some(Entry::Listener(listener)) => listener.accept.pop().ok_or(Errno::EAGAIN)?,
            Some(_) => return Err(Errno::EINVAL),
            None => return Err(Errno::EBADF),
        };
        if let Some(Entry::Connection(conn)) = self.sockets.get_mut(child) {
            conn.clear(flag::UNACCEPTED);
        }
        self.settle(child, now);
        Ok(child)
    }

    pub(crate) fn connect(&mut self, id: SocketId, now: Instant, remote: SocketAddr) -> Result<(), Errno> {
        match self.sockets.get(id) {
            Some(Entry::Idle(_)) => self.open_actively(id, now, remote),
            _ => self.how_connect_went(id, now),
        }
    }

    /// What connect(2) says of a socket that has been opened before, wherever it is to go.
    pub(super) fn how_connect_went(&mut self, id: SocketId, now: Instant) -> Result<(), Errno> {
        match self.sockets.get_mut(id) {
            Some(Entry::Connection(conn)) => {
                let state = conn.state;
                let never_told = conn.rare.as_ref().is_some_and(|rare| rare.never_told);
                match state {
                    _ if never_told => Err(Errno::EINVAL),
                    _ if conn.waits_for_write() => Err(Errno::EISCONN),
                    State::SynSent | State::SynReceived if conn.has(flag::ACTIVE) => Err(Errno::EALREADY),
                    State::Closed if conn.has(flag::CONNECTING) => {
                        conn.clear(flag::CONNECTING);
                        let error = conn.take_error().unwrap_or(Errno::ECONNABORTED);
                        self.back_to_idle(id, now);
                        Err(error)
                    }
                    _ if conn.has(flag::CONNECTING) => {
                        conn.clear(flag::CONNECTING);
                        Ok(())
                    }
                    _ => Err(Errno::EISCONN),
                }
            }
            Some(_) => Err(Errno::EISCONN),
            None => Err(Errno::EBADF),
        }
    }

    pub(crate) fn shutdown(&mut self, id: SocketId, now: Instant, how: Shutdown) -> Result<(), Errno> {
        if matches!(self.sockets.get(id), Some(Entry::Listener(_))) && how != Shutdown::Write {
            // Linux: a listener shut down for reading stops listening and becomes an unconnected socket.
            return self.stop_listening(id, now);
        }
        match self.sockets.get_mut(id) {
            // Linux: refused, and remembered all the same.
            Some(Entry::Idle(idle)) => {
                idle.shut |= how.flags();
                return Err(Errno::ENOTCONN);
            }
            // Linux: a listener keeps listening when only its writing is shut down.
            Some(Entry::Listener(_)) => return Ok(()),
            Some(Entry::Connection(conn)) if conn.state == State::SynSent => {
                // Linux: the handshake is given up, whichever direction was meant.
                return self.disconnect(id, now);
            }
            _ => {}
        }
        self.with_connection(id, now, Errno::ENOTCONN, |conn, cx| {
            // Linux: whoever shuts down knows that he is connected, and connect() need not say so any more.
            if conn.has(flag::CONNECTING) && matches!(conn.state, State::SynReceived | State::Closed) {
                conn.rare_mut().never_told = true;
            }
            conn.clear(flag::CONNECTING);
            if conn.state == State::Closed {
                return Err(Errno::ENOTCONN);
            }
            if how != Shutdown::Write {
                conn.set(flag::RCV_SHUTDOWN);
                conn.tell(Readiness::ALL);
            }
            if how != Shutdown::Read {
                conn.shutdown_write(cx);
            }
            Ok(())
        })
    }

    pub(super) fn stop_listening(&mut self, id: SocketId, now: Instant) -> Result<(), Errno> {
        let Some(Entry::Listener(listener)) = self.sockets.get_mut(id) else { return Err(Errno::EINVAL) };
        let children: Vec<SocketId> = listener.accept.drain().collect();
        let (at, hold) = (listener.at, listener.hold);
        let keeps = hold.user_port;
        let idle_hold = if keeps { PortHold { listening: false, ..hold } } else { PortHold::default() };
        let idle = Idle {
            family: listener.family,
            options: listener.options.clone(),
            bound: keeps.then_some(at),
            hold: idle_hold,
            algorithm: listener.algorithm,
            error: listener.error,
            leftover: listener.leftover.dissolved(),
            messages: ErrorQueue::default(),
            shut: 0,
        };
        self.listeners.remove(at, id);
        if keeps {
            self.ports.change(at.port, &hold.binding(at.addr), idle_hold.binding(at.addr));
        } else {
            self.release_port_at(at.addr, at.port, hold);
        }
        self.drop_half_open_of(id);
        for child in children {
            self.reset_unaccepted(child, now);
        }
        if let Some(entry) = self.sockets.get_mut(id) {
            *entry = Entry::Idle(Box::new(idle));
        }
        Ok(())
    }

    /// Connections that nobody accepted are reset with their listener.
    fn reset_unaccepted(&mut self, child: SocketId, now: Instant) {
        if let Some(Entry::Connection(conn)) = self.sockets.get_mut(child) {
            let mut cx = self.shared.cx(now);
            conn.set(flag::ORPHAN);
            conn.reset_and_destroy(None, &mut cx);
            self.orphans += 1;
            self.settle(child, now);
        }
    }

    pub(crate) fn close(&mut self, id: SocketId, now: Instant) -> Result<(), Errno> {
        match self.sockets.get_mut(id) {
            None => Err(Errno::EBADF),
            Some(Entry::Idle(idle)) => {
                let (bound, hold) = (idle.bound, idle.hold);
                self.sockets.remove(id);
                if let Some(at) = bound {
                    self.release_port_at(at.addr, at.port, hold);
                }
                Ok(())
            }
            Some(Entry::Listener(_)) => {
                self.stop_listening(id, now)?;
                self.close(id, now)
            }
            Some(Entry::Connection(_)) => self.close_connection(id, now),
        }
    }

    fn close_connection(&mut self, id: SocketId, now: Instant) -> Result<(), Errno> {
        self.orphans += 1;
        let too_many = self.too_many_orphans(0);
        let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) else { return Err(Errno::EBADF) };
        let mut cx = self.shared.cx(now);
        conn.close(&mut cx);
        let still_there = !matches!(conn.state, State::Closed | State::TimeWait);
        if still_there && (too_many || conn.is_out_of_memory(&cx)) {
            sacrifice(conn, too_many, &mut cx);
        }
        self.settle(id, now);
        Ok(())
    }

    /// More than `tcp_max_orphans` connections have no user any more (S-28); each of `doubts` halves the limit.
    fn too_many_orphans(&self, doubts: u32) -> bool {
        u64::from(self.orphans) << doubts > u64::from(self.shared.sysctl.tcp_max_orphans)
    }

    /// A timer of an orphan has something to send again: where orphans or memory are too many it is given up instead,
    /// the sooner the less the peer is heard of. True if it was.
    pub(super) fn sacrifice_orphan(&mut self, id: SocketId, now: Instant) -> bool {
        let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) else { return false };
        if !conn.has(flag::ORPHAN) || !conn.retries_now(now) {
            return false;
        }
        let silent = now.since(conn.stats.last_data_sent) > conn.options.rto_max() * 2;
        let doubts = u32::from(silent) + u32::from(conn.soft_error.is_some());
        let too_many = self.too_many_orphans(doubts);
        let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) else { return false };
        let mut cx = self.shared.cx(now);
        if !too_many && !conn.is_out_of_memory(&cx) {
            return false;
        }
        sacrifice(conn, too_many, &mut cx);
        true
    }

    pub(crate) fn abort(&mut self, id: SocketId, now: Instant) -> Result<(), Errno> {
        match self.sockets.get_mut(id) {
            Some(Entry::Connection(conn)) => {
                let mut cx = self.shared.cx(now);
                self.orphans += u32::from(!conn.has(flag::ORPHAN));
                conn.set(flag::ORPHAN);
                conn.abort(&mut cx);
                self.settle(id, now);
                Ok(())
            }
            _ => self.close(id, now),
        }
    }

    /// Resets every connection and closes every socket: nothing is left but TIME-WAITs, which go too.
    pub fn close_all(&mut self, now: Instant) {
        let ids: Vec<SocketId> = self.sockets.keys().collect();
        for id in ids {
            let _ = self.abort(id, now);
        }
        self.forget_time_waits();
    }

    pub(crate) fn readiness(&self, id: SocketId) -> Readiness {
        match self.sockets.get(id) {
            Some(Entry::Idle(idle)) => {
                let lowat = idle.options.notsent_lowat(&self.shared.sysctl);
                let writable = u64::from(idle.leftover.unsent) << 1 < u64::from(lowat);
                let when = |is: bool, ready| if is { ready } else { Readiness::NONE };
                Readiness::HUP
                    | when(idle.error.is_some() || !idle.messages.is_empty(), Readiness::ERR)
                    | when(writable || idle.shut & flag::SND_SHUTDOWN != 0, Readiness::OUT)
                    | when(idle.shut & flag::RCV_SHUTDOWN != 0, Readiness::IN | Readiness::RDHUP)
            }
            Some(Entry::Listener(listener)) if !listener.accept.is_empty() => Readiness::IN,
            Some(Entry::Listener(_)) => Readiness::NONE,
            Some(Entry::Connection(conn)) => conn.readiness(conn.options.notsent_lowat(&self.shared.sysctl)),
            None => Readiness::ERR | Readiness::HUP,
        }
    }

    pub(crate) fn bytes_queued(&self, id: SocketId) -> (usize, usize) {
        match self.sockets.get(id) {
            Some(Entry::Connection(conn)) if matches!(conn.state, State::SynSent | State::SynReceived) => {
                (0, 0)
            }
            Some(Entry::Connection(conn)) => conn.sequence_left(),
            Some(Entry::Idle(idle)) => (idle.leftover.queued as usize, idle.leftover.unsent as usize),
            _ => (0, 0),
        }
    }

    pub(crate) fn local_addr(&self, id: SocketId) -> Result<SocketAddr, Errno> {
        match self.sockets.get(id) {
            Some(Entry::Connection(conn)) => Ok(conn.key.local()),
            Some(Entry::Listener(listener)) => Ok(SocketAddr::new(listener.at.addr.ip(), listener.at.port)),
            Some(Entry::Idle(idle)) => {
                let at = idle.bound.ok_or(Errno::EINVAL)?;
                Ok(SocketAddr::new(at.addr.ip(), at.port))
            }
            None => Err(Errno::EBADF),
        }
    }

    pub(crate) fn peer_addr(&self, id: SocketId) -> Result<SocketAddr, Errno> {
        match self.sockets.get(id) {
            Some(Entry::Connection(conn)) if !matches!(conn.state, State::SynSent | State::Closed) => {
                Ok(conn.key.remote())
            }
            Some(_) => Err(Errno::ENOTCONN),
            None => Err(Errno::EBADF),
        }
    }

    pub(crate) fn tcp_info(&self, id: SocketId, now: Instant) -> Result<TcpInfo, Errno> {
        let sysctl = &self.shared.sysctl;
        match self.sockets.get(id) {
            Some(Entry::Connection(conn)) => {
                let fackets = match sysctl.tcp_fack {
                    0 => 0,
                    _ => conn.recovery.forward_acked(conn.snd.una),
                };
                Ok(TcpInfo { fackets, ..TcpInfo::of(conn, now) })
            }
            Some(Entry::Listener(listener)) => {
                let (waiting, backlog) = (listener.accept.len() as u32, listener.accept.backlog());
                Ok(TcpInfo::of_listener(waiting, backlog, &listener.options, sysctl))
            }
            Some(Entry::Idle(idle)) => Ok(TcpInfo::closed(&idle.options, sysctl)),
            None => Err(Errno::EBADF),
        }
    }
}

/// Resets a connection without a user because there are too many of them, or because memory is used up.
fn sacrifice(conn: &mut Connection, too_many: bool, cx: &mut Context<'_>) {
    cx.count(Counter::TCPAbortOnMemory);
    cx.count_by(Counter::TCPOrphanOverflow, too_many.into());
    cx.note(|| if too_many { Remark::TooManyOrphans(conn.key) } else { Remark::OutOfMemory(conn.key) });
    conn.reset_and_destroy(None, cx);
}

pub(super) fn hold_of(options: &SocketOptions, listening: bool) -> PortHold {
    PortHold {
        held: true,
        v6_only: options.has(option::V6ONLY),
        reuse_addr: options.has(option::REUSEADDR),
        reuse_port: options.has(option::REUSEPORT),
        listening,
        ..PortHold::default()
    }
}

fn wildcard_ip(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::from([0, 0, 0, 0]),
        Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

pub(super) fn wildcard(family: Family) -> Addr {
    wildcard_ip(family).into()
}

/// The address in the form of the tables, if a socket of this family may use it.
pub(super) fn usable_addr(family: Family, v6_only: bool, addr: SocketAddr) -> Result<Addr, Errno> {
    match (family, addr) {
        (Family::V4, SocketAddr::V4(_)) => Ok(addr.ip().into()),
        (Family::V6, SocketAddr::V6(v6)) => {
            let addr: Addr = IpAddr::V6(*v6.ip()).into();
            if v6_only && addr.is_v4() { Err(Errno::EINVAL) } else { Ok(addr) }
        }
        _ => Err(Errno::EAFNOSUPPORT),
    }
}
