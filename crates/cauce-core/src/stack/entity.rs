//! What timers and flow tables point at, and its form in eight bytes.

use crate::socket::SocketId;
use slotmap::{Key, KeyData};

/// What a flow's four-tuple leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowRef {
    /// A whole connection.
    Socket(SocketId),
    /// A compact half-open record, by its index.
    HalfOpen(u32),
    /// A compact TIME-WAIT (or orphaned FIN-WAIT-2) record, by its index.
    TimeWait(u32),
}

/// What a deadline belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A connection: the earliest of its timers, or of its pending calls.
    Socket(SocketId),
    /// The SYN,ACK timer of a half-open record.
    HalfOpen(u32),
    /// The end of a TIME-WAIT or of an orphaned FIN-WAIT-2.
    TimeWait(u32),
    /// A deadline of the stack itself.
    Stack(StackTimer),
}

/// The stack's own deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum StackTimer {
    /// Incomplete datagrams are given up.
    Fragments = 0,
    /// Neighbours are probed again, declared unreachable or forgotten.
    Neighbours = 1,
    /// Learned path MTUs expire.
    PathMtu = 2,
    /// Anything that the embedder of the stack wants to be called for.
    Housekeeping = 3,
}

impl StackTimer {
    const ALL: [StackTimer; 4] =
        [StackTimer::Fragments, StackTimer::Neighbours, StackTimer::PathMtu, StackTimer::Housekeeping];
}

impl From<FlowRef> for Owner {
    fn from(flow: FlowRef) -> Owner {
        match flow {
            FlowRef::Socket(id) => Owner::Socket(id),
            FlowRef::HalfOpen(index) => Owner::HalfOpen(index),
            FlowRef::TimeWait(index) => Owner::TimeWait(index),
        }
    }
}

/// An [`Owner`] or a [`FlowRef`] in eight bytes.
///
/// The version of a live slot-map key is odd, so a packed socket has bit 32 set; everything else has it
/// clear and says in the bits above what its index counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Packed(u64);

const SOCKET: u64 = 1 << 32;
const HALF_OPEN: u64 = 1 << 33;
const TIME_WAIT: u64 = 2 << 33;
const STACK: u64 = 3 << 33;

impl Packed {
    /// The low 32 bits: the index within its kind.
    pub(super) fn index(self) -> u32 {
        self.0 as u32
    }

    /// 0 for sockets, 1 half-open, 2 TIME-WAIT, 3 the stack's own.
    pub(super) fn kind(self) -> usize {
        if self.0 & SOCKET != 0 { 0 } else { ((self.0 >> 33) & 3) as usize }
    }

    pub(super) fn owner(self) -> Owner {
        match self.kind() {
            0 => Owner::Socket(KeyData::from_ffi(self.0).into()),
            1 => Owner::HalfOpen(self.index()),
            2 => Owner::TimeWait(self.index()),
            _ => Owner::Stack(StackTimer::ALL[self.index() as usize % StackTimer::ALL.len()]),
        }
    }

    /// The flow reference that was packed; `None` for a timer of the stack, which no flow leads to.
    pub(super) fn flow(self) -> Option<FlowRef> {
        match self.owner() {
            Owner::Socket(id) => Some(FlowRef::Socket(id)),
            Owner::HalfOpen(index) => Some(FlowRef::HalfOpen(index)),
            Owner::TimeWait(index) => Some(FlowRef::TimeWait(index)),
            Owner::Stack(_) => None,
        }
    }
}

impl From<Owner> for Packed {
    fn from(owner: Owner) -> Packed {
        Packed(match owner {
            Owner::Socket(id) => id.data().as_ffi(),
            Owner::HalfOpen(index) => HALF_OPEN | u64::from(index),
            Owner::TimeWait(index) => TIME_WAIT | u64::from(index),
            Owner::Stack(timer) => STACK | timer as u64,
        })
    }
}

impl From<FlowRef> for Packed {
    fn from(flow: FlowRef) -> Packed {
        Owner::from(flow).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slotmap::SlotMap;
    use std::vec::Vec;

    #[test]
    fn packing_is_lossless_and_small() {
        let mut sockets: SlotMap<SocketId, ()> = SlotMap::with_key();
        let mut ids: Vec<SocketId> = Vec::new();
        for round in 0..50 {
            ids.push(sockets.insert(()));
            if round % 3 == 0 {
                sockets.remove(ids[round / 2]);
            }
        }
        for id in ids {
            assert_eq!(Packed::from(Owner::Socket(id)).owner(), Owner::Socket(id));
            assert_eq!(Packed::from(FlowRef::Socket(id)).flow(), Some(FlowRef::Socket(id)));
        }
        for index in [0, 1, 77, u32::MAX] {
            for owner in [Owner::HalfOpen(index), Owner::TimeWait(index)] {
                assert_eq!(Packed::from(owner).owner(), owner);
            }
        }
        for timer in StackTimer::ALL {
            assert_eq!(Packed::from(Owner::Stack(timer)).owner(), Owner::Stack(timer));
        }
        assert!(size_of::<FlowRef>() <= 12 && size_of::<Owner>() <= 12 && size_of::<Packed>() == 8);
    }
}
