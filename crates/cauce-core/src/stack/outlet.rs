//! The way out: replies first, then connections in turn; packets to this stack itself turn around here
//! (DESIGN 3: through a queue, never by recursion).

use super::interfaces::{LOOPBACK, NOWHERE};
use super::ip_counts::IpCounters;
use super::{Entry, Stack};
use crate::batch::{Batch, Token, Transmit};
use crate::connection::{flag, pending};
use crate::drop_reason::DropReason;
use crate::frame::{ChecksumState, FRAME_OVERHEAD, Frame};
use crate::time::Instant;
use bytes::Bytes;

/// Rounds of loopback that one call handles before the embedder gets a turn.
const LOOPBACK_ROUNDS: usize = 64;

impl Stack {
    /// Moves what may be sent into `out`, as far as it has room. Returns how many entries were added.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut Batch) -> usize {
        let before = out.len();
        for _ in 0..LOOPBACK_ROUNDS {
            self.drain_replies(now, out);
            self.drain_ready(now, out);
            self.drain_neighbours(now, out);
            if self.loopback.is_empty() {
                break;
            }
            self.take_loopback(now);
        }
        out.len() - before
    }

    /// The device has sent these entries.
    pub fn handle_transmitted(&mut self, now: Instant, tokens: &[Token]) {
        tokens.iter().for_each(|token| self.token_returned(*token, now));
    }

    /// A packet is out of the stack's and the devices' hands.
    pub(super) fn token_returned(&mut self, token: Token, now: Instant) {
        let Some(id) = token.socket else { return };
        if let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) {
            let mut cx = self.shared.cx(now);
            conn.left_device(token.bytes, token.end, &mut cx);
            if conn.is_pending(pending::EVENT | pending::OUTPUT) {
                self.settle(id, now);
            }
        }
    }

    fn drain_replies(&mut self, now: Instant, out: &mut Batch) {
        while out.room() > 0 {
            let Some(packet) = self.shared.replies.pop_front() else { return };
            self.dispatch(packet, now, out);
        }
    }

    fn drain_ready(&mut self, now: Instant, out: &mut Batch) {
        let mut turns = self.ready.len();
        while turns > 0 && out.room() > 0 {
            turns -= 1;
            let Some(id) = self.ready.pop_front() else { return };
            let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) else { continue };
            conn.clear(flag::IN_READY);
            let start = out.len();
            let mut cx = self.shared.cx(now);
            if conn.has(flag::SUSPECT) {
                conn.clear(flag::SUSPECT);
                self.interfaces.advise_against(conn, now);
            }
            if conn.path.generation != self.interfaces.generation() {
                self.interfaces.refresh(conn, &mut cx);
            }
            conn.output(&mut cx, out);
            self.settle(id, now);
            self.redirect(start, now, out);
        }
    }

    /// A packet that this stack made: to the device, or back to this stack.
    fn dispatch(&mut self, packet: Transmit, now: Instant, out: &mut Batch) {
        let start = out.len();
        out.push(packet);
        self.redirect(start, now, out);
    }

    /// Takes entries for this stack itself and those without a way out of the batch, and gives those for layer-2 devices
    /// their link header.
    fn redirect(&mut self, start: usize, now: Instant, out: &mut Batch) {
        self.count_packets_sent(start, out);
        let stays = |packet: &Transmit| [LOOPBACK, NOWHERE].contains(&packet.device);
        let needs = out
            .iter()
            .skip(start)
            .any(|packet| stays(packet) || self.neighbours.mac(packet.device).is_some());
        if !needs {
            return;
        }
        for packet in out.split_off(start) {
            if packet.device == LOOPBACK {
                self.loop_back(packet, now);
            } else if packet.device == NOWHERE {
                self.lose(&packet, now);
            } else {
                self.send_on_link(packet, now, out);
            }
        }
    }

    /// A packet for which there is no way.
    fn lose(&mut self, packet: &Transmit, now: Instant) {
        self.token_returned(packet.token, now);
        let ip = IpCounters::of_packet(packet.header.get(usize::from(packet.network_offset)));
        self.shared.counters.add(ip.out_no_routes, 1);
        self.shared.trace.dropped(now, DropReason::Unroutable);
    }

    fn loop_back(&mut self, packet: Transmit, now: Instant) {
        self.token_returned(packet.token, now);
        if self.loopback.len() >= self.shared.sysctl.max_loopback_queue as usize {
            return self.shared.trace.dropped(now, DropReason::LoopbackQueueFull);
        }
        let len = packet.payload_len();
        let mut frame = Frame::new(Bytes::copy_from_slice(&packet.header));
        frame.truesize = frame.truesize.saturating_add(len as u32 + FRAME_OVERHEAD);
        frame.frags = packet.payload.into_vec();
        frame.device = LOOPBACK;
        frame.checksum = ChecksumState::Partial;
        if let Some(gso) = packet.gso {
            (frame.segments, frame.segment_size) = (gso.segments, gso.size);
        }
        self.loopback.push_back(frame);
    }

    fn take_loopback(&mut self, now: Instant) {
        for _ in 0..self.loopback.len() {
            let Some(frame) = self.loopback.pop_front() else { return };
            // Nobody outside sent it, so nobody outside is owed what is not TCP.
            let _ = self.ip_input(frame, now);
        }
    }
}
