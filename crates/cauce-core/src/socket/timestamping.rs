//! SO_TIMESTAMPING: which moments of a socket's packets are reported, and to whom.
//!
//! The bits and their rules are those of Linux. What a device with a clock of its own could add (TX_HARDWARE,
//! RX_HARDWARE and their kin) is accepted and never reported, as on a device without such a clock.

use crate::connection::state::State;
use crate::socket::errno::Errno;

/// A set of SOF_TIMESTAMPING_* bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timestamping(u32);

impl Timestamping {
    /// Nothing is reported.
    pub const NONE: Timestamping = Timestamping(0);
    /// The device has taken the packet.
    pub const TX_SOFTWARE: u32 = 1 << 1;
    /// The packet has arrived.
    pub const RX_SOFTWARE: u32 = 1 << 3;
    /// Stamps of the system's clock are handed out.
    pub const SOFTWARE: u32 = 1 << 4;
    /// Notices carry the offset of the byte that they are about.
    pub const OPT_ID: u32 = 1 << 7;
    /// The packet has been queued to the device.
    pub const TX_SCHED: u32 = 1 << 8;
    /// The peer has acknowledged everything up to the byte.
    pub const TX_ACK: u32 = 1 << 9;
    /// Notices do not carry the packet.
    pub const OPT_TSONLY: u32 = 1 << 11;
    /// Notices carry statistics of the connection.
    pub const OPT_STATS: u32 = 1 << 12;
    /// The device's clock is named.
    pub const BIND_PHC: u32 = 1 << 15;
    /// Offsets count from what has been written, not from what is acknowledged.
    pub const OPT_ID_TCP: u32 = 1 << 16;

    const KNOWN: u32 = (1 << 19) - 1;
    /// The bits that ask for notices of sent bytes.
    const TX: u32 = Self::TX_SOFTWARE | Self::TX_SCHED | Self::TX_ACK;

    /// Checks a value of the option.
    ///
    /// # Errors
    /// `EINVAL` for unknown bits, OPT_ID_TCP without OPT_ID, OPT_STATS without OPT_TSONLY; `EOPNOTSUPP` for
    /// the choice of a hardware clock.
    pub fn checked(bits: u32) -> Result<Self, Errno> {
        let asks = |bit: u32| bits & bit != 0;
        if bits & !Self::KNOWN != 0
            || asks(Self::OPT_ID_TCP) && !asks(Self::OPT_ID)
            || asks(Self::OPT_STATS) && !asks(Self::OPT_TSONLY)
        {
            return Err(Errno::EINVAL);
        }
        if asks(Self::BIND_PHC) { Err(Errno::EOPNOTSUPP) } else { Ok(Timestamping(bits)) }
    }

    /// Keys are offsets of a stream, so OPT_ID needs one.
    pub(crate) fn fits(self, state: State, before: Timestamping) -> Result<(), Errno> {
        let new_key = self.has(Self::OPT_ID) && !before.has(Self::OPT_ID);
        if new_key && matches!(state, State::Closed | State::Listen) { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// True when one of `bits` is set.
    pub const fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    /// The number that getsockopt returns.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// What one write asks for: the socket's bits, or those of its control message instead.
    pub(crate) fn for_write(self, control: Option<u32>) -> u8 {
        let wanted = control.map_or(self.0, |bits| bits) & Self::TX;
        (wanted >> 1) as u8 & 1 | ((wanted >> 7) as u8 & 0b110)
    }
}

/// The moment that a notice reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum StampKind {
    /// The device has taken the packet (SCM_TSTAMP_SND).
    Sent = 0,
    /// The packet has been queued to the device (SCM_TSTAMP_SCHED).
    Queued = 1,
    /// The peer has acknowledged it (SCM_TSTAMP_ACK).
    Acknowledged = 2,
}

impl StampKind {
    /// Its bit in what a write asks for.
    pub(crate) const fn bit(self) -> u8 {
        1 << self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What this kernel answers to each value.
    #[test]
    fn values_are_checked_as_linux_does() {
        for (bits, answer) in [
            (0, Ok(())),
            (88, Ok(())),
            (300, Ok(())),
            (1 << 18, Ok(())),
            (1 << 19, Err(Errno::EINVAL)),
            (1 << 12, Err(Errno::EINVAL)),
            (3 << 11, Ok(())),
            (1 << 16, Err(Errno::EINVAL)),
            (1 << 16 | 128, Ok(())),
            (1 << 15, Err(Errno::EOPNOTSUPP)),
            (u32::MAX, Err(Errno::EINVAL)),
        ] {
            assert_eq!(Timestamping::checked(bits).map(|_| ()), answer, "{bits:#x}");
        }
    }

    #[test]
    fn writes_ask_for_moments() {
        let all = Timestamping::checked(Timestamping::TX).unwrap();
        let bits = StampKind::Sent.bit() | StampKind::Queued.bit() | StampKind::Acknowledged.bit();
        assert_eq!(all.for_write(None), bits);
        assert_eq!(all.for_write(Some(Timestamping::TX_ACK)), StampKind::Acknowledged.bit());
        assert_eq!(Timestamping::NONE.for_write(Some(Timestamping::TX_SCHED)), StampKind::Queued.bit());
    }
}
