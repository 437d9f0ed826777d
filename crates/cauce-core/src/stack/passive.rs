//! Segments for listeners: which SYN is answered, and what its half-open record says
//! (RFC 9293 3.10.7.2; P-003, S-28, S-45, S-46).
//!
//! What becomes of the record is decided in `half_open`.

use super::control_segment::{SegmentSpec, build_segment};
use super::entity::{FlowRef, Owner};
use super::input::Arrived;
use super::reset::ECN_MASK;
use super::{Entry, Stack};
use crate::addr::Addr;
use crate::congestion::{Algorithm, CongestionControl};
use crate::connection::ecn;
use crate::connection::flow_label::flow_label;
use crate::connection::negotiated::Negotiated;
use crate::connection::opening::{advertised_mss, opening_window};
use crate::counters::Counter;
use crate::drop_reason::DropReason;
use crate::journal::Remark;
use crate::listen::fast_open::Verdict;
use crate::listen::listener::Listener;

use crate::listen::syn_queue::{Admission, AdmissionLimits, HalfOpen, HalfOpenFlags, SynQueue};
use crate::socket::SocketId;
use crate::time::Instant;
use cauce_wire::{Ecn, Flags, Seq};

impl Stack {
    /// A segment for a listener (RFC 9293 3.10.7.2). `reopened` is the ISS that a TIME-WAIT of the same tuple
    /// demands.
    pub(super) fn listener_segment(
        &mut self,
        id: SocketId,
        arrived: Arrived,
        reopened: Option<Seq>,
        now: Instant,
    ) {
        let flags = arrived.segment.header.flags;
        if flags.contains(Flags::RST) {
            self.shared.trace.dropped(now, DropReason::ListenRst);
        } else if flags.contains(Flags::ACK) {
            self.maybe_cookie(id, arrived, now);
        } else if flags.contains(Flags::SYN) && !flags.contains(Flags::FIN) {
            self.syn_arrives(id, arrived, reopened, now);
        } else {
            self.shared.trace.dropped(now, DropReason::ListenNoSyn);
        }
    }

    fn syn_arrives(&mut self, id: SocketId, arrived: Arrived, reopened: Option<Seq>, now: Instant) {
        let sysctl = &self.shared.sysctl;
        let proven = self.shared.destinations.is_proven(&arrived.key.remote, now);
        let Some(Entry::Listener(listener)) = self.sockets.get(id) else { return };
        if arrived.key.local.is_multicast_or_broadcast() {
            return self.drop_syn(now, DropReason::BadDestination);
        }
        if listener.accept.is_full() {
            self.shared.counters.add(Counter::ListenOverflows, 1);
            return self.drop_syn(now, DropReason::ListenOverflow);
        }
        let tsval = arrived.segment.header.options.timestamps.map(|ts| ts.val);
        let recycle = sysctl.tcp_tw_recycle;
        if recycle != 0 && tsval.is_some_and(|val| self.recycled.refuses(&arrived.key, val, recycle, now)) {
            self.shared.counters.add(Counter::PAWSPassiveRejected, 1);
            self.shared.note(now, || Remark::OldTimestamp(arrived.key));
            return self.drop_syn(now, DropReason::Paws);
        }
        let limits = AdmissionLimits {
            backlog: listener.accept.backlog(),
            max_syn_backlog: sysctl.tcp_max_syn_backlog,
            syncookies: sysctl.tcp_syncookies,
        };
        let full = self.syn_queue.len() as u64 >= u64::from(sysctl.max_half_open);
        if let Some(counter) = self.syn_queue.flood(id, limits) {
            self.shared.counters.add(counter, 1);
            self.note_flood(id, counter, now);
        }
        let admission = match self.syn_queue.admit(id, limits, proven) {
            Admission::Queue if full => Admission::Drop,
            other => other,
        };
        if admission == Admission::Drop {
            return self.drop_syn(now, DropReason::SynQueueFull);
        }
        let Some(record) = self.half_open_record(id, &arrived, reopened, now) else {
            return self.drop_syn(now, DropReason::Unroutable);
        };
        if admission == Admission::Cookie {
            return self.answer_with_cookie(id, record, &arrived, now);
        }
        match self.fast_open_verdict(id, &arrived, now) {
            Verdict::Open(cookie) => return self.open_by_syn(id, record, arrived, cookie, now),
            Verdict::Handshake(cookie) => {
                let mut spec = self.syn_ack_spec(&record, now);
                spec.options.fast_open = cookie;
                self.queue_reply(build_segment(&spec));
            }
        }
        let key = record.key;
        let saves =
            matches!(self.sockets.get(id), Some(Entry::Listener(listener)) if listener.options.saves_syn());
        let index = self.syn_queue.insert(record);
        if let Some(headers) = arrived.syn_headers.filter(|_| saves) {
            self.saved_syns.insert(index, headers);
        }
        self.insert_flow(&key, FlowRef::HalfOpen(index));
        self.deadlines
            .set(Owner::HalfOpen(index), SynQueue::first_timeout(now, self.shared.sysctl.rto_initial()));
    }

    /// A listener's first flood of SYNs is told, unless it always answers with cookies (Linux).
    fn note_flood(&mut self, id: SocketId, counter: Counter, now: Instant) {
        let Some(Entry::Listener(listener)) = self.sockets.get_mut(id) else { return };
        if listener.flood_told || self.shared.sysctl.tcp_syncookies > 1 {
            return;
        }
        listener.flood_told = true;
        let (port, cookies) = (listener.at.port, counter == Counter::TCPReqQFullDoCookies);
        self.shared.note(now, || Remark::SynFlood { port, cookies });
    }

    fn drop_syn(&mut self, now: Instant, reason: DropReason) {
        self.shared.counters.add(Counter::ListenDrops, 1);
        self.shared.trace.dropped(now, reason);
    }

    /// What a SYN and our answer to it agree on; `None` without a route back.
    pub(super) fn half_open_record(
        &self,
        id: SocketId,
        arrived: &Arrived,
        reopened: Option<Seq>,
        now: Instant,
    ) -> Option<HalfOpen> {
        let Some(Entry::Listener(listener)) = self.sockets.get(id) else { return None };
        let key = arrived.key;
        let (path, _) =
            self.interfaces.path(Some(key.local), key.remote, listener.options.route_query(), now).ok()?;
        let sysctl = &self.shared.sysctl;
        let theirs = &arrived.segment.header.options;
        let mss = advertised_mss(&path, &listener.options, sysctl);
        let scaling = sysctl.tcp_window_scaling != 0 && theirs.window_scale.is_some();
        // The window holds whole segments, which timestamps make shorter.
        let agree =
            |scale| Negotiated::able(&key, mss, scale, sysctl).agree(theirs, &listener.options, sysctl);
        let stamped = agree(0).option_space();
        let window = opening_window(&listener.options, &path, mss - stamped.min(mss), scaling, sysctl);
        let agreed = agree(window.scale);
        let syn = &arrived.segment;
        let needs_ecn =
            syn.has(Flags::ECE | Flags::CWR) && self.algorithm_of(listener, key.remote).needs_ecn();
        let offer = ecn::Offer { route: path.ecn, needed: needs_ecn };
        let agreed_ecn = ecn::answer(sysctl, &offer, syn.flags(), syn.ecn);
        let mut flags = HalfOpenFlags::default();
        for (on, bit) in [
            (agreed.sack, HalfOpenFlags::SACK),
            (agreed.timestamps, HalfOpenFlags::TIMESTAMPS),
            (agreed.window_scaling, HalfOpenFlags::WINDOW_SCALE),
            (agreed_ecn == ecn::Mode::Classic, HalfOpenFlags::ECN),
            (agreed_ecn == ecn::Mode::Accurate, HalfOpenFlags::ACC_ECN),
        ] {
            if on {
                flags |= bit;
            }
        }
        let tos = match sysctl.tcp_reflect_tos {
            0 => listener.options.traffic_class(key.is_v4()),
            _ => arrived.traffic_class & !ECN_MASK,
        };
        Some(HalfOpen {
            key,
            listener: id,
            first_sent: now,
            irs: arrived.segment.header.seq.0,
            iss: reopened.map_or_else(|| self.isn.initial_sequence(&key, now), |seq| seq.0),
            rcv_wnd: window.window,
            ts_recent: theirs.timestamps.map_or(0, |ts| ts.val),
            ts_offset: self.timestamp_offset(&key),
            flow_seed: self.isn.flow_seed(&key),
            last_oow_ack: 0,
            peer_mss: agreed.peer_mss,
            advertised_mss: mss,
            flags,
            device: path.device,
            snd_wscale: agreed.snd_scale,
            rcv_wscale: agreed.rcv_scale,
            syn_mark: syn.ecn,
            tos: tos | if needs_ecn { Ecn::Ect0 as u8 } else { 0 },
            retransmits: 0,
            timeouts: 0,
        })
    }

    pub(super) fn syn_ack_spec(&self, record: &HalfOpen, now: Instant) -> SegmentSpec {
        let mut spec = record.syn_ack(self.record_ttl(record), now);
        spec.options.acc_ecn = ecn::syn_ack_option(record, &self.shared.sysctl);
        spec.flow_label = flow_label(record.flow_seed, &self.shared.sysctl);
        spec
    }

    pub(super) fn record_ttl(&self, record: &HalfOpen) -> u8 {
        match self.sockets.get(record.listener) {
            Some(Entry::Listener(listener)) => {
                listener.options.hop_limit(record.key.is_v4(), &self.shared.sysctl)
            }
            _ => 64,
        }
    }

    /// The algorithm of a connection to `to` that comes from a listener, with fresh state: the route's, the one that the
    /// user has chosen, or the system's.
    pub(super) fn algorithm_of(&self, listener: &Listener, to: Addr) -> Algorithm {
        let own = listener.algorithm;
        let own = if own.by_user { own.name } else { self.shared.sysctl.tcp_congestion_control };
        let name = self.interfaces.algorithm(to, listener.options.route_query()).unwrap_or(own);
        self.registry.by_name(name.as_str()).unwrap_or_default()
    }

    pub(super) fn send_syn_ack(&mut self, record: &HalfOpen, now: Instant) {
        let spec = self.syn_ack_spec(record, now);
        self.queue_reply(build_segment(&spec));
    }
}
