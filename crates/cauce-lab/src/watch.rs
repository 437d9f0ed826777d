//! What can be seen on the wire alone: crossing SYNs and crossing FINs.
//!
//! No counter tells of a simultaneous open or close, so a tap watches for it: both ends have sent their SYN
//! (FIN) before either has received the other's.

use crate::world::{Fate, Tap, Tapped, Way};
use cauce_core::addr::FlowKey;
use cauce_wire::{Flags, IpHeader, TcpHeader};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;

/// A tap that notices simultaneous opens and closes. Clones share what they have seen.
#[derive(Clone, Debug, Default)]
pub struct Watch(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    flows: BTreeMap<FlowKey, Crossing>,
    opens: u64,
    closes: u64,
}

#[derive(Debug, Default)]
struct Crossing {
    syn: Exchange,
    fin: Exchange,
}

/// Who has sent and who has received one kind of control bit.
#[derive(Debug, Default)]
struct Exchange {
    sent: [bool; 2],
    received: [bool; 2],
}

impl Exchange {
    /// Takes note; true when this event makes the exchange a crossing one.
    fn note(&mut self, from: usize, arrived: bool) -> bool {
        if arrived {
            self.received[1 - from] = true;
            return false;
        }
        let first = !self.sent[from];
        self.sent[from] = true;
        first && self.sent[1 - from] && self.received == [false; 2]
    }
}

impl Watch {
    /// Has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Connections that both ends opened at once.
    pub fn simultaneous_opens(&self) -> u64 {
        self.0.borrow().opens
    }

    /// Connections that both ends closed at once.
    pub fn simultaneous_closes(&self) -> u64 {
        self.0.borrow().closes
    }
}

impl Tap for Watch {
    fn note(&mut self, tapped: &Tapped<'_>) {
        let arrived = match tapped.fate {
            Fate::Offered => false,
            Fate::Arrived => true,
            Fate::Dropped(_) => return,
        };
        let Some((flow, flags)) = control_bits(tapped) else { return };
        let from = tapped.way as usize;
        let state = &mut *self.0.borrow_mut();
        let crossing = state.flows.entry(flow).or_default();
        // A SYN,ACK answers a SYN; only bare SYNs can cross.
        if flags.contains(Flags::SYN) && !flags.contains(Flags::ACK) {
            state.opens += u64::from(crossing.syn.note(from, arrived));
        }
        if flags.contains(Flags::FIN) {
            state.closes += u64::from(crossing.fin.note(from, arrived));
        }
    }
}

/// The flow, seen from the first host of the link, and the flags of a segment that carries SYN or FIN.
fn control_bits(tapped: &Tapped<'_>) -> Option<(FlowKey, Flags)> {
    let packet = tapped.packet;
    let ip = IpHeader::parse(packet, packet.len()).ok().filter(|ip| ip.protocol == 6)?;
    let segment = packet.get(ip.header_len..)?;
    const SYN_OR_FIN: u8 = 0x03;
    if segment.get(13)? & SYN_OR_FIN == 0 {
        return None;
    }
    let (tcp, _) = TcpHeader::parse(segment).ok()?;
    let (src, dst) = (SocketAddr::new(ip.src, tcp.src_port), SocketAddr::new(ip.dst, tcp.dst_port));
    let flow = match tapped.way {
        Way::Forward => FlowKey::new(src, dst),
        Way::Backward => FlowKey::new(dst, src),
    };
    Some((flow, tcp.flags))
}
