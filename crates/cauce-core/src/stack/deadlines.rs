//! When the stack has to be called next, and for whom.
//!
//! Holds one deadline for each [`Owner`]: the earliest of whatever that owner waits for. Deadlines are exact
//! nanoseconds, never early, and equal ones fall due in an order that depends on their owners only. It never
//! knows what a deadline is for; the owner does.
//!
//! An indexed four-ary heap: setting a deadline later, which every acknowledgement does, moves its entry a
//! few places at most, because three quarters of the entries of such a heap are leaves. An owner costs 16
//! bytes in the heap and 4 in the index.

use super::entity::{Owner, Packed};
use crate::time::Instant;
use alloc::vec::Vec;

const ARITY: usize = 4;
const ABSENT: u32 = u32::MAX;

type Entry = (Instant, Packed);

/// The deadlines of one stack.
///
/// ```
/// use cauce_core::stack::deadlines::Deadlines;
/// use cauce_core::stack::entity::Owner;
/// use cauce_core::time::Instant;
/// let mut deadlines = Deadlines::default();
/// deadlines.set(Owner::TimeWait(3), Instant::from_secs(60));
/// deadlines.set(Owner::HalfOpen(0), Instant::from_secs(1));
/// assert_eq!(deadlines.next(), Some((Instant::from_secs(1), Owner::HalfOpen(0))));
/// assert_eq!(deadlines.pop_due(Instant::from_millis(999)), None);
/// assert_eq!(deadlines.pop_due(Instant::from_secs(1)), Some((Instant::from_secs(1), Owner::HalfOpen(0))));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Deadlines {
    heap: Vec<Entry>,
    /// Where the entry of each owner stands in the heap, by kind and index.
    places: [Vec<u32>; 4],
}

impl Deadlines {
    /// Sets the owner's deadline, replacing the one it has. [`Instant::NEVER`] removes it.
    pub fn set(&mut self, owner: Owner, at: Instant) {
        if at == Instant::NEVER {
            self.remove(owner);
            return;
        }
        let packed = Packed::from(owner);
        match self.place(packed) {
            Some(place) => {
                let before = core::mem::replace(&mut self.heap[place], (at, packed));
                if (at, packed) < before {
                    self.rise(place);
                } else {
                    self.sink(place);
                }
            }
            None => {
                self.heap.push((at, packed));
                self.rise(self.heap.len() - 1);
            }
        }
    }

    /// Removes the owner's deadline. True if it had one.
    pub fn remove(&mut self, owner: Owner) -> bool {
        let packed = Packed::from(owner);
        match self.place(packed) {
            // A later socket in the same slot keeps what it has set.
            Some(place) if self.heap[place].1 == packed => {
                self.take(place);
                true
            }
            _ => false,
        }
    }

    /// The owner's deadline.
    pub fn get(&self, owner: Owner) -> Option<Instant> {
        let packed = Packed::from(owner);
        let (at, found) = self.heap[self.place(packed)?];
        (found == packed).then_some(at)
    }

    /// The earliest deadline: the true minimum, always.
    pub fn next(&self) -> Option<(Instant, Owner)> {
        self.heap.first().map(|(at, packed)| (*at, packed.owner()))
    }

    /// Takes the earliest deadline out, if it is due at `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<(Instant, Owner)> {
        let (at, _) = *self.heap.first()?;
        (at <= now).then(|| {
            let (at, packed) = self.take(0);
            (at, packed.owner())
        })
    }

    /// How many owners wait.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// True when nobody waits for anything.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Everybody who waits, in no useful order.
    pub fn iter(&self) -> impl Iterator<Item = (Instant, Owner)> + '_ {
        self.heap.iter().map(|(at, packed)| (*at, packed.owner()))
    }

    fn place(&self, packed: Packed) -> Option<usize> {
        let place = *self.places[packed.kind()].get(packed.index() as usize)?;
        (place != ABSENT).then_some(place as usize)
    }

    fn put(&mut self, place: usize, entry: Entry) {
        let places = &mut self.places[entry.1.kind()];
        let index = entry.1.index() as usize;
        if index >= places.len() {
            places.resize(index + 1, ABSENT);
        }
        places[index] = place as u32;
        self.heap[place] = entry;
    }

    fn take(&mut self, place: usize) -> Entry {
        let taken = self.heap.swap_remove(place);
        self.places[taken.1.kind()][taken.1.index() as usize] = ABSENT;
        if place < self.heap.len() {
            // The entry that fills the gap came from the end: it may belong above or below.
            self.sink(place);
            self.rise(place);
        }
        taken
    }

    fn rise(&mut self, mut place: usize) {
        let entry = self.heap[place];
        while place > 0 {
            let parent = (place - 1) / ARITY;
            if self.heap[parent] <= entry {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, entry);
    }

    fn sink(&mut self, mut place: usize) {
        let entry = self.heap[place];
        loop {
            let first = place * ARITY + 1;
            let children = first..(first + ARITY).min(self.heap.len());
            let Some(least) = children.min_by_key(|child| self.heap[*child]) else { break };
            if entry <= self.heap[least] {
                break;
            }
            self.put(place, self.heap[least]);
            place = least;
        }
        self.put(place, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::super::entity::StackTimer;
    use super::*;
    use crate::socket::SocketId;
    use proptest::prelude::*;
    use slotmap::SlotMap;
    use std::collections::BTreeSet;

    #[test]
    fn never_early_and_ties_in_owner_order() {
        let mut deadlines = Deadlines::default();
        let at = Instant::from_nanos(1_000_001);
        for index in [5, 1, 3] {
            deadlines.set(Owner::TimeWait(index), at);
        }
        deadlines.set(Owner::Stack(StackTimer::Neighbours), at);
        assert_eq!(deadlines.pop_due(Instant::from_nanos(1_000_000)), None);
        let order: Vec<_> = core::iter::from_fn(|| deadlines.pop_due(at)).map(|(_, owner)| owner).collect();
        let waits = [1, 3, 5].map(Owner::TimeWait);
        assert_eq!(order[..3], waits);
        assert_eq!(order[3], Owner::Stack(StackTimer::Neighbours));
        assert!(deadlines.is_empty());
    }

    #[test]
    fn a_stale_socket_does_not_cancel_its_successor() {
        let mut sockets: SlotMap<SocketId, ()> = SlotMap::with_key();
        let old = sockets.insert(());
        sockets.remove(old);
        let new = sockets.insert(());
        let mut deadlines = Deadlines::default();
        deadlines.set(Owner::Socket(new), Instant::from_secs(1));
        assert!(!deadlines.remove(Owner::Socket(old)));
        assert_eq!(deadlines.get(Owner::Socket(old)), None);
        assert_eq!(deadlines.next(), Some((Instant::from_secs(1), Owner::Socket(new))));
        deadlines.set(Owner::Socket(new), Instant::NEVER);
        assert!(deadlines.is_empty());
    }

    #[test]
    fn a_hundred_thousand_owners_cost_at_most_24_bytes_each() {
        let mut deadlines = Deadlines::default();
        (0..100_000u32)
            .for_each(|n| deadlines.set(Owner::TimeWait(n), Instant::from_nanos(u64::from(n ^ 0x5555))));
        assert_eq!(size_of::<Entry>() + size_of::<u32>(), 20);
        let mut last = Instant::ZERO;
        while let Some((at, _)) = deadlines.pop_due(Instant::from_secs(1)) {
            assert!(at >= last);
            last = at;
        }
    }

    proptest! {
        /// Against a sorted set: the same minimum after every operation, and the same order of expiry.
        #[test]
        fn behaves_like_a_sorted_set(
            operations in prop::collection::vec((0u8..8, 0u32..40, 0u64..1_000), 1..400)
        ) {
            let mut deadlines = Deadlines::default();
            let mut model: BTreeSet<(Instant, Packed)> = BTreeSet::new();
            for (operation, index, nanos) in operations {
                let owner = if index % 2 == 0 { Owner::HalfOpen(index) } else { Owner::TimeWait(index) };
                let at = Instant::from_nanos(nanos);
                let known = model.iter().find(|(_, packed)| packed.owner() == owner).copied();
                match operation {
                    0 => {
                        prop_assert_eq!(deadlines.remove(owner), known.is_some());
                        known.map(|entry| model.remove(&entry));
                    }
                    1 => while let Some((when, due)) = deadlines.pop_due(at) {
                        prop_assert!(when <= at);
                        prop_assert_eq!(model.pop_first(), Some((when, due.into())));
                    },
                    _ => {
                        known.map(|entry| model.remove(&entry));
                        model.insert((at, owner.into()));
                        deadlines.set(owner, at);
                        prop_assert_eq!(deadlines.get(owner), Some(at));
                    }
                }
                prop_assert_eq!(deadlines.next(), model.first().map(|(at, packed)| (*at, packed.owner())));
                prop_assert_eq!(deadlines.len(), model.len());
            }
        }
    }
}
