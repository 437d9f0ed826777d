//! TCP options as strangers write them: right, contradictory, cut short, too many.

use super::flow::Flow;
use crate::input::Input;
use cauce_wire::Seq;

/// Bytes that an options field can have.
const MAX: usize = 40;

/// The bytes of an options field, padded to a multiple of four.
pub(super) fn draw(input: &mut Input<'_>, flow: &Flow, syn: bool, ts_clock: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let which = input.u8();
    if which == 0xff {
        bytes.extend_from_slice(input.counted());
    } else {
        if which & 1 != 0 {
            timestamps(input, flow, ts_clock, &mut bytes);
        }
        if which & 2 != 0 {
            sack(input, flow, &mut bytes);
        }
        if syn || which & 4 != 0 {
            handshake(input, &mut bytes);
        }
        if which & 8 != 0 {
            rare(input, &mut bytes);
        }
    }
    bytes.truncate(MAX);
    bytes.resize(bytes.len().next_multiple_of(4), if which & 16 != 0 { 1 } else { 0 });
    bytes
}

/// The stack's own offset base, then how far the drawn number strays from it.
pub(super) fn stray(input: &mut Input<'_>, base: Seq) -> Seq {
    let by = input.u8();
    match by >> 6 {
        0 => base + u32::from(by & 63),
        1 => base - u32::from(by & 63),
        2 => base + u32::from(by & 63) * 1448,
        _ => Seq(input.u32()),
    }
}

fn timestamps(input: &mut Input<'_>, flow: &Flow, ts_clock: u32, bytes: &mut Vec<u8>) {
    let how = input.u8();
    let val = match how & 3 {
        0 | 1 => ts_clock,
        2 => ts_clock.wrapping_sub(u32::from(how)),
        _ => input.u32(),
    };
    let ecr = match how >> 2 & 3 {
        0 | 1 => flow.ts_val,
        2 => flow.ts_val.wrapping_add(u32::from(how) << 8),
        _ => input.u32(),
    };
    bytes.extend([1, 1, 8, if how == 0xfe { 9 } else { 10 }]);
    bytes.extend(val.to_be_bytes());
    bytes.extend(ecr.to_be_bytes());
}

fn sack(input: &mut Input<'_>, flow: &Flow, bytes: &mut Vec<u8>) {
    let blocks = input.u8() & 7;
    bytes.extend([1, 1, 5, 2 + blocks * 8]);
    for _ in 0..blocks {
        let base = input.choose(&[flow.iss, flow.sent, flow.sent - 5000, flow.expected]);
        let left = stray(input, base);
        let right = stray(input, left);
        bytes.extend(left.0.to_be_bytes());
        bytes.extend(right.0.to_be_bytes());
    }
}

fn handshake(input: &mut Input<'_>, bytes: &mut Vec<u8>) {
    let which = input.u8();
    if which & 1 != 0 {
        let mss: u16 = match which >> 6 {
            0 => 1460,
            1 => u16::from(input.u8()),
            2 => 0,
            _ => input.u16(),
        };
        bytes.extend([2, 4]);
        bytes.extend(mss.to_be_bytes());
    }
    if which & 2 != 0 {
        bytes.extend([1, 3, 3, if which & 8 != 0 { input.u8() } else { 7 }]);
    }
    if which & 4 != 0 {
        bytes.extend([1, 1, 4, 2]);
    }
}

/// Options that few peers send: Fast Open, user time-out, AccECN, MD5, AO, unknown kinds, bad lengths.
fn rare(input: &mut Input<'_>, bytes: &mut Vec<u8>) {
    let kind = input.choose(&[34, 28, 172, 174, 19, 29, 254, 253, 6, 200]);
    let body = input.bytes(usize::from(input.clone().u8() & 31));
    let lie = input.u8();
    bytes.extend([kind, if lie & 0xf0 == 0xf0 { lie & 15 } else { body.len() as u8 + 2 }]);
    bytes.extend_from_slice(body);
}
