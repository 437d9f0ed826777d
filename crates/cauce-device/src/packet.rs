//! One finished packet, or super-packet, as it lies on a wire: header bytes and shared payload.

use arrayvec::ArrayVec;
use bytes::{Bytes, BytesMut};
use cauce_core::batch::MAX_HEADER;
use cauce_core::frame::Frame;
use smallvec::SmallVec;

/// A packet that needs nothing more: headers in place, payload as slices that are shared, not copied.
#[derive(Clone, Debug, Default)]
pub struct Packet {
    /// Link (layer-2 devices), IP and transport headers.
    pub header: ArrayVec<u8, MAX_HEADER>,
    /// The payload in order.
    pub payload: SmallVec<[Bytes; 2]>,
}

impl Packet {
    /// Bytes of the whole packet.
    pub fn len(&self) -> usize {
        self.header.len() + self.payload.iter().map(Bytes::len).sum::<usize>()
    }

    /// True when the packet holds no byte at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The packet in one piece, copied.
    pub fn to_bytes(&self) -> Bytes {
        let mut whole = BytesMut::with_capacity(self.len());
        whole.extend_from_slice(&self.header);
        self.payload.iter().for_each(|part| whole.extend_from_slice(part));
        whole.freeze()
    }

    /// The packet as a device would hand it in; the payload stays shared.
    pub fn into_frame(self) -> Frame {
        let mut frame = Frame::new(Bytes::copy_from_slice(&self.header));
        frame.truesize += self.payload.iter().map(|part| part.len() as u32).sum::<u32>();
        frame.frags = self.payload.into_vec();
        frame
    }
}
