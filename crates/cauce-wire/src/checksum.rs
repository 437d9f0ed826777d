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
    let words = (words >> 16) + (words & 0xffff);
    ((words >> 16) + (words & 0xffff)) as u16
}

/// The folded sum of `bytes` in the machine's byte order; a last odd byte is padded with zero.
fn sum_words(bytes: &[u8]) -> u16 {
    const LANES: usize = 8;
    let mut lanes = [0u64; LANES];
    let mut blocks = bytes.chunks_exact(LANES * 4);
    for block in &mut blocks {
        for (lane, word) in lanes.iter_mut().zip(block.chunks_exact(4)) {
            *lane += u64::from(word.first_chunk::<4>().map_or(0, |word| u32::from_ne_bytes(*word)));
        }
    }
    let mut sum: u64 = lanes.iter().map(|lane| u64::from(fold(*lane))).sum();
    let mut words = blocks.remainder().chunks_exact(4);
    for word in &mut words {
        sum += u64::from(word.first_chunk::<4>().map_or(0, |word| u32::from_ne_bytes(*word)));
    }
    let mut last = [0; 4];
    for (to, from) in last.iter_mut().zip(words.remainder()) {
        *to = *from;
    }
    fold(sum + u64::from(u32::from_ne_bytes(last)))
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
