//! A lane: a TUN of the kernel's, the bridge with its faults, and a stack of ours behind a pipe.

use crate::plan::{LanePlan, Plan, Settings};
use crate::transfer::{Step, Stop, Transfer, Wire};
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::SocketOption;
use cauce_core::socket::{Family, Shutdown, SocketId};
use cauce_core::stack::{InterfaceConfig, Medium, Stack};
use cauce_core::sysctl::Sysctls;
use cauce_core::time::Instant;
use cauce_device::host::{HostConfig, configure};
use cauce_device::pump::{DEFAULT_LIMIT, Pump};
use cauce_device::tun::{Tun, TunOptions};
use cauce_device::wrap::pcap::{Pcap, PcapFile};
use cauce_device::{Device, Pipe, PipeOptions, pipe};
use cauce_lab::bridge::{Bridge, BridgeOptions, BridgeReport};
use cauce_lab::rng::LabRng;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Wake, Waker};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant as WallClock};

/// Where our stack listens.
const PORT: u16 = 5001;
const MTU: usize = 1500;
/// Our own TIME-WAIT lasts this many seconds, so that its end is seen.
const TIME_WAIT: u32 = 2;
const LIMIT_OF_REST: Duration = Duration::from_secs(120);

/// What a kernel thread asks of our side; the outcome comes back through `done`.
pub enum Order {
    Connect { plan: Plan, to: SocketAddr, done: Done },
    Expect { plan: Plan, from: SocketAddr, done: Done },
}

type Done = mpsc::Sender<Result<(), String>>;

/// A running lane.
pub struct Lane {
    pub handle: Handle,
    stop: Arc<AtomicBool>,
    bridge: JoinHandle<std::io::Result<BridgeReport>>,
    ours: JoinHandle<Result<String, String>>,
}

/// How kernel threads reach a lane.
#[derive(Clone)]
pub struct Handle {
    index: usize,
    orders: mpsc::Sender<Order>,
    thread: Thread,
}

impl Handle {
    pub fn order(&self, order: Order) {
        // A lane that is gone says why when it is joined; its sender of outcomes is dropped with the order.
        let _ = self.orders.send(order);
        self.thread.unpark();
    }

    pub fn kernel_address(&self, v6: bool) -> SocketAddr {
        SocketAddr::new(address(self.index, v6, 1), 0)
    }

    pub fn our_address(&self, v6: bool) -> SocketAddr {
        SocketAddr::new(address(self.index, v6, 2), PORT)
    }
}

fn address(lane: usize, v6: bool, host: u8) -> IpAddr {
    if v6 {
        Ipv6Addr::new(0xfd00, 0xca, lane as u16, 0, 0, 0, 0, u16::from(host)).into()
    } else {
        Ipv4Addr::new(10, 99, lane as u8, host).into()
    }
}

impl Lane {
    pub fn start(plan: &LanePlan, settings: &Settings) -> Lane {
        let name = format!("lane{}", plan.index);
        let tun = TunOptions { name, mtu: MTU, offload: plan.kernel_offload, ..TunOptions::default() };
        let tun = Tun::open(&tun).expect("a TUN in a namespace of our own").remove(0);
        let addresses = vec![(address(plan.index, false, 1), 24), (address(plan.index, true, 1), 64)];
        configure(tun.name(), &HostConfig { up: true, addresses, ..HostConfig::default() })
            .expect("addresses");
        let options =
            PipeOptions { mtu: MTU, tso: plan.our_offload, gro: plan.our_gro, ..PipeOptions::default() };
        let (far, near) = pipe(options);
        let seed = settings.seed ^ (plan.index as u64 + 1) << 48;
        let options = BridgeOptions { seed, links: plan.links, faults: plan.faults };
        let bridge = Bridge::new(Box::new(tun), Box::new(far), &options).expect("a descriptor");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let bridge = std::thread::spawn(move || bridge.run(&stopped));
        let (orders, taken) = mpsc::channel();
        let (plan, settings) = (plan.clone(), settings.clone());
        let index = plan.index;
        let ours = std::thread::spawn(move || Ours::new(plan, settings, near).run(&taken));
        let handle = Handle { index, orders, thread: ours.thread().clone() };
        Lane { handle, stop, bridge, ours }
    }

    /// Waits until our side is at rest, and takes the lane down.
    pub fn finish(self) -> Result<(BridgeReport, String), String> {
        let Lane { handle: Handle { orders, thread, .. }, stop, bridge, ours } = self;
        drop(orders);
        thread.unpark();
        let ours = ours.join().unwrap_or_else(|_| Err("our side panicked".into()));
        stop.store(true, Ordering::Relaxed);
        let report = bridge.join().map_err(|_| "the bridge panicked")?.map_err(|error| error.to_string())?;
        ours.map(|counters| (report, counters))
    }
}

/// Wakes the thread that runs our side.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A connection of our side.
struct Active {
    plan: Plan,
    connecting: Option<SocketAddr>,
    transfer: Transfer,
    deadline: WallClock,
    rests_until: Option<WallClock>,
    done: Done,
}

/// Our side of a lane.
struct Ours {
    plan: LanePlan,
    settings: Settings,
    epoch: WallClock,
    stack: Stack,
    device: Box<dyn Device>,
    listeners: Vec<SocketId>,
    expected: HashMap<SocketAddr, (Plan, Done)>,
    active: HashMap<SocketId, Active>,
    /// Sockets to be looked at.
    ready: Vec<SocketId>,
}

impl Ours {
    fn new(plan: LanePlan, settings: Settings, device: Pipe) -> Self {
        let mut sysctl = Sysctls {
            tcp_sack: u8::from(plan.sack),
            tcp_timestamps: u8::from(plan.timestamps),
            tcp_window_scaling: u8::from(plan.window_scaling),
            tcp_timewait_len: TIME_WAIT,
            ..Sysctls::default()
        };
        let common = crate::SETTINGS.iter().map(|(name, value)| (format!("net.ipv4.{name}"), *value));
        let congestion = ("net.ipv4.tcp_congestion_control".to_owned(), plan.congestion);
        for (name, value) in common.chain([congestion]) {
            sysctl.set(&name, value).unwrap_or_else(|error| panic!("{name}={value}: {error:?}"));
        }
        let rng = LabRng::new(settings.seed, plan.index as u64);
        let mut stack = Stack::new(sysctl, Box::new(rng));
        let id = stack.add_interface(InterfaceConfig {
            name: format!("ours{}", plan.index),
            mtu: MTU as u16,
            medium: Medium::Ip,
            max_super: 65_535 - 120,
        });
        let mut listeners = Vec::new();
        for (v6, len) in [(false, 24), (true, 64)] {
            let at = address(plan.index, v6, 2);
            assert!(stack.interfaces().add_address(id, at, len));
            let listener = stack.open(if v6 { Family::V6 } else { Family::V4 }).expect("a socket");
            stack.socket(listener).bind(SocketAddr::new(at, PORT)).expect("bind");
            stack.socket(listener).listen(1024).expect("listen");
            listeners.push(listener);
        }
        let device: Box<dyn Device> = match &settings.pcap {
            Some(directory) => {
                let path = directory.join(format!("lane{}.pcapng", plan.index));
                let file = std::fs::File::create(path).expect("a file in CAUCE_INTEROP_PCAP");
                let file = PcapFile::new(file).expect("a capture");
                let clock = || std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
                Box::new(Pcap::new(device, "ours", &file, clock))
            }
            None => Box::new(device),
        };
        Ours {
            plan,
            settings,
            epoch: WallClock::now(),
            stack,
            device,
            listeners,
            expected: HashMap::new(),
            active: HashMap::new(),
            ready: Vec::new(),
        }
    }

    fn now(&self) -> Instant {
        Instant::from_secs(1) + self.epoch.elapsed()
    }

    /// Serves until no more orders can come and everything is at rest. Returns the counters that moved.
    fn run(mut self, orders: &mpsc::Receiver<Order>) -> Result<String, String> {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut pump = Pump::new(1, DEFAULT_LIMIT);
        let mut ending: Option<WallClock> = None;
        loop {
            self.device.wake_when_ready(&waker);
            loop {
                match orders.try_recv() {
                    Ok(order) => self.obey(order),
                    Err(mpsc::TryRecvError::Empty) => break,
                    Err(mpsc::TryRecvError::Disconnected) => {
                        ending.get_or_insert(WallClock::now() + LIMIT_OF_REST);
                        break;
                    }
                }
            }
            let now = self.now();
            let turn = pump
                .turn(&mut self.stack, std::slice::from_mut(&mut self.device), now, &mut |_| ())
                .map_err(|error| error.to_string())?;
            if self.serve(now) || turn.again {
                continue;
            }
            if let Some(limit) = ending
                && self.active.is_empty()
            {
                let resting = self.at_rest();
                if resting.is_ok() || WallClock::now() > limit {
                    return resting.map(|()| self.counters());
                }
            }
            std::thread::park_timeout(self.idle_for(turn.deadline));
        }
    }

    fn idle_for(&self, deadline: Option<Instant>) -> Duration {
        let now = WallClock::now();
        let timer = deadline.map(|at| at.since(self.now()));
        let rests = self.active.values().filter_map(|active| active.rests_until);
        let nearest = rests.map(|at| at.saturating_duration_since(now)).chain(timer).min();
        nearest.unwrap_or(Duration::MAX).min(Duration::from_secs(1))
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Expect { plan, from, done } => {
                self.expected.insert(from, (plan, done));
            }
            Order::Connect { plan, to, done } => {
                let now = self.now();
                let family = if plan.v6 { Family::V6 } else { Family::V4 };
                let id = self.stack.open(family).expect("a socket");
                self.adopt(id, plan, Some(to), done);
                let result = self.stack.socket(id).connect(now, to);
                if result != Err(Errno::EINPROGRESS) {
                    self.end(id, Err(format!("connect: {result:?}")));
                }
            }
        }
    }

    fn adopt(&mut self, id: SocketId, plan: Plan, connecting: Option<SocketAddr>, done: Done) {
        let now = self.now();
        let mut socket = self.stack.socket(id);
        socket.set_option(now, SocketOption::NoDelay(plan.ours.nodelay)).expect("TCP_NODELAY");
        if let Some(bytes) = plan.ours.receive_buffer {
            socket.set_option(now, SocketOption::RecvBuffer(bytes as i32)).expect("SO_RCVBUF");
        }
        let seed = self.settings.seed;
        let transfer = Transfer::new(&plan.ours, plan.payload(seed, true), plan.payload(seed, false));
        let deadline = WallClock::now() + self.settings.limit + Duration::from_secs(10);
        self.active.insert(id, Active { plan, connecting, transfer, deadline, rests_until: None, done });
        self.ready.push(id);
    }

    /// Lets every connection that is ready do what it can. True when one of them did something.
    fn serve(&mut self, now: Instant) -> bool {
        while let Some((id, _)) = self.stack.poll_event() {
            self.ready.push(id);
        }
        let wall = WallClock::now();
        for (id, active) in &mut self.active {
            if active.rests_until.is_some_and(|until| until <= wall) || wall > active.deadline {
                active.rests_until = None;
                self.ready.push(*id);
            }
        }
        let ready = std::mem::take(&mut self.ready);
        for &id in &ready {
            if self.listeners.contains(&id) {
                self.accept(id, now);
            } else {
                self.advance(id, now, wall);
            }
        }
        !ready.is_empty()
    }

    fn accept(&mut self, listener: SocketId, now: Instant) {
        while let Ok(id) = self.stack.socket(listener).accept(now) {
            let peer = self.stack.socket(id).peer_addr();
            match peer.ok().and_then(|peer| self.expected.remove(&peer)) {
                Some((plan, done)) => self.adopt(id, plan, None, done),
                None => panic!("lane {}: nobody expected a connection from {peer:?}", self.plan.index),
            }
        }
    }

    fn advance(&mut self, id: SocketId, now: Instant, wall: WallClock) {
        let Some(active) = self.active.get_mut(&id) else { return };
        if wall > active.deadline {
            let info = self.stack.socket(id).tcp_info(now);
            let ready = self.stack.socket(id).readiness();
            let why = format!("out of time; {}; {ready:?} {info:#?}", active.transfer.standing());
            return self.end(id, Err(why));
        }
        if let Some(to) = active.connecting {
            match self.stack.socket(id).connect(now, to) {
                Ok(()) => active.connecting = None,
                Err(Errno::EALREADY) => return,
                Err(error) => return self.end(id, Err(format!("connect: {error:?}"))),
            }
        }
        let mut wire = OurWire { stack: &mut self.stack, id, now };
        match active.transfer.step(&mut wire, wall) {
            Ok(Step::Ready { .. }) => active.rests_until = None,
            Ok(Step::Rest { until, .. }) => active.rests_until = Some(until),
            Ok(Step::Done) => self.end(id, Ok(())),
            Err(why) => {
                let info = self.stack.socket(id).tcp_info(now);
                self.end(id, Err(format!("{why} {info:?}")));
            }
        }
    }

    fn end(&mut self, id: SocketId, outcome: Result<(), String>) {
        let now = self.now();
        let closed =
            if outcome.is_ok() { self.stack.socket(id).close(now) } else { self.stack.socket(id).abort(now) };
        if let Some(active) = self.active.remove(&id) {
            let outcome = outcome.and(closed.map_err(|error| format!("close: {error:?}")));
            // Nobody waits for it any more when the kernel's side has given up long ago.
            let _ =
                active.done.send(outcome.map_err(|why| format!("{why} (connection {})", active.plan.index)));
        }
    }

    /// Nothing is left but the listeners.
    fn at_rest(&self) -> Result<(), String> {
        let stack = &self.stack;
        let left = (
            stack.connections(),
            stack.half_open(),
            stack.time_waits(),
            stack.sockets() - self.listeners.len(),
            stack.deadlines(),
            stack.memory_used(),
        );
        if left == (0, 0, 0, 0, 0, 0) && self.expected.is_empty() {
            return Ok(());
        }
        Err(format!(
            "left at the end: (connections, half open, TIME-WAIT, sockets, deadlines, bytes) = {left:?}"
        ))
    }

    fn counters(&self) -> String {
        let moved = self.stack.counters().iter().filter(|(.., value)| *value > 0);
        moved.map(|(_, name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }
}

struct OurWire<'a> {
    stack: &'a mut Stack,
    id: SocketId,
    now: Instant,
}

impl Wire for OurWire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Stop> {
        self.stack.socket(self.id).recv(self.now, buffer).map_err(stop)
    }
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Stop> {
        self.stack.socket(self.id).send(self.now, bytes).map_err(stop)
    }
    fn finish(&mut self) -> Result<(), Stop> {
        self.stack.socket(self.id).shutdown(self.now, Shutdown::Write).map_err(stop)
    }
}

fn stop(error: Errno) -> Stop {
    if error == Errno::EAGAIN { Stop::Wait } else { Stop::Failed(format!("{error:?}")) }
}
