//! The Internet checksum (RFC 1071) and TCP's pseudo-header (RFC 9293 3.1).
//!
//! A [`Sum`] is the ones' complement sum of a run of bytes that may be given in pieces of any length, even or
//! odd. The code is portable and safe: independent 64-bit lanes over blocks of 64 bytes, which the compiler
//! turns into vector instructions. A device with a faster routine plugs its result in with
//! [`Sum::from_partial`] and [`Sum::merge`].
//!
//! ```
//! use cauce_wire::checksum::Sum;
//!
//! let mut sum = Sum::new();
//! sum.add_bytes(b"odd");
//! sum.add_bytes(b"and even");
//! let mut whole = Sum::new();
//! whole.add_bytes(b"oddand even");
//! assert_eq!(sum.finish(), whole.finish());
//! ```

use core::net::IpAddr;

/// A ones' complement sum in progress.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    /// 16-bit words in the machine's own byte order, folded lazily; stays far below 2^64.
    words: u64,
    /// An odd number of bytes has been added, so the next byte completes a word.
    odd: bool,
}

impl Sum {
    /// The sum of no bytes.
    pub const fn new() -> Sum {
        Sum { words: 0, odd: false }
    }

    /// The sum of an even number of bytes whose 16-bit big-endian words add up to `folded`, as
    /// [`Sum::folded`] returns it or a faster routine computed it.
    pub const fn from_partial(folded: u16) -> Sum {
        Sum { words: folded.to_be() as u64, odd: false }
    }

    /// Adds `bytes`, which follow whatever was added before.
    pub fn add_bytes(&mut self, bytes: &[u8]) {
        let part = sum_words(bytes);
        self.add_folded(part, self.odd);
        self.odd ^= bytes.len() % 2 == 1;
    }

    /// Adds the 16-bit number `value` in network order. Only at an even offset.
    pub fn add_u16(&mut self, value: u16) {
        debug_assert!(!self.odd);
        self.words += u64::from(value.to_be());
    }

    /// Adds the 32-bit number `value` in network order. Only at an even offset.
    pub fn add_u32(&mut self, value: u32) {
        debug_assert!(!self.odd);
        self.words += u64::from(value.to_be());
    }

    /// Adds the sum of other bytes, which start at an odd offset of the whole when `at_odd_offset` is true.
    /// It is the caller who knows the offsets; what is added next is taken to follow at an even one.
    ///
    /// ```
    /// use cauce_wire::checksum::Sum;
    ///
    /// let (mut a, mut b, mut whole) = (Sum::new(), Sum::new(), Sum::new());
    /// a.add_bytes(b"abc");
    /// b.add_bytes(b"defg");
    /// whole.add_bytes(b"abcdefg");
    /// a.merge(b, true);
    /// assert_eq!(a.folded(), whole.folded());
    /// ```
    pub fn merge(&mut self, other: Sum, at_odd_offset: bool) {
        self.add_folded(fold(other.words), at_odd_offset);
        self.odd = false;
    }

    /// The sum folded to 16 bits, not complemented: what a partial checksum field holds.
    pub const fn folded(&self) -> u16 {
        u16::from_be(fold(self.words))
    }

    /// The checksum: the complement of the folded sum. Write it with `to_be_bytes`. Bytes that contain a right
    /// checksum give 0.
    pub const fn finish(&self) -> u16 {
        !self.folded()
    }

    fn add_folded(&mut self, part: u16, swapped: bool) {
        self.words += u64::from(if swapped { part.swap_bytes() } else { part });
    }
}

/// Folds a sum of words to 16 bits with end-around carry.
const fn fold(words: u64) -> u16 {
    let words = (words >> 32) + (words & 0xffff_ffff);
    let words = (words >> 32) + (words & 0xffff_ffff);
    let words = (words >> 16) + (words & 0xffff);
    ((words >> 16) + (words & 0xffff)) as u16
}

/// The folded sum of `bytes` in the machine's byte order; a last odd byte is padded with zero.
fn sum_words(bytes: &[u8]) -> u16 {
    let whole = bytes.len() / BLOCK * BLOCK;
    let (blocks, rest) = bytes.split_at_checked(whole).unwrap_or((&[], bytes));
    let mut sum = if blocks.is_empty() { 0 } else { sum_blocks(blocks) };
    let mut words = rest.chunks_exact(4);
    for word in &mut words {
        sum += u64::from(word.first_chunk().map_or(0, |word| u32::from_ne_bytes(*word)));
    }
    sum += u64::from(match *words.remainder() {
        [a, b, c] => u32::from_ne_bytes([a, b, c, 0]),
        [a, b] => u32::from_ne_bytes([a, b, 0, 0]),
        [a] => u32::from_ne_bytes([a, 0, 0, 0]),
        _ => 0,
    });
    fold(sum)
}

/// Words that are summed side by side. Sixteen is what fills the vector registers of every common machine.
const LANES: usize = 16;
/// Bytes that a round of all lanes takes.
const BLOCK: usize = LANES * 4;

/// The sum of whole blocks of 32-bit words. No lane can overflow below 16 GiB.
fn sum_blocks(blocks: &[u8]) -> u64 {
    let mut lanes = [0u64; LANES];
    for block in blocks.chunks_exact(BLOCK) {
        for (lane, word) in lanes.iter_mut().zip(block.chunks_exact(4)) {
            *lane += u64::from(word.first_chunk().map_or(0, |word| u32::from_ne_bytes(*word)));
        }
    }
    lanes.iter().sum()
}

/// The checksum (complemented) of `bytes`; 0 when they contain a right one.
pub fn checksum(bytes: &[u8]) -> u16 {
    !u16::from_be(sum_words(bytes))
}

/// The sum of the pseudo-header that TCP, and ICMPv6 and UDP, put before a segment of `len` bytes
/// (RFC 9293 3.1, RFC 8200 8.1). Both addresses are of one family.
pub fn pseudo_header(src: IpAddr, dst: IpAddr, protocol: u8, len: usize) -> Sum {
    let mut sum = Sum::new();
    add_address(&mut sum, src);
    add_address(&mut sum, dst);
    sum.add_u16(u16::from(protocol));
    sum.add_u32(len as u32);
    sum
}

fn add_address(sum: &mut Sum, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => sum.add_u32(u32::from_ne_bytes(v4.octets()).to_be()),
        IpAddr::V6(v6) => v6.segments().into_iter().for_each(|word| sum.add_u16(word)),
    }
}

/// True when the TCP segment of `len` bytes in `parts` (header first) between these addresses has a right
/// checksum (P-040). A length that the parts do not add up to is wrong too.
pub fn verify_tcp<'a>(src: IpAddr, dst: IpAddr, parts: impl Iterator<Item = &'a [u8]>, len: usize) -> bool {
    let mut sum = pseudo_header(src, dst, crate::protocol::TCP, len);
    let mut given = 0;
    for part in parts {
        sum.add_bytes(part);
        given += part.len();
    }
    given == len && sum.finish() == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::net::{Ipv4Addr, Ipv6Addr};
    use etherparse::checksum::Sum16BitWords;
    use proptest::prelude::*;

    /// Bytes of all lengths that matter, with runs of 0xff, where carries are.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            proptest::collection::vec(prop_oneof![Just(0xffu8), any::<u8>()], 0..3000),
        ]
    }

    fn oracle(bytes: &[u8]) -> u16 {
        Sum16BitWords::new().add_slice(bytes).ones_complement().to_be()
    }

    #[test]
    fn rfc_1071_example() {
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        assert_eq!(checksum(&[]), 0xffff);
        assert_eq!(checksum(&[0xff; 4096]), 0);
    }

    proptest! {
        #[test]
        fn equals_the_oracle_p040(bytes in bytes()) {
            prop_assert_eq!(checksum(&bytes), oracle(&bytes));
        }

        #[test]
        fn pieces_sum_to_the_whole_p040(bytes in bytes(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let (mut sum, mut merged) = (Sum::new(), Sum::new());
            for pair in cuts.windows(2) {
                let piece = &bytes[pair[0]..pair[1]];
                sum.add_bytes(piece);
                let mut alone = Sum::new();
                alone.add_bytes(piece);
                merged.merge(Sum::from_partial(alone.folded()), pair[0] % 2 == 1);
            }
            prop_assert_eq!(sum.finish(), checksum(&bytes));
            prop_assert_eq!(merged.finish(), checksum(&bytes));
        }

        #[test]
        fn numbers_equal_their_bytes(a: u16, b: u32, before in proptest::collection::vec(any::<[u8; 2]>(), 0..9)) {
            let before = before.concat();
            let (mut numbers, mut bytes) = (Sum::new(), Sum::new());
            numbers.add_bytes(&before);
            numbers.add_u16(a);
            numbers.add_u32(b);
            bytes.add_bytes(&[&before[..], &a.to_be_bytes(), &b.to_be_bytes()].concat());
            prop_assert_eq!(numbers.folded(), bytes.folded());
        }

        #[test]
        fn tcp_checksums_equal_the_oracle_p040(v6: bool, addresses: [u128; 2], payload in bytes(), flip: prop::sample::Index) {
            let header = etherparse::TcpHeader::new(1, 2, 3, 4);
            let (src, dst, right): (IpAddr, IpAddr, u16) = if v6 {
                let [src, dst] = addresses.map(Ipv6Addr::from);
                let right = header.calc_checksum_ipv6_raw(src.octets(), dst.octets(), &payload).unwrap();
                (src.into(), dst.into(), right)
            } else {
                let [src, dst] = addresses.map(|address| Ipv4Addr::from(address as u32));
                let right = header.calc_checksum_ipv4_raw(src.octets(), dst.octets(), &payload).unwrap();
                (src.into(), dst.into(), right)
            };
            let mut segment = header.to_bytes().to_vec();
            segment.extend_from_slice(&payload);
            let mut sum = pseudo_header(src, dst, 6, segment.len());
            sum.add_bytes(&segment);
            prop_assert_eq!(sum.finish(), right);

            segment[16..18].copy_from_slice(&right.to_be_bytes());
            let verify = |segment: &[u8]| {
                let (head, rest) = segment.split_at(segment.len() / 2);
                verify_tcp(src, dst, [head, rest].into_iter(), segment.len())
            };
            prop_assert!(verify(&segment));
            prop_assert!(!verify_tcp(src, dst, [&segment[..]].into_iter(), segment.len() + 1));
            let bit = flip.index(segment.len() * 8);
            segment[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!verify(&segment));
        }
    }
}
