//! The descriptor table: numbers to open file descriptions (POSIX.1 2.14; A-51).
//!
//! It decides which number a description gets. It never closes anything: whoever takes the last number away
//! lets go of what it named.

use crate::Fd;
use crate::object::ObjectId;
use cauce_core::socket::errno::Errno;

/// One number in use.
#[derive(Clone, Copy, Debug)]
struct Slot {
    object: ObjectId,
    close_on_exec: bool,
}

/// The descriptors of one process.
#[derive(Clone, Debug)]
pub(crate) struct Descriptors {
    limit: usize,
    slots: Vec<Option<Slot>>,
}

/// Numbers below this one are the standard streams, which are not ours.
const FIRST: usize = 3;

impl Descriptors {
    /// An empty table whose numbers stay below `limit` (RLIMIT_NOFILE).
    pub(crate) fn new(limit: usize) -> Self {
        Descriptors { limit, slots: Vec::new() }
    }

    /// Gives `object` the lowest free number that is at least `least`.
    ///
    /// # Errors
    /// `EMFILE` when all numbers below the limit are taken, `EINVAL` when `least` is none of them.
    pub(crate) fn insert(&mut self, object: ObjectId, least: Fd, close_on_exec: bool) -> Result<Fd, Errno> {
        let least = usize::try_from(least).map_err(|_| Errno::EINVAL)?.max(FIRST);
        if least >= self.limit.max(FIRST + 1) {
            return Err(Errno::EINVAL);
        }
        let free = |index: &usize| self.slots.get(*index).is_none_or(Option::is_none);
        let index = (least - FIRST..).find(free).unwrap_or(self.slots.len());
        self.put(index, object, close_on_exec)
    }

    /// True while a number is free.
    pub(crate) fn has_room(&self) -> bool {
        FIRST + self.slots.len() < self.limit || self.slots.iter().any(Option::is_none)
    }

    /// Lets `fd` name `object`, whatever it named before, which is returned.
    ///
    /// # Errors
    /// `EBADF` for a number that is negative, a standard stream's, or beyond the limit.
    pub(crate) fn replace(
        &mut self,
        fd: Fd,
        object: ObjectId,
        close_on_exec: bool,
    ) -> Result<Option<ObjectId>, Errno> {
        let index = usize::try_from(fd).ok().and_then(|fd| fd.checked_sub(FIRST)).ok_or(Errno::EBADF)?;
        let before = self.slots.get(index).copied().flatten().map(|slot| slot.object);
        self.put(index, object, close_on_exec).map_err(|_| Errno::EBADF)?;
        Ok(before)
    }

    fn put(&mut self, index: usize, object: ObjectId, close_on_exec: bool) -> Result<Fd, Errno> {
        let fd = Fd::try_from(FIRST + index).map_err(|_| Errno::EMFILE)?;
        if FIRST + index >= self.limit {
            return Err(Errno::EMFILE);
        }
        if index >= self.slots.len() {
            self.slots.resize(index + 1, None);
        }
        self.slots[index] = Some(Slot { object, close_on_exec });
        Ok(fd)
    }

    fn slot(&self, fd: Fd) -> Option<&Slot> {
        self.slots.get(usize::try_from(fd).ok()?.checked_sub(FIRST)?)?.as_ref()
    }

    /// What a number names.
    ///
    /// # Errors
    /// `EBADF` for a number that is not open.
    pub(crate) fn get(&self, fd: Fd) -> Result<ObjectId, Errno> {
        self.slot(fd).map(|slot| slot.object).ok_or(Errno::EBADF)
    }

    /// FD_CLOEXEC of a number that is open.
    pub(crate) fn close_on_exec(&self, fd: Fd) -> bool {
        self.slot(fd).is_some_and(|slot| slot.close_on_exec)
    }

    /// Sets or clears FD_CLOEXEC.
    pub(crate) fn set_close_on_exec(&mut self, fd: Fd, on: bool) {
        let index = usize::try_from(fd).ok().and_then(|fd| fd.checked_sub(FIRST));
        if let Some(Some(slot)) = index.and_then(|index| self.slots.get_mut(index)) {
            slot.close_on_exec = on;
        }
    }

    /// Frees a number and returns what it named.
    ///
    /// # Errors
    /// `EBADF` for a number that is not open.
    pub(crate) fn remove(&mut self, fd: Fd) -> Result<ObjectId, Errno> {
        let object = self.get(fd)?;
        self.slots[fd as usize - FIRST] = None;
        while self.slots.last().is_some_and(Option::is_none) {
            self.slots.pop();
        }
        Ok(object)
    }

    /// Every number that is open, in order.
    pub(crate) fn open(&self) -> impl Iterator<Item = Fd> {
        self.slots.iter().enumerate().filter(|(_, slot)| slot.is_some()).map(|(i, _)| (FIRST + i) as Fd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slotmap::SlotMap;

    /// the lowest free number is given out, the limit is EMFILE, and unknown numbers are EBADF.
    #[test]
    fn numbers_are_the_lowest_free_ones() {
        let mut objects: SlotMap<ObjectId, ()> = SlotMap::with_key();
        let [a, b, c] = [(); 3].map(|()| objects.insert(()));
        let mut table = Descriptors::new(6);
        assert_eq!([a, b, c].map(|object| table.insert(object, 0, false)), [Ok(3), Ok(4), Ok(5)]);
        assert_eq!(table.insert(a, 0, false), Err(Errno::EMFILE));
        assert_eq!(table.remove(4), Ok(b));
        assert_eq!(table.insert(c, 4, true), Ok(4));
        assert!(table.close_on_exec(4) && !table.close_on_exec(5));
        assert_eq!(table.replace(4, a, false), Ok(Some(c)));
        assert_eq!(table.open().collect::<Vec<_>>(), [3, 4, 5]);
        for fd in [-1, 0, 2, 6, 99] {
            assert_eq!(table.remove(fd), Err(Errno::EBADF));
        }
        assert_eq!(table.replace(6, a, false), Err(Errno::EBADF));
        assert_eq!(table.insert(a, 9, false), Err(Errno::EINVAL));
    }
}
