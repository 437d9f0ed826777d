//! The counts of one connection that TCP_INFO shows (O-17, DESIGN 4.18).
//!
//! They are moved where the event happens; nothing is reconstructed later. What can be derived from the
//! sequence variables (bytes acknowledged, bytes received) is not counted twice.

use crate::time::Instant;

/// What the sender is waiting for, as the kernel's "chronograph" has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Waiting {
    /// Nothing is outstanding.
    #[default]
    Idle,
    /// Data is outstanding and nothing else holds it back.
    Busy,
    /// The peer's window holds data back.
    PeerWindow,
    /// The send buffer is too small for the path.
    SendBuffer,
}

/// Counts and clocks of one connection. Spans are counted in whole milliseconds between moments, so that no
/// rounding adds up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// Segments received.
    pub segs_in: u32,
    /// Segments sent.
    pub segs_out: u32,
    /// Received segments that carried data.
    pub data_segs_in: u32,
    /// Sent segments that carried data.
    pub data_segs_out: u32,
    /// Bytes sent again.
    pub bytes_retrans: u64,
    /// When data was last sent.
    pub last_data_sent: Instant,
    /// When data last arrived.
    pub last_data_recv: Instant,
    /// When an acknowledgement last arrived.
    pub last_ack_recv: Instant,
    busy_ms: u32,
    peer_window_ms: u32,
    send_buffer_ms: u32,
    /// In milliseconds of the embedder's clock, low bits.
    waiting_since: u32,
    waiting: Waiting,
}

impl Stats {
    /// A connection that begins now.
    pub fn new(now: Instant) -> Self {
        Stats { last_data_sent: now, last_data_recv: now, last_ack_recv: now, ..Stats::default() }
    }

    /// The handshake is over: the ages count from here, unless it `begins` nothing because text came with the SYN.
    pub fn established(&mut self, begins: bool, now: Instant) {
        (self.last_data_sent, self.last_ack_recv) = (now, now);
        if begins {
            self.last_data_recv = now;
        }
    }

    /// The sender waits for something else from now on.
    pub fn wait(&mut self, what: Waiting, now: Instant) {
        if what == self.waiting {
            return;
        }
        self.close_interval(now);
        self.waiting = what;
    }

    fn close_interval(&mut self, now: Instant) {
        let now = now.as_millis() as u32;
        let span = now.wrapping_sub(self.waiting_since);
        match self.waiting {
            Waiting::Idle => {}
            Waiting::Busy => self.busy_ms = self.busy_ms.wrapping_add(span),
            Waiting::PeerWindow => self.peer_window_ms = self.peer_window_ms.wrapping_add(span),
            Waiting::SendBuffer => self.send_buffer_ms = self.send_buffer_ms.wrapping_add(span),
        }
        self.waiting_since = now;
    }

    /// Microseconds spent with data outstanding, of it behind the peer's window, of it short of send buffer.
    pub fn limited_times(&self, now: Instant) -> (u64, u64, u64) {
        let mut closed = *self;
        closed.close_interval(now);
        let micros = |millis: u32| u64::from(millis) * 1_000;
        let (window, buffer) = (micros(closed.peer_window_ms), micros(closed.send_buffer_ms));
        (micros(closed.busy_ms) + window + buffer, window, buffer)
    }
}
