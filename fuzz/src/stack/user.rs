//! User calls between the packets: every call, on live and on stale sockets, in any order.

use super::world::World;
use crate::input::Input;
use bytes::Bytes;
use cauce_core::socket::call::{Call, Progress, Returned};
use cauce_core::socket::options::SocketOption;
use cauce_core::socket::{Family, ReadFlags, SendFlags, Shutdown, SocketId};
use cauce_core::time::Duration;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// Most sockets at once.
const MAX_SOCKETS: usize = 16;
/// Most waiting calls at once.
const MAX_CALLS: usize = 8;

impl World {
    pub(super) fn user_call(&mut self, input: &mut Input<'_>) {
        let what = input.u8();
        let now = self.now;
        super::narrate(|| format!("{:>14} call {}", now.as_micros(), what & 15));
        if what & 15 == 0 || self.sockets.is_empty() {
            return self.open(input);
        }
        let id = self.sockets[usize::from(input.u8()) % self.sockets.len()];
        match what & 15 {
            1 => self.open(input),
            2 => self.connect(id, input),
            3 => {
                if let Ok(child) = self.stack.socket(id).accept(now) {
                    self.sockets.push(child);
                }
            }
            4 => {
                let data = vec![input.u8(); usize::from(input.u16())];
                let mut socket = self.stack.socket(id);
                let _ = if what & 16 == 0 { socket.send(now, &data) } else { socket.send_more(now, &data) };
            }
            5 => {
                let mut data = Bytes::from(vec![input.u8(); usize::from(input.u16())]);
                let _ = self.stack.socket(id).send_bytes(now, &mut data);
            }
            6 => {
                let mut buffer = vec![0; usize::from(input.u16())];
                let flags =
                    ReadFlags { peek: what & 16 != 0, discard: what & 32 != 0, out_of_band: what & 64 != 0 };
                let _ = self.stack.socket(id).recv_with(now, &mut buffer, flags);
            }
            7 => {
                let _ = self.stack.socket(id).recv_bytes(now, usize::from(input.u16()));
            }
            8 => {
                let how = input.choose(&[Shutdown::Read, Shutdown::Write, Shutdown::Both]);
                let _ = self.stack.socket(id).shutdown(now, how);
            }
            9 => {
                let _ = self.stack.socket(id).close(now);
            }
            10 => {
                let _ = self.stack.socket(id).abort(now);
            }
            11 | 12 => {
                let option = option(input);
                let _ = self.stack.socket(id).set_option(now, option);
            }
            13 => self.start(id, input),
            14 => self.look(id),
            _ => {
                let name = input.choose(&["cubic", "reno", "bic", "ctcp", "vegas", "none"]);
                let _ = self.stack.socket(id).set_congestion(now, name);
            }
        }
    }

    /// A fresh socket, mostly one that listens.
    fn open(&mut self, input: &mut Input<'_>) {
        if self.sockets.len() >= MAX_SOCKETS {
            let stack = &mut self.stack;
            self.sockets.retain(|id| stack.socket(*id).options().is_ok());
        }
        let how = input.u8();
        let family = if how & 1 == 0 { Family::V4 } else { Family::V6 };
        if self.sockets.len() >= MAX_SOCKETS {
            return;
        }
        let Ok(id) = self.stack.open(family) else { return };
        self.sockets.push(id);
        let port = input.choose(&[80, 0, 81, 5000]);
        let any = match family {
            Family::V4 => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
            Family::V6 => SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
        };
        let now = self.now;
        let mut socket = self.stack.socket(id);
        if how & 8 != 0 {
            let _ = socket.set_option(now, SocketOption::ReusePort(true));
        }
        if how & 2 == 0 {
            let _ = socket.bind(any);
        }
        if how & 4 == 0 {
            let _ = socket.listen(u32::from(input.u8()));
        }
    }

    fn connect(&mut self, id: SocketId, input: &mut Input<'_>) {
        let to = self.remote(input);
        let now = self.now;
        let _ = self.stack.socket(id).connect(now, to);
    }

    /// Starts a call that may wait, or takes one back.
    fn start(&mut self, id: SocketId, input: &mut Input<'_>) {
        let how = input.u8();
        if self.calls.len() >= MAX_CALLS || how & 0x80 != 0 {
            if let Some((call, _)) = self.calls.pop() {
                let _ = self.stack.cancel_call(call);
            }
            return;
        }
        let call = match how & 7 {
            0 => Call::Accept,
            1 => Call::Send(SendFlags {
                more: how & 8 != 0,
                end_of_record: how & 16 != 0,
                out_of_band: how & 32 != 0,
                zero_copy: how & 64 != 0,
                timestamping: None,
            }),
            2 => Call::Close,
            3 => Call::Connect(self.remote(input)),
            kind => Call::Recv {
                flags: ReadFlags { peek: kind == 4, discard: kind == 5, out_of_band: kind == 6 },
                wait_all: how & 8 != 0,
            },
        };
        let mut memory = vec![how; usize::from(input.u16())];
        let now = self.now;
        let progress = self.stack.start_call(now, id, call, &mut memory[..]);
        self.note(progress, memory);
    }

    /// Goes on with the calls that may go on.
    pub(super) fn resume_calls(&mut self) {
        while let Some(call) = self.stack.poll_call() {
            let Some(at) = self.calls.iter().position(|(known, _)| *known == call) else { continue };
            let (_, mut memory) = self.calls.swap_remove(at);
            let now = self.now;
            let progress = self.stack.resume_call(now, call, &mut memory[..]);
            self.note(progress, memory);
        }
    }

    fn note(&mut self, progress: Progress, memory: Vec<u8>) {
        match progress {
            Progress::Pending(call) => self.calls.push((call, memory)),
            Progress::Done(Ok(Returned::Socket(child))) => self.sockets.push(child),
            Progress::Done(Ok(Returned::Bytes(count))) => assert!(count <= memory.len()),
            Progress::Done(_) => {}
        }
    }

    /// Asks everything that can be asked.
    fn look(&mut self, id: SocketId) {
        let now = self.now;
        let mut socket = self.stack.socket(id);
        let _ = (socket.readiness(), socket.take_error(), socket.local_addr(), socket.peer_addr());
        let _ =
            (socket.tcp_info(now), socket.bytes_to_read(), socket.bytes_queued(), socket.options().is_ok());
    }
}

fn option(input: &mut Input<'_>) -> SocketOption {
    use SocketOption::*;
    let which = input.u8();
    let (byte, word) = (input.u8(), input.u32());
    let (on, small) = (byte & 1 != 0, u32::from(byte));
    let span = Duration::from_millis(u64::from(byte) * 16);
    match which % 30 {
        0 => NoDelay(on),
        1 => Cork(on),
        2 => QuickAck(on),
        3 => KeepAlive(on),
        4 => KeepIdle(small),
        5 => KeepInterval(small),
        6 => KeepCount(small),
        7 => UserTimeout(word),
        8 => Linger(on.then_some(span)),
        9 => Linger2(word as i32),
        10 => SynCount(small),
        11 => MaxSegment(word & 0xffff),
        12 => WindowClamp(word),
        13 => SendBuffer(word as i32),
        14 => RecvBuffer(word as i32),
        15 => ReuseAddr(on),
        16 => ReusePort(on),
        17 => V6Only(on),
        18 => Ttl(word as i32),
        19 => Tos(word as i32),
        20 => MtuDiscover(i32::from(byte)),
        21 => RecvErr(on),
        22 => OobInline(on),
        23 => RecvLowat(word as i32),
        24 => NotSentLowat(word),
        25 => Transparent(on),
        26 => DeferAccept(i32::from(byte)),
        27 => MaxPacingRate(u64::from(word)),
        28 => RecvTimeout(span),
        _ => SendTimeout(span),
    }
}
