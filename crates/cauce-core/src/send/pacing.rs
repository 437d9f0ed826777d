//! How large super-segments are and when they leave: automatic sizing, deferral, and enforced pacing.
//!
//! The pacing rate (computed by congestion control) sizes super-segments even where nothing enforces it:
//! about 1 ms of data, more on short paths, so that large sends stay cheap where bursts are harmless.
//! A sendable piece that is small for the window is held back while an ACK that would enlarge it is near
//! (`tcp_tso_win_divisor`, S-48). Nothing here reads the queues: the caller passes what it sees.

use crate::recovery::phase::Phase;
use crate::time::{Duration, Instant};

/// The settings that size super-segments; the defaults are those of Linux 6.18.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TsoSettings {
    /// `tcp_min_tso_segs`: the least segments of a super-segment.
    pub min_tso_segs: u32,
    /// `tcp_tso_rtt_log`: the burst allowed halves for each 2^this microseconds of minimum RTT; 0: no
    /// allowance beyond the pacing rate.
    pub tso_rtt_log: u8,
    /// `tcp_tso_win_divisor` (S-48); 0: three segments are the threshold.
    pub tso_win_divisor: u32,
    /// The most payload bytes the device takes at once.
    pub gso_max_size: u32,
    /// The most segments the device takes at once.
    pub gso_max_segs: u32,
}

impl Default for TsoSettings {
    fn default() -> Self {
        TsoSettings {
            min_tso_segs: 2,
            tso_rtt_log: 9,
            tso_win_divisor: 3,
            gso_max_size: 65_536 - 321,
            gso_max_segs: 65_535,
        }
    }
}

/// Pacing yields this fraction of a second a burst: 2^10 bursts a second.
const PACING_SHIFT: u32 = 10;
/// Without a divisor, deferral ends when more than this many segments can go.
const MAX_DEFERRED_SEGMENTS: u64 = 3;
/// Deferral only fills the pause since a recent write, in nanoseconds.
const RECENT: Duration = Duration::from_millis(1);
/// The first segments of a connection leave unpaced.
const UNPACED_SEGMENTS: u64 = 10;

/// The segments a super-segment should have now (Linux: `tcp_tso_segs`).
///
/// `algorithm_min` is the algorithm's own lower bound, which replaces `tcp_min_tso_segs`.
pub fn goal_segments(
    settings: &TsoSettings,
    pacing_rate: u64,
    min_rtt_us: u32,
    mss: u32,
    algorithm_min: Option<u32>,
) -> u32 {
    let gso_max = u64::from(settings.gso_max_size);
    let mut bytes = pacing_rate >> PACING_SHIFT;
    if settings.tso_rtt_log > 0 {
        let halvings = min_rtt_us.checked_shr(settings.tso_rtt_log.into()).unwrap_or(0);
        bytes = bytes.saturating_add(gso_max.checked_shr(halvings).unwrap_or(0));
    }
    let segments = u32::try_from(bytes.min(gso_max) / u64::from(mss.max(1))).unwrap_or(u32::MAX);
    let least = algorithm_min.unwrap_or(settings.min_tso_segs);
    segments.max(least).min(settings.gso_max_segs).max(1)
}

/// What a decision to defer looks at. Lengths are bytes of payload.
#[derive(Clone, Copy, Debug)]
pub struct Deferral {
    /// Now.
    pub now: Instant,
    /// The phase of loss recovery.
    pub phase: Phase,
    /// When the last segment left, or may leave under pacing.
    pub last_sent: Instant,
    /// When the oldest outstanding segment was last sent; `None` when nothing is outstanding.
    pub oldest_sent: Option<Instant>,
    /// Smoothed RTT in microseconds.
    pub srtt_us: u32,
    /// Payload bytes of a full segment.
    pub mss: u32,
    /// cwnd in segments.
    pub cwnd: u32,
    /// Segments in flight.
    pub in_flight: u32,
    /// The peer's window in bytes.
    pub snd_wnd: u32,
    /// Bytes from the piece to send to the right edge of the peer's window.
    pub send_win: u32,
    /// Bytes in the piece at the head of the queue.
    pub len: u32,
    /// Segments that a super-segment should have.
    pub goal_segments: u32,
    /// More data is queued behind the piece.
    pub more_queued: bool,
    /// The piece ends with FIN or at the end of a record, so that nothing can be added to it.
    pub complete: bool,
}

/// Whether to send a piece now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defer {
    /// Send what the windows allow.
    SendNow,
    /// Wait: cwnd keeps the piece small, which counts as being limited by it.
    CwndLimited,
    /// Wait: the peer's window keeps it small.
    WindowLimited,
    /// Wait: the application may add to it.
    MoreExpected,
}

impl Deferral {
    /// Whether to hold back a piece larger than one segment, for an ACK to allow more of it
    /// (Linux: `tcp_tso_should_defer`).
    pub fn should_defer(&self, settings: &TsoSettings) -> Defer {
        if self.phase >= Phase::Recovery || self.now.since(self.last_sent) > RECENT {
            return Defer::SendNow;
        }
        let mss = u64::from(self.mss);
        let send_win = u64::from(self.send_win);
        let cong_win = u64::from(self.cwnd.saturating_sub(self.in_flight)) * mss;
        let limit = send_win.min(cong_win);
        let len = u64::from(self.len);
        let full = limit >= u64::from(self.goal_segments) * mss;
        let whole = self.more_queued && limit >= len;
        if full || whole || self.enough(limit, settings) || !self.ack_is_near() {
            return Defer::SendNow;
        }
        if cong_win < send_win && cong_win <= len {
            return Defer::CwndLimited;
        }
        if cong_win >= send_win && send_win <= len {
            return Defer::WindowLimited;
        }
        if self.complete { Defer::SendNow } else { Defer::MoreExpected }
    }

    /// A good part of the window can go at once (S-48).
    fn enough(&self, limit: u64, settings: &TsoSettings) -> bool {
        let mss = u64::from(self.mss);
        if settings.tso_win_divisor == 0 {
            return limit > MAX_DEFERRED_SEGMENTS * mss;
        }
        let window = u64::from(self.snd_wnd).min(u64::from(self.cwnd) * mss);
        limit >= window / u64::from(settings.tso_win_divisor)
    }

    /// The ACK of the oldest segment is due within half an RTT, and within 1 ms.
    fn ack_is_near(&self) -> bool {
        let Some(oldest) = self.oldest_sent else { return false };
        let srtt = Duration::from_micros(self.srtt_us.into());
        let expected = oldest + srtt;
        expected.since(self.now) <= (srtt / 2).min(RECENT)
    }
}

/// The gate of enforced pacing: when the next segment may leave.
#[derive(Clone, Copy, Debug, Default)]
pub struct PacingGate {
    next: Instant,
}

impl PacingGate {
    /// When sending must wait, the moment at which it may go on.
    pub fn blocked_until(&self, now: Instant) -> Option<Instant> {
        (self.next > now).then_some(self.next)
    }

    /// Notes that `bytes` leave now at `rate` bytes a second; `segments_sent` counts the connection's
    /// segments with data before them. Time lost since the gate opened is made up, up to half the cost.
    pub fn on_sent(&mut self, now: Instant, bytes: u32, rate: u64, segments_sent: u64) {
        let credit = now.since(self.next);
        self.next = self.next.max(now);
        if rate == u64::MAX || rate == 0 || segments_sent < UNPACED_SEGMENTS {
            return;
        }
        let nanos = u64::try_from(u128::from(bytes) * 1_000_000_000 / u128::from(rate)).unwrap_or(u64::MAX);
        let cost = Duration::from_nanos(nanos);
        self.next += cost - credit.min(cost / 2);
    }
}
