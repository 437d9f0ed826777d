//! Our own stack in virtual time: no privilege, no clock, the same bytes every time.
//!
//! The clock moves only from one event of the stack to the next. A call that sleeps is data in the stack's own
//! table and goes on in the moment in which its socket gets better.

mod calls;
mod commands;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use cauce_core::batch::Batch;
use cauce_core::connection::state::State;
use cauce_core::counters::Counter;
use cauce_core::frame::{DeviceId, Frame, tun_truesize};
use cauce_core::stack::{InterfaceConfig, Medium, Stack};
use cauce_core::sysctl::Sysctls;
use cauce_core::time::Instant;
use cauce_device::offload;
use cauce_posix::{self as posix, Process, SleepId};

use super::structures;
use crate::call::{Call, Fd, Outcome};
use crate::settings::{IpMode, Settings};
use crate::target::{Captured, Progress, Sample, Target, TargetError};

/// Virtual time at which scripts begin: late enough for what counts backwards from now.
const EPOCH: u64 = 1_000_000_000_000;
/// Entries that the stack may put into a batch at a time.
const BATCH: usize = 64;
/// The stack's events are exact; what is tolerated is what scripts were written for.
const TOLERANCE: i64 = 4_000_000;
/// Events of one moment after which the stack is taken to spin.
const ENDLESS: u32 = 1_000_000;
/// Descriptors that a script may have open.
const DESCRIPTORS: usize = 1024;

/// Our stack as a target.
#[derive(Debug)]
pub struct Core {
    stack: Stack,
    device: DeviceId,
    now: Instant,
    zero: Instant,
    batch: Batch,
    left: VecDeque<Captured>,
    process: Process,
    /// The call that sleeps, and once it is over when and what.
    sleeper: Option<SleepId>,
    over: Option<(i64, Outcome)>,
    local: SocketAddr,
    remote: SocketAddr,
    mode: IpMode,
    commands: commands::Commands,
    /// Where paths of the script start.
    directory: PathBuf,
}

impl Default for Core {
    fn default() -> Core {
        Core::new(PathBuf::from("."))
    }
}

impl Core {
    /// A fresh stack with the settings of the profile `linux-6.18` and a random source that always gives the
    /// same numbers, for a script in `directory`.
    pub fn new(directory: PathBuf) -> Core {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let rng = move || {
            // splitmix64
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ z >> 31
        };
        let mut process = Process::new(DESCRIPTORS);
        process.set_population(|id| Path::new("/proc").join(id.to_string()).exists());
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Core {
            stack: Stack::new(Sysctls::default(), Box::new(rng)),
            device: DeviceId::default(),
            now: Instant::from_nanos(EPOCH),
            zero: Instant::from_nanos(EPOCH),
            batch: Batch::new(BATCH),
            left: VecDeque::new(),
            process,
            sleeper: None,
            over: None,
            local: nowhere,
            remote: nowhere,
            mode: IpMode::V4,
            commands: commands::Commands::default(),
            directory,
        }
    }

    /// The settings of the stack.
    pub(super) fn sysctl_mut(&mut self) -> &mut Sysctls {
        self.stack.sysctl_mut()
    }

    /// Connections that there are, half-open ones among them.
    pub(super) fn flows(&self) -> usize {
        self.stack.connections()
    }

    /// There is an established connection, or one that has been.
    pub(super) fn has_connection(&self) -> bool {
        let of_none = [State::Listen, State::SynSent, State::SynReceived, State::Closed];
        self.stack.listing(self.now).any(|one| !of_none.contains(&one.state))
    }

    fn since_zero(&self) -> i64 {
        self.now.as_nanos() as i64 - self.zero.as_nanos() as i64
    }

    fn moment(&self, at: i64) -> Instant {
        Instant::from_nanos(self.zero.as_nanos().saturating_add_signed(at))
    }

    /// Takes everything out of the stack that it wants to send now, and lets calls go on.
    fn drain(&mut self) {
        for _ in 0..ENDLESS {
            let sent = self.drain_packets();
            self.process.turn(&mut self.stack, self.now);
            let mut woken = false;
            while let Some((id, outcome)) = self.process.poll_returned() {
                woken = true;
                if self.sleeper == Some(id) {
                    self.sleeper = None;
                    self.over = Some((self.since_zero(), calls::outcome_of(outcome)));
                }
            }
            if !sent && !woken {
                break;
            }
        }
    }

    fn drain_packets(&mut self) -> bool {
        let mut any = false;
        while self.stack.poll_transmit(self.now, &mut self.batch) > 0 {
            any = true;
            let mut tokens = Vec::new();
            while let Some(transmit) = self.batch.pop() {
                let at = self.since_zero();
                let packets = offload::packets(&transmit).map(|packet| packet.to_bytes().to_vec());
                self.left.extend(packets.map(|bytes| Captured { at, bytes }));
                tokens.push(transmit.token);
            }
            self.stack.handle_transmitted(self.now, &tokens);
        }
        any
    }

    /// Moves the clock to the stack's next event, but not beyond `limit`. False when it has reached `limit`.
    fn step(&mut self, limit: Instant) -> bool {
        let own = self.process.poll_timeout();
        let next = self.stack.poll_timeout().map(|(at, _)| at).into_iter().chain(own).min();
        match next {
            Some(at) if at <= limit => {
                self.now = self.now.max(at);
                self.stack.handle_timeout(self.now);
                self.drain();
                true
            }
            _ => {
                self.now = self.now.max(limit);
                false
            }
        }
    }
}

impl Target for Core {
    fn prepare(&mut self, settings: &Settings) -> Result<(), TargetError> {
        self.mode = settings.ip;
        self.local = (settings.local, settings.bind_port).into();
        self.remote = (settings.remote, settings.connect_port).into();
        let mtu = u16::try_from(settings.mtu).unwrap_or(u16::MAX);
        let config =
            InterfaceConfig { name: "tun0".to_owned(), mtu, medium: Medium::Ip, max_super: u16::MAX };
        self.device = self.stack.add_interface(config);
        let interfaces = self.stack.interfaces();
        interfaces.add_address(self.device, settings.local, settings.prefix);
        let length = if settings.ipv6() { 64 } else { 24 };
        interfaces.add_route(settings.remote, length, Some(settings.gateway), self.device);
        Ok(())
    }

    fn begin(&mut self) {
        self.zero = self.now;
        // Time stamps of control messages count from the script's start.
        self.process.set_wall_clock(-i128::from(self.zero.as_nanos()));
    }

    fn now(&mut self) -> i64 {
        self.since_zero()
    }

    fn sleep_until(&mut self, at: i64) {
        let limit = self.moment(at);
        while self.step(limit) {}
    }

    fn inject(&mut self, packet: &[u8]) -> Result<(), TargetError> {
        let mut frame = Frame::new(Bytes::copy_from_slice(packet));
        frame.device = self.device;
        frame.truesize = tun_truesize(packet.len());
        // What comes back is not TCP's business, as on a host.
        let _ = self.stack.handle_packet(self.now, frame);
        self.drain();
        Ok(())
    }

    fn next_packet(&mut self, deadline: i64) -> Result<Option<Captured>, TargetError> {
        let limit = self.moment(deadline);
        while self.left.is_empty() {
            if !self.step(limit) {
                break;
            }
        }
        Ok(self.left.pop_front())
    }

    fn start_call(&mut self, call: &Call, _may_block: bool) -> Result<Progress, TargetError> {
        let progress = self.call(call)?;
        self.drain();
        Ok(progress)
    }

    fn finish_call(&mut self, deadline: i64) -> Result<Option<(i64, Outcome)>, TargetError> {
        let limit = self.moment(deadline);
        while self.over.is_none() {
            if !self.step(limit) {
                break;
            }
        }
        Ok(self.over.take())
    }

    fn set_privileged(&mut self, privileged: bool) -> Result<(), TargetError> {
        self.process.set_privileged(privileged);
        Ok(())
    }

    fn command(&mut self, text: &str) -> Result<(), TargetError> {
        commands::run(self, text)
    }

    fn sample(&mut self, fd: Fd) -> Result<Sample, TargetError> {
        let (stack, process, now) = (&mut self.stack, &mut self.process, self.now);
        structures::sample(|level, name, len| {
            let (fd, len) = (i32::try_from(fd).ok()?, i32::try_from(len).ok()?);
            match process.call(stack, now, posix::Call::GetOption { fd, level, name, len }) {
                posix::Progress::Done(posix::Outcome {
                    result: Ok(_),
                    answer: posix::Answer::Bytes(bytes),
                }) => Some(bytes),
                _ => None,
            }
        })
        .ok_or_else(|| broken("this descriptor is no socket"))
    }

    fn counters(&mut self) -> Sample {
        let gauge = ("TcpCurrEstab".to_owned(), self.stack.counters().get(Counter::CurrEstab));
        let counters = posix::tools::nstat::values(&self.stack).chain([gauge]);
        counters.map(|(name, value)| (name, i128::from(value))).collect()
    }

    fn tolerance(&self) -> i64 {
        TOLERANCE
    }
}

fn broken(why: impl Into<String>) -> TargetError {
    TargetError::Broken(why.into())
}

fn unsupported<T>(what: impl Into<String>) -> Result<T, TargetError> {
    Err(TargetError::Unsupported(what.into()))
}
