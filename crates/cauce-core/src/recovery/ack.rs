//! An ACK from arrival to verdict: what it covers, its RTT sample, then the phase, then the timer.
//!
//! The order is the kernel's: SACK blocks, cumulative part, reordering window, tail-loss probe, phase.

use super::interface::{AckInput, AckSummary, Echo, Env, RecoveryTimer};
use super::pass::Pass;
use super::phase::Phase;
use super::scoreboard::SackTimes;
use super::window_control::WindowControl;
use crate::send::retransmit_queue::{Marks, SentRecord, Taken};
use crate::time::Instant;

/// What the cumulative part collects.
struct Cleaned {
    /// When the first and last of the records covered, never sent again, were sent.
    first_sent: Option<Instant>,
    last_sent: Option<Instant>,
    /// The lowest offset covered that had been neither SACKed nor sent again.
    unsacked_from: u64,
    /// The last record was covered whole.
    whole: bool,
    /// Segments that had been delivered when the last record covered was sent.
    stamped_delivered: u32,
}

impl<C: WindowControl> Pass<'_, C> {
    /// Runs an ACK through all rooms.
    pub(super) fn run_ack(&mut self, ack: &AckInput<'_>, s: &mut AckSummary) {
        self.fl.hold = Default::default();
        let prior_fack = if self.base.sack { self.fl.highest_sack(ack.prior_una) } else { self.una };
        let prior_sacked = self.fl.queue.counts.sacked_out;
        s.prior_in_flight = self.fl.queue.counts.in_flight();
        let had_outstanding = !self.fl.queue.is_empty();
        let sack_times = if ack.sack.is_empty() { SackTimes::default() } else { self.take_sack(ack, s) };
        if ack.ack < ack.prior_una {
            if !ack.sack.is_empty() {
                judge_echo(ack.echo, s);
                self.run_phase(ack, 0, s);
            }
            return;
        }
        if !had_outstanding {
            s.is_dup = !(s.una_advanced || ack.carries_data || ack.window_update);
            if s.dsack {
                self.run_phase(ack, 0, s);
            }
            self.process_probe_ack(ack, s);
            return;
        }
        self.clean(prior_fack, prior_sacked, sack_times, s);
        judge_echo(ack.echo, s);
        s.is_dup = !(s.una_advanced || ack.carries_data || ack.window_update);
        self.adapt_reordering_window();
        if self.fl.tlp_high_seq != 0 {
            self.process_probe_ack(ack, s);
        }
        let not_dup = ack.carries_data || ack.window_update || s.data_acked || s.syn_acked;
        let alert = s.newly_sacked > 0 || s.ece || s.dsack;
        if !not_dup || alert || self.base.phase != Phase::Open {
            let dupacks = if s.is_dup && !s.dsack { u32::from(ack.merged).max(1) } else { 0 };
            self.run_phase(ack, dupacks, s);
        }
        if s.rearm {
            self.set_transmit_timer();
        }
    }

    /// Takes what is covered cumulatively out of the queue and samples the RTT.
    fn clean(&mut self, prior_fack: u64, prior_sacked: u32, sack_times: SackTimes, s: &mut AckSummary) {
        let mut cleaned = Cleaned {
            first_sent: None,
            last_sent: None,
            unsacked_from: prior_fack,
            whole: true,
            stamped_delivered: 0,
        };
        while let Some(&record) = self.fl.queue.head() {
            let Some(taken) = self.fl.queue.take_acked(self.una) else { break };
            self.take_record(&record, taken, &mut cleaned, s);
            if !taken.whole {
                break;
            }
        }
        if !self.base.sack {
            self.fl.queue.counts.sacked_out = self.fl.queue.counts.sacked_out.max(prior_sacked);
        }
        s.head_was_sacked = self.fl.queue.head().is_some_and(|head| head.is(Marks::SACKED));
        let sampled = self.sample_rtt(prior_sacked, &cleaned, sack_times, s);
        if s.newly_acked > 0 {
            s.rearm = true;
            if !self.base.sack {
                self.remove_reno_sacks(s.newly_acked, s);
                s.never_resent_delivered &= !s.retrans_acked;
            } else if cleaned.unsacked_from < prior_fack {
                self.note_sack_reordering(cleaned.unsacked_from, false);
            }
            if !self.settings.frto_trusts_sack() {
                // The first ACK after the time-out is no proof by itself (RFC 5682 2.1, step 2).
                s.never_resent_delivered &= !s.retrans_acked;
            }
        } else if sampled {
            // The SACKed data was sent before the head was (again): the head deserves its time-out.
            let head = self.fl.queue.head().map(|head| head.last_sent);
            s.rearm |= sack_times.first.zip(head).is_some_and(|(sacked, head)| sacked < head);
        }
    }

    fn take_record(&mut self, record: &SentRecord, taken: Taken, cleaned: &mut Cleaned, s: &mut AckSummary) {
        let segments = taken.segments;
        cleaned.whole = taken.whole;
        cleaned.stamped_delivered = record.stamp.delivered();
        s.newly_acked += segments;
        let sacked = record.is(Marks::SACKED);
        if record.is(Marks::EVER_RETRANS) {
            s.retrans_acked = true;
        } else if !sacked {
            cleaned.first_sent.get_or_insert(record.last_sent);
            cleaned.last_sent = Some(record.last_sent);
            cleaned.unsacked_from = cleaned.unsacked_from.min(record.start);
            s.never_resent_delivered |= record.end <= self.fl.high_seq;
        }
        if !sacked {
            if self.base.sack {
                s.delivered += segments;
                let spurious = record.is(Marks::EVER_RETRANS) && self.echoes_before(record.last_sent);
                if !spurious {
                    self.rack_advance(record);
                }
            }
            self.note_delivered(record);
        }
        if record.control().syn {
            s.syn_acked = true;
            self.fl.retrans_stamp = None;
        } else {
            s.data_acked = true;
        }
    }

    /// Karn's rule (RFC 6298 3) and the timestamps' exception to it (RFC 7323 4.1). True when srtt moved.
    fn sample_rtt(
        &mut self,
        prior_sacked: u32,
        cleaned: &Cleaned,
        sack_times: SackTimes,
        s: &mut AckSummary,
    ) -> bool {
        let since = |sent: Instant| u32::try_from(self.now.micros_since(sent)).unwrap_or(u32::MAX);
        let mut rtt = None;
        if !s.retrans_acked {
            rtt = cleaned.first_sent.map(since);
            s.ca_rtt_us = cleaned.last_sent.map(since);
            // One small segment, acknowledged alone: perhaps only after the peer's delay.
            s.maybe_delayed = s.newly_acked == 1
                && cleaned.whole
                && prior_sacked == 0
                && s.acked_bytes < u64::from(self.mss)
                && cleaned.stamped_delivered == self.cc.delivered()
                && !(s.newly_sacked > 0 || s.ece || s.dsack || s.syn_acked);
        }
        if let (Some(first), Some(last)) = (sack_times.first, sack_times.last) {
            rtt = rtt.or(Some(since(first)));
            s.ca_rtt_us = Some(since(last));
        }
        if rtt.is_none() && s.newly_acked > 0 {
            rtt = self.echoed_rtt();
            s.ca_rtt_us = rtt;
        }
        s.rtt_us = rtt;
        let (Some(rtt), Some(ca_rtt)) = (rtt, s.ca_rtt_us) else { return false };
        if !(s.maybe_delayed && ca_rtt > self.base.rtt.min_us()) {
            let now_ms = self.now.as_millis() as u32;
            self.base.rtt.sample_min(ca_rtt, now_ms, self.settings.min_rtt_window_ms);
        }
        self.base.rtt.sample(rtt, self.settings.rto_min_us, self.una, self.nxt);
        self.base.rto = self.base.rtt.rto(self.settings.rto_max_us);
        self.base.backoff = 0;
        true
    }

    fn echoed_rtt(&self) -> Option<u32> {
        let (tsecr, ts_now) = self.echo?;
        let ms = ts_now.wrapping_sub(tsecr);
        (ms < u32::MAX / 2 / 1000).then(|| ms.max(1) * 1000)
    }

    /// After cumulative progress: the probe of the tail, or the time-out from now.
    pub(super) fn set_transmit_timer(&mut self) {
        match super::tlp::probe_deadline(self.base, self.fl, self.settings, self.now, true) {
            Some(deadline) => self.arm(RecoveryTimer::Tlp, deadline),
            None => self.rearm_rto(),
        }
    }
}

/// Finds out how much of what the ACK delivers was marked, and whether that is news. The SYN counts for none of it.
fn judge_echo(echo: Echo, s: &mut AckSummary) {
    match echo {
        Echo::None => {}
        Echo::Classic => s.newly_marked = s.delivered,
        Echo::Accurate(report) if !s.syn_acked => {
            s.newly_marked = report.newly_marked(s.delivered);
            s.ece = s.newly_marked > 0;
        }
        Echo::Accurate(_) => {}
    }
}

impl super::Recovery {
    /// Takes an ACK: marks what it delivers, samples the RTT, finds losses, moves the phase and sets the
    /// timer. Afterwards congestion control takes the summary, and the caller sends what
    /// [`next_retransmit`](Self::next_retransmit) offers.
    pub fn on_ack<C: WindowControl>(
        &mut self,
        ack: &AckInput<'_>,
        env: &mut Env<'_>,
        cc: &mut C,
    ) -> AckSummary {
        let mut s = AckSummary {
            acked_bytes: ack.ack.saturating_sub(ack.prior_una),
            una_advanced: ack.ack > ack.prior_una,
            ece: ack.echo == Echo::Classic,
            phase_before: self.base.phase,
            phase_after: self.base.phase,
            ..AckSummary::default()
        };
        if s.una_advanced {
            self.base.retransmits = 0;
        }
        if self.flight.is_none() && ack.sack.is_empty() {
            return s;
        }
        let mut flight = self.flight.take().unwrap_or_default();
        let mut pass = Pass::for_ack(ack, &mut self.base, &mut flight, cc, env);
        s.reneging = pass.fl.reneged;
        pass.run_ack(ack, &mut s);
        s.newly_lost = pass.newly_lost;
        s.reduced = pass.reduced;
        s.delivery = pass.delivery;
        s.phase_after = self.base.phase;
        self.keep(flight);
        s
    }
}
