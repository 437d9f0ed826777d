//! The border to congestion control: what recovery asks of the window.

use super::phase::Phase;
use crate::congestion::rate_sample::{Delivery, TxStamp};
use crate::congestion::view::SenderView;
use crate::congestion::window::Congestion;
use crate::time::Instant;

/// What recovery asks of the window. [`Congestion`], the only writer of cwnd, implements it.
///
/// In every call `view.phase` is the phase before the change.
pub trait WindowControl {
    /// The window is about to be reduced step by step, on entering [`Phase::Cwr`] or [`Phase::Recovery`].
    /// `undoable` is false when the reason was ECN or local congestion, which no proof takes back. In
    /// `Cwr` already, the reduction in progress goes on.
    fn begin_reduction(&mut self, view: &SenderView, undoable: bool);
    /// The step-by-step reduction is over.
    fn end_reduction(&mut self, view: &SenderView);
    /// A retransmission time-out: one segment more than in flight. `save_prior` is true when this is a
    /// new congestion event, with a new ssthresh and a state to return to.
    fn enter_loss(&mut self, view: &SenderView, save_prior: bool);
    /// Segments must be sent again for a smaller path MTU: not congestion, the window stays.
    fn enter_loss_without_reduction(&mut self, view: &SenderView);
    /// The last reduction was needless: return to the state before it. True when ssthresh was restored.
    fn undo(&mut self, view: &SenderView) -> bool;
    /// The last time-out was needless, but costs half the window all the same (`tcp_frto_response`). False when
    /// there is nothing to take half of, so that it is undone like any reduction.
    fn halve_after_timeout(&mut self, view: &SenderView) -> bool;
    /// The last reduction must stand, whatever proves spurious later.
    fn forbid_undo(&mut self);
    /// The phase changes.
    fn set_phase(&mut self, to: Phase, view: &SenderView);
    /// Recovery was entered by the reordering timer, as `view.phase` already shows: there is no ACK to
    /// drive proportional rate reduction.
    fn reduce_on_timer(&mut self, newly_lost: u32, view: &SenderView);
    /// A record was delivered: its stamp, when it was last sent, the offset after it, and whether it had
    /// ever been sent again. `delivery` gathers what one ACK delivers.
    fn on_delivered(
        &mut self,
        delivery: &mut Delivery,
        stamp: &TxStamp,
        sent_at: Instant,
        end: u64,
        retransmitted: bool,
    );
    /// Segments delivered before the ACK that is being processed; wraps.
    fn delivered(&self) -> u32;
}

impl WindowControl for Congestion {
    fn begin_reduction(&mut self, view: &SenderView, undoable: bool) {
        Congestion::begin_reduction(self, view, undoable);
    }

    fn end_reduction(&mut self, view: &SenderView) {
        Congestion::end_reduction(self, view);
    }

    fn enter_loss(&mut self, view: &SenderView, save_prior: bool) {
        Congestion::enter_loss(self, view, save_prior);
    }

    fn enter_loss_without_reduction(&mut self, view: &SenderView) {
        Congestion::enter_loss_without_reduction(self, view);
    }

    fn undo(&mut self, view: &SenderView) -> bool {
        Congestion::undo(self, view)
    }

    fn halve_after_timeout(&mut self, view: &SenderView) -> bool {
        Congestion::halve_after_timeout(self, view)
    }

    fn forbid_undo(&mut self) {
        Congestion::forbid_undo(self);
    }

    fn set_phase(&mut self, to: Phase, view: &SenderView) {
        Congestion::set_phase(self, to, view);
    }

    fn reduce_on_timer(&mut self, newly_lost: u32, view: &SenderView) {
        Congestion::reduce_on_timer(self, newly_lost, view);
    }

    fn on_delivered(
        &mut self,
        delivery: &mut Delivery,
        stamp: &TxStamp,
        sent_at: Instant,
        end: u64,
        retransmitted: bool,
    ) {
        self.rate.on_delivered(delivery, stamp, sent_at, end, retransmitted);
    }

    fn delivered(&self) -> u32 {
        self.rate.delivered()
    }
}
