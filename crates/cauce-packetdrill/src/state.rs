//! What the lock protects: the stack, the process on it, the packets that wait to be received, and the calls
//! that sleep.
//!
//! Everything here is done at a moment that the caller has read from the clock, and nothing waits.

use crate::addresses::Addresses;
use crate::flags::Flags;
use crate::handles::Handles;
use crate::host_sysctls;
use crate::sys::descriptor;
use bytes::Bytes;
use cauce_core::batch::Batch;
use cauce_core::frame::{DeviceId, Frame, tun_truesize};
use cauce_core::stack::{InterfaceConfig, Medium, Stack};
use cauce_core::sysctl::SysctlEntry;
use cauce_core::time::Instant;
use cauce_device::offload;
use cauce_posix::{Address, Call, Fd, Outcome, Process, Progress, SleepId};
use cauce_wire::IpHeader;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Condvar};

/// Entries that the stack may put into a batch at a time.
const BATCH: usize = 64;
/// Rounds of one moment after which others get the lock.
const ROUNDS: usize = 1000;
/// Different sentences that are said on stderr, at most.
const SENTENCES: usize = 100;

/// A packet that has left.
pub(crate) struct Packet {
    pub(crate) at: Instant,
    pub(crate) bytes: Bytes,
}

/// A call that sleeps, on the thread that made it.
struct Sleeper {
    outcome: Option<Outcome>,
    wake: Arc<Condvar>,
}

/// What the lock protects.
pub(crate) struct State {
    stack: Stack,
    process: Process,
    device: DeviceId,
    addresses: Addresses,
    pub(crate) handles: Handles,
    batch: Batch,
    left: VecDeque<Packet>,
    most: usize,
    sleepers: BTreeMap<SleepId, Sleeper>,
    said: BTreeSet<String>,
    verbose: bool,
    /// When the driver looks next, as far as it knows.
    pub(crate) watched: Instant,
    /// The library is being freed.
    pub(crate) over: bool,
}

impl State {
    pub(crate) fn new(flags: &Flags) -> State {
        let mut stack = Stack::new(flags.settings.clone(), Box::new(splitmix64(flags.seed)));
        let device = stack.add_interface(InterfaceConfig {
            name: "tun0".to_owned(),
            mtu: flags.mtu,
            medium: Medium::Ip,
            max_super: u16::MAX,
        });
        let mut process = Process::new(descriptor::limit());
        process.set_population(|id| Path::new("/proc").join(id.to_string()).exists());
        let addresses = Addresses::new(&mut stack, device, &flags.local);
        State {
            stack,
            process,
            device,
            addresses,
            handles: Handles::default(),
            batch: Batch::new(BATCH),
            left: VecDeque::new(),
            most: flags.queue,
            sleepers: BTreeMap::new(),
            said: BTreeSet::new(),
            verbose: flags.verbose,
            watched: Instant::NEVER,
            over: false,
        }
    }

    /// Starts a call. One that sleeps is told of by the condition that comes back with its name.
    pub(crate) fn start(&mut self, now: Instant, call: Call) -> Started {
        self.settle(now);
        match &call {
            Call::Bind { address: Address::Inet(address), .. } => {
                self.addresses.seen(&mut self.stack, address.ip());
            }
            Call::Connect { address: Address::Inet(address), .. } => self.addresses.connects(address.ip()),
            _ => {}
        }
        let started = match self.process.call(&mut self.stack, now, call) {
            Progress::Done(outcome) => Started::Done(outcome),
            Progress::Sleeps(id) => {
                let wake = Arc::new(Condvar::new());
                self.sleepers.insert(id, Sleeper { outcome: None, wake: Arc::clone(&wake) });
                Started::Sleeps(id, wake)
            }
            Progress::Unsupported(what) => {
                self.say(format!("not supported: {what}"));
                Started::Unsupported
            }
        };
        self.settle(now);
        started
    }

    /// What a call that slept has returned, once.
    pub(crate) fn returned(&mut self, id: SleepId) -> Option<Outcome> {
        let outcome = self.sleepers.get_mut(&id)?.outcome.take()?;
        self.sleepers.remove(&id);
        Some(outcome)
    }

    /// Lets everything happen that is due: deadlines, packets that leave, calls that return.
    pub(crate) fn settle(&mut self, now: Instant) {
        for _ in 0..ROUNDS {
            let due = self.stack.poll_timeout().is_some_and(|(at, _)| at <= now);
            if due {
                self.stack.handle_timeout(now);
            }
            let sent = self.drain(now);
            self.process.turn(&mut self.stack, now);
            let returned = self.deliver();
            // The tool's process gets no signals from us: no script can ask for them.
            while self.process.poll_signal().is_some() {}
            if !due && !sent && !returned {
                break;
            }
        }
    }

    /// Takes out what the stack wants to send, while there is room for it: what is beyond stays in the batch and
    /// in the stack, as with a device that is full. One super-segment may go over the limit.
    fn drain(&mut self, now: Instant) -> bool {
        let mut any = false;
        loop {
            let mut tokens = Vec::new();
            while self.left.len() < self.most
                && let Some(transmit) = self.batch.pop()
            {
                let packets = offload::packets(&transmit).map(|packet| packet.to_bytes());
                self.left.extend(packets.map(|bytes| Packet { at: now, bytes }));
                tokens.push(transmit.token);
            }
            self.stack.handle_transmitted(now, &tokens);
            if !self.batch.is_empty() || self.stack.poll_transmit(now, &mut self.batch) == 0 {
                return any;
            }
            any = true;
        }
    }

    /// Wakes the threads whose calls have returned. A close() that lingers after its number went to another
    /// has no thread.
    fn deliver(&mut self) -> bool {
        let mut any = false;
        while let Some((id, outcome)) = self.process.poll_returned() {
            any = true;
            if let Some(sleeper) = self.sleepers.get_mut(&id) {
                sleeper.outcome = Some(outcome);
                sleeper.wake.notify_all();
            }
        }
        any
    }

    /// When something is due next.
    pub(crate) fn deadline(&mut self) -> Instant {
        let own = self.process.poll_timeout();
        let deadlines = self.stack.poll_timeout().map(|(at, _)| at).into_iter().chain(own);
        deadlines.min().unwrap_or(Instant::NEVER)
    }

    /// A packet for the stack. What is not TCP's business is nobody's here.
    pub(crate) fn inject(&mut self, now: Instant, packet: Bytes) {
        self.settle(now);
        if let Ok(header) = IpHeader::parse(&packet, packet.len()) {
            self.addresses.seen(&mut self.stack, header.dst);
        }
        let mut frame = Frame::new(packet);
        frame.device = self.device;
        frame.truesize = tun_truesize(frame.len());
        let _ = self.stack.handle_packet(now, frame);
        self.settle(now);
    }

    /// The next packet that has left.
    pub(crate) fn next_packet(&mut self, now: Instant) -> Option<Packet> {
        let packet = self.left.pop_front()?;
        // It may have made room for another.
        self.settle(now);
        Some(packet)
    }

    pub(crate) fn has_packets(&self) -> bool {
        !self.left.is_empty()
    }

    /// Closes a descriptor that the tool has closed without a word.
    pub(crate) fn close_stale(&mut self, now: Instant, fd: Fd) {
        // It may linger; nobody waits for it.
        let _ = self.process.call(&mut self.stack, now, Call::Close { fd });
        self.settle(now);
    }

    /// Takes over the host's settings.
    pub(crate) fn follow(&mut self, values: &[(&'static SysctlEntry, String)]) {
        for refused in host_sysctls::apply(self.stack.sysctl_mut(), values) {
            if self.verbose {
                self.say(format!("left as it is: {refused}"));
            }
        }
    }

    /// Sends every sleeping call home.
    pub(crate) fn interrupt_all(&mut self, now: Instant) {
        for (id, sleeper) in &mut self.sleepers {
            if sleeper.outcome.is_none() {
                sleeper.outcome = self.process.interrupt(&mut self.stack, now, *id);
                sleeper.wake.notify_all();
            }
        }
    }

    /// Wakes every sleeping call, to look around.
    pub(crate) fn wake_all(&self) {
        self.sleepers.values().for_each(|sleeper| sleeper.wake.notify_all());
    }

    /// Says a sentence on stderr, once.
    fn say(&mut self, sentence: String) {
        if self.said.len() < SENTENCES && !self.said.contains(&sentence) {
            eprintln!("cauce: {sentence}");
            self.said.insert(sentence);
        }
    }
}

/// How far a call has come.
pub(crate) enum Started {
    Done(Outcome),
    Sleeps(SleepId, Arc<Condvar>),
    Unsupported,
}

/// Random numbers that are the same for the same seed.
fn splitmix64(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}
