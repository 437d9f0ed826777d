//! The zero window: probing a peer whose window update may have been lost
//! (RFC 9293 3.8.6.1; P-067, P-068, N-24).
//!
//! The first probe goes out one retransmission time-out after the window blocked everything, the next at
//! doubled distances up to the RTO's cap. A peer that keeps answering is probed for ever; one that is silent
//! is given up by the rules in `connection::timeouts`.

use super::segmentize::Outgoing;
use crate::batch::{Batch, SendReason};
use crate::connection::{Connection, pending};
use crate::context::Context;
use crate::counters::Counter;
use crate::time::{Duration, Instant};
use cauce_wire::Flags;

/// The first probe waits at least so long (Linux' TCP_RTO_MIN, whatever `tcp_rto_min_us` says).
const LEAST_INTERVAL: Duration = Duration::from_millis(200);

impl Connection {
    /// Starts the persist timer if it is not running.
    pub(crate) fn arm_persist(&mut self, cx: &Context<'_>) {
        if self.timers.persist == Instant::NEVER {
            if self.persist_backoff == 0 && self.window_probes == 0 {
                self.stalled_since = cx.now;
            }
            self.timers.persist = cx.now + self.persist_interval();
        }
    }

    fn persist_interval(&self) -> Duration {
        let base = self.recovery.rto().as_duration().max(LEAST_INTERVAL);
        let cap = self.options.rto_max();
        base.checked_mul(1u32 << u32::from(self.persist_backoff).min(30)).unwrap_or(cap).min(cap)
    }

    /// The persist timer went off: asks for a probe and arms the next one.
    pub(crate) fn on_persist_timer(&mut self, cx: &mut Context<'_>) {
        self.timers.persist = Instant::NEVER;
        if self.recovery.packets_out() > 0 || self.to_send() == 0 {
            self.stop_persist();
            return;
        }
        self.want(pending::WINDOW_PROBE);
        self.window_probes = self.window_probes.saturating_add(1);
        self.persist_backoff = self.persist_backoff.saturating_add(1).min(30);
        self.timers.persist = cx.now + self.persist_interval();
    }

    /// The window opened, or nothing waits behind it.
    pub(crate) fn stop_persist(&mut self) {
        self.timers.persist = Instant::NEVER;
        self.persist_backoff = 0;
        self.window_probes = 0;
    }

    /// Sends the probe that the timer asked for: what fits if the window is not quite closed, otherwise an
    /// empty segment before the window, or one byte beyond it in the profiles that follow the RFC.
    pub(crate) fn send_window_probe(&mut self, cx: &mut Context<'_>, out: &mut Batch) {
        if !self.is_pending(pending::WINDOW_PROBE) {
            return;
        }
        self.done(pending::WINDOW_PROBE);
        if self.recovery.packets_out() > 0 || self.to_send() == 0 {
            return;
        }
        cx.count(Counter::TCPWinProbe);
        let room = self.window_room().min(self.unsent()).min(u64::from(self.effective_mss()));
        if room > 0 {
            self.send_text(room, SendReason::WindowProbe, cx, out);
            self.stop_persist();
            return;
        }
        if self.is_urgent() && self.snd.up - self.snd.una <= u64::from(u16::MAX) {
            // The mark is announced at the left edge too, where the peer's next byte belongs.
            let announcement = Outgoing::bare(self.snd.una, Flags::ACK, SendReason::WindowProbe);
            let packet = self.build(announcement, cx);
            out.push(packet);
        }
        let packet = if cx.sysctl.tcp_probe_bytes != 0 {
            let (payload, len) = self.write.slices(self.snd.nxt, 1);
            let segment = Outgoing {
                seq: self.snd.nxt,
                flags: Flags::ACK,
                payload,
                len,
                reason: SendReason::WindowProbe,
            };
            self.build(segment, cx)
        } else {
            let seq = self.snd.una.saturating_sub(1);
            self.build(Outgoing::bare(seq, Flags::ACK, SendReason::WindowProbe), cx)
        };
        out.push(packet);
    }
}
