//! Windows without stacks: the engine's congestion control over one bottleneck, for paths on which whole stacks would
//! take too long.
//!
//! A sender here is a [`Congestion`] as a connection owns it, and the counts of what it has in flight: it sends while
//! the window has room, at the pacing rate that the engine computes, and is told what arrived, what is missing, and how
//! long it took. The bottleneck is a drop-tail queue before a transmitter, exact to the nanosecond. Windows, rates and
//! round trips are those of the experiment, not scaled; only steps are saved, as segments travel in groups, whose RTT
//! is that of their first. Left out is what does not move a window: headers, bytes, the peer's window, delayed
//! acknowledgements, and time-outs (a segment that is missing counts as new data once more).

use cauce_core::congestion::window::{Congestion, Usage};
use cauce_core::congestion::{AckCounts, RateSample, SenderView, Settings, by_name};
use cauce_core::recovery::phase::Phase;
use cauce_core::rng::Rng;
use cauce_core::time::{Duration, Instant};
use cauce_lab::rng::LabRng;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Payload bytes of a segment, as the requirements count.
pub const MSS: u64 = 1460;

/// The path that all senders share.
pub struct Path {
    /// Line rate in bits a second, over payload.
    pub rate: u64,
    /// Segments that may wait.
    pub queue: u64,
    /// The probability that a segment is lost on the way.
    pub loss: f64,
    /// A loss of one sender is a loss of all.
    pub together: bool,
    pub seed: u64,
}

impl Path {
    /// A path that loses nothing but what finds no room.
    pub fn new(rate: u64, queue: u64) -> Self {
        Path { rate, queue, loss: 0.0, together: false, seed: 1 }
    }
}

/// What happens next, and to which sender.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at: Instant,
    flow: usize,
    what: What,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// The pacing rate lets the next group go.
    Turn,
    /// A group has come back.
    Report(Report),
}

/// What came of a group.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Report {
    /// The offset after its last segment.
    end: u64,
    delivered: u32,
    lost: u32,
    /// The round trip of its first segment.
    rtt: Duration,
}

/// One sender and its window.
pub struct Flow {
    congestion: Congestion,
    view: SenderView,
    settings: Settings,
    rtt: Duration,
    /// Segments that travel together.
    group: u32,
    /// When the pacing rate lets the next group go, and whether that is among the events.
    turn: Instant,
    waits: bool,
    /// When all of the window at the last reduction is reported.
    recovery_point: u64,
    /// Segments that arrived.
    pub delivered: u64,
    /// How often the window was reduced.
    pub reductions: u32,
}

/// Senders, the path that they share, and the time.
pub struct Bottleneck {
    path: Path,
    per_segment: Duration,
    busy_until: Instant,
    /// Segments that still arrive before the next is lost.
    until_loss: u64,
    rng: LabRng,
    events: BinaryHeap<Reverse<Event>>,
    pub flows: Vec<Flow>,
    pub now: Instant,
}

impl Bottleneck {
    pub fn new(path: Path) -> Self {
        let now = Instant::from_secs(1);
        let mut new = Bottleneck {
            per_segment: Duration::from_nanos(MSS * 8 * 1_000_000_000 / path.rate),
            busy_until: now,
            until_loss: u64::MAX,
            rng: LabRng::new(path.seed, 0),
            path,
            events: BinaryHeap::new(),
            flows: Vec::new(),
            now,
        };
        new.draw_loss();
        new
    }

    /// Adds a sender that begins with a window of ten segments in slow start up to `ssthresh`.
    pub fn add(&mut self, algorithm: &str, rtt: Duration, ssthresh: u32, group: u32) {
        let view = SenderView { now: self.now, mss: MSS as u32, ..SenderView::default() };
        let mut congestion = Congestion::new(10, by_name(algorithm).unwrap(), self.now);
        congestion.start(&view);
        congestion.set_initial_ssthresh(ssthresh);
        self.flows.push(Flow {
            congestion,
            view,
            settings: Settings::default(),
            rtt,
            group,
            turn: self.now,
            waits: false,
            recovery_point: 0,
            delivered: 0,
            reductions: 0,
        });
        self.send(self.flows.len() - 1);
    }

    /// Goes to what happens next, and lets its sender answer.
    pub fn step(&mut self) {
        let Some(Reverse(event)) = self.events.pop() else { return };
        self.now = event.at;
        let flow = &mut self.flows[event.flow];
        match event.what {
            What::Turn => flow.waits = false,
            What::Report(report) => {
                let before = flow.reductions;
                flow.take(self.now, &report);
                if flow.reductions > before && self.path.together {
                    self.flows.iter_mut().for_each(|flow| flow.lose(self.now));
                }
            }
        }
        self.send(event.flow);
    }

    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while self.events.peek().is_some_and(|Reverse(event)| event.at <= end) {
            self.step();
        }
        self.now = end;
    }

    fn draw_loss(&mut self) {
        let drawn = (self.rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let gap = (1.0 - drawn).ln() / (1.0 - self.path.loss).ln();
        self.until_loss = if self.path.loss > 0.0 { gap as u64 } else { u64::MAX };
    }

    /// Sends as many groups as the window has room for and the pacing rate lets go.
    fn send(&mut self, number: usize) {
        loop {
            let flow = &mut self.flows[number];
            let count = flow.next_group();
            if count == 0 || flow.waits {
                return;
            }
            if flow.turn > self.now {
                flow.waits = true;
                self.events.push(Reverse(Event { at: flow.turn, flow: number, what: What::Turn }));
                return;
            }
            let end = flow.on_sent(self.now, count);
            let rtt = flow.rtt;
            let waiting = self.busy_until.max(self.now).since(self.now);
            let delivered = self.pass(count);
            let report =
                Report { end, delivered, lost: count - delivered, rtt: rtt + waiting + self.per_segment };
            let at = self.busy_until + rtt;
            self.events.push(Reverse(Event { at, flow: number, what: What::Report(report) }));
        }
    }

    /// Through the queue and the transmitter: how many will arrive.
    fn pass(&mut self, count: u32) -> u32 {
        self.busy_until = self.busy_until.max(self.now);
        let waiting = self.busy_until.since(self.now).as_nanos().div_ceil(self.per_segment.as_nanos());
        let room = u128::from(self.path.queue).saturating_sub(waiting);
        let taken = count.min(u32::try_from(room).unwrap_or(u32::MAX));
        self.busy_until += self.per_segment * taken;
        if u64::from(taken) <= self.until_loss {
            self.until_loss = self.until_loss.saturating_sub(taken.into());
            return taken;
        }
        self.draw_loss();
        taken - 1
    }
}

impl Flow {
    pub fn cwnd(&self) -> u32 {
        self.congestion.cwnd()
    }

    /// How many segments go next: a whole group, or none.
    fn next_group(&self) -> u32 {
        let count = self.group.min((self.cwnd() / 2).max(1));
        if self.cwnd().saturating_sub(self.view.packets_out) < count { 0 } else { count }
    }

    /// Returns the offset after what was sent.
    fn on_sent(&mut self, now: Instant, count: u32) -> u64 {
        self.view.now = now;
        self.view.packets_out += count;
        self.view.snd_nxt += u64::from(count);
        self.congestion.on_sent(count);
        // There is always more to send than the window takes.
        let usage = Usage { is_cwnd_limited: true, send_buffer_full: false, rto: Duration::from_secs(1) };
        self.congestion.validate(&self.view, &usage, &self.settings);
        let rate = u128::from(self.congestion.pacing_rate().max(1));
        let nanos = u128::from(count) * u128::from(MSS) * 1_000_000_000 / rate;
        self.turn = self.turn.max(now) + Duration::from_nanos(nanos as u64);
        self.view.snd_nxt
    }

    fn take(&mut self, now: Instant, report: &Report) {
        let prior_in_flight = self.view.packets_out;
        let rtt_us = u32::try_from(report.rtt.as_micros()).unwrap_or(u32::MAX);
        let view = &mut self.view;
        view.now = now;
        view.packets_out -= report.delivered + report.lost;
        view.snd_una = report.end;
        view.srtt_us = if view.srtt_us == 0 { rtt_us } else { view.srtt_us - view.srtt_us / 8 + rtt_us / 8 };
        view.min_rtt_us = view.min_rtt_us.min(rtt_us);
        self.delivered += u64::from(report.delivered);
        if report.lost > 0 {
            self.lose(now);
        } else if view.phase == Phase::Recovery && report.end >= self.recovery_point {
            self.congestion.end_reduction(&self.view);
            self.enter(Phase::Open);
        }
        let counts = AckCounts {
            newly_acked: report.delivered,
            newly_delivered: report.delivered,
            newly_lost: report.lost,
            acked_bytes: report.delivered * MSS as u32,
            ca_rtt_us: Some(rtt_us),
            prior_in_flight,
            una_advanced: true,
            data_acked: report.delivered > 0,
            ..AckCounts::default()
        };
        self.congestion.on_ack(&counts, &RateSample::default(), &self.view, &self.settings);
    }

    fn enter(&mut self, phase: Phase) {
        self.congestion.set_phase(phase, &self.view);
        self.view.phase = phase;
    }

    /// A segment is found missing: a reduction, unless one is going on.
    pub fn lose(&mut self, now: Instant) {
        if self.in_recovery() {
            return;
        }
        self.view.now = now;
        self.recovery_point = self.view.snd_nxt;
        self.reductions += 1;
        self.congestion.begin_reduction(&self.view, true);
        self.enter(Phase::Recovery);
    }

    pub fn in_recovery(&self) -> bool {
        self.view.phase == Phase::Recovery
    }
}
