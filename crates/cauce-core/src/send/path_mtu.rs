//! The path MTU as found by the sender alone, without ICMP (RFC 4821, RFC 8899 5; S-08, S-32, S-72, S-75).
//!
//! Decides when a segment larger than the MSS leaves as a probe, between which bounds the search goes on, and what an
//! arrived, a lost and an inconclusive probe change. A black hole, where only time-outs follow, halves the lower bound.
//! The state exists while a connection probes: always with `tcp_mtu_probing` 2, from the first suspicion on with 1. It
//! never touches what ICMP has told (`stack/path_mtu_cache`), never finds losses, and never writes cwnd itself.

use crate::batch::{Batch, SendReason};
use crate::connection::Connection;
use crate::context::Context;
use crate::counters::Counter;
use crate::recovery::{AckSummary, Phase};
use crate::time::{Duration, Instant};

/// Linux' `tcp_mtu_probing`: from the start, not only when a black hole is suspected.
const FROM_THE_START: u8 = 2;
/// Below this window a lost probe would cost too large a part of it.
const LEAST_CWND: u32 = 11;

/// The search of one connection. Sizes are those of IP packets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathProbing {
    /// The largest size that is known to arrive; segments are no larger.
    low: u16,
    /// The smallest size that may not arrive, or the most that peer and path allow.
    high: u16,
    /// When the search began.
    since: Instant,
    /// The probe in the network.
    probe: Option<Probe>,
}

/// One segment that is larger than the others.
#[derive(Clone, Copy, Debug)]
struct Probe {
    start: u64,
    end: u64,
    mtu: u16,
}

/// What has become of the wish to probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProbeStep {
    /// A probe has left.
    Sent,
    /// It could leave if the windows had more room: nothing else may take it.
    Wait,
    /// No probe for now.
    None,
}

impl Connection {
    fn probing(&self) -> Option<&PathProbing> {
        self.rare.as_ref().and_then(|rare| rare.probing.as_deref())
    }

    fn probing_mut(&mut self) -> Option<&mut PathProbing> {
        self.rare.as_mut().and_then(|rare| rare.probing.as_deref_mut())
    }

    /// Where the probe in the network begins.
    pub(crate) fn path_probe_start(&self) -> Option<u64> {
        self.probing().and_then(|probing| probing.probe).map(|probe| probe.start)
    }

    /// A search begins with the connection, if the setting asks for it. The MSS follows when it is next computed (Linux).
    pub(crate) fn begin_path_probing(&mut self, cx: &Context<'_>) {
        if cx.sysctl.tcp_mtu_probing >= FROM_THE_START {
            self.set_path_probing(cx);
        }
    }

    fn set_path_probing(&mut self, cx: &Context<'_>) {
        let base = cx.sysctl.tcp_base_mss.clamp(1, i32::from(u16::MAX)) as u16;
        let probing =
            PathProbing { low: self.mtu_of(base), high: self.largest_mtu(), since: cx.now, probe: None };
        self.rare_mut().probing = Some(probing.into());
    }

    /// The packet that a segment of `mss` bytes makes.
    fn mtu_of(&self, mss: u16) -> u16 {
        let headers = self.path.network_header() + 20 + self.negotiated.option_space();
        mss.saturating_add(headers)
    }

    /// The largest packet that the peer and what is known of the path allow.
    fn largest_mtu(&self) -> u16 {
        let headers = self.path.network_header() + 20;
        self.negotiated.peer_mss.saturating_add(headers).min(self.path.mtu)
    }

    /// Keeps the search below what the path is known to carry, and says what segments may be at most while it goes on.
    pub(crate) fn bound_by_probing(&mut self, cx: &Context<'_>) -> u16 {
        let known = self.path.mtu;
        let Some(probing) = self.probing_mut() else { return u16::MAX };
        probing.high = probing.high.min(known);
        let low = probing.low;
        self.mss_of(low, cx)
    }

    /// Sends a probe if one is due and all that it needs is there: data for it and for the segments that show its loss
    /// by duplicate ACKs, and room for them in both windows.
    pub(super) fn probe_path(&mut self, cx: &mut Context<'_>, out: &mut Batch) -> ProbeStep {
        let Some(&PathProbing { low, high, probe: None, .. }) = self.probing() else {
            return ProbeStep::None;
        };
        let calm = self.recovery.phase() == Phase::Open && self.recv.sack_count() == 0;
        if !calm || self.cong.cwnd() < LEAST_CWND {
            return ProbeStep::None;
        }
        let mtu = ((u32::from(low) + u32::from(high)) / 2) as u16;
        let size = self.mss_of(mtu, cx);
        let width = i32::from(high) - i32::from(low);
        if size > self.mss_of(high, cx) || width < cx.sysctl.tcp_probe_threshold {
            self.search_again(cx);
            return ProbeStep::None;
        }
        let after = (u64::from(self.recovery.reordering()) + 1) * u64::from(self.mss);
        let (size, needed) = (u64::from(size), u64::from(size) + after);
        if self.unsent() < needed || u64::from(self.snd.wnd) < needed {
            return ProbeStep::None;
        }
        if self.window_room() < needed {
            return ProbeStep::Wait;
        }
        let in_flight = self.recovery.in_flight();
        if in_flight + 2 > self.cong.cwnd() {
            return if in_flight == 0 { ProbeStep::None } else { ProbeStep::Wait };
        }
        let len = size.saturating_sub(self.option_space().into());
        if self.write.record_end(self.snd.nxt) < self.snd.nxt + len {
            return ProbeStep::None;
        }
        self.send_path_probe(len, cx, out);
        ProbeStep::Sent
    }

    fn send_path_probe(&mut self, len: u64, cx: &mut Context<'_>, out: &mut Batch) {
        let start = self.snd.nxt;
        self.send_text(len, SendReason::PathMtuProbe, cx, out);
        self.cong.path_probe_sent();
        let end = self.snd.nxt;
        let mtu = self.mtu_of((end - start) as u16);
        if let Some(probing) = self.probing_mut() {
            probing.probe = Some(Probe { start, end, mtu });
        }
    }

    /// The search has ended; after `tcp_probe_interval` the path may have become wider.
    fn search_again(&mut self, cx: &Context<'_>) {
        let interval = Duration::from_secs(cx.sysctl.tcp_probe_interval.into());
        let (low, high) = (self.mtu_of(self.effective_mss()), self.largest_mtu());
        if let Some(probing) = self.probing_mut().filter(|probing| cx.now.since(probing.since) >= interval) {
            *probing = PathProbing { low, high, since: cx.now, probe: None };
        }
    }

    /// An acknowledgement came while a probe was in the network.
    pub(crate) fn judge_path_probe(&mut self, summary: &AckSummary, cx: &mut Context<'_>) {
        if summary.path_probe_lost {
            self.path_probe_lost(cx);
        } else {
            self.path_probe_arrived(cx);
        }
    }

    /// Once the peer has acknowledged the probe, segments may be as large as it was. The window,
    /// counted in segments, becomes as many bytes as before.
    fn path_probe_arrived(&mut self, cx: &mut Context<'_>) {
        let (una, mtu_before) = (self.snd.una, self.mtu_of(self.mss));
        let view = self.view(cx);
        let Some(probing) = self.probing_mut() else { return };
        let Some(probe) = probing.probe.take_if(|probe| probe.end <= una) else { return };
        probing.low = probe.mtu;
        self.cong.path_probe_arrived(mtu_before, probe.mtu, &view);
        self.sync_mss(cx);
        cx.count(Counter::TCPMTUPSuccess);
    }

    /// Recovery has found the probe lost and nothing before it: the path does not carry its size, which is no sign of
    /// congestion. Its bytes are sent again in segments that fit.
    fn path_probe_lost(&mut self, cx: &mut Context<'_>) {
        let Some(probing) = self.probing_mut() else { return };
        let Some(probe) = probing.probe.take() else { return };
        probing.high = probe.mtu - 1;
        cx.count(Counter::TCPMTUPFail);
        self.cong.path_probe_lost();
        self.resend_oversized(cx);
    }

    /// Something is sent again: what becomes of the probe tells nothing any more.
    pub(super) fn path_probe_inconclusive(&mut self) {
        if let Some(probing) = self.probing_mut() {
            probing.probe = None;
        }
    }

    /// Retransmissions have lasted for `tcp_retries1`: large packets may be what does not arrive. The search begins at
    /// the base size; each further time-out halves what it takes for certain.
    pub(crate) fn suspect_narrow_path(&mut self, cx: &mut Context<'_>) {
        if cx.sysctl.tcp_mtu_probing == 0 {
            return;
        }
        let Some(&PathProbing { low, .. }) = self.probing() else {
            self.set_path_probing(cx);
            return self.sync_mss(cx);
        };
        let sysctl = cx.sysctl;
        let base = sysctl.tcp_base_mss.clamp(1, i32::from(u16::MAX)) as u16;
        let floor = sysctl.tcp_mtu_probe_floor.min(u16::MAX.into()) as u16;
        let mss = (self.mss_of(low, cx) / 2).min(base).max(floor).max(sysctl.least_mss());
        let low = self.mtu_of(mss);
        if let Some(probing) = self.probing_mut() {
            probing.low = low;
        }
        self.sync_mss(cx);
    }
}
