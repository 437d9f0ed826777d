//! What arrives by ARP and neighbour discovery: answers to others, and news of them.

use super::entry::News;
use super::{Neighbours, messages};
use crate::addr::Addr;
use crate::context::Context;
use crate::frame::DeviceId;
use crate::stack::route::Routes;
use cauce_wire::arp::{ArpOperation, ArpPacket};
use cauce_wire::ethernet::Mac;
use cauce_wire::ndp::{NEIGHBOUR_ADVERTISEMENT, NEIGHBOUR_SOLICITATION, NdpMessage};
use cauce_wire::{IpHeader, protocol};
use core::net::{IpAddr, Ipv6Addr};

impl Neighbours {
    /// Handles an ARP packet; `None` if it concerns nobody here.
    pub(super) fn arp(
        &mut self,
        device: DeviceId,
        packet: &[u8],
        to_us_alone: bool,
        routes: &Routes,
        ctx: &mut Context<'_>,
    ) -> Option<()> {
        let arp = ArpPacket::parse(packet).ok()?;
        let sender = Addr::from(IpAddr::V4(arp.sender_ip));
        let for_us = routes.is_own_address(&IpAddr::V4(arp.target_ip).into());
        let asked = arp.operation == ArpOperation::Request && for_us;
        if !is_station(&arp.sender_mac) || routes.is_own_address(&sender) {
            return None;
        }
        if !arp.sender_ip.is_unspecified() {
            let answer = arp.operation == ArpOperation::Reply && to_us_alone;
            let news = News { mac: Some(arp.sender_mac), solicited: answer, overrides: true };
            self.learn((device, sender), news, asked, ctx);
        }
        if asked {
            let own = self.mac(device)?;
            self.reply(messages::arp(device, &arp.reply_from(own), own, arp.sender_mac), ctx);
        }
        Some(())
    }

    /// Handles a message of neighbour discovery; `None` if it is malformed or concerns nobody here.
    pub(super) fn ndp(
        &mut self,
        device: DeviceId,
        packet: &[u8],
        routes: &Routes,
        ctx: &mut Context<'_>,
    ) -> Option<()> {
        let ip = IpHeader::parse(packet, packet.len()).ok()?;
        let (IpAddr::V6(src), IpAddr::V6(dst)) = (ip.src, ip.dst) else { return None };
        let message = packet.get(ip.header_len..ip.total_len)?;
        match NdpMessage::parse(message, src, dst, ip.hop_limit).ok()?? {
            NdpMessage::Solicitation { target, source_mac } => {
                routes.is_own_address(&IpAddr::V6(target).into()).then_some(())?;
                self.advertise(device, target, src, source_mac, routes, ctx)
            }
            NdpMessage::Advertisement { target, target_mac, solicited, overrides, .. } => {
                let key = (device, Addr::from(IpAddr::V6(target)));
                let own = routes.is_own_address(&key.1);
                let sane = !own && target_mac.is_none_or(|mac| is_station(&mac));
                sane.then(|| self.learn(key, News { mac: target_mac, solicited, overrides }, false, ctx))
            }
        }
    }

    /// Answers the solicitation for `target` that `asker` sent (RFC 4861 7.2.4).
    fn advertise(
        &mut self,
        device: DeviceId,
        target: Ipv6Addr,
        asker: Ipv6Addr,
        source_mac: Option<Mac>,
        routes: &Routes,
        ctx: &mut Context<'_>,
    ) -> Option<()> {
        let own = self.mac(device)?;
        let asker_addr = Addr::from(IpAddr::V6(asker));
        if routes.is_own_address(&asker_addr) || source_mac.is_some_and(|mac| !is_station(&mac)) {
            return None;
        }
        if source_mac.is_some() {
            let news = News { mac: source_mac, solicited: false, overrides: true };
            self.learn((device, asker_addr), news, true, ctx);
        }
        // Who checks for a duplicate address has none to be answered at.
        let known = source_mac.or_else(|| self.entries.get(&(device, asker_addr))?.mac());
        let (to, mac) = match known {
            Some(mac) if !asker.is_unspecified() => (asker, mac),
            _ => (messages::ALL_NODES, messages::multicast_mac(messages::ALL_NODES)),
        };
        let answer = NdpMessage::Advertisement {
            target,
            target_mac: Some(own),
            router: false,
            solicited: to == asker,
            overrides: true,
        };
        self.reply(messages::ndp(device, &answer, target, to, own, mac), ctx);
        Some(())
    }
}

/// A hardware address that one station can have.
fn is_station(mac: &Mac) -> bool {
    mac[0] & 1 == 0 && *mac != [0; 6]
}

/// True for an IPv6 packet that may be a solicitation or an advertisement: ICMPv6 right behind the header.
pub(super) fn is_ndp(packet: &[u8]) -> bool {
    packet.get(6) == Some(&protocol::ICMPV6)
        && matches!(packet.get(40), Some(&(NEIGHBOUR_SOLICITATION | NEIGHBOUR_ADVERTISEMENT)))
}
