//! Appropriate byte counting (RFC 3465, requirement S-01): how many segments one ACK is worth.
//!
//! The answer is a number of segments that `cong_avoid` may count; what it does with them is the
//! algorithm's affair.

use crate::sysctl::Profile;

/// How ACKs are counted when the window grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Abc {
    /// Today's Linux: every segment delivered counts, however many one ACK covers.
    #[default]
    Live,
    /// `tcp_abc` 0: an ACK that advances the window counts one segment, whatever it covers.
    PerAck,
    /// `tcp_abc` 1: in slow start one segment for each full one acknowledged, at most one an ACK.
    One,
    /// `tcp_abc` 2: as 1, but up to two segments an ACK, to make up for delayed ACKs.
    Two,
}

impl Abc {
    /// The mode that a value of `tcp_abc` means. The kernel of 6.18 no longer has the setting
    /// and counts every segment; in its profiles 0, which is the default, stands for that.
    pub fn from_sysctl(value: u8, profile: Profile) -> Abc {
        match value {
            0 if profile.counts_segments() => Abc::Live,
            0 => Abc::PerAck,
            1 => Abc::One,
            _ => Abc::Two,
        }
    }

    /// L of RFC 3465: the most segments one ACK may count in slow start. After a time-out each ACK may
    /// cover what was retransmitted for nothing, so the limit is one until the lost window is acked.
    fn limit(self, after_timeout: bool) -> u32 {
        if self == Abc::Two && !after_timeout { 2 } else { 1 }
    }
}

/// Bytes acknowledged that have not yet counted as a segment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ByteCount(u32);

/// The ACK and the moment, as far as counting needs them.
pub(super) struct Acked {
    /// Segments delivered.
    pub delivered: u32,
    /// Bytes by which `snd.una` advanced.
    pub bytes: u32,
    /// `snd.una` advanced.
    pub una_advanced: bool,
    /// Payload bytes of a full segment.
    pub mss: u32,
    /// cwnd is below ssthresh.
    pub slow_start: bool,
    /// The lost window of a time-out is not acknowledged yet.
    pub after_timeout: bool,
}

impl ByteCount {
    /// The segments this ACK counts for.
    pub fn credit(&mut self, mode: Abc, acked: &Acked) -> u32 {
        match mode {
            Abc::Live => acked.delivered,
            Abc::PerAck => u32::from(acked.una_advanced),
            Abc::One | Abc::Two => {
                let mss = acked.mss.max(1);
                self.0 = self.0.saturating_add(acked.bytes);
                let whole = self.0 / mss;
                if whole == 0 {
                    return 0;
                }
                if acked.slow_start {
                    self.0 = 0;
                    whole.min(mode.limit(acked.after_timeout))
                } else {
                    self.0 %= mss;
                    whole
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_one_rtt(mode: Abc, segments_per_ack: u32, slices: u32, after_timeout: bool) -> u32 {
        let (mss, mut cwnd, mut count) = (1448, 10, ByteCount::default());
        for ack in 1..=10 * slices / segments_per_ack {
            let ends_segment = ack % slices == 0;
            cwnd += count.credit(
                mode,
                &Acked {
                    delivered: if ends_segment { segments_per_ack } else { 0 },
                    bytes: mss * segments_per_ack / slices,
                    una_advanced: true,
                    mss,
                    slow_start: true,
                    after_timeout,
                },
            );
        }
        cwnd
    }

    /// S-01, P-082, P-090: cwnd 10 after one RTT of ACKs for (a) each, (b) every second, (c) a quarter.
    #[test]
    fn s01_table() {
        for (mode, expected) in [
            (Abc::PerAck, [20, 15, 50]),
            (Abc::One, [20, 15, 20]),
            (Abc::Two, [20, 20, 20]),
            (Abc::Live, [20, 20, 20]),
        ] {
            let got = [(1, 1), (2, 1), (1, 4)].map(|(per_ack, n)| after_one_rtt(mode, per_ack, n, false));
            assert_eq!(got, expected, "{mode:?}");
        }
    }

    /// S-01: after an RTO mode 2 counts like mode 1.
    #[test]
    fn s01_limit_one_after_a_timeout() {
        assert_eq!(after_one_rtt(Abc::Two, 2, 1, true), 15);
    }

    /// S-01: in congestion avoidance whole segments of bytes count, and the rest is kept.
    #[test]
    fn s01_congestion_avoidance_counts_bytes() {
        let mut count = ByteCount::default();
        let mut total = 0;
        for _ in 0..10 {
            total += count.credit(
                Abc::One,
                &Acked {
                    delivered: 1,
                    bytes: 1500,
                    una_advanced: true,
                    mss: 1000,
                    slow_start: false,
                    after_timeout: false,
                },
            );
        }
        assert_eq!(total, 15);
    }

    #[test]
    fn s01_today_is_the_default_of_todays_profile() {
        let modes = |profile| [0, 1, 2].map(|value| Abc::from_sysctl(value, profile));
        assert_eq!(modes(Profile::Linux618), [Abc::Live, Abc::One, Abc::Two]);
        assert_eq!(modes(Profile::Manpage), [Abc::PerAck, Abc::One, Abc::Two]);
    }
}
