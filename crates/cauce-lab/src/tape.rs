//! What went over the links, segment by segment, for tests that ask when and with which numbers.
//!
//! A tape notes TCP segments alone, and reads only what the header says. It judges nothing.

use crate::world::{Fate, Tap, Tapped, Way};
use cauce_core::time::Instant;
use cauce_wire::{Flags, IpHeader, Seq, TcpHeader, TcpOptions};
use std::cell::RefCell;
use std::rc::Rc;

/// One segment, as a host handed it to a link.
#[derive(Clone, Debug)]
pub struct Segment {
    /// When.
    pub at: Instant,
    /// The direction it took.
    pub way: Way,
    /// Its ports, source first.
    pub ports: (u16, u16),
    /// SEG.SEQ.
    pub seq: Seq,
    /// SEG.ACK.
    pub ack: Seq,
    /// Control bits.
    pub flags: Flags,
    /// The window field, not scaled.
    pub window: u16,
    /// Bytes of payload.
    pub len: usize,
    /// Options.
    pub options: TcpOptions,
}

impl Segment {
    /// True when exactly these control bits are set.
    pub fn is(&self, flags: Flags) -> bool {
        self.flags == flags
    }

    /// True when all of these control bits are set.
    pub fn has(&self, flags: Flags) -> bool {
        self.flags.contains(flags)
    }
}

/// A tap that keeps every segment that is offered to a link, lost or not. Clones share what they have seen.
#[derive(Clone, Debug, Default)]
pub struct Tape(Rc<RefCell<Vec<Segment>>>);

impl Tape {
    /// An empty tape.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets what was seen.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    /// All segments, in the order in which they were sent.
    pub fn all(&self) -> Vec<Segment> {
        self.0.borrow().clone()
    }

    /// The segments of one direction.
    pub fn sent(&self, way: Way) -> Vec<Segment> {
        self.0.borrow().iter().filter(|segment| segment.way == way).cloned().collect()
    }
}

impl Tap for Tape {
    fn note(&mut self, tapped: &Tapped<'_>) {
        if tapped.fate == Fate::Offered
            && let Some(segment) = read(tapped)
        {
            self.0.borrow_mut().push(segment);
        }
    }
}

fn read(tapped: &Tapped<'_>) -> Option<Segment> {
    const TCP: u8 = 6;
    let packet = tapped.packet;
    let ip = IpHeader::parse(packet, packet.len()).ok().filter(|ip| ip.protocol == TCP)?;
    let segment = packet.get(ip.header_len..)?;
    let (tcp, header_len) = TcpHeader::parse(segment).ok()?;
    Some(Segment {
        at: tapped.at,
        way: tapped.way,
        ports: (tcp.src_port, tcp.dst_port),
        seq: tcp.seq,
        ack: tcp.ack,
        flags: tcp.flags,
        window: tcp.window,
        len: segment.len() - header_len,
        options: tcp.options,
    })
}
