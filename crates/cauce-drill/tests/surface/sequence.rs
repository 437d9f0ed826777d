//! A sequence: the state into which a socket is brought, then what is done to it. Drawn from a seed; it does not depend
//! on what a stack answers, so that both stacks get the same.

use std::fmt;

use super::options::{self, Kind, Known};
use cauce_drill::IpMode;
use cauce_drill::call::{Address, Buffer, Call, ReceiveBy, SendBy};

/// splitmix64
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

/// What is done. Descriptors in calls are slots: 0 is the socket that the sequence is about, 1 and on what accept() and
/// socket() gave later.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// A system call.
    Call(Call),
    /// The peer sends a SYN for the listener, and ends the handshake.
    PeerConnects,
    /// The peer answers the SYN of connect() and the handshake ends.
    PeerAccepts,
    /// The peer refuses the SYN of connect().
    PeerRefuses,
    /// The peer sends so many bytes.
    PeerSends(u16),
    /// The peer sends so many bytes, of which the last is urgent.
    PeerSendsUrgent(u16),
    /// The peer sends so many bytes behind a hole of a hundred.
    PeerSendsAhead(u16),
    /// The peer sends its last hundred bytes again.
    PeerRepeats,
    /// The peer acknowledges everything.
    PeerAcknowledges,
    /// The peer acknowledges half of what it has not yet.
    PeerAcknowledgesPart,
    /// The window of the peer's segments from now on.
    PeerWindow(u16),
    /// A router tells that the last segment did not arrive.
    RouterTells(Unreached),
    /// The peer has nothing more to send.
    PeerCloses,
    /// The peer resets the connection.
    PeerResets,
    /// A call that may let later calls wait; what F_GETFL says then, and no waiting again.
    Mode(Call),
    /// Nothing for so many milliseconds.
    Pass(u16),
    /// The shortest retransmission time-out in microseconds, of the connections that begin now.
    LeastTimeout(u32),
}

/// Why a segment did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreached {
    Net,
    Host,
    Port,
    /// It was longer than so many bytes.
    TooBig(u16),
    TimeExceeded,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Call(Call::SetSockOpt { fd, level, name, value, len }) => {
                let value = value.as_deref().unwrap_or_default();
                let int = value.first_chunk::<4>().map(|bytes| i32::from_ne_bytes(*bytes));
                let option = option_name(*level, *name);
                write!(f, "setsockopt({fd}, {option}, {int:?} {value:?}, {len})")
            }
            Op::Call(Call::GetSockOpt { fd, level, name, len, .. }) => {
                write!(f, "getsockopt({fd}, {}, ..., {len})", option_name(*level, *name))
            }
            Op::Call(call) => write!(f, "{call:?}"),
            other => write!(f, "{other:?}"),
        }
    }
}

fn option_name(level: i32, number: i32) -> &'static str {
    let known = options::ALL.iter().find(|known| (known.level, known.number) == (level, number));
    known.map_or("?", |known| known.name)
}

/// A state and what follows.
#[derive(Debug, Clone)]
pub struct Sequence {
    /// The version of IP of sockets and packets.
    pub mode: IpMode,
    /// The process is an administrator.
    pub privileged: bool,
    /// How the state is reached; never made shorter.
    pub state: Vec<Op>,
    /// What is compared step by step.
    pub ops: Vec<Op>,
}

/// The slot of the socket.
pub const MAIN: i64 = 0;

impl Sequence {
    /// The sequence of a seed.
    pub fn of_seed(seed: u64, mode: IpMode) -> Sequence {
        let mut random = Random(seed);
        let privileged = random.below(4) > 0;
        let state = state(&mut random, mode);
        let count = 3 + random.below(10);
        let ops = (0..count).map(|_| op(&mut random, mode)).collect();
        Sequence { mode, privileged, state, ops }
    }

    /// The shortest sequence that is found for which `differs` holds.
    pub fn shrunk(&self, mut differs: impl FnMut(&Sequence) -> bool) -> Sequence {
        let mut least = self.clone();
        let mut at = least.ops.len();
        while at > 0 {
            at -= 1;
            let mut shorter = least.clone();
            shorter.ops.remove(at);
            if differs(&shorter) {
                least = shorter;
            }
        }
        least
    }
}

fn socket(mode: IpMode) -> Op {
    let domain = if mode == IpMode::V4 { libc::AF_INET } else { libc::AF_INET6 };
    Op::Call(Call::Socket { domain, kind: libc::SOCK_STREAM | libc::SOCK_NONBLOCK, protocol: 0 })
}

fn shutdown(how: i32) -> Op {
    Op::Call(Call::Shutdown { fd: MAIN, how })
}

fn send(count: usize, flags: i32) -> Op {
    let buffers = vec![Buffer::Bytes(count)];
    Op::Call(Call::Send { fd: MAIN, by: SendBy::Send, buffers, flags, address: None, control: Vec::new() })
}

/// The ways into the states of a socket.
fn state(random: &mut Random, mode: IpMode) -> Vec<Op> {
    let bind = Op::Call(Call::Bind { fd: MAIN, address: Address::Local });
    let listen = Op::Call(Call::Listen { fd: MAIN, backlog: 2 });
    let connect = Op::Call(Call::Connect { fd: MAIN, address: Address::Remote });
    let mut ops = vec![socket(mode)];
    let connected = [connect.clone(), Op::PeerAccepts];
    match random.below(21) {
        0 | 1 => {}
        2 => ops.push(bind),
        3 => ops.extend([bind, listen]),
        4 => ops.extend([bind, listen, Op::PeerConnects]),
        5 => ops.extend([bind, listen, Op::PeerConnects, Op::PeerConnects]),
        6 => ops.push(connect),
        7 => ops.extend([connect, Op::PeerRefuses]),
        8..=10 => ops.extend(connected),
        11 => ops.extend(connected.into_iter().chain([Op::PeerSends(100)])),
        12 => ops.extend(connected.into_iter().chain([send(100, 0)])),
        13 => ops.extend(connected.into_iter().chain([Op::PeerCloses])),
        14 => ops.extend(connected.into_iter().chain([shutdown(libc::SHUT_WR)])),
        15 => {
            let closed = [shutdown(libc::SHUT_WR), Op::PeerAcknowledges];
            ops.extend(connected.into_iter().chain(closed));
        }
        16 => {
            let closed = [shutdown(libc::SHUT_WR), Op::PeerAcknowledges, Op::PeerCloses];
            ops.extend(connected.into_iter().chain(closed));
        }
        17 => ops.extend(connected.into_iter().chain([Op::PeerCloses, shutdown(libc::SHUT_WR)])),
        18 => ops.extend(connected.into_iter().chain([Op::PeerResets])),
        // One in forty: time passes on the kernel too.
        19 if random.below(2) == 0 => ops = timed_out(ops, connected),
        19 => ops.extend(connected.into_iter().chain([Op::PeerCloses, Op::PeerResets])),
        _ => {
            let dissolve = Op::Call(Call::Connect { fd: MAIN, address: Address::Unspecified });
            ops.extend(connected.into_iter().chain([dissolve]));
        }
    }
    ops
}

/// The peer says nothing more, and the connection is given up.
fn timed_out(socket: Vec<Op>, connected: [Op; 2]) -> Vec<Op> {
    let limit = Op::Call(Call::SetSockOpt {
        fd: MAIN,
        level: libc::SOL_TCP,
        name: libc::TCP_USER_TIMEOUT,
        value: Some(10i32.to_ne_bytes().to_vec()),
        len: 4,
    });
    let begin = [Op::LeastTimeout(BRIEF)].into_iter().chain(socket).chain(connected);
    begin.chain([limit, send(100, 0), Op::Pass(80), Op::LeastTimeout(USUAL)]).collect()
}

/// `tcp_rto_min_us` of who is to time out soon, and the usual one.
const BRIEF: u32 = 5_000;
const USUAL: u32 = 200_000;

fn op(random: &mut Random, mode: IpMode) -> Op {
    let fd = if random.below(6) == 0 { 1 } else { MAIN };
    match random.below(40) {
        0..=12 => set_option(random, fd),
        13..=20 => get_option(random, fd),
        21..=22 => ioctl(random, fd),
        23 => descriptor(random, fd),
        24..=31 => call(random, fd, mode),
        32..=33 => Op::PeerSends(random.one_of(&[1, 100, 1000])),
        34 => Op::PeerSendsUrgent(random.one_of(&[1, 5])),
        35 => peer(random),
        36 => Op::PeerCloses,
        37 => Op::PeerResets,
        38 => Op::PeerConnects,
        _ if random.below(2) == 0 => Op::PeerAccepts,
        _ => Op::PeerRefuses,
    }
}

/// What else comes from the wire.
fn peer(random: &mut Random) -> Op {
    let unreached = [
        Unreached::Net,
        Unreached::Host,
        Unreached::Port,
        Unreached::TooBig(1400),
        Unreached::TooBig(600),
        Unreached::TimeExceeded,
    ];
    match random.below(10) {
        0..=3 => Op::PeerAcknowledges,
        4 => Op::PeerAcknowledgesPart,
        5 => Op::PeerSendsAhead(random.one_of(&[1, 100, 1000])),
        6 => Op::PeerRepeats,
        7 => Op::PeerWindow(random.one_of(&[0, 1, 500, 1000, 5000, 65_535])),
        _ => Op::RouterTells(random.one_of(&unreached)),
    }
}

fn value(random: &mut Random, known: &Known) -> Vec<u8> {
    match known.kind {
        Kind::Int => {
            let usual = [0, 1, 2, -1, i32::MAX, i32::MIN];
            // A time-out of a moment would depend on the machine's speed.
            let brief = (known.level, known.number) == (libc::SOL_TCP, libc::TCP_USER_TIMEOUT);
            let usual = if brief { [0, 0, 9000, -1, i32::MAX, i32::MIN] } else { usual };
            let edge = !known.edges.is_empty() && random.below(2) == 0;
            let int = if edge { random.one_of(known.edges) } else { random.one_of(&usual) };
            int.to_ne_bytes().to_vec()
        }
        Kind::Linger => {
            let (on, seconds) = (random.one_of(&[0, 1, 7, -1]), random.one_of(&[0, 5, 100_000, -1]));
            [i32::to_ne_bytes(on), i32::to_ne_bytes(seconds)].concat()
        }
        Kind::Time => {
            let seconds = random.one_of(&[0, 1, 5, -1, 1 << 40]);
            let micros = random.one_of(&[0, 1, 100_000, 999_999, 1_000_000, -1]);
            [i64::to_ne_bytes(seconds), i64::to_ne_bytes(micros)].concat()
        }
        Kind::Name => {
            let names =
                ["reno", "cubic", "bogus", "", "tun0", "lo", "nodevice", "reno\0junk", "anamelongerthan16"];
            random.one_of(&names).as_bytes().to_vec()
        }
        Kind::Key => vec![7; random.one_of(&[16, 32, 16, 5])],
        Kind::Blob => vec![0; 4],
    }
}

fn set_option(random: &mut Random, fd: i64) -> Op {
    let known = &options::ALL[random.below(options::ALL.len())];
    let value = value(random, known);
    let len = match random.below(10) {
        0 => random.one_of(&[0, 1, 3, 7, 15]),
        1 => value.len() + 4,
        _ => value.len(),
    };
    let (level, name) = (known.level, known.number);
    if random.below(40) == 0 {
        return Op::Call(Call::SetSockOpt { fd, level, name, value: None, len: 16 });
    }
    Op::Call(Call::SetSockOpt { fd, level, name, value: Some(value), len: len as u32 })
}

fn get_option(random: &mut Random, fd: i64) -> Op {
    let known = &options::ALL[random.below(options::ALL.len())];
    let usual = match known.kind {
        Kind::Int | Kind::Blob => 4,
        Kind::Linger => 8,
        Kind::Time | Kind::Name => 16,
        Kind::Key => 32,
    };
    let len = if random.below(6) == 0 { random.one_of(&[0, 1, 2, 3, 5, 8, 15, 20, 300]) } else { usual };
    Op::Call(Call::GetSockOpt { fd, level: known.level, name: known.number, len, null: false })
}

fn ioctl(random: &mut Random, fd: i64) -> Op {
    const SIOCOUTQNSD: u64 = 0x894b;
    const SIOCATMARK: u64 = 0x8905;
    let request =
        random.one_of(&[libc::FIONREAD, libc::TIOCOUTQ, SIOCOUTQNSD, SIOCATMARK, 0x8999, libc::FIONREAD]);
    Op::Call(Call::Ioctl { fd, request, argument: Some(0) })
}

/// What any descriptor has: modes and owners.
fn descriptor(random: &mut Random, fd: i64) -> Op {
    const FIOSETOWN: u64 = 0x8901;
    const FIOGETOWN: u64 = 0x8903;
    const SIOCSPGRP: u64 = 0x8902;
    const SIOCGPGRP: u64 = 0x8904;
    // Nobody, init, and numbers that nobody has.
    let owner = random.one_of(&[0, 1, i32::MAX, -i32::MAX, i32::MIN]);
    let ioctl = |request, int| Call::Ioctl { fd, request, argument: Some(int) };
    let fcntl = |command, argument| Call::Fcntl { fd, command, argument: Some(argument) };
    Op::Call(match random.below(7) {
        0 => return Op::Mode(ioctl(libc::FIONBIO, random.one_of(&[0, 1, -1]))),
        1 => return Op::Mode(fcntl(libc::F_SETFL, random.one_of(&[0, libc::O_NONBLOCK, libc::O_APPEND]))),
        2 => fcntl(libc::F_SETOWN, owner),
        3 => fcntl(libc::F_GETOWN, 0),
        4 => ioctl(random.one_of(&[FIOSETOWN, SIOCSPGRP]), owner),
        5 => ioctl(random.one_of(&[FIOGETOWN, SIOCGPGRP]), 0),
        _ => fcntl(libc::F_GETFL, 0),
    })
}

fn call(random: &mut Random, fd: i64, mode: IpMode) -> Op {
    let flags =
        [0, 0, 0, libc::MSG_PEEK, libc::MSG_DONTWAIT, libc::MSG_TRUNC, libc::MSG_OOB, libc::MSG_ERRQUEUE];
    let lens = [0, 1, 10, 100, 1000];
    Op::Call(match random.below(20) {
        0 => Call::Bind { fd, address: random.one_of(&[Address::Local, Address::Remote]) },
        1 | 2 => Call::Listen { fd, backlog: random.one_of(&[-1, 0, 1, 5, 100_000]) },
        3..=5 => {
            let to = [Address::Remote, Address::Remote, Address::Unspecified, Address::Local];
            Call::Connect { fd, address: random.one_of(&to) }
        }
        6..=8 => Call::Accept { fd, flags: Some(libc::SOCK_NONBLOCK) },
        9 => Call::Name { fd, peer: random.below(2) == 0 },
        10..=11 => Call::Shutdown { fd, how: random.one_of(&[0, 1, 2, 1, 3, -1]) },
        12..=14 => {
            let flags = [0, 0, 0, libc::MSG_MORE, libc::MSG_DONTWAIT, libc::MSG_OOB, libc::MSG_EOR];
            let (count, flags) = (random.one_of(&lens), random.one_of(&flags) | libc::MSG_NOSIGNAL);
            let buffers = vec![Buffer::Bytes(count)];
            let opens = random.below(6) == 0;
            let address =
                opens.then(|| random.one_of(&[Address::Remote, Address::Remote, Address::Unspecified]));
            let (by, flags) = match address {
                Some(_) => (SendBy::SendTo, flags | libc::MSG_FASTOPEN),
                None => (SendBy::Send, flags),
            };
            Call::Send { fd, by, buffers, flags, address, control: Vec::new() }
        }
        15..=18 => {
            let buffers = vec![Buffer::Bytes(random.one_of(&lens))];
            Call::Receive { fd, by: ReceiveBy::Recv, buffers, flags: random.one_of(&flags), control: 0 }
        }
        _ => {
            let domain = if mode == IpMode::V4 { libc::AF_INET } else { libc::AF_INET6 };
            let kind = random.one_of(&[libc::SOCK_STREAM, libc::SOCK_STREAM, 99]) | libc::SOCK_NONBLOCK;
            Call::Socket {
                domain: random.one_of(&[domain, domain, 999]),
                kind,
                protocol: random.one_of(&[0, 6, 17, 999]),
            }
        }
    })
}
