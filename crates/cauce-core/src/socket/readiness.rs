//! What poll(2) would say of a socket (REQUIREMENTS ).
//!
//! This room turns a socket's state into event bits. Who waits for them, and how he is woken, is decided by
//! the face above: wakers in the tokio face, wait queues in the descriptor table.

use core::fmt;
use core::ops::{BitOr, BitOrAssign};

/// Event bits, with the values of poll(2).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Readiness(pub u16);

impl Readiness {
    /// Nothing.
    pub const NONE: Readiness = Readiness(0);
    /// A read returns data, the end of the stream or an error without waiting; a listener has a connection.
    pub const IN: Readiness = Readiness(0x001);
    /// An urgent byte can be read.
    pub const PRI: Readiness = Readiness(0x002);
    /// A write takes bytes, or fails, without waiting.
    pub const OUT: Readiness = Readiness(0x004);
    /// An error is pending.
    pub const ERR: Readiness = Readiness(0x008);
    /// Both directions are closed.
    pub const HUP: Readiness = Readiness(0x010);
    /// The peer has closed its direction.
    pub const RDHUP: Readiness = Readiness(0x2000);

    /// Everything.
    pub const ALL: Readiness = Readiness(0x201f);

    /// True when every bit of `other` is set.
    pub const fn contains(self, other: Readiness) -> bool {
        self.0 & other.0 == other.0
    }

    /// True when any bit of `other` is set.
    pub const fn intersects(self, other: Readiness) -> bool {
        self.0 & other.0 != 0
    }

    /// A read would not wait.
    pub const fn is_readable(self) -> bool {
        self.intersects(Readiness(Self::IN.0 | Self::RDHUP.0 | Self::HUP.0 | Self::ERR.0))
    }

    /// A write would not wait.
    pub const fn is_writable(self) -> bool {
        self.intersects(Readiness(Self::OUT.0 | Self::HUP.0 | Self::ERR.0))
    }
}

impl BitOr for Readiness {
    type Output = Readiness;
    fn bitor(self, other: Readiness) -> Readiness {
        Readiness(self.0 | other.0)
    }
}

impl BitOrAssign for Readiness {
    fn bitor_assign(&mut self, other: Readiness) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Self::IN, "IN"),
            (Self::PRI, "PRI"),
            (Self::OUT, "OUT"),
            (Self::ERR, "ERR"),
            (Self::HUP, "HUP"),
            (Self::RDHUP, "RDHUP"),
        ];
        let mut first = true;
        for (bit, name) in names {
            if self.contains(bit) {
                write!(f, "{}{name}", if first { "" } else { "+" })?;
                first = false;
            }
        }
        if first { f.write_str("0") } else { Ok(()) }
    }
}
