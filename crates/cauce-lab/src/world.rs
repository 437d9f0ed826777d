//! The world: hosts, links, and the one queue of events that drives them.
//!
//! Events happen in the order of their time; those of one moment in the order in which they were scheduled;
//! deadlines of hosts come behind the events of their moment, in the order of the hosts. Nothing else
//! decides, so a world made of the same parts with the same seed goes the same way.

use crate::clock::Clock;
use crate::faults::Faults;
use crate::host::{Endpoint, Host, Plug};
use crate::link::{Arrival, Direction, DropCause, LinkOptions};
use crate::rng::LabRng;
use crate::router;
use bytes::Bytes;
use cauce_core::frame::DeviceId;
use cauce_core::rng::Rng;
use cauce_core::time::Instant;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Names a host of a world, in the order of their making.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub usize);

/// Names a link of a world, in the order of their making.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub usize);

/// One of the two directions of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// From the host that was named first.
    Forward,
    /// Towards the host that was named first.
    Backward,
}

impl Way {
    /// The other direction.
    pub const fn opposite(self) -> Way {
        match self {
            Way::Forward => Way::Backward,
            Way::Backward => Way::Forward,
        }
    }
}

/// What happened in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A packet arrived at this host.
    Arrived(HostId),
    /// This host's deadline came.
    Timeout(HostId),
    /// The wake-up with this key was due.
    Woken(u64),
}

/// What a tap is told about one packet on a link.
#[derive(Clone, Debug)]
pub struct Tapped<'a> {
    /// When it happens.
    pub at: Instant,
    /// The link.
    pub link: LinkId,
    /// The direction.
    pub way: Way,
    /// What happens to the packet.
    pub fate: Fate,
    /// The packet.
    pub packet: &'a Bytes,
}

/// What happens to a packet on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A host hands it to the link.
    Offered,
    /// It will not arrive.
    Dropped(DropCause),
    /// It arrives.
    Arrived,
}

/// Watches the packets of all links.
pub trait Tap {
    /// Told of each packet, in the order of events.
    fn note(&mut self, tapped: &Tapped<'_>);
}

#[derive(Debug)]
struct Cable {
    ways: [Direction; 2],
    ends: [(HostId, DeviceId); 2],
}

#[derive(Debug)]
struct Event {
    at: Instant,
    sequence: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    Arrive { link: LinkId, way: Way, packet: Bytes },
    Wake(u64),
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}
impl Eq for Event {}
impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Event {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

/// Deadlines of one host that may fire at one moment before it counts as stuck.
const STUCK_AFTER: u32 = 10_000;

/// Hosts and links in virtual time.
pub struct World<E> {
    clock: Clock,
    seeds: LabRng,
    hosts: Vec<Host<E>>,
    links: Vec<Cable>,
    events: BinaryHeap<Reverse<Event>>,
    sequence: u64,
    taps: Vec<Box<dyn Tap>>,
    arrivals: Vec<Arrival>,
    outgoing: Vec<(Plug, Bytes)>,
    steps_at_now: u32,
}

impl<E: Endpoint> World<E> {
    /// An empty world at virtual time `start`. All its randomness comes from `seed`.
    pub fn new(seed: u64, start: Instant) -> Self {
        World {
            clock: Clock::new(start),
            seeds: LabRng::new(seed, 0),
            hosts: Vec::new(),
            links: Vec::new(),
            events: BinaryHeap::new(),
            sequence: 0,
            taps: Vec::new(),
            arrivals: Vec::new(),
            outgoing: Vec::new(),
            steps_at_now: 0,
        }
    }

    /// The present moment.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Adds a host.
    pub fn add_host(&mut self, endpoint: E) -> HostId {
        let id = HostId(self.hosts.len());
        self.hosts.push(Host::new(endpoint));
        self.flush(id);
        id
    }

    /// Connects two hosts. The link becomes the next device of each: [`DeviceId`] counts the links of a
    /// host in the order in which they were made.
    ///
    /// # Panics
    /// If a host is not of this world.
    pub fn connect(&mut self, a: HostId, b: HostId, there: LinkOptions, back: LinkOptions) -> LinkId {
        let id = LinkId(self.links.len());
        let mut ends = [(a, DeviceId(0)), (b, DeviceId(0))];
        for (end, (host, device)) in ends.iter_mut().enumerate() {
            let devices = &mut self.hosts[host.0].devices;
            *device = DeviceId(devices.len() as u16);
            devices.push(Plug { link: id.0, end });
        }
        let mut way = |options| Direction::with_faults(options, Faults::new(self.seeds.next_u64()));
        let ways = [way(there), way(back)];
        self.links.push(Cable { ways, ends });
        id
    }

    /// A host, to look at.
    ///
    /// # Panics
    /// If it is not of this world.
    pub fn host(&self, id: HostId) -> &Host<E> {
        &self.hosts[id.0]
    }

    /// Takes the oldest packet that a host's endpoint did not want.
    pub fn pop_foreign(&mut self, id: HostId) -> Option<cauce_core::frame::Frame> {
        self.hosts.get_mut(id.0)?.pop_foreign()
    }

    /// One direction of a link, to read its counts.
    ///
    /// # Panics
    /// If it is not of this world.
    pub fn link(&self, id: LinkId, way: Way) -> &Direction {
        &self.links[id.0].ways[way as usize]
    }

    /// One direction of a link, to add faults or to change it.
    ///
    /// # Panics
    /// If it is not of this world.
    pub fn link_mut(&mut self, id: LinkId, way: Way) -> &mut Direction {
        &mut self.links[id.0].ways[way as usize]
    }

    /// From `moment` on no link has faults.
    pub fn heal_at(&mut self, moment: Instant) {
        for way in self.links.iter_mut().flat_map(|link| &mut link.ways) {
            way.faults_mut().heal_at(moment);
        }
    }

    /// Adds a tap on all links.
    pub fn tap(&mut self, tap: Box<dyn Tap>) {
        self.taps.push(tap);
    }

    /// Makes [`World::step`] report `key` at `moment`, or now if that has passed.
    pub fn wake_at(&mut self, moment: Instant, key: u64) {
        let at = moment.max(self.now());
        self.schedule(at, What::Wake(key));
    }

    /// Lends a host's endpoint to `call` with the present moment, then sends what came of it.
    ///
    /// # Panics
    /// If the host is not of this world.
    pub fn with<R>(&mut self, id: HostId, call: impl FnOnce(&mut E, Instant) -> R) -> R {
        let now = self.now();
        let result = call(&mut self.hosts[id.0].endpoint, now);
        self.flush(id);
        result
    }

    /// When the next thing happens; `None` when nothing ever will.
    pub fn next_at(&self) -> Option<Instant> {
        let event = self.events.peek().map(|Reverse(event)| event.at);
        let deadline = self.next_deadline().map(|(at, _)| at);
        event.into_iter().chain(deadline).min()
    }

    /// Jumps to the next thing that happens and lets it happen. `None` when nothing ever will.
    ///
    /// # Panics
    /// When a host keeps asking for a deadline that has passed: its timers would never let time go on.
    pub fn step(&mut self) -> Option<Happened> {
        let deadline = self.next_deadline();
        let event = self.events.peek().map(|Reverse(event)| event.at);
        match (event, deadline) {
            (Some(at), due) if due.is_none_or(|(due, _)| at <= due) => {
                let Reverse(event) = self.events.pop()?;
                self.advance(at);
                Some(self.happen(event.what))
            }
            (_, Some((at, host))) => {
                self.advance(at);
                self.steps_at_now += 1;
                assert!(self.steps_at_now < STUCK_AFTER, "host {} is stuck at {:?}", host.0, self.now());
                let now = self.now();
                self.hosts[host.0].time_out(now);
                self.flush(host);
                Some(Happened::Timeout(host))
            }
            (_, None) => None,
        }
    }

    /// Lets everything happen that is due up to `moment`, included, and moves the clock there.
    pub fn run_until(&mut self, moment: Instant) {
        while self.next_at().is_some_and(|at| at <= moment) {
            self.step();
        }
        self.advance(moment);
    }

    /// Steps until `done` says so or `limit` has passed. `done` is asked before the first step and after
    /// each; it may make calls on the hosts. Returns whether it was done.
    pub fn drive(&mut self, limit: Instant, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        loop {
            if done(self) {
                return true;
            }
            if self.next_at().is_none_or(|at| at > limit) {
                self.advance(limit);
                return false;
            }
            self.step();
        }
    }

    fn advance(&mut self, moment: Instant) {
        if moment > self.now() {
            self.steps_at_now = 0;
        }
        self.clock.advance_to(moment);
    }

    fn next_deadline(&self) -> Option<(Instant, HostId)> {
        let deadlines = self.hosts.iter().enumerate();
        deadlines.filter_map(|(index, host)| Some((host.deadline?, HostId(index)))).min()
    }

    fn schedule(&mut self, at: Instant, what: What) {
        let sequence = self.sequence;
        self.sequence += 1;
        self.events.push(Reverse(Event { at, sequence, what }));
    }

    fn happen(&mut self, what: What) -> Happened {
        let now = self.now();
        match what {
            What::Wake(key) => Happened::Woken(key),
            What::Arrive { link, way, packet } => {
                self.tell(link, way, Fate::Arrived, &packet);
                let far_end = match way {
                    Way::Forward => 1,
                    Way::Backward => 0,
                };
                let (host, device) = self.links[link.0].ends[far_end];
                self.hosts[host.0].deliver(now, device, packet);
                self.flush(host);
                Happened::Arrived(host)
            }
        }
    }

    /// Sends what a host wants to send and notes its next deadline.
    fn flush(&mut self, id: HostId) {
        let now = self.now();
        let mut outgoing = std::mem::take(&mut self.outgoing);
        self.hosts[id.0].drain(now, &mut outgoing);
        for (plug, packet) in outgoing.drain(..) {
            let way = if plug.end == 0 { Way::Forward } else { Way::Backward };
            self.carry(now, LinkId(plug.link), way, packet);
        }
        self.outgoing = outgoing;
    }

    fn carry(&mut self, now: Instant, link: LinkId, way: Way, packet: Bytes) {
        self.tell(link, way, Fate::Offered, &packet);
        let mut arrivals = std::mem::take(&mut self.arrivals);
        let direction = &mut self.links[link.0].ways[way as usize];
        let mtu = direction.options().mtu;
        let tells = direction.options().tells_too_big;
        if let Err(cause) = direction.offer(now, packet.clone(), &mut arrivals) {
            self.tell(link, way, Fate::Dropped(cause), &packet);
            if cause == DropCause::TooBig
                && tells
                && let Some(packet) = router::too_big(&packet, mtu)
            {
                let way = way.opposite();
                self.schedule(now, What::Arrive { link, way, packet });
            }
        }
        for arrival in arrivals.drain(..) {
            self.schedule(arrival.at, What::Arrive { link, way, packet: arrival.packet });
        }
        self.arrivals = arrivals;
    }

    fn tell(&mut self, link: LinkId, way: Way, fate: Fate, packet: &Bytes) {
        let at = self.clock.now();
        for tap in &mut self.taps {
            tap.note(&Tapped { at, link, way, fate, packet });
        }
    }
}
