//! One engine behind one lock, and the device beside it behind another (DESIGN 4.17).
//!
//! The lock on the engine is never held over a system call. Whoever made the engine want to send carries the
//! packets to the device himself when the device is free; otherwise he leaves a note (`dirty`) and whoever
//! holds the device does it before he goes. Waking another core for that would cost more than the packet.
//! Packets are taken out of the engine only by the holder of the device, so their order never changes.
//!
//! Locks are taken in the order device, engine; wakers are woken when neither is held.

use crate::clock::Clock;
use crate::error::ENETDOWN;
use crate::port::Port;
use crate::timer::Timer;
use crate::waiters::{Waiters, WakeList, wake_all};
use cauce_core::batch::Transmit;
use cauce_core::frame::Frame;
use cauce_core::stack::Stack;
use cauce_core::time::Instant;
use cauce_device::{Device, DeviceCounters};
use std::io;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::Waker;
use tokio::sync::Notify;

/// How often one holder of the device goes back to the engine before it leaves the rest to the driver.
const ROUNDS: usize = 16;

/// The engine and those who wait for it.
pub(crate) struct Core {
    pub(crate) stack: Stack,
    pub(crate) waiters: Waiters,
    /// The netstack is over; calls fail with this number.
    pub(crate) down: Option<i32>,
    /// Somebody asked for the end.
    pub(crate) stopping: bool,
    /// Tasks that wait until no socket is left.
    pub(crate) idle: Vec<Waker>,
}

impl Core {
    /// Takes over what a call, a packet or a deadline has caused: packets into the batch of the port, if
    /// the caller holds it, wakers onto the list. Returns the next deadline.
    fn settle(&mut self, mut port: Option<&mut Port>, now: Instant, wakers: &mut WakeList) -> Instant {
        if let Some(port) = &mut port
            && !port.sent.is_empty()
        {
            self.stack.handle_transmitted(now, &port.sent);
            port.sent.clear();
        }
        let mut deadline = Instant::NEVER;
        for _ in 0..ROUNDS {
            if let Some(port) = &mut port {
                while port.batch.room() > 0 && self.stack.poll_transmit(now, &mut port.batch) > 0 {}
            }
            deadline = self.stack.poll_timeout().map_or(Instant::NEVER, |(at, _)| at);
            if deadline > now {
                break;
            }
            self.stack.handle_timeout(now);
        }
        self.waiters.collect_news(&mut self.stack, wakers);
        if !self.idle.is_empty() && self.stack.sockets() == 0 {
            wakers.extend(self.idle.drain(..));
        }
        deadline
    }

    fn go_down(&mut self, wakers: &mut WakeList) {
        self.down.get_or_insert(ENETDOWN);
        self.waiters.collect_all(wakers);
        wakers.extend(self.idle.drain(..));
    }
}

/// What one who held the device leaves to the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// Nothing.
    Nothing,
    /// The device is full; its readiness tells when to go on.
    Blocked,
    /// There was more than one call should carry.
    More,
}

/// What a round of the driver did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// Packets taken in.
    pub(crate) taken: usize,
    /// There is more to send, and the device takes it.
    pub(crate) more: bool,
}

/// An engine with its device, shared by all handles and the driver.
pub(crate) struct Shard {
    core: Mutex<Core>,
    port: Mutex<Port>,
    /// The engine may have packets that nobody has taken yet.
    dirty: AtomicBool,
    pub(crate) timer: Timer,
    clock: Clock,
    driver: Mutex<Option<Waker>>,
    /// Handles of users: netstacks, listeners, streams.
    users: AtomicUsize,
    /// The driver has ended.
    ended: AtomicBool,
    end: Notify,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    pub(crate) fn new(stack: Stack, device: Box<dyn Device>, clock: Clock) -> io::Result<Shard> {
        let core = Core { stack, waiters: Waiters::default(), down: None, stopping: false, idle: Vec::new() };
        Ok(Shard {
            core: Mutex::new(core),
            port: Mutex::new(Port::new(device)),
            dirty: AtomicBool::new(false),
            timer: Timer::new()?,
            clock,
            driver: Mutex::new(None),
            users: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            end: Notify::new(),
        })
    }

    pub(crate) fn now(&self) -> Instant {
        (self.clock)()
    }

    /// The engine, to look at it: for what makes it send or wake, see [`Shard::call`].
    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        locked(&self.core)
    }

    /// The device's side. Never while holding the engine.
    pub(crate) fn port(&self) -> MutexGuard<'_, Port> {
        locked(&self.port)
    }

    fn try_port(&self) -> Option<MutexGuard<'_, Port>> {
        match self.port.try_lock() {
            Ok(port) => Some(port),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// A user's call: acts on the engine and sends what that caused.
    pub(crate) fn call<T>(&self, act: impl FnOnce(&mut Core, Instant) -> io::Result<T>) -> io::Result<T> {
        self.act(|core, now| match core.down {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => act(core, now),
        })
    }

    /// As [`Shard::call`], even when the netstack is over.
    pub(crate) fn act<T>(&self, act: impl FnOnce(&mut Core, Instant) -> T) -> T {
        let mut wakers = WakeList::new();
        let now = self.now();
        let result = match self.try_port() {
            Some(mut port) => {
                let mut core = self.core();
                let result = act(&mut core, now);
                let deadline = core.settle(Some(&mut port), now, &mut wakers);
                drop(core);
                self.timer.wake_by(deadline, now);
                let left = self.carry(&mut port, &mut wakers);
                drop(port);
                self.leave_to_driver(left);
                result
            }
            None => {
                let mut core = self.core();
                let result = act(&mut core, now);
                let deadline = core.settle(None, now, &mut wakers);
                drop(core);
                self.timer.wake_by(deadline, now);
                self.dirty.store(true, Ordering::SeqCst);
                result
            }
        };
        let left = self.flush(&mut wakers);
        self.leave_to_driver(left);
        wake_all(&mut wakers);
        result
    }

    /// Sends for everybody who found the device busy. Whoever held the device calls this after he let go.
    ///
    /// Either he sees the note of a caller who found the device busy, or that caller sees the device free:
    /// the fences on both sides rule out that both miss each other.
    fn flush(&self, wakers: &mut WakeList) -> Left {
        let mut left = Left::Nothing;
        fence(Ordering::SeqCst);
        while self.dirty.load(Ordering::SeqCst) {
            let Some(mut port) = self.try_port() else { return left };
            self.dirty.store(false, Ordering::SeqCst);
            self.refill(&mut port, wakers);
            left = self.carry(&mut port, wakers);
            drop(port);
            fence(Ordering::SeqCst);
        }
        left
    }

    fn leave_to_driver(&self, left: Left) {
        if left != Left::Nothing {
            self.wake_driver();
        }
    }

    fn refill(&self, port: &mut Port, wakers: &mut WakeList) {
        let now = self.now();
        let deadline = self.core().settle(Some(port), now, wakers);
        self.timer.wake_by(deadline, now);
    }

    /// Carries packets from the batch to the device and from the engine to the batch until there are none
    /// or the device is full.
    fn carry(&self, port: &mut Port, wakers: &mut WakeList) -> Left {
        for _ in 0..ROUNDS {
            if port.batch.is_empty() {
                return Left::Nothing;
            }
            if let Err(error) = port.transmit() {
                self.device_failed(port, &error, wakers);
                return Left::Nothing;
            }
            self.refill(port, wakers);
            if port.blocked {
                return Left::Blocked;
            }
        }
        if port.batch.is_empty() { Left::Nothing } else { Left::More }
    }

    fn device_failed(&self, port: &mut Port, error: &io::Error, wakers: &mut WakeList) {
        tracing::error!(%error, "the device of a netstack failed");
        port.give_up();
        let mut core = self.core();
        core.stopping = true;
        core.go_down(wakers);
        drop(core);
        self.wake_driver();
    }

    /// One round of the driver: takes at most `budget` packets in, then sends. Packets that are not TCP are
    /// appended to `foreign`.
    pub(crate) fn round(&self, budget: usize, frames: &mut Vec<Frame>, foreign: &mut Vec<Frame>) -> Round {
        let mut wakers = WakeList::new();
        let mut port = self.port();
        let taken = match port.receive(budget, frames) {
            Ok(taken) => taken,
            Err(error) => {
                self.device_failed(&mut port, &error, &mut wakers);
                0
            }
        };
        let now = self.now();
        let mut core = self.core();
        foreign.extend(frames.drain(..).filter_map(|frame| core.stack.handle_packet(now, frame)));
        let deadline = core.settle(Some(&mut port), now, &mut wakers);
        drop(core);
        self.timer.wake_by(deadline, now);
        let carried = self.carry(&mut port, &mut wakers);
        drop(port);
        let flushed = self.flush(&mut wakers);
        wake_all(&mut wakers);
        Round { taken, more: carried == Left::More || flushed == Left::More }
    }

    /// Sends a packet that is not the engine's; `false` when the device is full.
    pub(crate) fn send_foreign(&self, packet: Transmit) -> bool {
        let mut wakers = WakeList::new();
        let mut port = self.port();
        let room = port.batch.room() > 0 && !port.blocked;
        if room {
            port.batch.push(packet);
            let left = self.carry(&mut port, &mut wakers);
            self.leave_to_driver(left);
        }
        drop(port);
        let left = self.flush(&mut wakers);
        self.leave_to_driver(left);
        wake_all(&mut wakers);
        room
    }

    pub(crate) fn device_counters(&self) -> DeviceCounters {
        self.port().counters()
    }

    /// The driver is to be woken by `waker`.
    pub(crate) fn set_driver(&self, waker: &Waker) {
        let mut driver = locked(&self.driver);
        match &mut *driver {
            Some(known) => known.clone_from(waker),
            None => *driver = Some(waker.clone()),
        }
    }

    pub(crate) fn wake_driver(&self) {
        let waker = locked(&self.driver).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// True when somebody asked for the end, or when nobody is left and everything was delivered.
    pub(crate) fn is_over(&self) -> bool {
        let users = self.users.load(Ordering::SeqCst);
        let core = self.core();
        core.stopping || core.down.is_some() || users == 0 && core.stack.sockets() == 0
    }

    /// The orderly end: everything open is reset, the device is given up.
    pub(crate) fn close_down(&self) {
        let mut wakers = WakeList::new();
        let mut port = self.port();
        let now = self.now();
        let mut core = self.core();
        core.stack.close_all(now);
        core.go_down(&mut wakers);
        core.settle(Some(&mut port), now, &mut wakers);
        drop(core);
        self.carry(&mut port, &mut wakers);
        port.give_up();
        drop(port);
        wake_all(&mut wakers);
    }

    /// The driver ends, in whatever way. What is closed from now on still goes to the device, unless
    /// [`Shard::close_down`] has given it up.
    pub(crate) fn driver_ended(&self) {
        let mut wakers = WakeList::new();
        self.core().go_down(&mut wakers);
        wake_all(&mut wakers);
        self.ended.store(true, Ordering::SeqCst);
        self.end.notify_waiters();
    }

    /// Waits for the end of the driver.
    pub(crate) async fn ended(&self) {
        loop {
            let mut notified = std::pin::pin!(self.end.notified());
            notified.as_mut().enable();
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            notified.await;
        }
    }
}

/// A counted handle of a user. When the last one goes and nothing is left to deliver, the driver ends.
pub(crate) struct ShardRef(Arc<Shard>);

impl ShardRef {
    pub(crate) fn new(shard: Arc<Shard>) -> ShardRef {
        shard.users.fetch_add(1, Ordering::SeqCst);
        ShardRef(shard)
    }
}

impl Clone for ShardRef {
    fn clone(&self) -> ShardRef {
        ShardRef::new(self.0.clone())
    }
}

impl Drop for ShardRef {
    fn drop(&mut self) {
        if self.0.users.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.wake_driver();
        }
    }
}

impl Deref for ShardRef {
    type Target = Shard;
    fn deref(&self) -> &Shard {
        &self.0
    }
}

impl PartialEq for ShardRef {
    fn eq(&self, other: &ShardRef) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
