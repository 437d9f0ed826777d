//! What past connections have learned of a destination, for those to come (S-33; RFC 9040's temporal sharing).
//!
//! Keeps RTT, RTT variance, slow-start threshold, window and reordering by destination, smoothed over
//! connections, within a bound. It decides how a new observation is mixed with the old; which connections may
//! report, and what a new one takes over, is decided where they end and begin.

use crate::addr::Addr;
use crate::time::{Duration, Instant};
use alloc::collections::{BTreeMap, BTreeSet};
use arrayvec::ArrayVec;

/// An entry older than this is not used any more.
const FRESH_FOR: Duration = Duration::from_secs(3600);

/// What is remembered of one destination. Zero means unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathMetrics {
    /// Smoothed RTT, in microseconds.
    pub srtt_us: u32,
    /// RTT variance, in microseconds.
    pub rttvar_us: u32,
    /// Slow-start threshold, in segments.
    pub ssthresh: u32,
    /// Congestion window, in segments.
    pub cwnd: u32,
    /// Reordering degree, in segments.
    pub reordering: u32,
}

/// What a connection that ends has seen.
#[derive(Clone, Copy, Debug)]
pub struct Observation {
    /// Its smoothed RTT, in microseconds; 0 if it never measured one or was backing off at the end.
    pub srtt_us: u32,
    /// Its mean deviation, in microseconds.
    pub mdev_us: u32,
    /// Its congestion window, in segments.
    pub cwnd: u32,
    /// Its slow-start threshold, in segments.
    pub ssthresh: u32,
    /// It never left initial slow start.
    pub in_initial_slow_start: bool,
    /// It was in Open, or in Disorder: no loss was being repaired.
    pub open: bool,
    /// Its reordering degree, in segments.
    pub reordering: u32,
    /// `tcp_reordering`: a degree that equals it teaches nothing.
    pub default_reordering: u32,
}

/// What Fast Open remembers of a destination (P-161). It does not age.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FastOpenMemory {
    /// The MSS that the destination announced; 0 if it never did.
    pub mss: u16,
    /// Its cookie; empty without one.
    pub cookie: ArrayVec<u8, 16>,
    /// The cookie came in the experimental option.
    pub experimental: bool,
    /// How often a request in one form of the option was in vain: at 1 the experimental form is tried.
    pub in_vain: u8,
    /// SYNs with data in a row that were lost.
    pub syn_losses: u16,
}

#[derive(Clone, Debug)]
struct Entry {
    metrics: PathMetrics,
    fast_open: FastOpenMemory,
    updated: Instant,
}

/// The metrics of one stack's destinations.
#[derive(Clone, Debug, Default)]
pub struct MetricsCache {
    entries: BTreeMap<Addr, Entry>,
    /// The same destinations by the time of their last change.
    by_age: BTreeSet<(Instant, Addr)>,
}

impl MetricsCache {
    /// What a new connection to `dst` may begin with; nothing that is older than an hour.
    pub fn get(&self, dst: &Addr, now: Instant) -> Option<PathMetrics> {
        self.entries.get(dst).filter(|entry| now.since(entry.updated) < FRESH_FOR).map(|entry| entry.metrics)
    }

    /// True when a handshake with `dst` has once been completed and measured: what makes a peer proven to a
    /// listener whose SYN queue fills (S-28).
    pub fn is_proven(&self, dst: &Addr, now: Instant) -> bool {
        self.get(dst, now).is_some_and(|metrics| metrics.srtt_us > 0)
    }

    /// Mixes in what a connection to `dst` has seen. At most `limit` destinations are remembered (the least
    /// recently updated makes room); `save_ssthresh` is false under `tcp_no_ssthresh_metrics_save`.
    pub fn update(&mut self, dst: Addr, seen: &Observation, save_ssthresh: bool, now: Instant, limit: usize) {
        if seen.srtt_us == 0 {
            // A connection that ends while backing off proves that the old values are of no use.
            if let Some(entry) = self.entries.get_mut(&dst) {
                entry.metrics.srtt_us = 0;
            }
            return;
        }
        let mut metrics = self.get(&dst, now).unwrap_or_default();
        mix_rtt(&mut metrics, seen);
        mix_window(&mut metrics, seen, save_ssthresh);
        if seen.reordering > metrics.reordering && seen.reordering != seen.default_reordering {
            metrics.reordering = seen.reordering;
        }
        self.store(dst, metrics, now, limit);
    }

    /// Remembers these metrics as they are, for an operator who sets them.
    pub fn store(&mut self, dst: Addr, metrics: PathMetrics, now: Instant, limit: usize) {
        let fast_open = self.fast_open(&dst).cloned().unwrap_or_default();
        self.put(dst, Entry { metrics, fast_open, updated: now }, limit);
    }

    /// What Fast Open knows of a destination.
    pub fn fast_open(&self, dst: &Addr) -> Option<&FastOpenMemory> {
        self.entries.get(dst).map(|entry| &entry.fast_open)
    }

    /// Remembers what Fast Open has learned, within `limit` destinations.
    pub fn store_fast_open(&mut self, dst: Addr, fast_open: FastOpenMemory, now: Instant, limit: usize) {
        let metrics = self.get(&dst, now).unwrap_or_default();
        self.put(dst, Entry { metrics, fast_open, updated: now }, limit);
    }

    fn put(&mut self, dst: Addr, entry: Entry, limit: usize) {
        self.remove(&dst);
        while self.entries.len() >= limit {
            let Some((_, oldest)) = self.by_age.pop_first() else { return };
            self.entries.remove(&oldest);
        }
        self.by_age.insert((entry.updated, dst));
        self.entries.insert(dst, entry);
    }

    /// Forgets a destination. True if it was known.
    pub fn remove(&mut self, dst: &Addr) -> bool {
        let gone = self.entries.remove(dst);
        gone.is_some_and(|entry| self.by_age.remove(&(entry.updated, *dst)))
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.by_age.clear();
    }

    /// Every destination with its metrics and the time of their last change, by address.
    pub fn iter(&self) -> impl Iterator<Item = (&Addr, &PathMetrics, Instant)> {
        self.entries.iter().map(|(dst, entry)| (dst, &entry.metrics, entry.updated))
    }

    /// Destinations remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// The RTT rises at once and falls by an eighth of the difference; the variance likewise, by a quarter.
fn mix_rtt(metrics: &mut PathMetrics, seen: &Observation) {
    let known = metrics.srtt_us;
    metrics.srtt_us = if known <= seen.srtt_us { seen.srtt_us } else { known - (known - seen.srtt_us) / 8 };
    let deviation = (known.abs_diff(seen.srtt_us) / 2).max(seen.mdev_us);
    let var = metrics.rttvar_us;
    metrics.rttvar_us = if deviation >= var { deviation } else { var - (var - deviation) / 4 };
}

fn mix_window(metrics: &mut PathMetrics, seen: &Observation, save_ssthresh: bool) {
    let half = seen.cwnd / 2;
    if seen.in_initial_slow_start {
        if save_ssthresh && metrics.ssthresh > 0 && half > metrics.ssthresh {
            metrics.ssthresh = half;
        }
        metrics.cwnd = metrics.cwnd.max(seen.cwnd);
    } else if seen.cwnd > seen.ssthresh && seen.open {
        // Cong. avoidance phase, and nothing lost: cwnd is a fair estimate.
        if save_ssthresh {
            metrics.ssthresh = half.max(seen.ssthresh);
        }
        metrics.cwnd = metrics.cwnd.midpoint(seen.cwnd);
    } else {
        // Slow start after a loss, or a loss being repaired: cwnd says nothing, ssthresh may.
        metrics.cwnd = metrics.cwnd.midpoint(seen.ssthresh);
        if save_ssthresh && metrics.ssthresh > 0 && seen.ssthresh > metrics.ssthresh {
            metrics.ssthresh = seen.ssthresh;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::IpAddr;

    const SEEN: Observation = Observation {
        srtt_us: 40_000,
        mdev_us: 5_000,
        cwnd: 17,
        ssthresh: u32::MAX,
        in_initial_slow_start: true,
        open: true,
        reordering: 3,
        default_reordering: 3,
    };

    fn dst(n: u32) -> Addr {
        IpAddr::from(n.to_be_bytes()).into()
    }

    fn update(cache: &mut MetricsCache, seen: Observation) -> PathMetrics {
        let now = Instant::from_secs(10);
        cache.update(dst(1), &seen, true, now, 10);
        cache.get(&dst(1), now).unwrap()
    }

    /// S-33: RTT, variance and window are remembered and mixed.
    #[test]
    fn s33_observations_are_mixed() {
        let mut cache = MetricsCache::default();
        let first = update(&mut cache, SEEN);
        assert_eq!(
            first,
            PathMetrics { srtt_us: 40_000, rttvar_us: 20_000, ssthresh: 0, cwnd: 17, reordering: 0 }
        );
        let second = update(&mut cache, Observation { srtt_us: 32_000, cwnd: 10, ..SEEN });
        assert_eq!((second.srtt_us, second.rttvar_us, second.cwnd), (39_000, 16_250, 17));
        let avoiding =
            Observation { in_initial_slow_start: false, cwnd: 30, ssthresh: 12, reordering: 9, ..SEEN };
        let third = update(&mut cache, avoiding);
        assert_eq!((third.ssthresh, third.cwnd, third.reordering), (15, 23, 9));
        let fourth = update(&mut cache, Observation { open: false, ssthresh: 20, ..avoiding });
        assert_eq!((fourth.ssthresh, fourth.cwnd), (20, 21));
        assert!(cache.is_proven(&dst(1), Instant::from_secs(10)));
    }

    #[test]
    fn s33_a_connection_that_backed_off_unlearns_the_rtt() {
        let mut cache = MetricsCache::default();
        update(&mut cache, SEEN);
        assert_eq!(update(&mut cache, Observation { srtt_us: 0, ..SEEN }).srtt_us, 0);
        assert!(!cache.is_proven(&dst(1), Instant::from_secs(10)));
    }

    #[test]
    fn ssthresh_can_be_left_out() {
        let mut cache = MetricsCache::default();
        let avoiding = Observation { in_initial_slow_start: false, cwnd: 30, ssthresh: 12, ..SEEN };
        cache.update(dst(1), &avoiding, false, Instant::ZERO, 10);
        assert_eq!(cache.get(&dst(1), Instant::ZERO).unwrap().ssthresh, 0);
    }

    #[test]
    fn bounded_and_fresh() {
        let mut cache = MetricsCache::default();
        for n in 0..20 {
            cache.update(dst(n), &SEEN, true, Instant::from_secs(u64::from(n)), 10);
        }
        assert_eq!((cache.len(), cache.iter().count(), cache.by_age.len()), (10, 10, 10));
        assert!(cache.get(&dst(9), Instant::from_secs(20)).is_none(), "the oldest made room");
        assert!(cache.get(&dst(19), Instant::from_secs(20)).is_some());
        assert!(cache.get(&dst(19), Instant::from_secs(4000)).is_none());
        cache.update(dst(50), &SEEN, true, Instant::from_secs(30), 0);
        assert!(cache.is_empty(), "a limit of 0 remembers nothing");
        cache.store(dst(1), PathMetrics::default(), Instant::ZERO, 1);
        assert!(cache.remove(&dst(1)) && !cache.remove(&dst(1)));
        cache.clear();
    }
}
