//! Receive-buffer auto-tuning, "dynamic right-sizing" (S-31).
//!
//! Once per receive round-trip time, compares what the user took with the target of the round before and
//! grows the buffer so that the window is at least twice that. The round-trip time is the receiver's own
//! estimate: from timestamp echoes, or from the time that a whole window takes to arrive.

use super::window::{View, Window};
use crate::time::Instant;

/// The state of the estimator and of the current round.
#[derive(Debug)]
pub(super) struct AutoTune {
    /// When the current round began.
    round_began: Instant,
    /// Offset up to which the user had read then.
    round_read: u64,
    /// Where the window ended when the current measurement without timestamps began.
    rtt_edge: u64,
    /// When it began, [`Instant::NEVER`] before the first one.
    rtt_began: Instant,
    /// Bytes that the user took in the best round so far (`rcvq_space.space`), at least 1.
    pub space: u32,
    /// The estimate in eighths of a microsecond, 0 before the first sample.
    rtt_us8: u32,
    /// The last timestamp echo that gave a sample.
    last_echo: u32,
}

impl AutoTune {
    pub fn new(nxt: u64, now: Instant) -> AutoTune {
        AutoTune {
            round_began: now,
            round_read: nxt,
            rtt_edge: 0,
            rtt_began: Instant::NEVER,
            space: 1,
            rtt_us8: 0,
            last_echo: 0,
        }
    }

    /// The receiver's estimate of the round-trip time in microseconds, 0 before the first sample.
    pub fn rtt_us(&self) -> u32 {
        self.rtt_us8 >> 3
    }

    /// A sample. Those taken from windows only ever lower the estimate, because a slow sender makes them too
    /// long; those taken from timestamps raise it too, but not while the user lets data wait.
    fn sample(&mut self, sample_us: u32, from_window: bool, drained: bool) {
        let sample = sample_us.clamp(1, u32::MAX >> 3);
        if self.rtt_us8 == 0 || sample << 3 < self.rtt_us8 {
            self.rtt_us8 = sample << 3;
        } else if !from_window && drained {
            self.rtt_us8 = (self.rtt_us8 - (self.rtt_us8 >> 3)).saturating_add(sample);
        }
    }

    /// Data has arrived: the measurement without timestamps ends when a whole window has.
    pub fn data_received(&mut self, now: Instant, nxt: u64, window: u32) {
        if self.rtt_began != Instant::NEVER {
            if nxt < self.rtt_edge {
                return;
            }
            let span = u32::try_from(now.micros_since(self.rtt_began)).unwrap_or(u32::MAX);
            self.sample(span, true, false);
        }
        self.rtt_edge = nxt + u64::from(window);
        self.rtt_began = now;
    }

    /// A full-sized segment echoed the timestamp `echo` after `rtt_us` microseconds.
    pub fn echoed(&mut self, echo: u32, rtt_us: u32, full_sized: bool, drained: bool) {
        if echo == self.last_echo {
            return;
        }
        self.last_echo = echo;
        if full_sized && rtt_us > 0 {
            self.sample(rtt_us, false, drained);
        }
    }

    /// The user has read up to `read` while `waiting` bytes wait. When the round is over: the bytes taken
    /// in it, if they are more than ever before.
    fn round(&mut self, now: Instant, read: u64, waiting: u32) -> Option<u32> {
        if self.rtt_us8 == 0 || now.micros_since(self.round_began) < u64::from(self.rtt_us8 >> 3) {
            return None;
        }
        let taken = (read - self.round_read.min(read)).saturating_sub(u64::from(waiting));
        self.round_began = now;
        self.round_read = read;
        u32::try_from(taken).ok().filter(|taken| *taken > self.space)
    }
}

impl Window {
    /// The user has read: once a round, the buffer may grow (`tcp_rcv_space_adjust`). Returns true if so.
    pub fn user_read(&mut self, now: Instant, read: u64, waiting: u32, view: View<'_>) -> bool {
        match self.tune.round(now, read, waiting) {
            Some(taken) => self.grow_buffer(taken, 0, view),
            None => false,
        }
    }

    /// Makes the buffer large enough for a window of twice `taken` bytes and for the `ahead` bytes that
    /// wait out of order. When the sender speeds up, its next step is allowed for.
    pub fn grow_buffer(&mut self, taken: u32, ahead: u32, view: View<'_>) -> bool {
        let before = core::mem::replace(&mut self.tune.space, taken.max(1));
        if view.sysctl.tcp_moderate_rcvbuf == 0 || self.locked {
            return false;
        }
        let window = u64::from(taken) * 2;
        let growth = window * u64::from(taken.saturating_sub(before)) / u64::from(before.max(1));
        let window = window.saturating_add(growth.saturating_mul(2)).saturating_add(u64::from(ahead));
        let share = self.share(view.sysctl);
        let largest = u32::try_from(view.sysctl.tcp_rmem[2]).unwrap_or(0);
        let buffer = share.space_for(u32::try_from(window).unwrap_or(u32::MAX)).min(largest);
        if buffer <= self.buffer {
            return false;
        }
        self.buffer = buffer;
        self.clamp = share.window_from(buffer);
        true
    }
}
