//! A segment's text enters the receiver (RFC 9293 3.10.7.4, seventh and eighth step).
//!
//! Decides what of it is new, whether there is room, and where it is queued. Whether the segment is acceptable
//! at all was decided before, and what a FIN means to the connection is decided after.

use super::ack_policy::{MAX_QUICK_ACKS, SegmentShape};
use super::reassembly::Inserted;
use super::{FIN_ACK_WAITS, FIN_RECEIVED, NO_MEMORY, PathTimes, Payload, Receiver, SYN_TEXT, TIMESTAMPS};
use crate::context::Context;
use crate::counters::Counter;
use crate::drop_reason::DropReason;
use cauce_wire::Flags;

/// Bytes of the timestamp option as segments carry it.
const TIMESTAMP_OPTION: u32 = 12;
/// Smaller segments do not open the window.
const GROW_MIN: u32 = 128;

/// The text of a segment, or of a super-segment, and what else of it matters here.
#[derive(Clone, Debug)]
pub struct TextSegment {
    /// Offset of the first byte (past the SYN, if the segment has one).
    pub seq: u64,
    /// The bytes.
    pub payload: Payload,
    /// The header's flags.
    pub flags: Flags,
    /// Bytes of options in the TCP header.
    pub options_len: u8,
    /// How many segments it stands for.
    pub segments: u16,
    /// Payload of each of them but the last; 0 for a single segment.
    pub segment_size: u16,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextOutcome {
    /// Bytes by which the readable stream has grown, those that waited beyond a gap included.
    pub in_order_bytes: u32,
    /// The stream has reached the peer's FIN with this segment.
    pub fin_reached: bool,
    /// It lies beyond a gap and was queued there (or was there already).
    pub out_of_order: bool,
    /// All of it had been received before.
    pub duplicate: bool,
    /// The last gap is filled.
    pub filled_gap: bool,
    /// It was dropped, for this reason. It is counted already; the trace is told by whoever ends the packet.
    pub dropped: Option<DropReason>,
}

impl TextOutcome {
    fn dropped(reason: DropReason) -> TextOutcome {
        TextOutcome { dropped: Some(reason), ..TextOutcome::default() }
    }
}

/// The numbers of a segment in the making of a decision.
#[derive(Clone, Copy)]
struct Measures {
    len: usize,
    fin: bool,
    /// What it will cost to keep it.
    cost: u32,
    shape: SegmentShape,
}

impl Receiver {
    /// Takes the text of an acceptable segment in. Whether and when it is acknowledged is asked afterwards,
    /// with [`Receiver::ack_decision`].
    pub fn text(&mut self, mut segment: TextSegment, path: &PathTimes, cx: &mut Context<'_>) -> TextOutcome {
        let mut measures = self.measures(&segment);
        let end = segment.seq + measures.len as u64 + u64::from(measures.fin);
        if end == segment.seq {
            return TextOutcome::default();
        }
        if end <= self.nxt {
            self.old_duplicate(segment.seq, end, cx);
            self.policy.schedule();
            return TextOutcome { duplicate: true, ..TextOutcome::dropped(DropReason::DuplicateData) };
        }
        if self.fin_received() {
            return TextOutcome::dropped(DropReason::DataAfterFin);
        }
        let open = self.window.open(self.nxt);
        if segment.seq > self.nxt {
            if segment.seq >= self.nxt + u64::from(open) {
                return self.outside_window(DropReason::AfterWindow);
            }
            return self.beyond_gap(segment, measures, cx);
        }
        let known = (self.nxt - segment.seq) as usize;
        if known > 0 {
            self.report_duplicate(segment.seq, self.nxt, cx);
        }
        // A bare FIN needs no room.
        if open == 0 && !(measures.len == 0 && measures.fin) {
            cx.count(Counter::TCPZeroWindowDrop);
            return self.outside_window(DropReason::ZeroWindow);
        }
        if known > 0 {
            segment.payload.trim_front(known);
            measures.len = measures.len.saturating_sub(known);
        }
        self.in_order(segment, measures, path, cx)
    }

    /// A segment that was not acceptable repeats `start..end`, of which what lies below [`Receiver::nxt`] is
    /// reported as a duplicate (RFC 2883). An acknowledgement is owed at once.
    pub fn duplicate(&mut self, start: u64, end: u64, cx: &mut Context<'_>) {
        if start < end && start < self.nxt {
            self.old_duplicate(start, end.min(self.nxt), cx);
        }
        self.policy.schedule_now();
    }

    fn measures(&self, segment: &TextSegment) -> Measures {
        let len = segment.payload.len();
        let each = if segment.segment_size > 0 { usize::from(segment.segment_size).min(len) } else { len };
        Measures {
            len,
            fin: segment.flags.contains(Flags::FIN),
            cost: segment.payload.truesize,
            shape: SegmentShape {
                len: u32::try_from(each).unwrap_or(u32::MAX),
                options: u32::from(segment.options_len),
                constant_options: if self.marks & TIMESTAMPS != 0 { TIMESTAMP_OPTION } else { 0 },
                remnant: segment.flags.intersects(Flags::PSH | Flags::FIN | Flags::SYN | Flags::URG),
                push: segment.flags.contains(Flags::PSH),
            },
        }
    }

    /// What has been delivered came again: our acknowledgement was lost, or the peer was too quick.
    fn old_duplicate(&mut self, start: u64, end: u64, cx: &mut Context<'_>) {
        cx.count(Counter::DelayedACKLost);
        self.report_duplicate(start, end, cx);
        self.enter_quick_ack(MAX_QUICK_ACKS);
    }

    fn report_duplicate(&mut self, start: u64, end: u64, cx: &mut Context<'_>) {
        if !self.uses_sack() || cx.sysctl.tcp_dsack == 0 {
            return;
        }
        cx.count(if start < self.nxt { Counter::TCPDSACKOldSent } else { Counter::TCPDSACKOfoSent });
        self.rare.get_or_insert_default().report.set_duplicate(start, end);
    }

    fn outside_window(&mut self, reason: DropReason) -> TextOutcome {
        self.enter_quick_ack(MAX_QUICK_ACKS);
        self.policy.schedule();
        TextOutcome::dropped(reason)
    }

    fn in_order(
        &mut self,
        segment: TextSegment,
        measures: Measures,
        path: &PathTimes,
        cx: &mut Context<'_>,
    ) -> TextOutcome {
        let Measures { len, fin, cost, shape } = measures;
        let mut outcome = TextOutcome::default();
        if len > 0 {
            if !self.admit(cost, segment.seq, cx) {
                self.refuse_more();
                if !self.queue.is_empty() {
                    cx.count(Counter::TCPRcvQDrop);
                    return TextOutcome::dropped(DropReason::ReceiveQueueFull);
                }
                // What the user waits for is taken in any case: reading it is what gives memory back.
                cx.charge_forced(u64::from(cost), u64::from(self.window.charged));
                self.window.charged += cost;
            }
            let (actual, merged) = self.queue.push(segment.payload, len);
            self.settle(cost, actual, cx);
            if merged {
                cx.count(Counter::TCPRcvCoalesce);
            }
            self.advance(len as u32);
            outcome.in_order_bytes = len as u32;
            self.data_received(shape, len as u32, cost, path, cx);
        }
        if fin {
            if len == 0 && self.window.charged > self.window.buffer {
                self.refuse_more();
            }
            self.fin_arrived(cx);
        }
        if self.rare.is_some() {
            self.fill(&mut outcome, cx);
        }
        outcome.fin_reached = self.fin_received();
        outcome
    }

    /// The buffer is exceeded: the peer is told at once, by a window of zero.
    fn refuse_more(&mut self) {
        self.marks |= NO_MEMORY;
        self.policy.schedule_now();
    }

    fn advance(&mut self, count: u32) {
        self.nxt += u64::from(count);
        self.window.received(count);
    }

    /// What every in-order arrival teaches: the peer's segment size, its pace, and what its segments cost.
    fn data_received(
        &mut self,
        shape: SegmentShape,
        len: u32,
        cost: u32,
        path: &PathTimes,
        cx: &Context<'_>,
    ) {
        if self.marks & SYN_TEXT != 0 {
            // There is nothing yet that it could be measured against.
            return;
        }
        let offered = self.window.offered(self.nxt);
        if self.policy.measure(shape, self.mss) {
            self.window.measure_ratio(len, cost, self.nxt, cx.sysctl);
        }
        self.window.tune.data_received(cx.now, self.nxt, offered);
        self.policy.data_received(cx.now, offered, path.rto_us);
        if len >= GROW_MIN && self.window.grow(len, cost, self.view(cx)) {
            self.policy.hurry_one();
        }
    }

    fn fin_arrived(&mut self, cx: &mut Context<'_>) {
        self.advance(1);
        self.marks |= FIN_RECEIVED;
        self.policy.schedule();
        if self.marks & FIN_ACK_WAITS != 0 {
            self.policy.set_pingpong(true);
        } else {
            self.policy.schedule_now();
        }
        let Some(rare) = &mut self.rare else { return };
        let beyond = core::mem::take(&mut rare.reassembly);
        rare.report.forget_blocks();
        self.release(beyond.cost(), cx);
    }

    /// Moves what is in order now from reassembly to the user's queue.
    fn fill(&mut self, outcome: &mut TextOutcome, cx: &mut Context<'_>) {
        let Some(rare) = &mut self.rare else { return };
        let had_gap = !rare.reassembly.is_empty();
        let mut overlap: Option<(u64, u64)> = None;
        let (mut count, mut freed) = (0u32, 0u32);
        while let Some((at, mut chunk)) = rare.reassembly.pop_ready(self.nxt) {
            let end = at + chunk.len() as u64;
            if at < self.nxt {
                let twice = (at, end.min(self.nxt));
                overlap = Some(overlap.map_or(twice, |known| super::sack_report::union(known, twice)));
            }
            if end <= self.nxt {
                freed += chunk.cost();
                continue;
            }
            chunk.advance((self.nxt - at) as usize);
            count += (end - self.nxt) as u32;
            self.window.received((end - self.nxt) as u32);
            self.nxt = end;
            self.queue.push_chunk(chunk);
        }
        rare.reassembly.passed(self.nxt);
        let fin = rare.reassembly.fin_reached(self.nxt);
        rare.report.acknowledged(self.nxt);
        outcome.in_order_bytes += count;
        self.release(freed, cx);
        if let Some((start, end)) = overlap {
            let extended = self.rare.as_mut().is_some_and(|rare| rare.report.extend_duplicate(start, end));
            if !extended {
                self.report_duplicate(start, end, cx);
            }
        }
        if fin {
            self.fin_arrived(cx);
        }
        if had_gap && !self.has_gap() {
            outcome.filled_gap = true;
            self.policy.schedule_now();
            if let Some(rare) = &mut self.rare {
                rare.report.forget_blocks();
            }
        }
        self.tidy();
    }

    fn beyond_gap(&mut self, segment: TextSegment, measures: Measures, cx: &mut Context<'_>) -> TextOutcome {
        let Measures { len, fin, cost, shape } = measures;
        let (seq, end) = (segment.seq, segment.seq + len as u64 + u64::from(fin));
        if !self.admit(cost, seq, cx) {
            cx.count(Counter::TCPOFODrop);
            return TextOutcome::dropped(DropReason::OutOfOrderQueueFull);
        }
        if len > 0 && self.policy.measure(shape, self.mss) {
            self.window.measure_ratio(len as u32, cost, self.nxt, cx.sysctl);
        }
        self.policy.schedule();
        self.out_of_order = self.out_of_order.saturating_add(u32::from(segment.segments.max(1)));
        cx.count(Counter::TCPOFOQueue);
        let rare = self.rare.get_or_insert_default();
        let done = rare.reassembly.insert(seq, segment.payload, len, fin);
        let ahead = u32::try_from(rare.reassembly.end().saturating_sub(self.nxt)).unwrap_or(u32::MAX);
        self.settle(cost, done.added, cx);
        self.release(done.freed, cx);
        cx.count_by(Counter::TCPOFOMerge, u64::from(done.merged));
        if self.uses_sack() {
            self.report_queued(seq, end, &done, cx);
        }
        if !done.nothing_new {
            if self.uses_sack() && self.window.grow(len as u32, cost, self.view(cx)) {
                self.policy.hurry_one();
            }
            self.window.grow_buffer(self.window.tune.space, ahead, self.view(cx));
        }
        let dropped = done.nothing_new.then_some(DropReason::DuplicateOutOfOrder);
        TextOutcome { out_of_order: true, duplicate: done.nothing_new, dropped, ..TextOutcome::default() }
    }

    fn report_queued(&mut self, seq: u64, end: u64, done: &Inserted, cx: &mut Context<'_>) {
        if let Some((start, end)) = done.duplicate {
            self.report_duplicate(start, end, cx);
        }
        let rare = self.rare.get_or_insert_default();
        if rare.report.queued(seq, end) && !rare.held.is_idle() {
            self.policy.schedule_now();
        }
    }

    /// Charges `cost` to the buffer and to the stack, or refuses it after giving up what may be given up.
    fn admit(&mut self, cost: u32, incoming: u64, cx: &mut Context<'_>) -> bool {
        self.charge(cost, cx) || self.make_room(cost, incoming, cx)
    }

    fn charge(&mut self, cost: u32, cx: &mut Context<'_>) -> bool {
        let (held, promised) = (u64::from(self.window.charged), cx.sysctl.promised_to_receive());
        let fits = self.window.charged <= self.window.buffer && cx.charge(u64::from(cost), held, promised);
        if fits {
            self.window.charged = self.window.charged.saturating_add(cost);
        }
        fits
    }

    /// The estimate was charged; the queue tells what it has really become.
    fn settle(&mut self, charged: u32, actual: u32, cx: &mut Context<'_>) {
        if actual > charged {
            cx.charge_forced(u64::from(actual - charged), u64::from(self.window.charged));
            self.window.charged += actual - charged;
        } else {
            self.release(charged - actual, cx);
        }
    }

    #[cold]
    fn make_room(&mut self, cost: u32, incoming: u64, cx: &mut Context<'_>) -> bool {
        cx.count(Counter::PruneCalled);
        if self.window.charged > self.window.buffer {
            self.policy.calm();
            self.window.overcommitted(self.view(cx));
        } else if cx.memory.under_pressure() {
            self.window.ssthresh = self.window.ssthresh.min(4 * u32::from(self.mss));
        }
        if self.charge(cost, cx) {
            return true;
        }
        self.prune(cost, incoming, cx);
        if self.charge(cost, cx) {
            return true;
        }
        cx.count(Counter::RcvPruned);
        false
    }

    /// Gives up what lies farthest beyond the gap, an eighth of the buffer at a time, until `cost` fits. What
    /// lies before `incoming` is worth more than it and stays. The blocks that were reported no longer hold.
    fn prune(&mut self, cost: u32, incoming: u64, cx: &mut Context<'_>) {
        let (step, mut freed, mut pruned) = (self.window.buffer / 8, 0u32, false);
        let mut goal = step;
        let Some(rare) = &mut self.rare else { return };
        while let Some(gone) = rare.reassembly.drop_farthest(incoming) {
            pruned = true;
            freed += gone;
            self.window.charged -= gone;
            cx.release(u64::from(gone), u64::from(self.window.charged));
            if freed >= goal {
                let allowed = cx.memory.allowance(0, u64::from(self.window.charged));
                if self.window.charged <= self.window.buffer && allowed >= u64::from(cost) {
                    break;
                }
                goal = goal.saturating_add(step);
            }
        }
        if pruned {
            rare.report.forget_blocks();
            cx.count(Counter::OfoPruned);
            cx.dropped(DropReason::Pruned);
        }
    }
}
