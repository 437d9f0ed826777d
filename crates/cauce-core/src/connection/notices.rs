//! What a write still owes to its user: time stamps of its last byte, and word that its memory is free again
//! (SO_TIMESTAMPING, MSG_ZEROCOPY; A-18).
//!
//! Both are marks at offsets of the stream. A stamp is due when the byte is queued to a device, when the
//! device has sent it, and when it is acknowledged; a zero-copy send is through when its bytes are
//! acknowledged and no device holds them any more. Repetitions are not stamped.

use super::Connection;
use crate::batch::Transmit;
use crate::context::Context;
use crate::socket::errno::Errno;
use crate::socket::error_queue::{ErrorMessage, ErrorOrigin, ZEROCOPY_COPIED};
use crate::socket::options::rare_flag;
use crate::socket::readiness::Readiness;
use crate::socket::timestamping::{StampKind, Timestamping};
use crate::time::Instant;
use alloc::collections::VecDeque;
use bytes::Bytes;

/// The marks of one connection.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    stamps: VecDeque<Stamp>,
    sends: VecDeque<ZeroCopySend>,
    /// The number of the next MSG_ZEROCOPY send.
    next_send: u32,
    /// Where the keys of OPT_ID count from.
    pub(crate) key_base: u64,
}

impl Notices {
    /// True when no write has asked for anything.
    pub(crate) fn is_unused(&self) -> bool {
        self.stamps.is_empty() && self.sends.is_empty() && self.next_send == 0 && self.key_base == 0
    }
}

#[derive(Debug)]
struct Stamp {
    /// The offset of the byte.
    at: u64,
    /// Moments that are still to be reported.
    due: u8,
    key: u32,
    /// The packet that carried it, unless OPT_TSONLY, and how much of it is headers.
    packet: Bytes,
    headers: usize,
    queued: bool,
}

#[derive(Debug)]
struct ZeroCopySend {
    /// The numbers of the sends; more than one when there were too many to tell apart.
    first: u32,
    last: u32,
    /// Just past their last byte.
    end: u64,
    copied: bool,
    /// Once acknowledged: bytes below the socket that still have to leave.
    below: Option<u32>,
}

impl Connection {
    /// A write of the user has ended at the end of the queue: notes what it asked for. Beyond `bound` marks,
    /// one mark stands for several writes: the newest stamp replaces the one before, as in a segment that
    /// carries both, and sends complete as a range.
    pub(crate) fn note_write(&mut self, control: Option<u32>, zero_copy: Option<bool>, bound: u32) {
        let (end, asked) = (self.write.end(), self.options.timestamping());
        let due = asked.for_write(control);
        if due != 0 {
            let notices = &mut self.rare_mut().notices;
            let key = if asked.has(Timestamping::OPT_ID) {
                (end - 1).wrapping_sub(notices.key_base) as u32
            } else {
                0
            };
            if notices.stamps.len() >= bound as usize {
                notices.stamps.pop_back();
            }
            notices.stamps.push_back(Stamp {
                at: end - 1,
                due,
                key,
                packet: Bytes::new(),
                headers: 0,
                queued: false,
            });
        }
        if let Some(copied) = zero_copy.filter(|_| self.options.has_rare(rare_flag::ZEROCOPY)) {
            let notices = &mut self.rare_mut().notices;
            let number = notices.next_send;
            notices.next_send = number.wrapping_add(1);
            let full = notices.sends.len() >= bound as usize;
            match notices.sends.back_mut().filter(|_| full) {
                Some(newest) => {
                    newest.copied |= copied;
                    (newest.last, newest.end, newest.below) = (number, end, None);
                }
                None => {
                    notices.sends.push_back(ZeroCopySend {
                        first: number,
                        last: number,
                        end,
                        copied,
                        below: None,
                    });
                }
            }
        }
    }

    /// A segment with new text is queued to its device.
    pub(crate) fn stamp_queued(&mut self, packet: &Transmit, end: u64, cx: &mut Context<'_>) {
        let Some(rare) = &mut self.rare else { return };
        let keep = !self.options.timestamping().has(Timestamping::OPT_TSONLY);
        let mut first = usize::MAX;
        for (index, stamp) in rare.notices.stamps.iter_mut().enumerate() {
            if stamp.at >= end {
                break;
            }
            if stamp.queued {
                continue;
            }
            stamp.queued = true;
            first = first.min(index);
            if keep {
                (stamp.packet, stamp.headers) = (packet.whole(), packet.header.len());
            }
        }
        if first != usize::MAX {
            self.report_stamps(StampKind::Queued, first, end, cx);
        }
    }

    /// A device has sent a packet whose payload ended at `end`, and `bytes` fewer lie below the socket.
    pub(crate) fn left_device(&mut self, bytes: u32, end: u64, cx: &mut Context<'_>) {
        self.lighten_below(bytes);
        if self.rare.is_none() {
            return;
        }
        self.report_stamps(StampKind::Sent, 0, end, cx);
        if let Some(rare) = &mut self.rare {
            for send in &mut rare.notices.sends {
                if let Some(below) = &mut send.below {
                    *below = below.saturating_sub(bytes);
                }
            }
        }
        self.complete_sends(cx);
    }

    /// `snd.una` has advanced.
    pub(crate) fn notices_acknowledged(&mut self, cx: &mut Context<'_>) {
        if self.rare.is_none() {
            return;
        }
        let (una, below) = (self.snd.una, self.snd.below);
        self.report_stamps(StampKind::Acknowledged, 0, una, cx);
        if let Some(rare) = &mut self.rare {
            let notices = &mut rare.notices;
            while notices.stamps.front().is_some_and(|stamp| stamp.at < una) {
                notices.stamps.pop_front();
            }
            for send in notices.sends.iter_mut().filter(|send| send.end <= una && send.below.is_none()) {
                send.below = Some(below);
            }
        }
        self.complete_sends(cx);
    }

    /// The connection ends: no device and no peer will say more about its bytes.
    pub(crate) fn end_notices(&mut self, cx: &mut Context<'_>) {
        let Some(rare) = &mut self.rare else { return };
        rare.notices.stamps.clear();
        rare.notices.sends.iter_mut().for_each(|send| send.below = Some(0));
        self.complete_sends(cx);
    }

    /// Reports `kind` for every byte before `end`, from the stamp at `first` on.
    fn report_stamps(&mut self, kind: StampKind, first: usize, end: u64, cx: &mut Context<'_>) {
        let hands_out = self.options.timestamping().has(Timestamping::SOFTWARE);
        let timestamp = hands_out.then_some(cx.now);
        let mut index = first;
        loop {
            let Some(rare) = &mut self.rare else { return };
            let Some(stamp) = rare.notices.stamps.get_mut(index) else { return };
            if stamp.at >= end {
                return;
            }
            index += 1;
            if stamp.due & kind.bit() == 0 || !stamp.queued {
                continue;
            }
            stamp.due &= !kind.bit();
            // What is acknowledged is text: Linux keeps it without headers.
            let from = if kind == StampKind::Acknowledged { stamp.headers } else { 0 };
            let (data, payload) = (stamp.key, stamp.packet.slice(from..));
            let message = ErrorMessage {
                payload,
                errno: Some(Errno::ENOMSG),
                origin: ErrorOrigin::Timestamping,
                info: kind as u32,
                data,
                timestamp,
                ..self.empty_message()
            };
            self.queue_error(message, cx);
        }
    }

    /// Tells of the zero-copy sends that are through, in their order.
    fn complete_sends(&mut self, cx: &mut Context<'_>) {
        loop {
            let Some(rare) = &mut self.rare else { return };
            let Some(ZeroCopySend { first, last, copied, below: Some(0), .. }) = rare.notices.sends.front()
            else {
                return;
            };
            let (info, data, code) = (*first, *last, if *copied { ZEROCOPY_COPIED } else { 0 });
            rare.notices.sends.pop_front();
            let message = ErrorMessage { code, info, data, ..self.empty_message() };
            self.queue_error(message, cx);
        }
    }

    /// A zero-copy notice about nothing, from which other messages are made.
    pub(crate) fn empty_message(&self) -> ErrorMessage {
        ErrorMessage {
            payload: Bytes::new(),
            errno: None,
            origin: ErrorOrigin::ZeroCopy,
            kind: 0,
            code: 0,
            info: 0,
            data: 0,
            offender: None,
            carrier: None,
            peer: self.key.remote(),
            timestamp: None,
        }
    }

    /// Appends a message to the socket's error queue, which makes it ready (POLLERR).
    pub(crate) fn queue_error(&mut self, message: ErrorMessage, cx: &mut Context<'_>) {
        if self.has(super::flag::ORPHAN) {
            return;
        }
        let bound = cx.sysctl.max_error_queue;
        if self.rare_mut().errors.push(message, bound) {
            self.tell(Readiness::ERR);
        }
    }

    /// When the newest byte of the last read arrived, for users who asked.
    pub(crate) fn read_stamp(&self) -> Option<Instant> {
        self.rare.as_ref().and_then(|rare| rare.arrivals.of_last_read())
    }
}
