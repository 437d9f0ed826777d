//! ICMP errors that concern a connection (RFC 9293 3.9.2.2, RFC 1191, RFC 8201, RFC 5927; P-052 to P-054,
//!
//!
//! An error is believed only if the sequence number that it quotes is in flight. What it then means stands in
//! `icmp_errors`; a smaller path MTU is learned for all connections to that destination.

use super::entity::{FlowRef, StackTimer};
use super::icmp_errors::{IcmpMeaning, flow_of, meaning};
use super::ip_counts::IcmpCounters;
use super::path_mtu_cache::PathMtuLimits;
use super::{Entry, Stack};
use crate::addr::FlowKey;
use crate::connection::path::Path;
use crate::connection::state::State;
use crate::connection::{Connection, flag};
use crate::context::Context;
use crate::counters::Counter;
use crate::drop_reason::DropReason;
use crate::frame::Frame;
use crate::socket::errno::Errno;
use crate::socket::error_queue::{Carrier, ErrorMessage, ErrorOrigin};
use crate::socket::options::pmtu;
use crate::socket::readiness::Readiness;
use crate::time::{Duration, Instant};
use bytes::Bytes;
use cauce_wire::icmp::{self, IcmpError, IcmpMessage};
use cauce_wire::{IpHeader, IpVersion};

/// Where the quoted packet begins in an ICMP message.
const QUOTE_AT: usize = 8;

impl Stack {
    /// An ICMP message. What is no error about TCP goes back to the embedder.
    pub(super) fn icmp_input(&mut self, frame: Frame, ip: &IpHeader, now: Instant) -> Option<Frame> {
        let whole = frame.to_bytes();
        let end = ip.total_len.min(whole.len());
        let Some(message) = whole.get(ip.header_len..end) else { return Some(frame) };
        let parsed = match ip.version() {
            IpVersion::V4 => icmp::parse_v4(message, ip.src),
            IpVersion::V6 => icmp::parse_v6(message, ip.src, ip.dst),
        };
        let counters = IcmpCounters::of(ip.version());
        match parsed {
            Ok(IcmpMessage::TcpError(error)) => {
                self.shared.counters.add(counters.messages, 1);
                if let Some(counter) = counters.of_kind(error.icmp_type) {
                    self.shared.counters.add(counter, 1);
                }
                let quoted = whole.slice(ip.header_len + QUOTE_AT.min(end - ip.header_len)..end);
                let carrier = Carrier {
                    device: frame.device,
                    to: ip.dst,
                    hop_limit: ip.hop_limit,
                    traffic_class: ip.traffic_class,
                };
                self.icmp_error(&error, (quoted, carrier), now);
                None
            }
            Ok(IcmpMessage::Other { .. }) => Some(frame),
            Err(_) => {
                self.shared.counters.add(counters.messages, 1);
                self.end(now, counters.errors, DropReason::BadIcmp)
            }
        }
    }

    fn icmp_error(&mut self, error: &IcmpError, (quoted, carrier): (Bytes, Carrier), now: Instant) {
        let key = flow_of(error);
        let hash = self.flows.hash(&key);
        let Some(FlowRef::Socket(id)) = self.find_flow(hash, &key) else {
            let version = if key.is_v4() { IpVersion::V4 } else { IpVersion::V6 };
            self.end(now, IcmpCounters::of(version).errors, DropReason::IcmpNoSocket);
            return;
        };
        let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) else { return };
        let seq = error.quoted.seq.offset_near(conn.snd.una);
        // The SYN,ACK of a connection that its SYN has opened is on its way until it is confirmed.
        let oldest = if conn.is_unconfirmed() { conn.snd.iss() } else { conn.snd.una };
        let in_flight = (oldest..=conn.snd.nxt).contains(&seq);
        if !in_flight {
            self.shared.counters.add(Counter::OutOfWindowIcmps, 1);
            return self.shared.trace.dropped(now, DropReason::IcmpOutOfWindow);
        }
        let errno = match meaning(error) {
            IcmpMeaning::PathMtu(mtu) => return self.learn_mtu_as_set(id, &key, mtu, now),
            IcmpMeaning::Ignored => return self.shared.trace.dropped(now, DropReason::IcmpIgnored),
            IcmpMeaning::Error { errno, .. } => errno,
        };
        let mut cx = self.shared.cx(now);
        conn.report_icmp(error, errno, (&quoted, carrier), &mut cx);
        conn.icmp_error(errno, &mut cx);
        self.settle(id, now);
    }

    /// A packet was too big for a link on the way; `ip_no_pmtu_disc` says how far the message is believed: with 2 not at
    /// all, with 1 not the MTU that it names.
    fn learn_mtu_as_set(&mut self, id: crate::socket::SocketId, key: &FlowKey, mtu: u32, now: Instant) {
        match self.shared.sysctl.ip_no_pmtu_disc {
            1 if key.is_v4() => self.learn_mtu(id, key, 0, now),
            2 if key.is_v4() => self.shared.trace.dropped(now, DropReason::IcmpIgnored),
            _ => self.learn_mtu(id, key, mtu, now),
        }
    }

    /// A packet was too big for a link on the way (P-053). What the socket's IP_MTU_DISCOVER makes of it: sockets that
    /// leave cutting to routers send nothing again at once, but their next segments fit (O-53).
    fn learn_mtu(&mut self, id: crate::socket::SocketId, key: &FlowKey, mtu: u32, now: Instant) {
        let sysctl = &self.shared.sysctl;
        let limits = PathMtuLimits {
            min_pmtu: sysctl.route_min_pmtu.clamp(68, 65535) as u16,
            expires: Duration::from_secs(u64::from(match key.is_v4() {
                true => sysctl.route_mtu_expires,
                false => sysctl.ipv6_route_mtu_expires,
            })),
        };
        let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) else { return };
        let mode = conn.options.mtu_discover(key.is_v4());
        let knows_better = mode >= pmtu::INTERFACE;
        if conn.path.has(Path::MTU_LOCKED) || !key.is_v4() && knows_better || mtu >= u32::from(conn.path.mtu)
        {
            return;
        }
        let sends_again = !(knows_better || key.is_v4() && mode == pmtu::DONT);
        let learned = self.interfaces.path_mtu.learn(key.remote, mtu, conn.path.mtu, now, limits);
        let Some(learned) = learned else { return };
        let expiry = self.interfaces.path_mtu.next_expiry();
        self.keep_stack_deadline(StackTimer::PathMtu, expiry);
        let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) else { return };
        if sends_again {
            let mut cx = self.shared.cx(now);
            conn.path_mtu_lowered(learned.mtu, &mut cx);
            self.settle(id, now);
        }
    }
}

impl Connection {
    /// The error goes to the error queue too: during the handshake over IPv4 always, otherwise if the user asked for it
    /// . `quoted` is the packet of ours that the message quotes.
    fn report_icmp(
        &mut self,
        error: &IcmpError,
        errno: Errno,
        (quoted, carrier): (&Bytes, Carrier),
        cx: &mut Context<'_>,
    ) {
        let v4 = self.key.is_v4();
        let always = v4 && matches!(self.state, State::SynSent | State::SynReceived);
        if self.state == State::Closed || !always && !self.options.recv_err(v4) {
            return;
        }
        let header = if v4 { quoted.first().map_or(20, |byte| usize::from(byte & 15) * 4) } else { 40 };
        let message = ErrorMessage {
            payload: quoted.slice(header.min(quoted.len())..),
            errno: Some(errno),
            origin: if v4 { ErrorOrigin::Icmp } else { ErrorOrigin::Icmp6 },
            kind: error.icmp_type,
            code: error.code,
            offender: Some(error.offender),
            carrier: Some(carrier),
            ..self.empty_message()
        };
        self.queue_error(message, cx);
    }

    /// Takes an ICMP error that has been found credible. During the handshake it is fatal; afterwards it is
    /// only remembered, unless the user asked for more by IP_RECVERR.
    pub(crate) fn icmp_error(&mut self, errno: Errno, cx: &mut Context<'_>) {
        match self.state {
            // Somebody uses it already, as if it were established.
            State::SynReceived if self.is_unconfirmed() && !self.has(flag::UNACCEPTED) => {
                self.soft_error = Some(errno);
            }
            State::SynSent | State::SynReceived => {
                cx.count(Counter::AttemptFails);
                self.destroy(Some(errno), cx);
            }
            State::Closed => {}
            _ if self.options.recv_err(self.key.is_v4()) => {
                self.error = Some(errno);
                self.tell(Readiness::ALL);
            }
            _ => self.soft_error = Some(errno),
        }
    }

    /// Segments from now on fit the smaller MTU; those that did not are sent again at once, without a
    /// reduction of the window.
    pub(crate) fn path_mtu_lowered(&mut self, mtu: u16, cx: &mut Context<'_>) {
        if mtu >= self.path.mtu {
            return;
        }
        self.path.mtu = mtu;
        let before = self.mss;
        self.sync_mss(cx);
        if self.mss < before {
            self.resend_oversized(cx);
        }
    }
}
