//! One direction of a link: MTU, queue, transmitter, faults, propagation.
//!
//! A packet that is offered passes, in this order: the MTU (longer ones are dropped), the drop-tail queue,
//! the transmitter (at the line rate, one packet after another, exact to the nanosecond with the fraction
//! carried over), the [`Faults`], and the propagation delay. Everything is decided when the packet is offered
//! and comes out as moments of arrival, so the same model runs in virtual and in real time. A link never
//! looks into a packet; super-segments are cut up before they get here.

use crate::faults::{Faults, Survivor};
use crate::queue::{Queue, QueueLimit};
use bytes::Bytes;
use cauce_core::time::{Duration, Instant};
use std::fmt;

/// What one direction of a link is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkOptions {
    /// Line rate in bits a second, counted over whole IP packets. `None` sends in no time and never queues.
    pub rate: Option<u64>,
    /// Propagation delay.
    pub delay: Duration,
    /// How much may wait for the transmitter.
    pub queue: QueueLimit,
    /// Longest packet in bytes; longer ones are dropped.
    pub mtu: u32,
    /// The sender of a packet that is too long is told by ICMP. Otherwise it is dropped in silence.
    pub tells_too_big: bool,
}

impl Default for LinkOptions {
    /// An ideal wire: no delay, unlimited rate, MTU 1500.
    fn default() -> Self {
        LinkOptions {
            rate: None,
            delay: Duration::ZERO,
            queue: QueueLimit::default(),
            mtu: 1500,
            tells_too_big: true,
        }
    }
}

impl LinkOptions {
    /// The bandwidth-delay product of this direction's rate and a round trip of `rtt`, in bytes. `None`
    /// when the rate is unlimited.
    ///
    /// ```
    /// use cauce_core::time::Duration;
    /// use cauce_lab::link::LinkOptions;
    /// let link = LinkOptions { rate: Some(1_000_000_000), ..LinkOptions::default() };
    /// assert_eq!(link.bandwidth_delay_product(Duration::from_millis(50)), Some(6_250_000));
    /// ```
    pub fn bandwidth_delay_product(&self, rtt: Duration) -> Option<u64> {
        let bytes = u128::from(self.rate?) * rtt.as_nanos() / 8 / NANOS;
        Some(u64::try_from(bytes).unwrap_or(u64::MAX))
    }
}

const NANOS: u128 = 1_000_000_000;

/// Why a packet that was offered will not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropCause {
    /// It is longer than the MTU.
    TooBig,
    /// The queue was full.
    QueueFull,
    /// The fault of this name lost it.
    Fault(&'static str),
}

impl fmt::Display for DropCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DropCause::TooBig => "longer than the MTU",
            DropCause::QueueFull => "queue full",
            DropCause::Fault(name) => name,
        })
    }
}

/// A packet on its way to the other end.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// When its last bit arrives.
    pub at: Instant,
    /// Its bytes as they arrive.
    pub packet: Bytes,
}

/// What a direction has carried and lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Packets offered.
    pub offered: u64,
    /// Packets sent by the transmitter, those lost by faults included.
    pub sent: u64,
    /// Bytes of those.
    pub sent_bytes: u64,
    /// Packets that arrive at the other end, copies included.
    pub arrived: u64,
    /// Packets dropped because of the MTU.
    pub too_big: u64,
    /// Packets dropped because the queue was full.
    pub queue_full: u64,
    /// Packets of which faults left nothing.
    pub lost: u64,
    /// Most bytes that ever waited.
    pub queue_peak: u64,
}

/// One direction of a link.
#[derive(Debug)]
pub struct Direction {
    options: LinkOptions,
    queue: Queue,
    /// The transmitter is busy until this moment and `remainder / rate` nanoseconds.
    busy_until: Instant,
    remainder: u64,
    faults: Faults,
    survivors: Vec<Survivor>,
    stats: LinkStats,
}

impl Direction {
    /// An idle direction without faults.
    pub fn new(options: LinkOptions) -> Self {
        Direction::with_faults(options, Faults::default())
    }

    /// An idle direction with faults.
    pub fn with_faults(options: LinkOptions, faults: Faults) -> Self {
        Direction {
            options,
            queue: Queue::default(),
            busy_until: Instant::ZERO,
            remainder: 0,
            faults,
            survivors: Vec::new(),
            stats: LinkStats::default(),
        }
    }

    /// What the direction is like.
    pub fn options(&self) -> &LinkOptions {
        &self.options
    }

    /// Changes the direction for packets that are offered from now on. Those already accepted keep their
    /// times, so a shorter delay lets later packets overtake.
    pub fn set_options(&mut self, options: LinkOptions) {
        self.busy_until = self.idle_at();
        self.remainder = 0;
        self.options = options;
    }

    /// The faults on the way.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The faults on the way, to add some or to heal them.
    pub fn faults_mut(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// What was carried and lost so far.
    pub fn stats(&self) -> LinkStats {
        self.stats
    }

    /// Packets and bytes that wait for the transmitter at `now`.
    pub fn waiting(&mut self, now: Instant) -> (usize, u64) {
        self.queue.release(now);
        (self.queue.len(), self.queue.bytes())
    }

    /// Takes a packet at `now` and appends to `arrivals` when and how it arrives: once, several times, or
    /// never. Calls must not go back in time. Returns when the transmitter is done with it.
    ///
    /// # Errors
    /// Says why nothing of the packet will arrive.
    pub fn offer(
        &mut self,
        now: Instant,
        packet: Bytes,
        arrivals: &mut Vec<Arrival>,
    ) -> Result<Instant, DropCause> {
        let len = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        self.stats.offered += 1;
        if len > self.options.mtu {
            self.stats.too_big += 1;
            return Err(DropCause::TooBig);
        }
        let departure = self.transmit(now, len)?;
        self.stats.sent += 1;
        self.stats.sent_bytes += u64::from(len);

        let lost_to = self.faults.apply(departure, packet, &mut self.survivors);
        let (delay, before) = (self.options.delay, arrivals.len());
        arrivals.extend(
            self.survivors.drain(..).map(|s| Arrival { at: departure + delay + s.extra, packet: s.packet }),
        );
        self.stats.arrived += (arrivals.len() - before) as u64;
        if let Some(name) = lost_to {
            self.stats.lost += 1;
            return Err(DropCause::Fault(name));
        }
        Ok(departure)
    }

    /// Queues and sends `len` bytes; returns the moment when the last bit has left.
    fn transmit(&mut self, now: Instant, len: u32) -> Result<Instant, DropCause> {
        let Some(rate) = self.options.rate else { return Ok(now) };
        let rate = rate.max(1);
        self.queue.release(now);
        let mut starts = self.idle_at();
        if starts <= now {
            starts = now;
            self.busy_until = now;
            self.remainder = 0;
        } else if !self.queue.admits(len, self.options.queue) {
            self.stats.queue_full += 1;
            return Err(DropCause::QueueFull);
        } else {
            self.queue.push(starts, len);
            self.stats.queue_peak = self.stats.queue_peak.max(self.queue.bytes());
        }
        let work = u128::from(len) * 8 * NANOS + u128::from(self.remainder);
        let nanos = u64::try_from(work / u128::from(rate)).unwrap_or(u64::MAX);
        self.remainder = (work % u128::from(rate)) as u64;
        self.busy_until += Duration::from_nanos(nanos);
        debug_assert!(starts <= self.idle_at());
        Ok(self.idle_at())
    }

    /// The first whole nanosecond at which the transmitter is free.
    fn idle_at(&self) -> Instant {
        self.busy_until + Duration::from_nanos(u64::from(self.remainder > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::{Duplication, Loss, Reorder};
    use crate::rng::Probability;

    fn packet(len: usize) -> Bytes {
        Bytes::from(vec![0; len])
    }

    fn offer(link: &mut Direction, now: Instant, len: usize) -> Result<Vec<Instant>, DropCause> {
        let mut arrivals = Vec::new();
        link.offer(now, packet(len), &mut arrivals)?;
        Ok(arrivals.into_iter().map(|arrival| arrival.at).collect())
    }

    #[test]
    fn one_packet_takes_serialisation_and_propagation() {
        let options = LinkOptions {
            rate: Some(1_000_000_000),
            delay: Duration::from_millis(25),
            ..LinkOptions::default()
        };
        let mut link = Direction::new(options);
        // 1500 bytes at 1 Gbit/s are 12,000 ns.
        assert_eq!(offer(&mut link, Instant::ZERO, 1500), Ok(vec![Instant::from_nanos(25_012_000)]));
        // The transmitter is busy until 12,000; a packet offered at 6,000 waits 6,000.
        let second = offer(&mut link, Instant::from_nanos(6_000), 1000);
        assert_eq!(second, Ok(vec![Instant::from_nanos(25_020_000)]));
        // After an idle time nothing is carried over.
        let third = offer(&mut link, Instant::from_millis(1), 125);
        assert_eq!(third, Ok(vec![Instant::from_nanos(26_001_000)]));
    }

    #[test]
    fn fractions_of_a_nanosecond_are_carried_over() {
        let options =
            LinkOptions { rate: Some(7_000_000_000), queue: QueueLimit::UNLIMITED, ..LinkOptions::default() };
        let mut link = Direction::new(options);
        let mut last = Instant::ZERO;
        for number in 1..=7_000u64 {
            last = offer(&mut link, Instant::ZERO, 1).unwrap()[0];
            // 8/7 ns a byte: the n-th byte has left after ceil(8n/7) ns.
            assert_eq!(last.as_nanos(), (8 * number).div_ceil(7));
        }
        assert_eq!(last, Instant::from_micros(8));
    }

    /// N-25: a window of exactly the bandwidth-delay product fills the link, to the nanosecond.
    #[test]
    fn a_window_of_the_bandwidth_delay_product_fills_the_link() {
        let (rate, delay) = (1_000_000_000, Duration::from_millis(25));
        let options = LinkOptions { rate: Some(rate), delay, ..LinkOptions::default() };
        assert_eq!(options.bandwidth_delay_product(delay * 2), Some(6_250_000));
        let slow = LinkOptions { rate: Some(10_000_000), ..options };
        assert_eq!(slow.bandwidth_delay_product(Duration::from_millis(600)), Some(750_000));
        assert_eq!(options.bandwidth_delay_product(Duration::from_millis(100)), Some(12_500_000));

        let mut link = Direction::new(LinkOptions { queue: QueueLimit::UNLIMITED, ..options });
        let window = 6_250_000 / 1_250;
        let first: Vec<Instant> =
            (0..window).map(|_| offer(&mut link, Instant::ZERO, 1_250).unwrap()[0]).collect();
        // Acknowledgements return after `delay`, and each lets one packet go.
        for arrived in first {
            offer(&mut link, arrived + delay, 1_250).unwrap();
        }
        // The second window leaves one serialisation time behind the first: 50 ms + 10 us + 50 ms.
        let last = offer(&mut link, Instant::from_millis(100), 1_250).unwrap()[0];
        assert_eq!(last, Instant::from_millis(100) + Duration::from_micros(20) + delay);
        assert_eq!(link.stats().sent_bytes, 2 * 6_250_000 + 1_250);
    }

    #[test]
    fn a_drop_tail_queue_holds_its_limit_and_no_more() {
        let options =
            LinkOptions { rate: Some(8_000_000), queue: QueueLimit::packets(3), ..LinkOptions::default() };
        let mut link = Direction::new(options);
        // One on the wire and three in the queue; 1000 bytes take 1 ms.
        let results: Vec<bool> = (0..6).map(|_| offer(&mut link, Instant::ZERO, 1000).is_ok()).collect();
        assert_eq!(results, [true, true, true, true, false, false]);
        assert_eq!(link.waiting(Instant::ZERO), (3, 3_000));
        assert_eq!(offer(&mut link, Instant::from_nanos(999_999), 1000), Err(DropCause::QueueFull));
        assert_eq!(offer(&mut link, Instant::from_millis(1), 1000), Ok(vec![Instant::from_millis(5)]));
        assert_eq!((link.stats().queue_full, link.stats().queue_peak), (3, 3_000));

        let mut by_bytes = Direction::new(LinkOptions { queue: QueueLimit::bytes(2_500), ..options });
        let results: Vec<bool> = (0..4).map(|_| offer(&mut by_bytes, Instant::ZERO, 1000).is_ok()).collect();
        assert_eq!(results, [true, true, true, false]);
        assert!(offer(&mut by_bytes, Instant::ZERO, 500).is_ok());
    }

    #[test]
    fn longer_than_the_mtu_is_dropped_and_costs_no_time() {
        let options = LinkOptions { rate: Some(8_000), mtu: 100, ..LinkOptions::default() };
        let mut link = Direction::new(options);
        assert_eq!(offer(&mut link, Instant::ZERO, 101), Err(DropCause::TooBig));
        assert_eq!(offer(&mut link, Instant::ZERO, 100), Ok(vec![Instant::from_millis(100)]));
    }

    #[test]
    fn what_is_held_back_is_overtaken_and_copies_arrive_twice() {
        let options = LinkOptions { delay: Duration::from_millis(10), ..LinkOptions::default() };
        let mut link = Direction::new(options);
        link.faults_mut().push(Box::new(Reorder::new(Probability::ALWAYS, Duration::from_millis(5))));
        link.faults_mut().push(Box::new(Duplication::new(Probability::ALWAYS)));
        link.faults_mut().heal_at(Instant::from_millis(1));
        let held = offer(&mut link, Instant::ZERO, 40).unwrap();
        let healthy = offer(&mut link, Instant::from_millis(2), 40).unwrap();
        assert_eq!(held, [Instant::from_millis(15); 2]);
        assert_eq!(healthy, [Instant::from_millis(12)]);
        assert_eq!(link.stats().arrived, 3);
    }

    #[test]
    fn a_lost_packet_has_used_the_transmitter() {
        let options = LinkOptions { rate: Some(8_000_000), ..LinkOptions::default() };
        let mut link = Direction::new(options);
        link.faults_mut().push(Box::new(Loss::new(Probability::ALWAYS)));
        link.faults_mut().heal_at(Instant::from_millis(2));
        assert_eq!(offer(&mut link, Instant::ZERO, 1000), Err(DropCause::Fault("loss")));
        assert_eq!(offer(&mut link, Instant::ZERO, 1000), Ok(vec![Instant::from_millis(2)]));
        assert_eq!((link.stats().lost, link.stats().sent), (1, 2));
    }

    #[test]
    fn new_options_hold_for_later_packets_only() {
        let options = LinkOptions { rate: Some(3_000_000_000), ..LinkOptions::default() };
        let mut link = Direction::new(options);
        assert_eq!(offer(&mut link, Instant::ZERO, 1), Ok(vec![Instant::from_nanos(3)]));
        link.set_options(LinkOptions { rate: Some(8_000_000), ..options });
        assert_eq!(offer(&mut link, Instant::ZERO, 1), Ok(vec![Instant::from_nanos(1_003)]));
    }
}
