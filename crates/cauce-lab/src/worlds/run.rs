//! One world from its plan to its verdict.

use super::plan::{ConnectionPlan, Opening, WorldPlan};
use super::user::{Phase, Streams, User};
use crate::faults::Outage;
use crate::invariants::Census;
use crate::model::{Stream, Violation};
use crate::pair::{Pair, Side};
use crate::report::Reached;
use crate::rng::LabRng;
use crate::watch::Watch;
use crate::world::{Happened, Tap};
use cauce_core::counters::Counter;
use cauce_core::rng::Rng;
use cauce_core::socket::SocketId;
use cauce_core::socket::errno::Errno;
use cauce_core::stack::Stack;
use cauce_core::time::Duration;
use std::net::SocketAddr;

/// What became of one world.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Connections that were opened.
    pub connections: u64,
    /// Of those, completed in both directions.
    pub completed: u64,
    /// Of those, cut off by a user's close or abort.
    pub cut_off: u64,
    /// Of those, given up by the engine after as many tries as the settings allow, or as an orphan for its memory.
    pub given_up: u64,
    /// Bytes that came out.
    pub bytes: u64,
    /// Situations that were reached.
    pub reached: Reached,
    /// What no TCP may do; empty when all is well.
    pub violations: Vec<String>,
}

/// Runs the world of this seed.
pub fn run_seed(seed: u64) -> Outcome {
    run_seed_with(seed, None)
}

/// As [`run_seed`], with a tap on the link.
pub fn run_seed_with(seed: u64, tap: Option<Box<dyn Tap>>) -> Outcome {
    let mut run = Run::new(WorldPlan::draw(seed));
    if let Some(tap) = tap {
        run.pair.tap(tap);
    }
    if let Err((connection, violation)) = run.drive() {
        let now = run.pair.now().as_nanos();
        run.outcome.violations.push(format!("connection {connection} at {now} ns: {violation}"));
    }
    run.finish()
}

/// How long after healing every polite transfer has to be over: two of the longest retransmission
/// time-outs, and time to send.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long after that everything has to be forgotten: FIN-WAIT-2, orphans and TIME-WAIT.
const FORGETTING: Duration = Duration::from_secs(3_600);
/// First port of the listeners; connection `n` uses this and `n`.
const PORT: u16 = 5_000;

/// Steps after which a world counts as endless; the busiest take a tenth of that.
const MOST_STEPS: u64 = 500_000;

struct Run {
    steps: u64,
    plan: WorldPlan,
    pair: Pair<Stack>,
    watch: Watch,
    connections: Vec<Connection>,
    outcome: Outcome,
}

struct Connection {
    plan: ConnectionPlan,
    /// Sent by A, sent by B.
    streams: [Stream; 2],
    users: [User; 2],
    listener: Option<SocketId>,
}

/// What a wake-up is for.
const OPEN_A: u64 = 0;
const OPEN_B: u64 = 1;
/// Plus the end.
const ACT: u64 = 2;
const KEYS: u64 = 4;

impl Run {
    fn new(plan: WorldPlan) -> Self {
        let mut pair = Pair::new(&plan.pair);
        for side in Side::BOTH {
            pair.with(side, |stack, _| {
                for (name, value) in &plan.sysctls[side as usize] {
                    // The plan's tests show that every name and value is valid.
                    let _ = stack.sysctl_mut().set(name, value);
                }
            });
            if let Some((from, until)) = plan.outage {
                pair.link_mut(side).faults_mut().push(Box::new(Outage::new(from, until)));
            }
        }
        pair.world().heal_at(plan.heals_at);
        let watch = Watch::new();
        pair.tap(Box::new(watch.clone()));
        let mut rng = LabRng::new(plan.pair.seed, 2);
        let connections =
            plan.connections.iter().map(|plan| Connection::new(plan.clone(), &mut rng)).collect();
        Run { steps: 0, plan, pair, watch, connections, outcome: Outcome::default() }
    }

    /// Where an end of a connection listens or is bound.
    fn addr(&self, index: usize, end: Side) -> SocketAddr {
        self.plan.addressing.addr(self.connections[index].host(end), PORT + index as u16)
    }

    /// Lets everything happen. An error names the connection.
    fn drive(&mut self) -> Result<(), (usize, Violation)> {
        self.schedule()?;
        let patience = self.plan.heals_at + PATIENCE;
        while !self.all_gone() && self.pair.world().next_at().is_some_and(|at| at <= patience) {
            self.step()?;
        }
        self.leave_behind()?;
        let forgotten = self.pair.now() + FORGETTING;
        while self.pair.world().next_at().is_some_and(|at| at <= forgotten) {
            self.step()?;
        }
        Ok(())
    }

    /// Opens the listeners and plans the openings.
    fn schedule(&mut self) -> Result<(), (usize, Violation)> {
        for index in 0..self.connections.len() {
            let (opens_at, opening) =
                (self.connections[index].plan.opens_at, self.connections[index].plan.opening);
            let base = index as u64 * KEYS;
            match opening {
                Opening::By(end) => {
                    let at = self.addr(index, end.other());
                    let family = self.plan.addressing.family();
                    let host = self.connections[index].host(end.other());
                    let listener = self.pair.with(host, |stack, _| -> Result<SocketId, Errno> {
                        let id = stack.open(family)?;
                        stack.socket(id).bind(at)?;
                        stack.socket(id).listen(16)?;
                        Ok(id)
                    });
                    let listener = listener.map_err(|errno| (index, unexpected("LISTEN", errno)))?;
                    self.connections[index].listener = Some(listener);
                    self.pair.world().wake_at(opens_at, base + end as u64);
                }
                Opening::Simultaneous(later) => {
                    self.pair.world().wake_at(opens_at, base + OPEN_A);
                    self.pair.world().wake_at(opens_at + later, base + OPEN_B);
                }
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), (usize, Violation)> {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            return Err((0, Violation::Other("the world does not come to rest".into())));
        }
        match self.pair.step() {
            Some(Happened::Woken(key)) => {
                let index = (key / KEYS) as usize;
                let end = Side::BOTH[(key % 2) as usize];
                match key % KEYS {
                    OPEN_A | OPEN_B => self.open(index, end)?,
                    _ => self.act(index, end)?,
                }
                self.events(self.connections[index].host(end))
            }
            Some(Happened::Arrived(host) | Happened::Timeout(host)) => self.events(Side::BOTH[host.0]),
            None => Ok(()),
        }
    }

    /// OPEN, active.
    fn open(&mut self, index: usize, end: Side) -> Result<(), (usize, Violation)> {
        let (local, remote) = (self.addr(index, end), self.addr(index, end.other()));
        let family = self.plan.addressing.family();
        let connection = &mut self.connections[index];
        let host = connection.host(end);
        let simultaneous = matches!(connection.plan.opening, Opening::Simultaneous(_));
        let (user, mut streams) = connection.end(end);
        let opened = self.pair.with(host, |stack, now| {
            let id = stack.open(family)?;
            if simultaneous {
                stack.socket(id).bind(local)?;
            }
            match user.open(stack, now, id, remote, &mut streams) {
                Ok(()) | Err(Errno::EINPROGRESS) => {}
                Err(errno) => return Err(errno),
            }
            user.take(stack, now, id, Phase::Connecting);
            Ok(())
        });
        opened.map_err(|errno| (index, unexpected("OPEN", errno)))?;
        self.outcome.connections += u64::from(!simultaneous || end == Side::A);
        self.act(index, end)
    }

    /// Takes the events of one host to its users, until there are no more.
    fn events(&mut self, host: Side) -> Result<(), (usize, Violation)> {
        while let Some((id, _)) = self.pair.with(host, |stack, _| stack.poll_event()) {
            for index in 0..self.connections.len() {
                for end in Side::BOTH {
                    let connection = &self.connections[index];
                    if connection.host(end) != host {
                        continue;
                    }
                    if connection.listens(end) && connection.listener == Some(id) {
                        self.accept(index, end)?;
                    } else if connection.users[end as usize].socket == Some(id) {
                        self.act(index, end)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self, index: usize, end: Side) -> Result<(), (usize, Violation)> {
        let connection = &mut self.connections[index];
        let (Some(listener), host) = (connection.listener, connection.host(end)) else { return Ok(()) };
        let user = &mut connection.users[end as usize];
        let accepted = self.pair.with(host, |stack, now| {
            let id = stack.socket(listener).accept(now)?;
            let _ = stack.socket(listener).close(now);
            user.take(stack, now, id, Phase::Open);
            Ok(())
        });
        match accepted {
            Ok(()) => connection.listener = None,
            Err(Errno::EAGAIN) => return Ok(()),
            Err(errno) => return Err((index, unexpected("ACCEPT", errno))),
        }
        self.act(index, end)
    }

    fn act(&mut self, index: usize, end: Side) -> Result<(), (usize, Violation)> {
        let connection = &mut self.connections[index];
        let host = connection.host(end);
        let (user, mut streams) = connection.end(end);
        let wake = self.pair.with(host, |stack, now| user.act(stack, now, &mut streams));
        if let Some(at) = wake.map_err(|violation| (index, violation))? {
            self.pair.world().wake_at(at, index as u64 * KEYS + ACT + end as u64);
        }
        if self.connections[index].lets_go() {
            for end in Side::BOTH {
                self.act(index, end)?;
            }
        }
        Ok(())
    }

    fn all_gone(&self) -> bool {
        let gone = |connection: &Connection| {
            connection.users.iter().all(|user| matches!(user.phase, Phase::Gone(_)))
        };
        self.connections.iter().all(gone)
    }

    /// What is left when patience is over: listeners whose client never came and users whose peer is gone.
    fn leave_behind(&mut self) -> Result<(), (usize, Violation)> {
        for connection in &mut self.connections {
            for side in Side::BOTH {
                let (user, mut streams) = connection.end(side);
                self.pair.with(side, |stack, now| user.give_up(stack, now, &mut streams));
            }
            if let (Some(listener), Opening::By(opener)) =
                (connection.listener.take(), connection.plan.opening)
            {
                self.pair.with(opener.other(), |stack, now| {
                    let _ = stack.socket(listener).close(now);
                });
            }
        }
        Side::BOTH.into_iter().try_for_each(|side| self.events(side))
    }

    /// The verdict.
    fn finish(mut self) -> Outcome {
        let stacks = Side::BOTH.map(|side| self.pair.endpoint(side));
        self.outcome.reached = Reached::read(stacks.map(Stack::counters), &self.watch);
        // After too many tries, or for the memory that an orphan held.
        let reasons = [Counter::TCPAbortOnTimeout, Counter::TCPAbortOnMemory];
        let gave_up =
            stacks.iter().any(|stack| reasons.iter().any(|reason| stack.counters().get(*reason) > 0));
        let sound = self.outcome.violations.is_empty();
        for (index, connection) in self.connections.iter().enumerate() {
            self.outcome.bytes += connection.streams.iter().map(Stream::delivered).sum::<u64>();
            if connection.is_complete() {
                self.outcome.completed += 1;
            } else if connection.plan.ends.iter().any(|end| end.ending.is_rude()) {
                self.outcome.cut_off += 1;
            } else if gave_up {
                self.outcome.given_up += 1;
            } else if sound {
                self.outcome
                    .violations
                    .push(format!("connection {index} did not complete: {}", connection.state()));
            }
        }
        if self.outcome.violations.is_empty() {
            for side in Side::BOTH {
                let alive = Census::of(self.pair.endpoint(side));
                if let Err(violation) = alive.is_empty() {
                    self.outcome.violations.push(format!("at the end {side:?} has {violation}"));
                }
            }
        }
        self.outcome
    }
}

impl Connection {
    fn new(plan: ConnectionPlan, rng: &mut LabRng) -> Self {
        let [a, b] = plan.ends.clone();
        let (to_a, to_b) = (b.bytes, a.bytes);
        let mut user = |plan_of_end, expected| {
            User::new(plan_of_end, expected, plan.end_together, plan.opens_at, LabRng::new(rng.next_u64(), 0))
        };
        let users = [user(a, to_a), user(b, to_b)];
        let streams = [Stream::new(rng.next_u64()), Stream::new(rng.next_u64())];
        Connection { plan, streams, users, listener: None }
    }

    /// The host of an end.
    fn host(&self, end: Side) -> Side {
        self.plan.hosts[end as usize]
    }

    /// Whether an end waits for the other to connect.
    fn listens(&self, end: Side) -> bool {
        self.plan.opening == Opening::By(end.other())
    }

    /// The user at one end and its streams.
    fn end(&mut self, side: Side) -> (&mut User, Streams<'_>) {
        let [from_a, from_b] = &mut self.streams;
        let [a, b] = &mut self.users;
        match side {
            Side::A => (a, Streams { sending: from_a, receiving: from_b }),
            Side::B => (b, Streams { sending: from_b, receiving: from_a }),
        }
    }

    /// True once: when all bytes have arrived and both users may end their streams together.
    fn lets_go(&mut self) -> bool {
        let arrived = (0..2).all(|i| self.streams[i].delivered() == self.plan.ends[i].bytes);
        let open = self.users.iter().all(|user| user.phase == Phase::Open);
        if !arrived || !open || !self.users[0].holds_on {
            return false;
        }
        self.users.iter_mut().for_each(|user| user.holds_on = false);
        true
    }

    fn is_complete(&self) -> bool {
        let whole = |i: usize| {
            let stream = &self.streams[i];
            stream.delivered() == self.plan.ends[i].bytes && stream.sent() == self.plan.ends[i].bytes
        };
        let no_error = self.users.iter().all(|user| user.phase == Phase::Gone(None));
        whole(0) && whole(1) && no_error
    }

    fn state(&self) -> String {
        let way = |i: usize| {
            let (stream, plan) = (&self.streams[i], &self.plan.ends[i]);
            format!("{} of {} B came out of {} sent", stream.delivered(), plan.bytes, stream.sent())
        };
        let phases = [self.users[0].phase, self.users[1].phase];
        format!("from A {}, from B {}, users {phases:?}", way(0), way(1))
    }
}

fn unexpected(call: &str, errno: Errno) -> Violation {
    Violation::Other(format!("{call} failed with {}", errno.name()))
}
