//! The phase after a time-out, with F-RTO (RFC 5682 with its SACK form; S-21, P-097).
//!
//! After the time-out only the head is sent again. If the next ACK advances without covering everything,
//! new data goes out before further retransmissions; an ACK or SACK of data that was never sent again then
//! proves the time-out spurious. Duplicate ACKs prove it real. The basic form (`tcp_frto` 1) takes no SACK for an answer,
//! which Linux no longer distinguishes.

use super::interface::{AckInput, AckSummary};
use super::pass::Pass;
use super::state::Hold;
use super::window_control::WindowControl;

impl<C: WindowControl> Pass<'_, C> {
    /// An ACK in [`Phase::Loss`](super::phase::Phase::Loss).
    pub(super) fn process_loss(&mut self, ack: &AckInput<'_>, dupacks: u32, s: &mut AckSummary) {
        let recovered = self.una >= self.fl.high_seq;
        if s.una_advanced && self.try_undo_loss(false, s) {
            return;
        }
        if self.fl.frto && self.watch_frto(ack, dupacks, recovered, s) {
            return;
        }
        if recovered {
            self.try_undo_recovery(s);
            return;
        }
        if !self.base.sack {
            if self.nxt > self.fl.high_seq && dupacks > 0 {
                // The new data of step 2b is arriving: count it, to clock out retransmissions.
                self.add_reno_sack(dupacks, s);
            } else if s.una_advanced {
                self.fl.queue.counts.sacked_out = 0;
            }
        }
    }

    /// True when the ACK needs nothing more.
    fn watch_frto(&mut self, ack: &AckInput<'_>, dupacks: u32, recovered: bool, s: &mut AckSummary) -> bool {
        if s.never_resent_delivered && self.try_undo_loss(true, s) {
            return true;
        }
        let basic = !self.settings.frto_trusts_sack();
        if self.nxt > self.fl.high_seq || basic && !s.una_advanced {
            if s.newly_sacked > 0 || dupacks > 0 {
                self.fl.frto = false;
            }
        } else if s.una_advanced && !recovered {
            self.fl.high_seq = self.nxt;
            if ack.can_send_new {
                self.fl.hold = Hold::NewDataFirst;
                return true;
            }
            self.fl.frto = false;
        }
        false
    }
}
