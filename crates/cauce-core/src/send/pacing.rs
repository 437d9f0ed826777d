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
/// Deferral only fills the pause since a recent write.
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
    /// A gate that lets the first segment go at once.
    pub const fn open() -> Self {
        PacingGate { next: Instant::ZERO }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(us: u64) -> Instant {
        Instant::from_micros(us)
    }

    /// P-207, P-235: about a millisecond of data at the pacing rate, two segments at least.
    #[test]
    fn p235_goal_follows_the_pacing_rate() {
        let settings = TsoSettings::default();
        let far = |rate| goal_segments(&settings, rate, 100_000, 1448, None);
        assert_eq!(far(100_000), 2);
        assert_eq!(far(10_000_000), 6);
        assert_eq!(far(u64::MAX), 45);
        assert_eq!(goal_segments(&settings, 100_000, 100_000, 1448, Some(1)), 1);
    }

    /// On a short path bursts are harmless: the whole device size below 512 us, half of it a step further.
    #[test]
    fn p235_short_paths_burst() {
        let settings = TsoSettings::default();
        let near = |min_rtt_us| goal_segments(&settings, 0, min_rtt_us, 1448, None);
        assert_eq!([100, 600, 1_100, 50_000, u32::MAX].map(near), [45, 22, 11, 2, 2]);
        let off = TsoSettings { tso_rtt_log: 0, ..settings };
        assert_eq!(goal_segments(&off, 0, 100, 1448, None), 2);
    }

    fn waiting() -> Deferral {
        Deferral {
            now: at(1_000_000),
            phase: Phase::Open,
            last_sent: at(999_900),
            oldest_sent: Some(at(999_000)),
            srtt_us: 1_200,
            mss: 1_000,
            cwnd: 90,
            in_flight: 70,
            snd_wnd: 1_000_000,
            send_win: 900_000,
            len: 45_000,
            goal_segments: 45,
            more_queued: false,
            complete: false,
        }
    }

    /// S-48: below a third of the window it waits for the ACK that is near, from there on it sends.
    #[test]
    fn s48_divisor_is_a_threshold() {
        let settings = TsoSettings::default();
        assert_eq!(waiting().should_defer(&settings), Defer::CwndLimited);
        assert_eq!(Deferral { in_flight: 60, ..waiting() }.should_defer(&settings), Defer::SendNow);
        let all = TsoSettings { tso_win_divisor: 0, ..settings };
        assert_eq!(waiting().should_defer(&all), Defer::SendNow);
        assert_eq!(Deferral { in_flight: 87, ..waiting() }.should_defer(&all), Defer::CwndLimited);
    }

    /// Each reason not to wait.
    #[test]
    fn s48_reasons_to_send_now() {
        let settings = TsoSettings::default();
        for (why, deferral) in [
            ("recovery", Deferral { phase: Phase::Recovery, ..waiting() }),
            ("time-out", Deferral { phase: Phase::Loss, ..waiting() }),
            ("the last write is old", Deferral { last_sent: at(998_000), ..waiting() }),
            ("nothing outstanding", Deferral { oldest_sent: None, ..waiting() }),
            ("the ACK is far away", Deferral { srtt_us: 100_000, ..waiting() }),
            ("a full super-segment", Deferral { goal_segments: 20, ..waiting() }),
            ("whole, with more behind", Deferral { len: 20_000, more_queued: true, ..waiting() }),
            ("nothing will be added", Deferral { len: 2_000, complete: true, ..waiting() }),
        ] {
            assert_eq!(deferral.should_defer(&settings), Defer::SendNow, "{why}");
        }
    }

    #[test]
    fn s48_says_what_limits() {
        let settings = TsoSettings::default();
        let narrow = Deferral { send_win: 5_000, ..waiting() };
        assert_eq!(narrow.should_defer(&settings), Defer::WindowLimited);
        let short = Deferral { len: 2_000, ..waiting() };
        assert_eq!(short.should_defer(&settings), Defer::MoreExpected);
    }

    /// Enforced pacing: 100 segments of 1000 bytes at 1 MB/s take 100 ms, less the ten that go at once.
    #[test]
    fn gate_spreads_segments() {
        let (mut gate, mut now) = (PacingGate::default(), at(5_000_000));
        let start = now;
        for sent in 0..100 {
            if let Some(next) = gate.blocked_until(now) {
                assert!(next > now);
                now = next;
            }
            gate.on_sent(now, 1_000, 1_000_000, sent);
        }
        assert_eq!(gate.blocked_until(now), Some(now + Duration::from_millis(1)));
        let took = now.since(start);
        // The first paced one follows an open gate, and every wait is exactly served.
        assert!(took >= Duration::from_micros(88_000) && took <= Duration::from_millis(90), "{took:?}");
    }

    /// A gate opened late makes up for it, but sends at most twice as fast.
    #[test]
    fn gate_gives_limited_credit() {
        let mut gate = PacingGate::default();
        gate.on_sent(at(1_000), 1_000, 1_000_000, 10);
        let opened = gate.blocked_until(at(1_000)).unwrap();
        gate.on_sent(opened + Duration::from_millis(50), 1_000, 1_000_000, 11);
        let late = opened + Duration::from_millis(50);
        assert_eq!(gate.blocked_until(late), Some(late + Duration::from_micros(500)));
        let mut unlimited = PacingGate::default();
        unlimited.on_sent(at(1), u32::MAX, u64::MAX, 100);
        assert_eq!(unlimited.blocked_until(at(1)), None);
    }
}
