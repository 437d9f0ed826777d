//! One neighbour: what is known of it, and how sure that is (RFC 4861 7.3.2).

use crate::batch::Transmit;
use crate::time::Instant;
use alloc::collections::VecDeque;
use cauce_wire::ethernet::Mac;

/// How sure the link address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Just made.
    New,
    /// Asked for; packets wait.
    Incomplete,
    /// Known, and confirmed until this moment.
    Reachable(Instant),
    /// Known, not confirmed.
    Stale,
    /// Known and in use, not confirmed: will soon be asked.
    Delay,
    /// Known and in use, asked.
    Probe,
}

/// What a neighbour says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct News {
    pub(super) mac: Option<Mac>,
    /// It answers a question of ours, so the way there and back works.
    pub(super) solicited: bool,
    /// It replaces another link address.
    pub(super) overrides: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) state: State,
    known: Option<Mac>,
    pub(super) probes: u8,
    /// When a packet last went its way.
    pub(super) used: Instant,
    pub(super) timer: Option<Instant>,
    /// Packets that wait, and their bytes.
    pub(super) queue: VecDeque<Transmit>,
    pub(super) queued: usize,
}

impl Entry {
    pub(super) fn new(now: Instant) -> Self {
        Entry {
            state: State::New,
            known: None,
            probes: 0,
            used: now,
            timer: None,
            queue: VecDeque::new(),
            queued: 0,
        }
    }

    pub(super) fn mac(&self) -> Option<Mac> {
        self.known
    }

    /// True when its use should lead to a question.
    pub(super) fn is_stale(&self, now: Instant) -> bool {
        match self.state {
            State::Reachable(until) => until <= now,
            State::Stale => true,
            _ => false,
        }
    }

    /// True when nothing needs to be learned just now.
    pub(super) fn is_confirmed(&self, now: Instant) -> bool {
        matches!(self.state, State::Reachable(until) if until > now)
    }

    /// Lets a packet wait. Returns the oldest ones that no longer fit into `limit` bytes.
    pub(super) fn enqueue(&mut self, transmit: Transmit, limit: usize) -> VecDeque<Transmit> {
        let mut overflow = VecDeque::new();
        self.queued += transmit.len();
        self.queue.push_back(transmit);
        while self.queued > limit {
            let Some(oldest) = self.queue.pop_front() else { break };
            self.queued -= oldest.len();
            overflow.push_back(oldest);
        }
        overflow
    }

    pub(super) fn reachable(&mut self, until: Instant) {
        self.state = State::Reachable(until);
        self.probes = 0;
    }

    /// RFC 4861 7.2.5. True when no question is open any more.
    pub(super) fn learn(&mut self, news: News, until: Instant) -> bool {
        let changes = news.mac.is_some() && news.mac != self.known;
        if self.known.is_some() && changes && !news.overrides {
            // Somebody else claims the address without insisting: doubt, but keep what is known.
            if matches!(self.state, State::Reachable(_)) {
                self.state = State::Stale;
            }
            return false;
        }
        if self.known.is_none() && news.mac.is_none() {
            return false;
        }
        self.known = news.mac.or(self.known);
        if news.solicited {
            self.reachable(until);
        } else if changes {
            self.state = State::Stale;
            self.probes = 0;
        }
        news.solicited || changes
    }
}
