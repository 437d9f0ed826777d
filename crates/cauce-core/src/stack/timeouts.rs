//! Deadlines of a stack: what is due, and when to come back.

use super::entity::{Owner, StackTimer};
use super::{Entry, Stack};
use crate::connection::timers::TimerKind;
use crate::time::Instant;

impl Stack {
    /// Handles every deadline that `now` has reached.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((_, owner)) = self.deadlines.pop_due(now) {
            match owner {
                Owner::Socket(id) => {
                    if !self.sacrifice_orphan(id, now)
                        && let Some(Entry::Connection(conn)) = self.sockets.get_mut(id)
                    {
                        conn.on_deadline(&mut self.shared.cx(now));
                    }
                    self.settle(id, now);
                }
                Owner::HalfOpen(index) => self.on_syn_ack_timer(index, now),
                Owner::TimeWait(index) => self.on_time_wait_timer(index, now),
                Owner::Stack(timer) => self.on_stack_timer(timer, now),
            }
        }
    }

    /// The next deadline and its reason; `None` when nothing is running.
    ///
    /// Entries whose timer has moved on since are put right on the way, which is why this takes `&mut self`.
    pub fn poll_timeout(&mut self) -> Option<(Instant, TimerKind)> {
        if !self.loopback.is_empty() {
            return Some((Instant::ZERO, TimerKind::Loopback));
        }
        loop {
            let (at, owner) = self.deadlines.next()?;
            let kind = match owner {
                Owner::Socket(id) => {
                    let real = match self.sockets.get(id) {
                        Some(Entry::Connection(conn)) => conn.next_deadline(),
                        _ => (Instant::NEVER, TimerKind::Call),
                    };
                    if real.0 == Instant::NEVER {
                        self.deadlines.remove(owner);
                        continue;
                    }
                    if real.0 > at {
                        self.deadlines.set(owner, real.0);
                        continue;
                    }
                    real.1
                }
                Owner::HalfOpen(_) => TimerKind::SynAck,
                Owner::TimeWait(_) => TimerKind::TimeWait,
                Owner::Stack(StackTimer::Fragments) => TimerKind::Fragments,
                Owner::Stack(StackTimer::Housekeeping) => TimerKind::Call,
                Owner::Stack(_) => TimerKind::Neighbour,
            };
            return Some((at, kind));
        }
    }
}
