//! Fragments of packets for this stack, put together (RFC 791, RFC 8200 4.5).
//!
//! Hands frames to the wire crate's reassembler within the bounds of the settings, keeps its deadline and its
//! counters. A whole packet passes untouched; only a fragment is copied.

use super::ip_counts::IpCounters;
use crate::context::Context;
use crate::counters::Counter;
use crate::drop_reason::DropReason;
use crate::frame::Frame;
use crate::time::Instant;
use cauce_wire::IpHeader;
use cauce_wire::fragment::{FragmentDrop, Reassembler, Reassembly};

/// Most datagrams waiting for fragments at once.
const MAX_DATAGRAMS: usize = 1024;

/// The incomplete datagrams of one stack. Costs nothing until the first fragment comes.
#[derive(Debug, Default)]
pub struct Fragments {
    reassembler: Option<Reassembler>,
}

impl Fragments {
    /// Takes in a frame whose IP header, at byte `network` of it, is `header`. Returns the frame itself if it
    /// is no fragment, or the whole packet (from the IP header on, without link header) if this was its last
    /// missing fragment; `None` if the fragment waits or was dropped.
    pub fn input(
        &mut self,
        frame: Frame,
        network: usize,
        header: &IpHeader,
        ctx: &mut Context<'_>,
    ) -> Option<Frame> {
        if header.fragment.is_none() {
            return Some(frame);
        }
        let counters = IpCounters::of(header.version());
        ctx.count(counters.fragments);
        let room = usize::try_from(ctx.sysctl.ipfrag_high_thresh).unwrap_or(usize::MAX);
        let time = u64::from(ctx.sysctl.ipfrag_time).saturating_mul(1000);
        let reassembler = self.reassembler.get_or_insert_with(|| Reassembler::new(room, MAX_DATAGRAMS, time));
        reassembler.set_bounds(room, time);
        let bytes = frame.to_bytes();
        let packet = bytes.get(network..).unwrap_or(&[]);
        match reassembler.push(header, packet, ctx.now.as_millis()) {
            Reassembly::Whole => Some(frame),
            Reassembly::Held => None,
            Reassembly::Complete(packet) => {
                ctx.count(counters.reassembled);
                let whole = Frame::new(packet.into());
                Some(Frame { device: frame.device, queue: frame.queue, ..whole })
            }
            Reassembly::Dropped(FragmentDrop::Duplicate) => None,
            Reassembly::Dropped(reason) => {
                ctx.count(counters.not_reassembled);
                ctx.dropped(match reason {
                    FragmentDrop::NoRoom | FragmentDrop::TooManyPieces => DropReason::FragmentLimit,
                    _ => DropReason::BadFragment,
                });
                None
            }
        }
    }

    /// Gives up what has waited too long.
    pub fn handle_timeout(&mut self, ctx: &mut Context<'_>) {
        let Some(reassembler) = &mut self.reassembler else { return };
        let expired = reassembler.expire(ctx.now.as_millis());
        ctx.count_by(Counter::IpReasmTimeout, expired as u64);
        ctx.count_by(Counter::IpReasmFails, expired as u64);
        (0..expired).for_each(|_| ctx.dropped(DropReason::FragmentTimeout));
        if reassembler.is_empty() {
            // The next one is made with the settings of its day.
            self.reassembler = None;
        }
    }

    /// When [`Fragments::handle_timeout`] has to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.reassembler.as_ref()?.next_expiry_ms().map(Instant::from_millis)
    }

    /// Bytes held, bookkeeping included.
    pub fn bytes(&self) -> usize {
        self.reassembler.as_ref().map_or(0, Reassembler::bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::context_for_tests::World;
    use super::*;
    use crate::sysctl::heard::heard;
    use std::vec::Vec;

    /// A UDP-like payload of 24 bytes in one IPv4 packet, or as fragments of 16 and 8.
    fn packet(offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
        let ip = cauce_wire::IpEmit {
            src: [10, 0, 0, 1].into(),
            dst: [10, 0, 0, 2].into(),
            protocol: 17,
            hop_limit: 64,
            traffic_class: 0,
            flow_label: 0,
            identification: 7,
            dont_fragment: false,
            payload_len: payload.len(),
        };
        let mut bytes = [0; 20].to_vec();
        ip.emit(&mut bytes);
        let field = (offset / 8) | if more { 0x2000 } else { 0 };
        bytes[6..8].copy_from_slice(&field.to_be_bytes());
        bytes[10..12].fill(0);
        let mut sum = cauce_wire::checksum::Sum::new();
        sum.add_bytes(&bytes);
        bytes[10..12].copy_from_slice(&sum.finish().to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    fn input(fragments: &mut Fragments, world: &mut World, bytes: Vec<u8>) -> Option<Frame> {
        let header = IpHeader::parse(&bytes, bytes.len()).unwrap();
        let frame = Frame { queue: 3, ..Frame::new(bytes.into()) };
        world.with(|ctx| fragments.input(frame, 0, &header, ctx))
    }

    #[test]
    fn fragments_become_one_frame() {
        let (mut fragments, mut world) = (Fragments::default(), World::new());
        let payload: Vec<u8> = (0..24).collect();
        let whole = input(&mut fragments, &mut world, packet(0, false, &payload)).unwrap();
        assert_eq!((whole.len(), fragments.bytes(), fragments.deadline()), (44, 0, None));
        assert!(input(&mut fragments, &mut world, packet(16, false, &payload[16..])).is_none());
        assert!(input(&mut fragments, &mut world, packet(16, false, &payload[16..])).is_none());
        let frame = input(&mut fragments, &mut world, packet(0, true, &payload[..16])).unwrap();
        assert_eq!((&frame.head[20..], frame.queue), (&payload[..], 3));
        assert_eq!(world.counters.get(Counter::IpReasmOKs), 1);
        assert_eq!(world.counters.get(Counter::IpReasmReqds), 3);
        assert_eq!(world.counters.get(Counter::IpReasmFails), 0);
    }

    #[test]
    fn what_stays_incomplete_is_given_up() {
        let (mut fragments, mut world) = (Fragments::default(), World::new());
        assert!(input(&mut fragments, &mut world, packet(0, true, &[1; 16])).is_none());
        assert!(input(&mut fragments, &mut world, packet(8, true, &[1; 16])).is_none(), "overlap");
        assert_eq!(world.counters.get(Counter::IpReasmFails), 1);
        assert!(input(&mut fragments, &mut world, packet(0, true, &[1; 16])).is_none());
        assert!(fragments.bytes() > 0);
        world.now = fragments.deadline().unwrap();
        world.with(|ctx| fragments.handle_timeout(ctx));
        assert_eq!(world.counters.get(Counter::IpReasmTimeout), 1);
        assert_eq!((fragments.bytes(), fragments.deadline()), (0, None));
    }

    /// `ipfrag_time`: how long pieces are kept.
    #[test]
    fn pieces_wait_as_long_as_the_setting_says() {
        let seconds = heard("ipfrag_time", "2", |sysctl| {
            let (mut fragments, mut world) = (Fragments::default(), World::with_settings(sysctl));
            assert!(input(&mut fragments, &mut world, packet(0, true, &[1; 16])).is_none());
            let wait = fragments.deadline().unwrap().since(world.now);
            world.now = fragments.deadline().unwrap();
            world.with(|ctx| fragments.handle_timeout(ctx));
            assert_eq!((fragments.bytes(), world.counters.get(Counter::IpReasmFails)), (0, 1));
            wait.as_secs()
        });
        assert_eq!(seconds, [30, 2]);
    }

    /// `ipfrag_high_thresh`: how many bytes of them.
    #[test]
    fn the_setting_bounds_what_waits() {
        let kept = heard("ipfrag_high_thresh", "10", |sysctl| {
            let (mut fragments, mut world) = (Fragments::default(), World::with_settings(sysctl));
            assert!(input(&mut fragments, &mut world, packet(0, true, &[1; 16])).is_none());
            (fragments.bytes() > 0, world.counters.get(Counter::IpReasmFails))
        });
        assert_eq!(kept, [(true, 0), (false, 1)]);
    }
}
