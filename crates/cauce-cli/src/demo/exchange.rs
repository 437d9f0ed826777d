//! The exchange itself: A connects, sends the file and ends its direction; B reads to the end and answers
//! in the same way; both close, and nothing is left.

use super::file::Contents;
use super::leg::{Leg, said};
use super::samples::Sample;
use cauce_core::connection::state::State;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::{Family, SocketId};
use cauce_core::stack::Stack;
use cauce_core::time::{Duration, Instant};
use cauce_lab::pair::{Pair, Side};
use cauce_lab::world::Happened;
use std::net::{IpAddr, SocketAddr};

const PORT: u16 = 7;
/// The exchange is given up when nothing arrives for this long: longer than any sum of time-outs.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// Everything has to be gone this long after both sides closed: TIME-WAIT lasts a minute.
const AFTERWARDS: Duration = Duration::from_secs(1_200);

/// What came of the exchange.
pub struct Exchange {
    server: SocketAddr,
    listener: Option<SocketId>,
    sockets: [Option<SocketId>; 2],
    started: Instant,
    /// How long the handshake took at A.
    pub handshake: Option<Duration>,
    /// From A to B, and back.
    pub legs: [Leg; 2],
    /// How long both hosts still knew of the connection after they closed it.
    pub lingered: Option<Duration>,
    ended: Instant,
    wrong: Option<String>,
}

impl Exchange {
    /// Runs the whole exchange; `progress` is told how many bytes were delivered in both directions.
    pub fn run(
        pair: &mut Pair<Stack>,
        contents: &Contents,
        ipv6: bool,
        progress: impl FnMut(u64),
    ) -> anyhow::Result<Self> {
        let ip: IpAddr = if ipv6 { Side::B.ipv6() } else { Side::B.ipv4() };
        let mut exchange = Exchange {
            server: SocketAddr::new(ip, PORT),
            listener: None,
            sockets: [None; 2],
            started: pair.now(),
            handshake: None,
            legs: [Leg::new(contents)?, Leg::new(contents)?],
            lingered: None,
            ended: pair.now(),
            wrong: None,
        };
        if let Err(wrong) = exchange.go(pair, progress) {
            exchange.wrong = Some(wrong);
        }
        exchange.ended = pair.now();
        Ok(exchange)
    }

    /// Virtual time from the first SYN to the end.
    pub fn lasted(&self) -> Duration {
        self.ended.since(self.started)
    }

    /// Why the demonstration failed, if it did.
    pub fn failure(&self) -> Option<String> {
        if let Some(wrong) = &self.wrong {
            return Some(wrong.clone());
        }
        let names = ["from A to B", "from B to A"];
        let bad = self.legs.iter().zip(names).find(|(leg, _)| !leg.is_intact());
        bad.map(|(_, name)| format!("the file {name} did not arrive as it was sent"))
    }

    fn go(&mut self, pair: &mut Pair<Stack>, mut progress: impl FnMut(u64)) -> Result<(), String> {
        self.open(pair)?;
        let mut last_progress = (0, pair.now());
        pair.world().wake_at(self.started, 0);
        while self.legs[1].ended.is_none() {
            let happened = pair.step().ok_or("nothing more happens, and not everything has arrived")?;
            match happened {
                Happened::Woken(_) => self.sample(pair),
                Happened::Arrived(host) | Happened::Timeout(host) => {
                    let side = if host == Side::A.host() { Side::A } else { Side::B };
                    pair.with(side, |stack, now| self.advance(side, stack, now))
                        .map_err(|error| format!("host {side:?}: {error}"))?;
                }
            }
            let delivered = self.legs[0].delivered + self.legs[1].delivered;
            if delivered != last_progress.0 {
                last_progress = (delivered, pair.now());
                progress(delivered);
            } else if pair.now().since(last_progress.1) > PATIENCE {
                return Err(format!("nothing has arrived for {} s", PATIENCE.as_secs()));
            }
        }
        self.finish(pair)
    }

    /// B listens and A starts to connect.
    fn open(&mut self, pair: &mut Pair<Stack>) -> Result<(), String> {
        let (server, family) = (self.server, if self.server.is_ipv4() { Family::V4 } else { Family::V6 });
        let listener = pair.with(Side::B, |stack, _| {
            let id = stack.open(family)?;
            let mut socket = stack.socket(id);
            socket.bind(server)?;
            socket.listen(1)?;
            Ok(id)
        });
        self.listener = Some(listener.map_err(said)?);
        let client = pair.with(Side::A, |stack, now| {
            let id = stack.open(family)?;
            match stack.socket(id).connect(now, server) {
                Ok(()) | Err(Errno::EINPROGRESS) => Ok(id),
                Err(error) => Err(error),
            }
        });
        self.sockets[0] = Some(client.map_err(said)?);
        Ok(())
    }

    /// Does what a host's application can do now.
    fn advance(&mut self, side: Side, stack: &mut Stack, now: Instant) -> Result<(), String> {
        while stack.poll_event().is_some() {}
        let Some(id) = (match side {
            Side::A => self.connected(stack, now)?,
            Side::B => self.accepted(stack, now)?,
        }) else {
            return Ok(());
        };
        let mut socket = stack.socket(id);
        let [there, back] = &mut self.legs;
        match side {
            Side::A => {
                there.send(&mut socket, now)?;
                back.receive(&mut socket, now)?;
            }
            Side::B => {
                there.receive(&mut socket, now)?;
                if there.ended.is_some() {
                    back.send(&mut socket, now)?;
                }
            }
        }
        let leg = &mut self.legs[side as usize];
        if !leg.is_over
            && let Ok(info) = socket.tcp_info(now)
            && !matches!(info.state, State::Closed | State::TimeWait)
        {
            leg.is_over = leg.ended.is_some() && info.unacked == 0;
            leg.info = info;
        }
        Ok(())
    }

    fn connected(&mut self, stack: &mut Stack, now: Instant) -> Result<Option<SocketId>, String> {
        let Some(id) = self.sockets[0] else { return Ok(None) };
        if self.handshake.is_none() {
            match stack.socket(id).connect(now, self.server) {
                Ok(()) => self.handshake = Some(now.since(self.started)),
                Err(Errno::EALREADY | Errno::EINPROGRESS) => return Ok(None),
                Err(error) => return Err(said(error)),
            }
        }
        Ok(Some(id))
    }

    fn accepted(&mut self, stack: &mut Stack, now: Instant) -> Result<Option<SocketId>, String> {
        let (None, Some(listener)) = (self.sockets[1], self.listener) else { return Ok(self.sockets[1]) };
        match stack.socket(listener).accept(now) {
            Ok(id) => self.sockets[1] = Some(id),
            Err(Errno::EAGAIN) => {}
            Err(error) => return Err(said(error)),
        }
        Ok(self.sockets[1])
    }

    /// Takes a sample of the connection that sends, and asks to be woken for the next one.
    fn sample(&mut self, pair: &mut Pair<Stack>) {
        let back = usize::from(self.legs[0].ended.is_some());
        let (leg, side) = (&mut self.legs[back], Side::BOTH[back]);
        if let (Some(id), Some(began)) = (self.sockets[back], leg.began)
            && let Ok(info) = pair.with(side, |stack, now| stack.socket(id).tcp_info(now))
        {
            leg.samples.push(Sample::of(pair.now().since(began), &info));
        }
        let next = pair.now() + leg.samples.interval();
        pair.world().wake_at(next, 0);
    }

    /// Closes both ends and waits until neither host knows of the connection any more.
    fn finish(&mut self, pair: &mut Pair<Stack>) -> Result<(), String> {
        for side in Side::BOTH {
            let listener = if side == Side::B { self.listener } else { None };
            for id in self.sockets[side as usize].into_iter().chain(listener) {
                pair.with(side, |stack, now| stack.socket(id).close(now)).map_err(said)?;
            }
        }
        let closed = pair.now();
        let gone = |pair: &mut Pair<Stack>| {
            Side::BOTH.into_iter().all(|side| {
                let stack = pair.endpoint(side);
                stack.connections() == 0 && stack.sockets() == 0
            })
        };
        if !pair.drive(AFTERWARDS, gone) {
            return Err("a host still knows of the connection long after both have closed it".into());
        }
        self.lingered = Some(pair.now().since(closed));
        Ok(())
    }
}
