//! Fragments in any order, overlapping and contradictory: the reassembler stays within its bounds and
//! returns only whole packets.

use crate::input::Input;
use cauce_wire::fragment::{Reassembler, Reassembly};
use cauce_wire::{IpEmit, IpHeader, IpVersion};
use std::net::IpAddr;

const MAX_BYTES: usize = 20_000;
const MAX_DATAGRAMS: usize = 8;
const TIMEOUT_MS: u64 = 1_000;

/// Runs one sequence of fragments.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut reassembler = Reassembler::new(MAX_BYTES, MAX_DATAGRAMS, TIMEOUT_MS);
    let mut now_ms = 0;
    while !input.is_empty() {
        now_ms += u64::from(input.u8() & 0x0f) * 40;
        let expired = reassembler.expire(now_ms);
        assert!(expired <= MAX_DATAGRAMS);
        let packet = fragment(&mut input);
        if let Ok(header) = IpHeader::parse(&packet, packet.len())
            && let Reassembly::Complete(whole) = reassembler.push(&header, &packet, now_ms)
        {
            let header = IpHeader::parse(&whole, whole.len()).expect("reassembled packets are sound");
            assert!(header.fragment.is_none() && header.total_len == whole.len());
        }
        assert!(reassembler.bytes() <= MAX_BYTES && reassembler.len() <= MAX_DATAGRAMS);
        if let Some(next) = reassembler.next_expiry_ms() {
            assert!(next > now_ms && next <= now_ms + TIMEOUT_MS, "{next} at {now_ms}");
        }
    }
    reassembler.expire(now_ms + TIMEOUT_MS);
    assert_eq!((reassembler.len(), reassembler.bytes()), (0, 0));
    assert_eq!(reassembler.next_expiry_ms(), None);
}

/// The next fragment that the input describes: a datagram, an offset in eight-byte units, a length.
fn fragment(input: &mut Input<'_>) -> Vec<u8> {
    let which = input.u8();
    let offset = input.u16();
    let (v6, more) = (which & 1 != 0, which & 2 != 0);
    let len = usize::from(input.u8()) * if which & 4 != 0 { 8 } else { 1 };
    let traffic_class = which >> 3 & 3;
    let identification = u16::from(which >> 5);
    let text = if v6 { ["fd00::2", "fd00::1"] } else { ["10.0.0.2", "10.0.0.1"] };
    let [src, dst] = text.map(|text| text.parse::<IpAddr>().expect("a constant"));
    if v6 {
        return v6_fragment(src, dst, traffic_class, identification, offset, more, len);
    }
    let mut packet = vec![0; 20 + len];
    let ip = IpEmit {
        src,
        dst,
        protocol: 6,
        hop_limit: 64,
        traffic_class,
        flow_label: 0,
        identification,
        dont_fragment: false,
        payload_len: len,
    };
    ip.emit(&mut packet);
    let word = u16::from(more) << 13 | offset & 0x1fff;
    packet[6..8].copy_from_slice(&word.to_be_bytes());
    packet[10..12].fill(0);
    let sum = cauce_wire::checksum::checksum(&packet[..20]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

fn v6_fragment(
    src: IpAddr,
    dst: IpAddr,
    traffic_class: u8,
    identification: u16,
    offset: u16,
    more: bool,
    len: usize,
) -> Vec<u8> {
    let mut packet = vec![0; 48 + len];
    let ip = IpEmit {
        src,
        dst,
        protocol: 44,
        hop_limit: 64,
        traffic_class,
        flow_label: 0,
        identification: 0,
        dont_fragment: false,
        payload_len: 8 + len,
    };
    assert_eq!(ip.emit(&mut packet), 40);
    packet[40] = 6;
    packet[42..44].copy_from_slice(&((offset & 0x1fff) << 3 | u16::from(more)).to_be_bytes());
    packet[46..48].copy_from_slice(&identification.to_be_bytes());
    let version = IpHeader::parse(&packet, packet.len()).map(|header| header.version());
    assert!(version.is_err() || version == Ok(IpVersion::V6));
    packet
}
