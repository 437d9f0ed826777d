//! The event log: one line of text for every packet event of a world.
//!
//! Two runs with the same seed write the same log, byte for byte; where they differ, the first differing
//! line names the moment, the link and the packet.

use crate::world::{Fate, Tap, Tapped, Way};
use cauce_wire::dissect;
use std::cell::RefCell;
use std::fmt::Write;
use std::rc::Rc;

/// A tap that writes one line an event. Clones write to and read from the same log.
///
/// A line holds the moment in nanoseconds, the link, the direction (`>` forward), what happened, the packet's
/// length, a digest of its bytes, and the packet in packetdrill's spelling.
#[derive(Clone, Debug, Default)]
pub struct EventLog(Rc<RefCell<String>>);

impl EventLog {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// All lines so far.
    pub fn text(&self) -> String {
        self.0.borrow().clone()
    }
}

impl Tap for EventLog {
    fn note(&mut self, tapped: &Tapped<'_>) {
        let mut log = self.0.borrow_mut();
        let way = match tapped.way {
            Way::Forward => '>',
            Way::Backward => '<',
        };
        // Writing to a string cannot fail.
        let _ = write!(log, "{} {}{way} ", tapped.at.as_nanos(), tapped.link.0);
        let _ = match tapped.fate {
            Fate::Offered => log.write_str("offered"),
            Fate::Arrived => log.write_str("arrived"),
            Fate::Dropped(cause) => write!(log, "dropped ({cause})"),
        };
        let text = dissect::print_with_addresses(tapped.packet);
        let _ = writeln!(log, " {} {:016x} {text}", tapped.packet.len(), digest(tapped.packet));
    }
}

/// FNV-1a, 64 bits: tells packets of a log apart, no more.
pub fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
