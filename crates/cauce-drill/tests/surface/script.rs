//! A sequence as a script of `cauce drill`: its calls and the peer's packets as a draft, which is then recorded against
//! the kernel, so that it says what the kernel answers and sends. What the language has no words for is left out.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;

use super::options::{self, Kind};
use super::peer::Line;
use super::sequence::{MAIN, Op, Sequence};
use cauce_drill::against::core::Core;
use cauce_drill::against::kernel::Kernel;
use cauce_drill::call::{Address, Call, Outcome};
use cauce_drill::{Against, Options, Settings, Source, check};

/// The ports of scripts.
const PORT: u16 = 8080;

/// One step as the kernel took it.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    pub op: &'a Op,
    /// What the kernel answered.
    pub outcome: &'a Outcome,
    /// Packets that the peer sent and saw meanwhile.
    pub wire: &'a [Line],
}

/// The script, which passes on the kernel, and what our stack makes of it.
pub fn recorded(sequence: &Sequence, steps: &[Step<'_>], readiness: bool, settings: &Settings) -> String {
    let mut told = String::new();
    // A poll after each step is what the test does, and not often what makes the difference.
    for polls in [if readiness { Polls::Last } else { Polls::None }, Polls::All] {
        let draft = draft(sequence, steps, polls, settings);
        if !sequence.privileged {
            return format!("{draft}// The process has no privilege, for which the language has no words.\n");
        }
        let Some(text) = record(&draft) else { return format!("{draft}(this draft cannot be recorded)") };
        let checked = check(Source::new("surface.pkt", &text), &Options::new(Vec::new(), Against::Core));
        told = match checked.and_then(|checked| checked.run(&mut Core::new(PathBuf::from(".")))) {
            Err(_) => return text,
            Ok(()) => text,
        };
    }
    told + "// Our stack passes this script: what went before has left something behind.\n"
}

/// What the kernel makes of a draft.
fn record(draft: &str) -> Option<String> {
    let checked =
        check(Source::new("surface.pkt", draft), &Options::new(Vec::new(), Against::Kernel)).ok()?;
    let record = || checked.record(&mut Kernel::new(PathBuf::from("."))).ok();
    // The thread moves into a network namespace of its own.
    thread::scope(|scope| scope.spawn(record).join()).ok()?
}

/// After which steps the script polls.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Polls {
    None,
    Last,
    All,
}

fn draft(sequence: &Sequence, steps: &[Step<'_>], polls: Polls, settings: &Settings) -> String {
    let mut lines = vec![format!("--ip_version={}", sequence.mode.name())];
    let wires = steps.iter().flat_map(|step| step.wire);
    let mut ports: Vec<_> = wires.map(|line| line.connection).collect();
    ports.sort_unstable();
    ports.dedup();
    let mut slots = 0;
    for (at, step) in steps.iter().enumerate() {
        if let Op::Call(call) | Op::Mode(call) = step.op {
            let result = result(call, step.outcome, slots);
            lines.push(format!("+0 {} = {result}", written(call, settings)));
            let gives = matches!(call, Call::Socket { .. } | Call::Accept { .. }) && step.outcome.errno == 0;
            slots += i64::from(gives);
        }
        match step.op {
            Op::Mode(Call::Ioctl { fd, .. } | Call::Fcntl { fd, .. }) => {
                lines.push(format!("+0 fcntl({}, F_GETFL) = 0", number(*fd)));
                lines.push(format!("+0 fcntl({}, F_SETFL, O_NONBLOCK) = 0", number(*fd)));
            }
            Op::Pass(millis) => lines.push(format!("+.{millis:03} `true`")),
            Op::LeastTimeout(micros) => {
                lines.push(format!("+0 `sysctl -q -w net.ipv4.tcp_rto_min_us={micros}`"));
            }
            _ => {}
        }
        lines.extend(step.wire.iter().map(|line| line.text(ports.len() > 1)));
        if polls == Polls::All || polls == Polls::Last && at + 1 == steps.len() {
            let events = "POLLIN|POLLOUT|POLLPRI|POLLRDHUP";
            let fds: Vec<_> =
                (0..slots).map(|slot| format!("{{fd={}, events={events}}}", number(slot))).collect();
            lines.push(format!("+0 poll([{}], {slots}, 0) = 1", fds.join(", ")));
        }
    }
    lines.join("\n") + "\n"
}

/// The script's number of a slot.
fn number(slot: i64) -> i64 {
    slot - MAIN + 3
}

/// The record puts what came in the place of any other result.
fn result(call: &Call, outcome: &Outcome, slots: i64) -> i64 {
    match call {
        _ if outcome.errno != 0 => -1,
        Call::Socket { .. } | Call::Accept { .. } => number(slots),
        _ => outcome.result,
    }
}

fn written(call: &Call, settings: &Settings) -> String {
    match call {
        Call::Socket { domain, kind, protocol } => {
            let kind = match kind & !libc::SOCK_NONBLOCK {
                libc::SOCK_STREAM => "SOCK_STREAM|SOCK_NONBLOCK".to_owned(),
                other => format!("{other}|SOCK_NONBLOCK"),
            };
            let usual = [libc::AF_INET, libc::AF_INET6].contains(domain);
            let domain = if usual { "...".to_owned() } else { domain.to_string() };
            format!("socket({domain}, {kind}, {protocol})")
        }
        Call::Bind { fd, address: to } => {
            format!("bind({}, {}, ...)", number(*fd), address(*to, Address::Local, settings))
        }
        Call::Connect { fd, address: to } => {
            format!("connect({}, {}, ...)", number(*fd), address(*to, Address::Remote, settings))
        }
        Call::Listen { fd, backlog } => format!("listen({}, {backlog})", number(*fd)),
        Call::Accept { fd, .. } => format!("accept4({}, ..., ..., SOCK_NONBLOCK)", number(*fd)),
        Call::Name { fd, peer } => {
            format!("{}({}, ..., ...)", if *peer { "getpeername" } else { "getsockname" }, number(*fd))
        }
        Call::Shutdown { fd, how } => format!("shutdown({}, {how})", number(*fd)),
        Call::Ioctl { fd, request, argument } => {
            format!("ioctl({}, {}, [{}])", number(*fd), ioctl(*request), argument.unwrap_or(0))
        }
        Call::Send { fd, buffers, flags, address: to, .. } => {
            let count: usize = buffers.iter().map(|buffer| buffer.len()).sum();
            let flags = message_flags(*flags);
            match to {
                Some(to) => {
                    let to = address(*to, Address::Remote, settings);
                    format!("sendto({}, ..., {count}, {flags}, {to}, ...)", number(*fd))
                }
                None => format!("send({}, ..., {count}, {flags})", number(*fd)),
            }
        }
        Call::Fcntl { fd, command, argument } => {
            format!("fcntl({}, {command}, {})", number(*fd), argument.unwrap_or(0))
        }
        Call::Receive { fd, buffers, flags, .. } => {
            let count: usize = buffers.iter().map(|buffer| buffer.len()).sum();
            format!("recv({}, ..., {count}, {})", number(*fd), message_flags(*flags))
        }
        Call::SetSockOpt { fd, level, name, value, len } => {
            let value = value.as_ref().map_or("NULL".to_owned(), |value| given(value, *len as usize));
            format!("setsockopt({}, {}, {value}, {len})", number(*fd), option(*level, *name))
        }
        Call::GetSockOpt { fd, level, name, len, .. } => {
            let value = wanted(*level, *name, *len);
            format!("getsockopt({}, {}, {value}, [{len}])", number(*fd), option(*level, *name))
        }
        other => format!("{other:?}"),
    }
}

fn address(address: Address, usual: Address, settings: &Settings) -> String {
    let to: SocketAddr = match address {
        Address::Unspecified => return "AF_UNSPEC".to_owned(),
        same if same == usual => return "...".to_owned(),
        Address::Local => (settings.local, PORT).into(),
        _ => (settings.remote, PORT).into(),
    };
    match to {
        SocketAddr::V4(to) => {
            format!("{{sa_family=AF_INET, sin_port=htons({PORT}), sin_addr=inet_addr(\"{}\")}}", to.ip())
        }
        SocketAddr::V6(to) => format!(
            "{{sa_family=AF_INET6, sin6_port=htons({PORT}), inet_pton(AF_INET6, \"{}\", &sin6_addr)}}",
            to.ip()
        ),
    }
}

fn option(level: i32, name: i32) -> String {
    let level_name = match level {
        libc::SOL_SOCKET => "SOL_SOCKET",
        libc::SOL_TCP => "SOL_TCP",
        libc::SOL_IP => "SOL_IP",
        libc::SOL_IPV6 => "SOL_IPV6",
        _ => return format!("{level}, {name}"),
    };
    let known = options::ALL.iter().find(|known| (known.level, known.number) == (level, name));
    match known.map(|known| known.name).filter(|name| !name.starts_with('(')) {
        Some(name) => format!("{level_name}, {name}"),
        None => format!("{level_name}, {name}"),
    }
}

/// An option's value for setsockopt: ints where they are whole ones, or bytes.
fn given(value: &[u8], len: usize) -> String {
    let (words, rest) = value.as_chunks::<4>();
    if rest.is_empty() && !(words.len() == 1 && matches!(len, 1 | 2 | 8)) {
        let words: Vec<_> = words.iter().map(|word| i32::from_ne_bytes(*word).to_string()).collect();
        return format!("[{}]", words.join(", "));
    }
    let bytes: String = value.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    format!("\"{bytes}\"")
}

/// The shape of what getsockopt writes.
fn wanted(level: i32, name: i32, len: usize) -> &'static str {
    let known = options::ALL.iter().find(|known| (known.level, known.number) == (level, name));
    match known {
        Some(known) if known.opaque => "...",
        Some(known) if known.kind == Kind::Int && len >= 4 => "[0]",
        Some(known) if known.kind == Kind::Linger && len == 8 => "{onoff=0, linger=0}",
        Some(known) if known.kind == Kind::Time && len == 16 => "{tv_sec=0, tv_usec=0}",
        _ => "\"\"",
    }
}

fn message_flags(flags: i32) -> String {
    const NAMES: [(i32, &str); 9] = [
        (libc::MSG_FASTOPEN, "MSG_FASTOPEN"),
        (libc::MSG_OOB, "MSG_OOB"),
        (libc::MSG_PEEK, "MSG_PEEK"),
        (libc::MSG_DONTWAIT, "MSG_DONTWAIT"),
        (libc::MSG_TRUNC, "MSG_TRUNC"),
        (libc::MSG_ERRQUEUE, "MSG_ERRQUEUE"),
        (libc::MSG_MORE, "MSG_MORE"),
        (libc::MSG_EOR, "MSG_EOR"),
        (libc::MSG_NOSIGNAL, "MSG_NOSIGNAL"),
    ];
    let set: Vec<_> = NAMES.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
    if set.is_empty() { flags.to_string() } else { set.join("|") }
}

fn ioctl(request: u64) -> String {
    match request {
        libc::FIONREAD => "FIONREAD".to_owned(),
        libc::TIOCOUTQ => "SIOCOUTQ".to_owned(),
        0x894b => "SIOCOUTQNSD".to_owned(),
        0x8905 => "SIOCATMARK".to_owned(),
        other => other.to_string(),
    }
}
