//! What the stack lends to the rooms below it for the length of one call.

use crate::batch::Transmit;
use crate::counters::{Counter, Counters};
use crate::drop_reason::DropReason;
use crate::rng::Rng;
use crate::stack::black_hole::BlackHole;
use crate::stack::memory::Memory;
use crate::stack::metrics_cache::MetricsCache;
use crate::stack::rate_limit::ChallengeAcks;
use crate::sysctl::Sysctls;
use crate::time::Instant;
use crate::trace::Trace;
use alloc::collections::VecDeque;

/// The time, the settings and the shared accounts, lent downwards.
///
/// A room never keeps one: what it needs later it must ask for again.
pub struct Context<'a> {
    /// The moment of the door that was opened.
    pub now: Instant,
    /// The settings, read when used.
    pub sysctl: &'a Sysctls,
    /// Event counters under their Linux names.
    pub counters: &'a mut Counters,
    /// The embedder's randomness.
    pub rng: &'a mut dyn Rng,
    /// The stack's memory account.
    pub memory: &'a mut Memory,
    /// The event trace; free when off.
    pub trace: &'a mut Trace,
    /// Answers owed to single segments, in the order in which they came to be owed.
    pub replies: &'a mut VecDeque<Transmit>,
    /// The stack-wide budget of challenge ACKs.
    pub challenges: &'a mut ChallengeAcks,
    /// What is remembered of destinations, their Fast Open cookies among it.
    pub destinations: &'a mut MetricsCache,
    /// Whether Fast Open is off because of what a path has swallowed.
    pub black_hole: &'a mut BlackHole,
}

impl Context<'_> {
    /// Counts one event.
    pub fn count(&mut self, counter: Counter) {
        self.counters.add(counter, 1);
    }

    /// Counts several events.
    pub fn count_by(&mut self, counter: Counter, by: u64) {
        self.counters.add(counter, by);
    }

    /// Records why a packet or segment ends here.
    pub fn dropped(&mut self, reason: DropReason) {
        self.trace.dropped(self.now, reason);
    }
}
