//! One connection: the transmission control block of RFC 9293 3.3.1 and what changes it as a whole.
//!
//! The block is a row of managers, each with its own state and rules: `recv` (what arrived and which window
//! to offer), `write` (bytes to send), `recovery` (what is lost), `cong` (how much may be in flight), timers,
//! options. Segments act on it in `segment_arrives`, user calls in [`user_calls`], deadlines in [`timeouts`];
//! what may leave now is decided in `send`. A connection never looks at other connections or at the stack.

mod arrivals;
pub mod closing;
pub(crate) mod ecn;
pub mod ending;
pub mod fast_open;
pub(crate) mod flow_label;
pub mod keepalive;
pub mod negotiated;
pub(crate) mod notices;
pub mod opening;
pub mod options;
mod past;
pub mod path;
pub(crate) mod rare;
pub mod state;
pub mod stats;
pub mod timeouts;
pub mod timers;
pub mod timestamps;
pub(crate) mod unconfirmed;
pub(crate) mod urgent;
pub mod user_calls;

use crate::addr::FlowKey;
use crate::congestion;
use crate::congestion::view::{SenderView, Tuning};
use crate::congestion::window::Congestion;
use crate::context::Context;
use crate::counters::Counter;
use crate::receive::{PathTimes, Receiver};
use crate::recovery::{Env, Recovery, SenderState, Settings};
use crate::send::write_queue::WriteQueue;
use crate::socket::Family;
use crate::socket::SocketId;
use crate::socket::errno::Errno;
use crate::socket::options::{SocketOptions, rare_flag};
use crate::socket::readiness::Readiness;
use crate::stack::PortHold;
use crate::time::Instant;
use crate::trace::TraceEvent;
use alloc::boxed::Box;
use cauce_wire::Seq;
use negotiated::Negotiated;
use path::Path;
use rare::Rare;
use state::{Event, State};
use stats::{Stats, Waiting};
use timers::Timers;
use timestamps::Timestamps;

pub(crate) use opening::Setup;

/// Where every stream of offsets begins, the initial sequence number still to be added.
pub(crate) const FIRST_OFFSET: u64 = 1 << 32;

/// The send sequence variables of RFC 9293 3.3.1, as stream offsets.
#[derive(Clone, Copy, Debug)]
pub struct SendVariables {
    /// The oldest unacknowledged offset.
    pub una: u64,
    /// The next offset to send.
    pub nxt: u64,
    /// The initial sequence number; its offset is [`iss`](Self::iss).
    isn: u32,
    /// The window that the peer offers from `una`, in bytes.
    pub wnd: u32,
    /// The largest window that the peer ever offered.
    pub max_wnd: u32,
    /// The sequence number of the segment that updated the window last.
    pub wl1: Seq,
    /// Just past the last urgent byte written; `una` or less when there is none (snd.up).
    pub up: u64,
    /// Just past the last segment sent that was smaller than the MSS (Minshall's Nagle).
    pub small_end: Seq,
    /// Payload bytes below the socket: handed to devices that have not sent them yet, with
    /// what their packets cost.
    pub below: u32,
}

impl SendVariables {
    /// Before anything is sent: `iss` is the offset of our SYN, `irs` that of the peer's.
    pub fn new(iss: u64, irs: u64) -> Self {
        let small_end = Seq::at(iss);
        let wl1 = Seq::at(irs);
        SendVariables {
            una: iss,
            nxt: iss,
            isn: iss as u32,
            wnd: 0,
            max_wnd: 0,
            wl1,
            up: iss,
            small_end,
            below: 0,
        }
    }

    /// The offset of our SYN.
    pub fn iss(&self) -> u64 {
        FIRST_OFFSET + u64::from(self.isn)
    }
}

/// Bits of [`Connection::pending`]: what the stack still has to do for a connection.
pub(crate) mod pending {
    /// Something may leave.
    pub(crate) const OUTPUT: u8 = 1;
    /// Readiness changed for the better: tell the user.
    pub(crate) const EVENT: u8 = 2;
    /// A pure acknowledgement is due.
    pub(crate) const ACK: u8 = 4;
    /// The SYN or SYN,ACK is to be sent.
    pub(crate) const SYN: u8 = 8;
    /// A write of the user is what asks for output.
    pub(crate) const WROTE: u8 = 16;
    /// A tail-loss probe is to be sent.
    pub(crate) const PROBE: u8 = 32;
    /// A zero-window probe is to be sent.
    pub(crate) const WINDOW_PROBE: u8 = 64;
    /// A push overrides Nagle and cork once (TCP_NODELAY set, uncork, a writer who waits).
    pub(crate) const FLUSH: u8 = 128;
}

/// Bits of [`Connection::flags`].
pub(crate) mod flag {
    /// No user owns the connection any more.
    pub(crate) const ORPHAN: u16 = 1;
    /// The user has shut down reading.
    pub(crate) const RCV_SHUTDOWN: u16 = 2;
    /// The user has shut down writing: a FIN follows the queued bytes.
    pub(crate) const SND_SHUTDOWN: u16 = 4;
    /// The FIN has been sent at least once; it lies at `write.end()`.
    pub(crate) const FIN_SENT: u16 = 8;
    /// The peer's FIN has been reached in sequence.
    pub(crate) const FIN_RECEIVED: u16 = 16;
    /// Opened by a user of this side.
    pub(crate) const ACTIVE: u16 = 32;
    /// A write found no room: tell the user when there is some.
    pub(crate) const WANTS_ROOM: u16 = 64;
    /// In the stack's list of connections with output.
    pub(crate) const IN_READY: u16 = 128;
    /// In the stack's list of events.
    pub(crate) const IN_EVENTS: u16 = 256;
    /// The IPv4-mapped or IPv6 view is what the user sees.
    pub(crate) const V6_SOCKET: u16 = 512;
    /// Retransmissions keep failing: the next one shall go another way if there is one (S-38).
    pub(crate) const SUSPECT: u16 = 1024;
    /// Counted in CurrEstab.
    pub(crate) const COUNTED: u16 = 2048;
    /// The last write asked for more to follow (MSG_MORE).
    pub(crate) const MORE: u16 = 4096;
    /// Output waits for a device to send what it holds of this connection.
    pub(crate) const THROTTLED: u16 = 8192;
    /// Entered in the stack's flow table.
    pub(crate) const IN_FLOWS: u16 = 16384;
    /// Waits in a listener's accept queue, or (for an active open) the user has not yet asked how it went.
    pub(crate) const UNACCEPTED: u16 = 32768;
    /// The same bit: a connection is never both.
    pub(crate) const CONNECTING: u16 = UNACCEPTED;
}

/// What recovery is lent for one call, with the route's and the socket's own values.
pub(crate) fn env_of<'a>(path: &Path, options: &SocketOptions, cx: &'a mut Context<'_>) -> Env<'a> {
    let mut settings = Settings::of(cx.sysctl);
    settings.thin_linear_timeouts |= options.has_rare(rare_flag::THIN_LINEAR);
    settings.rto_max_us = options.rto_max_ms() * 1_000;
    settings.rto_min_us = if path.rto_min_us != 0 { path.rto_min_us } else { options.rto_min_us() };
    Env { now: cx.now, settings, counters: cx.counters }
}

/// A connection that is neither half-open nor in TIME-WAIT (those are compact records elsewhere).
#[derive(Debug)]
pub struct Connection {
    pub(crate) id: SocketId,
    pub(crate) key: FlowKey,
    pub(crate) state: State,
    pub(crate) pending: u8,
    pub(crate) flags: u16,
    /// In what readiness got better since the user was last told.
    pub(crate) news: Readiness,
    pub(crate) error: Option<Errno>,
    pub(crate) soft_error: Option<Errno>,
    /// Payload bytes of a full segment now: path, peer and options allow no more.
    pub(crate) mss: u16,
    /// IPv4: the identification of the next packet. IPv6: what the flow label is made of.
    pub(crate) ip_id: u16,
    pub(crate) hold: PortHold,
    pub(crate) keepalive_probes: u8,
    pub(crate) window_probes: u8,
    pub(crate) persist_backoff: u8,
    pub(crate) negotiated: Negotiated,
    pub(crate) snd: SendVariables,
    pub(crate) rare: Option<Box<Rare>>,
    pub(crate) ts: Timestamps,
    pub(crate) last_oow_ack: u32,
    /// Since when sent data, or data behind a zero window, has waited (O-13, R2).
    pub(crate) stalled_since: Instant,
    /// When enforced pacing last let something go.
    pub(crate) paced_at: Instant,
    /// The peer's initial sequence number.
    pub(crate) irs: u32,
    pub(crate) path: Path,
    pub(crate) write: WriteQueue,
    pub(crate) recv: Receiver,
    pub(crate) recovery: Recovery,
    pub(crate) cong: Congestion,
    pub(crate) timers: Timers,
    pub(crate) stats: Stats,
    pub(crate) options: SocketOptions,
    /// Bytes charged to the stack's memory account for the write queue.
    pub(crate) charged: u32,
}

impl Connection {
    pub(crate) fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub(crate) fn set(&mut self, flag: u16) {
        self.flags |= flag;
    }

    pub(crate) fn clear(&mut self, flag: u16) {
        self.flags &= !flag;
    }

    pub(crate) fn is_pending(&self, bit: u8) -> bool {
        self.pending & bit != 0
    }

    /// Asks for what `bits` name: all of it is to be sent.
    pub(crate) fn want(&mut self, bits: u8) {
        self.pending |= bits;
        self.pending |= pending::OUTPUT;
    }

    /// The user is to be told that readiness got better, in `news`.
    pub(crate) fn tell(&mut self, news: Readiness) {
        self.news |= news;
        self.pending |= pending::EVENT;
    }

    pub(crate) fn done(&mut self, bits: u8) {
        self.pending &= !bits;
    }

    /// Moves along the table of `state`. An event without meaning in this state changes nothing.
    pub(crate) fn transition(&mut self, event: Event, cx: &mut Context<'_>) {
        let Some(next) = self.state.after(event) else { return };
        if next == self.state {
            return;
        }
        let (from, to) = (self.state, next);
        self.state = next;
        self.count_established(cx);
        self.tell(Readiness::ALL);
        cx.trace.emit(cx.now, Some(self.id), || TraceEvent::StateChange {
            from: from.name(),
            to: to.name(),
            reason: event.name(),
        });
    }

    /// Keeps CurrEstab, the gauge of connections in ESTABLISHED or CLOSE-WAIT.
    fn count_established(&mut self, cx: &mut Context<'_>) {
        let counts = self.state.can_send();
        if counts && !self.has(flag::COUNTED) {
            self.set(flag::COUNTED);
            cx.counters.add(Counter::CurrEstab, 1);
        } else if !counts && self.has(flag::COUNTED) {
            self.clear(flag::COUNTED);
            cx.counters.sub(Counter::CurrEstab, 1);
        }
    }

    /// The offset of our FIN: just past the last byte written.
    pub(crate) fn fin_offset(&self) -> u64 {
        self.write.end()
    }

    /// True when everything we sent, the FIN too, is acknowledged.
    pub(crate) fn fin_acked(&self) -> bool {
        self.has(flag::FIN_SENT) && self.snd.una > self.fin_offset()
    }

    /// The first offset beyond the peer's window.
    pub(crate) fn window_end(&self) -> u64 {
        self.snd.una + u64::from(self.snd.wnd)
    }

    /// Bytes written and not sent yet.
    pub(crate) fn unsent(&self) -> u64 {
        self.write.end().saturating_sub(self.snd.nxt)
    }

    /// Sequence numbers that are not acknowledged, and of those the ones not sent: bytes, and a FIN that is owed.
    pub(crate) fn sequence_left(&self) -> (usize, usize) {
        let owes_fin = self.has(flag::FIN_SENT) || self.fin_is_due();
        let end = self.write.end() + u64::from(owes_fin);
        let left = |from: u64| usize::try_from(end.saturating_sub(from)).unwrap_or(usize::MAX);
        (left(self.snd.una), left(self.snd.nxt))
    }

    /// A copy of the sender's state for congestion control.
    pub(crate) fn view(&self, cx: &Context<'_>) -> SenderView {
        let limited = self.cong.is_cwnd_limited();
        let view = self.recovery.view(cx.now, self.snd.una, self.snd.nxt, u32::from(self.mss), limited);
        SenderView { tuning: Tuning::of(cx.sysctl), ..view }
    }

    /// The family of its socket.
    pub(crate) fn family(&self) -> Family {
        if self.has(flag::V6_SOCKET) { Family::V6 } else { Family::V4 }
    }

    /// What recovery is lent for one call.
    pub(crate) fn env<'a>(&self, cx: &'a mut Context<'_>) -> Env<'a> {
        env_of(&self.path, &self.options, cx)
    }

    /// The sender's variables that recovery's timers look at.
    pub(crate) fn sender_state(&self) -> SenderState {
        SenderState {
            snd_una: self.snd.una,
            snd_nxt: self.snd.nxt,
            mss: u32::from(self.mss),
            cwnd_limited: self.cong.is_cwnd_limited(),
            syn_sent: self.state == State::SynSent,
            path_probe: self.path_probe_start().is_some(),
            established: self.state == State::Established,
            user_timeout: None,
        }
    }

    /// The settings of congestion control.
    pub(crate) fn congestion_settings(&self, cx: &Context<'_>) -> congestion::Settings {
        let initial = self.path.initial_window(cx.sysctl);
        congestion::Settings::of(cx.sysctl, initial)
    }

    /// What the receiver needs to know of the path.
    pub(crate) fn path_times(&self) -> PathTimes {
        PathTimes {
            quickack: self.path.has(Path::QUICKACK),
            srtt_us: self.recovery.srtt_us(),
            rto_us: self.recovery.rto().as_micros(),
            rto_min_us: if self.path.rto_min_us != 0 {
                self.path.rto_min_us
            } else {
                self.options.rto_min_us()
            },
            delack_max_us: self.options.delack_max_us(),
        }
    }

    /// Segments sent under a larger MSS do not fit any more: they are lost, though not by congestion.
    pub(crate) fn resend_oversized(&mut self, cx: &mut Context<'_>) {
        if self.has_data_in_syn() {
            // SYN and data left in one segment, which is lost as a whole.
            return self.resend_all(cx);
        }
        let (new, state) = (u32::from(self.mss), self.sender_state());
        self.recovery.mtu_reduced(new, &state, &mut env_of(&self.path, &self.options, cx), &mut self.cong);
        self.want(pending::OUTPUT);
    }

    /// All that is outstanding is lost, though not by congestion.
    pub(crate) fn resend_all(&mut self, cx: &mut Context<'_>) {
        let state = self.sender_state();
        self.recovery.all_lost(&state, &mut env_of(&self.path, &self.options, cx), &mut self.cong);
        self.want(pending::OUTPUT);
    }

    /// Recomputes the MSS from path, peer, options and probes (P-046, P-053, S-73).
    pub(crate) fn sync_mss(&mut self, cx: &Context<'_>) {
        let probed = self.bound_by_probing(cx);
        let by_path = self.mss_of(self.path.mtu, cx);
        self.mss = self.half_of_window(by_path).min(probed).max(1);
    }

    /// What a segment may carry where packets of `mtu` bytes arrive.
    pub(crate) fn mss_of(&self, mtu: u16, cx: &Context<'_>) -> u16 {
        let by_path = mtu.saturating_sub(self.path.network_header() + 20);
        let mss = by_path.min(self.negotiated.peer_mss).max(cx.sysctl.least_mss());
        mss.saturating_sub(self.negotiated.option_space())
    }

    /// Half of the largest window that the peer has shown, or all of a tiny one; 0 before any.
    pub(crate) fn half_of_largest_window(&self) -> u32 {
        const TINY: u32 = 536;
        let largest = self.snd.max_wnd;
        if largest > TINY { largest / 2 } else { largest }
    }

    /// Segments never exceed half of the largest window that the peer has shown, or one would have to wait
    /// for a window that never comes (RFC 9293 3.8.6.2.1). Tiny windows are left to the persist timer.
    fn half_of_window(&self, mss: u16) -> u16 {
        let half = self.half_of_largest_window();
        if half == 0 || u32::from(mss) <= half {
            return mss;
        }
        let least = 68u16.saturating_sub(self.path.network_header() + 20 + self.negotiated.option_space());
        (half as u16).max(least)
    }

    /// Ends the connection: queues flushed, timers stopped, the error kept for the user, in the place of one that he has
    /// not read yet.
    pub(crate) fn destroy(&mut self, error: Option<Errno>, cx: &mut Context<'_>) {
        self.error = error.or(self.error);
        self.end_unconfirmed(false);
        if self.has(flag::COUNTED) {
            // Whoever ends it, the peer or this side (Linux).
            cx.count(Counter::EstabResets);
        }
        self.transition(Event::Reset, cx);
        self.state = State::Closed;
        self.count_established(cx);
        self.set(flag::RCV_SHUTDOWN | flag::SND_SHUTDOWN);
        self.stats.wait(Waiting::Idle, cx.now);
        self.write.clear();
        self.recovery.clear();
        self.timers.stop_all();
        self.settle_memory(cx);
        self.end_notices(cx);
        self.pending = 0;
        self.tell(Readiness::ALL);
    }

    /// Brings the memory account in line with the write queue.
    pub(crate) fn settle_memory(&mut self, cx: &mut Context<'_>) {
        let now = self.write.len().min(u32::MAX as usize) as u32;
        if now > self.charged {
            // The bytes are there already: the limit was asked before they were taken.
            cx.charge_forced(u64::from(now - self.charged), u64::from(self.charged));
        } else {
            cx.release(u64::from(self.charged - now), u64::from(now));
        }
        self.charged = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PERFORMANCE: an idle connection stays small. The block is one allocation; nothing else is held while
    /// no byte waits in either direction.
    #[test]
    fn the_block_is_compact() {
        assert!(size_of::<Connection>() <= 872, "{} bytes", size_of::<Connection>());
    }
}
