//! The stack's memory account: what all sockets' buffers hold together, and whether more may be held.
//!
//! Decides admission by the three limits of `tcp_mem` (low, pressure, high, in pages of 4 KiB; S-30): below
//! low nothing is regulated; above pressure, and from then on until the account is back at or below low, the
//! stack is *under pressure* and rooms shrink what they hold; beyond high nothing is admitted. It never frees
//! anything itself, and never looks at what the bytes are.

/// Bytes of one page, the unit of `tcp_mem`.
pub const PAGE: u64 = 4096;

/// Bytes held by write queues, receive queues, reassembly, half-open records, TIME-WAIT and error queues.
///
/// ```
/// use cauce_core::stack::memory::{Memory, PAGE};
/// let mut memory = Memory::new([8, 16, 24]);
/// assert!(memory.charge(17 * PAGE));
/// assert!(memory.under_pressure());
/// assert!(!memory.charge(8 * PAGE), "beyond high");
/// memory.release(9 * PAGE);
/// assert!(!memory.under_pressure());
/// ```
#[derive(Clone, Debug)]
pub struct Memory {
    used: u64,
    peak: u64,
    low: u64,
    pressure: u64,
    high: u64,
    under_pressure: bool,
    entered: u32,
}

impl Memory {
    /// An empty account with the limits of `tcp_mem`: low, pressure and high in pages.
    pub fn new(tcp_mem: [u64; 3]) -> Self {
        let mut memory =
            Memory { used: 0, peak: 0, low: 0, pressure: 0, high: 0, under_pressure: false, entered: 0 };
        memory.set_limits(tcp_mem);
        memory
    }

    /// Takes over new values of `tcp_mem`, in pages. Their order is not checked, as Linux does not; what is
    /// held already stays held.
    pub fn set_limits(&mut self, tcp_mem: [u64; 3]) {
        [self.low, self.pressure, self.high] = tcp_mem.map(|pages| pages.saturating_mul(PAGE));
        self.regulate();
    }

    /// Admits `bytes` more, or refuses them (`false`, nothing changes) because the account would exceed high.
    /// A refused receiver drops, a refused sender waits.
    #[must_use]
    pub fn charge(&mut self, bytes: u64) -> bool {
        let Some(used) = self.used.checked_add(bytes).filter(|used| *used <= self.high) else {
            self.enter_pressure();
            return false;
        };
        self.set(used);
        true
    }

    /// Admits `bytes` whatever the limits say, for the few things that must be held to give memory back: a
    /// FIN, or the segment that a full receiver waits for.
    pub fn charge_forced(&mut self, bytes: u64) {
        self.set(self.used.saturating_add(bytes));
    }

    /// Gives back `bytes` that were charged before.
    pub fn release(&mut self, bytes: u64) {
        debug_assert!(bytes <= self.used, "released {bytes} bytes of {}", self.used);
        self.used = self.used.saturating_sub(bytes);
        self.regulate();
    }

    /// Bytes held now.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// The most bytes ever held at once.
    pub fn peak(&self) -> u64 {
        self.peak
    }

    /// Pages held now, as `/proc/net/sockstat` shows them.
    pub fn pages(&self) -> u64 {
        self.used.div_ceil(PAGE)
    }

    /// Bytes that can still be charged before the account refuses.
    pub fn room(&self) -> u64 {
        self.high.saturating_sub(self.used)
    }

    /// True from the moment the account exceeds pressure until it is back at or below low.
    pub fn under_pressure(&self) -> bool {
        self.under_pressure
    }

    /// True when new orphans must be reset instead of kept: the account stands beyond high (Linux:
    /// `tcp_out_of_memory`).
    pub fn exhausted(&self) -> bool {
        self.used >= self.high
    }

    /// How often pressure was entered since this was last asked: what the counter `TCPMemoryPressures`
    /// grows by.
    pub fn take_pressures(&mut self) -> u32 {
        core::mem::take(&mut self.entered)
    }

    fn set(&mut self, used: u64) {
        self.used = used;
        self.peak = self.peak.max(used);
        self.regulate();
    }

    fn regulate(&mut self) {
        if self.used > self.pressure {
            self.enter_pressure();
        } else if self.used <= self.low {
            self.under_pressure = false;
        }
    }

    fn enter_pressure(&mut self) {
        if !self.under_pressure {
            self.under_pressure = true;
            self.entered = self.entered.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S-30 with 8 16 24: the total never exceeds high, pressure is entered once and left at low.
    #[test]
    fn s30_low_pressure_high() {
        let mut memory = Memory::new([8, 16, 24]);
        let mut held = 0;
        while memory.charge(1500) {
            held += 1500;
            assert_eq!(memory.under_pressure(), held > 16 * PAGE);
        }
        assert!(memory.used() <= 24 * PAGE && memory.used() + 1500 > 24 * PAGE);
        assert!(memory.pages() <= 24);
        while memory.used() > 8 * PAGE {
            assert!(memory.under_pressure(), "pressure holds until back at low");
            memory.release(1500);
        }
        assert!(!memory.under_pressure());
        assert_eq!(memory.take_pressures(), 1);
        assert_eq!(memory.take_pressures(), 0);
    }

    #[test]
    fn refusing_is_pressure_too() {
        let mut memory = Memory::new([8, 16, 24]);
        assert!(!memory.charge(25 * PAGE));
        assert_eq!(memory.used(), 0);
        assert!(memory.under_pressure());
        assert!(!memory.charge(u64::MAX));
        assert_eq!(memory.take_pressures(), 1);
        memory.release(0);
        assert!(!memory.under_pressure());
    }

    /// The order of the three values is not checked (S-30): 3 2 1 must neither panic nor go negative.
    #[test]
    fn unordered_limits_are_accepted() {
        let mut memory = Memory::new([3, 2, 1]);
        assert!(memory.charge(PAGE));
        assert!(memory.exhausted());
        assert!(!memory.charge(1));
        memory.charge_forced(2 * PAGE);
        assert_eq!((memory.used(), memory.peak()), (3 * PAGE, 3 * PAGE));
        memory.set_limits([8, 16, 24]);
        assert_eq!(memory.room(), 21 * PAGE);
        memory.release(3 * PAGE);
        assert_eq!(memory.used(), 0);
    }
}
