//! The round-trip time: RFC 6298's smoothing as the kernel does it, and a windowed minimum (P-060, P-115).
//!
//! Takes samples that others have judged unambiguous (Karn's rule lives in [`ack`](super)); gives srtt, the
//! deviation and the minimum. It does not know the time-out's cap or back-off.

use super::rto::Rto;

/// The estimators of one connection. All times are microseconds; srtt is kept times eight and the
/// deviations times four, so that the divisions by 8 and 4 of RFC 6298 lose nothing.
#[derive(Clone, Copy, Debug)]
pub struct RttEstimator {
    srtt_x8: u32,
    mdev_x4: u32,
    mdev_max_x4: u32,
    rttvar_x4: u32,
    /// `snd.nxt` when the present round of the deviation began.
    round: u64,
    min: MinRtt,
}

impl Default for RttEstimator {
    fn default() -> Self {
        RttEstimator {
            srtt_x8: 0,
            mdev_x4: Rto::INITIAL.as_micros(),
            mdev_max_x4: 0,
            rttvar_x4: 0,
            round: 0,
            min: MinRtt::default(),
        }
    }
}

impl RttEstimator {
    /// Takes a sample. `rto_min_us` is the floor of the deviation's contribution; `una` and `nxt` tell when
    /// a round-trip is over, once in which the deviation may fall.
    pub fn sample(&mut self, rtt_us: u32, rto_min_us: u32, una: u64, nxt: u64) {
        let rtt = i64::from(rtt_us.min(u32::MAX >> 4));
        if self.srtt_x8 == 0 {
            self.srtt_x8 = narrow(rtt * 8).max(1);
            self.mdev_x4 = narrow(rtt * 2);
            self.rttvar_x4 = self.mdev_x4.max(rto_min_us);
            self.mdev_max_x4 = self.rttvar_x4;
            self.round = nxt;
            return;
        }
        let error = rtt - i64::from(self.srtt_x8 / 8);
        self.srtt_x8 = narrow(i64::from(self.srtt_x8) + error).max(1);
        let mut change = error.abs() - i64::from(self.mdev_x4 / 4);
        if error < 0 && change > 0 {
            // A sudden fall of the RTT is not a reason to wait longer: let it in slowly.
            change /= 8;
        }
        self.mdev_x4 = narrow(i64::from(self.mdev_x4) + change);
        if self.mdev_x4 > self.mdev_max_x4 {
            self.mdev_max_x4 = self.mdev_x4;
            self.rttvar_x4 = self.rttvar_x4.max(self.mdev_max_x4);
        }
        if una > self.round {
            if self.mdev_max_x4 < self.rttvar_x4 {
                self.rttvar_x4 -= (self.rttvar_x4 - self.mdev_max_x4) / 4;
            }
            self.round = nxt;
            self.mdev_max_x4 = rto_min_us;
        }
    }

    /// Notes a sample for the minimum over the last `window_ms` milliseconds.
    pub fn sample_min(&mut self, rtt_us: u32, now_ms: u32, window_ms: u32) {
        self.min.sample(rtt_us.max(1), now_ms, window_ms);
    }

    /// The handshake gave no sample: start from the time-out's fallback of 3 s (RFC 6298 5.7).
    pub fn fall_back(&mut self) {
        self.rttvar_x4 = Rto::FALLBACK.as_micros();
        self.mdev_x4 = self.rttvar_x4;
        self.mdev_max_x4 = self.rttvar_x4;
    }

    /// There is something better to start from than the fallback.
    pub fn take_fall_back_back(&mut self) {
        if !self.has_sample() {
            *self = RttEstimator { min: self.min, ..RttEstimator::default() };
        }
    }

    /// True once there was a sample.
    pub fn has_sample(&self) -> bool {
        self.srtt_x8 != 0
    }

    /// Smoothed RTT, 0 before the first sample.
    pub fn srtt_us(&self) -> u32 {
        self.srtt_x8 / 8
    }

    /// Mean deviation, as TCP_INFO shows it.
    pub fn rttvar_us(&self) -> u32 {
        self.mdev_x4 / 4
    }

    /// The least RTT in the window, `u32::MAX` before the first sample.
    pub fn min_us(&self) -> u32 {
        self.min.get()
    }

    /// The time-out without back-off.
    pub fn rto(&self, max_us: u32) -> Rto {
        Rto::from_estimate(self.srtt_us(), self.rttvar_x4, max_us)
    }
}

fn narrow(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}

/// A minimum over a sliding window of time, kept by its three best samples (Nichols's filter).
#[derive(Clone, Copy, Debug)]
struct MinRtt {
    best: [(u32, u32); 3],
}

impl Default for MinRtt {
    fn default() -> Self {
        MinRtt { best: [(0, u32::MAX); 3] }
    }
}

impl MinRtt {
    fn get(&self) -> u32 {
        self.best[0].1
    }

    fn sample(&mut self, value: u32, at: u32, window: u32) {
        let sample = (at, value);
        let [first, second, third] = &mut self.best;
        if value <= first.1 || at.wrapping_sub(third.0) > window {
            self.best = [sample; 3];
            return;
        }
        if value <= second.1 {
            (*second, *third) = (sample, sample);
        } else if value <= third.1 {
            *third = sample;
        }
        let age = at.wrapping_sub(first.0);
        if age > window {
            (*first, *second, *third) = (*second, *third, sample);
            if at.wrapping_sub(first.0) > window {
                (*first, *second) = (*second, *third);
            }
        } else if second.0 == first.0 && age > window / 4 {
            // A quarter of the window without a second choice: take the latest as one.
            (*second, *third) = (sample, sample);
        } else if third.0 == second.0 && age > window / 2 {
            *third = sample;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P-060: the vectors measured on the kernel, where a packet took 0.1 ms more than its nominal delay.
    #[test]
    fn kernel_vectors() {
        let mut rtt = RttEstimator::default();
        rtt.sample(100, 200_000, 1, 1);
        let vectors = [(2, 20, 2_600, 204), (3, 100, 14_787, 216), (4, 300, 50_451, 424)];
        for (next, sample_ms, srtt_us, rto_ms) in vectors {
            rtt.sample(sample_ms * 1000 + 100, 200_000, next, next);
            assert_eq!(rtt.srtt_us(), srtt_us);
            assert_eq!(rtt.rto(120_000_000).as_micros(), rto_ms * 1000);
        }
    }

    #[test]
    fn first_sample_is_taken_whole() {
        let mut rtt = RttEstimator::default();
        assert_eq!((rtt.srtt_us(), rtt.min_us()), (0, u32::MAX));
        rtt.sample(400_000, 200_000, 1, 1);
        assert_eq!((rtt.srtt_us(), rtt.rttvar_us()), (400_000, 200_000));
        assert_eq!(rtt.rto(120_000_000).as_micros(), 1_200_000);
    }

    #[test]
    fn extreme_samples_do_not_overflow() {
        let mut rtt = RttEstimator::default();
        for sample in [u32::MAX, 0, u32::MAX, u32::MAX, 0, 0] {
            rtt.sample(sample, u32::MAX, 5, 5);
            assert!(rtt.rto(120_000_000).as_micros() <= 120_000_000);
        }
    }

    #[test]
    fn minimum_forgets_what_left_the_window() {
        let mut min = MinRtt::default();
        min.sample(10, 0, 300_000);
        min.sample(30, 100_000, 300_000);
        min.sample(20, 200_000, 300_000);
        assert_eq!(min.get(), 10);
        min.sample(40, 300_001, 300_000);
        assert_eq!(min.get(), 20);
        min.sample(50, 900_000, 300_000);
        assert_eq!(min.get(), 50);
    }
}
