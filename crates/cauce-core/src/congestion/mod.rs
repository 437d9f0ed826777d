//! How much may be in flight (RFC 5681, 6928, 9406, 9438, 9937).
//!
//! Loss recovery says what is lost; these rooms say how many segments the network may hold. [`Congestion`]
//! is what a connection owns: the window itself, its reductions and their undoing, validation after idle
//! or application-limited periods, the pacing rate, and an [`Algorithm`] chosen by name.
//!
//! An algorithm implements [`CongestionControl`], a trait as wide as Linux's `tcp_congestion_ops`. It sees
//! the sender through a [`view::SenderView`] and changes cwnd and ssthresh only through the [`Window`] it
//! is lent, which nothing outside `window` can make. It never decides what is lost, never sends, and never
//! reads a clock.

pub mod abc;
pub mod algorithm;
pub mod bic;
pub mod compound;
pub mod cubic;
pub mod hystart;
pub mod info;
pub mod prr;
pub mod rate_sample;
pub mod registry;
pub mod reno;
#[cfg(test)]
mod testing;
pub mod view;
pub mod window;

use crate::recovery::phase::Phase;
use crate::sysctl::Sysctls;
use crate::time::Duration;

pub use abc::Abc;
pub use algorithm::Algorithm;
pub use info::CcInfo;
pub use rate_sample::{RateEstimator, RateSample, TxStamp};
pub use registry::{RegisterError, Registry, available, by_name};
pub use view::{SenderView, Tuning};
pub use window::{Congestion, Window};

/// The value of ssthresh before anything has set it: slow start has no end in sight.
pub const INFINITE_SSTHRESH: u32 = 0x7fff_ffff;

/// What one ACK told the sender, in segments unless the name says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AckCounts {
    /// Segments newly acknowledged cumulatively.
    pub newly_acked: u32,
    /// Segments newly delivered: acknowledged or SACKed, each counted once.
    pub newly_delivered: u32,
    /// Segments newly declared lost while this ACK was processed.
    pub newly_lost: u32,
    /// Payload bytes by which `snd.una` advanced.
    pub acked_bytes: u32,
    /// RTT in microseconds of the newest segment delivered, for congestion control.
    pub ca_rtt_us: Option<u32>,
    /// Segments in flight before the ACK.
    pub prior_in_flight: u32,
    /// `snd.una` advanced.
    pub una_advanced: bool,
    /// Data (not only SYN or FIN) was acknowledged cumulatively.
    pub data_acked: bool,
    /// The ACK carried ECE.
    pub ece: bool,
    /// The path reorders more than `tcp_reordering`, so delivery out of order may raise the window too.
    pub is_reordering: bool,
}

impl AckCounts {
    /// True when this ACK may raise the window (Linux: `tcp_may_raise_cwnd`).
    pub fn may_raise_cwnd(&self) -> bool {
        self.data_acked || (self.is_reordering && (self.newly_delivered > 0 || self.newly_acked > 0))
    }
}

/// The settings that congestion control reads when it acts; the defaults are those of Linux 6.18.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `tcp_abc`, or today's rule (S-01).
    pub abc: Abc,
    /// `tcp_slow_start_after_idle` (S-42).
    pub slow_start_after_idle: bool,
    /// `tcp_pacing_ss_ratio` in percent.
    pub pacing_ss_ratio: u32,
    /// `tcp_pacing_ca_ratio` in percent.
    pub pacing_ca_ratio: u32,
    /// The initial window of the route, in segments: what an idle connection decays to.
    pub initial_window: u32,
}

impl Settings {
    /// The stack's values, with the initial window of the connection's route.
    pub fn of(sysctl: &Sysctls, initial_window: u32) -> Self {
        Settings {
            abc: Abc::from_sysctl(sysctl.tcp_abc, sysctl.cauce_profile),
            slow_start_after_idle: sysctl.tcp_slow_start_after_idle != 0,
            pacing_ss_ratio: sysctl.tcp_pacing_ss_ratio,
            pacing_ca_ratio: sysctl.tcp_pacing_ca_ratio,
            initial_window,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            abc: Abc::Live,
            slow_start_after_idle: true,
            pacing_ss_ratio: 200,
            pacing_ca_ratio: 120,
            initial_window: 10,
        }
    }
}

/// The delivery that one ACK reports (Linux: `ack_sample`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckSample {
    /// Segments newly acknowledged cumulatively.
    pub pkts_acked: u32,
    /// RTT in microseconds, `None` when this ACK gives no unambiguous sample.
    pub rtt_us: Option<u32>,
    /// Segments in flight before the ACK.
    pub in_flight: u32,
}

/// What an ACK looks like on arrival, before recovery has judged it (Linux: `CA_ACK_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AckEvent {
    /// Payload bytes by which `snd.una` advances.
    pub acked_bytes: u32,
    /// The slow path took it.
    pub slow_path: bool,
    /// It changed the send window.
    pub window_update: bool,
    /// It carries ECE.
    pub ece: bool,
}

/// Something that happened to the window or the sender (Linux: `CA_EVENT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CwndEvent {
    /// The first transmission with nothing in flight, after `idle` without sending.
    TxStart {
        /// Since the last segment with data was sent.
        idle: Duration,
    },
    /// The window decays because the connection was idle.
    CwndRestart,
    /// A reduction of the window has ended.
    CompleteCwr,
    /// A retransmission time-out, after ssthresh was set.
    Loss,
    /// A packet arrived with ECT but without CE.
    EcnNoCe,
    /// A packet arrived with CE.
    EcnIsCe,
}

/// An algorithm of congestion control, as wide as Linux's `tcp_congestion_ops`.
///
/// Required are a name, the threshold after congestion and the growth of the window; everything else has
/// Linux's default. The state must be small: one exists for each connection.
///
/// ```
/// use cauce_core::congestion::{CongestionControl, SenderView, Window};
///
/// /// Grows by one segment for each one delivered and never halves below four.
/// struct Bold;
/// impl CongestionControl for Bold {
///     fn name(&self) -> &'static str {
///         "bold"
///     }
///     fn ssthresh(&mut self, window: &Window, _: &SenderView) -> u32 {
///         (window.cwnd() / 2).max(4)
///     }
///     fn cong_avoid(&mut self, window: &mut Window, _: &SenderView, acked: u32) {
///         window.set_cwnd(window.cwnd().saturating_add(acked));
///     }
/// }
/// ```
pub trait CongestionControl: Send {
    /// The name under which TCP_CONGESTION knows it: at most 15 bytes.
    fn name(&self) -> &'static str;

    /// Called when the connection starts, or when it switches to this algorithm while alive.
    fn init(&mut self, window: &mut Window, view: &SenderView) {
        let _ = (window, view);
    }

    /// Called when the connection leaves this algorithm.
    fn release(&mut self, window: &mut Window) {
        let _ = window;
    }

    /// The slow start threshold, in segments, after congestion at the present window.
    fn ssthresh(&mut self, window: &Window, view: &SenderView) -> u32;

    /// Grows the window after `acked` segments were delivered, outside reductions.
    fn cong_avoid(&mut self, window: &mut Window, view: &SenderView, acked: u32);

    /// True when [`cong_control`](Self::cong_control) owns cwnd and the pacing rate, so that neither
    /// proportional rate reduction, nor `cong_avoid`, nor the decay after idle takes place.
    fn owns_window(&self) -> bool {
        false
    }

    /// Sets cwnd and pacing rate after each ACK, if [`owns_window`](Self::owns_window).
    fn cong_control(
        &mut self,
        window: &mut Window,
        view: &SenderView,
        counts: &AckCounts,
        sample: &RateSample,
    ) {
        let _ = (window, view, counts, sample);
    }

    /// Recovery is about to enter the phase `to`; `view.phase` is the one it leaves.
    fn set_state(&mut self, window: &mut Window, view: &SenderView, to: Phase) {
        let _ = (window, view, to);
    }

    /// Something happened to the window or the sender.
    fn cwnd_event(&mut self, window: &mut Window, view: &SenderView, event: CwndEvent) {
        let _ = (window, view, event);
    }

    /// An ACK has arrived and nothing has been done with it yet.
    fn in_ack_event(&mut self, window: &mut Window, view: &SenderView, event: &AckEvent) {
        let _ = (window, view, event);
    }

    /// Segments were acknowledged: the RTT sample and the count.
    fn pkts_acked(&mut self, window: &mut Window, view: &SenderView, sample: &AckSample) {
        let _ = (window, view, sample);
    }

    /// The window to return to when a reduction proves wrong.
    fn undo_cwnd(&mut self, window: &Window) -> u32 {
        window.cwnd().max(window.prior_cwnd())
    }

    /// The least number of segments in a super-segment; `None` leaves it to `tcp_min_tso_segs`.
    fn min_tso_segs(&self, window: &Window) -> Option<u32> {
        let _ = window;
        None
    }

    /// How many windows of data the send buffer should hold.
    fn sndbuf_expand(&self) -> u32 {
        2
    }

    /// True when connections under this algorithm must negotiate ECN.
    fn needs_ecn(&self) -> bool {
        false
    }

    /// What TCP_CC_INFO reports, `None` for algorithms that have nothing to say there.
    fn info(&self, window: &Window) -> Option<CcInfo> {
        let _ = window;
        None
    }
}
