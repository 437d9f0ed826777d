//! Sequence numbers as headers carry them: 32 bits that wrap (RFC 9293 3.4).
//!
//! This is the only place with wrap-around arithmetic. Everything that is kept lives as a 64-bit stream offset
//! whose low 32 bits are the sequence number; [`Seq::offset_near`] leads from a header to an offset and
//! [`Seq::at`] back. `Seq` has no order, for there is none on a circle: compare with [`Seq::before`] and its
//! relatives, which are right as long as the two numbers are less than 2^31 apart.

use core::fmt;
use core::ops::{Add, Sub};

/// A sequence or acknowledgment number.
///
/// ```
/// use cauce_wire::Seq;
///
/// let near_the_wrap = Seq(u32::MAX - 9);
/// assert!(near_the_wrap.before(near_the_wrap + 20));
/// assert_eq!((near_the_wrap + 20).distance_from(near_the_wrap), 20);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Seq(pub u32);

impl Seq {
    /// The sequence number of the stream offset `offset`: its low 32 bits.
    pub const fn at(offset: u64) -> Seq {
        Seq(offset as u32)
    }

    /// The stream offset nearest to `reference` whose low 32 bits are this number.
    ///
    /// When two are equally near (2^31 away) the lower one is returned, as [`Seq::before`] has it. Offsets
    /// begin at 2^32, so that an older number than the stream's first is still representable; near the ends
    /// of the 64-bit range the result wraps.
    ///
    /// ```
    /// use cauce_wire::Seq;
    ///
    /// assert_eq!(Seq(5).offset_near(0x1_ffff_fff0), 0x2_0000_0005);
    /// assert_eq!(Seq(0xffff_fff0).offset_near(0x2_0000_0005), 0x1_ffff_fff0);
    /// ```
    pub const fn offset_near(self, reference: u64) -> u64 {
        let away = self.0.wrapping_sub(reference as u32) as i32;
        reference.wrapping_add(away as i64 as u64)
    }

    /// How far this number is after `earlier`; negative when it is before.
    pub const fn distance_from(self, earlier: Seq) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }

    /// True when this number comes before `other`.
    pub const fn before(self, other: Seq) -> bool {
        self.distance_from(other) < 0
    }

    /// True when this number is `other` or comes before it.
    pub const fn at_or_before(self, other: Seq) -> bool {
        !self.after(other)
    }

    /// True when this number comes after `other`.
    pub const fn after(self, other: Seq) -> bool {
        other.before(self)
    }

    /// True when this number is `other` or comes after it.
    pub const fn at_or_after(self, other: Seq) -> bool {
        !self.before(other)
    }
}

impl Add<u32> for Seq {
    type Output = Seq;

    fn add(self, count: u32) -> Seq {
        Seq(self.0.wrapping_add(count))
    }
}

impl Sub<u32> for Seq {
    type Output = Seq;

    fn sub(self, count: u32) -> Seq {
        Seq(self.0.wrapping_sub(count))
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seq({})", self.0)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn order_across_the_wrap_p044() {
        let last = Seq(u32::MAX);
        assert!(last.before(last + 1) && (last + 1).after(last));
        assert!(last.at_or_before(last) && last.at_or_after(last));
        assert_eq!((last + 1) - 1, last);
        assert_eq!(Seq(0).distance_from(last), 1);
        assert_eq!(last.distance_from(Seq(0)), -1);
    }

    proptest! {
        #[test]
        fn offset_near_keeps_the_low_bits_and_is_nearest_p044(seq: u32, reference in (1u64 << 32)..(1 << 63)) {
            let offset = Seq(seq).offset_near(reference);
            prop_assert_eq!(Seq::at(offset), Seq(seq));
            prop_assert!(offset.abs_diff(reference) <= 1 << 31);
        }

        #[test]
        fn offset_near_inverts_at_p044(reference in (1u64 << 32)..(1 << 63), away in -(1i64 << 31)..(1 << 31)) {
            let offset = reference.wrapping_add_signed(away);
            prop_assert_eq!(Seq::at(offset).offset_near(reference), offset);
        }

        #[test]
        fn comparisons_agree_with_offsets_p044(a in (1u64 << 32)..(1 << 63), away in -(1i64 << 31) + 1..(1 << 31)) {
            let b = a.wrapping_add_signed(away);
            let (x, y) = (Seq::at(a), Seq::at(b));
            prop_assert_eq!(x.before(y), a < b);
            prop_assert_eq!(x.at_or_before(y), a <= b);
            prop_assert_eq!(x.after(y), a > b);
            prop_assert_eq!(x.at_or_after(y), a >= b);
            prop_assert_eq!(i64::from(y.distance_from(x)), away);
        }
    }
}
