//! The bytes that a user has handed over and the peer has not acknowledged.
//!
//! Bytes are copied once from the user into counted chunks (or taken over whole, [`WriteQueue::append_bytes`])
//! and stay there until they are acknowledged; what is sent shares the chunks. This room knows offsets, not
//! windows: whether anything may leave is decided in `output`.

use crate::batch::MAX_SLICES;
use alloc::collections::VecDeque;
use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

/// Size of a chunk that user bytes are copied into once a socket sends in bulk.
const CHUNK: usize = 64 * 1024;
/// Size of the first chunk of a quiet socket.
const SMALL_CHUNK: usize = 2 * 1024;

/// Stream bytes from the first unacknowledged one to the last one written.
#[derive(Debug)]
pub struct WriteQueue {
    /// Frozen chunks with the offset of their first byte, contiguous and in order.
    chunks: VecDeque<(u64, Bytes)>,
    /// Room behind the last chunk, and the bytes written into it that are not frozen yet.
    tail: BytesMut,
    /// Offset of the first byte kept.
    start: u64,
    /// Offset just past the last byte written.
    end: u64,
    /// Ends of writes that left in segments of their own, for PSH (P-048), oldest first.
    pushes: VecDeque<u64>,
    /// End of the newest write.
    push_at: u64,
}

impl WriteQueue {
    /// An empty queue whose first byte will have the offset `start`.
    pub fn new(start: u64) -> Self {
        WriteQueue {
            chunks: VecDeque::new(),
            tail: BytesMut::new(),
            start,
            end: start,
            pushes: VecDeque::new(),
            push_at: start,
        }
    }

    /// Offset of the first byte kept.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Offset just past the last byte written.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Bytes kept.
    pub fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// True when everything written is acknowledged.
    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }

    /// Copies `data` behind the last byte.
    pub fn append(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.tail.capacity() == self.tail.len() {
                self.freeze_tail();
                let size = if self.is_empty() && data.len() <= SMALL_CHUNK { SMALL_CHUNK } else { CHUNK };
                self.tail = BytesMut::with_capacity(size);
            }
            let room = (self.tail.capacity() - self.tail.len()).min(data.len());
            self.tail.extend_from_slice(&data[..room]);
            self.end += room as u64;
            data = &data[room..];
        }
    }

    /// Takes `data` over without a copy.
    pub fn append_bytes(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        self.freeze_tail();
        let at = self.end;
        self.end += data.len() as u64;
        self.chunks.push_back((at, data));
    }

    /// Marks the end of a write: the segment that ends here carries PSH.
    pub fn push(&mut self) {
        self.push_at = self.end;
    }

    /// The end of the newest write that asked for a push.
    pub fn pushed_to(&self) -> u64 {
        self.push_at
    }

    /// True when a segment ending at `end` carries PSH. `first_time` remembers it for a retransmission.
    pub fn takes_push(&mut self, end: u64, first_time: bool) -> bool {
        if end == self.push_at {
            if first_time && self.pushes.back() != Some(&end) {
                self.pushes.push_back(end);
            }
            return true;
        }
        self.pushes.binary_search(&end).is_ok()
    }

    fn freeze_tail(&mut self) {
        if !self.tail.is_empty() {
            let at = self.end - self.tail.len() as u64;
            let frozen = self.tail.split().freeze();
            self.chunks.push_back((at, frozen));
        }
    }

    /// The bytes from `from`, at most `max` of them and at most [`MAX_SLICES`] slices. Returns the slices
    /// and their total length. Offsets outside the queue give nothing.
    pub fn slices(&mut self, from: u64, max: usize) -> (SmallVec<[Bytes; 2]>, usize) {
        let mut slices = SmallVec::new();
        if from < self.start || from >= self.end || max == 0 {
            return (slices, 0);
        }
        self.freeze_tail();
        let mut index = self.chunk_at(from);
        let (mut at, mut total) = (from, 0);
        while total < max && slices.len() < MAX_SLICES {
            let Some((chunk_at, chunk)) = self.chunks.get(index) else { break };
            let skip = (at - chunk_at) as usize;
            let take = (chunk.len() - skip).min(max - total);
            slices.push(chunk.slice(skip..skip + take));
            total += take;
            at += take as u64;
            index += 1;
        }
        (slices, total)
    }

    fn chunk_at(&self, offset: u64) -> usize {
        // New data lies in the last chunk or two, a retransmission near the front; search covers the rest.
        if let Some((at, _)) = self.chunks.back()
            && *at <= offset
        {
            return self.chunks.len() - 1;
        }
        self.chunks.partition_point(|(at, _)| *at <= offset).saturating_sub(1)
    }

    /// Lets go of everything before `una`. Returns how many bytes that were.
    pub fn release_to(&mut self, una: u64) -> usize {
        let una = una.clamp(self.start, self.end);
        let freed = (una - self.start) as usize;
        if freed == 0 {
            return 0;
        }
        self.start = una;
        while let Some((at, chunk)) = self.chunks.front_mut() {
            let end = *at + chunk.len() as u64;
            if end <= una {
                self.chunks.pop_front();
                continue;
            }
            if *at < una {
                let cut = (una - *at) as usize;
                *chunk = chunk.slice(cut..);
                *at = una;
            }
            break;
        }
        while self.pushes.front().is_some_and(|mark| *mark <= una) {
            self.pushes.pop_front();
        }
        if self.is_empty() {
            self.rest();
        }
        freed
    }

    /// Keeps no memory while nothing waits, but a small room that a talkative socket would ask for again.
    fn rest(&mut self) {
        self.chunks = VecDeque::new();
        self.pushes = VecDeque::new();
        self.tail = BytesMut::new();
    }

    /// Throws everything away.
    pub fn clear(&mut self) {
        self.start = self.end;
        self.rest();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn gather(queue: &mut WriteQueue, from: u64, max: usize) -> Vec<u8> {
        let (slices, total) = queue.slices(from, max);
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        assert_eq!(bytes.len(), total);
        bytes
    }

    proptest! {
        /// A-43, P-058: whatever is appended comes out at its offset until it is released.
        #[test]
        fn keeps_the_stream(ops in proptest::collection::vec((0u8..4, 0usize..5000), 1..60)) {
            let first = (1u64 << 32) + 77;
            let mut queue = WriteQueue::new(first);
            let mut model: Vec<u8> = Vec::new();
            let mut released = 0usize;
            let mut next = 0u8;
            for (op, size) in ops {
                match op {
                    0 | 1 => {
                        let data: Vec<u8> = (0..size).map(|_| { next = next.wrapping_mul(31).wrapping_add(7); next }).collect();
                        model.extend_from_slice(&data);
                        if op == 0 { queue.append(&data) } else { queue.append_bytes(data.into()) }
                    }
                    2 => {
                        let kept = model.len() - released;
                        let cut = if kept == 0 { 0 } else { size % (kept + 1) };
                        prop_assert_eq!(queue.release_to(first + (released + cut) as u64), cut);
                        released += cut;
                    }
                    _ => {
                        let kept = model.len() - released;
                        let from = released + if kept == 0 { 0 } else { size % kept };
                        let got = gather(&mut queue, first + from as u64, 3000);
                        prop_assert!(model[from..].starts_with(&got));
                        prop_assert_eq!(got.is_empty(), kept == 0);
                    }
                }
                prop_assert_eq!(queue.len(), model.len() - released);
            }
        }
    }

    /// P-048: a mark stays with the end of a write for its retransmission.
    #[test]
    fn push_marks_outlive_later_writes() {
        let mut queue = WriteQueue::new(100);
        queue.append(b"one");
        queue.push();
        assert!(queue.takes_push(103, true));
        queue.append(b"two");
        queue.push();
        assert!(queue.takes_push(103, false) && !queue.takes_push(105, true) && queue.takes_push(106, true));
    }
}
