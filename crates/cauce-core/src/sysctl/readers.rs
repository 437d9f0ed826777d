//! Settings as the hot paths want them: spans of time and yes-or-no answers.

use super::{AlgorithmName, Sysctls};
use crate::time::Duration;

impl Sysctls {
    /// The floor of the retransmission time-out.
    pub fn rto_min(&self) -> Duration {
        Duration::from_micros(u64::from(self.tcp_rto_min_us))
    }

    /// The retransmission time-out before any round trip is known (RFC 6298 2.1).
    pub fn rto_initial(&self) -> Duration {
        Duration::from_millis(u64::from(self.tcp_rto_initial_ms))
    }

    /// The cap of the retransmission time-out, and of zero-window probes.
    pub fn rto_max(&self) -> Duration {
        Duration::from_millis(u64::from(self.tcp_rto_max_ms))
    }

    /// How long a TIME-WAIT lasts: `tcp_timewait_len` (P-071), or what the profile makes of it.
    pub fn timewait_len(&self) -> Duration {
        let bound = if self.cauce_profile.bounds_time_wait() { self.tcp_fin_timeout } else { u32::MAX };
        Duration::from_secs(u64::from(self.tcp_timewait_len.min(bound)))
    }

    /// How long an orphan may stay in FIN-WAIT-2.
    pub fn fin_timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.tcp_fin_timeout))
    }

    /// Idle time before the first keepalive probe.
    pub fn keepalive_time(&self) -> Duration {
        Duration::from_secs(u64::from(self.tcp_keepalive_time))
    }

    /// Time between unanswered keepalive probes.
    pub fn keepalive_intvl(&self) -> Duration {
        Duration::from_secs(u64::from(self.tcp_keepalive_intvl))
    }

    /// The shortest time between two replies to invalid segments.
    pub fn invalid_ratelimit(&self) -> Duration {
        Duration::from_millis(u64::from(self.tcp_invalid_ratelimit))
    }

    /// The initial duplicate threshold, within its cap.
    pub fn reordering(&self) -> u32 {
        self.tcp_reordering.min(self.tcp_max_reordering)
    }

    /// The least MSS, options of the header included (S-73).
    pub fn least_mss(&self) -> u16 {
        self.tcp_min_snd_mss.clamp(1, 65_535) as u16
    }

    /// What each receive queue may hold whatever the memory of all says, in bytes (S-40).
    pub fn promised_to_receive(&self) -> u64 {
        u64::from(self.tcp_rmem[0].unsigned_abs())
    }

    /// The same of each write queue (S-54).
    pub fn promised_to_send(&self) -> u64 {
        u64::from(self.tcp_wmem[0].unsigned_abs())
    }

    /// How many time-outs an orphan gets: 0 means 8 (S-34).
    pub fn orphan_retries(&self) -> u8 {
        if self.tcp_orphan_retries == 0 { 8 } else { self.tcp_orphan_retries }
    }

    /// True when RACK finds losses (bit 0 of `tcp_recovery`).
    pub fn rack(&self) -> bool {
        self.tcp_recovery & 1 != 0
    }

    /// True when tail-loss probes are sent.
    pub fn tail_loss_probe(&self) -> bool {
        self.tcp_early_retrans >= 3
    }

    /// True when an unprivileged user may choose this algorithm.
    pub fn may_choose(&self, algorithm: &str) -> bool {
        self.tcp_allowed_congestion_control.contains(algorithm)
    }

    /// Lists an algorithm as available. Called by whoever registers a foreign one; a name longer than 15
    /// bytes or not plain ASCII is refused with `false`.
    pub fn register_algorithm(&mut self, name: &str) -> bool {
        match AlgorithmName::new(name) {
            Some(name) => {
                self.tcp_available_congestion_control.insert(name);
                self.tcp_available_congestion_control.contains(name.as_str())
            }
            None => false,
        }
    }
}
