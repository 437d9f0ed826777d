//! What the stack lends to the rooms below it for the length of one call.

use crate::batch::Transmit;
use crate::counters::{Counter, Counters};
use crate::drop_reason::DropReason;
use crate::journal::{Journal, Remark};
use crate::rng::Rng;
use crate::stack::black_hole::BlackHole;
use crate::stack::memory::Memory;
use crate::stack::metrics_cache::MetricsCache;
use crate::stack::rate_limit::ChallengeAcks;
use crate::sysctl::Sysctls;
use crate::time::Instant;
use crate::trace::{Trace, TraceEvent};
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
    /// What the operator should know.
    pub journal: &'a mut Journal,
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

    /// Admits `bytes` more to a queue that holds `held`, or refuses them; see [`Memory::charge`].
    #[must_use]
    pub fn charge(&mut self, bytes: u64, held: u64, promised: u64) -> bool {
        self.account(|memory| memory.charge(bytes, held, promised))
    }

    /// Admits `bytes` whatever the limits say; see [`Memory::charge_forced`].
    pub fn charge_forced(&mut self, bytes: u64, held: u64) {
        self.account(|memory| memory.charge_forced(bytes, held));
    }

    /// Takes back `bytes` of a queue that has `left` now.
    pub fn release(&mut self, bytes: u64, left: u64) {
        self.account(|memory| memory.release(bytes, left));
    }

    /// Changes the account, and tells of pressure that begins or ends by it.
    #[inline]
    fn account<R>(&mut self, change: impl FnOnce(&mut Memory) -> R) -> R {
        let before = self.memory.under_pressure();
        let result = change(self.memory);
        if self.memory.under_pressure() != before {
            self.pressure_changed();
        }
        result
    }

    #[cold]
    fn pressure_changed(&mut self) {
        let (on, pages) = (self.memory.under_pressure(), self.memory.pages());
        let lasted = self.memory.clock_pressure(self.now);
        if on {
            self.count(Counter::TCPMemoryPressures);
        } else {
            self.count_by(Counter::TCPMemoryPressuresChrono, lasted);
        }
        self.trace.emit(self.now, None, || TraceEvent::MemoryPressure { on, pages });
    }

    /// Tells the operator, unless he has been told too much.
    pub fn note(&mut self, make: impl FnOnce() -> Remark) {
        self.journal.note(self.now, self.sysctl, make);
    }

    /// Records why a packet or segment ends here.
    pub fn dropped(&mut self, reason: DropReason) {
        self.trace.dropped(self.now, reason);
    }
}
