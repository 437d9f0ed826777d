//! The receiving half of a connection: reassembly, the user's queue, the window we offer, and when to
//! acknowledge (RFC 9293 3.8.6, RFC 5681 4.2, RFC 2018, RFC 2883, RFC 7323 2).
//!
//! [`Receiver`] owns what lies between "a segment with text was found acceptable" and "the user has read it".
//! It decides; it never sends: whoever emits a segment asks [`Receiver::window_field`] and
//! [`Receiver::sack_blocks`], and reports with [`Receiver::ack_sent`].
//!
//! What is rare (data beyond a gap, blocks to report, acknowledgements held back) lies in a box that exists
//! only while there is any of it. A drained, idle receiver owns no memory beside its own struct.

mod ack_policy;
mod acknowledge;
mod autotune;
mod chunk;
mod delivery;
mod initial_window;
mod read_queue;
mod reassembly;
mod sack_report;
mod space;
#[cfg(test)]
mod tests;
mod text;
mod window;

pub use ack_policy::AckDecision;
pub use chunk::Payload;
pub use initial_window::{InitialWindow, MAX_WINDOW_SCALE, WindowRequest, initial_window};
pub use sack_report::{MAX_SACK_BLOCKS, SackBlocks};
pub use text::{TextOutcome, TextSegment};
pub use window::MIN_RCVBUF;

use crate::context::Context;
use crate::time::Instant;
use ack_policy::AckPolicy;
use acknowledge::HeldAcks;
use alloc::boxed::Box;
use read_queue::ReadQueue;
use reassembly::Reassembly;
use sack_report::SackReport;
use window::{View, Window};

/// What the handshake has settled, and the socket's own settings.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverConfig {
    /// The receive buffer in bytes, as `SO_RCVBUF` reads it.
    pub rcvbuf: u32,
    /// True when the user has set it: auto-tuning is off.
    pub rcvbuf_locked: bool,
    /// The window and scale of our SYN, [`InitialWindow::without_scaling`] when the peer does not scale.
    pub initial: InitialWindow,
    /// The MSS that we advertised, less the timestamp option when timestamps are used.
    pub mss: u16,
    /// The MSS that we may send: a first guess at the peer's.
    pub peer_mss: u16,
    /// True when both sides use timestamps.
    pub timestamps: bool,
    /// True when the peer may be sent SACK blocks.
    pub sack: bool,
    /// `TCP_WINDOW_CLAMP` as the user has set it, 0 for none.
    pub user_clamp: u32,
    /// `SO_RCVLOWAT`, at least 1.
    pub low_water: u32,
    /// True in profiles where `tcp_adv_win_scale` splits the buffer (S-03).
    pub adv_win_scale: bool,
}

/// What the sending half knows of the path, for the delays of acknowledgements.
#[derive(Clone, Copy, Debug)]
pub struct PathTimes {
    /// The smoothed round-trip time in microseconds, 0 before the first sample.
    pub srtt_us: u32,
    /// The retransmission time-out in microseconds.
    pub rto_us: u32,
    /// Its minimum (the route's, the socket's or `tcp_rto_min_us`) in microseconds.
    pub rto_min_us: u32,
    /// The longest delay of an acknowledgement that the user allows, in microseconds.
    pub delack_max_us: u32,
    /// The route asks for acknowledgements without delay.
    pub quickack: bool,
}

/// The receiving half of a connection.
///
/// The memory it holds is charged to the stack's account. Before a receiver is dropped, [`Receiver::clear`]
/// must give it back.
#[derive(Debug)]
pub struct Receiver {
    nxt: u64,
    queue: ReadQueue,
    window: Window,
    policy: AckPolicy,
    rare: Option<Box<Rare>>,
    low_water: u32,
    out_of_order: u32,
    mss: u16,
    marks: u8,
}

/// What only a receiver in trouble has.
#[derive(Debug, Default)]
struct Rare {
    reassembly: Reassembly,
    report: SackReport,
    held: HeldAcks,
}

const SACK: u8 = 1;
const TIMESTAMPS: u8 = 2;
const FIN_RECEIVED: u8 = 4;
const USER_STOPPED: u8 = 8;
/// What arrived last found no memory: the next acknowledgement closes the window.
const NO_MEMORY: u8 = 16;
/// What arrives is the text of the SYN.
const SYN_TEXT: u8 = 32;

impl Receiver {
    /// A receiver whose peer's SYN stood at offset `irs`: the next byte expected is the one after it.
    pub fn new(irs: u64, config: &ReceiverConfig, cx: &Context<'_>) -> Receiver {
        let nxt = irs + 1;
        let window = Window::new(nxt, config, cx.now, cx.sysctl);
        let mark = |is: bool, bit: u8| if is { bit } else { 0 };
        Receiver {
            nxt,
            queue: ReadQueue::default(),
            policy: AckPolicy::new(cx.now, config.mss, config.peer_mss, window.offered(nxt)),
            window,
            rare: None,
            low_water: config.low_water.max(1),
            out_of_order: 0,
            mss: config.mss,
            marks: mark(config.sack, SACK) | mark(config.timestamps, TIMESTAMPS),
        }
    }

    /// The offset of the next byte expected (`rcv.nxt`); past the FIN once it has arrived in order.
    pub fn nxt(&self) -> u64 {
        self.nxt
    }

    /// Bytes that were offered and not used: what `rcv.wnd` is to a segment that arrives now.
    pub fn window(&self) -> u32 {
        self.window.open(self.nxt)
    }

    /// Just past the last byte that was offered. It never moves left (P-056), unless `tcp_shrink_window` is on or
    /// data that was offered room found no memory.
    pub fn right_edge(&self) -> u64 {
        self.window.right_edge(self.nxt)
    }

    /// What the last acknowledgement said: everything before it is known to the peer (`rcv_wup`).
    pub fn last_ack_sent(&self) -> u64 {
        self.nxt - u64::from(self.window.unacked())
    }

    /// The window as the last acknowledgement had it (`tcpi_rcv_wnd`).
    pub fn offered(&self) -> u32 {
        self.window.offered(self.nxt)
    }

    /// The offset of the next byte that the user reads.
    pub fn read_position(&self) -> u64 {
        self.nxt - self.queue.len() as u64 - u64::from(self.fin_received())
    }

    /// Bytes that wait for the user. A FIN is none.
    pub fn readable(&self) -> usize {
        self.queue.len()
    }

    /// True once the peer's FIN has arrived in order: what is readable is all there will be.
    pub fn fin_received(&self) -> bool {
        self.marks & FIN_RECEIVED != 0
    }

    /// The handshake is over: our own segments carry `mss` bytes, the peer's hardly more.
    pub fn expect_segments_of(&mut self, mss: u16) {
        self.policy.expect_at_most(mss);
    }

    /// True when nothing lies beyond a gap and more may come: Linux predicts headers only then.
    pub fn is_plain(&self) -> bool {
        !self.has_gap() && self.offered() > 0 && self.window.charged < self.window.buffer
    }

    /// True when a packet that costs `cost` fits into what Linux has reserved in whole pages for those that wait.
    pub fn has_memory_at_hand(&self, cost: u32) -> bool {
        let used = self.window.charged;
        used.next_multiple_of(space::PAGE as u32) - used >= cost
    }

    /// True while data, or a FIN, waits beyond a gap.
    pub fn has_gap(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| !rare.reassembly.is_empty())
    }

    /// Nothing has arrived beyond a gap but a FIN.
    pub fn lacks_all_but_fin(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.reassembly.is_only_fin())
    }

    /// The receive buffer in bytes, as `SO_RCVBUF` reads it.
    pub fn rcvbuf(&self) -> u32 {
        self.window.buffer
    }

    /// Sets the receive buffer, which ends auto-tuning. The offered window does not shrink (P-056). The value
    /// is raised to [`MIN_RCVBUF`]; doubling and `rmem_max` are the option's matter.
    pub fn set_rcvbuf(&mut self, bytes: u32) {
        self.window.buffer = bytes.max(MIN_RCVBUF);
        self.window.locked = true;
    }

    /// Bytes of the receive buffer in use, overhead included (`SK_MEMINFO_RMEM_ALLOC`).
    pub fn memory(&self) -> u32 {
        self.window.charged
    }

    /// Little more can arrive before the user reads: seven eighths of the buffer are in use, or the window has no room
    /// for another segment. Then `SO_RCVLOWAT` does not keep the user waiting.
    pub fn is_nearly_full(&self) -> bool {
        let window = &self.window;
        window.charged > window.buffer - (window.buffer >> 3)
            || window.open(self.nxt) <= self.policy.rcv_mss()
    }

    /// The largest window that may be offered, as `TCP_WINDOW_CLAMP` reads it.
    pub fn window_clamp(&self) -> u32 {
        self.window.limit()
    }

    /// `TCP_WINDOW_CLAMP` on an open connection (O-14): later windows stay within it, also when auto-tuning
    /// grows the buffer. What is offered already stays offered. Values below half of [`MIN_RCVBUF`] are
    /// raised to it, but for 0, which is for connections that are over.
    pub fn set_window_clamp(&mut self, bytes: u32) {
        self.window.set_user_clamp(bytes, self.nxt);
    }

    /// Sets `SO_RCVLOWAT` and returns what it has become: at least 1, at most half of the largest buffer. The
    /// buffer grows to hold it unless the user has set the buffer.
    pub fn set_low_water(&mut self, bytes: u32, cx: &Context<'_>) -> u32 {
        let largest = u32::try_from(cx.sysctl.tcp_rmem[2]).unwrap_or(0);
        let most = if self.window.locked { self.window.buffer } else { largest } / 2;
        self.low_water = bytes.min(most).max(1);
        if !self.window.locked {
            let space = self.window.share(cx.sysctl).space_for(self.low_water);
            self.window.buffer = self.window.buffer.max(space);
            self.window.clamp = self.window.clamp.max(self.low_water);
        }
        self.low_water
    }

    /// `SO_RCVLOWAT` in bytes.
    pub fn low_water(&self) -> u32 {
        self.low_water
    }

    /// The user wants no more data: windows are no longer opened for its sake.
    pub fn stop(&mut self) {
        self.marks |= USER_STOPPED;
    }

    /// A segment of `len` bytes echoed our timestamp `echo`, which was sent `rtt_us` microseconds ago: the
    /// receiver's own estimate of the round-trip time learns from it.
    pub fn note_rtt(&mut self, echo: u32, rtt_us: u32, len: u32) {
        let full_sized = len >= self.policy.rcv_mss();
        self.window.tune.echoed(echo, rtt_us, full_sized, self.queue.is_empty());
    }

    /// The receiver's estimate of the round-trip time in microseconds, 0 for none (`tcpi_rcv_rtt`).
    pub fn rtt_us(&self) -> u32 {
        self.window.tune.rtt_us()
    }

    /// Bytes that the user took in the best round so far (`tcpi_rcv_space`).
    pub fn rcv_space(&self) -> u32 {
        self.window.tune.space
    }

    /// The window that the peer's segments have earned (`tcpi_rcv_ssthresh`).
    pub fn rcv_ssthresh(&self) -> u32 {
        self.window.ssthresh
    }

    /// The estimated size of the peer's full segments (`tcpi_rcv_mss`).
    pub fn rcv_mss(&self) -> u32 {
        self.policy.rcv_mss()
    }

    /// The MSS that we advertised, less timestamps (`tcpi_advmss`).
    pub fn advertised_mss(&self) -> u16 {
        self.mss
    }

    /// The current delay of acknowledgements in microseconds (`tcpi_ato`).
    pub fn ato_us(&self) -> u32 {
        self.policy.ato_us()
    }

    /// When data last arrived in order (`tcpi_last_data_recv`).
    pub fn last_received(&self) -> Instant {
        self.policy.last_received()
    }

    /// Segments that arrived out of order (`tcpi_rcv_ooopack`).
    pub fn out_of_order_segments(&self) -> u32 {
        self.out_of_order
    }

    /// Gives up everything that is held, because the connection ends.
    pub fn clear(&mut self, cx: &mut Context<'_>) {
        self.queue = ReadQueue::default();
        self.rare = None;
        cx.release(u64::from(core::mem::take(&mut self.window.charged)), 0);
    }

    fn view<'a>(&self, cx: &'a Context<'_>) -> View<'a> {
        View {
            sysctl: cx.sysctl,
            nxt: self.nxt,
            rcv_mss: self.policy.rcv_mss(),
            advmss: u32::from(self.mss),
            pressure: cx.memory.under_pressure(),
        }
    }

    fn uses_sack(&self) -> bool {
        self.marks & SACK != 0
    }

    /// Frees the box of what is rare once there is none of it.
    fn tidy(&mut self) {
        if self.rare.as_ref().is_some_and(|rare| rare.is_idle()) {
            self.rare = None;
        }
    }
}

impl Rare {
    fn is_idle(&self) -> bool {
        self.reassembly.is_empty() && self.report.is_empty() && self.held.is_idle()
    }
}
