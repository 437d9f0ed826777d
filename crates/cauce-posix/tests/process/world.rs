//! A process on a stack of its own whose packets never leave it: both ends of every connection are here.

#[path = "../../../cauce-core/tests/common/heard.rs"]
pub mod heard;

use cauce_core::batch::Batch;
use cauce_core::socket::call::UserMemory;
use cauce_core::socket::errno::Errno;
use cauce_core::stack::Stack;
use cauce_core::sysctl::Sysctls;
use cauce_core::time::{Duration, Instant};
use cauce_posix::{Address, Answer, Call, Fd, Outcome, Process, Progress, Receive, SleepId};
use std::sync::{Arc, Mutex};

/// Memory that the test can look at after the call.
#[derive(Clone, Default)]
pub struct Shared(pub Arc<Mutex<Vec<u8>>>);

impl Shared {
    pub fn of(bytes: impl Into<Vec<u8>>) -> Shared {
        Shared(Arc::new(Mutex::new(bytes.into())))
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl UserMemory for Shared {
    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn copy_in(&self, offset: usize, to: &mut [u8]) -> usize {
        self.0.lock().unwrap()[..].copy_in(offset, to)
    }

    fn copy_out(&mut self, offset: usize, from: &[u8]) -> usize {
        self.0.lock().unwrap()[..].copy_out(offset, from)
    }
}

pub struct World {
    pub stack: Stack,
    pub process: Process,
    pub now: Instant,
}

pub const SERVER: &str = "127.0.0.1:80";

pub fn here() -> Address {
    Address::Inet(SERVER.parse().unwrap())
}

impl World {
    pub fn new() -> World {
        World::with_settings(Sysctls::default())
    }

    pub fn with_settings(sysctl: Sysctls) -> World {
        let mut n = 0u64;
        let rng = move || {
            n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
            n
        };
        let stack = Stack::new(sysctl, Box::new(rng));
        World { stack, process: Process::new(64), now: Instant::from_nanos(1_000_000_000) }
    }

    /// Lets everything happen that needs no time.
    pub fn settle(&mut self) {
        let mut batch = Batch::new(64);
        while self.stack.poll_transmit(self.now, &mut batch) > 0 {
            assert!(batch.pop().is_none(), "a packet left the machine");
        }
        self.process.turn(&mut self.stack, self.now);
    }

    /// Lets time pass, event by event.
    pub fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.settle();
            let own = self.process.poll_timeout();
            match self.stack.poll_timeout().map(|(at, _)| at).into_iter().chain(own).min() {
                Some(at) if at <= end => {
                    self.now = self.now.max(at);
                    self.stack.handle_timeout(self.now);
                }
                _ => break,
            }
        }
        self.now = end;
        self.settle();
    }

    pub fn start(&mut self, call: Call) -> Progress {
        let progress = self.process.call(&mut self.stack, self.now, call);
        self.settle();
        progress
    }

    /// A call that must return at once.
    pub fn call(&mut self, call: Call) -> Outcome {
        let name = call.name();
        match self.start(call) {
            Progress::Done(outcome) => outcome,
            other => panic!("{name}: {other:?}"),
        }
    }

    /// A call that must sleep.
    pub fn sleeping(&mut self, call: Call) -> SleepId {
        match self.start(call) {
            Progress::Sleeps(id) => id,
            other => panic!("it did not sleep: {other:?}"),
        }
    }

    pub fn returned(&mut self) -> Option<(SleepId, Outcome)> {
        self.settle();
        self.process.poll_returned()
    }

    pub fn ok(&mut self, call: Call) -> i64 {
        let name = call.name();
        self.call(call).result.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn error(&mut self, call: Call) -> Errno {
        self.call(call).result.expect_err("it must fail")
    }

    pub fn socket(&mut self, flags: i32) -> Fd {
        let kind = libc::SOCK_STREAM | flags;
        self.ok(Call::Socket { domain: libc::AF_INET, kind, protocol: 0 }) as Fd
    }

    pub fn listener(&mut self) -> Fd {
        let fd = self.socket(0);
        self.ok(Call::Bind { fd, address: here() });
        self.ok(Call::Listen { fd, backlog: 16 });
        fd
    }

    /// A connection: the listener, the side that connected, the side that accepted.
    pub fn pair(&mut self) -> (Fd, Fd, Fd) {
        let listener = self.listener();
        let (client, server) = self.another(listener);
        (listener, client, server)
    }

    pub fn another(&mut self, listener: Fd) -> (Fd, Fd) {
        let client = self.socket(libc::SOCK_NONBLOCK);
        assert_eq!(self.error(Call::Connect { fd: client, address: here() }), Errno::EINPROGRESS);
        let server = self.ok(Call::Accept { fd: listener, flags: libc::SOCK_NONBLOCK }) as Fd;
        (client, server)
    }

    pub fn write(&mut self, fd: Fd, bytes: &[u8]) -> i64 {
        let memory = Box::new(Shared::of(bytes));
        self.ok(Call::Send { fd, memory, flags: 0, to: None, controls: Vec::new() })
    }

    pub fn try_read(&mut self, fd: Fd, len: usize) -> Result<Vec<u8>, Errno> {
        let memory = Shared::of(vec![0; len]);
        let call = Call::Receive { fd, memory: Box::new(memory.clone()), flags: 0, by: Receive::Read };
        let count = self.call(call).result?;
        Ok(memory.bytes()[..count as usize].to_vec())
    }

    pub fn read(&mut self, fd: Fd, len: usize) -> Vec<u8> {
        self.try_read(fd, len).unwrap_or_else(|error| panic!("read: {error}"))
    }

    pub fn pipe(&mut self) -> (Fd, Fd) {
        match self.call(Call::Pipe { flags: 0 }).answer {
            Answer::Pipe(reader, writer) => (reader, writer),
            other => panic!("{other:?}"),
        }
    }

    pub fn close(&mut self, fd: Fd) {
        self.ok(Call::Close { fd });
    }
}
