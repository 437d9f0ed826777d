//! The unit of the receive queues: a run of payload bytes and what holding it costs.
//!
//! Payload normally stays in the buffer the device put it in and is only shared. Payload that fills less
//! than half of its buffer is copied into a dense chunk instead, to which later small segments are appended,
//! so that a peer who sends single bytes cannot pin one packet buffer for each. What a chunk is charged is
//! what Linux would charge for its packet, and later segments are free as long as they fit behind it there.

use super::space::packet_cost;
use crate::frame::Frame;
use alloc::vec::Vec;
use bytes::{Buf, Bytes, BytesMut};

/// What a chunk costs beside its bytes.
pub(super) const CHUNK_OVERHEAD: u32 = 128;

/// The text of one segment (or of one super-segment) on its way into the receive queues.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    /// The first bytes.
    pub head: Bytes,
    /// Their continuation, in order. Empty for a payload in one piece.
    pub rest: Vec<Bytes>,
    /// Memory that the whole frame costs, in bytes, buffers and overhead included.
    pub truesize: u32,
    /// Bytes of later segments that fit behind it for nothing.
    pub spare: u16,
}

impl Payload {
    /// What follows the first `headers` bytes of a frame. Nothing when the frame is shorter.
    pub fn from_frame(mut frame: Frame, headers: usize) -> Payload {
        let (cost, spare) = packet_cost(frame.len());
        let cut = headers.min(frame.head.len());
        frame.head.advance(cut);
        Payload { head: frame.head, rest: frame.frags, truesize: frame.truesize.min(cost), spare }
    }

    /// A payload in one piece that owns its buffer.
    pub fn from_bytes(head: Bytes) -> Payload {
        let truesize = u32::try_from(head.len()).unwrap_or(u32::MAX).saturating_add(CHUNK_OVERHEAD);
        Payload { head, rest: Vec::new(), truesize, spare: 0 }
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.head.len() + self.rest.iter().map(Bytes::len).sum::<usize>()
    }

    /// True without any byte.
    pub fn is_empty(&self) -> bool {
        self.head.is_empty() && self.rest.iter().all(Bytes::is_empty)
    }

    /// The byte at `place`, if there is one.
    pub fn byte(&self, place: usize) -> Option<u8> {
        let mut left = place;
        for part in core::iter::once(&self.head).chain(&self.rest) {
            match part.get(left) {
                Some(byte) => return Some(*byte),
                None => left -= part.len(),
            }
        }
        None
    }

    /// Drops the first `count` bytes (all, when there are fewer).
    pub fn trim_front(&mut self, count: usize) {
        let mut left = count;
        for part in core::iter::once(&mut self.head).chain(&mut self.rest) {
            let cut = left.min(part.len());
            part.advance(cut);
            left -= cut;
        }
    }

    /// Keeps only the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        let mut left = len;
        for part in core::iter::once(&mut self.head).chain(&mut self.rest) {
            part.truncate(left);
            left -= part.len();
        }
    }

    /// True when `len` bytes are less than half of what the buffers cost.
    pub(super) fn is_sparse(&self, len: usize) -> bool {
        len.saturating_mul(2) < self.truesize as usize
    }

    /// The parts that hold bytes, `len` in all, each with its share of `cost`; the last has the spare room.
    pub(super) fn into_chunks(self, len: usize, cost: u32) -> impl Iterator<Item = Chunk> {
        let (mut cost_left, mut len_left, spare) = (cost, len as u64, self.spare);
        let parts = core::iter::once(self.head).chain(self.rest).filter(|part| !part.is_empty());
        parts.map(move |bytes| {
            let part = bytes.len() as u64;
            let cost = (u64::from(cost_left) * part).checked_div(len_left).unwrap_or(0) as u32;
            (cost_left, len_left) = (cost_left.saturating_sub(cost), len_left.saturating_sub(part));
            let spare = if len_left == 0 { spare } else { 0 };
            Chunk { cost, spare, bytes: Held::Shared(bytes) }
        })
    }

    /// One dense chunk with a copy of all bytes that is charged `cost`, with room to grow up to `room` bytes.
    pub(super) fn into_dense(self, len: usize, cost: u32, room: usize) -> Chunk {
        let mut bytes = BytesMut::with_capacity(len.max(room));
        self.copy_to(&mut bytes);
        Chunk { cost, spare: self.spare, bytes: Held::Dense(bytes) }
    }

    fn copy_to(&self, bytes: &mut BytesMut) {
        bytes.extend_from_slice(&self.head);
        self.rest.iter().for_each(|part| bytes.extend_from_slice(part));
    }
}

/// A run of bytes in a receive queue.
#[derive(Debug)]
pub(super) struct Chunk {
    /// What the receive buffer is charged for it.
    cost: u32,
    /// Bytes that may still follow without a charge.
    spare: u16,
    bytes: Held,
}

#[derive(Debug)]
enum Held {
    /// Part of a frame's buffer.
    Shared(Bytes),
    /// A buffer of our own, appended to while it is the last.
    Dense(BytesMut),
}

impl Chunk {
    pub fn as_slice(&self) -> &[u8] {
        match &self.bytes {
            Held::Shared(bytes) => bytes,
            Held::Dense(bytes) => bytes,
        }
    }

    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Memory charged for it, in bytes.
    pub fn cost(&self) -> u32 {
        self.cost
    }

    /// Drops the first `count` bytes; `count` is at most the length.
    pub fn advance(&mut self, count: usize) {
        match &mut self.bytes {
            Held::Shared(bytes) => bytes.advance(count),
            Held::Dense(bytes) => bytes.advance(count),
        }
    }

    /// Takes the first `count` bytes out; `count` is less than the length. The cost stays here.
    pub fn split_to(&mut self, count: usize) -> Bytes {
        match &mut self.bytes {
            Held::Shared(bytes) => bytes.split_to(count),
            Held::Dense(bytes) => bytes.split_to(count).freeze(),
        }
    }

    pub fn into_bytes(self) -> Bytes {
        match self.bytes {
            Held::Shared(bytes) => bytes,
            Held::Dense(bytes) => bytes.freeze(),
        }
    }

    pub fn is_dense(&self) -> bool {
        matches!(self.bytes, Held::Dense(_))
    }

    /// True when `len` bytes fit into the room behind it.
    pub fn has_room(&self, len: usize) -> bool {
        usize::from(self.spare) >= len
    }

    /// Gives `len` bytes of the room behind it to what follows at once, if there are so many. Returns what is
    /// left of it, which moves to whatever is now the last.
    pub fn lend(&mut self, len: usize) -> Option<u16> {
        let left = usize::from(self.spare).checked_sub(len)?;
        self.spare = 0;
        Some(left as u16)
    }

    /// Appends a copy to a dense chunk. `spare` is the room that is left behind it then.
    pub fn append(&mut self, payload: &Payload, spare: u16) {
        if let Held::Dense(bytes) = &mut self.bytes {
            payload.copy_to(bytes);
            self.spare = spare;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn parts(list: &[&'static [u8]]) -> Payload {
        let mut all = list.iter().map(|part| Bytes::from_static(part));
        Payload { head: all.next().unwrap(), rest: all.collect(), truesize: 64, spare: 9 }
    }

    fn text(payload: &Payload) -> Vec<u8> {
        let mut all = payload.head.to_vec();
        payload.rest.iter().for_each(|part| all.extend_from_slice(part));
        all
    }

    #[test]
    fn trimming_works_across_parts() {
        for front in 0..=9 {
            for keep in 0..=9 {
                let mut payload = parts(&[b"abc", b"", b"de", b"fghi"]);
                payload.trim_front(front);
                payload.truncate(keep);
                let wanted: Vec<u8> = b"abcdefghi"[front.min(9)..].iter().copied().take(keep).collect();
                assert_eq!(text(&payload), wanted);
                assert_eq!(payload.len(), wanted.len());
                assert_eq!(payload.is_empty(), wanted.is_empty());
            }
        }
        let mut payload = parts(&[b"abc"]);
        payload.trim_front(100);
        assert!(payload.is_empty());
    }

    #[test]
    fn a_frame_without_payload_gives_none() {
        let frame = Frame::new(Bytes::from_static(b"0123456789"));
        assert_eq!(text(&Payload::from_frame(frame.clone(), 8)), vec![b'8', b'9']);
        assert!(Payload::from_frame(frame, 80).is_empty());
    }

    #[test]
    fn the_parts_share_the_cost() {
        let costs: Vec<u32> =
            parts(&[b"abc", b"", b"de", b""]).into_chunks(5, 64).map(|chunk| chunk.cost()).collect();
        assert_eq!(costs, [38, 26]);
    }

    #[test]
    fn small_payloads_share_a_dense_chunk() {
        let mut chunk = parts(&[b"a"]).into_dense(1, 64, 0);
        for left in (0..9).rev() {
            let spare = chunk.lend(1).unwrap();
            assert_eq!(spare, left);
            chunk.append(&parts(&[b"b"]), spare);
        }
        assert_eq!(chunk.lend(1), None);
        assert_eq!((chunk.cost(), chunk.len()), (64, 10));
        assert_eq!(chunk.split_to(2), &b"ab"[..]);
        assert_eq!(chunk.into_bytes().len(), 8);
    }
}
