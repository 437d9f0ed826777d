//! Compact records in one vector, named by a `u32` that is used again.

use alloc::vec::Vec;

/// A vector with holes. An index is handed out again as soon as its record is gone, so whoever keeps one (the
/// flow table, the deadlines) must forget it when the record goes.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    entries: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { entries: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    pub(crate) fn insert(&mut self, record: T) -> u32 {
        match self.free.pop() {
            Some(index) => {
                self.entries[index as usize] = Some(record);
                index
            }
            None => {
                self.entries.push(Some(record));
                (self.entries.len() - 1) as u32
            }
        }
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<T> {
        let record = self.entries.get_mut(index as usize)?.take()?;
        self.free.push(index);
        if self.free.len() == self.entries.len() {
            // Empty: give the memory of a flood back.
            *self = Slab::default();
        }
        Some(record)
    }

    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        self.entries.get(index as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.entries.get_mut(index as usize)?.as_mut()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.entries.iter().enumerate().filter_map(|(index, entry)| Some((index as u32, entry.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_used_again_and_memory_goes_back() {
        let mut slab = Slab::default();
        let indices: Vec<u32> = (0..10).map(|n| slab.insert(n)).collect();
        assert_eq!(slab.remove(indices[4]), Some(4));
        assert_eq!(slab.remove(indices[4]), None);
        assert_eq!(slab.get(4), None);
        assert_eq!(slab.insert(40), 4);
        *slab.get_mut(4).unwrap() += 4;
        assert_eq!(slab.iter().map(|(_, n)| *n).sum::<i32>(), 45 - 4 + 44);
        indices.iter().for_each(|index| assert!(slab.remove(*index).is_some()));
        assert_eq!((slab.len(), slab.entries.capacity()), (0, 0));
    }
}
