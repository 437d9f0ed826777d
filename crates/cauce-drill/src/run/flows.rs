//! The connections of a script: which socket, which ports, and how its sequence numbers and timestamps map.
//!
//! A script counts from the numbers it likes; the stack chooses its own. What the script injects goes out with
//! its own sequence numbers, so only the stack's side is mapped: an outgoing SYN ties both together.

use std::collections::{BTreeMap, VecDeque};

use crate::ast::{Direction, TcpPacket};
use crate::call::Fd;
use crate::packet::Live;
use cauce_wire::Flags;

/// How a connection came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A socket of which nothing is known yet.
    Fresh,
    /// listen() was called.
    Listener,
    /// A SYN was injected to a listener.
    Passive,
    /// connect() was called.
    Active,
    /// Packets to no socket that is known.
    Stray,
}

/// One connection or listener.
#[derive(Debug)]
pub(crate) struct Flow {
    pub origin: Origin,
    /// The target's descriptor.
    pub fd: Option<Fd>,
    pub local_port: Option<u16>,
    pub remote_port: Option<u16>,
    /// The ports that the script calls it by, remote first.
    pub named: Option<(u16, u16)>,
    /// Initial sequence number of the stack: the script's and the live one.
    pub isn: Option<(u32, u32)>,
    /// Script's TSval to the live one.
    values: BTreeMap<u32, u32>,
    /// The first TSval: the script's, the live one.
    pub first_value: Option<(u32, u32)>,
    /// The packet with the first TSval came exactly when it was due.
    pub first_on_time: bool,
    /// Packets that came while another connection's was awaited.
    pub pending: VecDeque<Live>,
    /// What the stack has acknowledged last: where a reset would be accepted.
    pub last_ack: Option<u32>,
    /// connect() was called again: the next SYN may begin a new connection in the place of this one.
    again: bool,
}

impl Flow {
    fn new(origin: Origin, fd: Option<Fd>) -> Flow {
        Flow {
            origin,
            fd,
            local_port: None,
            remote_port: None,
            named: None,
            isn: None,
            values: BTreeMap::new(),
            first_value: None,
            first_on_time: true,
            pending: VecDeque::new(),
            last_ack: None,
            again: false,
        }
    }

    /// A live SYN begins a new connection of the same socket: numbers and timestamps start anew.
    fn renew(&mut self, local_port: u16) {
        (self.origin, self.local_port, self.again) = (Origin::Active, Some(local_port), false);
        (self.isn, self.first_value, self.last_ack) = (None, None, None);
        self.first_on_time = true;
        self.values.clear();
    }

    /// A number of the stack's sequence space, from live to the script's.
    pub fn to_script(&self, live: u32) -> u32 {
        self.isn.map_or(live, |(script, isn)| live.wrapping_sub(isn).wrapping_add(script))
    }

    /// A number of the stack's sequence space, from the script's to live.
    pub fn to_live(&self, script: u32) -> u32 {
        self.isn.map_or(script, |(base, isn)| script.wrapping_sub(base).wrapping_add(isn))
    }

    /// Remembers which live TSval the script's stands for.
    pub fn saw_value(&mut self, script: u32, live: u32) {
        self.values.insert(script, live);
        self.first_value.get_or_insert((script, live));
    }

    /// The live TSecr for the script's: one that was seen as TSval, and with `scaled` also one that lies as far from
    /// the first.
    pub fn echo(&self, script: u32, scaled: bool) -> Option<u32> {
        let known = self.values.get(&script).copied().or((script == 0).then_some(0));
        let first = self.first_value.filter(|_| scaled);
        known.or_else(|| first.map(|(first, live)| script.wrapping_sub(first).wrapping_add(live)))
    }

    /// The script's TSval for a live one, as far as it is known.
    pub fn script_value(&self, live: u32) -> Option<u32> {
        self.values.iter().find(|(_, known)| **known == live).map(|(script, _)| *script)
    }
}

/// All connections of a script.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    all: Vec<Flow>,
    current: Option<usize>,
    next_port: u16,
}

/// The first port that an injected SYN comes from.
const FIRST_REMOTE_PORT: u16 = 45_000;

impl Flows {
    pub fn get(&mut self, index: usize) -> &mut Flow {
        &mut self.all[index]
    }

    pub fn iter(&self) -> impl Iterator<Item = &Flow> {
        self.all.iter()
    }

    fn add(&mut self, flow: Flow) -> usize {
        self.all.push(flow);
        self.current = Some(self.all.len() - 1);
        self.all.len() - 1
    }

    fn of_fd(&mut self, fd: Fd) -> Option<&mut Flow> {
        self.all.iter_mut().rev().find(|flow| flow.fd == Some(fd))
    }

    /// The descriptor that `%{ }%` looks at: the current connection's, or the last one known.
    pub fn sampled_fd(&self) -> Option<Fd> {
        let current = self.current.and_then(|index| self.all[index].fd);
        current.or_else(|| self.all.iter().rev().find_map(|flow| flow.fd))
    }

    /// The connection that an ICMP error is about.
    pub fn of_current(&self) -> Option<usize> {
        self.current.filter(|index| self.all[*index].remote_port.is_some())
    }

    pub fn socket(&mut self, fd: Fd) {
        self.add(Flow::new(Origin::Fresh, Some(fd)));
    }

    pub fn bind(&mut self, fd: Fd, port: u16) {
        if let Some(flow) = self.of_fd(fd) {
            flow.local_port = Some(port);
        }
    }

    pub fn listen(&mut self, fd: Fd) {
        if let Some(flow) = self.of_fd(fd) {
            flow.origin = Origin::Listener;
        }
    }

    pub fn connect(&mut self, fd: Fd, port: u16) {
        let Some(flow) = self.of_fd(fd) else { return };
        if flow.origin == Origin::Fresh {
            (flow.origin, flow.remote_port) = (Origin::Active, Some(port));
        } else if flow.remote_port == Some(port) {
            flow.again = true;
        }
    }

    /// A descriptor was accepted for the connection from `port`.
    pub fn accepted(&mut self, fd: Fd, port: u16) {
        let found = self.all.iter().rposition(|flow| flow.remote_port == Some(port) && flow.fd.is_none());
        if let Some(index) = found {
            self.all[index].fd = Some(fd);
            self.current = Some(index);
        }
    }

    /// The descriptor is gone.
    pub fn close(&mut self, fd: Fd) {
        if let Some(flow) = self.of_fd(fd) {
            flow.fd = None;
            // A SYN that has never left (TCP_FASTOPEN_CONNECT) will not come any more.
            let unborn = flow.origin == Origin::Active && flow.local_port.is_none();
            if matches!(flow.origin, Origin::Listener | Origin::Fresh) || unborn {
                flow.origin = Origin::Stray;
            }
        }
    }

    /// The connection that the script's packet belongs to; an injected SYN to a listener makes a new one.
    pub fn of_script(&mut self, packet: &TcpPacket, direction: Direction, bind_port: u16) -> Option<usize> {
        let incoming = direction == Direction::In;
        if let Some((source, destination)) = packet.ports {
            let named = if incoming { (source, destination) } else { (destination, source) };
            if let Some(index) = self.all.iter().rposition(|flow| flow.named == Some(named)) {
                return Some(index);
            }
            let unnamed = |flow: &Flow| flow.origin == Origin::Active && flow.named.is_none();
            let index = match self.all.iter().position(unnamed) {
                Some(index) if !incoming => index,
                _ if !incoming => return None,
                _ => self.passive(named.0, named.1),
            };
            self.all[index].named = Some(named);
            self.current = Some(index);
            return Some(index);
        }
        let current = self.current.map(|index| (index, self.all[index].origin));
        match current {
            Some((index, Origin::Active | Origin::Passive)) => Some(index),
            Some((index, Origin::Stray)) if self.all[index].remote_port.is_some() => Some(index),
            _ if !incoming => None,
            _ => {
                let local = current.and_then(|(index, _)| self.all[index].local_port).unwrap_or(bind_port);
                let remote = FIRST_REMOTE_PORT + self.next_port;
                self.next_port = (self.next_port + 1) % 20_000;
                let index = self.passive(remote, local);
                let to_listener = matches!(current, Some((_, Origin::Listener)));
                if !to_listener || !packet.flags.value.contains(Flags::SYN) {
                    self.all[index].origin = Origin::Stray;
                }
                Some(index)
            }
        }
    }

    fn passive(&mut self, remote: u16, local: u16) -> usize {
        let flow =
            Flow { local_port: Some(local), remote_port: Some(remote), ..Flow::new(Origin::Passive, None) };
        self.add(flow)
    }

    /// The connection that a live packet belongs to; the first SYN of a connect() fixes its local port.
    pub fn of_live(&mut self, live: &Live) -> Option<usize> {
        let known = self.all.iter().rposition(|flow| {
            flow.remote_port == Some(live.dst_port)
                && flow.local_port == Some(live.src_port)
                && flow.origin != Origin::Listener
        });
        let fresh = || {
            self.all.iter().position(|flow| {
                flow.origin == Origin::Active
                    && flow.local_port.is_none()
                    && flow.remote_port == Some(live.dst_port)
            })
        };
        let begins = live.flags.contains(Flags::SYN) && !live.flags.contains(Flags::ACK);
        let renewed = |known: Option<usize>| {
            let same_place = |flow: &Flow| known.is_none() && flow.remote_port == Some(live.dst_port);
            let is_new = |flow: &Flow| flow.isn.is_some_and(|(_, isn)| isn != live.seq);
            self.all.iter().enumerate().rposition(|(index, flow)| {
                flow.again && begins && (same_place(flow) || known == Some(index) && is_new(flow))
            })
        };
        if let Some(index) = renewed(known) {
            self.all[index].renew(live.src_port);
            return Some(index);
        }
        let index = known.or_else(fresh)?;
        self.all[index].local_port = Some(live.src_port);
        Some(index)
    }
}
