//! Proportional rate reduction (RFC 6937, RFC 9937): how the window falls to ssthresh while ACKs arrive.
//!
//! In recovery the sender sends in proportion to what is delivered, so that it ends with ssthresh segments
//! in flight. When losses have taken the flight below ssthresh already, it grows back by slow start if
//! recovery makes progress without new losses, and by conservation of packets otherwise.

/// What has been delivered and sent since the reduction began, in segments.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Prr {
    delivered: u32,
    out: u32,
}

/// One ACK in the course of a reduction.
pub(super) struct Reduction {
    /// The window when the reduction began.
    pub prior_cwnd: u32,
    /// The goal.
    pub ssthresh: u32,
    /// Segments in flight after the ACK, with what is newly lost taken off.
    pub in_flight: u32,
    /// Segments delivered by this ACK.
    pub newly_delivered: u32,
    /// Segments declared lost on this ACK.
    pub newly_lost: u32,
    /// `snd.una` advanced.
    pub una_advanced: bool,
}

impl Prr {
    /// Notes segments sent during the reduction, retransmissions included.
    pub fn on_sent(&mut self, segments: u32) {
        self.out = self.out.saturating_add(segments);
    }

    /// The window after this ACK, `None` when the ACK changes nothing.
    pub fn on_ack(&mut self, ack: &Reduction) -> Option<u32> {
        if ack.newly_delivered == 0 || ack.prior_cwnd == 0 {
            return None;
        }
        self.delivered = self.delivered.saturating_add(ack.newly_delivered);
        let room = i64::from(ack.ssthresh) - i64::from(ack.in_flight);
        let may_send = if room < 0 {
            let share = (u64::from(ack.ssthresh) * u64::from(self.delivered)).div_ceil(ack.prior_cwnd.into());
            i64::try_from(share).unwrap_or(i64::MAX) - i64::from(self.out)
        } else {
            let conserve = i64::from(self.delivered) - i64::from(self.out);
            let grow = i64::from(ack.una_advanced && ack.newly_lost == 0);
            room.min(conserve.max(ack.newly_delivered.into()) + grow)
        };
        // The first retransmission of a recovery goes out whatever the arithmetic says.
        let may_send = may_send.max(i64::from(self.out == 0));
        Some(ack.in_flight.saturating_add(u32::try_from(may_send).unwrap_or(u32::MAX)))
    }
}
