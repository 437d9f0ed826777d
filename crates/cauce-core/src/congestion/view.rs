//! What a congestion control may look at: a copy of the sender's state at one moment.

use crate::recovery::phase::Phase;
use crate::sysctl::Sysctls;
use crate::time::Instant;

/// The settings that single algorithms read, as they are at the moment of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// `tcp_bic_low_window` in segments (S-11).
    pub bic_low_window: u32,
    /// `tcp_bic_fast_convergence` (S-10).
    pub bic_fast_convergence: bool,
}

impl Tuning {
    /// The stack's values.
    pub fn of(sysctl: &Sysctls) -> Self {
        Tuning {
            bic_low_window: sysctl.tcp_bic_low_window,
            bic_fast_convergence: sysctl.tcp_bic_fast_convergence != 0,
        }
    }
}

impl Default for Tuning {
    /// The defaults of tcp(7).
    fn default() -> Self {
        Tuning { bic_low_window: 14, bic_fast_convergence: true }
    }
}

/// The sender at the moment of a call into congestion control. Counts are segments (DESIGN 4.2).
#[derive(Clone, Copy, Debug)]
pub struct SenderView {
    /// Now.
    pub now: Instant,
    /// Segments sent and not cumulatively acknowledged.
    pub packets_out: u32,
    /// Of those, SACKed (or, without SACK, taken as received because of duplicate ACKs).
    pub sacked_out: u32,
    /// Of those, marked lost.
    pub lost_out: u32,
    /// Retransmissions in flight.
    pub retrans_out: u32,
    /// The oldest unacknowledged offset.
    pub snd_una: u64,
    /// The next offset to send.
    pub snd_nxt: u64,
    /// Payload bytes of a full segment.
    pub mss: u32,
    /// Smoothed RTT in microseconds, 0 before the first sample.
    pub srtt_us: u32,
    /// Windowed minimum RTT in microseconds, `u32::MAX` before the first sample.
    pub min_rtt_us: u32,
    /// The phase of loss recovery.
    pub phase: Phase,
    /// True when the window, not the application or the peer, limited sending lately.
    pub cwnd_limited: bool,
    /// What settings say to the algorithm.
    pub tuning: Tuning,
}

impl SenderView {
    /// Segments in flight: out, less what left the network, plus what was sent again.
    pub fn in_flight(&self) -> u32 {
        (self.packets_out + self.retrans_out).saturating_sub(self.sacked_out + self.lost_out)
    }
}

impl Default for SenderView {
    /// A sender of 1460-byte segments before anything was sent.
    fn default() -> Self {
        SenderView {
            now: Instant::ZERO,
            packets_out: 0,
            sacked_out: 0,
            lost_out: 0,
            retrans_out: 0,
            snd_una: 0,
            snd_nxt: 0,
            mss: 1460,
            srtt_us: 0,
            min_rtt_us: u32::MAX,
            phase: Phase::Open,
            cwnd_limited: false,
            tuning: Tuning::default(),
        }
    }
}
