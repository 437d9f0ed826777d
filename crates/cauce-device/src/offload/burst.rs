//! Many finished packets, side by side.

use super::{complete, segmenter::Segmenter};
use crate::gro::Part;
use bytes::Bytes;
use cauce_core::batch::Transmit;
use smallvec::SmallVec;

/// The finished packets of one entry, for devices that carry many. The payload stays in the entry's slices;
/// a packet's share of it is a list of ranges, so that cutting touches no reference count.
#[derive(Debug, Default)]
pub(crate) struct Burst {
    /// The packets' headers, one after another, each `header_len` long.
    headers: Vec<u8>,
    header_len: usize,
    /// The entry's payload.
    payload: Vec<Bytes>,
    /// The packets' shares, one packet's after another's.
    shares: Vec<Share>,
    /// How many shares each packet has.
    counts: Vec<u8>,
    /// Packets and shares taken already.
    taken: (usize, usize),
}

/// A range of one payload slice.
#[derive(Clone, Copy, Debug)]
struct Share {
    slice: usize,
    start: usize,
    end: usize,
}

impl Burst {
    /// Replaces what the burst holds by the packets of `transmit`, cut and finished.
    pub(crate) fn fill(&mut self, transmit: &Transmit) {
        let Some(mut segmenter) = transmit.gso.and_then(|gso| Segmenter::new(transmit, gso)) else {
            self.fill_whole(transmit);
            if let Some(partial) = transmit.checksum {
                complete(&mut self.headers, &self.payload, partial);
            }
            return;
        };
        self.start(transmit);
        while segmenter.left > 0 {
            let (at, shares) = (self.headers.len(), self.shares.len());
            self.headers.extend_from_slice(&transmit.header);
            segmenter.cut(&mut self.headers[at..], |slice, start, end| {
                self.shares.push(Share { slice, start, end });
            });
            self.counts.push((self.shares.len() - shares) as u8);
        }
    }

    /// Replaces what the burst holds by `transmit` as it is.
    pub(crate) fn fill_whole(&mut self, transmit: &Transmit) {
        self.start(transmit);
        self.headers.extend_from_slice(&transmit.header);
        let whole = |(slice, part): (usize, &Bytes)| Share { slice, start: 0, end: part.len() };
        self.shares.extend(self.payload.iter().enumerate().map(whole));
        self.counts.push(self.shares.len() as u8);
    }

    /// Empties the burst, keeps its memory and takes the payload of `transmit`.
    fn start(&mut self, transmit: &Transmit) {
        self.taken = (0, 0);
        self.headers.clear();
        self.shares.clear();
        self.counts.clear();
        self.payload.clear();
        self.payload.extend(transmit.payload.iter().cloned());
        self.header_len = transmit.header.len();
    }

    /// Packets not taken yet.
    pub(crate) fn len(&self) -> usize {
        self.counts.len() - self.taken.0
    }

    /// Hands over at most `most` packets, headers and payload, in order. Returns how many.
    #[inline]
    pub(crate) fn take(&mut self, most: usize, mut each: impl FnMut(&[u8], &[Part<'_>])) -> usize {
        let count = self.len().min(most);
        for _ in 0..count {
            let (packet, share) = self.taken;
            let end = share + usize::from(self.counts[packet]);
            let header = &self.headers[packet * self.header_len..(packet + 1) * self.header_len];
            let part =
                |share: &Share| Part { base: &self.payload[share.slice], start: share.start, end: share.end };
            // Nearly every packet lies in one slice, and needs no list.
            match &self.shares[share..end] {
                [only] => each(header, &[part(only)]),
                shares => each(header, &shares.iter().map(part).collect::<SmallVec<[Part<'_>; 4]>>()),
            }
            self.taken = (packet + 1, end);
        }
        if self.len() == 0 {
            self.payload.clear();
        }
        count
    }
}
