//! The values that pass between loss recovery and its neighbours.

use super::phase::Phase;
use crate::congestion::rate_sample::Delivery;
use crate::congestion::{AckCounts, Tuning};
use crate::counters::Counters;
use crate::send::retransmit_queue::Control;
use crate::sysctl::Sysctls;
use crate::time::{Duration, Instant};

/// The settings that recovery reads when it acts. The defaults are those of Linux 6.18.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The time-out before any sample in microseconds: `tcp_rto_initial_ms`.
    pub rto_initial_us: u32,
    /// Floor of the time-out in microseconds: `tcp_rto_min_us`, the route's, or the socket's.
    pub rto_min_us: u32,
    /// Cap of the time-out in microseconds: `tcp_rto_max_ms` or the socket's.
    pub rto_max_us: u32,
    /// The window of the RTT's minimum in milliseconds: `tcp_min_rtt_wlen`.
    pub min_rtt_window_ms: u32,
    /// `tcp_reordering`, within its cap.
    pub reordering: u32,
    /// `tcp_max_reordering`.
    pub max_reordering: u32,
    /// `tcp_recovery`, bits: 1 RACK, 2 static reordering window, 4 no duplicate threshold.
    pub recovery: u8,
    /// `tcp_early_retrans`: 3 and 4 enable the tail-loss probe.
    pub early_retrans: u8,
    /// `tcp_frto`: 0 disables F-RTO, 1 watches cumulative acknowledgements only.
    pub frto: u8,
    /// `tcp_syn_linear_timeouts`: so many SYNs go without back-off.
    pub syn_linear_timeouts: u8,
    /// SACK does not tell what to send again: one hole is filled each round trip.
    pub one_hole: bool,
    /// `tcp_fack`.
    pub fack: bool,
    /// TCP_THIN_LINEAR_TIMEOUTS or `tcp_thin_linear_timeouts`.
    pub thin_linear_timeouts: bool,
    /// What recovery passes on to congestion control.
    pub tuning: Tuning,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            rto_initial_us: 1_000_000,
            rto_min_us: 200_000,
            rto_max_us: 120_000_000,
            min_rtt_window_ms: 300_000,
            reordering: 3,
            max_reordering: 300,
            recovery: 1,
            early_retrans: 3,
            frto: 2,
            syn_linear_timeouts: 4,
            one_hole: false,
            fack: false,
            thin_linear_timeouts: false,
            tuning: Tuning::default(),
        }
    }
}

impl Settings {
    /// The stack's values. What a route or a socket overrides is put in afterwards.
    pub fn of(sysctl: &Sysctls) -> Self {
        Settings {
            rto_initial_us: sysctl.tcp_rto_initial_ms.saturating_mul(1000),
            rto_min_us: sysctl.tcp_rto_min_us,
            rto_max_us: sysctl.tcp_rto_max_ms.saturating_mul(1000),
            min_rtt_window_ms: sysctl.tcp_min_rtt_wlen.saturating_mul(1000),
            reordering: sysctl.reordering(),
            max_reordering: sysctl.tcp_max_reordering,
            recovery: sysctl.tcp_recovery,
            early_retrans: sysctl.tcp_early_retrans,
            frto: sysctl.tcp_frto,
            syn_linear_timeouts: sysctl.tcp_syn_linear_timeouts,
            one_hole: sysctl.cauce_profile.fills_one_hole(),
            fack: sysctl.tcp_fack != 0,
            thin_linear_timeouts: sysctl.tcp_thin_linear_timeouts != 0,
            tuning: Tuning::of(sysctl),
        }
    }

    pub(super) fn uses_rack(&self) -> bool {
        self.recovery & 1 != 0
    }

    /// F-RTO takes SACKs as proof too (RFC 5682 3).
    pub(super) fn frto_trusts_sack(&self) -> bool {
        self.frto != 1
    }

    pub(super) fn has_static_window(&self) -> bool {
        self.recovery & 2 != 0
    }

    pub(super) fn ignores_dup_threshold(&self) -> bool {
        self.recovery & 4 != 0
    }

    pub(super) fn probes_tail(&self) -> bool {
        matches!(self.early_retrans, 3 | 4)
    }
}

/// What a call into recovery is lent.
pub struct Env<'a> {
    /// The moment of the call.
    pub now: Instant,
    /// The settings in force.
    pub settings: Settings,
    /// The stack's counters.
    pub counters: &'a mut Counters,
}

/// One acceptable ACK, already compared with `snd.una` and `snd.nxt` and with its window taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct AckInput<'a> {
    /// The cumulative acknowledgement, at most `snd_nxt`. It may lie below `prior_una`: an old ACK can
    /// carry fresh SACK blocks.
    pub ack: u64,
    /// `snd.una` before this ACK.
    pub prior_una: u64,
    /// `snd.nxt`.
    pub snd_nxt: u64,
    /// SACK blocks as offsets in the order of the wire; the first may be a D-SACK.
    pub sack: &'a [(u64, u64)],
    /// TSecr, when timestamps are in use and the segment has one that is not zero.
    pub tsecr: Option<u32>,
    /// Our timestamp clock now: milliseconds, advancing with the whole milliseconds of `Env::now`.
    pub ts_now: u32,
    /// The segment occupies sequence space (Linux: `FLAG_DATA`).
    pub carries_data: bool,
    /// Its window was news, changed or not (`FLAG_WIN_UPDATE`).
    pub window_update: bool,
    /// What it says of marks, on a connection that uses ECN.
    pub echo: Echo,
    /// Pure ACKs merged into this one by receive offload; 0 counts as 1.
    pub merged: u16,
    /// Payload bytes of a full segment.
    pub mss: u32,
    /// The largest window the peer ever offered.
    pub max_window: u64,
    /// Unsent data exists and the peer's window has room for it.
    pub can_send_new: bool,
    /// For the [`SenderView`](crate::congestion::SenderView): the window limited sending lately.
    pub cwnd_limited: bool,
    /// Where a probe of the path MTU begins that is in the network.
    pub path_probe: Option<u64>,
}

/// What an ACK says of the congestion marks that our segments arrived with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Echo {
    /// Nothing.
    #[default]
    None,
    /// ECE of classic ECN: there were some.
    Classic,
    /// Counters of accurate ECN.
    Accurate(AceReport),
}

/// What the counters of accurate ECN say, before it is known how much the ACK delivers (RFC 9768 A.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AceReport {
    /// By how much the counter of marked packets has grown, modulo 8.
    pub delta: u8,
    /// By how much the counter of marked bytes has grown since the last ACK, if both had it.
    pub marked_bytes: Option<u32>,
    /// Payload bytes of a full segment.
    pub mss: u32,
    /// Segments that an ACK usually covers, in 64ths.
    pub usual: u32,
}

impl AceReport {
    /// From so many segments an ACK on, in 64ths, large ACKs are this path's custom and no sign of lost ones.
    const THINNED: u32 = 4 << 6;

    /// How many of `delivered` segments were marked. The counter may have wrapped, since ACKs may have been lost. Where
    /// the bytes are known, the least is assumed that they fit into; otherwise the most that agrees with the counter,
    /// unless large ACKs are the path's custom.
    pub fn newly_marked(&self, delivered: u32) -> u32 {
        let least = u32::from(self.delta);
        if delivered < 8 {
            return least;
        }
        let most = delivered - ((delivered - least) & 7);
        match self.marked_bytes {
            Some(bytes) => {
                let carriers = bytes.div_ceil(self.mss.max(1));
                least.saturating_add(carriers.saturating_sub(least).next_multiple_of(8)).min(most)
            }
            None if self.usual > Self::THINNED => least,
            None => most,
        }
    }
}

/// What one ACK said, for congestion control, the timers of the connection and its statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AckSummary {
    /// Sequence space by which `snd.una` advanced.
    pub acked_bytes: u64,
    /// Segments newly acknowledged cumulatively.
    pub newly_acked: u32,
    /// Segments newly SACKed.
    pub newly_sacked: u32,
    /// Segments newly taken as lost, retransmissions lost again included.
    pub newly_lost: u32,
    /// Segments that left the network into the receiver's hands.
    pub delivered: u32,
    /// In flight before this ACK.
    pub prior_in_flight: u32,
    /// `snd.una` advanced.
    pub una_advanced: bool,
    /// Data or FIN was acknowledged.
    pub data_acked: bool,
    /// Our SYN was acknowledged.
    pub syn_acked: bool,
    /// Something that had been retransmitted was acknowledged.
    pub retrans_acked: bool,
    /// RTT sample in microseconds that went into srtt.
    pub rtt_us: Option<u32>,
    /// RTT in microseconds of the newest segment delivered.
    pub ca_rtt_us: Option<u32>,
    /// The ACK may have been delayed by the peer.
    pub maybe_delayed: bool,
    /// It carried a D-SACK that was believed.
    pub dsack: bool,
    /// A retransmission was found lost.
    pub lost_retransmit: bool,
    /// The peer took SACKed data back; rate samples are not to be trusted.
    pub reneging: bool,
    /// The probe of the path MTU is lost, and nothing else: no recovery has begun for it.
    pub path_probe_lost: bool,
    /// A reduction was undone.
    pub undone: bool,
    /// The undoing restored ssthresh: a CWR still owed to the peer is dropped.
    pub ssthresh_restored: bool,
    /// A reduction began: a peer that uses ECN is to see CWR.
    pub reduced: bool,
    /// It told of marks.
    pub ece: bool,
    /// Segments that it says were delivered with a mark.
    pub newly_marked: u32,
    /// A duplicate ACK: nothing new but its arrival.
    pub is_dup: bool,
    /// The phase before.
    pub phase_before: Phase,
    /// The phase after.
    pub phase_after: Phase,
    /// What it says about the rate of delivery.
    pub delivery: Delivery,
    pub(super) never_resent_delivered: bool,
    pub(super) dsack_of_probe: bool,
    pub(super) head_was_sacked: bool,
    pub(super) rearm: bool,
}

impl AckSummary {
    /// What congestion control takes of it. `is_reordering`: the path's reordering metric is above
    /// `tcp_reordering`.
    pub fn counts(&self, is_reordering: bool) -> AckCounts {
        AckCounts {
            newly_acked: self.newly_acked,
            newly_delivered: self.delivered,
            newly_lost: self.newly_lost,
            acked_bytes: u32::try_from(self.acked_bytes).unwrap_or(u32::MAX),
            ca_rtt_us: self.ca_rtt_us,
            prior_in_flight: self.prior_in_flight,
            una_advanced: self.una_advanced,
            data_acked: self.data_acked,
            ece: self.ece,
            is_reordering,
        }
    }
}

/// A range to send again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retransmit {
    /// First offset.
    pub start: u64,
    /// One past the last offset.
    pub end: u64,
    /// Segments in it.
    pub segments: u32,
    /// Payload bytes of its full segments.
    pub mss: u32,
    /// SYN or FIN in it.
    pub control: Control,
    /// A tail-loss probe, not a repair.
    pub probe: bool,
}

/// The timers of recovery; one at a time is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryTimer {
    /// The retransmission time-out (RFC 6298).
    Rto,
    /// The tail-loss probe (RFC 8985 7).
    Tlp,
    /// The end of RACK's reordering window (RFC 8985 6.2).
    Reo,
}

/// The sender's variables that recovery does not keep, for [`on_timer`](super::Recovery::on_timer).
#[derive(Clone, Copy, Debug, Default)]
pub struct SenderState {
    /// `snd.una`.
    pub snd_una: u64,
    /// `snd.nxt`.
    pub snd_nxt: u64,
    /// Payload bytes of a full segment.
    pub mss: u32,
    /// The window limited sending lately.
    pub cwnd_limited: bool,
    /// The connection is in SYN-SENT: the first time-outs do not back off.
    pub syn_sent: bool,
    /// A probe of the path MTU is in the network.
    pub path_probe: bool,
    /// The connection is established: thin streams may have linear time-outs.
    pub established: bool,
    /// TCP_USER_TIMEOUT: the time-out is cut so that it does not pass it.
    pub user_timeout: Option<Duration>,
}

/// What the caller does after a timer of recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerAction {
    /// Nothing at once.
    None,
    /// Send what [`next_retransmit`](super::Recovery::next_retransmit) offers, under the window as it is now.
    Retransmit,
    /// Send one segment of new data, window permitting but regardless of cwnd, and say so by
    /// [`on_probe_sent`](super::Recovery::on_probe_sent); without any, send what
    /// [`tail_probe`](super::Recovery::tail_probe) offers.
    Probe,
}
