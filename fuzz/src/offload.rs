//! Receive offload, segmentation offload and virtio-net headers: no packet upsets them, no byte is lost.

use crate::input::Input;
use bytes::Bytes;
use cauce_core::frame::{ChecksumState, Frame};
use cauce_device::gro::{Gro, Part};
use cauce_device::vnet::{Received, VnetHeader};
use cauce_device::{Medium, offload};

/// Most packets of one input.
const PACKETS: usize = 64;

/// Pushes packets through receive offload and cuts what comes out again.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let ethernet = input.u8() & 1 != 0;
    let (medium, network) =
        if ethernet { (Medium::Ethernet { mac: [2, 0, 0, 0, 0, 1] }, 14) } else { (Medium::Ip, 0) };
    let (mut gro, mut out, mut given) = (Gro::new(medium), Vec::new(), 0);
    for _ in 0..PACKETS {
        if input.is_empty() {
            break;
        }
        let how = input.u8();
        let packet = packet(&mut input, network, how);
        given += packet.len();
        match how & 3 {
            0 => gro.push_frame(Frame::new(packet), &mut out),
            1 => {
                let header = packet.len().min(usize::from(input.u8()));
                let middle = header + (packet.len() - header) / 2;
                let part = |start, end| Part { base: &packet, start, end };
                let parts = [part(header, middle), part(middle, packet.len())];
                gro.push_parts(&packet[..header], &parts, &mut out);
            }
            _ => vnet(&mut input, packet, &mut gro, &mut out),
        }
    }
    gro.finish(&mut out);
    let mut taken = 0;
    for frame in &out {
        assert!(frame.segments >= 1 && frame.truesize as usize >= frame.len());
        assert_eq!(frame.segments > 1, frame.segment_size > 0, "{frame:?}");
        taken += frame.len();
        if frame.segments < 1024 {
            let _ = offload::packets_of(frame, network);
        }
    }
    assert!(taken <= given, "{taken} bytes came out of {given}");
}

/// Raw bytes, or a TCP packet of a flow that goes on, with its checksums right unless the input says so.
fn packet(input: &mut Input<'_>, network: usize, how: u8) -> Bytes {
    if how & 0x80 != 0 {
        return Bytes::copy_from_slice(input.counted());
    }
    let (step, flags, len) = (input.u8(), input.u8(), usize::from(input.u8()));
    let mut packet = vec![0; network + 40 + len];
    if network > 0 {
        packet[12] = 0x08;
    }
    let ip = &mut packet[network..];
    let header = cauce_wire::IpEmit {
        src: [10, 0, 0, 2].into(),
        dst: [10, 0, 0, 1].into(),
        protocol: 6,
        hop_limit: 64,
        traffic_class: how >> 5 & 3,
        flow_label: 0,
        identification: u16::from(step),
        dont_fragment: how & 0x10 != 0,
        payload_len: 20 + len,
    };
    header.emit(ip);
    let tcp = cauce_wire::TcpHeader {
        src_port: 1000 + u16::from(how >> 3 & 1),
        dst_port: 80,
        seq: cauce_wire::Seq(u32::from(step) * 100),
        flags: cauce_wire::Flags(0x10 | u16::from(flags & 0xcf)),
        ..cauce_wire::TcpHeader::default()
    };
    tcp.emit(&mut ip[20..]);
    let mut sum = cauce_wire::checksum::pseudo_header(header.src, header.dst, 6, 20 + len);
    sum.add_bytes(&ip[20..]);
    let checksum = sum.finish() ^ u16::from(flags == 0xff);
    ip[36..38].copy_from_slice(&checksum.to_be_bytes());
    packet.into()
}

/// A packet as a TUN with virtio-net headers hands it over.
fn vnet(input: &mut Input<'_>, packet: Bytes, gro: &mut Gro, out: &mut Vec<Frame>) {
    let mut header = [0; cauce_device::vnet::VNET_HEADER];
    let given = input.bytes(header.len());
    header[..given.len()].copy_from_slice(given);
    let Some(received) = VnetHeader::parse(header).judge(&packet, packet.len()) else { return };
    let mut frame = Frame::new(packet);
    received.describe(&mut frame);
    if let Received::Super { .. } = received {
        assert_eq!(frame.checksum, ChecksumState::Partial);
    }
    gro.push_frame(frame, out);
}
