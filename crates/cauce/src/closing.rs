//! Closing that waits for delivery (SO_LINGER; REQUIREMENTS O-35): the engine's own waiting call, as a future.

use crate::handle::{Handle, closed_under};
use crate::stream::TcpStream;
use cauce_core::socket::call::{Call, CallId, Progress};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A close under way.
struct Closing {
    handle: Handle,
    call: Option<CallId>,
}

impl Future for Closing {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Closing { handle, call } = &mut *self;
        let result = handle.shard.call(|core, now| {
            let progress = match *call {
                None => core.stack.start_call(now, handle.id, Call::Close, &mut [][..]),
                Some(call) => core.stack.resume_call(now, call, &mut [][..]),
            };
            *call = match progress {
                Progress::Done(result) => return result.map(|_| Poll::Ready(())).map_err(closed_under),
                Progress::Pending(call) => {
                    core.waiters.await_call(call, cx.waker());
                    Some(call)
                }
            };
            Ok(Poll::Pending)
        });
        match result {
            Ok(progress) => progress.map(Ok),
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(call) = self.call {
            self.handle.shard.act(|core, _| {
                core.waiters.leave_call(call);
                core.stack.cancel_call(call)
            });
        }
    }
}

impl TcpStream {
    /// Closes, and waits as long as [`TcpStream::set_linger`] says until the peer has acknowledged everything, its end
    /// included. Without a linger time it returns at once, as dropping the stream does; with one of zero the connection
    /// is reset. What is not delivered when the time is over is still sent in the background.
    ///
    /// Dropping the future closes without waiting.
    ///
    /// # Errors
    /// `ENETDOWN` when the netstack is over. As close(2), it does not tell whether everything arrived.
    ///
    /// ```
    /// use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// client.set_linger(Some(Duration::from_secs(5)))?;
    /// client.try_write(b"farewell")?;
    /// client.close().await?;
    /// assert_eq!(server.bytes_to_read()?, 8, "it has arrived");
    /// # Ok(()) }
    /// ```
    pub async fn close(self) -> io::Result<()> {
        Closing { handle: self.handle, call: None }.await
    }
}
