//! What has arrived beyond a gap (RFC 9293 3.10.7.4: segments with higher beginning sequence numbers).
//!
//! Decides which bytes of a segment are new, keeps them ordered by offset, and gives them back once the gap
//! is filled. It says what was a duplicate; whether that is reported is not its matter. How much may be held
//! is decided by the receiver, which asks it to give up what lies farthest ahead.

use super::chunk::{Chunk, Payload};
use super::sack_report::{touches, union};
use alloc::collections::BTreeMap;

/// The out-of-order queue: chunks that do not overlap, by the offset of their first byte.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    pieces: BTreeMap<u64, Chunk>,
    /// Where the stream ends, once a FIN has arrived beyond the gap.
    fin: Option<u64>,
}

/// What became of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Inserted {
    /// Memory that is now held for it.
    pub added: u32,
    /// Memory of queued pieces that it made superfluous.
    pub freed: u32,
    /// The part of it that was queued already (of several parts the first, with those that adjoin it).
    pub duplicate: Option<(u64, u64)>,
    /// True when nothing of it was new.
    pub nothing_new: bool,
    /// Segments that ended as superfluous, this one included.
    pub merged: u32,
}

impl Inserted {
    fn note_duplicate(&mut self, start: u64, end: u64) {
        match &mut self.duplicate {
            None => self.duplicate = Some((start, end)),
            Some(known) if touches(*known, (start, end)) => *known = union(*known, (start, end)),
            Some(_) => {}
        }
    }
}

impl Reassembly {
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.fin.is_none()
    }

    /// True when there is a FIN and nothing else.
    pub fn is_only_fin(&self) -> bool {
        self.pieces.is_empty() && self.fin.is_some()
    }

    /// Just past the farthest byte that is held, 0 when there is none.
    pub fn end(&self) -> u64 {
        let data = self.pieces.last_key_value().map_or(0, |(start, chunk)| start + chunk.len() as u64);
        data.max(self.fin.map_or(0, |fin| fin + 1))
    }

    /// Keeps what is new of `len` bytes at `seq`, and the FIN behind them.
    pub fn insert(&mut self, seq: u64, mut payload: Payload, len: usize, fin: bool) -> Inserted {
        let end = seq + len as u64;
        let new_fin = fin && self.fin != Some(end);
        let mut result = Inserted::default();
        let (start, stop) = self.new_part(seq, end, &mut result);
        if fin {
            self.fin = Some(self.fin.map_or(end, |known| known.min(end)));
        }
        if start >= stop {
            result.nothing_new = !new_fin;
            if result.nothing_new {
                result.duplicate = Some((seq, end + u64::from(fin)));
                result.merged += 1;
            }
            return result;
        }
        payload.truncate((stop - seq) as usize);
        payload.trim_front((start - seq) as usize);
        result.added = self.store(start, payload, (stop - start) as usize);
        result
    }

    /// The part of `seq..end` that is to be stored: behind what its predecessors hold, and before a piece
    /// that reaches beyond its end. Pieces that lie within it are removed.
    fn new_part(&mut self, seq: u64, end: u64, result: &mut Inserted) -> (u64, u64) {
        let mut start = seq;
        if let Some((at, chunk)) = self.pieces.range(..=seq).next_back() {
            let held = at + chunk.len() as u64;
            if held > seq && seq < end {
                start = held.min(end);
                result.note_duplicate(seq, start);
            }
        }
        while let Some((at, chunk)) = self.pieces.range(start..end).next() {
            let (at, held) = (*at, at + chunk.len() as u64);
            result.note_duplicate(at, held.min(end));
            if held > end {
                return (start, at);
            }
            if at == start {
                // It continues what was held before: nothing of ours is needed up to its end.
                start = held;
                continue;
            }
            result.freed += self.pieces.remove(&at).map_or(0, |gone| gone.cost());
            result.merged += 1;
        }
        (start, end)
    }

    fn store(&mut self, start: u64, mut payload: Payload, len: usize) -> u32 {
        let (sparse, mut cost) = (payload.is_sparse(len), payload.truesize);
        if let Some((at, before)) = self.pieces.range_mut(..start).next_back()
            && at + before.len() as u64 == start
            && let Some(left) = before.lend(len)
        {
            if sparse && before.is_dense() {
                before.append(&payload, left);
                return 0;
            }
            (cost, payload.spare) = (0, left);
        }
        if sparse {
            self.pieces.insert(start, payload.into_dense(len, cost, 0));
            return cost;
        }
        let mut at = start;
        for chunk in payload.into_chunks(len, cost) {
            let next = at + chunk.len() as u64;
            self.pieces.insert(at, chunk);
            at = next;
        }
        cost
    }

    /// The next piece that begins at or before `nxt`, with its offset.
    pub fn pop_ready(&mut self, nxt: u64) -> Option<(u64, Chunk)> {
        let first = self.pieces.first_entry()?;
        (*first.key() <= nxt).then(|| first.remove_entry())
    }

    /// True once the stream has reached its FIN.
    pub fn fin_reached(&self, nxt: u64) -> bool {
        self.fin == Some(nxt)
    }

    /// Forgets a FIN that data has passed: the peer contradicted itself, and the data came first.
    pub fn passed(&mut self, nxt: u64) {
        if self.fin.is_some_and(|fin| fin < nxt) {
            self.fin = None;
        }
    }

    /// Gives up the piece farthest ahead, unless `incoming` lies beyond it. Returns its cost.
    pub fn drop_farthest(&mut self, incoming: u64) -> Option<u32> {
        let last = self.pieces.last_entry()?;
        if *last.key() < incoming {
            return None;
        }
        self.fin = None;
        Some(last.remove().cost())
    }

    /// What all pieces cost together.
    pub fn cost(&self) -> u32 {
        self.pieces.values().map(Chunk::cost).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn payload(seq: u64, len: usize, truesize: u32) -> Payload {
        let bytes: Vec<u8> = (seq..seq + len as u64).map(|at| at as u8).collect();
        Payload { head: Bytes::from(bytes), rest: vec![], truesize, spare: 0 }
    }

    fn insert(queue: &mut Reassembly, seq: u64, end: u64) -> Inserted {
        let len = (end - seq) as usize;
        queue.insert(seq, payload(seq, len, len as u32), len, false)
    }

    #[test]
    fn overlaps_are_trimmed_and_reported() {
        let mut queue = Reassembly::default();
        assert_eq!(insert(&mut queue, 100, 200).duplicate, None);
        assert_eq!(insert(&mut queue, 150, 250).duplicate, Some((150, 200)));
        assert_eq!(insert(&mut queue, 50, 120).duplicate, Some((100, 120)));
        let whole = insert(&mut queue, 60, 240);
        assert_eq!((whole.duplicate, whole.nothing_new, whole.merged), (Some((60, 240)), true, 1));
        insert(&mut queue, 300, 310);
        insert(&mut queue, 320, 330);
        let cover = insert(&mut queue, 290, 340);
        assert_eq!((cover.duplicate, cover.merged, cover.freed), (Some((300, 310)), 2, 20));
        assert_eq!(queue.end(), 340);
    }

    #[test]
    fn a_fin_is_kept_at_its_offset() {
        let mut queue = Reassembly::default();
        let first = queue.insert(100, payload(100, 10, 10), 10, true);
        assert!(!first.nothing_new);
        let again = queue.insert(100, payload(100, 10, 10), 10, true);
        assert_eq!((again.nothing_new, again.duplicate), (true, Some((100, 111))));
        assert_eq!(queue.end(), 111);
        assert!(queue.fin_reached(110) && !queue.fin_reached(100));
        let mut bare = Reassembly::default();
        assert!(!bare.insert(50, Payload::default(), 0, true).nothing_new);
        assert_eq!(bare.insert(50, Payload::default(), 0, true).duplicate, Some((50, 51)));
        bare.passed(60);
        assert!(bare.is_empty());
    }

    #[test]
    fn adjacent_small_pieces_share_a_chunk() {
        let mut queue = Reassembly::default();
        for at in 0..1000 {
            let small = Payload { spare: 151, ..payload(100 + at, 1, 832) };
            queue.insert(100 + at, small, 1, false);
        }
        assert_eq!((queue.pieces.len(), queue.cost()), (1000usize.div_ceil(152), 7 * 832));
    }

    #[test]
    fn the_farthest_goes_first() {
        let mut queue = Reassembly::default();
        insert(&mut queue, 100, 110);
        insert(&mut queue, 200, 220);
        assert_eq!(queue.drop_farthest(300), None);
        assert_eq!(queue.drop_farthest(150), Some(20));
        assert_eq!(queue.drop_farthest(150), None);
        assert_eq!(queue.drop_farthest(100), Some(10));
        assert!(queue.is_empty());
    }

    proptest! {
        /// Against a bitmap: every byte is kept once, with its value, and the costs add up.
        #[test]
        fn pieces_are_the_bytes_that_came(
            segments in prop::collection::vec((1u64..300, 1usize..40, prop::bool::ANY), 1..80),
        ) {
            let mut queue = Reassembly::default();
            let (mut came, mut cost) = ([false; 400], 0);
            for (seq, len, sparse) in segments {
                let range = seq as usize..seq as usize + len;
                let truesize = if sparse { 700 } else { len as u32 };
                let known = came[range.clone()].iter().filter(|seen| **seen).count();
                let done = queue.insert(seq, payload(seq, len, truesize), len, false);
                came[range].fill(true);
                prop_assert_eq!(done.nothing_new, known == len);
                prop_assert_eq!(done.duplicate.is_some(), known > 0);
                cost = cost + done.added - done.freed;
                prop_assert_eq!(cost, queue.cost());
            }
            let mut held = [false; 400];
            for (at, chunk) in &queue.pieces {
                for (offset, byte) in (*at..).zip(chunk.as_slice()) {
                    prop_assert!(!core::mem::replace(&mut held[offset as usize], true));
                    prop_assert_eq!(*byte, offset as u8);
                }
            }
            prop_assert_eq!(held, came);
        }
    }
}
