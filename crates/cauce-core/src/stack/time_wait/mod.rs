//! TIME-WAIT and orphaned FIN-WAIT-2 as compact records (RFC 9293 3.10.7.4, RFC 1337, RFC 6191).
//!
//! A record remembers what is needed to answer the peer's last retransmissions, to keep old duplicates from a
//! successor (P-230), and to let a new connection begin early where that is safe (P-231, P-232). It decides on
//! every segment of its four-tuple; it has no buffers, so data ends here. Deadlines and the flow table are the
//! stack's: a verdict says what to do with them.

use super::control_segment::SegmentSpec;
use super::ports::{Binding, Holder};
use super::slab::Slab;
use crate::addr::{Addr, FlowKey};
use crate::batch::SendReason;
use crate::context::Context;
use crate::counters::Counter;
use crate::frame::DeviceId;
use crate::journal::Remark;
use crate::sysctl::Sysctls;
use crate::time::{Duration, Instant};
use cauce_wire::{Flags, Seq, TcpOptions, Timestamps};
use verdict::{HAS_TS_RECENT, State, TIMESTAMPS};

#[cfg(test)]
mod tests;
mod verdict;

pub use verdict::{TwSegment, TwVerdict};

/// Which of the two states a record stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Substate {
    /// An orphan that waits for its peer's FIN (S-20).
    FinWait2,
    /// Both directions are closed.
    TimeWait,
}

/// The peer's last timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TsRecent {
    /// TS.Recent.
    pub value: u32,
    /// When it was taken.
    pub at: Instant,
}

/// What a closing connection leaves behind.
#[derive(Clone, Copy, Debug)]
pub struct NewTimeWait {
    /// The four-tuple.
    pub key: FlowKey,
    /// The state entered.
    pub substate: Substate,
    /// SND.NXT.
    pub snd_nxt: Seq,
    /// RCV.NXT.
    pub rcv_nxt: Seq,
    /// The last window offered, in bytes.
    pub rcv_wnd: u32,
    /// How it is scaled in headers.
    pub rcv_wscale: u8,
    /// Both sides send timestamps.
    pub timestamps: bool,
    /// The peer's last timestamp, if it sent one.
    pub ts_recent: Option<TsRecent>,
    /// The retransmission time-out, from which `tcp_tw_recycle` reckons the length.
    pub rto: Duration,
    /// What is added to the millisecond clock for our TSval.
    pub ts_offset: u32,
    /// The traffic class of our ACKs.
    pub tos: u8,
    /// Their hop limit.
    pub ttl: u8,
    /// Their flow label (IPv6).
    pub flow_label: u32,
    /// The device that leads to the peer.
    pub device: DeviceId,
    /// How the connection held its port.
    pub binding: Binding,
}

/// What remains of the key: an IPv4 record is a third smaller.
#[derive(Clone, Copy, Debug)]
struct KeyV4 {
    local: [u8; 4],
    remote: [u8; 4],
    local_port: u16,
    remote_port: u16,
}

impl KeyV4 {
    fn new(key: &FlowKey) -> Self {
        let tail = |addr: &Addr| [addr.0[12], addr.0[13], addr.0[14], addr.0[15]];
        KeyV4 {
            local: tail(&key.local),
            remote: tail(&key.remote),
            local_port: key.local_port,
            remote_port: key.remote_port,
        }
    }

    fn whole(&self) -> FlowKey {
        FlowKey::new((self.local, self.local_port).into(), (self.remote, self.remote_port).into())
    }
}

const REUSE_ADDR: u8 = 1 << 2;
const REUSE_PORT: u8 = 1 << 3;
const CHOSEN_BY_CONNECT: u8 = 1 << 4;
const BOUND_TO_DEVICE: u8 = 1 << 5;

#[derive(Clone, Copy, Debug)]
struct RecordV4 {
    state: State,
    key: KeyV4,
}

#[derive(Clone, Copy, Debug)]
struct RecordV6 {
    state: State,
    flow_label: u32,
    key: FlowKey,
}

/// Marks the index of an IPv6 record. The lowest bit, because the deadlines keep a place for every index up
/// to the highest.
const V6: u32 = 1;

/// Where the record of an index lies among those of its version.
const fn place(index: u32) -> u32 {
    index >> 1
}

/// What an active open takes over from the record of its four-tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// The ISS that the new connection must use.
    pub iss: Seq,
    /// The peer's last timestamp, which the new connection goes on to hold against old segments.
    pub ts_recent: TsRecent,
}

/// All TIME-WAIT and orphaned FIN-WAIT-2 records of a stack.
#[derive(Clone, Debug, Default)]
pub struct TimeWaits {
    v4: Slab<RecordV4>,
    v6: Slab<RecordV6>,
}

impl TimeWaits {
    /// How long TIME-WAIT lasts: `tcp_timewait_len` (P-071), or less.
    pub fn length(sysctl: &Sysctls) -> Duration {
        sysctl.timewait_len()
    }

    /// How long the record `index` stays in TIME-WAIT: 3.5 time-outs where `tcp_tw_recycle` is on and the peer has sent
    /// timestamps (S-49), else all the time.
    pub fn stay(&self, index: u32, sysctl: &Sysctls) -> Duration {
        let whole = TimeWaits::length(sysctl);
        match self.state(index) {
            Some(state) if sysctl.tcp_tw_recycle != 0 && state.bits & HAS_TS_RECENT != 0 => {
                whole.min(Duration::from_millis(u64::from(state.recycled_ms)))
            }
            _ => whole,
        }
    }

    /// The peer's last timestamp, if the record has one.
    pub fn ts_recent(&self, index: u32) -> Option<TsRecent> {
        let state = self.state(index).filter(|state| state.bits & HAS_TS_RECENT != 0)?;
        Some(TsRecent { value: state.ts_recent, at: state.ts_recent_at })
    }

    /// Adds a record, unless there are `tcp_max_tw_buckets` already (S-29): then the connection ends at once
    /// and `TCPTimeWaitOverflow` is counted.
    pub fn insert(&mut self, new: &NewTimeWait, ctx: &mut Context<'_>) -> Option<u32> {
        // A negative limit is none in practice, as on Linux, which compares it unsigned.
        if self.len() as u64 >= u64::from(ctx.sysctl.tcp_max_tw_buckets as u32) {
            ctx.count(Counter::TCPTimeWaitOverflow);
            ctx.note(|| Remark::TimeWaitOverflow(new.key));
            return None;
        }
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let state = State {
            ts_recent_at: new.ts_recent.map_or(Instant::ZERO, |ts| ts.at),
            snd_nxt: new.snd_nxt,
            rcv_nxt: new.rcv_nxt,
            rcv_wnd: new.rcv_wnd,
            ts_recent: new.ts_recent.map_or(0, |ts| ts.value),
            ts_offset: new.ts_offset,
            last_oow_ack: 0,
            uid: new.binding.uid,
            device: new.device,
            recycled_ms: u16::try_from((new.rto * 7 / 2).as_millis()).unwrap_or(u16::MAX),
            substate: new.substate,
            rcv_wscale: new.rcv_wscale.min(14),
            tos: new.tos,
            ttl: new.ttl,
            bits: bit(new.timestamps, TIMESTAMPS)
                | bit(new.ts_recent.is_some(), HAS_TS_RECENT)
                | bit(new.binding.reuse_addr, REUSE_ADDR)
                | bit(new.binding.reuse_port, REUSE_PORT)
                | bit(new.binding.holder.in_time_wait() == Holder::ConnectedTimeWait, CHOSEN_BY_CONNECT)
                | bit(new.binding.device.is_some(), BOUND_TO_DEVICE),
        };
        Some(if new.key.is_v4() {
            self.v4.insert(RecordV4 { state, key: KeyV4::new(&new.key) }) << 1
        } else {
            self.v6.insert(RecordV6 { state, flow_label: new.flow_label, key: new.key }) << 1 | V6
        })
    }

    /// Removes a record; returns its key and how it holds its port.
    pub fn remove(&mut self, index: u32) -> Option<(FlowKey, Binding)> {
        let (key, state) = if index & V6 == 0 {
            self.v4.remove(place(index)).map(|record| (record.key.whole(), record.state))?
        } else {
            self.v6.remove(place(index)).map(|record| (record.key, record.state))?
        };
        Some((key, binding_of(&key, &state)))
    }

    /// The record's four-tuple.
    pub fn key(&self, index: u32) -> Option<FlowKey> {
        if index & V6 == 0 {
            self.v4.get(place(index)).map(|record| record.key.whole())
        } else {
            self.v6.get(place(index)).map(|record| record.key)
        }
    }

    /// The record's state.
    pub fn substate(&self, index: u32) -> Option<Substate> {
        self.state(index).map(|state| state.substate)
    }

    /// How the record holds its port. The port table was told the same when the record was made.
    pub fn binding(&self, index: u32) -> Option<Binding> {
        Some(binding_of(&self.key(index)?, self.state(index)?))
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All records: index, key, state.
    pub fn iter(&self) -> impl Iterator<Item = (u32, FlowKey, Substate)> + '_ {
        let v4 =
            self.v4.iter().map(|(index, record)| (index << 1, record.key.whole(), record.state.substate));
        v4.chain(self.v6.iter().map(|(index, record)| (index << 1 | V6, record.key, record.state.substate)))
    }

    /// Decides on a segment for the record `index` (P-034 to P-037, P-230 to P-232).
    pub fn segment(&mut self, index: u32, segment: &TwSegment, ctx: &mut Context<'_>) -> TwVerdict {
        let Some(state) = self.state_mut(index) else { return TwVerdict::Drop { restart: false } };
        match state.substate {
            Substate::FinWait2 => state.fin_wait_2(segment, ctx),
            Substate::TimeWait => state.time_wait(segment, ctx),
        }
    }

    /// The ACK that a verdict asked for, and the one for a reopening SYN that found no listener.
    pub fn ack(&self, index: u32, now: Instant) -> Option<SegmentSpec> {
        let (key, state) = (self.key(index)?, self.state(index)?);
        let timestamps = (state.bits & TIMESTAMPS != 0).then(|| Timestamps {
            val: (now.as_millis() as u32).wrapping_add(state.ts_offset),
            ecr: state.ts_recent,
        });
        let flow_label = self.v6.get(place(index)).filter(|_| index & V6 != 0).map_or(0, |v6| v6.flow_label);
        Some(SegmentSpec {
            ack: state.rcv_nxt,
            window: u16::try_from(state.rcv_wnd >> state.rcv_wscale).unwrap_or(u16::MAX),
            options: TcpOptions { timestamps, ..TcpOptions::default() },
            ttl: state.ttl,
            tos: state.tos,
            flow_label,
            device: state.device,
            ..SegmentSpec::new(key, state.snd_nxt, Flags::ACK, SendReason::Ack)
        })
    }

    /// What an active open of the record's four-tuple may take over (S-50), or `None` if the tuple is not to
    /// be used yet. `loopback` says that the path never leaves this host. Who takes over removes the record
    /// and counts `TWRecycled`.
    pub fn takeover(&self, index: u32, now: Instant, sysctl: &Sysctls, loopback: bool) -> Option<Takeover> {
        let state = self.state(index)?;
        let allowed = sysctl.tcp_tw_reuse == 1 || sysctl.tcp_tw_reuse == 2 && loopback;
        let quiet = Duration::from_millis(u64::from(sysctl.tcp_tw_reuse_delay));
        let ready = allowed
            && state.substate == Substate::TimeWait
            && state.bits & HAS_TS_RECENT != 0
            && now.since(state.ts_recent_at) >= quiet;
        ready.then(|| Takeover {
            iss: state.next_iss(),
            ts_recent: TsRecent { value: state.ts_recent, at: state.ts_recent_at },
        })
    }

    fn state(&self, index: u32) -> Option<&State> {
        if index & V6 == 0 {
            self.v4.get(place(index)).map(|record| &record.state)
        } else {
            self.v6.get(place(index)).map(|record| &record.state)
        }
    }

    fn state_mut(&mut self, index: u32) -> Option<&mut State> {
        if index & V6 == 0 {
            self.v4.get_mut(place(index)).map(|record| &mut record.state)
        } else {
            self.v6.get_mut(place(index)).map(|record| &mut record.state)
        }
    }
}

fn binding_of(key: &FlowKey, state: &State) -> Binding {
    Binding {
        addr: key.local,
        v6_only: false,
        device: (state.bits & BOUND_TO_DEVICE != 0).then_some(state.device),
        reuse_addr: state.bits & REUSE_ADDR != 0,
        reuse_port: state.bits & REUSE_PORT != 0,
        uid: state.uid,
        holder: if state.bits & CHOSEN_BY_CONNECT != 0 {
            Holder::ConnectedTimeWait
        } else {
            Holder::TimeWait
        },
    }
}
