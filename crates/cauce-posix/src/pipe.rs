//! Pipes: a bounded queue of bytes between two descriptions (pipe(7)).
//!
//! What is spliced in stays in its counted buffers; only read() and write() copy.

use bytes::{Buf, Bytes};
use cauce_core::socket::call::UserMemory;
use cauce_core::socket::errno::Errno;
use std::collections::VecDeque;

slotmap::new_key_type! {
    /// Names a pipe of one process.
    pub(crate) struct PipeId;
}

/// A write of at most so many bytes is not torn apart (PIPE_BUF).
const ATOMIC: usize = 4096;
/// Capacity of a fresh pipe, bytes.
const CAPACITY: usize = 65_536;
/// The largest capacity that F_SETPIPE_SZ gives without privilege, bytes.
const LARGEST: usize = 1 << 20;

/// A pipe.
#[derive(Debug)]
pub(crate) struct Pipe {
    bytes: VecDeque<Bytes>,
    len: usize,
    capacity: usize,
    /// The reading and the writing end are open.
    pub(crate) reader: bool,
    pub(crate) writer: bool,
}

impl Pipe {
    /// An empty pipe with both ends open.
    pub(crate) fn new() -> Pipe {
        Pipe { bytes: VecDeque::new(), len: 0, capacity: CAPACITY, reader: true, writer: true }
    }

    /// Bytes in it.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many more fit.
    pub(crate) fn room(&self) -> usize {
        self.capacity.saturating_sub(self.len)
    }

    /// Bytes that fit in all.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// F_SETPIPE_SZ: at least a page, a power of two.
    ///
    /// # Errors
    /// `EINVAL` for a size that is no size, `EPERM` above the limit, `EBUSY` below what is inside.
    pub(crate) fn resize(&mut self, size: i64) -> Result<usize, Errno> {
        let size = usize::try_from(size).ok().filter(|size| *size > 0).ok_or(Errno::EINVAL)?;
        let size = size.clamp(ATOMIC, LARGEST + 1).next_power_of_two();
        if size > LARGEST {
            return Err(Errno::EPERM);
        }
        if size < self.len {
            return Err(Errno::EBUSY);
        }
        self.capacity = size;
        Ok(size)
    }

    /// Puts bytes in. Whoever calls has asked for room.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        if !bytes.is_empty() {
            self.bytes.push_back(bytes);
        }
    }

    /// Takes the next run of bytes, at most `max`.
    pub(crate) fn pop(&mut self, max: usize) -> Bytes {
        let Some(first) = self.bytes.front_mut() else { return Bytes::new() };
        let taken = first.split_to(max.min(first.len()));
        if first.is_empty() {
            self.bytes.pop_front();
        }
        self.len -= taken.len();
        taken
    }

    /// Gives back what [`Pipe::pop`] took and nobody had room for.
    pub(crate) fn unpop(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        if !bytes.is_empty() {
            self.bytes.push_front(bytes);
        }
    }

    /// read(): `None` when it has to wait.
    pub(crate) fn read<M: UserMemory + ?Sized>(&mut self, memory: &mut M) -> Option<Result<usize, Errno>> {
        if memory.is_empty() {
            return Some(Ok(0));
        }
        let mut done = 0;
        while done < memory.len()
            && let Some(first) = self.bytes.front_mut()
        {
            let want = first.len().min(memory.len() - done);
            let got = memory.copy_out(done, &first[..want]);
            first.advance(got);
            if first.is_empty() {
                self.bytes.pop_front();
            }
            (self.len, done) = (self.len - got, done + got);
            if got < want {
                return Some(if done > 0 { Ok(done) } else { Err(Errno::EFAULT) });
            }
        }
        match done {
            0 if self.writer => None,
            _ => Some(Ok(done)),
        }
    }

    /// write(), of which `done` bytes are in already: `None` when it has to wait, with `done` moved on.
    pub(crate) fn write<M: UserMemory + ?Sized>(
        &mut self,
        memory: &M,
        done: &mut usize,
    ) -> Option<Result<usize, Errno>> {
        if !self.reader {
            return Some(if *done > 0 { Ok(*done) } else { Err(Errno::EPIPE) });
        }
        let left = memory.len() - *done;
        let fits = if memory.len() <= ATOMIC && self.room() < left { 0 } else { self.room().min(left) };
        if left > 0 && fits > 0 {
            let mut bytes = vec![0; fits];
            let got = memory.copy_in(*done, &mut bytes);
            bytes.truncate(got);
            self.push(bytes.into());
            *done += got;
            if got < fits {
                return Some(if *done > 0 { Ok(*done) } else { Err(Errno::EFAULT) });
            }
        }
        (*done == memory.len()).then_some(Ok(*done))
    }

    /// What poll(2) says of the reading end.
    pub(crate) fn read_events(&self) -> i16 {
        let data = if self.len > 0 { libc::POLLIN | libc::POLLRDNORM } else { 0 };
        data | if self.writer { 0 } else { libc::POLLHUP }
    }

    /// What poll(2) says of the writing end.
    pub(crate) fn write_events(&self) -> i16 {
        let room = if self.room() >= ATOMIC { libc::POLLOUT | libc::POLLWRNORM } else { 0 };
        room | if self.reader { 0 } else { libc::POLLERR }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in_and_writes_are_whole() {
        let mut pipe = Pipe::new();
        let mut done = 0;
        assert_eq!(pipe.write(&[7u8; 60_000][..], &mut done), Some(Ok(60_000)));
        done = 0;
        let long = [8u8; 10_000];
        assert_eq!(pipe.write(&long[..], &mut done), None);
        assert_eq!(done, 5536);
        let mut first = [0u8; 60_000];
        assert_eq!(pipe.read(&mut first[..]), Some(Ok(60_000)));
        assert!(first.iter().all(|byte| *byte == 7));
        assert_eq!(pipe.write(&long[..], &mut done), Some(Ok(10_000)));
        assert_eq!(pipe.len(), 10_000);
        pipe.writer = false;
        assert_eq!(pipe.read(&mut first[..]), Some(Ok(10_000)));
        assert_eq!(pipe.read(&mut first[..]), Some(Ok(0)));
        pipe.reader = false;
        done = 0;
        assert_eq!(pipe.write(&long[..], &mut done), Some(Err(Errno::EPIPE)));
    }

    #[test]
    fn a_short_write_waits_for_room_for_all_of_it() {
        let mut pipe = Pipe::new();
        pipe.push(vec![0; CAPACITY - 100].into());
        let mut done = 0;
        assert_eq!(pipe.write(&[0u8; 101][..], &mut done), None);
        assert_eq!((done, pipe.write_events(), pipe.read_events() & libc::POLLIN), (0, 0, libc::POLLIN));
        assert_eq!(pipe.resize(1 << 17), Ok(1 << 17));
        assert_eq!(pipe.resize(4096), Err(Errno::EBUSY));
        assert_eq!(pipe.write(&[0u8; 101][..], &mut done), Some(Ok(101)));
    }
}
