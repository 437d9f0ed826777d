//! What a connection takes over from those before it, and leaves for those to come
//! (S-33, S-70; RFC 9040's temporal sharing).
//!
//! Says which connections report (those that end in order: in TIME-WAIT, as an orphan in FIN-WAIT-2, out of
//! LAST-ACK) and what a new one starts with. How observations are mixed is decided in `stack/metrics_cache`.

use super::{Connection, env_of};
use crate::congestion::INFINITE_SSTHRESH;
use crate::context::Context;
use crate::recovery::Phase;
use crate::stack::metrics_cache::Observation;

impl Connection {
    /// The handshake is over: what is known of the destination becomes the start of this connection. The window of
    /// earlier connections does not, unless the route fixes it: then it bounds this one's.
    pub(crate) fn recall_path(&mut self, cx: &mut Context<'_>) {
        let Some(known) = cx.destinations.get(&self.key.remote, cx.now) else { return };
        if known.locked.cwnd {
            self.cong.clamp(known.cwnd);
        }
        if known.ssthresh != 0 && cx.sysctl.tcp_no_ssthresh_metrics_save == 0 {
            self.cong.set_initial_ssthresh(known.ssthresh);
        }
        let env = env_of(&self.path, &self.options, cx);
        self.recovery.recall(known.reordering, known.srtt_us, &env.settings);
    }

    /// The connection ends in order: what it has seen of its path is told.
    pub(crate) fn report_path(&mut self, cx: &mut Context<'_>) {
        if cx.sysctl.tcp_no_metrics_save != 0 {
            return;
        }
        let measured = if self.recovery.backoff() == 0 { self.recovery.srtt_us() } else { 0 };
        let seen = Observation {
            source: self.key.local,
            srtt_us: measured,
            mdev_us: self.recovery.rttvar_us(),
            cwnd: self.cong.cwnd(),
            ssthresh: self.cong.ssthresh(),
            in_initial_slow_start: self.cong.ssthresh() >= INFINITE_SSTHRESH,
            open: self.recovery.phase() == Phase::Open,
            reordering: self.recovery.reordering(),
            default_reordering: cx.sysctl.reordering(),
        };
        cx.destinations.report(self.key.remote, seen);
    }
}
