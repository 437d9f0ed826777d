//! A fixed amount of work by a clock that does not know how slowly it runs, so that the instructions of two
//! runs of different length may be subtracted and what remains is the work alone.

use crate::clock::Clock;
use crate::ours::bulk::Bulk;
use crate::ours::rtt::Rtt;
use crate::ours::short::Short;
use crate::peers::smoltcp;
use anyhow::{Result, bail};
use std::time::Duration;

/// How far time goes on between two looks at the clock: about what a turn of a host takes.
const STEP: Duration = Duration::from_micros(2);
/// Payload of a full packet of 1500 bytes with timestamps.
const SEGMENT: usize = 1448;
/// Payload of a packet of 1500 bytes without options.
const BARE_SEGMENT: usize = 1460;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Full segments of one stream at an MTU of 1500 bytes; the unit is a segment.
    Bulk,
    /// The same bytes as super-segments; the unit is still 1448 bytes.
    Super,
    /// 1-byte round trips.
    Rtt,
    /// Connect, accept, close.
    Short,
}

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Who {
    /// Two Cauce hosts.
    Cauce,
    /// Two smoltcp hosts.
    Smoltcp,
}

/// Does `count` units of it.
///
/// # Errors
/// When a connection breaks, or when `who` has no such work.
pub fn work(who: Who, kind: Kind, count: usize) -> Result<()> {
    match who {
        Who::Cauce => ours(kind, count),
        Who::Smoltcp => smol(kind, count),
    }
}

fn ours(kind: Kind, count: usize) -> Result<()> {
    let clock = Clock::stepping(STEP);
    match kind {
        Kind::Bulk => Bulk::new(1500, false, clock)?.transfer(count * SEGMENT).map(drop),
        Kind::Super => Bulk::new(1500, true, clock)?.transfer(count * SEGMENT).map(drop),
        Kind::Rtt => Rtt::new(clock)?.run(count),
        Kind::Short => Short::new(clock)?.rate(count).map(drop),
    }
}

fn smol(kind: Kind, count: usize) -> Result<()> {
    let buffer = if kind == Kind::Short { smoltcp::SMALL_BUFFER } else { smoltcp::BUFFER };
    let mut pair = smoltcp::Pair::new(1500, buffer);
    if kind != Kind::Short {
        pair.connect()?;
    }
    match kind {
        Kind::Bulk => pair.transfer(count * BARE_SEGMENT).map(drop),
        Kind::Super => bail!("smoltcp has no super-segments"),
        Kind::Rtt => pair.round_trips(count).map(drop),
        Kind::Short => pair.connections(count).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_does_a_little_of_everything() {
        for kind in [Kind::Bulk, Kind::Super, Kind::Rtt, Kind::Short] {
            work(Who::Cauce, kind, 50).unwrap();
        }
        for kind in [Kind::Bulk, Kind::Rtt, Kind::Short] {
            work(Who::Smoltcp, kind, 50).unwrap();
        }
        assert!(work(Who::Smoltcp, Kind::Super, 1).is_err());
    }
}
