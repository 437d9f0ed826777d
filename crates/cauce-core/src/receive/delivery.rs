//! The user's side of the receiver: reading, peeking, discarding.
//!
//! All calls take what lies before a stop, which is where the caller has an urgent mark: reading does not
//! cross it (RFC 9293 3.8.5, A-20). None of them acknowledges; after a read the caller asks
//! [`Receiver::window_update_due`].

use super::Receiver;
use super::read_queue::copy_into;
use crate::context::Context;
use bytes::Bytes;

impl Receiver {
    /// Bytes that can be read before the offset `stop`, or all without one. A stop that lies at or before
    /// [`Receiver::read_position`] has been reached and stops nothing more.
    pub fn readable_before(&self, stop: Option<u64>) -> usize {
        let position = self.read_position();
        match stop {
            Some(stop) if stop > position => {
                self.queue.len().min(usize::try_from(stop - position).unwrap_or(usize::MAX))
            }
            _ => self.queue.len(),
        }
    }

    /// Shows up to `max` bytes to `sink`, part by part. It returns how many it has taken; fewer than shown
    /// end the read, and what it has not taken stays (a fault in the user's buffer loses nothing). Returns how
    /// many bytes were taken in all.
    pub fn read(
        &mut self,
        max: usize,
        stop: Option<u64>,
        sink: &mut dyn FnMut(&[u8]) -> usize,
        cx: &mut Context<'_>,
    ) -> usize {
        let taken = self.queue.read(max.min(self.readable_before(stop)), sink);
        self.release(taken.freed, cx);
        taken.bytes
    }

    /// Reads into a buffer. Returns how many bytes it got.
    pub fn read_into(&mut self, buffer: &mut [u8], stop: Option<u64>, cx: &mut Context<'_>) -> usize {
        self.read(buffer.len(), stop, &mut copy_into(buffer), cx)
    }

    /// Reads into several buffers, one after the other. Returns how many bytes they got.
    pub fn read_vectored(
        &mut self,
        buffers: &mut [&mut [u8]],
        stop: Option<u64>,
        cx: &mut Context<'_>,
    ) -> usize {
        let mut all = 0;
        for buffer in buffers {
            let count = self.read_into(buffer, stop, cx);
            all += count;
            if count < buffer.len() || stop == Some(self.read_position()) {
                break;
            }
        }
        all
    }

    /// Takes up to `max` bytes out without copying them: the part that lies in one piece, `None` when nothing
    /// is readable. The buffer behind it is no longer charged to this connection.
    pub fn read_bytes(&mut self, max: usize, stop: Option<u64>, cx: &mut Context<'_>) -> Option<Bytes> {
        let (bytes, freed) = self.queue.read_bytes(max.min(self.readable_before(stop)))?;
        self.release(freed, cx);
        Some(bytes)
    }

    /// Drops up to `count` bytes unread (`MSG_TRUNC`, A-14). Returns how many.
    pub fn discard(&mut self, count: usize, stop: Option<u64>, cx: &mut Context<'_>) -> usize {
        self.read(count, stop, &mut |part: &[u8]| part.len(), cx)
    }

    /// Shows up to `max` bytes from `skip` bytes after the read position on to `sink`, and keeps them
    /// (`MSG_PEEK`, `SO_PEEK_OFF`). Returns how many it has taken.
    pub fn peek(
        &self,
        skip: usize,
        max: usize,
        stop: Option<u64>,
        sink: &mut dyn FnMut(&[u8]) -> usize,
    ) -> usize {
        let there = self.readable_before(stop).saturating_sub(skip);
        self.queue.peek(skip, max.min(there), sink)
    }

    /// Peeks into a buffer. Returns how many bytes it got.
    pub fn peek_into(&self, skip: usize, buffer: &mut [u8], stop: Option<u64>) -> usize {
        self.peek(skip, buffer.len(), stop, &mut copy_into(buffer))
    }

    pub(super) fn release(&mut self, freed: u32, cx: &mut Context<'_>) {
        if freed != 0 {
            self.window.charged -= freed;
            cx.release(u64::from(freed), u64::from(self.window.charged));
        }
    }
}
