//! The task that waits for a netstack: for packets, for the next deadline, for a device that has room again.
//!
//! It does only what no user's call does in passing. One driver runs per shard, on the runtime in which the
//! netstack was built.

use crate::shard::Shard;
use crate::timer::Alarm;
use cauce_core::frame::Frame;
use cauce_device::Device;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

/// Packets taken from the device between two looks at the engine.
const BUDGET: usize = 64;
/// Rounds before other tasks of the runtime get a turn.
const ROUNDS: usize = 8;

/// Takes packets that are not TCP.
pub(crate) type ForeignHandler = Box<dyn FnMut(Frame) + Send>;

/// How the device says that it is ready.
enum Source {
    /// By a descriptor.
    Descriptor(AsyncFd<OwnedFd>),
    /// By a waker.
    Waker,
}

/// The future of the driver task.
pub(crate) struct Driver {
    shard: Arc<Shard>,
    source: Source,
    alarm: Alarm,
    frames: Vec<Frame>,
    foreign: Vec<Frame>,
    handler: Option<ForeignHandler>,
}

impl Driver {
    /// Prepares the driver. The caller is in a runtime with IO enabled.
    #[expect(deprecated, reason = "safe here: the descriptor stays open as long as the AsyncFd owns it")]
    pub(crate) fn new(shard: Arc<Shard>, handler: Option<ForeignHandler>) -> io::Result<Driver> {
        let descriptor = {
            let port = shard.port();
            let descriptor = port.device.as_ref().and_then(|device| device.readiness());
            descriptor.map(|fd| fd.try_clone_to_owned()).transpose()?
        };
        let source = match descriptor {
            Some(fd) => Source::Descriptor(AsyncFd::new(fd)?),
            None => Source::Waker,
        };
        let alarm = shard.timer.alarm()?;
        Ok(Driver { shard, source, alarm, frames: Vec::new(), foreign: Vec::new(), handler })
    }
}

impl Source {
    /// Ready when the device may have something to do for us; otherwise `cx` is registered.
    fn poll<'a>(&'a self, shard: &Shard, cx: &mut Context<'_>) -> Poll<io::Result<Ready<'a>>> {
        match self {
            Source::Waker => {
                if let Some(device) = &mut shard.port().device {
                    device.wake_when_ready(cx.waker());
                }
                Poll::Ready(Ok(Ready::Unknown))
            }
            Source::Descriptor(fd) => {
                let blocked = shard.port().blocked;
                if blocked && let Poll::Ready(mut guard) = fd.poll_write_ready(cx)? {
                    // It is tried once more; if the device refuses, the next readiness is news.
                    guard.clear_ready();
                    return Poll::Ready(Ok(Ready::ToWrite));
                }
                Poll::Ready(Ok(Ready::ToRead(ready!(fd.poll_read_ready(cx))?)))
            }
        }
    }
}

/// What is known of a device that may be ready.
enum Ready<'a> {
    /// Nothing: it has to be tried.
    Unknown,
    /// It takes packets again.
    ToWrite,
    /// It has packets. The guard is older than the next receive, so clearing it loses no later arrival.
    ToRead(AsyncFdReadyGuard<'a, OwnedFd>),
}

/// What one turn of the driver came to.
enum Turn {
    Again,
    Sleep,
    End,
}

impl Driver {
    fn turn(&mut self, cx: &mut Context<'_>) -> Turn {
        let Driver { shard, source, alarm, frames, foreign, handler } = self;
        if shard.is_over() {
            shard.close_down();
            return Turn::End;
        }
        let mut due = false;
        while alarm.poll(&shard.timer, cx).is_ready() {
            due = true;
        }
        let ready = match source.poll(shard, cx) {
            Poll::Ready(Ok(ready)) => Some(ready),
            Poll::Ready(Err(error)) => {
                tracing::error!(%error, "cannot wait for the device of a netstack");
                return Turn::End;
            }
            Poll::Pending if due => None,
            Poll::Pending => return Turn::Sleep,
        };
        let budget = if matches!(ready, None | Some(Ready::ToWrite)) { 0 } else { BUDGET };
        let round = shard.round(budget, frames, foreign);
        match handler {
            Some(handler) => foreign.drain(..).for_each(handler),
            None => foreign.clear(),
        }
        match ready {
            Some(Ready::Unknown) if round.taken == 0 && !round.more => return Turn::Sleep,
            Some(Ready::ToRead(mut guard)) if round.taken < BUDGET => guard.clear_ready(),
            _ => {}
        }
        Turn::Again
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.shard.set_driver(cx.waker());
        for _ in 0..ROUNDS {
            match self.turn(cx) {
                Turn::Again => {}
                Turn::Sleep => return Poll::Pending,
                Turn::End => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shard.driver_ended();
    }
}
