//! Link addresses of the neighbours on Ethernet: ARP (RFC 826) and neighbour discovery (RFC 4861).
//!
//! Answers for this stack's addresses, finds the neighbour that a packet goes to, and lets a bounded number of
//! packets wait meanwhile. A neighbour that has long said nothing is asked again while its known address goes
//! on being used; one that does not answer is reported with the packets that waited for it (EHOSTUNREACH).
//! Without timers while nothing is in doubt. Devices without a link layer pass through untouched. It knows no
//! routers' advertisements and accepts no redirects: routes are configured.

use super::route::Routes;
use crate::addr::Addr;
use crate::batch::Transmit;
use crate::context::Context;
use crate::counters::Counter;
use crate::drop_reason::DropReason;
use crate::frame::{DeviceId, Frame};
use crate::time::{Duration, Instant};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use cauce_wire::arp::{ArpOperation, ArpPacket};
use cauce_wire::ethernet::{BROADCAST, EthernetHeader, HEADER_LEN, Mac, ethertype};
use cauce_wire::ndp::NdpMessage;
use core::net::{IpAddr, Ipv4Addr};

mod discovery;
mod entry;
mod messages;
#[cfg(test)]
mod tests;

use discovery::is_ndp;
use entry::{Entry, News, State};

/// Most answers that wait to be sent; who asks faster gets none.
const MAX_REPLIES: usize = 256;

/// What became of a frame from an Ethernet device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkInput {
    /// An IP packet for this host; its header starts at this byte.
    Ip(usize),
    /// ARP or neighbour discovery: done with.
    Consumed,
    /// Not for this host, or malformed; the reason has been traced.
    Dropped,
}

/// Why a packet could not be given a link address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undeliverable {
    /// The neighbour does not answer: EHOSTUNREACH for the flow.
    NoAnswer,
    /// Too many packets wait for the neighbour, or there are too many neighbours.
    QueueFull,
}

/// A packet that will not be sent.
#[derive(Clone, Debug)]
pub struct Undelivered {
    /// The packet; its token must be given back.
    pub transmit: Transmit,
    /// The neighbour it was for.
    pub next_hop: Addr,
    /// Why.
    pub reason: Undeliverable,
}

/// What is known of a neighbour's link address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Its address.
    Ready(Mac),
    /// It is being asked for.
    Pending,
    /// Nothing is known.
    Unknown,
}

type Key = (DeviceId, Addr);

/// The neighbours of one stack, on all of its Ethernet devices.
#[derive(Clone, Debug, Default)]
pub struct Neighbours {
    interfaces: Vec<(DeviceId, Mac)>,
    entries: BTreeMap<Key, Entry>,
    timers: BTreeSet<(Instant, Key)>,
    ready: VecDeque<Transmit>,
    undelivered: VecDeque<Undelivered>,
}

impl Neighbours {
    /// Makes `device` an Ethernet device whose own address is `mac`.
    pub fn add_interface(&mut self, device: DeviceId, mac: Mac) {
        self.interfaces.retain(|(known, _)| *known != device);
        self.interfaces.push((device, mac));
    }

    /// This host's address on an Ethernet device; `None` for a device without a link layer.
    pub fn mac(&self, device: DeviceId) -> Option<Mac> {
        self.interfaces.iter().find(|(known, _)| *known == device).map(|(_, mac)| *mac)
    }

    /// Takes in a frame of an Ethernet device, from its link header on.
    pub fn input(&mut self, frame: &Frame, routes: &Routes, ctx: &mut Context<'_>) -> LinkInput {
        let Some(own) = self.mac(frame.device) else { return LinkInput::Ip(0) };
        let Ok(link) = EthernetHeader::parse(&frame.head) else {
            ctx.dropped(DropReason::BadLinkHeader);
            return LinkInput::Dropped;
        };
        let to_a_group = link.dst[0] & 1 != 0;
        if link.dst != own && !to_a_group {
            ctx.dropped(DropReason::NotForThisHost);
            return LinkInput::Dropped;
        }
        let packet = frame.head.get(HEADER_LEN..).unwrap_or(&[]);
        let read = match link.ethertype {
            ethertype::ARP => self.arp(frame.device, packet, link.dst == own, routes, ctx),
            ethertype::IPV6 if is_ndp(packet) => self.ndp(frame.device, packet, routes, ctx),
            ethertype::IPV4 | ethertype::IPV6 => return LinkInput::Ip(HEADER_LEN),
            _ => {
                ctx.dropped(DropReason::BadLinkHeader);
                return LinkInput::Dropped;
            }
        };
        if read.is_none() {
            ctx.dropped(DropReason::NeighbourIgnored);
        }
        LinkInput::Consumed
    }

    /// Gives a packet for `next_hop` its link header. Returns it when it can be sent at once; otherwise it
    /// waits, and comes out of [`Neighbours::poll`] or of [`Neighbours::poll_undelivered`].
    pub fn output(
        &mut self,
        mut transmit: Transmit,
        next_hop: Addr,
        routes: &Routes,
        ctx: &mut Context<'_>,
    ) -> Option<Transmit> {
        let device = transmit.device;
        let Some(own) = self.mac(device) else { return Some(transmit) };
        let key = (device, next_hop);
        if !self.entries.contains_key(&key) && !self.make_room(ctx) {
            self.give_up(transmit, next_hop, Undeliverable::QueueFull, ctx);
            return None;
        }
        let entry = self.entries.entry(key).or_insert_with(|| Entry::new(ctx.now));
        entry.used = ctx.now;
        if let Some(mac) = entry.mac() {
            if entry.is_stale(ctx.now) {
                entry.state = State::Delay;
                self.arm(key, ctx.now + Duration::from_secs(ctx.sysctl.neigh_delay_first_probe_time.into()));
            }
            messages::add_link_header(&mut transmit, own, mac, next_hop.is_v4());
            return Some(transmit);
        }
        let limit = ctx.sysctl.neigh_unres_qlen_bytes as usize;
        let mut overflow = entry.enqueue(transmit, limit);
        let first = entry.state == State::New;
        if first {
            entry.state = State::Incomplete;
            self.probe(key, routes, ctx);
        }
        while let Some(transmit) = overflow.pop_front() {
            self.give_up(transmit, next_hop, Undeliverable::QueueFull, ctx);
        }
        None
    }

    /// What is known of a neighbour. Asks nobody.
    pub fn resolve(&self, device: DeviceId, next_hop: &Addr) -> Resolution {
        match self.entries.get(&(device, *next_hop)) {
            None => Resolution::Unknown,
            Some(entry) => entry.mac().map_or(Resolution::Pending, Resolution::Ready),
        }
    }

    /// A neighbour is there beyond doubt: a connection through it makes progress (RFC 4861 7.3.1).
    pub fn confirm(&mut self, device: DeviceId, next_hop: &Addr, ctx: &mut Context<'_>) {
        let key = (device, *next_hop);
        let in_doubt = |entry: &&mut Entry| entry.mac().is_some() && !entry.is_confirmed(ctx.now);
        let Some(entry) = self.entries.get_mut(&key).filter(in_doubt) else { return };
        entry.reachable(ctx.now + reachable_time(ctx));
        self.disarm(key);
    }

    /// The next packet that may be sent: an answer, a question, or one that has waited for its link address.
    pub fn poll(&mut self) -> Option<Transmit> {
        self.ready.pop_front()
    }

    /// The next packet that will not be sent.
    pub fn poll_undelivered(&mut self) -> Option<Undelivered> {
        self.undelivered.pop_front()
    }

    /// When [`Neighbours::handle_timeout`] has to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Asks again, or gives up.
    pub fn handle_timeout(&mut self, routes: &Routes, ctx: &mut Context<'_>) {
        while let Some((_, key)) = self.timers.first().filter(|(at, _)| *at <= ctx.now).copied() {
            self.disarm(key);
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            if entry.state == State::Delay {
                entry.state = State::Probe;
                entry.probes = 0;
            }
            let most = match entry.state {
                State::Probe => ctx.sysctl.neigh_ucast_solicit,
                _ => ctx.sysctl.neigh_mcast_solicit,
            };
            if u32::from(entry.probes) < most {
                self.probe(key, routes, ctx);
            } else {
                self.fail(key, ctx);
            }
        }
    }

    /// Every neighbour: device, address, link address if known, and whether it counts as reachable now.
    pub fn iter(&self, now: Instant) -> impl Iterator<Item = (DeviceId, Addr, Option<Mac>, bool)> + '_ {
        self.entries.iter().map(move |((device, addr), entry)| {
            (*device, *addr, entry.mac(), entry.mac().is_some() && !entry.is_stale(now))
        })
    }

    /// Neighbours known or asked for.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes in what a neighbour says of itself. `create` makes an entry of one that asked for us, since we
    /// shall answer it.
    fn learn(&mut self, key: Key, news: News, create: bool, ctx: &mut Context<'_>) {
        if !self.entries.contains_key(&key) {
            if !create || news.mac.is_none() || !self.make_room(ctx) {
                return;
            }
            self.entries.insert(key, Entry::new(ctx.now));
        }
        let until = ctx.now + reachable_time(ctx);
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let settled = entry.learn(news, until);
        let waiting = core::mem::take(&mut entry.queue);
        let Some(mac) = entry.mac() else {
            entry.queue = waiting;
            return;
        };
        entry.queued = 0;
        if settled {
            self.disarm(key);
        }
        let Some(own) = self.mac(key.0) else { return };
        for mut transmit in waiting {
            messages::add_link_header(&mut transmit, own, mac, key.1.is_v4());
            self.ready.push_back(transmit);
        }
    }

    /// Asks for the link address, and waits for the answer.
    fn probe(&mut self, key: Key, routes: &Routes, ctx: &mut Context<'_>) {
        let (device, target) = key;
        let Some(own) = self.mac(device) else { return self.fail(key, ctx) };
        let Some(entry) = self.entries.get_mut(&key) else { return };
        entry.probes = entry.probes.saturating_add(1);
        let known = entry.mac();
        let source = source_for(routes, &target, device);
        let question = match (target.ip(), source) {
            (IpAddr::V4(target_ip), source) => {
                let sender_ip = match source {
                    Some(IpAddr::V4(ip)) => ip,
                    _ => Ipv4Addr::UNSPECIFIED,
                };
                let request = ArpPacket {
                    operation: ArpOperation::Request,
                    sender_mac: own,
                    sender_ip,
                    target_mac: [0; 6],
                    target_ip,
                };
                messages::arp(device, &request, own, known.unwrap_or(BROADCAST))
            }
            (IpAddr::V6(target), Some(IpAddr::V6(source))) => {
                let ask = NdpMessage::Solicitation { target, source_mac: Some(own) };
                let group = cauce_wire::ndp::solicited_node(target);
                let (to, mac) = known.map_or((group, messages::multicast_mac(group)), |mac| (target, mac));
                messages::ndp(device, &ask, source, to, own, mac)
            }
            // Without an IPv6 address nobody could answer.
            (IpAddr::V6(_), _) => return self.fail(key, ctx),
        };
        self.reply(question, ctx);
        self.arm(key, ctx.now + Duration::from_millis(u64::from(ctx.sysctl.neigh_retrans_time_ms)));
    }

    fn fail(&mut self, key: Key, ctx: &mut Context<'_>) {
        self.disarm(key);
        let Some(entry) = self.entries.remove(&key) else { return };
        for transmit in entry.queue {
            self.give_up(transmit, key.1, Undeliverable::NoAnswer, ctx);
        }
    }

    fn give_up(&mut self, transmit: Transmit, next_hop: Addr, reason: Undeliverable, ctx: &mut Context<'_>) {
        ctx.count(Counter::IpOutDiscards);
        ctx.dropped(match reason {
            Undeliverable::NoAnswer => DropReason::NeighbourFailed,
            Undeliverable::QueueFull => DropReason::NeighbourQueueFull,
        });
        self.undelivered.push_back(Undelivered { transmit, next_hop, reason });
    }

    fn reply(&mut self, transmit: Transmit, ctx: &mut Context<'_>) {
        if self.ready.len() < MAX_REPLIES {
            self.ready.push_back(transmit);
        } else {
            ctx.dropped(DropReason::ReplyQueueFull);
        }
    }

    /// Makes room for one more neighbour (`gc_thresh3`): the one unused for longest goes, unless packets wait
    /// for it. False if there is none.
    fn make_room(&mut self, ctx: &Context<'_>) -> bool {
        if (self.entries.len() as u64) < u64::from(ctx.sysctl.neigh_gc_thresh3) {
            return true;
        }
        let idle = self.entries.iter().filter(|(_, entry)| entry.mac().is_some());
        let Some(oldest) = idle.min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key) else {
            return false;
        };
        self.disarm(oldest);
        self.entries.remove(&oldest);
        true
    }

    fn arm(&mut self, key: Key, at: Instant) {
        self.disarm(key);
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.timer = Some(at);
            self.timers.insert((at, key));
        }
    }

    fn disarm(&mut self, key: Key) {
        if let Some(at) = self.entries.get_mut(&key).and_then(|entry| entry.timer.take()) {
            self.timers.remove(&(at, key));
        }
    }
}

/// Between half and one and a half times the base, so that the questions of many hosts do not fall together
/// (RFC 4861 6.3.2).
fn reachable_time(ctx: &mut Context<'_>) -> Duration {
    let base = u64::from(ctx.sysctl.neigh_base_reachable_time_ms);
    Duration::from_millis(base / 2 + ctx.rng.below(base + 1))
}

/// The address to ask from: one whose block holds the target, else any of the family, first on this device.
fn source_for(routes: &Routes, target: &Addr, device: DeviceId) -> Option<IpAddr> {
    let own = routes.addresses().iter().filter(|own| own.addr.is_v4() == target.is_v4());
    own.max_by_key(|own| (own.device == device, own.prefix.contains(target))).map(|own| own.addr.ip())
}
