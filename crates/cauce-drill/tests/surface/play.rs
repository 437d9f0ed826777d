//! One sequence on both stacks, and the first step at which they differ.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::exceptions::{Case, What, excuse};
use super::options;
use super::peer::{Line, Peer};
use super::script::{Step, recorded};
use super::sequence::{Op, Sequence, Unreached};
use cauce_drill::against::core::Core;
use cauce_drill::against::kernel::Kernel;
use cauce_drill::call::{Address, Answer, Call, Outcome};
use cauce_drill::parser::{Given, parse};
use cauce_drill::{IpMode, Progress, Settings, Source, Target, TargetError};

/// Ports of listeners and of the peer's: one a run, so that no run meets what another has left.
const FIRST_PORT: u16 = 10_000;
const LAST_PORT: u16 = 30_000;

/// What one step gave.
#[derive(Debug, Clone, PartialEq)]
enum Reply {
    Done(Outcome),
    Blocked,
    Unsupported(String),
}

/// The kernel and our stack, with the same network.
pub struct Pair {
    settings: Settings,
    targets: [Box<dyn Target>; 2],
    port: u16,
}

/// One step and what came of it.
#[derive(Debug)]
struct Taken {
    reply: Reply,
    /// Of every descriptor, after the step.
    readiness: Vec<i16>,
    /// What has passed on the wire.
    wire: Vec<Line>,
}

/// Two answers that differ.
#[derive(Debug)]
pub struct Difference {
    sequence: Sequence,
    settings: Settings,
    /// The kernel's steps, the last of them the one that differs.
    taken: Vec<Taken>,
    what: What,
    kernel: String,
    ours: String,
}

impl Difference {
    /// As a script that passes on the kernel.
    pub fn script(&self) -> String {
        let ops = self.sequence.state.iter().chain(&self.sequence.ops);
        let steps: Vec<_> = ops
            .zip(&self.taken)
            .filter_map(|(op, taken)| match &taken.reply {
                Reply::Done(outcome) => Some(Step { op, outcome, wire: &taken.wire }),
                _ => None,
            })
            .collect();
        recorded(&self.sequence, &steps, self.what == What::Readiness, &self.settings)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Answer => "the answer",
            What::Readiness => "readiness",
            What::Wire => "what is sent",
        };
        let who = if self.sequence.privileged { "" } else { ", without privilege" };
        writeln!(f, "{}{who}: {what} differs", self.sequence.mode.name())?;
        let all = self.sequence.state.iter().chain(&self.sequence.ops);
        for (at, op) in all.enumerate().take(self.taken.len()) {
            let sign = if at < self.sequence.state.len() { "state" } else { "     " };
            writeln!(f, "  {sign} {op}")?;
        }
        write!(f, "  kernel: {}\n  ours:   {}", self.kernel, self.ours)
    }
}

impl Pair {
    /// Two fresh stacks; the kernel's in a network namespace of this thread's own.
    pub fn new(mode: IpMode) -> Pair {
        let source = Source::new("surface", &format!("--ip_version={}\n0 close(3) = 0\n", mode.name()));
        let script = parse(&source, &Given::default()).expect("a script");
        let settings = Settings::of(&script, &source, &[]).expect("settings");
        let mut targets: [Box<dyn Target>; 2] =
            [Box::new(Kernel::new(PathBuf::from("."))), Box::new(Core::new(PathBuf::from(".")))];
        for target in &mut targets {
            target.prepare(&settings).unwrap_or_else(|error| panic!("{error}"));
            // What a slow connection teaches would give later ones other time-outs.
            let forgetful = "sysctl -q -w net.ipv4.tcp_no_metrics_save=1";
            target.command(forgetful).unwrap_or_else(|error| panic!("{error}"));
            target.begin();
        }
        Pair { settings, targets, port: FIRST_PORT }
    }

    /// Runs a sequence on both; the first difference that nothing excuses.
    pub fn compare(&mut self, sequence: &Sequence) -> Option<Difference> {
        self.port = if self.port == LAST_PORT { FIRST_PORT } else { self.port + 1 };
        let [mut kernel, core] = self
            .targets
            .each_mut()
            .map(|target| Run::new(&mut **target, &self.settings, self.port).all(sequence));
        let (step, what, said, own) = first_difference(sequence, &kernel, &core)?;
        kernel.truncate(step + 1);
        let (sequence, settings) = (sequence.clone(), self.settings.clone());
        Some(Difference { sequence, settings, taken: kernel, what, kernel: said, ours: own })
    }
}

/// The first step that differs without an excuse, what differs there, and what both say.
fn first_difference(
    sequence: &Sequence,
    kernel: &[Taken],
    core: &[Taken],
) -> Option<(usize, What, String, String)> {
    let ops = sequence.state.iter().chain(&sequence.ops);
    let mut done: Vec<(&Op, &Outcome)> = Vec::new();
    let mut last = None;
    for (step, ((op, kernel), ours)) in ops.zip(kernel).zip(core).enumerate() {
        let (Reply::Done(theirs), Reply::Done(own)) = (&kernel.reply, &ours.reply) else {
            return Some((step, What::Answer, format!("{:?}", kernel.reply), format!("{:?}", ours.reply)));
        };
        done.push((op, theirs));
        last = Some((step, own));
        let answers = same(op, theirs, own);
        for what in [What::Answer, What::Readiness] {
            if if what == What::Readiness { kernel.readiness == ours.readiness } else { answers } {
                continue;
            }
            let case = Case { done: &done, ours: own, what };
            match excuse(&case) {
                // What follows may differ for the same reason.
                Some(exception) if (exception.ends)(&case) => return None,
                Some(_) => {}
                None if what == What::Readiness => {
                    return Some((step, what, events(&kernel.readiness), events(&ours.readiness)));
                }
                None => return Some((step, what, format!("{theirs:?}"), format!("{own:?}"))),
            }
        }
    }
    let [theirs, own] = [kernel, core].map(sent);
    let (step, ours) = last.filter(|_| theirs != own)?;
    let what = What::Wire;
    let excused = excuse(&Case { done: &done, ours, what }).is_some();
    (!excused).then(|| (step, what, theirs.join(", "), own.join(", ")))
}

/// What a stack has sent, but for bare acknowledgements: Linux's timers of those come with its ticks (O-11).
fn sent(all: &[Taken]) -> Vec<String> {
    let lines = all.iter().flat_map(|taken| &taken.wire).filter(|line| line.tells());
    lines.map(|line| line.text(true)).collect()
}

/// Answers are the same, but for values that are a stack's own.
fn same(op: &Op, kernel: &Outcome, ours: &Outcome) -> bool {
    let opaque = |level, name| {
        options::ALL.iter().any(|known| known.opaque && (known.level, known.number) == (level, name))
    };
    match (op, &kernel.answer, &ours.answer) {
        (Op::Call(Call::GetSockOpt { level, name, .. }), Answer::Bytes(theirs), Answer::Bytes(own))
            if opaque(*level, *name) =>
        {
            // IPv4 hands out small values in one byte.
            kernel.result == ours.result && (*level == libc::SOL_IP || theirs.len() == own.len())
        }
        // Descriptors are numbers of the process; scripts see IPv4 addresses as such.
        (Op::Call(Call::Socket { .. } | Call::Accept { .. }), theirs, own) => {
            let canonical = |answer: &Answer| match answer {
                Answer::Peer(peer) => Some((peer.ip().to_canonical(), peer.port())),
                _ => None,
            };
            kernel.errno == ours.errno && canonical(theirs) == canonical(own)
        }
        // Ports that the stack has chosen are its own.
        (Op::Call(Call::Name { .. }), Answer::Peer(theirs), Answer::Peer(own)) => {
            let canonical = |name: &SocketAddr| {
                let chosen = (32_768..61_000).contains(&name.port());
                (name.ip().to_canonical(), if chosen { 0 } else { name.port() })
            };
            canonical(theirs) == canonical(own)
        }
        _ => kernel == ours,
    }
}

fn events(all: &[i16]) -> String {
    const NAMES: [(i16, &str); 7] = [
        (libc::POLLIN, "IN"),
        (libc::POLLPRI, "PRI"),
        (libc::POLLOUT, "OUT"),
        (libc::POLLERR, "ERR"),
        (libc::POLLHUP, "HUP"),
        (libc::POLLNVAL, "NVAL"),
        (libc::POLLRDHUP, "RDHUP"),
    ];
    let name = |events: &i16| {
        let set = NAMES.iter().filter(|(bit, _)| events & bit != 0).map(|(_, name)| *name);
        set.collect::<Vec<_>>().join("+")
    };
    format!("{:?}", all.iter().map(name).collect::<Vec<_>>())
}

/// One sequence on one stack.
struct Run<'t> {
    target: &'t mut dyn Target,
    peer: Peer,
    /// Descriptors by slot.
    slots: Vec<i64>,
    local: SocketAddr,
    remote: SocketAddr,
}

impl<'t> Run<'t> {
    fn new(target: &'t mut dyn Target, settings: &Settings, port: u16) -> Run<'t> {
        let (local, remote) = ((settings.local, port).into(), (settings.remote, port).into());
        Run { target, peer: Peer::new(settings, port), slots: Vec::new(), local, remote }
    }

    /// Takes every step.
    fn all(mut self, sequence: &Sequence) -> Vec<Taken> {
        let mut all = Vec::new();
        self.target.set_privileged(sequence.privileged).expect("privileges can be laid aside");
        for op in sequence.state.iter().chain(&sequence.ops) {
            let reply = self.one(op);
            let stuck = reply == Reply::Blocked;
            let readiness = if stuck { Vec::new() } else { self.readiness() };
            all.push(Taken { reply, readiness, wire: std::mem::take(&mut self.peer.wire) });
            if stuck {
                break;
            }
        }
        self.peer.listen(self.target, false);
        if let Some(last) = all.last_mut() {
            last.wire.append(&mut self.peer.wire);
        }
        self.end(sequence);
        all
    }

    fn one(&mut self, op: &Op) -> Reply {
        let target = &mut *self.target;
        match op {
            Op::Call(call) => return self.call(call),
            Op::PeerConnects => self.peer.connect(target),
            Op::PeerAccepts => self.peer.accept(target),
            Op::PeerRefuses => self.peer.refuse(target),
            Op::PeerSends(bytes) => self.peer.send(target, *bytes, false),
            Op::PeerSendsUrgent(bytes) => self.peer.send(target, *bytes, true),
            Op::PeerSendsAhead(bytes) => self.peer.send_ahead(target, *bytes),
            Op::PeerRepeats => self.peer.repeat(target),
            Op::PeerAcknowledges => self.peer.acknowledge(target),
            Op::PeerAcknowledgesPart => self.peer.acknowledge_part(target),
            Op::PeerWindow(window) => self.peer.window = *window,
            Op::RouterTells(why) => self.peer.report(target, *why),
            Op::PeerCloses => self.peer.close(target),
            Op::PeerResets => self.peer.reset(target),
            Op::Mode(call) => return self.mode(call),
            Op::Pass(millis) => {
                let until = target.now() + i64::from(*millis) * 1_000_000;
                target.sleep_until(until);
            }
            Op::LeastTimeout(micros) => {
                let command = format!("sysctl -q -w net.ipv4.tcp_rto_min_us={micros}");
                target.command(&command).unwrap_or_else(|error| panic!("{command}: {error}"));
            }
        }
        Reply::Done(Outcome::done(0))
    }

    /// The call, and what F_GETFL says then. No later call may wait.
    fn mode(&mut self, call: &Call) -> Reply {
        let fd = match call {
            Call::Ioctl { fd, .. } | Call::Fcntl { fd, .. } => *fd,
            other => panic!("{other:?} sets no mode"),
        };
        let reply = self.call(call);
        let flags = self.call(&Call::Fcntl { fd, command: libc::F_GETFL, argument: None });
        let back = Call::Fcntl { fd, command: libc::F_SETFL, argument: Some(libc::O_NONBLOCK) };
        self.call(&back);
        match reply {
            Reply::Done(outcome) if outcome.errno == 0 => flags,
            failed => failed,
        }
    }

    fn call(&mut self, call: &Call) -> Reply {
        let call = self.placed(call.clone());
        let reply = self.make(&call);
        if let (Call::Socket { .. } | Call::Accept { .. }, Reply::Done(outcome)) = (&call, &reply)
            && outcome.errno == 0
        {
            self.slots.push(outcome.result);
        }
        reply
    }

    fn make(&mut self, call: &Call) -> Reply {
        match self.target.start_call(call, false) {
            Ok(Progress::Done(outcome)) => Reply::Done(outcome),
            Ok(Progress::Blocked) => Reply::Blocked,
            Err(TargetError::Unsupported(what)) => Reply::Unsupported(what),
            Err(error) => panic!("{call:?}: {error}"),
        }
    }

    /// The call with this run's descriptors and ports.
    fn placed(&self, mut call: Call) -> Call {
        let slot = |fd: &mut i64| {
            *fd = usize::try_from(*fd).ok().and_then(|at| self.slots.get(at).copied()).unwrap_or(-1);
        };
        let place = |address: &mut Address| match address {
            Address::Local => *address = Address::Literal(self.local),
            Address::Remote => *address = Address::Literal(self.remote),
            _ => {}
        };
        match &mut call {
            Call::Bind { fd, address } | Call::Connect { fd, address } => {
                slot(fd);
                place(address);
            }
            Call::Send { fd, address: Some(address), .. } => {
                slot(fd);
                place(address);
            }
            Call::Listen { fd, .. }
            | Call::Accept { fd, .. }
            | Call::Receive { fd, .. }
            | Call::Send { fd, .. }
            | Call::Ioctl { fd, .. }
            | Call::Fcntl { fd, .. }
            | Call::Name { fd, .. }
            | Call::Shutdown { fd, .. }
            | Call::GetSockOpt { fd, .. }
            | Call::SetSockOpt { fd, .. } => slot(fd),
            _ => {}
        }
        call
    }

    fn readiness(&mut self) -> Vec<i16> {
        let events = libc::POLLIN | libc::POLLOUT | libc::POLLPRI | libc::POLLRDHUP;
        let fds = self.slots.iter().map(|fd| (*fd, events)).collect();
        match self.make(&Call::Poll { fds, timeout: 0 }) {
            Reply::Done(Outcome { answer: Answer::Poll(revents), .. }) => revents,
            other => panic!("poll: {other:?}"),
        }
    }

    /// Nothing of the sequence stays: connections are reset, and what is known of the path is forgotten.
    fn end(&mut self, sequence: &Sequence) {
        let narrow = |op: &Op| matches!(op, Op::RouterTells(Unreached::TooBig(_)));
        if sequence.ops.iter().any(narrow) {
            for forget in ["ip -4 route flush cache", "ip -6 route flush cache"] {
                self.target.command(forget).unwrap_or_else(|error| panic!("{forget}: {error}"));
            }
        }
        for fd in std::mem::take(&mut self.slots) {
            let value = Some([1i32.to_ne_bytes(), 0i32.to_ne_bytes()].concat());
            let (level, name) = (libc::SOL_SOCKET, libc::SO_LINGER);
            self.make(&Call::SetSockOpt { fd, level, name, value, len: 8 });
            self.make(&Call::Close { fd });
        }
        self.peer.listen(self.target, false);
    }
}
