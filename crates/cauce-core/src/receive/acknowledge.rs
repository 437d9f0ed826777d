//! What the receiver says to its peer: when, with which window, with which blocks.
//!
//! Joins the policy of delayed acknowledgements with the window and with the acknowledgements of
//! out-of-order data, of which all but the first few are held back for a moment and sent as one (S-71).

use super::{AckDecision, NO_MEMORY, PathTimes, Receiver, SYN_TEXT, SackBlocks, USER_STOPPED};
use crate::context::Context;
use crate::counters::Counter;
use crate::time::{Duration, Instant};

/// Duplicate acknowledgements that are never held back: they start the peer's fast retransmit.
const PROMPT_DUPLICATES: u8 = 3;

/// Acknowledgements of out-of-order data that were held back.
#[derive(Debug)]
pub(super) struct HeldAcks {
    /// The cumulative acknowledgement that they repeat.
    nxt: u64,
    deadline: Instant,
    /// Until then they may wait for another deadline, to share its wake-up.
    latest: Instant,
    prompt: u8,
    count: u8,
}

impl Default for HeldAcks {
    fn default() -> Self {
        HeldAcks { nxt: 0, deadline: Instant::NEVER, latest: Instant::NEVER, prompt: 0, count: 0 }
    }
}

impl HeldAcks {
    pub fn is_idle(&self) -> bool {
        self.count == 0
    }

    /// Nothing is held any more. Returns how many were.
    fn take(&mut self) -> u8 {
        self.deadline = Instant::NEVER;
        core::mem::take(&mut self.count)
    }
}

impl Receiver {
    /// What is to be done about acknowledging, asked after the segments of a call were processed. A delay is
    /// armed by this answer; [`Receiver::delayed_ack_deadline`] and [`Receiver::held_ack_deadline`] then tell it.
    pub fn ack_decision(&mut self, path: &PathTimes, cx: &mut Context<'_>) -> AckDecision {
        if !self.policy.is_scheduled() {
            return AckDecision::None;
        }
        // In this order: looking at a scarce window ends the quick acknowledgements.
        if self.two_segments_wait(cx) || self.policy.must_be_now() || path.quickack {
            return AckDecision::Now;
        }
        if self.has_gap() { self.hold(path, cx) } else { self.policy.delay(cx.now, path) }
    }

    /// More than one full segment waits for its acknowledgement, and the window would not go back for it;
    /// when it would, the user's next read acknowledges.
    fn two_segments_wait(&mut self, cx: &Context<'_>) -> bool {
        if self.window.unacked() <= self.policy.rcv_mss() {
            return false;
        }
        if self.queue.len() < self.low_water as usize {
            return true;
        }
        let offer = self.window.offer(self.view(cx));
        if offer.scarce {
            self.policy.calm();
        }
        offer.window >= self.window.offered(self.nxt)
    }

    /// Out-of-order data: the first duplicates leave at once, later ones may be compressed into one.
    fn hold(&mut self, path: &PathTimes, cx: &Context<'_>) -> AckDecision {
        let (sack, nxt, rtt_us) = (self.uses_sack(), self.nxt, self.window.tune.rtt_us());
        let Some(rare) = self.rare.as_mut().filter(|_| sack) else { return AckDecision::Now };
        let held = &mut rare.held;
        if held.count >= cx.sysctl.tcp_comp_sack_nr {
            return AckDecision::Now;
        }
        if held.nxt != nxt {
            (held.nxt, held.prompt) = (nxt, 0);
        }
        if held.prompt < PROMPT_DUPLICATES {
            held.prompt += 1;
            return AckDecision::Now;
        }
        let rtt_us = if path.srtt_us != 0 { rtt_us.min(path.srtt_us) } else { rtt_us };
        // A twentieth of the round-trip time.
        let delay = cx.sysctl.tcp_comp_sack_delay_ns.min(u64::from(rtt_us) * 50);
        if delay == 0 {
            return AckDecision::Now;
        }
        if held.count == 0 {
            held.deadline = cx.now + Duration::from_nanos(delay);
            held.latest = held.deadline + Duration::from_nanos(cx.sysctl.tcp_comp_sack_slack_ns);
        }
        held.count += 1;
        AckDecision::Delayed(held.deadline)
    }

    /// True when an acknowledgement is owed, now or later.
    pub fn ack_due(&self) -> bool {
        self.policy.is_scheduled()
    }

    /// Owes the peer an acknowledgement at once, for a reason outside this room (ECN, a probe).
    pub fn ack_now(&mut self) {
        self.policy.schedule_now();
    }

    /// The next acknowledgements, at most `max`, leave at once; ping-pong mode ends.
    pub fn enter_quick_ack(&mut self, max: u8) {
        let window = self.window.offered(self.nxt);
        self.policy.enter_quick_mode(window, max);
    }

    /// The connection answers what it gets: acknowledgements wait for the answer.
    pub fn enter_pingpong(&mut self) {
        self.policy.set_pingpong(true);
    }

    /// Sets `TCP_QUICKACK` (O-11): 0 waits for answers; other values stop that, and even ones only this once.
    /// Returns true when an acknowledgement is to be sent now.
    pub fn set_quick_ack(&mut self, value: i32, cx: &mut Context<'_>) -> bool {
        self.policy.set_pingpong(value == 0);
        if value == 0 || !self.policy.is_scheduled() {
            return false;
        }
        self.policy.mark_pushed();
        let due = self.ack_after_read(true, cx);
        self.policy.set_pingpong(value & 1 == 0);
        due
    }

    /// Reads `TCP_QUICKACK`: true outside ping-pong mode.
    pub fn quick_ack(&self) -> bool {
        !self.policy.is_pingpong()
    }

    /// When a delayed acknowledgement must leave.
    pub fn delayed_ack_deadline(&self) -> Option<Instant> {
        self.policy.deadline()
    }

    /// When acknowledgements of out-of-order data that were held back must leave, as one.
    pub fn held_ack_deadline(&self) -> Option<Instant> {
        self.rare.as_ref().filter(|rare| !rare.held.is_idle()).map(|rare| rare.held.deadline)
    }

    /// When acknowledgements that are held must leave at the latest (`tcp_comp_sack_slack_ns`).
    pub fn held_ack_latest(&self) -> Instant {
        self.rare.as_ref().map_or(Instant::NEVER, |rare| rare.held.latest)
    }

    /// One of the two deadlines has passed. Returns true when an acknowledgement is to be sent.
    pub fn ack_timeout(&mut self, path: &PathTimes, cx: &mut Context<'_>) -> bool {
        if let Some(rare) = &mut self.rare
            && !rare.held.is_idle()
            && rare.held.deadline <= cx.now
        {
            // One of them is sent after all.
            rare.held.count -= 1;
            rare.held.deadline = Instant::NEVER;
            return true;
        }
        let due = self.policy.delay_ended(cx.now, path.rto_us);
        if due {
            cx.count(Counter::DelayedACKs);
        }
        due
    }

    /// The user has taken `copied` bytes: the buffer may grow, and the peer may have to learn of the room
    /// (RFC 1122 4.2.3.3). Returns true when an acknowledgement is to be sent now.
    pub fn window_update_due(&mut self, copied: usize, cx: &mut Context<'_>) -> bool {
        let (now, position) = (cx.now, self.read_position());
        let waiting = u32::try_from(self.queue.len()).unwrap_or(u32::MAX);
        self.window.user_read(now, position, waiting, self.view(cx));
        self.ack_after_read(copied > 0, cx)
    }

    fn ack_after_read(&mut self, copied: bool, cx: &mut Context<'_>) -> bool {
        if self.policy.is_scheduled() {
            let drained = copied && self.queue.is_empty() && self.policy.drained();
            if drained || self.window.unacked() > self.policy.rcv_mss() {
                return true;
            }
        }
        if !copied || self.fin_received() || self.marks & USER_STOPPED != 0 {
            return false;
        }
        let now = self.window.open(self.nxt);
        if now.saturating_mul(2) > self.window.limit() {
            return false;
        }
        let offer = self.window.offer(self.view(cx));
        if offer.scarce {
            self.policy.calm();
        }
        offer.window != 0 && offer.window >= now.saturating_mul(2)
    }

    /// The window that the segment which leaves now offers, in bytes. The right edge never moves left, but when
    /// there is no memory for what was offered.
    pub fn select_window(&mut self, cx: &mut Context<'_>) -> u32 {
        if self.marks & NO_MEMORY != 0 {
            self.window.close(self.nxt);
            return 0;
        }
        let before = self.window.offered(self.nxt);
        let (offer, wanted_zero) = self.window.select(self.view(cx));
        if offer.scarce {
            self.policy.calm();
        }
        if wanted_zero {
            cx.count(Counter::TCPWantZeroWindowAdv);
        }
        match (before, offer.window) {
            (0, 0) => {}
            (_, 0) => cx.count(Counter::TCPToZeroWindowAdv),
            (0, _) => cx.count(Counter::TCPFromZeroWindowAdv),
            _ => {}
        }
        offer.window
    }

    /// [`Receiver::select_window`] as the header of any segment but a SYN carries it (P-055).
    pub fn window_field(&mut self, cx: &mut Context<'_>) -> u16 {
        let window = self.select_window(cx) >> self.window.scale;
        u16::try_from(window).unwrap_or(u16::MAX)
    }

    /// The shift of our window field.
    pub fn window_scale(&self) -> u8 {
        self.window.scale
    }

    /// At most `max` SACK blocks for the acknowledgement that leaves now: a duplicate first, then the block of
    /// the newest segment, then older ones. A duplicate is handed out once.
    pub fn sack_blocks(&mut self, max: usize) -> SackBlocks {
        let blocks = match &mut self.rare {
            Some(rare) => rare.report.take(max),
            None => SackBlocks::new(),
        };
        self.tidy();
        blocks
    }

    /// Just past the last byte that SACK blocks have reported.
    pub fn reported_end(&self) -> Option<u64> {
        self.rare.as_ref().filter(|_| self.uses_sack()).and_then(|rare| rare.report.end())
    }

    /// How many SACK blocks the next acknowledgement would carry.
    pub fn sack_count(&self) -> usize {
        self.rare.as_ref().map_or(0, |rare| rare.report.len())
    }

    /// A segment has left that acknowledges [`Receiver::nxt`]: nothing is owed any more.
    pub fn ack_sent(&mut self, cx: &mut Context<'_>) {
        if let Some(rare) = &mut self.rare {
            cx.count_by(Counter::TCPAckCompressed, u64::from(rare.held.take()));
            self.tidy();
        }
        self.marks &= !NO_MEMORY;
        self.policy.ack_sent();
    }

    /// The peer's SYN,ACK is acknowledged by the data of a writer who waits for it, or when the longest delay is over.
    pub fn await_writer(&mut self, now: Instant) {
        self.enter_quick_ack(super::ack_policy::MAX_QUICK_ACKS);
        self.policy.delay_longest(now);
    }

    /// The text of a SYN comes next (Fast Open): neither the delay of acknowledgements nor the peer's segment size is
    /// learned from it.
    pub fn begin_syn_text(&mut self) {
        self.marks |= SYN_TEXT;
    }

    /// The SYN,ACK has left that acknowledges the text of a SYN (Fast Open): it offers the first window, `window`
    /// bytes, from behind that text.
    pub fn syn_text_acked(&mut self, window: u32, cx: &mut Context<'_>) {
        self.marks &= !SYN_TEXT;
        self.window.begin_at(self.nxt, window);
        self.ack_sent(cx);
    }

    /// Both SYNs have crossed: what is sent first is no answer to the peer's (Linux).
    pub fn crossed(&mut self) {
        self.policy.heard_nothing();
    }

    /// A segment with data has left: if it came soon after something was received, it was an answer.
    pub fn data_sent(&mut self, cx: &Context<'_>) {
        self.policy.data_sent(cx.now, cx.sysctl.tcp_pingpong_thresh);
    }
}
