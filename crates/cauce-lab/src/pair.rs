//! Two hosts and one link: the world that nearly every test wants.

use crate::faults::{FaultOptions, Outage};
use crate::host::Endpoint;
use crate::link::{Direction, LinkOptions};
use crate::queue::QueueLimit;
use crate::world::{Happened, HostId, LinkId, Tap, Way, World};
use cauce_core::time::{Duration, Instant};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How a pair is made.
#[derive(Clone, Debug)]
pub struct PairOptions {
    /// Everything random comes from here.
    pub seed: u64,
    /// Virtual time at the start.
    pub start: Instant,
    /// Line rate from A to B in bits a second; `None` is unlimited.
    pub rate: Option<u64>,
    /// Propagation delay each way: half of the round trip.
    pub delay: Duration,
    /// How much may wait for each transmitter.
    pub queue: QueueLimit,
    /// Longest packet in bytes, also for the hosts' interfaces unless [`PairOptions::host_mtu`] says otherwise.
    pub mtu: u32,
    /// The interfaces' own MTU, where the path's is smaller.
    pub host_mtu: Option<u32>,
    /// The sender of a packet that is too long is told by ICMP.
    pub tells_too_big: bool,
    /// Stacks hand super-segments to their interfaces, which are cut up before the link.
    pub super_segments: bool,
    /// The direction from B to A, where it differs.
    pub back: Option<LinkOptions>,
    /// Faults from A to B and from B to A.
    pub faults: [FaultOptions; 2],
}

impl Default for PairOptions {
    /// 10 ms each way, unlimited rate, MTU 1500, no faults.
    fn default() -> Self {
        PairOptions {
            seed: 1,
            start: Instant::from_secs(1),
            rate: None,
            delay: Duration::from_millis(10),
            queue: QueueLimit::default(),
            mtu: 1500,
            host_mtu: None,
            tells_too_big: true,
            super_segments: true,
            back: None,
            faults: [FaultOptions::default(); 2],
        }
    }
}

impl PairOptions {
    /// The direction from A to B.
    pub fn forward(&self) -> LinkOptions {
        LinkOptions {
            rate: self.rate,
            delay: self.delay,
            queue: self.queue,
            mtu: self.mtu,
            tells_too_big: self.tells_too_big,
        }
    }
}

/// One of the two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The host whose packets go forward.
    A,
    /// The other.
    B,
}

impl Side {
    /// Both hosts.
    pub const BOTH: [Side; 2] = [Side::A, Side::B];

    /// The other host.
    pub const fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }

    /// The host in the pair's world.
    pub const fn host(self) -> HostId {
        HostId(self as usize)
    }

    /// The direction that this host sends in.
    pub const fn way(self) -> Way {
        match self {
            Side::A => Way::Forward,
            Side::B => Way::Backward,
        }
    }

    /// The host's IPv4 address in a pair: 10.0.0.1 or 10.0.0.2.
    pub const fn ipv4(self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, self as u8 + 1))
    }

    /// The host's IPv6 address in a pair: fd00::1 or fd00::2.
    pub const fn ipv6(self) -> IpAddr {
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, self as u16 + 1))
    }
}

/// Two hosts, A and B, over one link.
pub struct Pair<E> {
    world: World<E>,
    link: LinkId,
}

impl<E: Endpoint> Pair<E> {
    /// A pair of these endpoints.
    pub fn of(options: &PairOptions, a: E, b: E) -> Self {
        let mut world = World::new(options.seed, options.start);
        let (a, b) = (world.add_host(a), world.add_host(b));
        let forward = options.forward();
        let link = world.connect(a, b, forward, options.back.unwrap_or(forward));
        for (side, faults) in Side::BOTH.into_iter().zip(&options.faults) {
            faults.install(world.link_mut(link, side.way()).faults_mut());
        }
        Pair { world, link }
    }

    /// The present moment.
    pub fn now(&self) -> Instant {
        self.world.now()
    }

    /// The world that the pair lives in.
    pub fn world(&mut self) -> &mut World<E> {
        &mut self.world
    }

    /// A host's endpoint, to look at.
    pub fn endpoint(&self, side: Side) -> &E {
        self.world.host(side.host()).endpoint()
    }

    /// Lends a host's endpoint to `call` with the present moment, then sends what came of it.
    pub fn with<R>(&mut self, side: Side, call: impl FnOnce(&mut E, Instant) -> R) -> R {
        self.world.with(side.host(), call)
    }

    /// The direction that `side` sends in, to read its counts.
    pub fn link(&self, side: Side) -> &Direction {
        self.world.link(self.link, side.way())
    }

    /// The direction that `side` sends in, to add faults or to change it.
    pub fn link_mut(&mut self, side: Side) -> &mut Direction {
        self.world.link_mut(self.link, side.way())
    }

    /// From this moment on nothing that `side` sends arrives, and nobody is told: the other host sees a
    /// silent peer, `side` a black hole.
    pub fn silence(&mut self, side: Side) {
        let cut = Outage::new(self.now(), Instant::NEVER);
        self.link_mut(side).faults_mut().push(Box::new(cut));
    }

    /// Adds a tap on the link.
    pub fn tap(&mut self, tap: Box<dyn Tap>) {
        self.world.tap(tap);
    }

    /// Jumps to the next thing that happens. `None` when nothing ever will.
    pub fn step(&mut self) -> Option<Happened> {
        self.world.step()
    }

    /// Lets `span` pass.
    pub fn run_for(&mut self, span: Duration) {
        self.world.run_until(self.world.now() + span);
    }

    /// Steps until `done` says so, at most for `limit`. `done` is asked before the first step and after
    /// each; it may make calls. Returns whether it was done.
    pub fn drive(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let limit = self.now() + limit;
        loop {
            if done(self) {
                return true;
            }
            if self.world.next_at().is_none_or(|at| at > limit) {
                self.world.run_until(limit);
                return false;
            }
            self.world.step();
        }
    }
}
