//! Fifth step: the ACK field (RFC 9293 3.10.7.4, RFC 5961 5; P-019 to P-026, P-042, P-056).
//!
//! Everything that the acknowledgement tells goes, in order, to the retransmit queue and recovery, to
//! congestion control, to the write queue and to the window.

use super::{Segment, Step};
use crate::connection::state::State;
use crate::connection::{Connection, env_of, flag, pending};
use crate::context::Context;
use crate::drop_reason::DropReason;
use crate::recovery::{AckInput, AckSummary};
use crate::send::retransmit_queue::Control;
use crate::time::Instant;
use arrayvec::ArrayVec;

impl Connection {
    pub(super) fn check_ack(&mut self, segment: &Segment, cx: &mut Context<'_>) -> Step {
        self.adopt_probe_byte(segment, cx);
        if segment.ack > self.snd.nxt {
            self.challenge(cx);
            return Err(DropReason::BadAck);
        }
        if segment.ack < self.snd.una {
            // RFC 5961 5.2: an acknowledgement from before the largest window is not the peer's.
            if segment.ack + u64::from(self.snd.max_wnd.max(u32::from(self.mss))) < self.snd.una {
                self.challenge(cx);
                return Err(DropReason::TooOldAck);
            }
            if segment.header.options.sack.is_empty() {
                return Ok(());
            }
        } else {
            self.update_recent_timestamp(segment, cx);
            self.heed_cwr(segment);
        }
        self.process_ack(segment, cx);
        if self.state == State::Closed { Err(DropReason::Closed) } else { Ok(()) }
    }

    /// A window probe of one byte may have been accepted: it counts as sent from now on.
    fn adopt_probe_byte(&mut self, segment: &Segment, cx: &mut Context<'_>) {
        if self.window_probes > 0 && segment.ack == self.snd.nxt + 1 && self.unsent() > 0 {
            self.record_sent(self.snd.nxt, self.snd.nxt + 1, self.mss.into(), Control::NONE, cx);
            self.snd.nxt += 1;
            self.write.sent(self.snd.nxt);
        }
    }

    /// Hands the acknowledgement to everybody whom it concerns.
    pub(super) fn process_ack(&mut self, segment: &Segment, cx: &mut Context<'_>) {
        let prior_una = self.snd.una;
        let window = self.scaled_window(segment);
        let largest = self.snd.max_wnd;
        let window_update =
            segment.ack >= self.snd.una && self.update_send_window(segment.seq, segment.ack, window);
        if self.snd.max_wnd > largest {
            self.sync_mss(cx);
        }
        let blocks = self.sack_offsets(segment);
        let echo = segment.header.options.timestamps.filter(|_| self.negotiated.timestamps).map(|ts| ts.ecr);
        let marks = self.hear_echo(segment);
        let input = AckInput {
            ack: segment.ack,
            prior_una,
            snd_nxt: self.snd.nxt,
            mss: u32::from(self.mss),
            sack: &blocks,
            tsecr: echo.filter(|ecr| *ecr != 0).map(|ecr| ecr.wrapping_sub(self.ts.offset)),
            ts_now: cx.now.as_millis() as u32,
            carries_data: segment.sequence_len() > 0,
            window_update,
            echo: marks,
            merged: if segment.len == 0 { segment.segments } else { 1 },
            max_window: u64::from(self.snd.max_wnd),
            can_send_new: self.unsent() > 0 && self.window_room() > 0,
            cwnd_limited: self.cong.is_cwnd_limited(),
            path_probe: self.path_probe_start(),
        };
        let summary =
            self.recovery.on_ack(&input, &mut env_of(&self.path, &self.options, cx), &mut self.cong);
        self.count_congestion(&summary, cx);
        self.stats.last_ack_recv = cx.now;
        // MSG_MORE holds what was written only until something arrives (Linux).
        self.clear(flag::MORE);
        self.keepalive_probes = 0;
        self.window_probes = 0;
        self.soft_error = None;
        self.snd.una = self.snd.una.max(segment.ack);
        if input.path_probe.is_some() {
            self.judge_path_probe(&summary, cx);
        }
        self.control_congestion(&summary, cx);
        if segment.ack > prior_una {
            self.advance(cx);
        }
        self.follow_window(cx);
        self.done(pending::WROTE);
        self.want(pending::OUTPUT);
    }

    /// Congestion control has the last word on an acknowledgement, after recovery has judged it.
    fn control_congestion(&mut self, summary: &AckSummary, cx: &mut Context<'_>) {
        let counts = summary.counts(self.recovery.reordering() > cx.sysctl.reordering());
        let min_rtt = self.recovery.min_rtt_us();
        let sample = self.cong.rate.sample(&counts, &summary.delivery, min_rtt, summary.reneging, cx.now);
        let view = self.view(cx);
        let settings = self.congestion_settings(cx);
        self.cong.on_ack(&counts, &sample, &view, &settings);
    }

    pub(super) fn scaled_window(&self, segment: &Segment) -> u32 {
        let raw = u32::from(segment.header.window);
        if segment.has(cauce_wire::Flags::SYN) { raw } else { raw << self.negotiated.snd_scale }
    }

    /// The SACK blocks as offsets of our stream, at most four (RFC 2018).
    fn sack_offsets(&self, segment: &Segment) -> ArrayVec<(u64, u64), 4> {
        let mut blocks = ArrayVec::new();
        if self.negotiated.sack {
            for block in &segment.header.options.sack {
                let left = block.left.offset_near(self.snd.una);
                let right = block.right.offset_near(self.snd.una);
                let _ = blocks.try_push((left, right));
            }
        }
        blocks
    }

    /// New data was acknowledged: bytes leave the queue, our FIN may be through. Writers who wait for the room are
    /// seen to after the output.
    fn advance(&mut self, cx: &mut Context<'_>) {
        let acked_to = self.snd.una.min(self.write.end());
        self.write.release_to(acked_to);
        self.settle_memory(cx);
        self.stalled_since = cx.now;
        self.notices_acknowledged(cx);
        if self.fin_acked() && self.state.has_closed_sending() {
            self.on_fin_acked(cx);
        }
    }

    /// The persist timer runs exactly while the window blocks everything; an acknowledgement that keeps it
    /// closed starts the wait anew (P-067).
    fn follow_window(&mut self, cx: &Context<'_>) {
        if self.timers.persist == Instant::NEVER {
            return;
        }
        let least = self.to_send().min(u64::from(self.mss));
        if self.window_room() >= least {
            self.stop_persist();
        } else {
            self.timers.persist = Instant::NEVER;
            self.arm_persist(cx);
        }
    }
}
