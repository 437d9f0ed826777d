//! Half-open connections: what their segments do, the SYN,ACK again, and the end of the handshake
//! (RFC 9293 3.10.7.4 SYN-RECEIVED; P-012 to P-016, P-033, S-02, S-45, S-46, O-03).
//!
//! Which SYN becomes one is decided in `passive`; how many there may be, in `listen/syn_queue`.

use super::control_segment::build_segment;
use super::entity::{FlowRef, Owner};
use super::input::Arrived;
use super::rate_limit::allow_invalid_ack;
use super::{Entry, PortHold, Stack};
use crate::connection::flow_label::flow_label;
use crate::connection::opening::Setup;
use crate::connection::state::State;
use crate::connection::{Connection, flag};
use crate::context::Context;
use crate::counters::Counter;
use crate::drop_reason::DropReason;
use crate::listen::syn_queue::{HalfOpen, HalfOpenFlags, SynAckTimeout, SynAckTiming};
use crate::socket::{Family, SocketId};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use cauce_wire::{Flags, Seq};

impl Stack {
    /// A segment for a half-open record.
    pub(super) fn half_open_segment(&mut self, index: u32, arrived: Arrived, now: Instant) {
        let Some(record) = self.syn_queue.get(index).copied() else { return };
        let header = &arrived.segment.header;
        let expected = Seq(record.irs) + 1;
        let offset = header.seq.distance_from(expected);
        let len = arrived.segment.sequence_len() as i64;
        let repeats_syn = header.flags.contains(Flags::SYN)
            && !header.flags.intersects(Flags::ACK | Flags::RST | Flags::FIN)
            && header.seq.0 == record.irs;
        let old_timestamp = record.flags.contains(HalfOpenFlags::TIMESTAMPS)
            && header.options.timestamps.is_some_and(|ts| (ts.val.wrapping_sub(record.ts_recent) as i32) < 0);
        if repeats_syn && !old_timestamp {
            return self.repeat_syn_ack(index, now);
        }
        let window = i64::from(record.rcv_wnd.max(1));
        let in_window = i64::from(offset) + len.max(1) > 0 && i64::from(offset) < window;
        if !in_window || old_timestamp {
            return self.refuse_half_open(index, &arrived, old_timestamp, now);
        }
        if header.flags.contains(Flags::RST) && offset != 0 {
            return self.challenge_half_open(index, now);
        }
        if header.flags.intersects(Flags::RST | Flags::SYN) {
            self.shared.counters.add(Counter::AttemptFails, 1);
            self.shared.counters.add(Counter::EmbryonicRsts, 1);
            if !arrived.has(Flags::RST) {
                self.reply_reset(&arrived, now);
            }
            self.remove_half_open(index);
            return;
        }
        if !header.flags.contains(Flags::ACK) {
            return self.shared.trace.dropped(now, DropReason::NoAckFlag);
        }
        if header.ack != Seq(record.iss) + 1 {
            self.shared.trace.dropped(now, DropReason::InvalidHandshakeAck);
            return self.reply_reset(&arrived, now);
        }
        if self.defers(&record, &arrived, offset) {
            self.shared.counters.add(Counter::TCPDeferAcceptDrop, 1);
            self.mark_acked(index);
            return self.shared.trace.dropped(now, DropReason::DeferAccept);
        }
        if self.accept_queue_refuses(index, &record, &arrived, now) {
            return;
        }
        self.deadlines.remove(Owner::HalfOpen(index));
        self.syn_queue.remove(index);
        let saved_syn = self.saved_syns.remove(&index);
        self.flows.remove(arrived.hash, FlowRef::HalfOpen(index));
        self.complete_handshake(record.listener, record, arrived, saved_syn, now);
    }

    fn mark_acked(&mut self, index: u32) {
        if let Some(record) = self.syn_queue.get_mut(index) {
            record.flags |= HalfOpenFlags::ACKED;
        }
    }

    /// TCP_DEFER_ACCEPT: a bare ACK does not end the handshake yet (O-03).
    fn defers(&self, record: &HalfOpen, arrived: &Arrived, offset: i32) -> bool {
        let deferred = match self.sockets.get(record.listener) {
            Some(Entry::Listener(listener)) => listener.options.defer_accept,
            _ => 0,
        };
        deferred > record.timeouts && arrived.segment.sequence_len() == 0 && offset == 0
    }

    /// The accept queue is full: the ACK is dropped and the record stays, or a reset ends it (S-02).
    fn accept_queue_refuses(
        &mut self,
        index: u32,
        record: &HalfOpen,
        arrived: &Arrived,
        now: Instant,
    ) -> bool {
        if !self.accept_queue_overflows(record.listener, now) {
            return false;
        }
        if self.shared.sysctl.tcp_abort_on_overflow != 0 {
            self.shared.counters.add(Counter::EmbryonicRsts, 1);
            self.reply_reset(arrived, now);
            self.remove_half_open(index);
        } else {
            self.mark_acked(index);
        }
        true
    }

    /// Counts and traces the end of a handshake that finds no room in the accept queue.
    pub(super) fn accept_queue_overflows(&mut self, id: SocketId, now: Instant) -> bool {
        let full = match self.sockets.get(id) {
            Some(Entry::Listener(listener)) => listener.accept.is_full(),
            _ => true,
        };
        if full {
            self.shared.counters.add(Counter::ListenOverflows, 1);
            self.shared.counters.add(Counter::ListenDrops, 1);
            self.shared.trace.dropped(now, DropReason::ListenOverflow);
        }
        full
    }

    fn repeat_syn_ack(&mut self, index: u32, now: Instant) {
        if !self.may_answer_half_open(index, Counter::TCPACKSkippedSynRecv, now) {
            return;
        }
        let Some(record) = self.syn_queue.get_mut(index) else { return };
        record.count_repetition();
        let record = *record;
        self.shared.counters.add(Counter::TCPSynRetrans, 1);
        self.shared.counters.add(Counter::RetransSegs, 1);
        self.send_syn_ack(&record, now);
    }

    /// Outside the window, or an old duplicate by its timestamp: answered with an ACK, within the limit.
    fn refuse_half_open(&mut self, index: u32, arrived: &Arrived, old_timestamp: bool, now: Instant) {
        let reason = if old_timestamp { DropReason::Paws } else { DropReason::AfterWindow };
        self.shared.trace.dropped(now, reason);
        if old_timestamp {
            self.shared.counters.add(Counter::PAWSEstab, 1);
        }
        if arrived.has(Flags::RST) {
            return;
        }
        if self.may_answer_half_open(index, Counter::TCPACKSkippedSynRecv, now) {
            self.acknowledge_half_open(index, now);
        }
    }

    /// A reset within the window and not at its start proves nothing: the peer is asked (RFC 5961 3.2).
    fn challenge_half_open(&mut self, index: u32, now: Instant) {
        self.shared.trace.dropped(now, DropReason::InvalidRst);
        if !self.may_answer_half_open(index, Counter::TCPACKSkippedChallenge, now) {
            return;
        }
        let shared = &mut self.shared;
        let limit = shared.sysctl.tcp_challenge_ack_limit;
        if shared.challenges.allow(now, limit, &mut *shared.rng) {
            shared.counters.add(Counter::TCPChallengeACK, 1);
            self.acknowledge_half_open(index, now);
        }
    }

    /// True unless such an answer has left for this record not long ago (S-67); then `skipped` is counted.
    fn may_answer_half_open(&mut self, index: u32, skipped: Counter, now: Instant) -> bool {
        let gap = self.shared.sysctl.invalid_ratelimit().as_millis() as u32;
        let Some(record) = self.syn_queue.get_mut(index) else { return false };
        let allowed = allow_invalid_ack(&mut record.last_oow_ack, now, gap, false);
        if !allowed {
            self.shared.counters.add(skipped, 1);
        }
        allowed
    }

    fn acknowledge_half_open(&mut self, index: u32, now: Instant) {
        let Some(record) = self.syn_queue.get(index) else { return };
        let mut ack = record.acknowledgement(self.record_ttl(record), now);
        ack.flow_label = flow_label(record.flow_seed, &self.shared.sysctl);
        self.queue_reply(build_segment(&ack));
    }

    /// The handshake is over: the record becomes a connection, which processes the segment itself.
    pub(super) fn complete_handshake(
        &mut self,
        listener_id: SocketId,
        record: HalfOpen,
        arrived: Arrived,
        saved_syn: Option<Bytes>,
        now: Instant,
    ) {
        let Some(setup) = self.child_setup(listener_id, &record, now) else { return };
        let echo = arrived.segment.header.options.timestamps.map(|ts| ts.ecr);
        let complete = |setup, cx: &mut Context<'_>| Connection::passive(setup, &record, echo, cx);
        let id = self.insert_child(setup, saved_syn, now, complete);
        if let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) {
            let mut cx = self.shared.cx(now);
            conn.segment_arrives(arrived.segment, &mut cx);
            if matches!(conn.state, State::SynReceived) {
                // The segment did not end the handshake after all; nobody else will.
                conn.set(flag::ORPHAN);
                conn.destroy(None, &mut cx);
                self.orphans += 1;
                self.settle(id, now);
                return;
            }
        }
        self.queue_child(listener_id, id, now);
    }

    /// Enters the connection that `make` makes of `setup` into the tables.
    pub(super) fn insert_child(
        &mut self,
        setup: Setup,
        saved_syn: Option<Bytes>,
        now: Instant,
        make: impl FnOnce(Setup, &mut Context<'_>) -> Connection,
    ) -> SocketId {
        let (key, hold) = (setup.key, setup.hold);
        let (sockets, shared) = (&mut self.sockets, &mut self.shared);
        let id = sockets.insert_with_key(|id| {
            let mut conn = make(Setup { id, ..setup }, &mut shared.cx(now));
            conn.set(flag::IN_FLOWS | flag::UNACCEPTED);
            if saved_syn.is_some() {
                conn.rare_mut().saved_syn = saved_syn;
            }
            Entry::Connection(Box::new(conn))
        });
        self.shared.counters.add(Counter::PassiveOpens, 1);
        self.ports.insert(key.local_port, hold.binding(key.local));
        self.insert_flow(&key, FlowRef::Socket(id));
        id
    }

    /// `accept` finds this child from now on.
    pub(super) fn queue_child(&mut self, listener_id: SocketId, id: SocketId, now: Instant) {
        if let Some(Entry::Listener(listener)) = self.sockets.get_mut(listener_id) {
            let queued = listener.accept.push(id);
            debug_assert!(queued, "fullness was asked before");
        }
        self.settle(id, now);
        self.notify(listener_id);
    }

    /// What a child of this listener starts with, its id still to be set; `None` without a route back.
    pub(super) fn child_setup(
        &self,
        listener_id: SocketId,
        record: &HalfOpen,
        now: Instant,
    ) -> Option<Setup> {
        let Some(Entry::Listener(listener)) = self.sockets.get(listener_id) else { return None };
        let query = listener.options.route_query();
        let (path, _) = self.interfaces.path(Some(record.key.local), record.key.remote, query, now).ok()?;
        Some(Setup {
            id: SocketId::default(),
            key: record.key,
            path,
            hold: PortHold {
                held: true,
                listening: false,
                any_addr: false,
                user_port: false,
                ..listener.hold
            },
            options: listener.options.inherited(),
            v6_socket: listener.family == Family::V6,
            iss: (1u64 << 32) + u64::from(record.iss),
            ts_offset: record.ts_offset,
            algorithm: self.algorithm_of(listener, record.key.remote),
        })
    }

    /// The SYN,ACK timer of a record.
    pub(super) fn on_syn_ack_timer(&mut self, index: u32, now: Instant) {
        let Some(record) = self.syn_queue.get(index) else { return };
        let (backlog, deferred, syn_count, rto_max) = match self.sockets.get(record.listener) {
            Some(Entry::Listener(listener)) => {
                let options = &listener.options;
                (listener.accept.backlog(), options.defer_accept, options.syn_count, options.rto_max())
            }
            _ => (0, 0, 0, self.shared.sysctl.rto_max()),
        };
        let retries = if syn_count != 0 { syn_count } else { self.shared.sysctl.tcp_synack_retries };
        let sysctl = &self.shared.sysctl;
        let timing = SynAckTiming { retries, initial_rto: sysctl.rto_initial(), rto_max };
        self.shared.counters.add(Counter::TCPTimeouts, 1);
        match self.syn_queue.on_timeout(index, now, timing, backlog, deferred) {
            SynAckTimeout::Retransmit(next) => {
                self.deadlines.set(Owner::HalfOpen(index), next);
                if let Some(record) = self.syn_queue.get(index).copied() {
                    self.shared.counters.add(Counter::TCPSynRetrans, 1);
                    self.shared.counters.add(Counter::RetransSegs, 1);
                    self.send_syn_ack(&record, now);
                }
            }
            SynAckTimeout::Wait(next) => self.deadlines.set(Owner::HalfOpen(index), next),
            SynAckTimeout::Expired => self.remove_half_open(index),
        }
    }

    pub(super) fn remove_half_open(&mut self, index: u32) {
        self.deadlines.remove(Owner::HalfOpen(index));
        self.saved_syns.remove(&index);
        if let Some(record) = self.syn_queue.remove(index) {
            let hash = self.flows.hash(&record.key);
            self.flows.remove(hash, FlowRef::HalfOpen(index));
        }
    }

    /// A listener goes: so do its half-open connections.
    pub(super) fn drop_half_open_of(&mut self, id: SocketId) {
        let theirs: Vec<u32> = self
            .syn_queue
            .iter()
            .filter(|(_, record)| record.listener == id)
            .map(|(index, _)| index)
            .collect();
        theirs.into_iter().for_each(|index| self.remove_half_open(index));
    }
}
