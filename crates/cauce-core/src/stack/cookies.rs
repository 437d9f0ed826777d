//! Handshakes without a record: the answer to a SYN whose sequence number holds what was agreed, and the ACK that brings it
//! back (RFC 4987 3.6; S-46).
//!
//! What a cookie holds is decided in `listen/syn_cookie`; when there is one, in `passive`.

use super::control_segment::build_segment;
use super::input::Arrived;
use super::{Entry, Stack};
use crate::connection::negotiated::default_mss;
use crate::connection::opening::{advertised_mss, opening_window};
use crate::connection::path::Path;
use crate::counters::Counter;
use crate::drop_reason::DropReason;
use crate::listen::syn_cookie::{self, COOKIE_LIFE, CookieOptions};
use crate::listen::syn_queue::{HalfOpen, HalfOpenFlags};
use crate::socket::SocketId;
use crate::time::Instant;
use cauce_wire::Flags;

impl Stack {
    /// The queue is full: the record goes into the sequence number of the answer (S-46).
    pub(super) fn answer_with_cookie(
        &mut self,
        id: SocketId,
        mut record: HalfOpen,
        arrived: &Arrived,
        now: Instant,
    ) {
        let theirs = &arrived.segment.header.options;
        let (iss, _) =
            self.cookies.encode(&record.key, record.irs, theirs.mss.unwrap_or(default_mss(&record.key)), now);
        record.iss = iss;
        // There is room for one bit at most: who asks for accurate ECN gets the classic one.
        let any_ecn = record.flags.intersects(HalfOpenFlags::ECN | HalfOpenFlags::ACC_ECN);
        record.flags.clear(HalfOpenFlags::ECN | HalfOpenFlags::ACC_ECN);
        if any_ecn && record.flags.contains(HalfOpenFlags::TIMESTAMPS) {
            record.flags |= HalfOpenFlags::ECN;
        }
        let mut spec = self.syn_ack_spec(&record, now);
        match &mut spec.options.timestamps {
            Some(ts) => {
                let carried = CookieOptions {
                    window_scale: theirs.window_scale.filter(|_| spec.options.window_scale.is_some()),
                    sack: spec.options.sack_permitted,
                    ecn: record.flags.contains(HalfOpenFlags::ECN),
                };
                let clock = now.as_millis() as u32;
                ts.val = syn_cookie::timestamp(clock, carried).wrapping_add(record.ts_offset);
            }
            // Without timestamps there is no room for what scale, SACK and ECN agreed on.
            None => {
                spec.options.window_scale = None;
                spec.options.sack_permitted = false;
            }
        }
        self.shared.counters.add(Counter::SyncookiesSent, 1);
        if let Some(Entry::Listener(listener)) = self.sockets.get_mut(id) {
            listener.last_cookie = Some(now);
        }
        self.queue_reply(build_segment(&spec));
    }

    /// An ACK out of the blue: the end of a handshake by cookie, or a stray.
    pub(super) fn maybe_cookie(&mut self, id: SocketId, arrived: Arrived, now: Instant) {
        let recent = match self.sockets.get(id) {
            Some(Entry::Listener(listener)) => {
                listener.last_cookie.is_some_and(|at| now.since(at) <= COOKIE_LIFE)
            }
            _ => false,
        };
        let possible = self.shared.sysctl.tcp_syncookies != 0 && !arrived.has(Flags::SYN) && recent;
        let record = if possible { self.decode_cookie(id, &arrived, now) } else { None };
        match record {
            Some(record) => {
                self.shared.counters.add(Counter::SyncookiesRecv, 1);
                if self.accept_queue_overflows(id, now) {
                    return;
                }
                self.complete_handshake(id, record, arrived, None, now);
            }
            None => {
                if possible {
                    self.shared.counters.add(Counter::SyncookiesFailed, 1);
                }
                self.shared.trace.dropped(now, DropReason::ListenNoSyn);
                self.reply_reset(&arrived, now);
            }
        }
    }

    fn decode_cookie(&self, id: SocketId, arrived: &Arrived, now: Instant) -> Option<HalfOpen> {
        let header = &arrived.segment.header;
        let mss = self.cookies.decode(&arrived.key, header.seq.0, header.ack.0, now)?;
        let mut record = self.half_open_record(id, arrived, Some(header.ack - 1), now)?;
        record.irs = (header.seq - 1).0;
        record.peer_mss = mss;
        record.flags = HalfOpenFlags::COOKIE;
        record.snd_wscale = 0;
        record.rcv_wscale = 0;
        if let Some(ts) = header.options.timestamps {
            let carried = syn_cookie::options(ts.ecr.wrapping_sub(record.ts_offset));
            record.flags |= HalfOpenFlags::TIMESTAMPS;
            if carried.sack {
                record.flags |= HalfOpenFlags::SACK;
            }
            if carried.ecn && self.still_accepts_ecn(id, arrived, now) {
                record.flags |= HalfOpenFlags::ECN;
            }
            if let Some(scale) = carried.window_scale {
                record.flags |= HalfOpenFlags::WINDOW_SCALE;
                record.snd_wscale = scale;
                record.rcv_wscale = self.offered_scale(id, arrived, now)?;
            }
        }
        Some(record)
    }

    /// The setting or the route may have changed since the cookie said yes.
    fn still_accepts_ecn(&self, id: SocketId, arrived: &Arrived, now: Instant) -> bool {
        self.shared.sysctl.tcp_ecn != 0 || self.path_back(id, arrived, now).is_some_and(|path| path.ecn)
    }

    fn path_back(&self, id: SocketId, arrived: &Arrived, now: Instant) -> Option<Path> {
        let query = self.options(id).ok()?.route_query();
        let path = self.interfaces.path(Some(arrived.key.local), arrived.key.remote, query, now);
        path.ok().map(|(path, _)| path)
    }

    fn offered_scale(&self, id: SocketId, arrived: &Arrived, now: Instant) -> Option<u8> {
        let Some(Entry::Listener(listener)) = self.sockets.get(id) else { return None };
        let path = self.path_back(id, arrived, now)?;
        let mss = advertised_mss(&path, &listener.options, &self.shared.sysctl);
        Some(opening_window(&listener.options, &path, mss, true, &self.shared.sysctl).scale)
    }
}
