//! Descriptors as the tool sees them: numbers that the kernel gave out, each standing for one of the process.
//!
//! An eventfd holds each number, so that nothing else in the program gets it, the lowest free one is given out
//! as POSIX says, and the tool's own close() at the end of a run succeeds. The tool does not tell of that
//! close; it is noticed when the kernel gives the number out again.

use crate::sys::descriptor::Placeholder;
use cauce_posix::Fd;
use std::collections::BTreeMap;

/// A number of the tool.
pub(crate) type Handle = i32;

/// The number that no descriptor has, for handles that are not ours. It is not negative, because poll()
/// passes over negative ones.
pub(crate) const NOBODY: Fd = Fd::MAX;

/// Which descriptor of the process each number stands for.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    table: BTreeMap<Handle, (Placeholder, Fd)>,
}

impl Handles {
    /// The descriptor behind a number; negative numbers stay what they are.
    pub(crate) fn fd(&self, handle: Handle) -> Fd {
        match self.table.get(&handle) {
            Some((_, fd)) => *fd,
            None if handle < 0 => handle,
            None => NOBODY,
        }
    }

    /// True for a number that stands for a descriptor, and that the tool has not closed without a word.
    pub(crate) fn contains(&self, handle: Handle) -> bool {
        self.table.get(&handle).is_some_and(|(placeholder, _)| placeholder.is_there())
    }

    /// Lets the placeholder's number stand for `fd`. Returns what it stood for before: the tool has closed
    /// that without a word.
    pub(crate) fn insert(&mut self, placeholder: Placeholder, fd: Fd) -> Option<Fd> {
        let (before, stale) = self.table.insert(placeholder.number(), (placeholder, fd))?;
        // Its number belongs to the new one.
        before.forget();
        Some(stale)
    }

    /// Frees a number.
    pub(crate) fn remove(&mut self, handle: Handle) {
        self.table.remove(&handle);
    }
}
