//! Half-open connections of the passive side, as compact records (DESIGN 4.8; RFC 9293 3.10.7.4 SYN-RECEIVED).
//!
//! Decides whether a SYN may have a record, a cookie or nothing (S-28, S-46), and what happens when its
//! SYN,ACK stays unanswered (S-45). It holds what the whole connection will need once the handshake ends, and
//! sends nothing itself.

use crate::addr::FlowKey;
use crate::batch::SendReason;
use crate::connection::ecn;
use crate::connection::timestamps::Timestamps as Clock;
use crate::frame::DeviceId;
use crate::receive::InitialWindow;
use crate::socket::SocketId;
use crate::stack::control_segment::SegmentSpec;
use crate::stack::slab::Slab;
use crate::time::{Duration, Instant};
use alloc::collections::BTreeMap;
use cauce_wire::{Ecn, Flags, Seq, TcpOptions, Timestamps};
use core::ops::{BitOr, BitOrAssign};

/// What the two SYNs agreed upon, and what has happened since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HalfOpenFlags(pub u16);

impl HalfOpenFlags {
    /// Both sides permit SACK.
    pub const SACK: HalfOpenFlags = HalfOpenFlags(1);
    /// Both sides send timestamps.
    pub const TIMESTAMPS: HalfOpenFlags = HalfOpenFlags(1 << 1);
    /// Both sides scale their windows.
    pub const WINDOW_SCALE: HalfOpenFlags = HalfOpenFlags(1 << 2);
    /// Both sides use classic ECN (RFC 3168).
    pub const ECN: HalfOpenFlags = HalfOpenFlags(1 << 3);
    /// Both sides use accurate ECN.
    pub const ACC_ECN: HalfOpenFlags = HalfOpenFlags(1 << 4);
    /// The SYN asked for a Fast Open cookie.
    pub const FAST_OPEN: HalfOpenFlags = HalfOpenFlags(1 << 5);
    /// The final ACK has come but the accept queue was full, or the listener defers (`TCP_DEFER_ACCEPT`).
    pub const ACKED: HalfOpenFlags = HalfOpenFlags(1 << 6);
    /// The peer is proven: it has answered before.
    pub const PROVEN: HalfOpenFlags = HalfOpenFlags(1 << 7);
    /// The path is local: the peer is this stack or the loopback.
    pub const LOOPBACK: HalfOpenFlags = HalfOpenFlags(1 << 8);
    /// The record was rebuilt from a SYN cookie: nobody knows when the SYN,ACK left.
    pub const COOKIE: HalfOpenFlags = HalfOpenFlags(1 << 9);

    /// True when all of `other` is set.
    pub const fn contains(self, other: HalfOpenFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// True when some of `other` is set.
    pub const fn intersects(self, other: HalfOpenFlags) -> bool {
        self.0 & other.0 != 0
    }

    /// Takes `other` out.
    pub fn clear(&mut self, other: HalfOpenFlags) {
        self.0 &= !other.0;
    }
}

impl BitOr for HalfOpenFlags {
    type Output = HalfOpenFlags;
    fn bitor(self, other: HalfOpenFlags) -> HalfOpenFlags {
        HalfOpenFlags(self.0 | other.0)
    }
}

impl BitOrAssign for HalfOpenFlags {
    fn bitor_assign(&mut self, other: HalfOpenFlags) {
        self.0 |= other.0;
    }
}

/// A connection in SYN-RECEIVED that came from a listener.
#[derive(Clone, Copy, Debug)]
pub struct HalfOpen {
    /// The four-tuple.
    pub key: FlowKey,
    /// Whose SYN it was.
    pub listener: SocketId,
    /// When the SYN,ACK was first sent: what its timer and the first RTT sample count from.
    pub first_sent: Instant,
    /// The peer's initial sequence number.
    pub irs: u32,
    /// Ours.
    pub iss: u32,
    /// The receive window that the SYN,ACK offered, in bytes.
    pub rcv_wnd: u32,
    /// The last TSval of the peer.
    pub ts_recent: u32,
    /// What is added to the millisecond clock for our TSval.
    pub ts_offset: u32,
    /// The flow label of our packets (IPv6).
    pub flow_label: u32,
    /// When an unacceptable segment was last answered, in milliseconds; 0 if never (S-67).
    pub last_oow_ack: u32,
    /// The MSS the peer announced, 0 if it announced none.
    pub peer_mss: u16,
    /// The MSS our SYN,ACK announces.
    pub advertised_mss: u16,
    /// What has been agreed upon.
    pub flags: HalfOpenFlags,
    /// The device the SYN came from.
    pub device: DeviceId,
    /// How the peer scales its windows.
    pub snd_wscale: u8,
    /// How ours are scaled.
    pub rcv_wscale: u8,
    /// The ECN field that the SYN arrived with.
    pub syn_mark: Ecn,
    /// The traffic class of our packets, ECN-capable if the algorithm needs it.
    pub tos: u8,
    /// SYN,ACKs sent again (by the timer or because the SYN came again).
    pub retransmits: u8,
    /// How often the timer ran out.
    pub timeouts: u8,
}

impl HalfOpen {
    /// The SYN,ACK of this record, as it leaves at `now`.
    pub(crate) fn syn_ack(&self, ttl: u8, now: Instant) -> SegmentSpec {
        let has = |flag| self.flags.contains(flag);
        let clock = Clock::new(self.ts_offset);
        let timestamps = Timestamps { val: clock.now(now), ecr: self.ts_recent };
        let flags = Flags::SYN | Flags::ACK | ecn::syn_ack_ace(self);
        SegmentSpec {
            ack: Seq(self.irs) + 1,
            window: InitialWindow { window: self.rcv_wnd, scale: 0, clamp: 0 }.syn_field(),
            options: TcpOptions {
                mss: Some(self.advertised_mss),
                sack_permitted: has(HalfOpenFlags::SACK),
                window_scale: has(HalfOpenFlags::WINDOW_SCALE).then_some(self.rcv_wscale),
                timestamps: has(HalfOpenFlags::TIMESTAMPS).then_some(timestamps),
                ..TcpOptions::default()
            },
            ttl,
            tos: self.tos,
            flow_label: self.flow_label,
            device: self.device,
            ..SegmentSpec::new(self.key, Seq(self.iss), flags, SendReason::Handshake)
        }
    }

    /// The ACK that answers a segment which this record cannot take.
    pub(crate) fn acknowledgement(&self, ttl: u8, now: Instant) -> SegmentSpec {
        let spec = self.syn_ack(ttl, now);
        SegmentSpec {
            seq: Seq(self.iss) + 1,
            flags: Flags::ACK | ecn::challenge_ace(self),
            window: u16::try_from(self.rcv_wnd >> self.rcv_wscale).unwrap_or(u16::MAX),
            options: TcpOptions { timestamps: spec.options.timestamps, ..TcpOptions::default() },
            reason: SendReason::ChallengeAck,
            ..spec
        }
    }
}

/// What becomes of a new SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It gets a record.
    Queue,
    /// It is answered with a cookie and leaves no trace.
    Cookie,
    /// It is dropped: too many half-open connections (`TCPReqQFullDrop` where the queue is full).
    Drop,
}

/// The settings that admission looks at.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionLimits {
    /// The listener's backlog, already capped by `somaxconn`.
    pub backlog: u32,
    /// `tcp_max_syn_backlog`.
    pub max_syn_backlog: i32,
    /// `tcp_syncookies`.
    pub syncookies: u8,
}

/// What to do when the SYN,ACK timer has run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SynAckTimeout {
    /// Send the SYN,ACK again; the timer runs out next at this moment.
    Retransmit(Instant),
    /// The listener defers acceptance and the peer has acknowledged: send nothing, wait until this moment.
    Wait(Instant),
    /// Give up: remove the record, silently.
    Expired,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    all: u32,
    /// Those whose SYN,ACK has never been repeated.
    young: u32,
}

/// Every half-open record of a stack, and how many each listener has.
#[derive(Clone, Debug, Default)]
pub struct SynQueue {
    records: Slab<HalfOpen>,
    counts: BTreeMap<SocketId, Count>,
}

impl SynQueue {
    /// Decides on a new SYN to `listener` from a peer that is `proven` (its metrics are remembered) or not.
    pub fn admit(&self, listener: SocketId, limits: AdmissionLimits, proven: bool) -> Admission {
        let half_open = i64::from(self.count(listener));
        let full = half_open > i64::from(limits.backlog);
        if limits.syncookies >= 2 || (full && limits.syncookies > 0) {
            return Admission::Cookie;
        }
        let limit = i64::from(limits.max_syn_backlog);
        // The last quarter of the limit is kept for peers that are known to be real.
        let reserve = limits.syncookies == 0 && limit - half_open < limit >> 2 && !proven;
        if full || reserve { Admission::Drop } else { Admission::Queue }
    }

    /// Adds a record. Its first time-out is at [`SynQueue::first_timeout`].
    pub fn insert(&mut self, record: HalfOpen) -> u32 {
        let count = self.counts.entry(record.listener).or_default();
        count.all += 1;
        count.young += u32::from(record.timeouts == 0);
        self.records.insert(record)
    }

    /// Takes a record out, because the handshake has ended one way or the other.
    pub fn remove(&mut self, index: u32) -> Option<HalfOpen> {
        let record = self.records.remove(index)?;
        if let Some(count) = self.counts.get_mut(&record.listener) {
            count.all = count.all.saturating_sub(1);
            count.young = count.young.saturating_sub(u32::from(record.timeouts == 0));
            if count.all == 0 {
                self.counts.remove(&record.listener);
            }
        }
        Some(record)
    }

    /// The record.
    pub fn get(&self, index: u32) -> Option<&HalfOpen> {
        self.records.get(index)
    }

    /// The record, to be changed. `listener` and `timeouts` are counted: leave them alone.
    pub fn get_mut(&mut self, index: u32) -> Option<&mut HalfOpen> {
        self.records.get_mut(index)
    }

    /// Half-open connections of one listener.
    pub fn count(&self, listener: SocketId) -> u32 {
        self.counts.get(&listener).map_or(0, |count| count.all)
    }

    /// Half-open connections of the stack.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.records.len() == 0
    }

    /// All records with their indices, in index order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &HalfOpen)> {
        self.records.iter()
    }

    /// When the SYN,ACK that is sent now runs out for the first time.
    pub fn first_timeout(now: Instant, initial_rto: Duration) -> Instant {
        now + initial_rto
    }

    /// The SYN,ACK timer of a record has run out. `retries` is `tcp_synack_retries` (or `TCP_SYNCNT`),
    /// `backlog` the listener's, `deferred` how many further time-outs a listener with `TCP_DEFER_ACCEPT`
    /// grants to a peer that has acknowledged.
    ///
    /// Time-outs double from `initial_rto` on and stay below `rto_max`: SYN,ACKs leave at 0, 1, 3, 7, 15 and
    /// 31 s, and the record is gone at 63 s (S-45). A listener whose queue is half full gives up on old
    /// records earlier, so that young ones find room.
    pub fn on_timeout(
        &mut self,
        index: u32,
        now: Instant,
        timing: SynAckTiming,
        backlog: u32,
        deferred: u8,
    ) -> SynAckTimeout {
        let Some(record) = self.records.get_mut(index) else { return SynAckTimeout::Expired };
        let count = self.counts.entry(record.listener).or_default();
        let limit = crowded_limit(timing.retries, *count, backlog);
        let acked = record.flags.contains(HalfOpenFlags::ACKED);
        let give_up = if acked { record.timeouts >= limit.max(deferred) } else { record.timeouts >= limit };
        if give_up {
            return SynAckTimeout::Expired;
        }
        if record.timeouts == 0 {
            count.young = count.young.saturating_sub(1);
        }
        record.timeouts = record.timeouts.saturating_add(1);
        let wait = timing.initial_rto.checked_mul(1 << record.timeouts.min(31)).unwrap_or(timing.rto_max);
        let next = now + wait.min(timing.rto_max);
        // A peer that has acknowledged is asked again only when its grace is over.
        if acked && record.timeouts < deferred {
            return SynAckTimeout::Wait(next);
        }
        record.retransmits = record.retransmits.saturating_add(1);
        SynAckTimeout::Retransmit(next)
    }
}

/// The settings of the SYN,ACK timer.
#[derive(Clone, Copy, Debug)]
pub struct SynAckTiming {
    /// `tcp_synack_retries`, or the listener's `TCP_SYNCNT`.
    pub retries: u8,
    /// The initial RTO, 1 s unless `tcp_rto_initial_ms` says otherwise (RFC 6298).
    pub initial_rto: Duration,
    /// The longest RTO, 120 s.
    pub rto_max: Duration,
}

/// Retries that a record gets in a queue that fills: one less for each doubling by which the young ones are
/// outnumbered, but at least two.
fn crowded_limit(retries: u8, count: Count, backlog: u32) -> u8 {
    let mut limit = retries;
    if count.all.saturating_mul(2) > backlog.max(8) {
        let mut young = count.young.saturating_mul(2);
        while limit > 2 && count.all >= young {
            limit -= 1;
            young = young.saturating_mul(2);
        }
    }
    limit
}

#[cfg(test)]
mod tests {
    use super::*;
    use slotmap::SlotMap;
    use std::vec::Vec;

    fn listener() -> SocketId {
        SlotMap::with_key().insert(())
    }

    fn record(listener: SocketId, port: u16) -> HalfOpen {
        HalfOpen {
            key: FlowKey::new(
                "10.0.0.1:80".parse().unwrap(),
                (core::net::Ipv4Addr::new(10, 0, 0, 2), port).into(),
            ),
            listener,
            first_sent: Instant::ZERO,
            irs: 0,
            iss: 0,
            rcv_wnd: 64240,
            ts_recent: 0,
            ts_offset: 0,
            flow_label: 0,
            last_oow_ack: 0,
            peer_mss: 1460,
            advertised_mss: 1460,
            flags: HalfOpenFlags::SACK | HalfOpenFlags::TIMESTAMPS,
            device: DeviceId(0),
            snd_wscale: 7,
            rcv_wscale: 7,
            syn_mark: Ecn::NotEct,
            tos: 0,
            retransmits: 0,
            timeouts: 0,
        }
    }

    fn flood(limits: AdmissionLimits, syns: u16) -> (usize, usize) {
        let listener = listener();
        let mut queue = SynQueue::default();
        let mut cookies = 0;
        for port in 1..=syns {
            match queue.admit(listener, limits, false) {
                Admission::Queue => {
                    queue.insert(record(listener, port));
                }
                Admission::Cookie => cookies += 1,
                Admission::Drop => {}
            }
        }
        (queue.len(), cookies)
    }

    /// The numbers that S-28 and S-46 give, as Linux showed them.
    #[test]
    fn s28_s46_limits() {
        let limits =
            |syncookies, max_syn_backlog, backlog| AdmissionLimits { backlog, max_syn_backlog, syncookies };
        assert_eq!(flood(limits(0, 128, 1000), 300), (97, 0));
        assert_eq!(flood(limits(0, 2048, 100), 300), (101, 0));
        assert_eq!(flood(limits(1, 16, 10), 300), (11, 289));
        assert_eq!(flood(limits(0, 2, 5), 10), (3, 0));
        assert_eq!(flood(limits(1, 2, 5), 10), (6, 4));
        assert_eq!(flood(limits(2, 2, 5), 10), (0, 10));
    }

    #[test]
    fn s28_proven_peers_may_use_the_last_quarter() {
        let listener = listener();
        let mut queue = SynQueue::default();
        for port in 0..97 {
            queue.insert(record(listener, port));
        }
        let limits = AdmissionLimits { backlog: 1000, max_syn_backlog: 128, syncookies: 0 };
        assert_eq!(queue.admit(listener, limits, false), Admission::Drop);
        assert_eq!(queue.admit(listener, limits, true), Admission::Queue);
    }

    /// S-45: SYN,ACKs at 0, 1, 3, 7, 15, 31 s, gone at 63 s.
    #[test]
    fn s45_synack_timer() {
        let timing = SynAckTiming {
            retries: 5,
            initial_rto: Duration::from_secs(1),
            rto_max: Duration::from_secs(120),
        };
        let listener = listener();
        let mut queue = SynQueue::default();
        let index = queue.insert(record(listener, 1));
        let mut at = SynQueue::first_timeout(Instant::ZERO, timing.initial_rto);
        let mut sent = Vec::new();
        while let SynAckTimeout::Retransmit(next) = queue.on_timeout(index, at, timing, 128, 0) {
            sent.push(at.as_secs());
            at = next;
        }
        assert_eq!(sent, [1, 3, 7, 15, 31]);
        assert_eq!(at.as_secs(), 63);
        assert_eq!(queue.remove(index).unwrap().retransmits, 5);
        assert_eq!((queue.count(listener), queue.is_empty()), (0, true));
    }

    #[test]
    fn a_crowded_queue_gives_up_on_old_records_earlier() {
        let count = |all, young| Count { all, young };
        assert_eq!(crowded_limit(5, count(4, 0), 8), 5, "half full at most");
        assert_eq!(crowded_limit(5, count(100, 90), 100), 5, "mostly young");
        assert_eq!(crowded_limit(5, count(100, 40), 100), 4);
        assert_eq!(crowded_limit(5, count(100, 0), 100), 2);
        assert_eq!(crowded_limit(1, count(100, 0), 100), 1);
    }

    #[test]
    fn a_record_is_compact() {
        assert!(size_of::<Option<HalfOpen>>() <= 128, "{}", size_of::<Option<HalfOpen>>());
    }
}
