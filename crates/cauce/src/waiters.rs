//! Who waits for which socket.
//!
//! As in tokio, a `poll_*` method keeps the waker of the last caller of its direction, while any number of
//! tasks may wait in the asynchronous methods that take `&self`. A socket that nobody waits for costs
//! nothing.

use cauce_core::socket::SocketId;
use cauce_core::socket::call::CallId;
use cauce_core::socket::readiness::Readiness;
use cauce_core::stack::Stack;
use slotmap::SparseSecondaryMap;
use smallvec::SmallVec;
use std::hash::{BuildHasherDefault, Hasher};
use std::task::Waker;

/// Wakers to be woken once no lock is held.
pub(crate) type WakeList = SmallVec<[Waker; 8]>;

/// Wakes everybody on the list.
pub(crate) fn wake_all(list: &mut WakeList) {
    list.drain(..).for_each(Waker::wake);
}

/// What a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Something to read, to accept, the end of the stream, an error.
    Read,
    /// Room to write, the end of a handshake, an error.
    Write,
}

impl Direction {
    /// The event bits that end the wait.
    pub(crate) const fn bits(self) -> Readiness {
        match self {
            Direction::Read => READ_BITS,
            Direction::Write => WRITE_BITS,
        }
    }
}

pub(crate) const READ_BITS: Readiness =
    Readiness(Readiness::IN.0 | Readiness::RDHUP.0 | Readiness::HUP.0 | Readiness::ERR.0);
pub(crate) const WRITE_BITS: Readiness = Readiness(Readiness::OUT.0 | Readiness::HUP.0 | Readiness::ERR.0);

#[derive(Debug, Default)]
struct Slot {
    read: Option<Waker>,
    write: Option<Waker>,
    /// Boxed, so that a socket without such waiters pays one pointer.
    #[expect(clippy::box_collection, reason = "three words would be paid by every waiting socket")]
    shared: Option<Box<Vec<Shared>>>,
}

impl Slot {
    fn is_empty(&self) -> bool {
        self.read.is_none() && self.write.is_none() && self.shared.is_none()
    }
}

#[derive(Debug)]
struct Shared {
    ticket: u32,
    bits: Readiness,
    waker: Waker,
}

/// Spreads the indexes of sockets, which are small numbers that no peer chooses.
#[derive(Default)]
struct IndexHasher(u64);

impl Hasher for IndexHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u32(byte.into()));
    }

    fn write_u32(&mut self, index: u32) {
        // Fibonacci hashing: the table looks at the highest and at the lowest bits.
        let product = (self.0 ^ u64::from(index)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ product >> 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The wakers of all sockets of a stack.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    /// Only of sockets that somebody waits for.
    slots: SparseSecondaryMap<SocketId, Slot, BuildHasherDefault<IndexHasher>>,
    /// Of the engine's own waiting calls.
    calls: SparseSecondaryMap<CallId, Waker>,
    next_ticket: u32,
}

impl Waiters {
    fn slot(&mut self, id: SocketId) -> Option<&mut Slot> {
        self.slots.entry(id).map(|entry| entry.or_default())
    }

    /// The next event of this direction wakes `waker`, and no longer the waker that was set before.
    pub(crate) fn set(&mut self, id: SocketId, direction: Direction, waker: &Waker) {
        let Some(slot) = self.slot(id) else { return };
        let place = match direction {
            Direction::Read => &mut slot.read,
            Direction::Write => &mut slot.write,
        };
        match place {
            Some(known) => known.clone_from(waker),
            None => *place = Some(waker.clone()),
        }
    }

    /// Adds one more waiter, or renews it: `ticket` is its own.
    pub(crate) fn join(&mut self, id: SocketId, ticket: &mut Option<u32>, bits: Readiness, waker: &Waker) {
        let fresh = self.next_ticket;
        let Some(slot) = self.slot(id) else { return };
        let shared = slot.shared.get_or_insert_default();
        if let Some(known) = shared.iter_mut().find(|waiter| Some(waiter.ticket) == *ticket) {
            known.waker.clone_from(waker);
            known.bits = bits;
            return;
        }
        shared.push(Shared { ticket: fresh, bits, waker: waker.clone() });
        *ticket = Some(fresh);
        self.next_ticket = fresh.wrapping_add(1);
    }

    /// The waiter has given up.
    pub(crate) fn leave(&mut self, id: SocketId, ticket: u32) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        if let Some(shared) = &mut slot.shared {
            shared.retain(|waiter| waiter.ticket != ticket);
            if shared.is_empty() {
                slot.shared = None;
            }
        }
        self.drop_if_empty(id);
    }

    fn drop_if_empty(&mut self, id: SocketId) {
        if self.slots.get(id).is_some_and(Slot::is_empty) {
            self.slots.remove(id);
        }
    }

    /// Moves the wakers of those who waited for `ready` to `list`.
    fn collect(&mut self, id: SocketId, ready: Readiness, list: &mut WakeList) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        if ready.intersects(READ_BITS) {
            list.extend(slot.read.take());
        }
        if ready.intersects(WRITE_BITS) {
            list.extend(slot.write.take());
        }
        if let Some(shared) = &mut slot.shared {
            list.extend(
                shared.extract_if(.., |waiter| waiter.bits.intersects(ready)).map(|waiter| waiter.waker),
            );
            if shared.is_empty() {
                slot.shared = None;
            }
        }
        self.drop_if_empty(id);
    }

    /// `waker` is to be woken when the call is worth resuming.
    pub(crate) fn await_call(&mut self, call: CallId, waker: &Waker) {
        self.calls.insert(call, waker.clone());
    }

    /// The call has been given up.
    pub(crate) fn leave_call(&mut self, call: CallId) {
        self.calls.remove(call);
    }

    /// Moves the wakers of those for whom the stack has news to `list`.
    pub(crate) fn collect_news(&mut self, stack: &mut Stack, list: &mut WakeList) {
        while let Some((id, news)) = stack.poll_news() {
            // Some news, such as an urgent byte still on its way, make nothing ready.
            let ready = stack.socket(id).readiness();
            self.collect(id, news | ready, list);
        }
        while let Some(call) = stack.poll_call() {
            list.extend(self.calls.remove(call));
        }
    }

    /// Moves every waker to `list`: the stack is going down.
    pub(crate) fn collect_all(&mut self, list: &mut WakeList) {
        list.extend(self.calls.drain().map(|(_, waker)| waker));
        for (_, slot) in self.slots.drain() {
            list.extend(slot.read);
            list.extend(slot.write);
            list.extend(slot.shared.into_iter().flat_map(|shared| *shared).map(|waiter| waiter.waker));
        }
    }

    /// The socket is gone.
    pub(crate) fn forget(&mut self, id: SocketId) {
        self.slots.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slotmap::SlotMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counted() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (count.clone(), count.into())
    }

    #[test]
    fn everybody_who_waits_is_woken_once() {
        let mut ids: SlotMap<SocketId, ()> = SlotMap::with_key();
        let id = ids.insert(());
        let mut waiters = Waiters::default();
        let (read, write, others) = (counted(), counted(), [counted(), counted(), counted()]);
        waiters.set(id, Direction::Read, &read.1);
        waiters.set(id, Direction::Write, &write.1);
        for (_, waker) in &others {
            waiters.join(id, &mut None, READ_BITS, waker);
        }
        let mut list = WakeList::new();
        waiters.collect(id, Readiness::IN, &mut list);
        waiters.collect(id, Readiness::IN, &mut list);
        wake_all(&mut list);
        assert_eq!(read.0.0.load(Ordering::Relaxed), 1);
        assert_eq!(write.0.0.load(Ordering::Relaxed), 0);
        assert!(others.iter().all(|(count, _)| count.0.load(Ordering::Relaxed) == 1));
    }

    #[test]
    fn a_waiter_that_left_is_not_woken_and_costs_nothing() {
        let mut ids: SlotMap<SocketId, ()> = SlotMap::with_key();
        let id = ids.insert(());
        let mut waiters = Waiters::default();
        let (count, waker) = counted();
        let mut ticket = None;
        waiters.join(id, &mut ticket, WRITE_BITS, &waker);
        let first = ticket;
        waiters.join(id, &mut ticket, WRITE_BITS, &waker);
        assert_eq!(first, ticket, "renewed, not added");
        waiters.leave(id, ticket.unwrap());
        assert!(waiters.slots.is_empty());
        let mut list = WakeList::new();
        waiters.collect_all(&mut list);
        assert!(list.is_empty());
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        assert!(std::mem::size_of::<Slot>() <= 40, "a waiting socket pays for its slot");
    }

    #[test]
    fn the_last_poller_of_a_direction_replaces_the_one_before() {
        let mut ids: SlotMap<SocketId, ()> = SlotMap::with_key();
        let id = ids.insert(());
        let mut waiters = Waiters::default();
        let (old, new) = (counted(), counted());
        waiters.set(id, Direction::Read, &old.1);
        waiters.set(id, Direction::Read, &new.1);
        let mut list = WakeList::new();
        waiters.collect(id, Readiness::HUP, &mut list);
        wake_all(&mut list);
        assert_eq!((old.0.0.load(Ordering::Relaxed), new.0.0.load(Ordering::Relaxed)), (0, 1));
    }
}
