//! Packets of a script: injecting them, waiting for them.

use cauce_wire::Flags;

use super::clock::Due;
use super::flows::Flow;
use super::{PATIENCE, Ran, Run};
use crate::ast::{Direction, Event, IcmpPacket, IpFields, OptionList, Packet, TcpOption, TcpPacket};
use crate::expect::{Difference, Merged, Rules, answer::seconds, differences, table};
use crate::packet::{Live, Segment, Shown, encode_options, icmp_error, tcp_packet};
use crate::settings::Settings;

/// What TSval is checked with under `--strict` when the script sets no tick: Linux counts milliseconds.
const USUAL_TICK: i64 = 1_000_000;

impl Run<'_, '_> {
    pub(super) fn inject_tcp(&mut self, event: &Event, packet: &Packet, tcp: &TcpPacket) -> Ran<()> {
        let settings = &self.checked.settings;
        let Some(index) = self.flows.of_script(tcp, Direction::In, settings.bind_port) else {
            return Err(self.failed(&event.span, "there is no socket that this packet could go to"));
        };
        // The parser refuses `<...>` here.
        let OptionList::These(options) = &tcp.options else { return Ok(()) };
        let flow = self.flows.get(index);
        let mut live = Vec::new();
        for option in options {
            live.push(match &option.value {
                TcpOption::Timestamps { val, ecr } => match flow.echo(*ecr, settings.scaled_echoes) {
                    Some(ecr) => TcpOption::Timestamps { val: *val, ecr },
                    None => {
                        let title =
                            format!("no packet with TSval {ecr} has left, so that it cannot be echoed");
                        return Err(self.failed(&option.span, &title));
                    }
                },
                TcpOption::Sack(blocks) => TcpOption::Sack(
                    blocks.iter().map(|(left, right)| (flow.to_live(*left), flow.to_live(*right))).collect(),
                ),
                other => other.clone(),
            });
        }
        let (src_port, dst_port) = match (flow.remote_port, flow.local_port) {
            (Some(remote), Some(local)) => (remote, local),
            _ => {
                return Err(
                    self.failed(&event.span, "the stack has sent nothing yet from which its port is known")
                );
            }
        };
        let ack = tcp.ack.as_ref().map_or(0, |ack| ack.value);
        let segment = Segment {
            src: settings.remote,
            dst: settings.local,
            src_port,
            dst_port,
            ip: packet.ip,
            seq: tcp.seq,
            ack: if tcp.flags.value.contains(Flags::ACK) { flow.to_live(ack) } else { ack },
            flags: tcp.flags.value,
            window: tcp.window.as_ref().map_or(0, |window| window.value),
            urgent: tcp.urgent.as_ref().map_or(0, |urgent| urgent.value),
            options: encode_options(live.iter()),
            len: usize::from(tcp.len),
        };
        self.target.inject(&tcp_packet(&segment)).map_err(|error| self.refused(&event.span, error))?;
        let now = self.target.now();
        self.note(now, self.checked.source.excerpt(&event.action_span));
        Ok(())
    }

    pub(super) fn inject_icmp(&mut self, event: &Event, packet: &Packet, icmp: &IcmpPacket) -> Ran<()> {
        let settings = &self.checked.settings;
        let Some(index) = self.flows.of_current() else {
            return Err(self.failed(&event.span, "there is no connection that this error could be about"));
        };
        let flow = self.flows.get(index);
        let (Some(dst_port), Some(src_port)) = (flow.remote_port, flow.local_port) else {
            return Err(
                self.failed(&event.span, "the stack has sent nothing yet from which its port is known")
            );
        };
        let (seq, len) = icmp.quoted.unwrap_or((0, 0));
        let quoted = Segment {
            src: settings.local,
            dst: settings.remote,
            src_port,
            dst_port,
            ip: IpFields::default(),
            seq: flow.to_live(seq),
            ack: 0,
            flags: Flags::ACK,
            window: 0,
            urgent: 0,
            options: Vec::new(),
            len: usize::from(len),
        };
        let bytes = icmp_error(icmp, packet.ip, settings.gateway, &quoted);
        self.target.inject(&bytes).map_err(|error| self.refused(&event.span, error))?;
        let now = self.target.now();
        self.note(now, self.checked.source.excerpt(&event.action_span));
        Ok(())
    }

    pub(super) fn expect_tcp(
        &mut self,
        event: &Event,
        packet: &Packet,
        tcp: &TcpPacket,
        due: Due,
        tolerance: i64,
    ) -> Ran<()> {
        let bind_port = self.checked.settings.bind_port;
        let Some(index) = self.flows.of_script(tcp, Direction::Out, bind_port) else {
            return Err(self.failed(&event.span, "there is no connection that could send this packet"));
        };
        let deadline = due.to.max(self.target.now()).saturating_add(PATIENCE);
        let Some(first) = self.next_of(event, index, deadline)? else {
            let title = format!("no packet came by {}; it was due at {}", seconds(deadline), when(due));
            return Err(self.failed(&event.span, &title));
        };
        if first.flags.contains(Flags::SYN) && tcp.flags.value.contains(Flags::SYN) {
            self.flows.get(index).isn.get_or_insert((tcp.seq, first.seq));
        }
        let mut merged = Merged::new(first);
        let wanted_len = usize::from(tcp.len);
        let begins = self.flows.get(index).to_script(merged.whole.seq) == tcp.seq && merged.whole.len > 0;
        while begins && !self.checked.settings.strict_segments && merged.whole.len < wanted_len {
            let Some(next) = self.next_of(event, index, deadline)? else { break };
            if let Err(why) = merged.push(&next) {
                let came = self.shown(index, &merged.whole);
                let title =
                    format!("{} packets came for this segment and do not make it: {why}", merged.count + 1);
                return Err(Box::new(self.failed(&event.span, &title).first_note(format!("so far: {came}"))));
            }
        }
        self.judge(event, packet, tcp, index, &merged, (due, tolerance))
    }

    fn judge(
        &mut self,
        event: &Event,
        packet: &Packet,
        tcp: &TcpPacket,
        index: usize,
        merged: &Merged,
        (due, tolerance): (Due, i64),
    ) -> Ran<()> {
        let settings = &self.checked.settings;
        let (live, flow) = (&merged.whole, self.flows.get(index));
        let wanted_val = script_timestamps(tcp).map(|(val, _)| val);
        let expected_val =
            wanted_val.and_then(|val| expected_value(settings, flow, val, live.at, (due, tolerance)));
        let rules = Rules {
            ipv6: settings.ipv6(),
            strict: settings.strict,
            expected_val,
            seq: flow.to_script(live.seq),
        };
        let mut found = differences(packet, tcp, live, &rules);
        if !due.allows(live.at, tolerance) {
            let allowed = format!("{} (within {})", when(due), seconds(tolerance));
            found.push(Difference::new("time", allowed, seconds(live.at)));
        }
        if let (Some(script), Some((val, _))) = (wanted_val, live.timestamps()) {
            flow.first_on_time &= flow.first_value.is_some() || due.late(live.at) == 0 && !due.any;
            flow.saw_value(script, val);
        }
        if live.flags.contains(Flags::ACK) {
            flow.last_ack = Some(live.ack);
        }
        let came = self.shown(index, live);
        if found.is_empty() {
            self.note(live.at, came);
            return Ok(());
        }
        let pieces = if merged.count > 1 { format!(" (in {} packets)", merged.count) } else { String::new() };
        let timing = found.iter().all(|difference| ["time", "TS val"].contains(&&*difference.field));
        let title = match found.as_slice() {
            [one] if timing => format!("this packet left at {} and was due at {}", one.actual, one.expected),
            _ => "the packet is not as expected".to_owned(),
        };
        let expected = self.checked.source.excerpt(&event.action_span);
        let mut failure = self.failed(&event.span, &title).timing(timing);
        if !timing {
            failure = failure.first_note(table(&found));
        }
        failure = failure.first_note(format!("expected: {expected}\ncame:     {came}{pieces}"));
        Err(Box::new(failure))
    }

    /// The next packet of the connection `index`; those of others wait for their turn.
    fn next_of(&mut self, event: &Event, index: usize, deadline: i64) -> Ran<Option<Live>> {
        if let Some(live) = self.flows.get(index).pending.pop_front() {
            return Ok(Some(live));
        }
        while let Some((owner, live)) = self.next_of_any(event, deadline)? {
            if owner == index {
                return Ok(Some(live));
            }
            self.flows.get(owner).pending.push_back(live);
        }
        Ok(None)
    }

    /// The next packet of any connection that is known.
    pub(super) fn next_of_any(&mut self, event: &Event, deadline: i64) -> Ran<Option<(usize, Live)>> {
        loop {
            let next = self.target.next_packet(deadline).map_err(|error| self.refused(&event.span, error))?;
            let Some(captured) = next else { return Ok(None) };
            let live = match Live::parse(captured.at, &captured.bytes) {
                Ok(Some(live)) => live,
                Ok(None) => continue,
                Err(why) => {
                    return Err(
                        self.failed(&event.span, &format!("a malformed packet left the stack: {why}"))
                    );
                }
            };
            match self.flows.of_live(&live) {
                Some(owner) => return Ok(Some((owner, live))),
                None => {
                    let line = format!(
                        "{} > {}: a packet of no known connection",
                        live.source(),
                        live.destination()
                    );
                    self.note(live.at, line);
                }
            }
        }
    }

    /// A live packet in the script's spelling and numbers.
    pub(super) fn shown(&mut self, index: usize, live: &Live) -> String {
        let flow = self.flows.get(index);
        let options: Vec<_> = live
            .options
            .iter()
            .map(|option| match option {
                TcpOption::Timestamps { val, ecr } => {
                    TcpOption::Timestamps { val: flow.script_value(*val).unwrap_or(*val), ecr: *ecr }
                }
                other => other.clone(),
            })
            .collect();
        let shown = Shown {
            direction: Direction::Out,
            flags: live.flags,
            seq: flow.to_script(live.seq),
            len: live.len,
            ack: live.flags.contains(Flags::ACK).then_some(live.ack),
            window: Some(live.window),
            urgent: live.flags.contains(Flags::URG).then_some(live.urgent),
            options: Some(&options),
        };
        shown.to_string()
    }

    /// Ends every connection whose addresses are known with a reset from the peer.
    pub(super) fn reset_all(&mut self) {
        let settings = &self.checked.settings;
        let resets: Vec<_> = self
            .flows
            .iter()
            .filter_map(|flow| {
                Some(tcp_packet(&Segment {
                    src: settings.remote,
                    dst: settings.local,
                    src_port: flow.remote_port?,
                    dst_port: flow.local_port?,
                    ip: IpFields::default(),
                    seq: flow.last_ack?,
                    ack: 0,
                    flags: Flags::RST,
                    window: 0,
                    urgent: 0,
                    options: Vec::new(),
                    len: 0,
                }))
            })
            .collect();
        for packet in resets {
            // The script is over: what cannot be delivered changes nothing.
            let _ = self.target.inject(&packet);
        }
    }
}

pub(super) fn script_timestamps(tcp: &TcpPacket) -> Option<(u32, u32)> {
    let OptionList::These(options) = &tcp.options else { return None };
    options.iter().find_map(|option| match option.value {
        TcpOption::Timestamps { val, ecr } => Some((val, ecr)),
        _ => None,
    })
}

/// The live TSval that stands for the script's `val`, and how many ticks it may be off; `None` when it is not
/// checked. Strictly it may be off only by what the packet itself, or the connection's first one, was late.
fn expected_value(
    settings: &Settings,
    flow: &Flow,
    val: u32,
    at: i64,
    (due, tolerance): (Due, i64),
) -> Option<(u32, u32)> {
    let (script, first) = flow.first_value?;
    let live = val.wrapping_sub(script).wrapping_add(first);
    if !settings.strict {
        let tick = settings.timestamp_tick?;
        return Some((live, u32::try_from(tolerance / tick + 1).unwrap_or(u32::MAX)));
    }
    if due.any {
        return None;
    }
    let tick = settings.timestamp_tick.unwrap_or(USUAL_TICK);
    // Only virtual time is exact to the nanosecond, and its ticks begin with the script.
    let late = at.div_euclid(tick) - (at - due.late(at)).div_euclid(tick);
    let exact = flow.first_on_time && due.from == due.to;
    let slack = if exact { 0 } else { (due.to - due.from) / tick + 2 };
    Some((live.wrapping_add(late as u32), u32::try_from(slack).unwrap_or(u32::MAX)))
}

/// The moment or range of `due` in seconds.
fn when(due: Due) -> String {
    match due {
        Due { any: true, .. } => "any time".to_owned(),
        Due { from, to, .. } if from == to => seconds(from),
        Due { from, to, .. } => format!("{}~{}", seconds(from), seconds(to)),
    }
}
