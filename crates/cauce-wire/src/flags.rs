//! The nine control bits of a TCP header (RFC 9293 3.1, RFC 9768 for AE).

use core::fmt;
use core::ops::{BitAnd, BitOr, BitOrAssign, Sub};

/// A set of control bits. The three bits that are still reserved are never in it.
///
/// ```
/// use cauce_wire::Flags;
///
/// let syn_ack = Flags::SYN | Flags::ACK;
/// assert!(syn_ack.contains(Flags::SYN) && !syn_ack.intersects(Flags::FIN | Flags::RST));
/// assert_eq!(syn_ack - Flags::ACK, Flags::SYN);
/// assert_eq!(syn_ack.to_string(), "S.");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(pub u16);

impl Flags {
    /// No flag at all.
    pub const NONE: Flags = Flags(0);
    /// No more data from the sender.
    pub const FIN: Flags = Flags(0x001);
    /// Synchronize sequence numbers.
    pub const SYN: Flags = Flags(0x002);
    /// Reset the connection.
    pub const RST: Flags = Flags(0x004);
    /// Push.
    pub const PSH: Flags = Flags(0x008);
    /// The acknowledgment field is significant.
    pub const ACK: Flags = Flags(0x010);
    /// The urgent pointer is significant.
    pub const URG: Flags = Flags(0x020);
    /// ECN echo (RFC 3168); the low bit of the ACE counter in Accurate ECN.
    pub const ECE: Flags = Flags(0x040);
    /// Congestion window reduced (RFC 3168); the middle bit of the ACE counter.
    pub const CWR: Flags = Flags(0x080);
    /// Accurate ECN (RFC 9768); the high bit of the ACE counter.
    pub const AE: Flags = Flags(0x100);
    /// Every flag.
    pub const ALL: Flags = Flags(0x1ff);

    /// True when every flag of `other` is set.
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// True when at least one flag of `other` is set.
    pub const fn intersects(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    /// True when no flag is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The three-bit ACE counter: AE, CWR, ECE (RFC 9768 3.2.2).
    pub const fn ace(self) -> u8 {
        ((self.0 >> 6) & 7) as u8
    }

    /// The flags that carry the ACE counter `ace`, of which the low three bits count.
    pub const fn from_ace(ace: u8) -> Flags {
        Flags(((ace & 7) as u16) << 6)
    }

    /// The flags that packetdrill's letters stand for, in any order; a digit from 0 to 7 is the ACE counter and
    /// `-` alone no flag. `None` for anything else.
    ///
    /// ```
    /// use cauce_wire::Flags;
    ///
    /// assert_eq!(Flags::parse("P."), Some(Flags::PSH | Flags::ACK));
    /// assert_eq!(Flags::parse(".5"), Some(Flags::ACK | Flags::AE | Flags::ECE));
    /// assert_eq!(Flags::parse("X"), None);
    /// ```
    pub fn parse(letters: &str) -> Option<Flags> {
        if letters == "-" {
            return Some(Flags::NONE);
        }
        let mut flags = Flags::NONE;
        for letter in letters.chars() {
            flags |= match letter.to_digit(8) {
                Some(ace) => Flags::from_ace(ace as u8),
                None => LETTERS.iter().find(|(_, known)| known.starts_with(letter))?.0,
            };
        }
        (!letters.is_empty()).then_some(flags)
    }

    /// How many sequence numbers the flags themselves take: one for SYN, one for FIN.
    pub const fn sequence_len(self) -> u32 {
        (self.contains(Flags::SYN) as u32) + (self.contains(Flags::FIN) as u32)
    }
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

impl BitAnd for Flags {
    type Output = Flags;

    fn bitand(self, other: Flags) -> Flags {
        Flags(self.0 & other.0)
    }
}

impl Sub for Flags {
    type Output = Flags;

    /// These flags without those of `other`.
    fn sub(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }
}

/// packetdrill's letters: `S`, `F`, `R`, `P`, `U`, `.` for ACK, `E`, `W`, `A`, and `-` for none.
const LETTERS: [(Flags, &str); 9] = [
    (Flags::SYN, "S"),
    (Flags::FIN, "F"),
    (Flags::RST, "R"),
    (Flags::PSH, "P"),
    (Flags::URG, "U"),
    (Flags::ECE, "E"),
    (Flags::CWR, "W"),
    (Flags::AE, "A"),
    (Flags::ACK, "."),
];

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.intersects(Flags::ALL) {
            return f.write_str("-");
        }
        LETTERS
            .iter()
            .filter(|(flag, _)| self.contains(*flag))
            .try_for_each(|(_, letter)| f.write_str(letter))
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flags({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn letters_and_ace() {
        assert_eq!(Flags::NONE.to_string(), "-");
        assert_eq!((Flags::PSH | Flags::ACK).to_string(), "P.");
        assert_eq!((Flags::SYN | Flags::ECE | Flags::CWR).to_string(), "SEW");
        assert_eq!((Flags::AE | Flags::CWR | Flags::ECE).ace(), 7);
        assert_eq!(Flags::from_ace(5), Flags::AE | Flags::ECE);
        assert_eq!((Flags::SYN | Flags::FIN).sequence_len(), 2);
    }
}
