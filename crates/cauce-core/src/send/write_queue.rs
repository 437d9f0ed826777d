//! The bytes that a user has handed over and the peer has not acknowledged.
//!
//! Bytes are copied once from the user into counted chunks (or taken over whole, [`WriteQueue::append_bytes`])
//! and stay there until they are acknowledged; what is sent shares the chunks. This room knows offsets, not
//! windows: whether anything may leave is decided in `output`.
//!
//! What is not sent yet is divided into pieces, as Linux divides it into buffers: at most a super-segment each, and
//! each with a cost of its own. Pieces decide where a write stops for want of memory (O-30) and where PSH goes
//! (P-048); what leaves together may well be several of them.

use crate::batch::MAX_SLICES;
use alloc::boxed::Box;
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
    /// The bytes, while there are any.
    held: Option<Box<Held>>,
    /// Offset of the first byte kept.
    start: u64,
    /// Offset just past the last byte written.
    end: u64,
    /// The newest end of a piece that was marked with PSH (`pushed_seq`).
    push_at: u64,
}

/// What one buffer costs beside its bytes, as `sk_wmem_queued` counts it.
pub(crate) const PIECE_OVERHEAD: u64 = 832;

/// Unsent bytes that Linux would hold in one buffer, from the end of the piece before.
#[derive(Clone, Copy, Debug)]
struct Piece {
    end: u64,
    push: bool,
}

/// What a queue has only while bytes wait in it.
#[derive(Debug, Default)]
struct Held {
    /// Frozen chunks with the offset of their first byte, contiguous and in order.
    chunks: VecDeque<(u64, Bytes)>,
    /// Room behind the last chunk, and the bytes written into it that are not frozen yet.
    tail: BytesMut,
    /// The unsent bytes, oldest first.
    pieces: VecDeque<Piece>,
    /// What is reckoned to have left up to here, although the stack was not drained since it was written.
    reckoned: u64,
    /// Ends of what left with PSH (P-048), oldest first.
    pushes: VecDeque<u64>,
    /// Ends of records (MSG_EOR), oldest first.
    records: VecDeque<u64>,
}

impl WriteQueue {
    /// An empty queue whose first byte will have the offset `start`.
    pub fn new(start: u64) -> Self {
        WriteQueue { held: None, start, end: start, push_at: start }
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

    /// Bytes in the last unsent piece, 0 when everything is sent. `nxt` is the first unsent offset.
    pub fn last_piece(&self, nxt: u64) -> u64 {
        let Some(held) = &self.held else { return 0 };
        let before = held.pieces.len().checked_sub(2).and_then(|index| held.pieces.get(index));
        self.end - before.map_or(nxt, |piece| piece.end.max(nxt)).min(self.end)
    }

    /// The first offset that is not even reckoned to have left; `nxt` is the first one that really has not.
    pub fn reckoned(&self, nxt: u64) -> u64 {
        self.held.as_ref().map_or(nxt, |held| held.reckoned.max(nxt))
    }

    /// What lies before `offset` would have left by now; 0 ends the reckoning.
    pub fn reckon(&mut self, offset: u64) {
        if let Some(held) = &mut self.held {
            held.reckoned = offset;
        }
    }

    /// Fills the first unsent piece up to `most` bytes from the next one, with its PSH when nothing of that is left,
    /// and returns its length. A piece that is reckoned to have left before there was a next one stays as it is.
    pub fn fill_piece(&mut self, nxt: u64, most: u64) -> u64 {
        let Some(held) = &mut self.held else { return 0 };
        let second = held.pieces.get(1).copied();
        let Some(first) = held.pieces.front_mut() else { return self.end.saturating_sub(nxt) };
        if let Some(second) = second
            && first.end > held.reckoned
            && first.end < nxt + most
        {
            first.end = second.end.min(nxt + most);
            if first.end == second.end {
                first.push |= second.push;
                held.pieces.remove(1);
            }
        }
        held.pieces.front().map_or(0, |first| first.end.saturating_sub(nxt))
    }

    /// How many pieces are unsent.
    pub fn pieces(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.pieces.len())
    }

    /// What is appended next begins a piece of its own.
    pub fn begin_piece(&mut self) {
        let end = self.end;
        self.held.get_or_insert_default().pieces.push_back(Piece { end, push: false });
    }

    /// The last piece ends at `at`, which lies inside it, and the rest of it is another one.
    pub fn split_last_piece(&mut self, at: u64) {
        if let Some(held) = &mut self.held
            && let Some(last) = held.pieces.back_mut().filter(|last| at < last.end)
        {
            let rest = core::mem::replace(last, Piece { end: at, push: false });
            held.pieces.push_back(rest);
        }
    }

    /// Copies `data` behind the last byte, into the last piece.
    pub fn append(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let quiet = self.is_empty() && data.len() <= SMALL_CHUNK;
            let held = self.held.get_or_insert_default();
            if held.tail.capacity() == held.tail.len() {
                held.freeze_tail(self.end);
                held.tail = BytesMut::with_capacity(if quiet { SMALL_CHUNK } else { CHUNK });
            }
            let room = (held.tail.capacity() - held.tail.len()).min(data.len());
            held.tail.extend_from_slice(&data[..room]);
            self.end += room as u64;
            held.grow_piece(self.end);
            data = &data[room..];
        }
    }

    /// Takes `data` over without a copy.
    pub fn append_bytes(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        let held = self.held.get_or_insert_default();
        held.freeze_tail(self.end);
        let at = self.end;
        self.end += data.len() as u64;
        held.grow_piece(self.end);
        held.chunks.push_back((at, data));
    }

    /// The segment that ends with the last piece carries PSH.
    pub fn push(&mut self) {
        if let Some(last) = self.held.as_mut().and_then(|held| held.pieces.back_mut()) {
            last.push = true;
            self.push_at = self.end;
        }
    }

    /// More follows in the last piece: a PSH that it has been given would come too early.
    pub fn take_push_back(&mut self) {
        if let Some(last) = self.held.as_mut().and_then(|held| held.pieces.back_mut()) {
            last.push = false;
        }
    }

    /// Marks the end of a record: no segment carries bytes from before and from after it (MSG_EOR).
    pub fn end_record(&mut self) {
        let end = self.end;
        if let Some(held) = self.held.as_mut().filter(|held| held.records.back() != Some(&end)) {
            held.records.push_back(end);
        }
    }

    /// True when a record ends just before `offset`: what lies on both sides may not be joined.
    pub fn ends_record(&self, offset: u64) -> bool {
        self.held.as_ref().is_some_and(|held| held.records.binary_search(&offset).is_ok())
    }

    /// Where a segment that begins at `from` must end at the latest: the first end of a record after it, or
    /// the last byte written.
    pub fn record_end(&self, from: u64) -> u64 {
        let records = self.held.as_ref().map(|held| &held.records);
        let Some(records) = records.filter(|records| !records.is_empty()) else { return self.end };
        records.get(records.partition_point(|end| *end <= from)).map_or(self.end, |end| *end)
    }

    /// The newest offset that was marked for PSH.
    pub fn pushed_to(&self) -> u64 {
        self.push_at
    }

    /// Everything up to `end` is sent. True when that segment carries PSH, because it finishes a piece that asks for
    /// it; that is remembered for when it is sent again.
    pub fn sent(&mut self, end: u64) -> bool {
        let Some(held) = &mut self.held else { return false };
        let mut push = false;
        while let Some(piece) = held.pieces.front().filter(|piece| piece.end <= end) {
            push |= piece.push;
            held.pieces.pop_front();
        }
        if push && held.pushes.back().is_none_or(|newest| *newest < end) {
            held.pushes.push_back(end);
        }
        push
    }

    /// True when `start..end` carries PSH when it is sent again.
    pub fn was_pushed(&self, start: u64, end: u64) -> bool {
        let Some(held) = &self.held else { return false };
        let first = held.pushes.partition_point(|mark| *mark <= start);
        held.pushes.get(first).is_some_and(|mark| *mark <= end)
    }

    /// The bytes from `from`, at most `max` of them, in at most [`MAX_SLICES`] slices: what lies in more pieces is
    /// copied together behind the others. Returns the slices and their total length. Offsets outside the queue
    /// give nothing.
    pub fn slices(&mut self, from: u64, max: usize) -> (SmallVec<[Bytes; 2]>, usize) {
        let mut slices = SmallVec::new();
        let inside = (self.start..self.end).contains(&from) && max > 0;
        let Some(held) = self.held.as_deref_mut().filter(|_| inside) else { return (slices, 0) };
        held.freeze_tail(self.end);
        let mut index = held.chunk_at(from);
        let (mut at, mut total) = (from, 0);
        let mut rest = BytesMut::new();
        while total < max {
            let Some((chunk_at, chunk)) = held.chunks.get(index) else { break };
            let skip = (at - chunk_at) as usize;
            let take = (chunk.len() - skip).min(max - total);
            if slices.len() < MAX_SLICES - 1 || (rest.is_empty() && total + take == max) {
                slices.push(chunk.slice(skip..skip + take));
            } else {
                rest.extend_from_slice(&chunk[skip..skip + take]);
            }
            total += take;
            at += take as u64;
            index += 1;
        }
        if !rest.is_empty() {
            slices.push(rest.freeze());
        }
        (slices, total)
    }

    /// Lets go of everything before `una`. Returns how many bytes that were.
    pub fn release_to(&mut self, una: u64) -> usize {
        let una = una.clamp(self.start, self.end);
        let freed = (una - self.start) as usize;
        self.start = una;
        if self.is_empty() {
            self.held = None;
        } else if let Some(held) = &mut self.held {
            held.release_to(una);
        }
        freed
    }

    /// Throws everything away.
    pub fn clear(&mut self) {
        self.start = self.end;
        self.held = None;
    }
}

impl Held {
    /// Moves what was written into the room behind the last chunk, which ends at `end`, to the chunks.
    fn freeze_tail(&mut self, end: u64) {
        if !self.tail.is_empty() {
            let at = end - self.tail.len() as u64;
            let frozen = self.tail.split().freeze();
            self.chunks.push_back((at, frozen));
        }
    }

    fn grow_piece(&mut self, end: u64) {
        match self.pieces.back_mut() {
            Some(last) => last.end = end,
            None => self.pieces.push_back(Piece { end, push: false }),
        }
    }

    fn chunk_at(&self, offset: u64) -> usize {
        // New data lies in the last chunk or two, a retransmission near the front; search covers the rest.
        match self.chunks.back() {
            Some((at, _)) if *at <= offset => self.chunks.len() - 1,
            _ => self.chunks.partition_point(|(at, _)| *at <= offset).saturating_sub(1),
        }
    }

    fn release_to(&mut self, una: u64) {
        while let Some((at, chunk)) = self.chunks.front_mut() {
            let end = *at + chunk.len() as u64;
            if end > una {
                if *at < una {
                    *chunk = chunk.split_off((una - *at) as usize);
                    *at = una;
                }
                break;
            }
            self.chunks.pop_front();
        }
        while self.pushes.front().is_some_and(|mark| *mark <= una) {
            self.pushes.pop_front();
        }
        while self.records.front().is_some_and(|mark| *mark <= una) {
            self.records.pop_front();
        }
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

    /// MSG_EOR: ends of records are kept until they are acknowledged, each once.
    #[test]
    fn records_end_where_they_were_marked() {
        let mut queue = WriteQueue::new(100);
        queue.append(b"one");
        queue.end_record();
        queue.end_record();
        queue.append(b"two");
        queue.end_record();
        queue.append(b"rest");
        assert_eq!([100, 102, 103, 106].map(|from| queue.record_end(from)), [103, 103, 106, 110]);
        queue.release_to(103);
        assert_eq!([103, 107].map(|from| queue.record_end(from)), [106, 110]);
    }

    /// P-048: a piece that was filled up from the next one takes its PSH with it to its new end.
    #[test]
    fn a_filled_piece_moves_its_push() {
        let mut queue = WriteQueue::new(0);
        queue.append(b"0123");
        queue.push();
        queue.begin_piece();
        queue.append(b"4567");
        assert_eq!((queue.fill_piece(0, 4), queue.pieces()), (4, 2));
        assert_eq!((queue.fill_piece(0, 6), queue.pieces()), (6, 2));
        assert!(!queue.sent(4) && queue.sent(6));
        assert_eq!((queue.fill_piece(6, 9), queue.pieces()), (2, 1));
    }

    /// However small the writes were, a segment's text is found in full.
    #[test]
    fn many_small_writes_make_one_segment() {
        let mut queue = WriteQueue::new(0);
        for at in 0..100u8 {
            queue.append_bytes(Bytes::copy_from_slice(&[at]));
        }
        let (slices, total) = queue.slices(0, 1000);
        assert_eq!((slices.len(), total), (MAX_SLICES, 100));
        assert_eq!(gather(&mut queue, 10, 80), (10..90).collect::<Vec<u8>>());
    }

    /// P-048: a mark stays with the end of a write for its retransmission, whatever it is joined to.
    #[test]
    fn push_marks_outlive_later_writes() {
        let mut queue = WriteQueue::new(100);
        queue.append(b"one");
        queue.push();
        assert!(queue.sent(103));
        queue.append(b"two");
        queue.push();
        assert!(!queue.sent(105) && queue.sent(106));
        assert!(queue.was_pushed(100, 103) && !queue.was_pushed(103, 105) && queue.was_pushed(103, 106));
        assert!(queue.was_pushed(100, 104), "joined to what follows");
    }

    /// P-048, O-30: a PSH belongs to a piece, and moves with its end until it leaves.
    #[test]
    fn pieces_follow_the_writes() {
        let mut queue = WriteQueue::new(0);
        queue.append(b"0123456789");
        queue.push();
        queue.split_last_piece(4);
        assert_eq!((queue.pieces(), queue.last_piece(0)), (2, 6));
        assert!(!queue.sent(4), "the PSH is the rest's");
        assert_eq!((queue.pieces(), queue.last_piece(4)), (1, 6));
        queue.take_push_back();
        queue.begin_piece();
        queue.append(b"ab");
        assert_eq!((queue.pieces(), queue.last_piece(4), queue.last_piece(11)), (2, 2, 1));
        queue.push();
        assert!(!queue.sent(11) && queue.sent(12));
        assert_eq!((queue.pieces(), queue.last_piece(12)), (0, 0));
    }
}
