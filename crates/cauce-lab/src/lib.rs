//! A deterministic network in virtual time.
//!
//! A [`world::World`] holds hosts and links. Its clock stands still until [`world::World::step`] jumps to the
//! next thing that happens: a packet arrives, a host's timer fires, a wake-up that an application asked for
//! is due. Every random decision comes from one seed, so a run repeats byte for byte. [`pair::Pair`] is the
//! world that nearly every test wants: two hosts over one link.
//!
//! The link model ([`link`], [`queue`], [`faults`]) knows nothing of virtual time; [`bridge`] runs the same
//! model in real time between two devices. It is the only module that reads a clock.

pub mod bridge;
pub mod clock;
pub mod faults;
pub mod host;
pub mod invariants;
pub mod link;
pub mod log;
pub mod model;
pub mod pair;
pub mod queue;
pub mod report;
pub mod rng;
pub mod router;
pub mod stack;
pub mod tape;
pub mod watch;
pub mod world;
pub mod worlds;
