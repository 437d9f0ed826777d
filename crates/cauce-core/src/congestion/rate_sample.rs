//! The delivery rate: how much was delivered in how much time, measured on each ACK.
//!
//! The method is that of draft-cheng-iccrg-delivery-rate-estimation, as Linux runs it. Every record sent
//! carries a [`TxStamp`] of the delivery so far; when it is delivered, the rate is what was delivered since,
//! over the longer of the time it took to send that and the time it took to acknowledge it. Samples taken
//! while the application had nothing to send are marked, as they understate the path.

use super::AckCounts;
use crate::time::Instant;

const APP_LIMITED: u32 = 1 << 31;

/// The state of delivery when a segment was sent. One lives in each sent record; sending it again stamps
/// it again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TxStamp {
    delivered_at: Instant,
    first_tx_at: Instant,
    delivered: u32,
    /// The segments outstanding, and [`APP_LIMITED`].
    in_flight: u32,
}

impl TxStamp {
    /// Segments delivered on the connection when this one was sent; wraps.
    pub fn delivered(&self) -> u32 {
        self.delivered
    }

    /// When the latest of those was delivered.
    pub fn delivered_at(&self) -> Instant {
        self.delivered_at
    }

    /// When the window began in which this segment was sent.
    pub fn first_tx_at(&self) -> Instant {
        self.first_tx_at
    }

    /// Segments outstanding when this one was sent.
    pub fn in_flight(&self) -> u32 {
        self.in_flight & !APP_LIMITED
    }

    /// True when the application, not the window, limited sending.
    pub fn is_app_limited(&self) -> bool {
        self.in_flight & APP_LIMITED != 0
    }
}

/// What one ACK says about the rate of delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateSample {
    /// Segments delivered in the interval; meaningless unless [`is_valid`](Self::is_valid).
    pub delivered: u32,
    /// The interval in microseconds, `None` when the ACK gives no usable sample.
    pub interval_us: Option<u32>,
    /// The value of `delivered` when the interval began (Linux: `prior_delivered`).
    pub prior_delivered: u32,
    /// The sending side of the interval in microseconds.
    pub snd_interval_us: u32,
    /// The receiving side of the interval in microseconds.
    pub rcv_interval_us: u32,
    /// RTT in microseconds of the newest segment delivered.
    pub rtt_us: Option<u32>,
    /// Segments declared lost on this ACK.
    pub losses: u32,
    /// Segments delivered by this ACK.
    pub acked_sacked: u32,
    /// Segments in flight before the ACK.
    pub prior_in_flight: u32,
    /// The newest segment delivered was sent while the application limited sending.
    pub is_app_limited: bool,
    /// The newest segment delivered had been retransmitted.
    pub is_retrans: bool,
}

impl RateSample {
    /// True when there is a rate in it.
    pub fn is_valid(&self) -> bool {
        self.interval_us.is_some()
    }
}

/// What was noted of the newest record delivered by the ACK being processed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    prior_at: Instant,
    end: u64,
    prior_delivered: u32,
    snd_interval_us: u32,
    present: bool,
    app_limited: bool,
    retransmitted: bool,
}

/// Counts deliveries and measures their rate.
///
/// On sending, [`stamp`](Self::stamp) each record; on an ACK, begin a [`Delivery`], pass each record newly
/// delivered to [`on_delivered`](Self::on_delivered), once in its life for each time it was sent, then close the
/// ACK with [`sample`](Self::sample).
#[derive(Clone, Copy, Debug)]
pub struct RateEstimator {
    delivered_at: Instant,
    first_tx_at: Instant,
    delivered: u32,
    /// Until `delivered` passes this, samples are application-limited; 0: they are not.
    app_limited: u32,
    rate_delivered: u32,
    rate_interval_us: u32,
    rate_app_limited: bool,
}

impl Default for RateEstimator {
    /// Nothing is known before the first ACK: what is sent until then is application-limited.
    fn default() -> Self {
        RateEstimator {
            delivered_at: Instant::default(),
            first_tx_at: Instant::default(),
            delivered: 0,
            app_limited: u32::MAX,
            rate_delivered: 0,
            rate_interval_us: 0,
            rate_app_limited: true,
        }
    }
}

impl RateEstimator {
    /// Segments delivered in the life of the connection; wraps.
    pub fn delivered(&self) -> u32 {
        self.delivered
    }

    /// When the latest was delivered, or sending restarted after idle.
    pub fn delivered_at(&self) -> Instant {
        self.delivered_at
    }

    /// The stamp for a record sent now. `packets_out` are the segments outstanding before it.
    pub fn stamp(&mut self, now: Instant, packets_out: u32) -> TxStamp {
        if packets_out == 0 {
            // Nothing is in flight: the time before now says nothing about the network.
            self.first_tx_at = now;
            self.delivered_at = now;
        }
        let limited = if self.app_limited != 0 { APP_LIMITED } else { 0 };
        TxStamp {
            delivered_at: self.delivered_at,
            first_tx_at: self.first_tx_at,
            delivered: self.delivered,
            in_flight: packets_out.min(!APP_LIMITED) | limited,
        }
    }

    /// The stamp for a SYN or SYN,ACK: its round trip says nothing about a rate.
    pub fn stamp_of_syn(&self) -> TxStamp {
        TxStamp { delivered_at: Instant::NEVER, ..TxStamp::default() }
    }

    /// Notes in `delivery` a record that this ACK delivers: its stamp, when it was last sent, the offset after it, and
    /// whether it was ever retransmitted. A record SACKed before must not be noted again.
    pub fn on_delivered(
        &mut self,
        delivery: &mut Delivery,
        stamp: &TxStamp,
        sent_at: Instant,
        end: u64,
        retransmitted: bool,
    ) {
        let newest = (sent_at, end) > (self.first_tx_at, delivery.end);
        if stamp.delivered_at == Instant::NEVER || delivery.present && !newest {
            return;
        }
        self.first_tx_at = sent_at;
        *delivery = Delivery {
            prior_at: stamp.delivered_at,
            end,
            prior_delivered: stamp.delivered,
            snd_interval_us: micros(sent_at, stamp.first_tx_at),
            present: true,
            app_limited: stamp.is_app_limited(),
            retransmitted,
        };
    }

    /// The application, which writes now, had left the window unused: what is delivered until the present flight is gone
    /// understates the path. The caller checks Linux's conditions: less than one full segment unsent, nothing waiting
    /// below the socket, in flight below cwnd, and every lost segment sent again.
    pub fn set_app_limited(&mut self, in_flight: u32) {
        self.app_limited = self.delivered.wrapping_add(in_flight).max(1);
    }

    /// True while samples are application-limited.
    pub fn is_app_limited(&self) -> bool {
        self.app_limited != 0
    }

    /// Counts a SYN,ACK as delivered that left before there was a connection to remember it.
    pub fn handshake_delivered(&mut self) {
        self.count_delivered(1);
    }

    /// Counts segments whose delivery tells nothing of a rate.
    pub fn count_delivered(&mut self, segments: u32) {
        self.delivered = self.delivered.wrapping_add(segments);
    }

    /// Two records were one segment on the wire.
    pub fn one_segment_less(&mut self) {
        if self.delivered > 1 {
            self.delivered -= 1;
        }
    }

    /// Closes an ACK: counts what it delivered and returns its sample. `reneged` tells that the peer took
    /// SACKed data back, which makes the count unusable.
    pub fn sample(
        &mut self,
        counts: &AckCounts,
        delivery: &Delivery,
        min_rtt_us: u32,
        reneged: bool,
        now: Instant,
    ) -> RateSample {
        self.delivered = self.delivered.wrapping_add(counts.newly_delivered);
        if self.app_limited != 0 && after(self.delivered, self.app_limited) {
            self.app_limited = 0;
        }
        if counts.newly_delivered > 0 {
            self.delivered_at = now;
        }
        let mut sample = RateSample {
            rtt_us: counts.ca_rtt_us,
            losses: counts.newly_lost,
            acked_sacked: counts.newly_delivered,
            prior_in_flight: counts.prior_in_flight,
            prior_delivered: delivery.prior_delivered,
            is_app_limited: delivery.app_limited,
            is_retrans: delivery.retransmitted,
            ..RateSample::default()
        };
        if !delivery.present || reneged {
            return sample;
        }
        sample.delivered = self.delivered.wrapping_sub(delivery.prior_delivered);
        sample.snd_interval_us = delivery.snd_interval_us;
        sample.rcv_interval_us = micros(now, delivery.prior_at);
        let interval = sample.snd_interval_us.max(sample.rcv_interval_us);
        // Shorter than the path is long: a spurious retransmission was matched with the wrong copy.
        if min_rtt_us != u32::MAX && interval < min_rtt_us {
            return sample;
        }
        sample.interval_us = Some(interval);
        self.keep(&sample, interval);
        sample
    }

    /// Keeps the latest rate that the network limited, or the highest that the application did.
    fn keep(&mut self, sample: &RateSample, interval: u32) {
        let new = u64::from(sample.delivered) * u64::from(self.rate_interval_us);
        let kept = u64::from(self.rate_delivered) * u64::from(interval);
        if !sample.is_app_limited || new >= kept {
            self.rate_delivered = sample.delivered;
            self.rate_interval_us = interval;
            self.rate_app_limited = sample.is_app_limited;
        }
    }

    /// The rate for `tcpi_delivery_rate`, in bytes a second: 0 before the first sample.
    pub fn delivery_rate(&self, mss: u32) -> u64 {
        if self.rate_delivered == 0 || self.rate_interval_us == 0 {
            return 0;
        }
        let bytes = u64::from(self.rate_delivered) * u64::from(mss);
        bytes.saturating_mul(1_000_000) / u64::from(self.rate_interval_us)
    }

    /// `tcpi_delivery_rate_app_limited`: the application limited the rate reported, or there is none yet.
    pub fn delivery_rate_app_limited(&self) -> bool {
        self.rate_app_limited
    }
}

fn micros(later: Instant, earlier: Instant) -> u32 {
    u32::try_from(later.micros_since(earlier)).unwrap_or(u32::MAX)
}

/// `a` is a later value of the wrapping count `delivered` than `b`.
fn after(a: u32, b: u32) -> bool {
    b.wrapping_sub(a) > u32::MAX / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(newly_delivered: u32) -> AckCounts {
        AckCounts { newly_acked: newly_delivered, newly_delivered, ..AckCounts::default() }
    }

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn take(delivery: &mut Delivery) -> Delivery {
        core::mem::take(delivery)
    }

    /// Ten segments a window over 100 ms: the second window measures 10 segments in 100 ms.
    #[test]
    fn steady_flow() {
        let mut rate = RateEstimator::default();
        let mut delivery = Delivery::default();
        let mut sent: std::vec::Vec<_> = (0..10).map(|i| (rate.stamp(at(i), i as u32), at(i))).collect();
        let mut last = RateSample::default();
        for round in 1..5_u64 {
            let mut next = std::vec::Vec::new();
            for (i, (stamp, sent_at)) in sent.iter().enumerate() {
                let now = *sent_at + core::time::Duration::from_millis(100);
                rate.on_delivered(&mut delivery, stamp, *sent_at, round * 10 + i as u64, false);
                last = rate.sample(&counts(1), &take(&mut delivery), 100_000, false, now);
                next.push((rate.stamp(now, 9), now));
            }
            sent = next;
        }
        assert_eq!((last.delivered, last.interval_us), (10, Some(100_000)));
        assert_eq!(rate.delivery_rate(1000), 100_000);
        assert_eq!(rate.delivered(), 40);
    }

    /// An application-limited sample replaces the rate only when it is higher.
    #[test]
    fn app_limited_sample_does_not_lower_the_rate() {
        let mut rate = RateEstimator { app_limited: 0, ..RateEstimator::default() };
        let mut delivery = Delivery::default();
        let stamps: std::vec::Vec<_> = (0..10).map(|i| rate.stamp(at(0), i)).collect();
        for (i, stamp) in stamps.iter().enumerate() {
            rate.on_delivered(&mut delivery, stamp, at(0), i as u64, false);
        }
        assert!(!rate.sample(&counts(10), &take(&mut delivery), 10_000, false, at(10)).is_app_limited);
        assert_eq!(rate.delivery_rate(1000), 1_000_000);

        rate.set_app_limited(0);
        let stamp = rate.stamp(at(20), 0);
        assert!(stamp.is_app_limited());
        rate.on_delivered(&mut delivery, &stamp, at(20), 100, false);
        let sample = rate.sample(&counts(1), &take(&mut delivery), 10_000, false, at(30));
        assert!(sample.is_app_limited && sample.is_valid());
        assert_eq!(rate.delivery_rate(1000), 1_000_000);
        assert!(!rate.delivery_rate_app_limited());
        assert!(!rate.is_app_limited(), "the bubble is acknowledged and gone");
    }

    /// Of the records one ACK delivers, the one sent last counts, whatever their order in sequence.
    #[test]
    fn newest_sent_record_counts() {
        let mut rate = RateEstimator::default();
        let mut delivery = Delivery::default();
        let old = rate.stamp(at(0), 0);
        let other = rate.stamp(at(1), 1);
        rate.on_delivered(&mut delivery, &other, at(1), 2, false);
        rate.sample(&counts(1), &take(&mut delivery), 1, false, at(50));
        let resent = rate.stamp(at(60), 1);
        rate.on_delivered(&mut delivery, &resent, at(60), 1, true);
        rate.on_delivered(&mut delivery, &old, at(0), 3, false);
        let sample = rate.sample(&counts(2), &take(&mut delivery), 1, false, at(110));
        assert!(sample.is_retrans);
        assert_eq!((sample.delivered, sample.interval_us), (2, Some(60_000)));
    }

    #[test]
    fn no_sample_without_records_below_min_rtt_or_after_reneging() {
        let mut rate = RateEstimator::default();
        let mut delivery = Delivery::default();
        assert!(!rate.sample(&counts(0), &take(&mut delivery), u32::MAX, false, at(1)).is_valid());
        for (min_rtt_us, reneged) in [(20_000, false), (1, true)] {
            let stamp = rate.stamp(at(10), 0);
            rate.on_delivered(&mut delivery, &stamp, at(10), 1, false);
            assert!(!rate.sample(&counts(1), &take(&mut delivery), min_rtt_us, reneged, at(20)).is_valid());
        }
    }

    #[test]
    fn compact() {
        assert_eq!(size_of::<TxStamp>(), 24);
        assert!(size_of::<RateEstimator>() <= 40, "{}", size_of::<RateEstimator>());
    }
}
