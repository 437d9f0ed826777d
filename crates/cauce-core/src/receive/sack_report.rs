//! The SACK blocks of our acknowledgements (RFC 2018, 2883).
//!
//! Decides what is reported and in which order: a duplicate first (D-SACK), then the block that the newest
//! segment belongs to, then the ones reported before it. It stores no data and never decides *when* an
//! acknowledgement leaves.

use arrayvec::ArrayVec;

/// Blocks that are remembered and that fit into one segment without timestamps.
pub const MAX_SACK_BLOCKS: usize = 4;

/// Blocks for an acknowledgement, in stream offsets: first byte, and just past the last one.
pub type SackBlocks = ArrayVec<(u64, u64), MAX_SACK_BLOCKS>;

/// What is to be reported.
#[derive(Debug, Default)]
pub(super) struct SackReport {
    blocks: SackBlocks,
    duplicate: Option<(u64, u64)>,
}

impl SackReport {
    /// The range of a segment that was just queued out of order goes to the front, together with the blocks
    /// it touches. Returns true when this made the report so long that waiting with it would be wrong.
    pub fn queued(&mut self, start: u64, end: u64) -> bool {
        match self.blocks.iter().position(|block| touches(*block, (start, end))) {
            Some(at) => {
                if let Some(block) = self.blocks.get_mut(at) {
                    *block = union(*block, (start, end));
                }
                if let Some(shifted) = self.blocks.get_mut(..=at) {
                    shifted.rotate_right(1);
                }
                self.coalesce();
                at >= EXPECTED_BLOCKS
            }
            None => {
                let long = self.blocks.len() >= EXPECTED_BLOCKS;
                self.blocks.truncate(MAX_SACK_BLOCKS - 1);
                self.blocks.insert(0, (start, end));
                long
            }
        }
    }

    /// Merges the blocks that the first one has come to touch.
    fn coalesce(&mut self) {
        let mut at = 1;
        while let (Some(first), Some(block)) = (self.blocks.first().copied(), self.blocks.get(at).copied()) {
            if touches(first, block) {
                self.blocks.remove(at);
                if let Some(front) = self.blocks.first_mut() {
                    *front = union(first, block);
                }
                at = 1;
            } else {
                at += 1;
            }
        }
    }

    /// Everything below `nxt` is acknowledged now: blocks that begin there are done with.
    pub fn acknowledged(&mut self, nxt: u64) {
        self.blocks.retain(|block| block.0 > nxt);
    }

    /// Forgets the blocks, because nothing waits out of order or some of it was given up.
    pub fn forget_blocks(&mut self) {
        self.blocks.clear();
    }

    /// The next report begins with this duplicate.
    pub fn set_duplicate(&mut self, start: u64, end: u64) {
        self.duplicate = Some((start, end));
    }

    /// More of the same segment was a duplicate: it joins the one to be reported if it touches it, and is not told
    /// otherwise. False when there is none to be reported yet.
    pub fn extend_duplicate(&mut self, start: u64, end: u64) -> bool {
        let Some(known) = self.duplicate else { return false };
        if touches(known, (start, end)) {
            self.duplicate = Some(union(known, (start, end)));
        }
        true
    }

    /// Just past the highest byte of the blocks.
    pub fn end(&self) -> Option<u64> {
        self.blocks.iter().map(|block| block.1).max()
    }

    /// True when nothing is to be reported.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.duplicate.is_none()
    }

    /// Blocks that an acknowledgement would carry now.
    pub fn len(&self) -> usize {
        (self.blocks.len() + usize::from(self.duplicate.is_some())).min(MAX_SACK_BLOCKS)
    }

    /// At most `max` blocks for an acknowledgement that leaves now. A duplicate is reported only once.
    pub fn take(&mut self, max: usize) -> SackBlocks {
        let max = max.min(MAX_SACK_BLOCKS);
        if max == 0 {
            return SackBlocks::new();
        }
        self.duplicate.take().into_iter().chain(self.blocks.iter().copied()).take(max).collect()
    }
}

/// With more blocks than this, acknowledgements are no longer held back.
const EXPECTED_BLOCKS: usize = 2;

/// True when two ranges overlap or adjoin.
pub(super) fn touches(a: (u64, u64), b: (u64, u64)) -> bool {
    a.0 <= b.1 && b.0 <= a.1
}

/// The range that spans both.
pub(super) fn union(a: (u64, u64), b: (u64, u64)) -> (u64, u64) {
    (a.0.min(b.0), a.1.max(b.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn blocks(report: &mut SackReport, max: usize) -> Vec<(u64, u64)> {
        report.take(max).to_vec()
    }

    /// P-091, N-30: six holes give four blocks without timestamps and three with, the newest first.
    #[test]
    fn p091_newest_first_and_bounded() {
        let mut report = SackReport::default();
        for hole in 1..=6 {
            report.queued(hole * 100, hole * 100 + 50);
        }
        assert_eq!(blocks(&mut report, 4), [(600, 650), (500, 550), (400, 450), (300, 350)]);
        assert_eq!(blocks(&mut report, 3), [(600, 650), (500, 550), (400, 450)]);
        report.queued(450, 460);
        assert_eq!(blocks(&mut report, 2), [(400, 460), (600, 650)]);
    }

    #[test]
    fn a_filled_gap_joins_blocks() {
        let mut report = SackReport::default();
        report.queued(100, 200);
        report.queued(300, 400);
        report.queued(500, 600);
        report.queued(200, 300);
        assert_eq!(blocks(&mut report, 4), [(100, 400), (500, 600)]);
        report.acknowledged(450);
        assert_eq!(blocks(&mut report, 4), [(500, 600)]);
        report.acknowledged(600);
        assert!(report.is_empty());
    }

    #[test]
    fn a_duplicate_comes_first_and_once() {
        let mut report = SackReport::default();
        for hole in 1..=4 {
            report.queued(hole * 100, hole * 100 + 50);
        }
        report.set_duplicate(10, 20);
        assert_eq!(report.len(), 4);
        assert_eq!(blocks(&mut report, 0), []);
        assert_eq!(blocks(&mut report, 3), [(10, 20), (400, 450), (300, 350)]);
        assert_eq!(blocks(&mut report, 3), [(400, 450), (300, 350), (200, 250)]);
    }

    proptest! {
        /// Against a plain list: the first block holds the newest segment, no two blocks touch, and all
        /// blocks together are ranges that have really arrived.
        #[test]
        fn blocks_are_what_has_arrived(segments in prop::collection::vec((0u64..400, 1u64..30), 1..60)) {
            let mut report = SackReport::default();
            let mut arrived = [false; 512];
            for (start, len) in segments {
                let end = start + len;
                arrived[start as usize..end as usize].fill(true);
                report.queued(start, end);
                let now = blocks(&mut report, 4);
                prop_assert!(now[0].0 <= start && end <= now[0].1);
                for (at, block) in now.iter().enumerate() {
                    prop_assert!(arrived[block.0 as usize..block.1 as usize].iter().all(|seen| *seen));
                    prop_assert!(now[at + 1..].iter().all(|other| !touches(*block, *other)));
                }
            }
        }
    }
}
