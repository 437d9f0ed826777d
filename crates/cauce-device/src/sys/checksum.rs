//! The Internet checksum (RFC 1071) at the speed of the machine.
//!
//! [`sum`] and [`copy_and_sum`] give the folded ones-complement sum of 16-bit big-endian words, the last
//! one padded with zero; [`Accumulator`] joins pieces, odd boundaries included. AVX2 is used where the
//! processor has it, 64-bit lanes elsewhere; the results are equal.

/// Joins the sums of consecutive pieces of one packet.
///
/// ```
/// use cauce_device::checksum::{Accumulator, sum};
/// let mut pieces = Accumulator::default();
/// pieces.add(&[1, 2, 3]);
/// pieces.add(&[4, 5]);
/// assert_eq!(pieces.folded(), sum(&[1, 2, 3, 4, 5]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Accumulator {
    sum: u64,
    odd: bool,
}

impl Accumulator {
    /// Starts from a sum of 16-bit words that is known already.
    pub const fn from_words(sum: u32) -> Self {
        Accumulator { sum: sum as u64, odd: false }
    }

    /// Adds the next bytes.
    #[inline]
    pub fn add(&mut self, bytes: &[u8]) {
        self.add_folded(sum(bytes), bytes.len());
    }

    /// Adds the next `len` bytes, whose own sum is known.
    #[inline]
    pub fn add_folded(&mut self, sum: u16, len: usize) {
        let sum = if self.odd { sum.swap_bytes() } else { sum };
        self.sum += u64::from(sum);
        self.odd ^= len & 1 == 1;
    }

    /// The sum so far, folded to 16 bits.
    #[inline]
    pub fn folded(self) -> u16 {
        fold(self.sum)
    }

    /// The complement of the sum: what a checksum field holds.
    #[inline]
    pub fn finish(self) -> u16 {
        !self.folded()
    }
}

/// The folded sum of `bytes`.
#[inline]
pub fn sum(bytes: &[u8]) -> u16 {
    #[cfg(target_arch = "x86_64")]
    if bytes.len() >= 64 && std::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, as was just asked (the answer is cached by the standard library).
        return unsafe { avx2::sum(bytes) };
    }
    portable(bytes)
}

/// Copies `from` to `to` and gives the folded sum of the bytes, in one pass.
///
/// # Panics
/// When the lengths differ.
#[inline]
pub fn copy_and_sum(to: &mut [u8], from: &[u8]) -> u16 {
    assert_eq!(to.len(), from.len(), "copying between buffers of one length");
    #[cfg(target_arch = "x86_64")]
    if from.len() >= 64 && std::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, and the lengths were just found equal.
        return unsafe { avx2::copy_and_sum(to, from) };
    }
    to.copy_from_slice(from);
    portable(to)
}

/// Folds a sum of 16-bit words (or of 32-bit ones: 2^16 is 1 modulo 65,535) to 16 bits.
#[inline]
pub(crate) const fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

/// 32-bit words in the machine's order summed in 64-bit lanes, then brought into network order.
#[inline]
fn portable(bytes: &[u8]) -> u16 {
    let mut lanes = [0u64; 4];
    let mut blocks = bytes.chunks_exact(16);
    for block in &mut blocks {
        for (lane, word) in lanes.iter_mut().zip(block.chunks_exact(4)) {
            *lane += u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
        }
    }
    fold_native(lanes.iter().sum::<u64>() + tail(blocks.remainder()))
}

/// The sum of a short end in the machine's order, padded with zero.
#[inline]
fn tail(bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(2);
    let mut sum = 0;
    for word in &mut words {
        sum += u64::from(u16::from_ne_bytes([word[0], word[1]]));
    }
    if let [last] = words.remainder() {
        sum += u64::from(u16::from_ne_bytes([*last, 0]));
    }
    sum
}

#[inline]
fn fold_native(sum: u64) -> u16 {
    u16::from_be(fold(sum))
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    //! Words are made signed by flipping their top bit, so that one multiply-add by ones adds pairs of them
    //! into 32-bit lanes; the bias of 32,768 a word is added back at the end.

    use super::{fold_native, tail};
    use core::arch::x86_64::*;

    /// Blocks of 32 bytes before a lane could overflow: each adds at most 2^16 to a lane's magnitude.
    const MOST_BLOCKS: usize = 16_384;

    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn sum(bytes: &[u8]) -> u16 {
        let (blocks, rest) = bytes.as_chunks::<32>();
        let mut total = 0u64;
        for run in blocks.chunks(MOST_BLOCKS) {
            let mut lanes = [_mm256_setzero_si256(); 2];
            let (pairs, single) = run.as_chunks::<2>();
            for [first, second] in pairs {
                // SAFETY: each block is 32 readable bytes; the load needs no alignment.
                let (first, second) = unsafe { (load(first), load(second)) };
                lanes[0] = _mm256_add_epi32(lanes[0], pairs_of(first));
                lanes[1] = _mm256_add_epi32(lanes[1], pairs_of(second));
            }
            for block in single {
                // SAFETY: as above.
                lanes[0] = _mm256_add_epi32(lanes[0], pairs_of(unsafe { load(block) }));
            }
            total += unbias(lanes, run.len());
        }
        fold_native(total + tail(rest))
    }

    /// `to` must be as long as `from`.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn copy_and_sum(to: &mut [u8], from: &[u8]) -> u16 {
        let (blocks, rest) = from.as_chunks::<32>();
        let (targets, target_rest) = to.as_chunks_mut::<32>();
        let mut total = 0u64;
        for (run, targets) in blocks.chunks(MOST_BLOCKS).zip(targets.chunks_mut(MOST_BLOCKS)) {
            let mut lanes = [_mm256_setzero_si256(); 2];
            for (index, (block, target)) in run.iter().zip(targets).enumerate() {
                // SAFETY: both blocks are 32 bytes, one readable and one writable, and need no alignment.
                let words = unsafe {
                    let words = load(block);
                    _mm256_storeu_si256(target.as_mut_ptr().cast(), words);
                    words
                };
                lanes[index & 1] = _mm256_add_epi32(lanes[index & 1], pairs_of(words));
            }
            total += unbias(lanes, run.len());
        }
        target_rest.copy_from_slice(rest);
        fold_native(total + tail(rest))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn load(block: &[u8; 32]) -> __m256i {
        // SAFETY: the block is 32 readable bytes; the load needs no alignment.
        unsafe { _mm256_loadu_si256(block.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn pairs_of(words: __m256i) -> __m256i {
        let signed = _mm256_xor_si256(words, _mm256_set1_epi16(i16::MIN));
        _mm256_madd_epi16(signed, _mm256_set1_epi16(1))
    }

    /// The lanes' total with the bias of 16 words a block added back.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn unbias(lanes: [__m256i; 2], blocks: usize) -> u64 {
        let mut total = blocks as i64 * 16 * 32_768;
        for lane in lanes {
            let mut words = [0i32; 8];
            // SAFETY: the array is 32 writable bytes; the store needs no alignment.
            unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), lane) };
            total += words.iter().map(|&word| i64::from(word)).sum::<i64>();
        }
        total as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 1071's own words, one at a time.
    fn plain(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for word in bytes.chunks(2) {
            sum += u32::from(u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or(0)]));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }

    #[test]
    fn extremes_do_not_overflow() {
        for byte in [0x00, 0xff, 0x80, 0x7f] {
            let bytes = vec![byte; 1_200_001];
            let same = |a: u16, b: u16| a % 0xffff == b % 0xffff;
            assert!(same(sum(&bytes), plain(&bytes)), "{byte:#x}");
            assert!(same(portable(&bytes), plain(&bytes)), "{byte:#x}");
            let mut copy = vec![1; bytes.len()];
            assert!(same(copy_and_sum(&mut copy, &bytes), plain(&bytes)));
            assert_eq!(copy, bytes);
        }
        assert_eq!((sum(&[]), sum(&[7])), (0, 0x0700));
    }

    proptest! {
        #[test]
        fn equal_to_the_plain_loop(bytes in prop::collection::vec(any::<u8>(), 0..3000), start in 0usize..40, cuts in prop::collection::vec(0usize..3000, 0..4)) {
            let bytes = &bytes[start.min(bytes.len())..];
            prop_assert_eq!(sum(bytes), plain(bytes));
            prop_assert_eq!(portable(bytes), plain(bytes));
            let mut copy = vec![0; bytes.len() + 3];
            prop_assert_eq!(copy_and_sum(&mut copy[3..], bytes), plain(bytes));
            prop_assert_eq!(&copy[3..], bytes);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Accumulator::default();
            let mut from = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                pieces.add(&bytes[from..cut]);
                from = cut;
            }
            prop_assert_eq!(pieces.folded(), plain(bytes));
        }
    }
}
