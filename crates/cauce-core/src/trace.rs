//! Typed events for whoever wants to watch the engine, each with the reason of what happened.
//!
//! A stack without a sink pays one test of an `Option` per event: the event itself is made by a closure that
//! never runs. A sink only looks; it cannot change what the engine does.

use crate::addr::FlowKey;
use crate::batch::SendReason;
use crate::drop_reason::DropReason;
use crate::recovery::phase::Phase;
use crate::socket::SocketId;
use crate::time::Instant;
use alloc::boxed::Box;
use core::fmt;

/// A segment as a trace shows it: the values of its header as they stand on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// The flow, seen from this host.
    pub flow: FlowKey,
    /// Sequence number of the first byte, or of the SYN.
    pub seq: u32,
    /// Acknowledgement number, meaningless without ACK.
    pub ack: u32,
    /// The header's flags, FIN in the lowest bit.
    pub flags: u16,
    /// The window field, unscaled.
    pub window: u16,
    /// Payload bytes.
    pub len: u32,
    /// How many segments a super-segment stands for, at least 1.
    pub segments: u16,
}

/// Why data counts as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossReason {
    /// RACK: something sent later was delivered, and the reordering window has passed (RFC 8985).
    Rack,
    /// As many duplicate ACKs or SACKed segments as the reordering metric asks (RFC 5681, 6675).
    DupThresh,
    /// Forward acknowledgement: the highest SACK is farther ahead than the reordering metric.
    Fack,
    /// A partial ACK in NewReno recovery (RFC 6582).
    PartialAck,
    /// The retransmission timer expired.
    Timeout,
    /// The peer dropped data that it had SACKed.
    Reneging,
    /// The path MTU shrank below the segment's size.
    PathMtu,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceEvent {
    /// A connection changed its state. The names are those of RFC 9293: `ESTABLISHED`, `FIN-WAIT-1`.
    StateChange {
        /// The state before.
        from: &'static str,
        /// The state after.
        to: &'static str,
        /// What made it change: a segment, a call or a timer, in a few words.
        reason: &'static str,
    },
    /// A segment arrived and found its flow.
    SegmentIn(SegmentInfo),
    /// A segment left.
    SegmentOut {
        /// Its header.
        segment: SegmentInfo,
        /// Why it was sent.
        reason: SendReason,
    },
    /// A packet or segment ended here.
    Dropped(DropReason),
    /// A timer was armed, or moved to another moment.
    TimerArmed {
        /// Its kind, such as `RTO` or `PERSIST`.
        timer: &'static str,
        /// When it expires.
        at: Instant,
    },
    /// A timer expired and was acted on.
    TimerFired {
        /// Its kind, such as `RTO` or `PERSIST`.
        timer: &'static str,
        /// How many times in a row it has fired for the same cause, from 1.
        count: u32,
    },
    /// The congestion window or the slow-start threshold changed. Both count segments.
    Congestion {
        /// The congestion window.
        cwnd: u32,
        /// The slow-start threshold.
        ssthresh: u32,
        /// Segments in flight.
        in_flight: u32,
        /// The phase of loss recovery.
        phase: Phase,
        /// The algorithm's name, or the rule that spoke instead of it (`prr`, `undo`, `idle`).
        by: &'static str,
    },
    /// Loss recovery went from one phase to another.
    PhaseChange {
        /// The phase before.
        from: Phase,
        /// The phase after.
        to: Phase,
    },
    /// A round-trip time was measured. Microseconds all.
    Rtt {
        /// The sample.
        sample_us: u32,
        /// The smoothed value that it led to.
        srtt_us: u32,
        /// The variation.
        rttvar_us: u32,
        /// The retransmission time-out that follows.
        rto_us: u32,
    },
    /// Data was marked lost. The range is in stream offsets.
    LossMarked {
        /// The first offset.
        start: u64,
        /// Just past the last one.
        end: u64,
        /// The rule that found it.
        reason: LossReason,
    },
    /// A congestion response was taken back because the loss had not happened.
    Undo {
        /// What proved it: `D-SACK`, `timestamps`, `F-RTO`.
        reason: &'static str,
    },
    /// The reordering metric grew.
    Reordering {
        /// Segments, as `tcpi_reordering` shows it.
        metric: u32,
    },
    /// A window was offered that differs from the one before, in bytes.
    WindowOffered {
        /// The window.
        window: u32,
        /// Free bytes in the receive buffer.
        space: u32,
    },
    /// The peer's window changed, in bytes.
    PeerWindow {
        /// The window, scaled.
        window: u32,
    },
    /// The path MTU changed, in bytes.
    PathMtu {
        /// The path MTU.
        mtu: u32,
        /// What changed it: `ICMP`, `probe`, `black hole`, `expired`.
        reason: &'static str,
    },
    /// A buffer grew by auto-tuning, in bytes.
    BufferGrown {
        /// `receive` or `send`.
        which: &'static str,
        /// The size now.
        bytes: u32,
    },
    /// The stack entered memory pressure or left it.
    MemoryPressure {
        /// True when it entered.
        on: bool,
        /// Pages in use.
        pages: u64,
    },
    /// A connection ended with an error for its user: the errno's name, such as `ETIMEDOUT`.
    Failed(&'static str),
}

/// Receives the events of a stack.
pub trait TraceSink: Send {
    /// One event: `at` is the moment of the door that was opened, `socket` is absent for events that concern
    /// no socket (packets for nobody, half-open and TIME-WAIT records, the stack itself).
    fn event(&mut self, at: Instant, socket: Option<SocketId>, event: &TraceEvent);
}

impl<F: FnMut(Instant, Option<SocketId>, &TraceEvent) + Send> TraceSink for F {
    fn event(&mut self, at: Instant, socket: Option<SocketId>, event: &TraceEvent) {
        self(at, socket, event);
    }
}

/// The way from the engine to its sink, if there is one.
///
/// ```
/// use cauce_core::time::Instant;
/// use cauce_core::trace::{Trace, TraceEvent};
/// let mut off = Trace::off();
/// off.emit(Instant::ZERO, None, || unreachable!("no sink, no event"));
/// assert!(!off.is_on());
/// ```
#[derive(Default)]
pub struct Trace {
    sink: Option<Box<dyn TraceSink>>,
}

impl Trace {
    /// A trace that nobody watches.
    pub const fn off() -> Self {
        Trace { sink: None }
    }

    /// A trace that `sink` watches.
    pub fn to(sink: Box<dyn TraceSink>) -> Self {
        Trace { sink: Some(sink) }
    }

    /// Puts another sink in place (or none) and returns the one before.
    pub fn replace(&mut self, sink: Option<Box<dyn TraceSink>>) -> Option<Box<dyn TraceSink>> {
        core::mem::replace(&mut self.sink, sink)
    }

    /// True when somebody watches, for events whose making needs preparation.
    pub fn is_on(&self) -> bool {
        self.sink.is_some()
    }

    /// Hands the event that `make` returns to the sink; without a sink `make` is not called.
    #[inline]
    pub fn emit(&mut self, now: Instant, socket: Option<SocketId>, make: impl FnOnce() -> TraceEvent) {
        if let Some(sink) = &mut self.sink {
            sink.event(now, socket, &make());
        }
    }

    /// Says that a packet or segment ended here, outside any socket.
    pub fn dropped(&mut self, now: Instant, reason: DropReason) {
        self.emit(now, None, || TraceEvent::Dropped(reason));
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_on() { "Trace(on)" } else { "Trace(off)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn events_reach_the_sink_and_only_while_there_is_one() {
        let (tell, told) = mpsc::channel();
        let mut trace = Trace::to(Box::new(move |at: Instant, _: Option<SocketId>, event: &TraceEvent| {
            tell.send((at, event.clone())).unwrap();
        }));
        assert!(trace.is_on());
        trace.dropped(Instant::from_millis(3), DropReason::Paws);
        assert_eq!(told.try_recv(), Ok((Instant::from_millis(3), TraceEvent::Dropped(DropReason::Paws))));
        assert!(trace.replace(None).is_some());
        trace.dropped(Instant::from_millis(4), DropReason::Paws);
        assert!(told.try_recv().is_err());
    }
}
