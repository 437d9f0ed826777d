//! Random networks between a sender and a receiver: the counts hold at every step, everything arrives, and
//! nothing is left behind.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::vec::Vec;

use proptest::prelude::*;

use super::bench::{Bench, ISS, MSS};
use crate::counters::{Counter, Counters};
use crate::time::{Duration, Instant};

/// From here on the path and the receiver are without fault, so that liveness can be judged.
const HEALED: Instant = Instant::from_secs(30);

/// What the path does to packets, in percent.
#[derive(Clone, Copy, Debug)]
struct Path {
    loss: u64,
    ack_loss: u64,
    reorder: u64,
    duplicate: u64,
    /// The receiver discards what it holds out of order.
    renege: u64,
    rtt_ms: u64,
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn happens(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

/// Events in the order of time: a segment reaches the receiver, or an ACK the sender.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Segment(u64, Instant),
    Ack(u64, Vec<(u64, u64)>, Option<Instant>),
    Write(u64),
}

/// A receiver that acknowledges every segment, with SACK and D-SACK.
#[derive(Default)]
struct Receiver {
    next: u64,
    held: BTreeSet<u64>,
    recent: BTreeMap<u64, u64>,
    clock: u64,
}

impl Receiver {
    fn take(&mut self, segment: u64) -> (u64, Vec<(u64, u64)>) {
        let mut blocks = Vec::new();
        if segment < self.next || !self.held.insert(segment) {
            blocks.push((segment, segment + 1));
        }
        while self.held.remove(&self.next) {
            self.next += 1;
        }
        self.clock += 1;
        self.recent.insert(segment, self.clock);
        let mut runs: Vec<(u64, u64, u64)> = Vec::new();
        for &held in self.held.iter().filter(|held| **held > self.next) {
            let age = self.recent.get(&held).copied().unwrap_or(0);
            match runs.last_mut() {
                Some(run) if run.1 == held => (run.1, run.2) = (held + 1, run.2.max(age)),
                _ => runs.push((held, held + 1, age)),
            }
        }
        runs.sort_by_key(|run| Reverse(run.2));
        blocks.extend(runs.iter().map(|run| (run.0, run.1)));
        blocks.truncate(4);
        (self.next, blocks)
    }
}

struct World {
    b: Bench,
    path: Path,
    random: Random,
    receiver: Receiver,
    events: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    serial: u64,
    sack: bool,
}

impl World {
    fn new(path: Path, seed: u64, sack: bool) -> Self {
        let mut b = Bench::new();
        b.rec.set_sack(sack);
        World {
            b,
            path,
            random: Random(seed),
            receiver: Receiver::default(),
            events: BinaryHeap::new(),
            serial: 0,
            sack,
        }
    }

    fn post(&mut self, loss: u64, event: Event) {
        let healed = self.b.now > HEALED;
        let copies = if !healed && self.random.happens(self.path.duplicate) { 2 } else { 1 };
        for _ in 0..copies {
            if !healed && self.random.happens(loss) {
                continue;
            }
            let late = if self.random.happens(self.path.reorder) { self.random.next() % 20 } else { 0 };
            let delay = Duration::from_millis(self.path.rtt_ms / 2 + late);
            self.serial += 1;
            self.events.push(Reverse((self.b.now + delay, self.serial, event.clone())));
        }
    }

    fn transmit(&mut self) {
        for (first, count, _) in self.b.take_sent() {
            for segment in first..first + count {
                self.post(self.path.loss, Event::Segment(segment, self.b.now));
            }
        }
    }

    fn run(&mut self, total: u64) {
        let mut left = total;
        while left > 0 {
            let chunk = (1 + self.random.next() % 60).min(left);
            let at = self.b.now + Duration::from_millis(self.random.next() % 15_000);
            self.serial += 1;
            self.events.push(Reverse((at, self.serial, Event::Write(chunk))));
            left -= chunk;
        }
        for _ in 0..200_000 {
            let event_at = self.events.peek().map(|Reverse((at, ..))| *at);
            let timer_at = self.b.rec.deadline().map(|(at, _)| at);
            if event_at.is_none() && timer_at.is_none() {
                break;
            }
            if timer_at.is_some_and(|timer| event_at.is_none_or(|event| timer <= event)) {
                self.b.expire();
            } else if let Some(Reverse((now, _, event))) = self.events.pop() {
                self.b.now = self.b.now.max(now);
                self.deliver(event);
            }
            self.transmit();
        }
        assert_eq!(self.receiver.next, total, "everything arrives");
        assert_eq!((self.b.rec.packets_out(), self.b.rec.deadline()), (0, None), "nothing is left behind");
        assert!(self.b.now < Instant::from_secs(700), "in reasonable time: {:?}", self.b.now);
    }

    fn deliver(&mut self, event: Event) {
        match event {
            Event::Write(segments) => {
                self.b.write(segments);
            }
            Event::Segment(segment, sent_at) => {
                if self.b.now < HEALED && self.random.happens(self.path.renege) {
                    self.receiver.held.clear();
                }
                let (ack, mut blocks) = self.receiver.take(segment);
                if !self.sack {
                    blocks.clear();
                }
                let echo = self.b.timestamps.then_some(sent_at);
                self.post(self.path.ack_loss, Event::Ack(ack, blocks, echo));
            }
            Event::Ack(ack, blocks, echo) => {
                let una = (self.b.una - ISS) / u64::from(MSS);
                if ack >= una || !blocks.is_empty() {
                    self.b.ack_with(ack, &blocks, echo);
                }
            }
        }
    }
}

fn path() -> impl Strategy<Value = Path> {
    (0..30_u64, 0..20_u64, 0..40_u64, 0..10_u64, 0..3_u64, 1..200_u64).prop_map(
        |(loss, ack_loss, reorder, duplicate, renege, rtt_ms)| Path {
            loss,
            ack_loss,
            reorder,
            duplicate,
            renege,
            rtt_ms,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn any_network_is_survived(
        path in path(),
        seed: u64,
        total in 1..600_u64,
        burst in 1..20_u64,
        sack: bool,
        timestamps: bool,
        rack in prop::sample::select([0_u8, 1, 2, 4, 5].as_slice()),
    ) {
        let mut world = World::new(path, seed, sack);
        world.b.settings.recovery = rack;
        world.b.timestamps = timestamps;
        world.b.burst = burst;
        world.run(total);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    /// A peer that acknowledges at random, with blocks that make no sense, breaks nothing.
    #[test]
    fn hostile_acknowledgements(
        sack: bool,
        timestamps: bool,
        burst in 1..12_u64,
        steps in prop::collection::vec(
            (0..20_u8, 0..12_u64, prop::collection::vec((0..80_u64, 0..80_u64), 0..5), 0..3000_u64),
            1..120,
        ),
    ) {
        let mut b = Bench::new();
        b.rec.set_sack(sack);
        b.timestamps = timestamps;
        b.burst = burst;
        for (kind, n, blocks, wait_ms) in steps {
            match kind {
                0 => _ = b.write(n),
                1 | 2 if b.rec.deadline().is_some() => _ = b.expire(),
                _ => {
                    b.advance(wait_ms / 10);
                    let una = (b.una - ISS) / u64::from(MSS);
                    let last = (b.nxt - ISS) / u64::from(MSS);
                    let ack = if n < 8 { una } else { (una + n - 8).min(last) };
                    let near: Vec<_> = blocks.iter().map(|&(from, to)| (una + from, una + to)).collect();
                    let echo = Instant::from_millis(1000 + wait_ms);
                    b.ack_with(ack, if sack { &near } else { &[] }, Some(echo));
                }
            }
            b.write(n / 3);
        }
    }
}

/// On a clean path nothing is sent twice.
#[test]
fn clean_path() {
    let path = Path { loss: 0, ack_loss: 0, reorder: 0, duplicate: 0, renege: 0, rtt_ms: 50 };
    let mut world = World::new(path, 1, true);
    world.run(2000);
    assert_eq!(world.b.rec.total_retrans(), 0);
}

/// The random networks reach every way in and out of recovery.
#[test]
fn every_event_is_reached() {
    let mut totals = Counters::new();
    for seed in 0..300 {
        let path = Path {
            loss: seed % 13,
            ack_loss: seed % 7,
            reorder: seed % 40,
            duplicate: seed % 5,
            renege: u64::from(seed % 10 == 0),
            rtt_ms: 1 + seed,
        };
        let mut world = World::new(path, seed, seed % 4 > 0);
        world.b.timestamps = seed % 2 > 0;
        world.run(300);
        totals.merge(&world.b.counters);
    }
    for counter in EVENTS {
        assert!(totals.get(counter) > 0, "{counter:?} was not reached");
    }
}

const EVENTS: [Counter; 17] = [
    Counter::TCPRenoRecovery,
    Counter::TCPSackRecovery,
    Counter::TCPSACKReneging,
    Counter::TCPSACKReorder,
    Counter::TCPRenoReorder,
    Counter::TCPTSReorder,
    Counter::TCPFullUndo,
    Counter::TCPPartialUndo,
    Counter::TCPDSACKUndo,
    Counter::TCPLossUndo,
    Counter::TCPLostRetransmit,
    Counter::TCPFastRetrans,
    Counter::TCPSlowStartRetrans,
    Counter::TCPTimeouts,
    Counter::TCPLossProbes,
    Counter::TCPLossProbeRecovery,
    Counter::TCPSpuriousRTOs,
];
