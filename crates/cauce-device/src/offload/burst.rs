//! Many finished packets, side by side.

use super::{complete, segmenter::Segmenter};
use bytes::Bytes;
use cauce_core::batch::Transmit;

/// The finished packets of one entry, side by side, for devices that carry many.
#[derive(Debug, Default)]
pub(crate) struct Burst {
    /// The packets' headers, one after another, each `header_len` long.
    headers: Vec<u8>,
    header_len: usize,
    /// The packets' payload slices, one packet's after another's.
    payload: Vec<Bytes>,
    /// How many slices each packet has.
    slices: Vec<u8>,
    /// Packets and slices taken already.
    taken: (usize, usize),
}

impl Burst {
    /// Replaces what the burst holds by the packets of `transmit`, cut and finished.
    pub(crate) fn fill(&mut self, transmit: &Transmit) {
        self.clear();
        self.header_len = transmit.header.len();
        let Some(mut segmenter) = transmit.gso.and_then(|gso| Segmenter::new(transmit, gso)) else {
            self.fill_whole(transmit);
            if let Some(partial) = transmit.checksum {
                complete(&mut self.headers, &self.payload, partial);
            }
            return;
        };
        while segmenter.left > 0 {
            let (at, slices) = (self.headers.len(), self.payload.len());
            self.headers.extend_from_slice(&transmit.header);
            segmenter.cut(&mut self.headers[at..], |part| self.payload.push(part));
            self.slices.push((self.payload.len() - slices) as u8);
        }
    }

    /// Replaces what the burst holds by `transmit` as it is.
    pub(crate) fn fill_whole(&mut self, transmit: &Transmit) {
        self.clear();
        self.header_len = transmit.header.len();
        self.headers.extend_from_slice(&transmit.header);
        self.payload.extend(transmit.payload.iter().filter(|part| !part.is_empty()).cloned());
        self.slices.push(self.payload.len() as u8);
    }

    /// Packets not taken yet.
    pub(crate) fn len(&self) -> usize {
        self.slices.len() - self.taken.0
    }

    /// Hands over at most `most` packets, headers and payload slices, in order. Returns how many.
    #[inline]
    pub(crate) fn take(&mut self, most: usize, mut each: impl FnMut(&[u8], &mut [Bytes])) -> usize {
        let count = self.len().min(most);
        for _ in 0..count {
            let (packet, slice) = self.taken;
            let end = slice + usize::from(self.slices[packet]);
            let header = &self.headers[packet * self.header_len..(packet + 1) * self.header_len];
            each(header, &mut self.payload[slice..end]);
            self.taken = (packet + 1, end);
        }
        count
    }

    /// Empties the burst and keeps its memory.
    fn clear(&mut self) {
        self.taken = (0, 0);
        self.headers.clear();
        self.payload.clear();
        self.slices.clear();
    }
}
