//! TIME-WAIT and orphaned FIN-WAIT-2 as the stack handles them: entering, segments, the end
//! (RFC 9293 3.10.7.4 TIME-WAIT; P-023, P-027, P-034 to P-037, P-230 to P-232).

use super::control_segment::build_segment;
use super::entity::{FlowRef, Owner};
use super::input::Arrived;
use super::time_wait::{Substate, TwSegment, TwVerdict};
use super::{Entry, PortHold, Stack};
use crate::connection::{Connection, flag};
use crate::counters::Counter;
use crate::drop_reason::DropReason;
use crate::socket::SocketId;
use crate::time::{Duration, Instant};
use alloc::vec::Vec;

/// A record that stays no longer than this is counted in `TWKilled`.
const SHORT_STAY: Duration = Duration::from_secs(4);

impl Stack {
    /// Hands the four-tuple over to a compact record; a user who still reads keeps his socket.
    /// An orphan in FIN-WAIT-2 stays `until` then; how long TIME-WAIT lasts is its own affair.
    pub(super) fn become_quiet(&mut self, id: SocketId, substate: Substate, until: Instant, now: Instant) {
        let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) else { return };
        let key = conn.key;
        let mut cx = self.shared.cx(now);
        let record = conn.time_wait_record(substate, &cx);
        conn.report_path(&mut cx);
        conn.end_in_time_wait(&mut cx);
        let Some(index) = self.time_wait.insert(&record, &mut cx) else {
            return self.leave_flows(id);
        };
        let both = keeps_port(conn);
        let hold = if both { conn.hold } else { core::mem::take(&mut conn.hold) };
        conn.clear(flag::IN_FLOWS);
        let until = match substate {
            Substate::FinWait2 => until,
            Substate::TimeWait => self.time_wait_begins(index, now),
        };
        // As Linux counts: by how long the record is meant to stay, once.
        let short = until.since(now) <= SHORT_STAY;
        self.shared.counters.add(if short { Counter::TWKilled } else { Counter::TW }, 1);
        let hash = self.flows.hash(&key);
        self.flows.replace(hash, FlowRef::Socket(id), FlowRef::TimeWait(index));
        self.deadlines.set(Owner::TimeWait(index), until);
        if hold.held {
            let waiting = self.time_wait.binding(index);
            let binding = hold.binding(key.local);
            if !both {
                self.ports.remove(key.local_port, &binding);
            }
            self.ports.insert(key.local_port, waiting.unwrap_or(binding));
        }
    }

    pub(super) fn time_wait_segment(&mut self, index: u32, arrived: Arrived, now: Instant) {
        let header = &arrived.segment.header;
        let segment = TwSegment {
            seq: header.seq,
            flags: header.flags,
            len: arrived.segment.len,
            timestamps: header.options.timestamps,
        };
        let before = self.time_wait.substate(index);
        let mut cx = self.shared.cx(now);
        let verdict = self.time_wait.segment(index, &segment, &mut cx);
        self.shared.trace.dropped(now, DropReason::TimeWait);
        let restart = match verdict {
            TwVerdict::Drop { restart } => restart,
            TwVerdict::Ack { restart } => {
                self.time_wait_ack(index, now);
                restart
            }
            TwVerdict::Reset => {
                self.reply_reset(&arrived, now);
                return self.remove_time_wait(index);
            }
            TwVerdict::Remove => return self.remove_time_wait(index),
            TwVerdict::Reopen { iss } => {
                let key = &arrived.key;
                match self.listeners.lookup(key.local, key.local_port, arrived.arrival()) {
                    Some(id) => {
                        self.remove_time_wait(index);
                        self.listener_segment(id, arrived, Some(iss), now);
                    }
                    None => self.time_wait_ack(index, now),
                }
                return;
            }
        };
        let entered =
            before == Some(Substate::FinWait2) && self.time_wait.substate(index) == Some(Substate::TimeWait);
        if restart || entered {
            let until = self.time_wait_begins(index, now);
            self.deadlines.set(Owner::TimeWait(index), until);
        }
    }

    /// When a TIME-WAIT that begins now ends; one that is cut short leaves its timestamp behind (S-49).
    fn time_wait_begins(&mut self, index: u32, now: Instant) -> Instant {
        let sysctl = &self.shared.sysctl;
        let (mode, limit) = (sysctl.tcp_tw_recycle, sysctl.tcp_max_tw_buckets as u32);
        if mode != 0
            && let (Some(key), Some(last)) = (self.time_wait.key(index), self.time_wait.ts_recent(index))
        {
            self.recycled.remember(&key, last, mode, now, limit as usize);
        }
        now + self.time_wait.stay(index, sysctl)
    }

    fn time_wait_ack(&mut self, index: u32, now: Instant) {
        if let Some(spec) = self.time_wait.ack(index, now) {
            self.queue_reply(build_segment(&spec));
        }
    }

    pub(super) fn remove_time_wait(&mut self, index: u32) {
        self.deadlines.remove(Owner::TimeWait(index));
        if let Some((key, binding)) = self.time_wait.remove(index) {
            let hash = self.flows.hash(&key);
            self.flows.remove(hash, FlowRef::TimeWait(index));
            self.ports.remove(key.local_port, &binding);
        }
    }

    pub(super) fn forget_time_waits(&mut self) {
        let all: Vec<u32> = self.time_wait.iter().map(|(index, _, _)| index).collect();
        all.into_iter().for_each(|index| self.remove_time_wait(index));
    }

    /// The connection is over for the network: its four-tuple and its port are free again.
    pub(super) fn leave_flows(&mut self, id: SocketId) {
        let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) else { return };
        conn.clear(flag::IN_FLOWS);
        let key = conn.key;
        let hold = if keeps_port(conn) { PortHold::default() } else { core::mem::take(&mut conn.hold) };
        let hash = self.flows.hash(&key);
        self.flows.remove(hash, FlowRef::Socket(id));
        self.release_port_at(key.local, key.local_port, hold);
    }

    pub(super) fn release_port_at(&mut self, addr: crate::addr::Addr, port: u16, hold: PortHold) {
        if hold.held {
            self.ports.remove(port, &hold.binding(addr));
        }
    }
}

/// A port that the user has bound stays his socket's when the connection has ended (Linux).
fn keeps_port(conn: &Connection) -> bool {
    conn.has(flag::ACTIVE) && !conn.has(flag::ORPHAN) && conn.hold.user_port
}
