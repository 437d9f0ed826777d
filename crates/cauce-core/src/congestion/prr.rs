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

    /// Notes segments delivered while nothing is to be set.
    pub fn on_delivered(&mut self, segments: u32) {
        self.delivered = self.delivered.saturating_add(segments);
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn step(prr: &mut Prr, in_flight: u32, delivered: u32, lost: u32) -> u32 {
        let ack = Reduction {
            prior_cwnd: 100,
            ssthresh: 50,
            in_flight,
            newly_delivered: delivered,
            newly_lost: lost,
            una_advanced: true,
        };
        prr.on_ack(&ack).unwrap() - in_flight
    }

    /// P-085, RFC 9937: with a flight above ssthresh, one segment leaves for every two delivered.
    #[test]
    fn proportional_part() {
        let (mut prr, mut in_flight, mut sent) = (Prr::default(), 99, 0);
        for delivered in 1..=98 {
            in_flight -= 1;
            let may_send = step(&mut prr, in_flight, 1, 0);
            prr.on_sent(may_send);
            in_flight += may_send;
            sent += may_send;
            assert!(in_flight >= 50 && sent <= delivered / 2 + 1, "{delivered}: {in_flight} {sent}");
        }
        assert_eq!(in_flight, 50);
    }

    /// Below ssthresh: new losses hold it to what is delivered, progress adds one for each ACK.
    #[test]
    fn conservation_and_slow_start_parts() {
        let mut prr = Prr::default();
        assert_eq!(step(&mut prr, 20, 2, 3), 2);
        prr.on_sent(2);
        assert_eq!(step(&mut prr, 20, 2, 0), 3);
        prr.on_sent(3);
        assert_eq!(step(&mut prr, 49, 5, 0), 1, "never beyond ssthresh");
    }

    /// The first retransmission goes out even when the flight is far above the goal.
    #[test]
    fn first_retransmission_is_forced() {
        let mut prr = Prr::default();
        assert_eq!(step(&mut prr, 1000, 1, 1), 1);
        prr.on_sent(1);
        assert_eq!(step(&mut prr, 1000, 1, 0), 0);
    }

    #[test]
    fn acks_that_deliver_nothing_change_nothing() {
        let ack = Reduction {
            prior_cwnd: 10,
            ssthresh: 5,
            in_flight: 5,
            newly_delivered: 0,
            newly_lost: 1,
            una_advanced: false,
        };
        assert_eq!(Prr::default().on_ack(&ack), None);
    }

    proptest! {
        /// Whatever arrives: what leaves never exceeds its share of what was delivered while the flight is
        /// above the goal, growth stops at the goal, and below it twice what was delivered is the most.
        #[test]
        fn bounds(
            cwnd in 2_u32..2000,
            beta in 1_u32..10,
            acks in proptest::collection::vec((1_u32..5, 0_u32..4, any::<bool>(), any::<bool>()), 1..300),
        ) {
            let ssthresh = (cwnd * beta / 10).max(1);
            let (mut prr, mut in_flight, mut delivered, mut sent) = (Prr::default(), cwnd, 0, 0);
            for (acked, lost, una_advanced, sends) in acks {
                let acked = acked.min(in_flight);
                if acked == 0 {
                    break;
                }
                let lost = lost.min(in_flight - acked);
                in_flight -= acked + lost;
                delivered += acked;
                let ack = Reduction {
                    prior_cwnd: cwnd, ssthresh, in_flight, newly_delivered: acked, newly_lost: lost, una_advanced,
                };
                let may_send = prr.on_ack(&ack).unwrap() - in_flight;
                let share = (u64::from(ssthresh) * u64::from(delivered)).div_ceil(cwnd.into()) as u32;
                if in_flight > ssthresh {
                    prop_assert!(sent + may_send <= share.max(sent).max(1));
                } else {
                    prop_assert!(may_send <= (ssthresh - in_flight).max(1));
                    prop_assert!(sent + may_send <= (delivered + 1).max(sent + acked + 1));
                    if lost > 0 || !una_advanced {
                        prop_assert!(sent + may_send <= delivered.max(sent + acked).max(1));
                    }
                }
                if sends {
                    prr.on_sent(may_send);
                    in_flight += may_send;
                    sent += may_send;
                }
            }
        }
    }
}
