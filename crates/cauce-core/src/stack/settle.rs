//! After each call or segment: what a connection left to do is taken over by the stack.
//!
//! A connection notes its wishes (output, an event, its next deadline) and its end; this room turns them into
//! entries of the stack's lists, and frees what is no longer needed.

use super::entity::Owner;
use super::metrics_cache::PathMetrics;
use super::route::RouteQuery;
use super::time_wait::Substate;
use super::{Entry, Shared, Stack};
use crate::connection::state::State;
use crate::connection::{flag, pending};
use crate::counters::Counter;
use crate::socket::SocketId;
use crate::socket::readiness::Readiness;
use crate::time::Instant;

impl Stack {
    /// Takes over what the connection wants. Call it after everything that touched it.
    pub(super) fn settle(&mut self, id: SocketId, now: Instant) {
        let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) else { return };
        if conn.rare.as_ref().is_some_and(|rare| rare.confirmed.is_some()) {
            self.count_confirmed(id, now);
        }
        let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) else { return };
        if conn.state == State::TimeWait {
            self.become_quiet(id, Substate::TimeWait, now, now);
        } else if conn.is_waiting_orphan() {
            let until = conn.orphan_until();
            self.become_quiet(id, Substate::FinWait2, until, now);
        } else if conn.state == State::Closed && conn.has(flag::IN_FLOWS) {
            self.leave_flows(id);
        }
        self.learn(now);
        let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) else { return };
        if conn.state == State::Closed {
            self.deadlines.remove(Owner::Socket(id));
            if conn.has(flag::ORPHAN) {
                self.free(id, now);
                return;
            }
        }
        if conn.is_pending(pending::OUTPUT) && !conn.has(flag::IN_READY) && conn.state != State::Closed {
            conn.set(flag::IN_READY);
            self.ready.push_back(id);
        }
        if conn.is_pending(pending::EVENT) {
            conn.done(pending::EVENT);
            // Told once for everything until somebody listens, or with `tcp_low_latency` each time (S-26).
            let room = (self.events.len() as u64) < u64::from(self.shared.sysctl.max_pending_replies);
            let again = self.shared.sysctl.tcp_low_latency != 0 && room;
            if !conn.has(flag::ORPHAN) && (again || !conn.has(flag::IN_EVENTS)) {
                conn.set(flag::IN_EVENTS);
                self.events.push_back(id);
                if conn.news.contains(Readiness::IN) {
                    self.shared.counters.add(Counter::TCPRcvWakeups, 1);
                }
            }
            self.wake_calls(id);
        }
        let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) else { return };
        let (at, _) = conn.next_deadline();
        self.keep_deadline(id, at);
    }

    /// Mixes in what connections that end have reported of their destinations (S-33).
    fn learn(&mut self, now: Instant) {
        let Shared { destinations, sysctl, .. } = &mut self.shared;
        let (limit, save_ssthresh) = (sysctl.max_metrics as usize, sysctl.tcp_no_ssthresh_metrics_save == 0);
        while let Some((dst, seen)) = destinations.take_report() {
            let routes = self.interfaces.routes();
            let route = || {
                routes
                    .lookup(&dst, RouteQuery::default())
                    .map_or_else(|_| PathMetrics::default(), |hop| hop.metrics.path)
            };
            destinations.update(dst, &seen, save_ssthresh, now, limit, route);
        }
    }

    /// Deadlines that only moved later keep their old entry until it comes up.
    fn keep_deadline(&mut self, id: SocketId, at: Instant) {
        let owner = Owner::Socket(id);
        match self.deadlines.get(owner) {
            Some(known) if known <= at && at != Instant::NEVER => {}
            Some(_) if at == Instant::NEVER => {
                self.deadlines.remove(owner);
            }
            None if at == Instant::NEVER => {}
            _ => self.deadlines.set(owner, at),
        }
    }

    /// Frees a connection that nobody owns or needs any more.
    pub(super) fn free(&mut self, id: SocketId, now: Instant) {
        let Some(Entry::Connection(mut conn)) = self.sockets.remove(id) else { return };
        if conn.has(flag::ORPHAN) {
            self.orphans = self.orphans.saturating_sub(1);
        }
        let mut cx = self.shared.cx(now);
        conn.release(&mut cx);
        self.release_port_at(conn.key.local, conn.key.local_port, conn.hold);
    }

    /// Puts a socket on the list of events.
    pub(super) fn notify(&mut self, id: SocketId) {
        match self.sockets.get_mut(id) {
            Some(Entry::Listener(listener)) if !listener.in_events => {
                listener.in_events = true;
                self.events.push_back(id);
            }
            Some(Entry::Connection(conn)) if !conn.has(flag::IN_EVENTS | flag::ORPHAN) => {
                conn.set(flag::IN_EVENTS);
                self.events.push_back(id);
            }
            _ => {}
        }
        self.wake_calls(id);
    }
}
