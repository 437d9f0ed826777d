//! What the rest of the connection and TCP_INFO may ask of recovery. Nothing changes here.

use super::Recovery;
use super::phase::Phase;
use super::rto::Rto;
use crate::congestion::view::{SenderView, Tuning};
use crate::send::retransmit_queue::{Counts, RetransmitQueue};
use crate::time::Instant;

impl Recovery {
    /// The sent records, `None` while nothing is outstanding.
    pub fn queue(&self) -> Option<&RetransmitQueue> {
        self.flight.as_ref().map(|fl| &fl.queue)
    }

    /// The marks of everything outstanding, counted in segments.
    pub fn counts(&self) -> Counts {
        self.queue().map_or(Counts::default(), |queue| queue.counts)
    }

    /// Segments in the network.
    pub fn in_flight(&self) -> u32 {
        self.counts().in_flight()
    }

    /// `tcpi_unacked`.
    pub fn packets_out(&self) -> u32 {
        self.counts().packets_out
    }

    /// `tcpi_sacked`.
    pub fn sacked_out(&self) -> u32 {
        self.counts().sacked_out
    }

    /// `tcpi_lost`.
    pub fn lost_out(&self) -> u32 {
        self.counts().lost_out
    }

    /// `tcpi_retrans`.
    pub fn retrans_out(&self) -> u32 {
        self.counts().retrans_out
    }

    /// `tcpi_ca_state`.
    pub fn phase(&self) -> Phase {
        self.base.phase
    }

    /// Smoothed RTT in microseconds, 0 before the first sample.
    pub fn srtt_us(&self) -> u32 {
        self.base.rtt.srtt_us()
    }

    /// Mean deviation of the RTT in microseconds (`tcpi_rttvar`).
    pub fn rttvar_us(&self) -> u32 {
        self.base.rtt.rttvar_us()
    }

    /// Windowed minimum RTT in microseconds, `u32::MAX` before the first sample.
    pub fn min_rtt_us(&self) -> u32 {
        self.base.rtt.min_us()
    }

    /// The time-out, back-off included.
    pub fn rto(&self) -> Rto {
        self.base.rto
    }

    /// Time-outs without an RTT sample since.
    pub fn backoff(&self) -> u8 {
        self.base.backoff
    }

    /// Time-outs since `snd.una` last advanced (`tcpi_retransmits`).
    pub fn retransmits(&self) -> u8 {
        self.base.retransmits
    }

    /// The reordering metric in segments (`tcpi_reordering`).
    pub fn reordering(&self) -> u32 {
        self.base.reordering.metric
    }

    /// How often reordering was seen (`tcpi_reord_seen`).
    pub fn reord_seen(&self) -> u32 {
        self.base.reordering.seen
    }

    /// Segments sent again in the connection's life (`tcpi_total_retrans`).
    pub fn total_retrans(&self) -> u32 {
        self.base.total_retrans
    }

    /// Duplicates that D-SACKs reported (`tcpi_dsack_dups`).
    pub fn dsack_dups(&self) -> u32 {
        self.base.dsack_dups
    }

    /// True once a D-SACK was believed.
    pub fn dsack_seen(&self) -> bool {
        self.base.dsack_seen
    }

    /// `tcpi_total_rto` and `tcpi_total_rto_recoveries`.
    pub fn rto_totals(&self) -> (u16, u16) {
        (self.base.total_rto, self.base.total_rto_recoveries)
    }

    /// `tcpi_total_rto_time`: milliseconds spent recovering from time-outs, up to now.
    pub fn rto_time_ms(&self, now: Instant) -> u32 {
        let since = self.flight.as_ref().and_then(|fl| fl.rto_since);
        let open = since.map_or(0, |since| now.since(since).as_millis());
        self.base.total_rto_time_ms.saturating_add(u32::try_from(open).unwrap_or(u32::MAX))
    }

    /// When the first retransmission of the present episode left: the clock of `tcp_retries2` and of
    /// TCP_USER_TIMEOUT.
    pub fn retrans_stamp(&self) -> Option<Instant> {
        self.flight.as_ref().and_then(|fl| fl.retrans_stamp)
    }

    /// True when the recovery point of an episode has not been passed (`undo_marker` is set): an
    /// initial window of one segment follows from a handshake that lost its SYN.
    pub fn may_still_undo(&self) -> bool {
        self.flight.as_ref().is_some_and(|fl| fl.undo_marker != 0)
    }

    /// The sender as congestion control sees it, before settings have their say.
    pub fn view(&self, now: Instant, snd_una: u64, snd_nxt: u64, mss: u32, cwnd_limited: bool) -> SenderView {
        let counts = self.counts();
        SenderView {
            now,
            packets_out: counts.packets_out,
            sacked_out: counts.sacked_out,
            lost_out: counts.lost_out,
            retrans_out: counts.retrans_out,
            snd_una,
            snd_nxt,
            mss,
            srtt_us: self.srtt_us(),
            min_rtt_us: self.min_rtt_us(),
            phase: self.base.phase,
            cwnd_limited,
            tuning: Tuning::default(),
        }
    }
}
