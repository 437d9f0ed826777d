//! Packets of a record: waiting for those that the script expects, and writing down all that leave.

use cauce_wire::{Ecn, Flags};

use super::MOMENT;
use crate::ast::{Direction, Event, TcpPacket};
use crate::expect::Merged;
use crate::packet::Live;
use crate::run::clock::Due;
use crate::run::packets::script_timestamps;
use crate::run::{PATIENCE, Ran, Run};

/// What a record calls the first TSval.
const FIRST_VALUE: u32 = 100;

impl Run<'_, '_> {
    /// Everything that leaves until `at`.
    pub(in crate::run) fn record_until(&mut self, event: &Event, at: i64) -> Ran<()> {
        while let Some((index, live)) = self.next_recorded(event, at)? {
            self.tie(index, &live);
            self.record_packet(index, live);
        }
        Ok(())
    }

    /// Waits for the packet that the script expects. It is the first that looks like it, or that leaves when it is
    /// due; those before it are written down too.
    pub(in crate::run) fn record_expected(
        &mut self,
        event: &Event,
        tcp: &TcpPacket,
        due: Due,
        tolerance: i64,
    ) -> Ran<()> {
        let index = self.flows.of_script(tcp, Direction::Out, self.checked.settings.bind_port);
        let deadline = due.to.max(self.target.now()).saturating_add(PATIENCE / 4);
        while let Some((owner, live)) = self.next_recorded(event, deadline)? {
            let its_own = index.is_none_or(|index| index == owner);
            let is_it = its_own
                && (live.at >= due.from.saturating_sub(tolerance) || self.looks_like(owner, tcp, &live));
            if !is_it {
                self.tie(owner, &live);
                self.record_packet(owner, live);
                continue;
            }
            let flow = self.flows.get(owner);
            if live.flags.contains(Flags::SYN) && tcp.flags.value.contains(Flags::SYN) {
                flow.isn.get_or_insert((tcp.seq, live.seq));
            }
            if let (Some((script, _)), Some((val, _))) = (script_timestamps(tcp), live.timestamps()) {
                flow.saw_value(script, val);
            }
            self.tie(owner, &live);
            let left = usize::from(tcp.len).saturating_sub(live.len);
            return self.record_rest(event, owner, live, left);
        }
        Ok(())
    }

    /// Writes `live` down with the packets that follow on at once, as long as the script's packet has more bytes.
    fn record_rest(&mut self, event: &Event, owner: usize, live: Live, mut left: usize) -> Ran<()> {
        let (mut until, mut next) = (live.at + MOMENT, live.seq.wrapping_add(live.len as u32));
        self.record_packet(owner, live);
        while left > 0 {
            let Some((index, live)) = self.next_recorded(event, until)? else { break };
            if index != owner || live.seq != next || live.len == 0 || live.len > left {
                if let Some(recorder) = &mut self.recorder {
                    recorder.ahead = Some((index, live));
                }
                break;
            }
            left -= live.len;
            (until, next) = (live.at + MOMENT, next.wrapping_add(live.len as u32));
            self.record_packet(index, live);
        }
        Ok(())
    }

    /// The next packet that is not yet written down.
    fn next_recorded(&mut self, event: &Event, deadline: i64) -> Ran<Option<(usize, Live)>> {
        match self.recorder.as_mut().and_then(|recorder| recorder.ahead.take()) {
            Some(ahead) => Ok(Some(ahead)),
            None => self.next_of_any(event, deadline),
        }
    }

    fn looks_like(&mut self, owner: usize, tcp: &TcpPacket, live: &Live) -> bool {
        let flow = self.flows.get(owner);
        let without_push = |flags: Flags| flags.0 & !Flags::PSH.0;
        without_push(tcp.flags.value) == without_push(live.flags)
            && (flow.isn.is_none() || flow.to_script(live.seq) == tcp.seq)
            && (tcp.len == 0) == (live.len == 0)
    }

    /// A live SYN that no expected packet names ties the numbers together as if the script counted from 0.
    fn tie(&mut self, index: usize, live: &Live) {
        if live.flags.contains(Flags::SYN) {
            self.flows.get(index).isn.get_or_insert((0, live.seq));
        }
    }

    fn record_packet(&mut self, index: usize, live: Live) {
        let flow = self.flows.get(index);
        if let Some((val, _)) = live.timestamps()
            && flow.script_value(val).is_none()
        {
            let (script, first) = flow.first_value.unwrap_or((FIRST_VALUE, val));
            flow.saw_value(val.wrapping_sub(first).wrapping_add(script), val);
        }
        if live.flags.contains(Flags::ACK) {
            flow.last_ack = Some(live.ack);
        }
        let named = flow.named;
        let whole = !self.checked.settings.strict_segments;
        let recorder = self.recorder.as_ref().filter(|_| whole);
        let joined = recorder.and_then(|recorder| recorder.joined(index, &live));
        let merged = joined.unwrap_or_else(|| Merged::new(live));
        let mut text = self.shown(index, &merged.whole);
        if let Some((remote, local)) = named {
            text = text.replacen("> ", &format!("> {local} > {remote} "), 1);
        }
        let ecn = match merged.whole.ip.ecn() {
            Ecn::NotEct => "",
            Ecn::Ect0 => "> [ect0] ",
            Ecn::Ect1 => "> [ect1] ",
            Ecn::Ce => "> [ce] ",
        };
        if !ecn.is_empty() {
            text = text.replacen("> ", ecn, 1);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.packet(index, merged, text);
        }
    }
}
