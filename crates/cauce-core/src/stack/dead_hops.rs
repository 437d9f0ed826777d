//! Next hops that seem dead (RFC 1122 3.3.1.4 and 4.2.3.5; S-38, N-10).
//!
//! A connection whose retransmissions keep failing gives the internet layer negative advice. This room remembers, for
//! the destination, which next hop not to take while there is another route. It chooses no routes: whoever looks one
//! up asks what to avoid.

use crate::addr::Addr;
use crate::time::{Duration, Instant};
use alloc::collections::VecDeque;

/// How long advice counts: as long as a learned path MTU does by default.
const BELIEVED_FOR: Duration = Duration::from_secs(600);
/// Most destinations that advice is kept for. The oldest makes room.
const LIMIT: usize = 64;

#[derive(Clone, Copy, Debug)]
struct Advice {
    destination: Addr,
    dead: Addr,
    given: Instant,
}

/// The advice that has been given, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct DeadHops(VecDeque<Advice>);

impl DeadHops {
    /// Packets to `destination` rather do not go by `dead` any more. What was thought dead before gets another chance.
    pub fn advise(&mut self, destination: Addr, dead: Addr, now: Instant) {
        self.0.retain(|advice| advice.destination != destination);
        if self.0.len() == LIMIT {
            self.0.pop_front();
        }
        self.0.push_back(Advice { destination, dead, given: now });
    }

    /// The next hop to avoid on the way to `destination`.
    pub fn on_the_way_to(&self, destination: &Addr) -> Option<Addr> {
        self.0.iter().find(|advice| advice.destination == *destination).map(|advice| advice.dead)
    }

    /// Forgets advice that is too old. True if there was some.
    pub fn expire(&mut self, now: Instant) -> bool {
        let before = self.0.len();
        self.0.retain(|advice| now.since(advice.given) < BELIEVED_FOR);
        self.0.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::IpAddr;

    fn addr(last: u8) -> Addr {
        IpAddr::from([10, 0, 0, last]).into()
    }

    #[test]
    fn advice_is_replaced_bounded_and_forgotten() {
        let mut hops = DeadHops::default();
        let start = Instant::from_secs(1);
        hops.advise(addr(0), addr(201), start);
        hops.advise(addr(0), addr(202), start);
        assert_eq!(hops.on_the_way_to(&addr(0)), Some(addr(202)));
        for last in 1..=LIMIT as u8 {
            hops.advise(addr(last), addr(201), start + Duration::from_secs(1));
        }
        assert_eq!(hops.on_the_way_to(&addr(0)), None, "the oldest made room");
        assert_eq!(hops.on_the_way_to(&addr(LIMIT as u8)), Some(addr(201)));
        assert!(!hops.expire(start + BELIEVED_FOR));
        assert!(hops.expire(start + BELIEVED_FOR + Duration::from_secs(1)));
        assert_eq!(hops.on_the_way_to(&addr(1)), None);
    }
}
