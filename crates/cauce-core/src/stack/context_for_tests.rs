//! A [`Context`] for the tests of the stack's rooms.

use crate::context::Context;
use crate::counters::Counters;
use crate::stack::memory::Memory;
use crate::stack::rate_limit::ChallengeAcks;
use crate::sysctl::Sysctls;
use crate::time::Instant;
use crate::trace::Trace;
use alloc::collections::VecDeque;

/// What a context borrows from.
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) sysctl: Sysctls,
    pub(crate) counters: Counters,
    memory: Memory,
    random: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        World::with_settings(Sysctls::default())
    }

    pub(crate) fn with_settings(sysctl: Sysctls) -> Self {
        let memory = Memory::new(sysctl.tcp_mem);
        World { now: Instant::from_secs(100), sysctl, counters: Counters::new(), memory, random: 4 }
    }

    pub(crate) fn with<R>(&mut self, call: impl FnOnce(&mut Context<'_>) -> R) -> R {
        let random = &mut self.random;
        let mut rng = || {
            *random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            *random ^ *random >> 29
        };
        call(&mut Context {
            now: self.now,
            sysctl: &self.sysctl,
            counters: &mut self.counters,
            rng: &mut rng,
            memory: &mut self.memory,
            trace: &mut Trace::off(),
            journal: &mut Default::default(),
            replies: &mut VecDeque::new(),
            challenges: &mut ChallengeAcks::default(),
            destinations: &mut Default::default(),
            black_hole: &mut Default::default(),
        })
    }
}
