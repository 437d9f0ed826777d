//! A window that is not used is not known: validation after application-limited and idle periods
//! (RFC 2861, RFC 5681 4.1; requirements S-42, P-089, N-48).

use super::{Congestion, Window, millis};
use crate::congestion::view::SenderView;
use crate::congestion::{CongestionControl, CwndEvent, Settings};
use crate::recovery::phase::Phase;
use crate::time::Duration;

/// How far the window was used by the sending that just ended.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// The window stopped it: in flight reached cwnd, or a super-segment was held back for want of window.
    pub is_cwnd_limited: bool,
    /// The application waits for room in the send buffer, so that it is not what limits sending.
    pub send_buffer_full: bool,
    /// The present retransmission time-out.
    pub rto: Duration,
}

impl Congestion {
    /// Notes how far the window is used; call it after each round of sending that sent something or was
    /// stopped by the window (Linux: `tcp_cwnd_validate`). A window unused for one RTO shrinks half way
    /// to what is used, never below the initial window.
    pub fn validate(&mut self, view: &SenderView, usage: &Usage, settings: &Settings) {
        let window = &mut self.window;
        window.note_usage(view, usage.is_cwnd_limited);
        if window.is_cwnd_limited() {
            window.cwnd_used = 0;
            window.stamp(view);
            return;
        }
        window.cwnd_used = window.cwnd_used.max(view.packets_out);
        let unused_ms = millis(view.now).wrapping_sub(window.cwnd_stamp);
        let long = u128::from(unused_ms) >= usage.rto.as_millis();
        if long && settings.slow_start_after_idle && !self.algorithm.owns_window() {
            self.window.application_limited(view, usage, settings);
        }
    }

    /// Decays the window of a connection that sent nothing for `idle`, before it sends again: half of it
    /// for each RTO beyond the first, down to the restart window (S-42). ssthresh keeps three quarters of it.
    pub fn restart_after_idle(
        &mut self,
        idle: Duration,
        rto: Duration,
        view: &SenderView,
        settings: &Settings,
    ) {
        if !settings.slow_start_after_idle
            || view.packets_out > 0
            || idle <= rto
            || self.algorithm.owns_window()
        {
            return;
        }
        self.event(CwndEvent::CwndRestart, view);
        let window = &mut self.window;
        window.ssthresh = window.current_ssthresh(view.phase);
        let restart = settings.initial_window.min(window.cwnd);
        let halvings = (idle - rto).as_nanos().div_ceil(rto.as_nanos().max(1));
        let decayed = window.cwnd.checked_shr(u32::try_from(halvings).unwrap_or(u32::MAX)).unwrap_or(0);
        window.set_cwnd(decayed.max(restart));
        window.stamp(view);
        window.cwnd_used = 0;
    }
}

impl Window {
    /// Keeps the strongest sign of this window of data: that it was full once, or else its largest flight.
    fn note_usage(&mut self, view: &SenderView, is_cwnd_limited: bool) {
        let next_window = view.snd_una >= self.usage_end;
        let larger = !self.is_cwnd_limited && view.packets_out > self.max_packets_out;
        if next_window || is_cwnd_limited || larger {
            self.is_cwnd_limited = is_cwnd_limited;
            self.max_packets_out = view.packets_out;
            self.usage_end = view.snd_nxt;
        }
    }

    fn application_limited(&mut self, view: &SenderView, usage: &Usage, settings: &Settings) {
        if view.phase == Phase::Open && !usage.send_buffer_full {
            let used = self.cwnd_used.max(settings.initial_window);
            if used < self.cwnd {
                self.ssthresh = self.current_ssthresh(view.phase);
                self.set_cwnd((self.cwnd - used) / 2 + used);
            }
            self.cwnd_used = 0;
        }
        self.stamp(view);
    }
}
