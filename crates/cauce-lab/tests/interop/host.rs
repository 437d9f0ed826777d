//! The kernel's side of a connection, on a thread of its own.

use crate::lane::{Handle, Order};
use crate::plan::Plan;
use crate::transfer::{Step, Stop, Transfer, Wire};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Runs one connection on both sides. Says what went wrong on which.
pub fn connection(plan: &Plan, seed: u64, lane: &Handle, limit: Duration) -> Result<(), String> {
    let deadline = Instant::now() + limit;
    let (tell, told) = mpsc::channel();
    let kernels = kernel_side(plan, seed, lane, deadline, tell);
    // Our side ends by its own limit, a little later.
    let patience = deadline.saturating_duration_since(Instant::now()) + Duration::from_secs(30);
    let ours = match told.recv_timeout(patience) {
        Ok(outcome) => outcome,
        Err(_) => Err("no word".into()),
    };
    let side = |name: &str, result: Result<(), String>| result.map_err(|why| format!("{name}: {why}"));
    match (side("kernel", kernels), side("ours", ours)) {
        (Ok(()), Ok(())) => Ok(()),
        (Err(one), Err(other)) => Err(format!("{one}\n  {other}")),
        (Err(why), _) | (_, Err(why)) => Err(why),
    }
}

fn kernel_side(
    plan: &Plan,
    seed: u64,
    lane: &Handle,
    deadline: Instant,
    done: mpsc::Sender<Result<(), String>>,
) -> Result<(), String> {
    let step = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    let socket = open(plan, lane.kernel_address(plan.v6)).map_err(step("open a socket"))?;
    let local = socket.local_addr().map_err(step("getsockname"))?.as_socket().ok_or("no address")?;
    let socket = if plan.we_connect {
        socket.listen(1).map_err(step("listen"))?;
        lane.order(Order::Connect { plan: plan.clone(), to: local, done });
        await_ready(&socket, PollFlags::IN, deadline).map_err(step("accept"))?;
        let (accepted, _) = socket.accept().map_err(step("accept"))?;
        accepted.set_nonblocking(true).map_err(step("accept"))?;
        accepted
    } else {
        lane.order(Order::Expect { plan: plan.clone(), from: local, done });
        match socket.connect(&lane.our_address(plan.v6).into()) {
            Err(error) if error.raw_os_error() == Some(115) => {}
            other => other.map_err(step("connect"))?,
        }
        await_ready(&socket, PollFlags::OUT, deadline).map_err(step("connect"))?;
        if let Some(error) = socket.take_error().map_err(step("connect"))? {
            return Err(format!("connect: {error}"));
        }
        socket
    };
    socket.set_tcp_nodelay(plan.kernels.nodelay).map_err(step("TCP_NODELAY"))?;
    let mut transfer = Transfer::new(&plan.kernels, plan.payload(seed, false), plan.payload(seed, true));
    let mut wire = KernelWire(&socket);
    loop {
        let (flags, until) = match transfer.step(&mut wire, Instant::now())? {
            Step::Done => return Ok(()),
            Step::Rest { until, write } => (interest(false, write), until.min(deadline)),
            Step::Ready { read, write } => (interest(read, write), deadline),
        };
        match await_ready(&socket, flags, until) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::TimedOut && until < deadline => {}
            Err(error) => return Err(format!("{error}; {}\n{}", transfer.standing(), shown(local))),
        }
    }
}

/// A bound socket with cubic.
fn open(plan: &Plan, at: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_tcp_congestion(b"cubic")?;
    if let Some(bytes) = plan.kernels.receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    Ok(socket)
}

fn interest(read: bool, write: bool) -> PollFlags {
    let bit = |set, flag| if set { flag } else { PollFlags::empty() };
    bit(read, PollFlags::IN) | bit(write, PollFlags::OUT)
}

fn await_ready(socket: &Socket, flags: PollFlags, until: Instant) -> io::Result<()> {
    let left = until.saturating_duration_since(Instant::now()) + Duration::from_micros(1);
    let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
    match poll(&mut [PollFd::new(socket, flags)], Some(&timeout)) {
        Ok(0) => Err(io::Error::new(ErrorKind::TimedOut, "out of time")),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What the kernel knows of the connection, where `ss` is installed.
fn shown(local: SocketAddr) -> String {
    let output =
        std::process::Command::new("ss").args(["-tinoem", &format!("sport = :{}", local.port())]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

struct KernelWire<'a>(&'a Socket);

impl Wire for KernelWire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Stop> {
        (&mut &*self.0).read(buffer).map_err(stop)
    }
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Stop> {
        (&mut &*self.0).write(bytes).map_err(stop)
    }
    fn finish(&mut self) -> Result<(), Stop> {
        self.0.shutdown(Shutdown::Write).map_err(stop)
    }
}

fn stop(error: io::Error) -> Stop {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => Stop::Wait,
        _ => Stop::Failed(error.to_string()),
    }
}
