//! The one loop body that joins an engine and its devices; every face runs it.
//!
//! A turn takes what has arrived, lets the engine see it, fires what is due, and sends until the engine has
//! nothing left or a device is full. It never blocks, never reads a clock and never loses a packet: what a
//! device refuses waits here, and the engine is asked for more only when there is room.
//!
//! [`Pump::turn`] does all of it. A face that shares its engine behind a lock calls the five steps itself,
//! so that the lock is never held over a system call: [`Pump::receive`], [`Pump::deliver`],
//! [`Pump::collect`], [`Pump::send`], [`Pump::settle`].

use crate::device::Device;
use cauce_core::batch::{Batch, Token};
use cauce_core::frame::{DeviceId, Frame};
use cauce_core::stack::Stack;
use cauce_core::time::Instant;
use std::io;

/// The engine's doors, as far as packets and time go.
pub trait Engine {
    /// Takes a packet. What is not the engine's comes back.
    fn handle_packet(&mut self, arrived: Instant, frame: Frame) -> Option<Frame>;
    /// Fires every timer that is due.
    fn handle_timeout(&mut self, now: Instant);
    /// Appends what may leave now to `out`, no more than there is room. Returns how many entries.
    fn poll_transmit(&mut self, now: Instant, out: &mut Batch) -> usize;
    /// Hears what devices have sent.
    fn handle_transmitted(&mut self, now: Instant, tokens: &[Token]);
    /// When the next timer is due.
    fn next_timeout(&mut self) -> Option<Instant>;
}

impl Engine for Stack {
    fn handle_packet(&mut self, arrived: Instant, frame: Frame) -> Option<Frame> {
        Stack::handle_packet(self, arrived, frame)
    }
    fn handle_timeout(&mut self, now: Instant) {
        Stack::handle_timeout(self, now);
    }
    fn poll_transmit(&mut self, now: Instant, out: &mut Batch) -> usize {
        Stack::poll_transmit(self, now, out)
    }
    fn handle_transmitted(&mut self, now: Instant, tokens: &[Token]) {
        Stack::handle_transmitted(self, now, tokens);
    }
    fn next_timeout(&mut self) -> Option<Instant> {
        self.poll_timeout().map(|(due, _)| due)
    }
}

/// What a turn did, and when the next one is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Packets received.
    pub received: usize,
    /// Entries sent.
    pub sent: usize,
    /// A device is full; the next turn waits until it is writable.
    pub blocked: bool,
    /// There is more to do at once: turn again before waiting.
    pub again: bool,
    /// When the next timer is due.
    pub deadline: Option<Instant>,
}

/// What waits between an engine and its devices. The device at index n of every call is `DeviceId(n)`.
#[derive(Debug)]
pub struct Pump {
    frames: Vec<Frame>,
    tokens: Vec<Token>,
    /// What is still to be sent, one batch a device.
    waiting: Vec<Batch>,
    /// What the engine hands out before it is sorted by device.
    fresh: Batch,
    budget: usize,
    /// Entries for devices that do not exist.
    misdirected: u64,
}

/// Entries that wait for a device at most, unless told otherwise.
pub const DEFAULT_LIMIT: usize = 64;
/// Packets taken from a device in one turn at most.
const BUDGET: usize = 256;
/// How often a turn asks the engine for more to send before others get their turn.
const ROUNDS: usize = 4;

impl Pump {
    /// A pump for an engine with `devices` devices, of whose entries at most `limit` wait for each.
    pub fn new(devices: usize, limit: usize) -> Self {
        Pump {
            frames: Vec::new(),
            tokens: Vec::new(),
            waiting: (0..devices).map(|_| Batch::new(limit)).collect(),
            fresh: Batch::new(limit),
            budget: BUDGET,
            misdirected: 0,
        }
    }

    /// One turn of everything. Packets that are not the engine's go to `foreign`.
    ///
    /// ```
    /// # use cauce_core::{batch::*, frame::Frame, time::Instant};
    /// # use cauce_device::{PipeOptions, pipe, pump::*};
    /// # struct Idle;
    /// # impl Engine for Idle {
    /// #     fn handle_packet(&mut self, _: Instant, frame: Frame) -> Option<Frame> { Some(frame) }
    /// #     fn handle_timeout(&mut self, _: Instant) {}
    /// #     fn poll_transmit(&mut self, _: Instant, _: &mut Batch) -> usize { 0 }
    /// #     fn handle_transmitted(&mut self, _: Instant, _: &[Token]) {}
    /// #     fn next_timeout(&mut self) -> Option<Instant> { None }
    /// # }
    /// # let (mut engine, (device, _other)) = (Idle, pipe(PipeOptions::default()));
    /// let mut pump = Pump::new(1, DEFAULT_LIMIT);
    /// let turn = pump.turn(&mut engine, &mut [device], Instant::ZERO, &mut |_udp| ())?;
    /// assert!(!turn.again);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a device is broken or gone.
    pub fn turn<E: Engine + ?Sized, D: Device>(
        &mut self,
        engine: &mut E,
        devices: &mut [D],
        now: Instant,
        foreign: &mut dyn FnMut(Frame),
    ) -> io::Result<Turn> {
        let received = self.receive(devices)?;
        self.deliver(engine, now, foreign);
        let mut turn = Turn { received, again: received >= self.budget, ..Turn::default() };
        for round in 1.. {
            self.collect(engine, now);
            let sent = self.send(devices)?;
            self.settle(engine, now);
            turn.sent += sent;
            turn.blocked = self.is_blocked();
            if sent == 0 || turn.blocked {
                break;
            }
            if round == ROUNDS {
                turn.again = true;
                break;
            }
        }
        turn.deadline = engine.next_timeout();
        Ok(turn)
    }

    /// Takes what has arrived. Returns how many packets; the budget of a turn when there may be more.
    ///
    /// # Errors
    /// When a device is broken or gone.
    pub fn receive<D: Device>(&mut self, devices: &mut [D]) -> io::Result<usize> {
        let mut most = 0;
        for (index, device) in devices.iter_mut().enumerate() {
            let from = self.frames.len();
            most = most.max(device.receive(self.budget, &mut self.frames)?);
            let id = DeviceId(u16::try_from(index).unwrap_or(u16::MAX));
            self.frames[from..].iter_mut().for_each(|frame| frame.device = id);
        }
        Ok(most)
    }

    /// Shows the engine what was received, and the time.
    pub fn deliver<E: Engine + ?Sized>(
        &mut self,
        engine: &mut E,
        now: Instant,
        foreign: &mut dyn FnMut(Frame),
    ) {
        for frame in self.frames.drain(..) {
            if let Some(frame) = engine.handle_packet(now, frame) {
                foreign(frame);
            }
        }
        if engine.next_timeout().is_some_and(|due| due <= now) {
            engine.handle_timeout(now);
        }
    }

    /// Asks the engine for what may leave now, unless a device is full. Returns how many entries wait.
    pub fn collect<E: Engine + ?Sized>(&mut self, engine: &mut E, now: Instant) -> usize {
        match &mut self.waiting[..] {
            [only] => {
                if only.room() > 0 {
                    engine.poll_transmit(now, only);
                }
            }
            waiting => {
                if waiting.iter().all(|batch| batch.room() > 0) {
                    engine.poll_transmit(now, &mut self.fresh);
                }
                while let Some(entry) = self.fresh.pop() {
                    match waiting.get_mut(usize::from(entry.device.0)) {
                        Some(batch) => batch.push(entry),
                        None => {
                            self.misdirected += 1;
                            self.tokens.push(entry.token);
                        }
                    }
                }
            }
        }
        self.waiting.iter().map(Batch::len).sum()
    }

    /// Sends what waits, as far as the devices take it. Returns how many entries left.
    ///
    /// # Errors
    /// When a device is broken or gone.
    pub fn send<D: Device>(&mut self, devices: &mut [D]) -> io::Result<usize> {
        let mut sent = 0;
        for (device, batch) in devices.iter_mut().zip(&mut self.waiting) {
            if !batch.is_empty() {
                sent += device.transmit(batch, &mut self.tokens)?;
            }
        }
        Ok(sent)
    }

    /// Tells the engine what has been sent.
    pub fn settle<E: Engine + ?Sized>(&mut self, engine: &mut E, now: Instant) {
        if !self.tokens.is_empty() {
            engine.handle_transmitted(now, &self.tokens);
            self.tokens.clear();
        }
    }

    /// True when entries wait for a device that was full.
    pub fn is_blocked(&self) -> bool {
        self.waiting.iter().any(|batch| !batch.is_empty())
    }

    /// Entries that named a device which does not exist; they are lost.
    pub fn misdirected(&self) -> u64 {
        self.misdirected
    }
}
