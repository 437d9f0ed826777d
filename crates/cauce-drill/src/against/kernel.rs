//! The kernel's own TCP, through a TUN in a private network namespace, in real time: the oracle.
//!
//! A target lives on one thread, which moves into a network namespace of its own; start it on a thread that
//! does nothing else. Root may do that; others call [`become_root_of_a_namespace`] first, early in `main`.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::reader::Reader;
use super::structures;
use super::worker::Worker;
use crate::call::{Answer, Call, Fd, Outcome};
use crate::settings::{IpMode, Settings};
use crate::sys::calls::{Names, option_bytes};
pub use crate::sys::namespace::own_descriptors;
use crate::sys::namespace::{be_punctual, enter_network, enter_user, is_root, thread_id};
use crate::sys::tun::Tun;
use crate::target::{Captured, Progress, Sample, Target, TargetError};

/// The kernel's timers run on 4 ms steps and the usual tolerance is 4 ms: with this one nothing is a coin toss.
const TOLERANCE: i64 = 14_000_000;
/// The kernel brings IPv6 up on a device by work of its own, shortly after it was asked to.
const SETTLING: Duration = Duration::from_millis(30);
/// Waking later than this is the machine's doing, not the kernel's TCP's, ns.
const LATE: i64 = 5_000_000;
const ALLOWED: &str = "/proc/sys/net/ipv4/tcp_allowed_congestion_control";
/// The device's name; scripts use it in their commands.
const DEVICE: &str = "tun0";

/// What would differ from one machine to the next: the kernel derives these from memory and its build.
const SYSCTLS: [(&str, &str); 3] = [
    ("tcp_congestion_control", "cubic"),
    ("tcp_rmem", "4096 131072 33554432"),
    ("tcp_wmem", "4096 16384 4194304"),
];

/// Makes an unprivileged process root of a user namespace, so that it may run scripts against the kernel.
/// Does nothing for root. Call it while the process has a single thread.
///
/// # Errors
/// A sentence that says what forbids it.
pub fn become_root_of_a_namespace() -> Result<(), String> {
    if is_root() {
        return Ok(());
    }
    enter_user().map_err(|error| {
        format!("cannot make a user namespace ({error}); run as root, or allow it: sysctl kernel.unprivileged_userns_clone=1")
    })
}

/// Checks that scripts may choose cubic: it must be an allowed algorithm in the initial namespace, for in a
/// private one the choice fails with EPERM and tests would go on with another algorithm.
///
/// # Errors
/// A sentence with the command that allows it.
pub fn assert_cubic() -> Result<(), String> {
    let allowed = fs::read_to_string(ALLOWED).map_err(|error| format!("{ALLOWED}: {error}"))?;
    if allowed.split_whitespace().any(|name| name == "cubic") {
        return Ok(());
    }
    let wanted = format!("{} cubic", allowed.trim());
    Err(format!(
        "cubic is not allowed in the initial network namespace (there are: {}); scripts would run with another \
         algorithm. Allow it: sysctl -w net.ipv4.tcp_allowed_congestion_control=\"{wanted}\"",
        allowed.trim()
    ))
}

/// Checks everything that scripts need before any of them runs: the privilege for a network namespace, TUN
/// devices, `ip`, and cubic.
///
/// # Errors
/// A sentence that names what is missing and how to get it.
pub fn ready() -> Result<(), String> {
    Command::new("ip")
        .arg("-V")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| format!("`ip` cannot be started ({error}); install iproute2"))?;
    // A thread of its own, so that the caller stays in its network.
    let trial = std::thread::spawn(|| {
        enter_network().map_err(|error| format!("cannot make a network namespace ({error}); run as root"))?;
        let device = Tun::new(DEVICE).map(|_| ());
        device.map_err(|error| format!("cannot make a TUN device ({error}); grant access to /dev/net/tun"))
    });
    trial.join().unwrap_or_else(|_| Err("the trial of a network namespace broke".to_owned()))?;
    assert_cubic()
}

/// The kernel as a target. Made on the thread that will run the script.
#[derive(Debug)]
pub struct Kernel {
    /// Where commands of the script run.
    directory: PathBuf,
    ready: Option<Ready>,
    start: Instant,
    /// The same moment by the clock that timestamps of the kernel use.
    start_wall: Duration,
    /// The descriptor of the call that sleeps.
    sleeping: Option<Fd>,
    /// This thread was woken late: what it saw says little about the kernel.
    disturbed: bool,
}

#[derive(Debug)]
struct Ready {
    tun: Arc<Tun>,
    reader: Reader,
    worker: Worker,
    names: Names,
}

impl Kernel {
    /// A target whose commands run in `directory`.
    pub fn new(directory: PathBuf) -> Kernel {
        Kernel {
            directory,
            ready: None,
            start: Instant::now(),
            start_wall: Duration::ZERO,
            sleeping: None,
            disturbed: false,
        }
    }

    /// True when the machine was too busy for the script's times.
    pub fn was_disturbed(&self) -> bool {
        self.disturbed
    }

    fn ready(&self) -> Result<&Ready, TargetError> {
        self.ready.as_ref().ok_or_else(|| broken("the namespace is not prepared"))
    }

    fn since_start(&self, at: Instant) -> i64 {
        match at.checked_duration_since(self.start) {
            Some(after) => after.as_nanos() as i64,
            None => -((self.start - at).as_nanos() as i64),
        }
    }

    fn left(&self, deadline: i64) -> Duration {
        Duration::from_nanos((deadline - self.since_start(Instant::now())).max(0) as u64)
    }

    /// Timestamps of control messages count from the script's start.
    fn rebased(&self, outcome: Outcome) -> Outcome {
        let Answer::Message { flags, mut controls } = outcome.answer else { return outcome };
        for (level, kind, data) in &mut controls {
            if (*level, *kind) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING)
                && let Some((time, _)) = data.split_first_chunk_mut::<16>()
            {
                let word = |at: usize| {
                    time.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, i64::from_ne_bytes)
                };
                let nanos = i128::from(word(0)) * 1_000_000_000 + i128::from(word(8));
                let since = nanos - self.start_wall.as_nanos() as i128;
                time[..8].copy_from_slice(&((since / 1_000_000_000) as i64).to_ne_bytes());
                time[8..].copy_from_slice(&((since % 1_000_000_000) as i64).to_ne_bytes());
            }
        }
        Outcome { answer: Answer::Message { flags, controls }, ..outcome }
    }
}

fn broken(why: impl Into<String>) -> TargetError {
    TargetError::Broken(why.into())
}

/// Commands for `ip` that give the device its address and the peer its route.
fn ip_commands(settings: &Settings) -> String {
    let Settings { local, prefix, remote, gateway, mtu, .. } = settings;
    let (remote_prefix, nodad) = if settings.ipv6() { (64, "nodad") } else { (24, "") };
    let network = match remote {
        std::net::IpAddr::V4(ip) => std::net::IpAddr::V4((u32::from(*ip) & 0xffff_ff00).into()),
        std::net::IpAddr::V6(ip) => std::net::IpAddr::V6((u128::from(*ip) >> 64 << 64).into()),
    };
    format!(
        "link set lo up\nlink set {DEVICE} mtu {mtu} up\naddr add {local}/{prefix} dev {DEVICE} {nodad}\n\
         route add {network}/{remote_prefix} via {gateway} dev {DEVICE}\n"
    )
}

fn run_ip(commands: &str) -> Result<(), TargetError> {
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| broken(format!("`ip` (iproute2) cannot be started: {error}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(commands.as_bytes()).map_err(|error| broken(format!("ip: {error}")))?;
    }
    let output = child.wait_with_output().map_err(|error| broken(format!("ip: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(broken(format!("ip: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

impl Target for Kernel {
    fn prepare(&mut self, settings: &Settings) -> Result<(), TargetError> {
        assert_cubic().map_err(TargetError::Broken)?;
        enter_network().map_err(|error| {
            broken(format!(
                "cannot make a network namespace ({error}); run as root (sudo), or in a user namespace"
            ))
        })?;
        let tun = Tun::new(DEVICE).map_err(|error| {
            broken(format!("cannot make a TUN device ({error}); grant access to /dev/net/tun or run as root"))
        })?;
        for (name, value) in SYSCTLS {
            let path = format!("/proc/sys/net/ipv4/{name}");
            fs::write(path, value).map_err(|error| broken(format!("net.ipv4.{name}={value}: {error}")))?;
        }
        run_ip(&ip_commands(settings))?;
        if settings.ipv6() {
            std::thread::sleep(SETTLING);
        }
        // Without the privilege the thread is as punctual as any.
        let _ = be_punctual();
        let names = Names {
            local: (settings.local, settings.bind_port).into(),
            remote: (settings.remote, settings.connect_port).into(),
            mapped: settings.ip == IpMode::Mapped,
        };
        let tun = Arc::new(tun);
        let reader = Reader::new(Arc::clone(&tun));
        self.ready = Some(Ready { tun, reader, worker: Worker::new(), names });
        Ok(())
    }

    fn begin(&mut self) {
        self.start = Instant::now();
        self.start_wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    }

    fn now(&mut self) -> i64 {
        self.since_start(Instant::now())
    }

    fn sleep_until(&mut self, at: i64) {
        std::thread::sleep(self.left(at));
        self.disturbed |= self.since_start(Instant::now()) - at > LATE && at > 0;
    }

    fn inject(&mut self, packet: &[u8]) -> Result<(), TargetError> {
        self.ready()?.tun.write(packet).map_err(|error| broken(format!("{DEVICE}: {error}")))
    }

    fn next_packet(&mut self, deadline: i64) -> Result<Option<Captured>, TargetError> {
        let left = self.left(deadline);
        let read = self.ready()?.reader.next(left).map_err(|error| broken(format!("{DEVICE}: {error}")))?;
        Ok(read.map(|(at, bytes)| Captured { at: self.since_start(at), bytes }))
    }

    fn start_call(&mut self, call: &Call, may_block: bool) -> Result<Progress, TargetError> {
        let ready = self.ready()?;
        match ready.worker.start(call, ready.names, may_block) {
            Some((_, outcome)) => Ok(Progress::Done(self.rebased(outcome))),
            None => {
                self.sleeping = match call {
                    Call::Accept { fd, .. } | Call::Connect { fd, .. } => Some(*fd),
                    Call::Receive { fd, .. } | Call::Send { fd, .. } => Some(*fd),
                    _ => None,
                };
                Ok(Progress::Blocked)
            }
        }
    }

    fn finish_call(&mut self, deadline: i64) -> Result<Option<(i64, Outcome)>, TargetError> {
        let left = self.left(deadline);
        let Some((at, outcome)) = self.ready()?.worker.finish(left) else { return Ok(None) };
        self.sleeping = None;
        Ok(Some((self.since_start(at), self.rebased(outcome))))
    }

    fn set_privileged(&mut self, privileged: bool) -> Result<(), TargetError> {
        self.ready()?.worker.set_privileged(privileged);
        Ok(())
    }

    fn command(&mut self, text: &str) -> Result<(), TargetError> {
        let shell = if std::path::Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
        let output = Command::new(shell)
            .args(["-c", text])
            .current_dir(&self.directory)
            // The same for all commands of this script, and no other's: helpers name files after it.
            .env("PACKETDRILL_PID", thread_id().to_string())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| broken(format!("{shell}: {error}")))?;
        let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let refused =
            ["Operation not permitted", "ermission denied"].iter().any(|words| told.contains(words));
        if output.status.success() && !refused {
            return Ok(());
        }
        Err(broken(format!("the command failed ({}): {told}", output.status)))
    }

    fn sample(&mut self, fd: Fd) -> Result<Sample, TargetError> {
        structures::sample(|level, name, len| option_bytes(fd, level, name, len))
            .ok_or_else(|| broken("this socket has no tcp_info"))
    }

    fn counters(&mut self) -> Sample {
        let read = |name| fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default();
        structures::counters(&[read("snmp"), read("netstat")], &read("snmp6"))
    }

    fn tolerance(&self) -> i64 {
        TOLERANCE
    }
}

impl Drop for Kernel {
    /// Wakes a call that still sleeps, so that its thread ends and the namespace goes with it.
    fn drop(&mut self) {
        if let Some(fd) = self.sleeping {
            use crate::sys::calls::execute;
            if let Some(ready) = &self.ready {
                let _ = execute(&Call::Shutdown { fd, how: libc::SHUT_RDWR }, &ready.names);
            }
        }
    }
}
