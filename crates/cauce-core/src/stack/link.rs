//! Below IP: link headers and neighbours on layer-2 devices, fragments, the stack's own housekeeping
//! (RFC 826, RFC 4861, RFC 791, RFC 8200).

use super::entity::{Owner, StackTimer};
use super::neighbours::{LinkInput, Undeliverable};
use super::{Entry, Stack};
use crate::addr::{Addr, FlowKey};
use crate::batch::{Batch, Transmit};
use crate::counters::Counter;
use crate::drop_reason::DropReason;
use crate::frame::Frame;
use crate::socket::errno::Errno;
use crate::stack::entity::FlowRef;
use crate::time::Instant;
use cauce_wire::{IpHeader, TcpHeader};

impl Stack {
    /// Strips the link header of a layer-2 frame, or handles what is no IP packet (ARP, NDP).
    pub(super) fn link_input(&mut self, mut frame: Frame, now: Instant) -> Option<Frame> {
        if self.neighbours.mac(frame.device).is_none() {
            return Some(frame);
        }
        let mut cx = self.shared.cx(now);
        let verdict = self.neighbours.input(&frame, self.interfaces.routes(), &mut cx);
        self.keep_neighbour_deadline();
        match verdict {
            LinkInput::Ip(start) => {
                frame.head = frame.head.slice(start.min(frame.head.len())..);
                Some(frame)
            }
            LinkInput::Consumed | LinkInput::Dropped => None,
        }
    }

    /// Gives a packet its link header and sends it, or lets it wait for the neighbour.
    pub(super) fn send_on_link(&mut self, packet: Transmit, now: Instant, out: &mut Batch) {
        let Some(to) = destination(&packet) else { return };
        let next_hop = self.interfaces.next_hop(to, packet.device);
        let mut cx = self.shared.cx(now);
        if let Some(ready) = self.neighbours.output(packet, next_hop, self.interfaces.routes(), &mut cx) {
            out.push(ready);
        }
        self.keep_neighbour_deadline();
    }

    /// Questions and answers about neighbours, packets that waited for them, and those that waited in vain.
    pub(super) fn drain_neighbours(&mut self, now: Instant, out: &mut Batch) {
        while out.room() > 0 {
            let Some(packet) = self.neighbours.poll() else { break };
            out.push(packet);
        }
        while let Some(lost) = self.neighbours.poll_undelivered() {
            self.shared.trace.dropped(now, DropReason::NeighbourFailed);
            self.shared.counters.add(Counter::IpOutDiscards, 1);
            self.token_returned(lost.transmit.token, now);
            if lost.reason == Undeliverable::NoAnswer {
                self.host_unreachable(&lost.transmit, now);
            }
        }
    }

    /// The neighbour does not answer: as if a router had said that the host is unreachable.
    fn host_unreachable(&mut self, packet: &Transmit, now: Instant) {
        let start = usize::from(packet.network_offset);
        let Some(key) = packet.header.get(start..).and_then(flow_of) else { return };
        let hash = self.flows.hash(&key);
        if let Some(FlowRef::Socket(id)) = self.find_flow(hash, &key)
            && let Some(Entry::Connection(conn)) = self.sockets.get_mut(id)
        {
            let mut cx = self.shared.cx(now);
            conn.icmp_error(Errno::EHOSTUNREACH, &mut cx);
            self.settle(id, now);
        }
    }

    /// Takes a fragment in. Returns the whole packet when this was the last one missing.
    pub(super) fn reassemble(&mut self, frame: Frame, ip: &IpHeader, now: Instant) -> Option<Frame> {
        let mut cx = self.shared.cx(now);
        let whole = self.fragments.input(frame, 0, ip, &mut cx);
        let deadline = self.fragments.deadline();
        self.keep_stack_deadline(StackTimer::Fragments, deadline);
        whole
    }

    fn keep_neighbour_deadline(&mut self) {
        let deadline = self.neighbours.deadline();
        self.keep_stack_deadline(StackTimer::Neighbours, deadline);
    }

    pub(super) fn keep_stack_deadline(&mut self, timer: StackTimer, deadline: Option<Instant>) {
        let owner = Owner::Stack(timer);
        match deadline {
            Some(at) => self.deadlines.set(owner, at),
            None => {
                self.deadlines.remove(owner);
            }
        }
    }

    /// A deadline of the stack itself.
    pub(super) fn on_stack_timer(&mut self, timer: StackTimer, now: Instant) {
        let mut cx = self.shared.cx(now);
        let deadline = match timer {
            StackTimer::Fragments => {
                self.fragments.handle_timeout(&mut cx);
                self.fragments.deadline()
            }
            StackTimer::Neighbours => {
                self.neighbours.handle_timeout(self.interfaces.routes(), &mut cx);
                self.neighbours.deadline()
            }
            StackTimer::PathMtu => {
                self.interfaces.path_mtu.expire(now);
                self.interfaces.path_mtu.next_expiry()
            }
            StackTimer::Housekeeping => return self.expire_calls(now),
        };
        self.keep_stack_deadline(timer, deadline);
    }
}

fn destination(packet: &Transmit) -> Option<Addr> {
    let head = packet.header.get(usize::from(packet.network_offset)..)?;
    IpHeader::parse(head, packet.len()).ok().map(|ip| ip.dst.into())
}

fn flow_of(head: &[u8]) -> Option<FlowKey> {
    let ip = IpHeader::parse(head, usize::from(u16::MAX)).ok()?;
    let (tcp, _) = TcpHeader::parse(head.get(ip.header_len..)?).ok()?;
    Some(FlowKey {
        local: ip.src.into(),
        remote: ip.dst.into(),
        local_port: tcp.src_port,
        remote_port: tcp.dst_port,
    })
}
