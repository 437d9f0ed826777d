//! What past connections have learned of a destination, for those to come (S-33; RFC 9040's temporal sharing).
//!
//! Keeps RTT, RTT variance, slow-start threshold, window and reordering by destination, smoothed over
//! connections, within a bound (`cauce.max_metrics`). It decides how a new observation is mixed with the old; which
//! connections report, and what a new one takes over, is decided where they end and begin (`connection/past`).
//! A destination that is met for the first time starts from what its route prescribes; what the route locks stays.

use crate::addr::Addr;
use crate::time::{Duration, Instant};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
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
    /// Which of these the route has fixed.
    pub locked: Locked,
}

/// The metrics that no observation changes, for their route fixes them (`lock`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Locked {
    /// [`PathMetrics::srtt_us`].
    pub srtt: bool,
    /// [`PathMetrics::rttvar_us`].
    pub rttvar: bool,
    /// [`PathMetrics::ssthresh`].
    pub ssthresh: bool,
    /// [`PathMetrics::cwnd`], which then bounds the window of every connection.
    pub cwnd: bool,
    /// [`PathMetrics::reordering`].
    pub reordering: bool,
}

/// What a connection that ends has seen.
#[derive(Clone, Copy, Debug)]
pub struct Observation {
    /// The address of this stack that it used.
    pub source: Addr,
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
    /// It was in Open: no loss was being repaired, and nothing was reordered.
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
    /// The address of this stack from which it was last observed.
    source: Option<Addr>,
    updated: Instant,
}

/// The metrics of one stack's destinations.
#[derive(Clone, Debug, Default)]
pub struct MetricsCache {
    entries: BTreeMap<Addr, Entry>,
    /// The same destinations by the time of their last change.
    by_age: BTreeSet<(Instant, Addr)>,
    /// Observations that the stack has yet to mix in, since it alone knows the routes.
    reports: Vec<(Addr, Observation)>,
}

/// One destination as [`MetricsCache::iter`] lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The destination.
    pub dst: Addr,
    /// The address of this stack from which it was last observed.
    pub source: Option<Addr>,
    /// What is known.
    pub metrics: PathMetrics,
    /// When that last changed.
    pub updated: Instant,
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

    /// A connection to `dst` ends: what it has seen waits for [`take_report`](Self::take_report).
    pub fn report(&mut self, dst: Addr, seen: Observation) {
        self.reports.push((dst, seen));
    }

    /// The next observation to [`update`](Self::update) with.
    pub fn take_report(&mut self) -> Option<(Addr, Observation)> {
        self.reports.pop()
    }

    /// Mixes in what a connection to `dst` has seen. At most `limit` destinations are remembered (the least
    /// recently updated makes room); `save_ssthresh` is false under `tcp_no_ssthresh_metrics_save`. An unknown
    /// destination begins with what `route` prescribes.
    pub fn update(
        &mut self,
        dst: Addr,
        seen: &Observation,
        save_ssthresh: bool,
        now: Instant,
        limit: usize,
        route: impl FnOnce() -> PathMetrics,
    ) {
        if seen.srtt_us == 0 {
            // A connection that ends while backing off proves that the old values are of no use.
            if let Some(entry) = self.entries.get_mut(&dst).filter(|entry| !entry.metrics.locked.srtt) {
                entry.metrics.srtt_us = 0;
            }
            return;
        }
        let mut metrics = self.get(&dst, now).unwrap_or_else(route);
        mix_rtt(&mut metrics, seen);
        mix_window(&mut metrics, seen, save_ssthresh);
        let fast_open = self.fast_open(&dst).cloned().unwrap_or_default();
        self.put(dst, Entry { metrics, fast_open, source: Some(seen.source), updated: now }, limit);
    }

    /// Remembers these metrics as they are, for an operator who sets them.
    pub fn store(&mut self, dst: Addr, metrics: PathMetrics, now: Instant, limit: usize) {
        let fast_open = self.fast_open(&dst).cloned().unwrap_or_default();
        self.put(dst, Entry { metrics, fast_open, source: None, updated: now }, limit);
    }

    /// What Fast Open knows of a destination.
    pub fn fast_open(&self, dst: &Addr) -> Option<&FastOpenMemory> {
        self.entries.get(dst).map(|entry| &entry.fast_open)
    }

    /// Remembers what Fast Open has learned, within `limit` destinations.
    pub fn store_fast_open(&mut self, dst: Addr, fast_open: FastOpenMemory, now: Instant, limit: usize) {
        let metrics = self.get(&dst, now).unwrap_or_default();
        let source = self.entries.get(&dst).and_then(|entry| entry.source);
        self.put(dst, Entry { metrics, fast_open, source, updated: now }, limit);
    }

    fn put(&mut self, dst: Addr, entry: Entry, limit: usize) {
        self.remove(&dst);
        if limit == 0 {
            return;
        }
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

    /// Every destination, by address.
    pub fn iter(&self) -> impl Iterator<Item = Known> {
        self.entries.iter().map(|(dst, entry)| Known {
            dst: *dst,
            source: entry.source,
            metrics: entry.metrics,
            updated: entry.updated,
        })
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
    if !metrics.locked.srtt {
        metrics.srtt_us =
            if known <= seen.srtt_us { seen.srtt_us } else { known - (known - seen.srtt_us) / 8 };
    }
    if !metrics.locked.rttvar {
        let deviation = known.abs_diff(seen.srtt_us).max(seen.mdev_us);
        let var = metrics.rttvar_us;
        metrics.rttvar_us = if deviation >= var { deviation } else { var - (var - deviation) / 4 };
    }
}

/// What the window says depends on where the connection stood when it ended.
fn mix_window(metrics: &mut PathMetrics, seen: &Observation, save_ssthresh: bool) {
    let half = seen.cwnd / 2;
    let known = metrics.ssthresh;
    let (cwnd, ssthresh) = if seen.in_initial_slow_start {
        (metrics.cwnd.max(seen.cwnd), if known > 0 { known.max(half) } else { 0 })
    } else if seen.cwnd >= seen.ssthresh && seen.open {
        // Congestion avoidance, and nothing lost: cwnd is a fair estimate.
        (metrics.cwnd.midpoint(seen.cwnd), half.max(seen.ssthresh))
    } else {
        // Slow start after a loss, or a loss being repaired: cwnd says nothing, ssthresh may. What was taken for a
        // loss may have been reordering: only here does Linux remember how far that went.
        mix_reordering(metrics, seen);
        (metrics.cwnd.midpoint(seen.ssthresh), if known > 0 { known.max(seen.ssthresh) } else { 0 })
    };
    if !metrics.locked.cwnd {
        metrics.cwnd = cwnd;
    }
    if save_ssthresh && !metrics.locked.ssthresh {
        metrics.ssthresh = ssthresh;
    }
}

fn mix_reordering(metrics: &mut PathMetrics, seen: &Observation) {
    let teaches = seen.reordering > metrics.reordering && seen.reordering != seen.default_reordering;
    if teaches && !metrics.locked.reordering {
        metrics.reordering = seen.reordering;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::IpAddr;

    const SEEN: Observation = Observation {
        source: Addr::UNSPECIFIED,
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
        cache.update(dst(1), &seen, true, now, 10, PathMetrics::default);
        cache.get(&dst(1), now).unwrap()
    }

    /// S-33: RTT, variance and window are remembered and mixed.
    #[test]
    fn s33_observations_are_mixed() {
        let mut cache = MetricsCache::default();
        let first = update(&mut cache, SEEN);
        assert_eq!(
            first,
            PathMetrics { srtt_us: 40_000, rttvar_us: 40_000, cwnd: 17, ..PathMetrics::default() }
        );
        let second = update(&mut cache, Observation { srtt_us: 32_000, cwnd: 10, ..SEEN });
        assert_eq!((second.srtt_us, second.rttvar_us, second.cwnd), (39_000, 32_000, 17));
        let avoiding =
            Observation { in_initial_slow_start: false, cwnd: 30, ssthresh: 12, reordering: 9, ..SEEN };
        let third = update(&mut cache, avoiding);
        assert_eq!((third.ssthresh, third.cwnd, third.reordering), (15, 23, 0));
        let fourth = update(&mut cache, Observation { open: false, ssthresh: 20, ..avoiding });
        assert_eq!((fourth.ssthresh, fourth.cwnd, fourth.reordering), (20, 21, 9));
        assert!(cache.is_proven(&dst(1), Instant::from_secs(10)));
    }

    #[test]
    fn s33_a_connection_that_backed_off_unlearns_the_rtt() {
        let mut cache = MetricsCache::default();
        update(&mut cache, SEEN);
        assert_eq!(update(&mut cache, Observation { srtt_us: 0, ..SEEN }).srtt_us, 0);
        assert!(!cache.is_proven(&dst(1), Instant::from_secs(10)));
    }

    /// What the route fixes stays; the rest of what it prescribes is where observations begin.
    #[test]
    fn s33_locked_metrics_stay() {
        let route = PathMetrics {
            srtt_us: 400_000,
            cwnd: 7,
            ssthresh: 5,
            reordering: 8,
            locked: Locked { cwnd: true, ..Locked::default() },
            ..PathMetrics::default()
        };
        let mut cache = MetricsCache::default();
        cache.update(dst(1), &SEEN, true, Instant::ZERO, 10, || route);
        let known = cache.get(&dst(1), Instant::ZERO).unwrap();
        assert_eq!((known.srtt_us, known.cwnd, known.ssthresh, known.reordering), (355_000, 7, 8, 8));
    }

    #[test]
    fn ssthresh_can_be_left_out() {
        let mut cache = MetricsCache::default();
        let avoiding = Observation { in_initial_slow_start: false, cwnd: 30, ssthresh: 12, ..SEEN };
        cache.update(dst(1), &avoiding, false, Instant::ZERO, 10, PathMetrics::default);
        assert_eq!(cache.get(&dst(1), Instant::ZERO).unwrap().ssthresh, 0);
    }

    #[test]
    fn bounded_and_fresh() {
        let mut cache = MetricsCache::default();
        for n in 0..20 {
            cache.update(dst(n), &SEEN, true, Instant::from_secs(u64::from(n)), 10, PathMetrics::default);
        }
        assert_eq!((cache.len(), cache.iter().count(), cache.by_age.len()), (10, 10, 10));
        assert!(cache.get(&dst(9), Instant::from_secs(20)).is_none(), "the oldest made room");
        assert!(cache.get(&dst(19), Instant::from_secs(20)).is_some());
        assert!(cache.get(&dst(19), Instant::from_secs(4000)).is_none());
        cache.update(dst(19), &SEEN, true, Instant::from_secs(30), 0, PathMetrics::default);
        assert!(cache.get(&dst(19), Instant::from_secs(30)).is_none(), "a limit of 0 remembers nothing");
        assert!(cache.remove(&dst(12)) && !cache.remove(&dst(12)));
        cache.clear();
    }
}
