//! HyStart: leaving slow start before it loses packets (the algorithm of the CUBIC authors that Linux runs;
//! RFC 9406 describes its successor).
//!
//! Two signs say that the pipe is full. The ACKs of one window come back as one dense train that lasts as
//! long as half the path, or the RTT of this round has risen clearly above the least. Either sets ssthresh
//! to the present window, which the algorithm that asks then does.

use super::view::SenderView;

/// Below this window, in segments, slow start is never left early.
const LOW_WINDOW: u32 = 16;
/// ACKs closer than this, in microseconds, belong to one train.
const ACK_DELTA_US: u32 = 2_000;
/// RTT samples of a round before its delay is judged.
const MIN_SAMPLES: u8 = 8;
/// The least and the most that the RTT must have risen, in microseconds.
const DELAY_MIN_US: u32 = 4_000;
const DELAY_MAX_US: u32 = 16_000;
/// The largest burst one device accepts, in bytes, and how many may sit in its queue.
const BURST_BYTES: u64 = 4 * 65_536;

/// The present round of slow start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hystart {
    end_seq: u64,
    round_start_us: u32,
    last_ack_us: u32,
    curr_rtt_us: u32,
    sample_cnt: u8,
    found: bool,
}

/// What an ACK in slow start says.
pub(super) struct RoundSample<'a> {
    /// The sender.
    pub view: &'a SenderView,
    /// cwnd in segments.
    pub cwnd: u32,
    /// This ACK's RTT in microseconds.
    pub rtt_us: u32,
    /// The least RTT in microseconds.
    pub delay_min_us: u32,
    /// The pacing rate in bytes a second.
    pub pacing_rate: u64,
    /// Pacing spreads the segments.
    pub paced: bool,
}

/// What told HyStart that slow start should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FullPipe {
    /// A dense train of ACKs.
    Train,
    /// A longer round trip.
    Delay,
}

impl Hystart {
    /// Begins a round that ends when everything sent until now is acknowledged.
    pub fn reset(&mut self, view: &SenderView) {
        let now = micros(view);
        *self = Hystart {
            end_seq: view.snd_nxt,
            round_start_us: now,
            last_ack_us: now,
            curr_rtt_us: u32::MAX,
            sample_cnt: 0,
            found: self.found,
        };
    }

    /// Forgets that the end of slow start was found.
    pub fn restart(&mut self) {
        self.found = false;
    }

    /// True when slow start was left already.
    pub fn found(&self) -> bool {
        self.found
    }

    /// Takes an ACK in slow start, and tells when slow start should end here.
    pub fn update(&mut self, sample: &RoundSample<'_>) -> Option<FullPipe> {
        if sample.view.snd_una > self.end_seq {
            self.reset(sample.view);
        }
        if sample.cwnd < LOW_WINDOW {
            return None;
        }
        let sign = if self.train(sample) {
            Some(FullPipe::Train)
        } else {
            self.delayed(sample).then_some(FullPipe::Delay)
        };
        self.found |= sign.is_some();
        sign
    }

    /// The train of ACKs has lasted as long as the path, or half of it when nothing spreads the segments.
    fn train(&mut self, sample: &RoundSample<'_>) -> bool {
        let now = micros(sample.view);
        if now.wrapping_sub(self.last_ack_us) > ACK_DELTA_US {
            return false;
        }
        self.last_ack_us = now;
        let threshold = sample.delay_min_us.saturating_add(burst_us(sample.pacing_rate));
        let threshold = if sample.paced { threshold } else { threshold / 2 };
        now.wrapping_sub(self.round_start_us) > threshold
    }

    /// The least RTT of this round is an eighth (4 to 16 ms) above the least ever.
    fn delayed(&mut self, sample: &RoundSample<'_>) -> bool {
        self.curr_rtt_us = self.curr_rtt_us.min(sample.rtt_us);
        if self.sample_cnt < MIN_SAMPLES {
            self.sample_cnt += 1;
            return false;
        }
        let rise = (sample.delay_min_us / 8).clamp(DELAY_MIN_US, DELAY_MAX_US);
        self.curr_rtt_us > sample.delay_min_us.saturating_add(rise)
    }
}

/// How long a device may take for the bursts in its queue: at most 1 ms, in microseconds.
fn burst_us(pacing_rate: u64) -> u32 {
    (BURST_BYTES * 1_000_000).checked_div(pacing_rate).map_or(0, |us| us.min(1_000) as u32)
}

/// Now in wrapping microseconds.
fn micros(view: &SenderView) -> u32 {
    view.now.as_micros() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Instant;

    fn view(us: u64, snd_una: u64, snd_nxt: u64) -> SenderView {
        SenderView { now: Instant::from_micros(us), snd_una, snd_nxt, ..SenderView::default() }
    }

    /// Feeds ACKs `gap_us` apart in one round; the number of the ACK that ends slow start.
    fn exit_after(cwnd: u32, gap_us: u64, rtt: impl Fn(u64) -> u32, paced: bool) -> Option<u64> {
        let mut hystart = Hystart::default();
        hystart.reset(&view(0, 0, 1_000_000));
        (1..=100).find(|i| {
            let sign = hystart.update(&RoundSample {
                view: &view(i * gap_us, *i, 1_000_000),
                cwnd,
                rtt_us: rtt(*i),
                delay_min_us: 40_000,
                pacing_rate: u64::MAX,
                paced,
            });
            sign.is_some()
        })
    }

    /// A train of ACKs 1 ms apart ends slow start once it has lasted half of 40 ms.
    #[test]
    fn ack_train_of_half_the_path() {
        assert_eq!(exit_after(20, 1_000, |_| 40_000, false), Some(21));
        assert_eq!(exit_after(20, 1_000, |_| 40_000, true), Some(41));
    }

    /// ACKs more than 2 ms apart are no train, and a steady RTT is no delay.
    #[test]
    fn sparse_acks_with_steady_rtt_go_on() {
        assert_eq!(exit_after(20, 3_000, |_| 40_000, false), None);
    }

    /// The ninth sample judges: 40 ms may rise by 5 ms and not by more.
    #[test]
    fn delay_above_an_eighth() {
        assert_eq!(exit_after(20, 3_000, |_| 45_001, false), Some(9));
        assert_eq!(exit_after(20, 3_000, |_| 45_000, false), None);
        // One quick sample among them shows that the queue is empty.
        assert_eq!(exit_after(20, 3_000, |i| if i == 4 { 41_000 } else { 60_000 }, false), None);
    }

    #[test]
    fn small_windows_go_on() {
        assert_eq!(exit_after(15, 1_000, |_| 90_000, false), None);
    }

    /// A new round forgets the train and the samples of the last one.
    #[test]
    fn rounds_end_when_their_data_is_acknowledged() {
        let mut hystart = Hystart::default();
        hystart.reset(&view(0, 0, 10));
        let mut ack = |us, una| {
            hystart.update(&RoundSample {
                view: &view(us, una, una + 10),
                cwnd: 20,
                rtt_us: 40_000,
                delay_min_us: 40_000,
                pacing_rate: 0,
                paced: false,
            })
        };
        for i in 1..=40 {
            assert_eq!(ack(i * 1_000, i), None, "each ACK up to 10 in one round, then a round each 11");
        }
    }

    #[test]
    fn bursts_in_the_device() {
        assert_eq!(burst_us(0), 0);
        assert_eq!(burst_us(1_000_000), 1_000);
        assert_eq!(burst_us(1_000_000_000), 262);
    }
}
