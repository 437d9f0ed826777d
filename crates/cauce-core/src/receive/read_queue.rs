//! What has arrived in order and waits for the user.
//!
//! Decides how bytes are kept (shared with their frame, or copied into dense chunks) and hands them out, each
//! once. It knows neither sequence numbers nor windows, and it charges nobody: it reports what its content
//! costs and what a read has freed.

use super::chunk::{Chunk, Payload};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use bytes::Bytes;

/// The queue between reassembly and the user.
///
/// The first chunk lies in the struct itself, so that a message which is read before the next one arrives
/// needs no allocation; the others' list is freed when the queue is drained.
#[derive(Debug, Default)]
pub(super) struct ReadQueue {
    first: Option<Chunk>,
    #[expect(clippy::box_collection, reason = "every connection pays for its size, few use it")]
    rest: Option<Box<VecDeque<Chunk>>>,
    len: usize,
}

/// What a read has taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// Bytes.
    pub bytes: usize,
    /// Cost of the chunks that are gone.
    pub freed: u32,
}

impl ReadQueue {
    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// True when `len` more bytes find room behind the last payload.
    pub fn has_room(&self, len: usize) -> bool {
        let last = self.rest.as_ref().map_or(self.first.as_ref(), |rest| rest.back());
        last.is_some_and(|last| last.has_room(len))
    }

    /// Appends a payload of `len` bytes, `len` > 0. Returns by how much the queue's cost has grown, and
    /// whether the payload found room behind the one before it.
    pub fn push(&mut self, mut payload: Payload, len: usize) -> (u32, bool) {
        self.len += len;
        let last = match &mut self.rest {
            Some(rest) => rest.back_mut(),
            None => self.first.as_mut(),
        };
        let (sparse, follows_dense) =
            (payload.is_sparse(len), last.as_ref().is_some_and(|last| last.is_dense()));
        let mut cost = payload.truesize;
        if let Some(last) = last
            && let Some(left) = last.lend(len)
        {
            if sparse && follows_dense {
                last.append(&payload, left);
                return (0, true);
            }
            (cost, payload.spare) = (0, left);
        }
        if !sparse {
            payload.into_chunks(len, cost).for_each(|chunk| self.link(chunk));
        } else {
            // After a small segment that was alone, others may follow that fit behind this one.
            let room = if follows_dense { len + usize::from(payload.spare) } else { 0 };
            let chunk = payload.into_dense(len, cost, room);
            self.link(chunk);
        }
        (cost, cost == 0)
    }

    /// Appends a chunk that reassembly has kept.
    pub fn push_chunk(&mut self, chunk: Chunk) {
        self.len += chunk.len();
        self.link(chunk);
    }

    fn link(&mut self, chunk: Chunk) {
        if self.first.is_none() {
            self.first = Some(chunk);
            return;
        }
        self.rest.get_or_insert_with(|| Box::new(VecDeque::with_capacity(16))).push_back(chunk);
    }

    /// Shows up to `max` bytes to `sink`, part by part; it answers how many it took, and fewer than shown ends
    /// the read. What it took is gone.
    pub fn read(&mut self, max: usize, sink: &mut dyn FnMut(&[u8]) -> usize) -> Taken {
        let mut taken = Taken::default();
        while let Some(chunk) = &mut self.first {
            let part = &chunk.as_slice()[..chunk.len().min(max - taken.bytes)];
            if part.is_empty() {
                break;
            }
            let (shown, took) = (part.len(), sink(part).min(part.len()));
            taken.bytes += took;
            self.len -= took;
            if took == chunk.len() {
                taken.freed += chunk.cost();
                self.next_chunk();
            } else {
                chunk.advance(took);
            }
            if took < shown {
                break;
            }
        }
        taken
    }

    /// Takes the first bytes out without a copy: what lies in one piece, up to `max` bytes. `None` when
    /// there is nothing, or `max` is 0.
    pub fn read_bytes(&mut self, max: usize) -> Option<(Bytes, u32)> {
        let chunk = self.first.as_mut()?;
        if max == 0 {
            return None;
        }
        if max < chunk.len() {
            self.len -= max;
            return Some((chunk.split_to(max), 0));
        }
        let chunk = self.first.take()?;
        self.len -= chunk.len();
        self.next_chunk();
        let cost = chunk.cost();
        Some((chunk.into_bytes(), cost))
    }

    /// Shows up to `max` bytes from `skip` on to `sink` and keeps them. Returns how many it took.
    pub fn peek(&self, skip: usize, max: usize, sink: &mut dyn FnMut(&[u8]) -> usize) -> usize {
        let (mut skip, mut seen) = (skip, 0);
        for chunk in self.first.iter().chain(self.rest.iter().flat_map(|rest| rest.iter())) {
            let part = chunk.as_slice();
            let from = skip.min(part.len());
            skip -= from;
            let part = &part[from..];
            let part = &part[..part.len().min(max - seen)];
            if part.is_empty() {
                continue;
            }
            let took = sink(part).min(part.len());
            seen += took;
            if took < part.len() || seen == max {
                break;
            }
        }
        seen
    }

    fn next_chunk(&mut self) {
        let Some(rest) = &mut self.rest else {
            self.first = None;
            return;
        };
        self.first = rest.pop_front();
        if self.first.is_none() {
            self.rest = None;
        }
    }
}

/// Copies parts into a buffer, one after the other: the sink of a plain read.
pub(super) fn copy_into(buffer: &mut [u8]) -> impl FnMut(&[u8]) -> usize {
    let mut rest = buffer;
    move |part: &[u8]| {
        let count = part.len().min(rest.len());
        let (here, after) = core::mem::take(&mut rest).split_at_mut(count);
        here.copy_from_slice(&part[..count]);
        rest = after;
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn shared(bytes: &'static [u8]) -> Payload {
        Payload { head: Bytes::from_static(bytes), truesize: bytes.len() as u32, ..Payload::default() }
    }

    fn read_all(queue: &mut ReadQueue, step: usize) -> (Vec<u8>, u32) {
        let (mut all, mut freed) = (Vec::new(), 0);
        while !queue.is_empty() {
            let mut buffer = vec![0; step];
            let taken = queue.read(step, &mut copy_into(&mut buffer));
            all.extend_from_slice(&buffer[..taken.bytes]);
            freed += taken.freed;
        }
        (all, freed)
    }

    #[test]
    fn reads_of_any_size_give_the_stream_and_free_everything() {
        for step in 1..=13 {
            let mut queue = ReadQueue::default();
            let mut cost = 0;
            for part in [&b"abcd"[..], b"efg", b"h"] {
                cost += queue.push(shared(part), part.len()).0;
            }
            let pieces = Payload {
                head: Bytes::from_static(b"ij"),
                rest: vec![b"kl"[..].into()],
                truesize: 5,
                spare: 0,
            };
            cost += queue.push(pieces, 4).0;
            let (all, freed) = read_all(&mut queue, step);
            assert_eq!((all.as_slice(), freed), (&b"abcdefghijkl"[..], cost));
            assert!(queue.rest.is_none());
        }
    }

    #[test]
    fn sparse_payloads_are_copied_together() {
        let mut queue = ReadQueue::default();
        let sparse = || Payload {
            head: Bytes::from_static(b"xyz"),
            truesize: 2304,
            spare: 1600,
            ..Payload::default()
        };
        let (mut cost, merged) = queue.push(sparse(), 3);
        assert!(!merged);
        for _ in 0..10_000 {
            cost += queue.push(sparse(), 3).0;
        }
        assert!(cost < 45_000, "{cost}");
        let (all, freed) = read_all(&mut queue, 1000);
        assert_eq!((all.len(), freed), (30_003, cost));
    }

    /// a peek leaves the data, and repeated peeks agree.
    #[test]
    fn a13_peek_leaves_the_data() {
        let mut queue = ReadQueue::default();
        queue.push(shared(b"012"), 3);
        queue.push(shared(b"3456"), 4);
        for _ in 0..2 {
            let mut buffer = [0; 4];
            assert_eq!(queue.peek(0, 4, &mut copy_into(&mut buffer)), 4);
            assert_eq!(&buffer, b"0123");
        }
        let mut buffer = [0; 9];
        assert_eq!(queue.peek(2, 9, &mut copy_into(&mut buffer)), 5);
        assert_eq!(&buffer[..5], b"23456");
        assert_eq!(queue.len(), 7);
    }

    #[test]
    fn bytes_are_handed_out_without_a_copy() {
        let mut queue = ReadQueue::default();
        let payload = shared(b"0123456");
        let address = payload.head.as_ptr();
        queue.push(payload, 7);
        assert_eq!(queue.read_bytes(0), None);
        let (first, freed) = queue.read_bytes(3).unwrap();
        assert_eq!((first.as_ptr(), first.len(), freed), (address, 3, 0));
        assert_eq!(queue.read_bytes(100).unwrap(), (Bytes::from_static(b"3456"), 7));
        assert_eq!(queue.read_bytes(100), None);
        assert!(queue.is_empty());
    }

    /// A sink that takes less than it was shown (a fault in the user's buffer) loses nothing.
    #[test]
    fn what_the_sink_does_not_take_stays() {
        let mut queue = ReadQueue::default();
        queue.push(shared(b"abcdef"), 6);
        queue.push(shared(b"gh"), 2);
        assert_eq!(queue.read(8, &mut |part| part.len().min(2)), Taken { bytes: 2, freed: 0 });
        assert_eq!(queue.read(8, &mut |_| 0), Taken::default());
        assert_eq!(read_all(&mut queue, 8).0, b"cdefgh");
    }
}
