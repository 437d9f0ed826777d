//! Memory of the caller, for the bytes of a read or a write.

use crate::library::Failure;
use cauce_core::socket::call::UserMemory;
use cauce_posix::MOST_PIECES;
use libc::{c_void, iovec};

/// Bytes that a call moves at most (MAX_RW_COUNT).
const MOST: usize = 0x7fff_f000;

/// Pieces of memory that stand for one. A piece that is NULL faults.
///
/// It is used while the call lasts, also from other threads: the caller sleeps meanwhile and leaves the memory
/// alone, as with any blocking call.
pub(super) struct Pieces(Vec<(*mut u8, usize)>);

// SAFETY: the memory belongs to the call, which lasts until its thread has been woken, and only one thread at
// a time, the one with the lock, copies from or to it.
unsafe impl Send for Pieces {}

impl Pieces {
    /// One piece.
    ///
    /// # Safety
    /// A pointer that is not NULL is good for `len` bytes until the call returns.
    pub(super) unsafe fn one(base: *mut c_void, len: usize) -> Pieces {
        Pieces(vec![(base.cast(), len.min(MOST))])
    }

    /// A vector.
    ///
    /// # Errors
    /// `EINVAL` for too many pieces or bytes, `EFAULT` for a vector that is NULL.
    ///
    /// # Safety
    /// A vector that is not NULL has `count` pieces, each as with [`Pieces::one`].
    pub(super) unsafe fn vector(pieces: *const iovec, count: usize) -> Result<Pieces, Failure> {
        if count > MOST_PIECES {
            return Err(Failure(libc::EINVAL));
        }
        if pieces.is_null() && count > 0 {
            return Err(Failure(libc::EFAULT));
        }
        let mut room = MOST;
        let mut taken = Vec::with_capacity(count);
        for index in 0..count {
            // SAFETY: as the caller promises.
            let piece = unsafe { pieces.add(index).read_unaligned() };
            if isize::try_from(piece.iov_len).is_err() {
                return Err(Failure(libc::EINVAL));
            }
            let len = piece.iov_len.min(room);
            room -= len;
            taken.push((piece.iov_base.cast(), len));
        }
        Ok(Pieces(taken))
    }

    /// Walks the bytes from `offset` on, at most `want`, piece by piece until one is NULL. Returns how many
    /// there were. `visit` gets the start of each run, its length, and how many came before it.
    fn walk(&self, offset: usize, want: usize, mut visit: impl FnMut(*mut u8, usize, usize)) -> usize {
        let (mut skip, mut done) = (offset, 0);
        for (base, len) in &self.0 {
            if skip >= *len {
                skip -= len;
                continue;
            }
            let run = (len - skip).min(want - done);
            if run == 0 || base.is_null() {
                break;
            }
            visit(base.wrapping_add(skip), run, done);
            (skip, done) = (0, done + run);
        }
        done
    }
}

impl UserMemory for Pieces {
    fn len(&self) -> usize {
        self.0.iter().map(|(_, len)| len).sum()
    }

    fn copy_in(&self, offset: usize, to: &mut [u8]) -> usize {
        self.walk(offset, to.len(), |from, len, at| {
            let to = &mut to[at..at + len];
            // SAFETY: the piece is good for these bytes, as whoever made it promised, and `to` is as long.
            unsafe { std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), len) };
        })
    }

    fn copy_out(&mut self, offset: usize, from: &[u8]) -> usize {
        self.walk(offset, from.len(), |to, len, at| {
            let from = &from[at..at + len];
            // SAFETY: the piece is good for these bytes, as whoever made it promised, and `from` is as long.
            unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, len) };
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_one_memory_until_the_first_hole() {
        let (mut a, mut b) = ([1u8, 2, 3], [4u8, 5]);
        let piece =
            |bytes: &mut [u8]| iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() as _ };
        let hole = |len| iovec { iov_base: std::ptr::null_mut(), iov_len: len };
        let vector = [piece(&mut a), hole(0), piece(&mut b), hole(2)];
        // SAFETY: the pieces are the arrays above, which live on.
        let mut pieces = unsafe { Pieces::vector(vector.as_ptr(), vector.len()) }.unwrap();
        assert_eq!(pieces.len(), 7);
        let mut got = [0; 7];
        assert_eq!(pieces.copy_in(1, &mut got), 4);
        assert_eq!(got[..4], [2, 3, 4, 5]);
        assert_eq!(pieces.copy_in(5, &mut got), 0);
        assert_eq!(pieces.copy_in(7, &mut got), 0);
        assert_eq!(pieces.copy_out(2, &[9, 8]), 2);
        assert_eq!(pieces.copy_out(4, &[7, 6]), 1);
        assert_eq!((a, b), ([1, 2, 9], [8, 7]));
    }

    #[test]
    fn vectors_out_of_range_are_refused() {
        let long = iovec { iov_base: std::ptr::null_mut(), iov_len: usize::MAX };
        // SAFETY: the vectors have as many pieces as is said, and nothing is read through them.
        unsafe {
            assert_eq!(Pieces::vector(&long, 1).err(), Some(Failure(libc::EINVAL)));
            assert_eq!(Pieces::vector(std::ptr::null(), 1025).err(), Some(Failure(libc::EINVAL)));
            assert_eq!(Pieces::vector(std::ptr::null(), 1).err(), Some(Failure(libc::EFAULT)));
            assert_eq!(Pieces::vector(std::ptr::null(), 0).map(|pieces| pieces.len()).ok(), Some(0));
            let huge = [iovec { iov_base: std::ptr::null_mut(), iov_len: isize::MAX as usize }; 3];
            assert_eq!(Pieces::vector(huge.as_ptr(), 3).map(|pieces| pieces.len()).ok(), Some(MOST));
        }
    }
}
