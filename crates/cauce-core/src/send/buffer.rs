//! The send buffer: how much a user may write ahead of what is acknowledged (O-30, S-54, A-11, A-43).
//!
//! As on Linux the buffer counts memory, not bytes, and is asked only when a new piece begins: a piece costs its bytes
//! and `PIECE_OVERHEAD`, a write overshoots by what fits into its last piece, and so does the room that a large
//! write gains by what leaves in the course of it. Nothing here sends; what would leave while the write goes on is
//! only reckoned with, and does leave when the stack is drained.

use super::write_queue::{PIECE_OVERHEAD, WriteQueue};
use crate::connection::{Connection, flag};
use crate::context::Context;
use crate::socket::options::{MIN_SNDBUF, flag as option};
use crate::socket::readiness::Readiness;

/// Most payload bytes of a super-segment (Linux: `gso_max_size` less the room for headers).
pub(crate) const MAX_SUPER: u32 = 65_536 - 257;
/// A segment's headers in its buffer, and what lies behind it there.
const SEGMENT_MEMORY: u32 = 256 + 320;
/// The descriptor beside each buffer.
const DESCRIPTOR: u32 = 256;

impl Connection {
    /// Appends up to `want` bytes by `append` (queue, bytes appended before, how many now), piece by piece, until
    /// the buffer is full. Returns how many were appended.
    pub(crate) fn fill_send_buffer(
        &mut self,
        want: usize,
        cx: &Context<'_>,
        append: &mut dyn FnMut(&mut WriteQueue, usize, usize),
    ) -> usize {
        let goal = self.piece_goal();
        let mut done = 0;
        // What would have left already, had each full piece been pushed at once.
        let mut gone = self.write.reckoned(self.snd.nxt);
        while done < want {
            let allowed = self.memory_allowance(cx);
            if allowed == 0 {
                break;
            }
            let last = self.write.last_piece(gone);
            let mut room =
                if self.write.ends_record(self.write.end()) { 0 } else { goal.saturating_sub(last) };
            if last == 0 || room == 0 {
                if !self.has_memory(0, cx) {
                    break;
                }
                self.write.begin_piece();
                room = goal;
            } else if done == 0 {
                self.write.take_push_back();
            }
            let len = (want - done).min(room.min(allowed) as usize);
            append(&mut self.write, done, len);
            done += len;
            if len as u64 == room && done < want {
                gone = self.push_full_piece(gone, cx);
                self.write.reckon(gone);
            }
        }
        done
    }

    /// Bytes that one piece takes: a super-segment, but not more than half of the peer's largest window.
    fn piece_goal(&self) -> u64 {
        let mss = u32::from(self.effective_mss());
        let device = MAX_SUPER.min(u32::from(self.path.max_super));
        let half = self.half_of_largest_window();
        let most = if half == 0 { device } else { device.min(half) };
        u64::from((most / mss * mss).max(mss))
    }

    /// More than half of the peer's largest window has been written since something was marked for PSH.
    pub(crate) fn push_is_overdue(&self) -> bool {
        self.write.end() > self.write.pushed_to() + u64::from(self.snd.max_wnd / 2)
    }

    /// The last piece is full in the middle of a write, and what precedes `gone` has left: reckons what leaves of
    /// it now. Returns the offset up to which everything has left then.
    fn push_full_piece(&mut self, gone: u64, cx: &Context<'_>) -> u64 {
        let (end, all) = (self.write.end(), self.push_is_overdue());
        if all {
            self.write.push();
        } else if self.write.last_piece(gone) < end - gone {
            // Older pieces wait before it, and they were pushed when they were full.
            return gone;
        }
        let mss = u64::from(self.effective_mss());
        let step = u64::from(self.super_segment_goal(cx));
        let out = u64::from(self.recovery.in_flight()) + (gone - self.snd.nxt).div_ceil(mss);
        let cwnd = u64::from(self.cong.cwnd());
        let mut room = cwnd.saturating_sub(out);
        if !all {
            room = room.min((cwnd / 2).max(1)).min(step);
        }
        let mut at = gone;
        while room > 0 && at < end {
            let window = self.window_end().saturating_sub(at);
            let len = (room.min(step) * mss).min(end - at).min(window);
            if window < (end - at).min(mss) {
                break;
            }
            room -= len.div_ceil(mss);
            at += len;
            if end - at < self.write.last_piece(gone) {
                self.write.split_last_piece(at);
            }
        }
        at
    }

    /// Memory that the write queue takes, in bytes (`sk_wmem_queued`).
    pub(crate) fn send_memory(&self) -> u64 {
        let records = self.recovery.queue().map_or(0, |queue| queue.len());
        self.write.len() as u64 + PIECE_OVERHEAD * (records + self.write.pieces()) as u64
    }

    /// The memory of all sockets is used up, and this one holds more than the least of it: as an orphan it is reset
    /// (Linux: `tcp_out_of_memory`).
    pub(crate) fn is_out_of_memory(&self, cx: &Context<'_>) -> bool {
        cx.memory.exhausted() && self.send_memory() > u64::from(MIN_SNDBUF)
    }

    /// Bytes that all sockets' memory still has for this write queue, whose newest bytes are not charged yet (S-30).
    fn memory_allowance(&self, cx: &Context<'_>) -> u64 {
        let held = self.write.len() as u64;
        let pending = held.saturating_sub(u64::from(self.charged));
        let promised = cx.sysctl.promised_to_send().saturating_sub(held);
        cx.memory.allowance(pending, held).max(promised)
    }

    /// Another piece may begin: the buffer is not full, and little is unsent. `wake` halves what counts as little,
    /// so that a writer who waits is woken only when it is worth while.
    fn has_memory(&self, wake: u32, cx: &Context<'_>) -> bool {
        let lowat = u64::from(self.options.notsent_lowat(cx.sysctl));
        self.send_memory() < u64::from(self.options.send_buffer) && self.unsent() << wake < lowat
    }

    /// There is enough room to be worth waking a writer: half of what is queued.
    pub(crate) fn is_writable(&self, lowat: u32) -> bool {
        let queued = self.send_memory();
        let room = u64::from(self.options.send_buffer).saturating_sub(queued);
        room > 0 && room >= queued / 2 && self.unsent() << 1 < u64::from(lowat)
    }

    /// After bytes left the write queue: wakes a writer who found it full.
    pub(crate) fn note_room(&mut self, cx: &Context<'_>) {
        let writable =
            || self.is_writable(self.options.notsent_lowat(cx.sysctl)) && self.memory_allowance(cx) > 0;
        if self.has(flag::WANTS_ROOM) && writable() {
            self.clear(flag::WANTS_ROOM);
            self.tell(Readiness::OUT);
        }
    }

    /// A writer waits although the network could take more: the buffer follows the congestion window, unless the
    /// user has fixed it (S-54).
    pub(crate) fn follow_writer(&mut self, cx: &Context<'_>) {
        if self.has(flag::WANTS_ROOM) {
            if self.recovery.in_flight() < self.cong.cwnd() {
                self.expand_send_buffer(cx);
            }
            self.note_room(cx);
        }
    }

    /// Makes the send buffer large enough for the congestion window, twice over (S-54).
    pub(crate) fn expand_send_buffer(&mut self, cx: &Context<'_>) {
        if self.options.has(option::SNDBUF_LOCK) || cx.memory.under_pressure() {
            return;
        }
        let segment = u32::from(self.mss).max(u32::from(self.negotiated.peer_mss)) + SEGMENT_MEMORY;
        let per_segment = segment.next_power_of_two() + DESCRIPTOR;
        let segments = self.cong.cwnd().max(10).max(self.recovery.reordering() + 1);
        let want = per_segment.saturating_mul(segments).saturating_mul(self.cong.sndbuf_expand());
        let most = cx.sysctl.tcp_wmem[2].max(0) as u32;
        self.options.send_buffer = self.options.send_buffer.max(want.min(most));
    }
}
