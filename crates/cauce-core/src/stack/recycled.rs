//! What outlives a TIME-WAIT that `tcp_tw_recycle` has cut short (S-49, X-01; RFC 6191, RFC 7323 appendix B.2).
//!
//! With timestamps a TIME-WAIT may end after a few time-outs, as long as old segments of the connection are still told
//! from new ones: for a minute a SYN whose timestamp is older than the last one seen is refused. In mode 1 that test
//! holds for the four-tuple alone. In mode 2 it holds for the peer's address, as Linux had it until 4.12: of two hosts
//! behind one address translator, whose clocks have nothing to do with each other, one is then locked out.

use super::time_wait::TsRecent;
use crate::addr::{Addr, FlowKey};
use crate::time::{Duration, Instant};
use alloc::collections::{BTreeMap, VecDeque};

/// How long the last timestamp is held against SYNs: as long as a segment may live (TCP_PAWS_MSL).
const HELD_FOR: Duration = Duration::from_secs(60);

/// Whom a timestamp is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Tuple(FlowKey),
    Peer(Addr),
}

impl Whose {
    fn of(key: &FlowKey, mode: u8) -> Whose {
        if mode == 1 { Whose::Tuple(*key) } else { Whose::Peer(key.remote) }
    }
}

/// The last timestamps of connections that have ended.
#[derive(Clone, Debug, Default)]
pub struct Recycled {
    known: BTreeMap<Whose, TsRecent>,
    /// What was remembered, the oldest first; an entry that was renewed stands here twice.
    by_age: VecDeque<(Instant, Whose)>,
}

impl Recycled {
    /// A connection with timestamps enters TIME-WAIT. At most `limit` are remembered; the oldest makes room.
    pub fn remember(&mut self, key: &FlowKey, last: TsRecent, mode: u8, now: Instant, limit: usize) {
        while let Some((at, whose)) = self.by_age.front().copied() {
            if now.since(at) < HELD_FOR && self.by_age.len() < limit {
                break;
            }
            self.by_age.pop_front();
            if self.known.get(&whose).is_some_and(|last| last.at <= at) {
                self.known.remove(&whose);
            }
        }
        if limit > 0 {
            let whose = Whose::of(key, mode);
            self.known.insert(whose, TsRecent { at: now, ..last });
            self.by_age.push_back((now, whose));
        }
    }

    /// True for a SYN with the timestamp `tsval` that is older than what its tuple or address has shown lately.
    pub fn refuses(&self, key: &FlowKey, tsval: u32, mode: u8, now: Instant) -> bool {
        self.known
            .get(&Whose::of(key, mode))
            .is_some_and(|last| now.since(last.at) < HELD_FOR && (last.value.wrapping_sub(tsval) as i32) > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(remote: &str) -> FlowKey {
        FlowKey::new("10.0.0.1:80".parse().unwrap(), remote.parse().unwrap())
    }

    fn last(value: u32) -> TsRecent {
        TsRecent { value, at: Instant::ZERO }
    }

    /// S-49: mode 1 keeps apart what shares an address, mode 2 does not; both forget after a minute.
    #[test]
    fn s49_whom_a_timestamp_is_held_against() {
        for (mode, other) in [(1, false), (2, true)] {
            let mut recycled = Recycled::default();
            recycled.remember(&key("10.0.0.2:4000"), last(1000), mode, Instant::from_secs(1), 10);
            let refuses = |remote, ts, s| recycled.refuses(&key(remote), ts, mode, Instant::from_secs(s));
            assert!(refuses("10.0.0.2:4000", 999, 2) && !refuses("10.0.0.2:4000", 1000, 2));
            assert_eq!(refuses("10.0.0.2:4001", 999, 2), other);
            assert!(!refuses("10.0.0.3:4000", 999, 2) && !refuses("10.0.0.2:4000", 999, 61));
        }
    }

    #[test]
    fn bounded_and_renewed() {
        let mut recycled = Recycled::default();
        for n in 0..50u32 {
            let at = Instant::from_secs(u64::from(n / 10));
            recycled.remember(&key(&std::format!("10.0.0.2:{}", 4000 + n)), last(n), 1, at, 10);
        }
        assert!(recycled.known.len() <= 10 && recycled.by_age.len() <= 10);
        recycled.remember(&key("10.0.0.2:4049"), last(500), 1, Instant::from_secs(50), 10);
        assert!(recycled.refuses(&key("10.0.0.2:4049"), 400, 1, Instant::from_secs(100)));
    }
}
