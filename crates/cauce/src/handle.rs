//! What listeners, streams and sockets have in common: one socket of an engine, held by its user.
//!
//! A call that cannot go on waits in one of two ways: `poll_*` keeps one waker for each direction, an
//! asynchronous method with `&self` has an entry of its own. Dropping the handle closes the socket.

use crate::error::io_error;
use crate::shard::ShardRef;
use crate::waiters::Direction;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::{SocketOption, SocketOptions};
use cauce_core::socket::readiness::Readiness;
use cauce_core::socket::{Family, Shutdown, Socket, SocketId};
use cauce_core::sysctl::Sysctls;
use cauce_core::time::Instant;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{Interest, Ready};
use tokio::task::coop;

/// A socket in use.
pub(crate) struct Handle {
    pub(crate) shard: ShardRef,
    pub(crate) id: SocketId,
}

/// A call cannot go on now.
const LATER: Errno = Errno::EAGAIN;
/// A write has opened its connection without taking a byte (TCP_FASTOPEN_CONNECT): it is to be made again.
const BEGUN: Errno = Errno::EINPROGRESS;

/// What a stale id means to its holder: the netstack has closed everything.
pub(crate) fn closed_under(errno: Errno) -> io::Error {
    io_error(if errno == Errno::EBADF { Errno::ECONNABORTED } else { errno })
}

impl Handle {
    pub(crate) fn open(shard: &ShardRef, family: Family) -> io::Result<Handle> {
        let id = shard.call(|core, _| core.stack.open(family).map_err(io_error))?;
        Ok(Handle { shard: shard.clone(), id })
    }

    /// A call that does not wait.
    pub(crate) fn call<T>(
        &self,
        call: impl FnOnce(&mut Socket<'_>, Instant) -> Result<T, Errno>,
    ) -> io::Result<T> {
        self.shard.call(|core, now| call(&mut core.stack.socket(self.id), now).map_err(closed_under))
    }

    /// Looks at the socket without touching it.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Socket<'_>) -> Result<T, Errno>) -> io::Result<T> {
        let mut core = self.shard.core();
        match core.down {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => look(&core.stack.socket(self.id)).map_err(closed_under),
        }
    }

    /// Looks at the options, beside the settings that stand for those not set.
    pub(crate) fn options<T>(&self, look: impl FnOnce(&SocketOptions, &Sysctls) -> T) -> io::Result<T> {
        let mut core = self.shard.core();
        if let Some(errno) = core.down {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let options = core.stack.socket(self.id).options().cloned().map_err(closed_under)?;
        Ok(look(&options, core.stack.sysctl()))
    }

    pub(crate) fn set(&self, option: SocketOption) -> io::Result<()> {
        self.call(|socket, now| socket.set_option(now, option))
    }

    /// A call of which `EAGAIN` means: later. Costs from the task's budget, as every operation of tokio does.
    pub(crate) fn poll_call<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        call: impl FnOnce(&mut Socket<'_>, Instant) -> Result<T, Errno>,
    ) -> Poll<io::Result<T>> {
        let coop = ready!(coop::poll_proceed(cx));
        let result = self.shard.call(|core, now| match call(&mut core.stack.socket(self.id), now) {
            Err(LATER | BEGUN) => {
                core.waiters.set(self.id, direction, cx.waker());
                Ok(None)
            }
            other => other.map(Some).map_err(closed_under),
        });
        match result.transpose() {
            Some(result) => {
                coop.made_progress();
                Poll::Ready(result)
            }
            None => Poll::Pending,
        }
    }

    /// As [`Handle::poll_call`], for any number of tasks at once.
    pub(crate) fn wait<T, F>(&self, direction: Direction, call: F) -> Wait<'_, F>
    where
        F: FnMut(&mut Socket<'_>, Instant) -> Result<T, Errno>,
    {
        self.wait_for(direction.bits(), call)
    }

    /// As [`Handle::wait`], for news of any kind.
    pub(crate) fn wait_for<T, F>(&self, bits: Readiness, call: F) -> Wait<'_, F>
    where
        F: FnMut(&mut Socket<'_>, Instant) -> Result<T, Errno>,
    {
        Wait { handle: self, bits, ticket: None, call }
    }

    /// Waits until one of `interest`'s conditions holds.
    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        let bits = bits_of(interest);
        let call = |socket: &mut Socket<'_>, _| match ready_of(interest, socket) {
            Ready::EMPTY => Err(Errno::EAGAIN),
            ready => Ok(ready),
        };
        self.wait_for(bits, call).await
    }

    pub(crate) fn poll_ready(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<io::Result<()>> {
        self.poll_call(cx, direction, |socket, _| {
            if arm(socket, direction.bits()).0.intersects(direction.bits()) {
                Ok(())
            } else {
                Err(Errno::EAGAIN)
            }
        })
    }

    /// As tokio's `try_io`: `operation` runs only while `interest` is ready.
    pub(crate) fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        let ready = self.call(|socket, _| Ok(ready_of(interest, socket)))?;
        if ready.is_empty() { Err(io_error(Errno::EAGAIN)) } else { operation() }
    }

    pub(crate) async fn async_io<R>(
        &self,
        interest: Interest,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            self.ready(interest).await?;
            match operation() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::task::yield_now().await,
                result => return result,
            }
        }
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.look(|socket| socket.local_addr())
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.look(|socket| socket.peer_addr())
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.call(|socket, _| Ok(socket.take_error().map(io_error)))
    }

    /// As tokio: to shut down what is not connected any more is no error.
    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.call(|socket, now| match socket.shutdown(now, how) {
            Err(Errno::ENOTCONN) => Ok(()),
            result => result,
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shard.act(|core, now| {
            core.waiters.forget(self.id);
            // A stale id was closed by the netstack itself.
            let _ = core.stack.socket(self.id).close(now);
        });
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Handle");
        if let Ok(local) = self.local_addr() {
            debug.field("local", &local);
        }
        if let Ok(peer) = self.peer_addr() {
            debug.field("peer", &peer);
        }
        debug.finish_non_exhaustive()
    }
}

/// What the socket is ready for: calls, and whoever asks for errors beside them. Messages of the error queue fail no
/// call, so that they make none ready. Only who waits for room to write makes the engine tell when there is some.
fn arm(socket: &mut Socket<'_>, bits: Readiness) -> (Readiness, Readiness) {
    let all = if bits.contains(Readiness::OUT) { socket.poll_readiness() } else { socket.readiness() };
    let calls = if socket.has_error() { all } else { Readiness(all.0 & !Readiness::ERR.0) };
    (calls, all)
}

/// The event bits of an interest. As for the kernel's sockets, errors and hang-ups belong to all of them.
fn bits_of(interest: Interest) -> Readiness {
    let mut bits = Readiness::ERR | Readiness::HUP;
    if interest.is_readable() {
        bits |= Readiness::IN | Readiness::RDHUP;
    }
    if interest.is_writable() {
        bits |= Readiness::OUT;
    }
    if interest.is_priority() {
        bits |= Readiness::PRI | Readiness::RDHUP;
    }
    bits
}

/// What the socket is ready for of `interest`, in tokio's words.
fn ready_of(interest: Interest, socket: &mut Socket<'_>) -> Ready {
    let (calls, all) = arm(socket, bits_of(interest));
    let mut out = Ready::EMPTY;
    let mut say = |interested: bool, bits: Readiness, what: Ready| {
        let ready = if what == Ready::ERROR { all } else { calls };
        if interested && ready.intersects(bits) {
            out |= what;
        }
    };
    let (read, write) = (interest.is_readable(), interest.is_writable());
    let error_or_hup = Readiness::ERR | Readiness::HUP;
    say(read, Readiness::IN | Readiness::RDHUP | error_or_hup, Ready::READABLE);
    // Who waits for urgent data hears, as with tokio, that none will come.
    say(read || interest.is_priority(), Readiness::RDHUP | Readiness::HUP, Ready::READ_CLOSED);
    say(write, Readiness::OUT | error_or_hup, Ready::WRITABLE);
    say(write, Readiness::HUP, Ready::WRITE_CLOSED);
    say(interest.is_priority(), Readiness::PRI, Ready::PRIORITY);
    say(interest.is_error(), Readiness::ERR, Ready::ERROR);
    out
}

/// A call under way that waits among others. Dropping it takes nothing with it.
pub(crate) struct Wait<'a, F> {
    handle: &'a Handle,
    bits: Readiness,
    ticket: Option<u32>,
    call: F,
}

impl<F> Unpin for Wait<'_, F> {}

impl<T, F> Future for Wait<'_, F>
where
    F: FnMut(&mut Socket<'_>, Instant) -> Result<T, Errno>,
{
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let coop = ready!(coop::poll_proceed(cx));
        let Wait { handle, bits, ticket, call } = &mut *self;
        let id = handle.id;
        let result = handle.shard.call(|core, now| match call(&mut core.stack.socket(id), now) {
            Err(LATER | BEGUN) => {
                core.waiters.join(id, ticket, *bits, cx.waker());
                Ok(None)
            }
            other => {
                if let Some(ticket) = ticket.take() {
                    core.waiters.leave(id, ticket);
                }
                other.map(Some).map_err(closed_under)
            }
        });
        match result.transpose() {
            Some(result) => {
                coop.made_progress();
                Poll::Ready(result)
            }
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for Wait<'_, F> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.handle.shard.core().waiters.leave(self.handle.id, ticket);
        }
    }
}
