//! Several packets taken for the one larger segment that a script names.
//!
//! Scripts are written as if the stack handed super-segments to its device. One that sends them apart passes
//! too, as long as the pieces are what segmentation of the larger one gives: contiguous, all but the last of
//! one size, with equal acknowledgment, window and header length.

use cauce_wire::Flags;

use crate::packet::Live;

/// One or more packets that follow each other.
#[derive(Debug, Clone)]
pub(crate) struct Merged {
    /// The first packet, with the flags and the length of all.
    pub whole: Live,
    piece: usize,
    last_piece: usize,
    /// How many packets it is made of.
    pub count: usize,
}

impl Merged {
    pub fn new(first: Live) -> Merged {
        Merged { piece: first.len, last_piece: first.len, count: 1, whole: first }
    }

    /// Adds the next packet, or says why it cannot be part of the same segment.
    pub fn push(&mut self, next: &Live) -> Result<(), String> {
        let whole = &mut self.whole;
        let expected_seq = whole.seq.wrapping_add(whole.len as u32);
        if next.seq != expected_seq || next.len == 0 {
            return Err("the next packet does not follow on".to_owned());
        }
        if self.last_piece != self.piece || next.len > self.piece {
            return Err("the packets are not all of one size".to_owned());
        }
        let same =
            next.ack == whole.ack && next.window == whole.window && next.header_len == whole.header_len;
        if !same {
            return Err("the packets differ in acknowledgment, window or header length".to_owned());
        }
        whole.len += next.len;
        whole.zeros &= next.zeros;
        whole.checksum_right &= next.checksum_right;
        whole.flags |= next.flags & (Flags::PSH | Flags::FIN);
        (self.last_piece, self.count) = (next.len, self.count + 1);
        Ok(())
    }
}
