//! Receive buffers that are used again.
//!
//! A device reads into chunks of one size. A chunk that is filled well travels on as counted [`Bytes`] and
//! returns to the pool when the last reference goes, wherever that is; a small packet is copied into a
//! buffer of its own size, so that what a frame is charged for is what it holds.

use crate::sys::checksum::Accumulator;
use bytes::Bytes;
use cauce_core::batch::PartialChecksum;
use cauce_core::frame::FRAME_OVERHEAD;
use std::io::IoSliceMut;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a chunk.
pub const CHUNK: usize = 16 * 1024;
/// Chunks that one read is spread over: the largest super-packet and some more.
pub const CHUNKS: usize = 5;

/// A bounded store of free chunks. Clones share it.
#[derive(Clone, Debug)]
pub struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    free: Mutex<Vec<Box<[u8]>>>,
    limit: usize,
}

impl Pool {
    /// A pool that keeps at most `limit` free chunks of [`CHUNK`] bytes. How many are in use is not
    /// bounded here: what holds them is charged for them.
    pub fn new(limit: usize) -> Self {
        Pool(Arc::new(Shared { free: Mutex::new(Vec::new()), limit }))
    }

    /// Free chunks at hand.
    pub fn free(&self) -> usize {
        self.0.lock().len()
    }

    fn take(&self) -> Chunk {
        let storage = self.0.lock().pop().unwrap_or_else(|| vec![0; CHUNK].into_boxed_slice());
        Chunk { storage, len: CHUNK, home: self.0.clone() }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Box<[u8]>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer on loan.
#[derive(Debug)]
struct Chunk {
    storage: Box<[u8]>,
    len: usize,
    home: Arc<Shared>,
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.storage[..self.len]
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let mut free = self.home.lock();
        if free.len() < self.home.limit {
            free.push(std::mem::take(&mut self.storage));
        }
    }
}

/// A row of chunks to scatter one packet into.
#[derive(Debug)]
pub struct Scatter {
    pool: Pool,
    chunks: Vec<Chunk>,
}

/// A packet taken out of a [`Scatter`].
#[derive(Debug)]
pub struct Gathered {
    /// Its first bytes, all headers among them.
    pub head: Bytes,
    /// The rest in order.
    pub frags: Vec<Bytes>,
    /// What it costs, in bytes.
    pub truesize: u32,
}

impl Scatter {
    /// An empty row that takes its chunks from `pool`.
    pub fn new(pool: Pool) -> Self {
        Scatter { pool, chunks: Vec::with_capacity(CHUNKS) }
    }

    /// The whole row, writable, in order.
    pub fn slices(&mut self) -> impl Iterator<Item = IoSliceMut<'_>> {
        while self.chunks.len() < CHUNKS {
            self.chunks.push(self.pool.take());
        }
        self.chunks.iter_mut().map(|chunk| IoSliceMut::new(&mut chunk.storage))
    }

    /// The first chunk, where the headers of the packet just read lie.
    pub fn first(&self) -> &[u8] {
        self.chunks.first().map_or(&[], |chunk| &chunk.storage)
    }

    /// Completes the checksum of the packet of `len` bytes that was just read.
    pub fn complete(&mut self, len: usize, partial: PartialChecksum) {
        let (start, field) =
            (usize::from(partial.start), usize::from(partial.start) + usize::from(partial.offset));
        if start > len.min(CHUNK) || field + 2 > len.min(CHUNK) {
            return;
        }
        let mut total = Accumulator::default();
        let (mut skip, mut left) = (start, len - start);
        for chunk in &self.chunks {
            let part = left.min(CHUNK - skip);
            total.add(&chunk.storage[skip..skip + part]);
            (skip, left) = (0, left - part);
        }
        // UDP says "none" with zero, so that its zero is written as the other one.
        let checksum = if total.finish() == 0 { 0xffff } else { total.finish() };
        if let Some(chunk) = self.chunks.first_mut() {
            chunk.storage[field..field + 2].copy_from_slice(&checksum.to_be_bytes());
        }
    }

    /// Takes the packet of `len` bytes that was just read. Chunks less than half full are copied out of and
    /// stay.
    pub fn take(&mut self, len: usize) -> Gathered {
        let full = (len / CHUNK).min(self.chunks.len());
        let mut rest = len - full * CHUNK;
        let whole = full + usize::from(rest * 2 >= CHUNK && full < self.chunks.len());
        let tail = match self.chunks.get(whole) {
            Some(chunk) if whole == full && rest > 0 => Some(Bytes::copy_from_slice(&chunk.storage[..rest])),
            _ => None,
        };
        let mut truesize = FRAME_OVERHEAD + tail.as_ref().map_or(0, |tail| tail.len() as u32);
        truesize += (whole * CHUNK) as u32;
        if whole == full {
            rest = CHUNK;
        }
        let mut parts = self.chunks.drain(..whole).enumerate().map(|(index, mut chunk)| {
            chunk.len = if index + 1 == whole { rest } else { CHUNK };
            Bytes::from_owner(chunk)
        });
        let Some(head) = parts.next() else {
            return Gathered { head: tail.unwrap_or_default(), frags: Vec::new(), truesize };
        };
        let frags = parts.chain(tail).collect();
        Gathered { head, frags, truesize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(scatter: &mut Scatter, bytes: &[u8]) {
        let mut at = 0;
        for mut slice in scatter.slices() {
            let part = (bytes.len() - at).min(slice.len());
            slice[..part].copy_from_slice(&bytes[at..at + part]);
            at += part;
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_taken_and_at_least_half_of_each_buffer_is_used(len in 1usize..70_000) {
            let pool = Pool::new(8);
            let mut scatter = Scatter::new(pool.clone());
            let bytes: Vec<u8> = (0..len).map(|at| (at * 7 + at / 256) as u8).collect();
            write(&mut scatter, &bytes);
            let packet = scatter.take(len);
            let mut whole = packet.head.to_vec();
            packet.frags.iter().for_each(|part| whole.extend_from_slice(part));
            prop_assert_eq!(whole, bytes);
            prop_assert!(packet.truesize as usize >= len);
            prop_assert!(packet.truesize as usize <= 2 * len + FRAME_OVERHEAD as usize);
            drop((packet, scatter));
            prop_assert_eq!(pool.free(), CHUNKS);
        }
    }

    #[test]
    fn the_pool_keeps_no_more_than_its_limit() {
        let pool = Pool::new(3);
        let held: Vec<_> = (0..4)
            .map(|_| {
                let mut scatter = Scatter::new(pool.clone());
                write(&mut scatter, &[1; 40_000]);
                scatter.take(40_000)
            })
            .collect();
        let other = held[0].head.clone();
        drop(held);
        assert_eq!(pool.free(), 3);
        drop(other);
        assert_eq!(pool.free(), 3);
    }

    #[test]
    fn a_checksum_is_completed_across_chunks() {
        let mut scatter = Scatter::new(Pool::new(8));
        let mut bytes: Vec<u8> = (0..20_001).map(|at| at as u8).collect();
        write(&mut scatter, &bytes);
        scatter.complete(bytes.len(), PartialChecksum { start: 21, offset: 6 });
        let mut total = Accumulator::default();
        total.add(&bytes[21..]);
        bytes[27..29].copy_from_slice(&total.finish().to_be_bytes());
        let packet = scatter.take(bytes.len());
        assert_eq!([&packet.head[..], &packet.frags[0][..]].concat(), bytes);
    }
}
