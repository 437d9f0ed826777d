//! The library in real time: one lock around the state, and who sleeps on what.
//!
//! A call that must wait sleeps on a condition of its own, so that the kernel shows its thread as sleeping
//! until the call has returned; receiving sleeps until a packet has left; the driver's thread sleeps until
//! something is due. The lock is held for none of these, nor while files are read.

use crate::clock::Clock;
use crate::flags::{Flags, Source};
use crate::handles::{Handle, Handles};
use crate::host_sysctls;
use crate::state::{Packet, Started, State};
use crate::sys::descriptor::Placeholder;
use crate::sys::thread;
use bytes::Bytes;
use cauce_core::socket::errno::Errno;
use cauce_core::time::Instant;
use cauce_posix::{Answer, Call, Outcome};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

/// The number of an error. The engine's errors are a part of what the host has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) i32);

impl From<Errno> for Failure {
    fn from(error: Errno) -> Failure {
        Failure(error.number())
    }
}

/// A call's result and what it answers.
pub(crate) type Returned = Result<(i64, Answer), Failure>;

/// The library behind one `userdata`.
pub(crate) struct Library {
    state: Mutex<State>,
    /// A packet has left.
    packet: Condvar,
    /// Something is due earlier than the driver knows.
    earlier: Condvar,
    /// The last thread has gone out.
    empty: Condvar,
    /// Threads that are inside.
    inside: AtomicUsize,
    clock: Clock,
    receive_limit: Duration,
    sysctls: Source,
    pinned: Vec<&'static str>,
}

impl Library {
    /// A library, and the thread that fires its deadlines.
    ///
    /// # Errors
    /// No thread can be made.
    pub(crate) fn start(flags: Flags) -> io::Result<(Arc<Library>, JoinHandle<()>)> {
        let library = Arc::new(Library {
            state: Mutex::new(State::new(&flags)),
            packet: Condvar::new(),
            earlier: Condvar::new(),
            empty: Condvar::new(),
            inside: AtomicUsize::new(0),
            clock: Clock::start(),
            receive_limit: flags.receive_limit,
            sysctls: flags.sysctls,
            pinned: flags.pinned,
        });
        let driven = Arc::clone(&library);
        let driver = thread::spawn_quiet("cauce", move || {
            if catch_unwind(AssertUnwindSafe(|| driven.drive())).is_err() {
                driven.broken();
            }
        })?;
        Ok((library, driver))
    }

    /// The time.
    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Counts the calling thread as inside until the guard is dropped, for [`Library::end`] to wait for it.
    pub(crate) fn enter(&self) -> Inside<'_> {
        self.inside.fetch_add(1, Ordering::SeqCst);
        Inside(self)
    }

    /// The state. A thread that panicked inside has left it half done: nothing works from then on.
    fn lock(&self) -> Result<MutexGuard<'_, State>, Failure> {
        let state = self.state.lock().map_err(|_| Failure(libc::EIO))?;
        if state.over { Err(Failure(libc::EBADF)) } else { Ok(state) }
    }

    /// True for a number that stands for a descriptor of this library.
    pub(crate) fn knows(&self, handle: Handle) -> bool {
        self.lock().is_ok_and(|state| state.handles.contains(handle))
    }

    /// Makes a system call; handles are looked up under the same lock.
    pub(crate) fn call(&self, call: impl FnOnce(&Handles) -> Call) -> Returned {
        let state = self.lock()?;
        let call = call(&state.handles);
        Ok(self.run(state, call)?.1)
    }

    /// Makes a call that returns a descriptor, whose number will be at least `least`. As on Linux the number
    /// is taken first, so that a connection is not lost for want of one.
    pub(crate) fn call_for_handle(&self, least: Handle, call: impl FnOnce(&Handles) -> Call) -> Returned {
        let placeholder = Placeholder::new(least).map_err(host)?;
        let state = self.lock()?;
        let call = call(&state.handles);
        let (mut state, (fd, answer)) = self.run(state, call)?;
        let handle = placeholder.number();
        self.name(&mut state, placeholder, fd);
        Ok((i64::from(handle), answer))
    }

    /// pipe(): both ends, the reading one first.
    pub(crate) fn pipe(&self) -> Result<[Handle; 2], Failure> {
        let placeholders = (Placeholder::new(0).map_err(host)?, Placeholder::new(0).map_err(host)?);
        let state = self.lock()?;
        let (mut state, (_, answer)) = self.run(state, Call::Pipe { flags: 0 })?;
        let Answer::Pipe(reader, writer) = answer else { return Err(Failure(libc::EIO)) };
        let handles = [placeholders.0.number(), placeholders.1.number()];
        self.name(&mut state, placeholders.0, i64::from(reader));
        self.name(&mut state, placeholders.1, i64::from(writer));
        Ok(handles)
    }

    /// socket(), before which the host's settings are read back.
    pub(crate) fn socket(&self, domain: i32, kind: i32, protocol: i32) -> Returned {
        if self.sysctls == Source::Host {
            let values = host_sysctls::read(Path::new("/proc/sys"), &self.pinned);
            self.lock()?.follow(&values);
        }
        self.call_for_handle(0, |_| Call::Socket { domain, kind, protocol })
    }

    /// close(): the number is free at once, though the call may linger.
    pub(crate) fn close(&self, handle: Handle) -> Returned {
        let mut state = self.lock()?;
        let call = Call::Close { fd: state.handles.fd(handle) };
        state.handles.remove(handle);
        Ok(self.run(state, call)?.1)
    }

    /// Lets a number stand for a descriptor of the process.
    fn name(&self, state: &mut State, placeholder: Placeholder, fd: i64) {
        let fd = i32::try_from(fd).unwrap_or(-1);
        if let Some(stale) = state.handles.insert(placeholder, fd) {
            let now = self.now();
            state.close_stale(now, stale);
        }
    }

    /// Makes the call, asleep while it waits.
    fn run<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        call: Call,
    ) -> Result<(MutexGuard<'a, State>, (i64, Answer)), Failure> {
        let is_option = matches!(call, Call::GetOption { .. } | Call::SetOption { .. });
        let started = state.start(self.now(), call);
        self.tell(&mut state);
        let outcome = match started {
            Started::Done(outcome) => outcome,
            Started::Unsupported if is_option => Outcome::failed(Errno::ENOPROTOOPT),
            Started::Unsupported => Outcome::failed(Errno::EOPNOTSUPP),
            Started::Sleeps(id, wake) => loop {
                if let Some(outcome) = state.returned(id) {
                    break outcome;
                }
                state = wake.wait(state).map_err(|_| Failure(libc::EIO))?;
            },
        };
        Ok((state, (outcome.result?, outcome.answer)))
    }

    /// Tells those who sleep on the whole: of packets, and of an earlier deadline.
    fn tell(&self, state: &mut State) {
        if state.has_packets() {
            self.packet.notify_one();
        }
        let deadline = state.deadline();
        if deadline < state.watched {
            state.watched = deadline;
            self.earlier.notify_one();
        }
    }

    /// Takes a packet in.
    pub(crate) fn send_packet(&self, packet: Bytes) -> Result<(), Failure> {
        let mut state = self.lock()?;
        state.inject(self.now(), packet);
        self.tell(&mut state);
        Ok(())
    }

    /// The next packet that leaves; `None` when none does within the limit.
    pub(crate) fn next_packet(&self) -> Option<Packet> {
        let end = self.now() + self.receive_limit;
        let mut state = self.lock().ok()?;
        loop {
            let now = self.now();
            if let Some(packet) = state.next_packet(now) {
                self.tell(&mut state);
                return Some(packet);
            }
            if state.over || now >= end {
                return None;
            }
            (state, _) = self.packet.wait_timeout(state, end.since(now)).ok()?;
        }
    }

    /// The driver: fires what is due, and sleeps until the next.
    fn drive(&self) {
        let Ok(mut state) = self.state.lock() else { return };
        while !state.over {
            let now = self.now();
            state.settle(now);
            if state.has_packets() {
                self.packet.notify_one();
            }
            let deadline = state.deadline();
            state.watched = deadline;
            let slept = if deadline == Instant::NEVER {
                self.earlier.wait(state).ok()
            } else {
                self.earlier.wait_timeout(state, deadline.since(now)).ok().map(|(state, _)| state)
            };
            let Some(again) = slept else { return };
            state = again;
        }
    }

    /// A thread has panicked. If it held the lock, who sleeps hears of it now, for nothing will happen any more.
    pub(crate) fn broken(&self) {
        if let Err(state) = self.state.lock() {
            state.into_inner().wake_all();
            self.packet.notify_all();
            self.earlier.notify_all();
        }
    }

    /// Sends everybody home and waits until they are gone. The driver ends too.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock().unwrap_or_else(|broken| broken.into_inner());
        state.over = true;
        state.interrupt_all(self.now());
        self.packet.notify_all();
        self.earlier.notify_all();
        while self.inside.load(Ordering::SeqCst) > 0 {
            state = self.empty.wait(state).unwrap_or_else(|broken| broken.into_inner());
        }
    }
}

/// A thread inside the library.
pub(crate) struct Inside<'a>(&'a Library);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        if self.0.inside.fetch_sub(1, Ordering::SeqCst) == 1 {
            // Under the lock, lest who waits misses it between his look and his sleep.
            let _state = self.0.state.lock().unwrap_or_else(|broken| broken.into_inner());
            self.0.empty.notify_all();
        }
    }
}

/// The host's error.
fn host(error: io::Error) -> Failure {
    Failure(error.raw_os_error().unwrap_or(libc::EMFILE))
}
