//! The stack's memory account: what all sockets' buffers hold together, and whether more may be held.
//!
//! Decides admission by the three limits of `tcp_mem` (low, pressure, high, in pages of 4 KiB; S-30): below
//! low nothing is regulated; above pressure, and from then on until the account is back at or below low, the
//! stack is *under pressure*: rooms shrink what they hold, and no queue takes more than its share of high; beyond
//! high nothing is admitted but what each queue is promised (the first words of `tcp_rmem` and `tcp_wmem`). It never
//! frees anything itself, and never looks at what the bytes are.
//!
//! Linux shares among all sockets that exist; here only queues that hold something count, so that idle sockets do not
//! narrow the others.

use crate::time::Instant;

/// Bytes of one page, the unit of `tcp_mem`.
pub const PAGE: u64 = 4096;

/// Bytes held by write queues, receive queues and reassembly.
///
/// ```
/// use cauce_core::stack::memory::{Memory, PAGE};
/// let mut memory = Memory::new([8, 16, 24]);
/// assert!(memory.charge(17 * PAGE, 0, PAGE));
/// assert!(memory.under_pressure());
/// assert!(!memory.charge(8 * PAGE, 17 * PAGE, PAGE), "beyond high");
/// memory.release(9 * PAGE, 8 * PAGE);
/// assert!(!memory.under_pressure());
/// ```
#[derive(Clone, Debug)]
pub struct Memory {
    used: u64,
    peak: u64,
    /// Queues that hold something.
    holders: u32,
    limits: [u64; 3],
    low: u64,
    pressure: u64,
    high: u64,
    under_pressure: bool,
    /// When pressure began, as far as somebody noted it.
    since: Instant,
}

impl Memory {
    /// An empty account with the limits of `tcp_mem`: low, pressure and high in pages.
    pub fn new(tcp_mem: [u64; 3]) -> Self {
        let [low, pressure, high] = in_bytes(tcp_mem);
        Memory {
            used: 0,
            peak: 0,
            holders: 0,
            limits: tcp_mem,
            low,
            pressure,
            high,
            under_pressure: false,
            since: Instant::ZERO,
        }
    }

    /// Takes over new values of `tcp_mem`, in pages. Their order is not checked, as Linux does not; what is
    /// held already stays held.
    #[inline]
    pub fn set_limits(&mut self, tcp_mem: [u64; 3]) {
        if tcp_mem != self.limits {
            self.limits = tcp_mem;
            [self.low, self.pressure, self.high] = in_bytes(tcp_mem);
            self.regulate();
        }
    }

    /// Admits `bytes` more to a queue that holds `held`, or refuses them (`false`, nothing changes) because the account
    /// would exceed high, or under pressure the queue its share. A queue below `promised` is not refused. A refused
    /// receiver drops, a refused sender waits.
    #[must_use]
    pub fn charge(&mut self, bytes: u64, held: u64, promised: u64) -> bool {
        if held >= promised && bytes > self.allowance(0, held) {
            self.under_pressure = true;
            return false;
        }
        self.charge_forced(bytes, held);
        true
    }

    /// Admits `bytes` to a queue that holds `held` whatever the limits say, for the few things that must be held to give
    /// memory back: a FIN, or the segment that a full receiver waits for.
    pub fn charge_forced(&mut self, bytes: u64, held: u64) {
        self.holders = self.holders.saturating_add(u32::from(held == 0 && bytes > 0));
        self.used = self.used.saturating_add(bytes);
        self.peak = self.peak.max(self.used);
        self.regulate();
    }

    /// Takes back `bytes` that were charged before; the queue has `left` now.
    pub fn release(&mut self, bytes: u64, left: u64) {
        debug_assert!(bytes <= self.used, "released {bytes} bytes of {}", self.used);
        self.holders = self.holders.saturating_sub(u32::from(left == 0 && bytes > 0));
        self.used = self.used.saturating_sub(bytes);
        self.regulate();
    }

    /// How many bytes more a queue may take that holds `held`, of which `pending` are not charged yet.
    pub fn allowance(&self, pending: u64, held: u64) -> u64 {
        let used = self.used.saturating_add(pending);
        let room = self.high.saturating_sub(used);
        if self.under_pressure || used > self.pressure {
            let share = self.high / u64::from(self.holders.max(1));
            return room.min(share.saturating_sub(held));
        }
        room
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

    /// True from the moment the account exceeds pressure until it is back at or below low.
    pub fn under_pressure(&self) -> bool {
        self.under_pressure
    }

    /// True when orphans must be reset instead of kept: not a whole page is left below high (Linux:
    /// `tcp_out_of_memory`).
    pub fn exhausted(&self) -> bool {
        self.used.saturating_add(PAGE) > self.high
    }

    /// Notes when pressure began, or tells for how many milliseconds it lasted.
    pub(crate) fn clock_pressure(&mut self, now: Instant) -> u64 {
        if self.under_pressure {
            self.since = now;
        }
        now.since(self.since).as_millis() as u64
    }

    fn regulate(&mut self) {
        if self.used > self.pressure {
            self.under_pressure = true;
        } else if self.used <= self.low {
            self.under_pressure = false;
        }
    }
}

fn in_bytes(tcp_mem: [u64; 3]) -> [u64; 3] {
    tcp_mem.map(|pages| pages.saturating_mul(PAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S-30 with 8 16 24: the total never exceeds high, and pressure is left at low.
    #[test]
    fn s30_low_pressure_high() {
        let mut memory = Memory::new([8, 16, 24]);
        let mut held = 0;
        while memory.charge(1500, held, PAGE) {
            held += 1500;
            assert_eq!(memory.under_pressure(), held > 16 * PAGE);
        }
        assert!(memory.used() <= 24 * PAGE && memory.used() + 1500 > 24 * PAGE);
        assert!(memory.pages() <= 24);
        while memory.used() > 8 * PAGE {
            assert!(memory.under_pressure(), "pressure holds until back at low");
            held -= 1500;
            memory.release(1500, held);
        }
        assert!(!memory.under_pressure());
    }

    /// S-30: under pressure a queue takes no more than its share, and one below what it is promised takes more in any
    /// case.
    #[test]
    fn s30_shares() {
        let mut memory = Memory::new([8, 16, 24]);
        assert!(memory.charge(10 * PAGE, 0, PAGE));
        assert!(memory.charge(7 * PAGE, 0, PAGE));
        assert!(memory.under_pressure());
        assert_eq!(memory.allowance(0, 10 * PAGE), 2 * PAGE, "half of high");
        assert!(!memory.charge(2 * PAGE + 1, 10 * PAGE, PAGE));
        assert!(memory.charge(5 * PAGE, 7 * PAGE, PAGE));
        assert_eq!(memory.allowance(0, 10 * PAGE), 2 * PAGE);
        memory.release(10 * PAGE, 0);
        assert_eq!(memory.allowance(0, 12 * PAGE), 12 * PAGE, "one is left");
        assert!(memory.charge(20 * PAGE, PAGE - 1, PAGE), "promised");
        assert!(memory.exhausted());
    }

    #[test]
    fn refusing_is_pressure_too() {
        let mut memory = Memory::new([8, 16, 24]);
        assert!(!memory.charge(25 * PAGE, PAGE, PAGE));
        assert_eq!(memory.used(), 0);
        assert!(memory.under_pressure());
        assert!(!memory.charge(u64::MAX, PAGE, PAGE));
        memory.release(0, 0);
        assert!(!memory.under_pressure());
    }

    /// The order of the three values is not checked (S-30): 3 2 1 must neither panic nor go negative.
    #[test]
    fn unordered_limits_are_accepted() {
        let mut memory = Memory::new([3, 2, 1]);
        assert!(memory.charge(PAGE, 0, 0));
        assert!(!memory.charge(1, PAGE, 0));
        memory.charge_forced(2 * PAGE, PAGE);
        assert!(memory.exhausted());
        assert_eq!((memory.used(), memory.peak()), (3 * PAGE, 3 * PAGE));
        memory.set_limits([8, 16, 24]);
        assert_eq!(memory.allowance(PAGE, 3 * PAGE), 20 * PAGE);
        memory.release(3 * PAGE, 0);
        assert_eq!(memory.used(), 0);
    }
}
