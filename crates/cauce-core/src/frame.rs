//! A packet on its way into the engine, owned and counted.
//!
//! A frame holds its bytes in counted buffers, so its payload can stay where the device put it until the
//! user reads it. Devices and generic receive offload may hand over one frame that stands for several
//! segments of a flow; [`Frame::segments`] and [`Frame::segment_size`] keep that visible, because windows,
//! delayed acknowledgements and counters count segments.

use alloc::vec::Vec;
use bytes::Bytes;

/// Names a device of a stack, in the order in which they were added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub u16);

/// What is known of a frame's transport checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChecksumState {
    /// Nobody has looked: the engine verifies it.
    #[default]
    Unverified,
    /// The device or receive offload has verified it.
    Verified,
    /// The packet never left this machine and its checksum was never completed
    /// (`VIRTIO_NET_HDR_F_NEEDS_CSUM`): there is nothing to verify.
    Partial,
}

/// One packet, or one super-packet, as a device received it.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The bytes from the first one of the link header (layer-2 devices) or of the IP header. All headers
    /// up to the end of the TCP header lie here; payload may follow.
    pub head: Bytes,
    /// The payload's continuation, in order. Empty for a packet in one piece.
    pub frags: Vec<Bytes>,
    /// Memory that holding this frame costs, in bytes: the whole buffers, not only the part in use.
    pub truesize: u32,
    /// How many segments this frame stands for, at least 1.
    pub segments: u16,
    /// Payload bytes of each of those segments but the last; 0 for a single segment.
    pub segment_size: u16,
    /// What is known of the TCP checksum.
    pub checksum: ChecksumState,
    /// The device it came from.
    pub device: DeviceId,
    /// The queue of that device.
    pub queue: u16,
}

impl Frame {
    /// A single packet in one buffer, its checksum still to be verified.
    pub fn new(packet: Bytes) -> Self {
        let truesize = packet.len() as u32 + FRAME_OVERHEAD;
        Frame {
            head: packet,
            frags: Vec::new(),
            truesize,
            segments: 1,
            segment_size: 0,
            checksum: ChecksumState::Unverified,
            device: DeviceId(0),
            queue: 0,
        }
    }

    /// The packet's length on the wire (or the super-packet's), in bytes.
    pub fn len(&self) -> usize {
        self.head.len() + self.frags.iter().map(Bytes::len).sum::<usize>()
    }

    /// True when the frame holds no byte at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The packet in one piece. Copies when the frame has fragments.
    pub fn to_bytes(&self) -> Bytes {
        if self.frags.is_empty() {
            return self.head.clone();
        }
        let mut whole = Vec::with_capacity(self.len());
        whole.extend_from_slice(&self.head);
        self.frags.iter().for_each(|part| whole.extend_from_slice(part));
        whole.into()
    }
}

/// What a frame costs beside its bytes, as charged to receive buffers.
pub const FRAME_OVERHEAD: u32 = 256;

/// What Linux charges a receive buffer for a packet of `len` bytes from a TUN device: the power of two that holds
/// it with its headroom and its shared part, and its descriptor. Windows depend on it, so whoever wants those of
/// a kernel with a TUN sets it as [`Frame::truesize`].
///
/// ```
/// assert_eq!(cauce_core::frame::tun_truesize(1500), 2304);
/// ```
pub fn tun_truesize(len: usize) -> u32 {
    const HEADROOM: usize = 64;
    const SHARED: usize = 320;
    const DESCRIPTOR: usize = 256;
    let linear = (len.min(1 << 20) + HEADROOM).next_multiple_of(64);
    ((linear + SHARED).next_power_of_two() + DESCRIPTOR) as u32
}
