//! What recovery remembers: a small part for the life of the connection, and a part that exists only while
//! something is outstanding or a recovery may still be judged.

use super::interface::RecoveryTimer;
use super::phase::Phase;
use super::rack::Rack;
use super::reordering::Reordering;
use super::rto::Rto;
use super::rtt::RttEstimator;
use crate::send::retransmit_queue::RetransmitQueue;
use crate::time::Instant;

/// Kept for the life of the connection.
#[derive(Debug)]
pub(super) struct Base {
    pub rtt: RttEstimator,
    pub rto: Rto,
    pub reordering: Reordering,
    pub total_retrans: u32,
    pub dsack_dups: u32,
    /// Milliseconds spent in recoveries from time-outs.
    pub total_rto_time_ms: u32,
    pub total_rto: u16,
    pub total_rto_recoveries: u16,
    pub backoff: u8,
    pub retransmits: u8,
    pub phase: Phase,
    /// SACK was negotiated; otherwise duplicate ACKs are counted as NewReno does.
    pub sack: bool,
    /// The peer has sent a D-SACK.
    pub dsack_seen: bool,
}

/// Kept while something is outstanding, or until a loss episode has been judged.
///
/// Offsets are 0 when unset: the stream begins above 2^32.
#[derive(Debug, Default)]
pub(super) struct Flight {
    pub queue: RetransmitQueue,
    pub rack: Rack,
    /// The end of the highest SACKed record; meaningless while nothing is SACKed.
    pub fack: u64,
    /// `snd.nxt` when the phase was entered: past it, the episode is over (RFC 6582's `recover`).
    pub high_seq: u64,
    /// No retransmission to offer lies below this offset.
    pub retransmit_hint: u64,
    /// SACK blocks of the last ACK, sorted: all records inside them are marked.
    pub seen: [(u64, u64); 4],
    /// `snd.una` when the present episode began; 0: nothing to undo.
    pub undo_marker: u64,
    /// Retransmissions of the episode that no D-SACK has reported yet; -1: none was made.
    pub undo_retrans: i32,
    /// The first retransmission of the episode left then.
    pub retrans_stamp: Option<Instant>,
    /// `snd.nxt` when the tail-loss probe left; 0: none is being judged.
    pub tlp_high_seq: u64,
    pub deadline: Instant,
    pub pending: Option<RecoveryTimer>,
    /// The first time-out of this episode.
    pub rto_since: Option<Instant>,
    /// The probe repeated old data, and was not new data.
    pub tlp_retrans: bool,
    /// F-RTO watches the acknowledgements after a time-out.
    pub frto: bool,
    /// A time-out has just asked for the head again.
    pub timed_out: bool,
    /// The peer has discarded SACKed data in this episode.
    pub reneged: bool,
    pub hold: Hold,
}

/// Why [`next_retransmit`](super::Recovery::next_retransmit) offers nothing although something is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hold {
    #[default]
    None,
    /// F-RTO step 2b: new data first, which tells whether the time-out was spurious.
    NewDataFirst,
    /// The ACK gave doubt about the losses: wait for the next.
    UntilNextAck,
}

impl Flight {
    /// True when nothing in here matters any more.
    pub fn is_idle(&self, phase: Phase) -> bool {
        self.queue.is_empty() && phase == Phase::Open && self.undo_marker == 0 && self.tlp_high_seq == 0
    }

    /// The offset after the highest SACKed one (RFC 6675 HighData of the scoreboard), or `una`.
    pub fn highest_sack(&self, una: u64) -> u64 {
        if self.queue.counts.sacked_out == 0 { una } else { self.fack.max(una) }
    }

    /// A retransmission is in the network, or the head has been sent again.
    pub fn any_retransmission(&self) -> bool {
        use crate::send::retransmit_queue::Marks;
        self.queue.counts.retrans_out > 0
            || self.queue.head().is_some_and(|head| head.is(Marks::EVER_RETRANS))
    }
}
