//! TCP options to bytes and back, in the script's own order and with its own NOPs.

use cauce_wire::{kind, raw_options};

use crate::ast::{AccEcnOrder, TcpOption};

/// First two bytes of option 254 when it stands for Fast Open.
const FAST_OPEN_MAGIC: [u8; 2] = [0xf9, 0x89];

/// The bytes of `options`, padded with EOL to a multiple of 4.
pub(crate) fn encode_options<'o>(options: impl Iterator<Item = &'o TcpOption>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for option in options {
        let (kind, data) = parts(option);
        bytes.push(kind);
        if !matches!(option, TcpOption::Nop | TcpOption::Eol) {
            bytes.push(data.len() as u8 + 2);
        }
        bytes.extend(data);
    }
    bytes.resize(bytes.len().next_multiple_of(4), kind::EOL);
    bytes
}

/// Kind and data.
fn parts(option: &TcpOption) -> (u8, Vec<u8>) {
    let pair = |a: u32, b: u32| [a.to_be_bytes(), b.to_be_bytes()].concat();
    match option {
        TcpOption::Nop => (kind::NOP, Vec::new()),
        TcpOption::Eol => (kind::EOL, Vec::new()),
        TcpOption::Mss(mss) => (kind::MSS, mss.to_be_bytes().to_vec()),
        TcpOption::WindowScale(scale) => (kind::WINDOW_SCALE, vec![*scale]),
        TcpOption::SackPermitted => (kind::SACK_PERMITTED, Vec::new()),
        TcpOption::Sack(blocks) => {
            (kind::SACK, blocks.iter().flat_map(|(left, right)| pair(*left, *right)).collect())
        }
        TcpOption::Timestamps { val, ecr } => (kind::TIMESTAMPS, pair(*val, *ecr)),
        TcpOption::FastOpen { experimental: false, cookie } => (kind::FAST_OPEN, cookie.clone()),
        TcpOption::FastOpen { experimental: true, cookie } => {
            (kind::EXPERIMENT, [&FAST_OPEN_MAGIC[..], cookie].concat())
        }
        TcpOption::Md5(digest) => (kind::MD5, digest.unwrap_or_default().to_vec()),
        TcpOption::AccEcn(order, counters) => {
            let kind = match order {
                AccEcnOrder::E0First => kind::ACC_ECN_0,
                AccEcnOrder::E1First => kind::ACC_ECN_1,
            };
            (kind, counters.iter().flat_map(|counter| counter.to_be_bytes().into_iter().skip(1)).collect())
        }
        // Never injected: the parser refuses it.
        TcpOption::AccEcnCe(_) => (kind::ACC_ECN_1, Vec::new()),
        TcpOption::Other(kind, data) => (*kind, data.clone()),
    }
}

/// The options in `bytes`, one by one; one that is not as its kind demands comes as [`TcpOption::Other`].
pub(crate) fn live_options(bytes: &[u8]) -> Vec<TcpOption> {
    raw_options(bytes).map(|raw| known(raw.kind, raw.data)).collect()
}

fn known(kind: u8, data: &[u8]) -> TcpOption {
    let word = |at: usize| {
        data.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
    };
    match (kind, data) {
        (kind::NOP, []) => TcpOption::Nop,
        (kind::EOL, []) => TcpOption::Eol,
        (kind::MSS, [high, low]) => TcpOption::Mss(u16::from_be_bytes([*high, *low])),
        (kind::WINDOW_SCALE, [scale]) => TcpOption::WindowScale(*scale),
        (kind::SACK_PERMITTED, []) => TcpOption::SackPermitted,
        (kind::SACK, _) if !data.is_empty() && data.len().is_multiple_of(8) => {
            TcpOption::Sack((0..data.len() / 8).map(|i| (word(8 * i), word(8 * i + 4))).collect())
        }
        (kind::TIMESTAMPS, [_, _, _, _, _, _, _, _]) => TcpOption::Timestamps { val: word(0), ecr: word(4) },
        (kind::FAST_OPEN, _) => TcpOption::FastOpen { experimental: false, cookie: data.to_vec() },
        (kind::EXPERIMENT, [0xf9, 0x89, cookie @ ..]) => {
            TcpOption::FastOpen { experimental: true, cookie: cookie.to_vec() }
        }
        (kind::MD5, _) if data.len() == 16 => TcpOption::Md5(data.try_into().ok()),
        (kind::ACC_ECN_0 | kind::ACC_ECN_1, _) if data.len().is_multiple_of(3) => {
            let order = if kind == kind::ACC_ECN_0 { AccEcnOrder::E0First } else { AccEcnOrder::E1First };
            let counters = data.chunks_exact(3).map(|c| u32::from_be_bytes([0, c[0], c[1], c[2]])).collect();
            TcpOption::AccEcn(order, counters)
        }
        _ => TcpOption::Other(kind, data.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn options_come_back_as_they_went() {
        let options = vec![
            TcpOption::Mss(1460),
            TcpOption::SackPermitted,
            TcpOption::Timestamps { val: 1, ecr: 2 },
            TcpOption::Nop,
            TcpOption::WindowScale(7),
            TcpOption::FastOpen { experimental: true, cookie: vec![1, 2, 3, 4] },
            TcpOption::AccEcn(AccEcnOrder::E0First, vec![1, 2]),
        ];
        let bytes = encode_options(options.iter());
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(live_options(&bytes)[..options.len()], options);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = encode_options(live_options(&bytes).iter());
        }
    }
}
