//! The options of a connection that `tokio::net` has too, and the state of its queues.

use crate::stream::TcpStream;
use cauce_core::socket::options::SocketOption;
use std::io;
use std::time::Duration;

impl TcpStream {
    /// True when small segments are sent at once (TCP_NODELAY).
    ///
    /// # Errors
    /// When the netstack is over; so for every method here that reads an option.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// assert!(!client.nodelay()?);
    /// # Ok(()) }
    /// ```
    pub fn nodelay(&self) -> io::Result<bool> {
        self.handle.options(|options, _| options.nodelay())
    }

    /// Sends small segments at once (TCP_NODELAY), those included that wait now.
    ///
    /// # Errors
    /// When the netstack is over; so for every method here that sets an option.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// client.set_nodelay(true)?;
    /// assert!(client.nodelay()?);
    /// # Ok(()) }
    /// ```
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.handle.set(SocketOption::NoDelay(nodelay))
    }

    /// Holds small segments back until they are full, the option is taken off, or 200 ms have passed
    /// (TCP_CORK).
    ///
    /// # Errors
    /// As [`TcpStream::set_nodelay`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// client.set_cork(true)?;
    /// client.try_write(b"header")?;
    /// client.try_write(b"body")?;
    /// client.set_cork(false)?;
    /// # Ok(()) }
    /// ```
    pub fn set_cork(&self, cork: bool) -> io::Result<()> {
        self.handle.set(SocketOption::Cork(cork))
    }

    /// True while small segments are held back (TCP_CORK).
    ///
    /// # Errors
    /// As [`TcpStream::nodelay`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// assert!(!client.cork()?);
    /// # Ok(()) }
    /// ```
    pub fn cork(&self) -> io::Result<bool> {
        self.handle.options(|options, _| options.cork())
    }

    /// Acknowledges at once for the time being (TCP_QUICKACK); the engine may go back to delaying later.
    ///
    /// # Errors
    /// As [`TcpStream::set_nodelay`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// client.set_quickack(true)?;
    /// # Ok(()) }
    /// ```
    pub fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        self.handle.set(SocketOption::QuickAck(quickack))
    }

    /// True while acknowledgements are sent at once (TCP_QUICKACK).
    ///
    /// # Errors
    /// As [`TcpStream::nodelay`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// client.set_quickack(true)?;
    /// assert!(client.quickack()?);
    /// # Ok(()) }
    /// ```
    pub fn quickack(&self) -> io::Result<bool> {
        self.handle.look(|socket| socket.quick_acks())
    }

    /// How long a close waits for delivery (SO_LINGER).
    ///
    /// # Errors
    /// As [`TcpStream::nodelay`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// assert_eq!(client.linger()?, None);
    /// # Ok(()) }
    /// ```
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.handle.options(|options, _| options.linger())
    }

    /// Sets SO_LINGER, in whole seconds. Zero resets the connection when it is closed or dropped. For any other time
    /// [`TcpStream::close`] waits; dropping a stream never does.
    ///
    /// # Errors
    /// As [`TcpStream::set_nodelay`].
    ///
    /// ```
    /// use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// client.set_linger(Some(Duration::from_secs(5)))?;
    /// assert_eq!(client.linger()?, Some(Duration::from_secs(5)));
    /// # Ok(()) }
    /// ```
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.handle.set(SocketOption::Linger(linger))
    }

    /// Makes closing reset the connection.
    ///
    /// # Errors
    /// As [`TcpStream::set_nodelay`].
    ///
    /// ```
    /// use tokio::io::AsyncReadExt;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, mut server) = cauce::stream_pair().await?;
    /// client.set_zero_linger()?;
    /// drop(client);
    /// let error = server.read(&mut [0; 1]).await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    /// # Ok(()) }
    /// ```
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }

    /// Time to live, or hop limit, of the packets sent.
    ///
    /// # Errors
    /// As [`TcpStream::nodelay`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// assert_eq!(client.ttl()?, 64);
    /// # Ok(()) }
    /// ```
    pub fn ttl(&self) -> io::Result<u32> {
        self.handle.options(|options, sysctls| options.ttl(sysctls).into())
    }

    /// Sets the time to live, or hop limit, 1 to 255.
    ///
    /// # Errors
    /// `InvalidInput` (`EINVAL`) out of that range.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// client.set_ttl(100)?;
    /// assert_eq!(client.ttl()?, 100);
    /// # Ok(()) }
    /// ```
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.handle.set(SocketOption::HopLimit(i32::try_from(ttl).unwrap_or(i32::MAX)))
    }

    /// True when an idle peer is probed (SO_KEEPALIVE).
    ///
    /// # Errors
    /// As [`TcpStream::nodelay`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// assert!(!client.keepalive()?);
    /// # Ok(()) }
    /// ```
    pub fn keepalive(&self) -> io::Result<bool> {
        self.handle.options(|options, _| options.keepalive())
    }

    /// Probes an idle peer (SO_KEEPALIVE), after `tcp_keepalive_time` unless
    /// [`TcpStream::set_keepalive_timing`] said otherwise.
    ///
    /// # Errors
    /// As [`TcpStream::set_nodelay`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// client.set_keepalive(true)?;
    /// assert!(client.keepalive()?);
    /// # Ok(()) }
    /// ```
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        self.handle.set(SocketOption::KeepAlive(keepalive))
    }

    /// When the peer is probed: after `idle` without a sign of life, every `interval`, and `count` probes
    /// without an answer end the connection (TCP_KEEPIDLE, TCP_KEEPINTVL in whole seconds, TCP_KEEPCNT).
    ///
    /// # Errors
    /// `InvalidInput` (`EINVAL`) for less than a second, more than 32,767 seconds, or a count that is not
    /// 1 to 127.
    ///
    /// ```
    /// use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// client.set_keepalive_timing(Duration::from_secs(30), Duration::from_secs(5), 3)?;
    /// client.set_keepalive(true)?;
    /// # Ok(()) }
    /// ```
    pub fn set_keepalive_timing(&self, idle: Duration, interval: Duration, count: u32) -> io::Result<()> {
        let seconds = |span: Duration| u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
        self.handle.call(|socket, now| {
            socket.set_option(now, SocketOption::KeepIdle(seconds(idle)))?;
            socket.set_option(now, SocketOption::KeepInterval(seconds(interval)))?;
            socket.set_option(now, SocketOption::KeepCount(count))
        })
    }

    /// How long sent data may stay unacknowledged before the connection is given up (TCP_USER_TIMEOUT);
    /// `None` leaves it to `tcp_retries2`.
    ///
    /// # Errors
    /// As [`TcpStream::nodelay`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// assert_eq!(client.user_timeout()?, None);
    /// # Ok(()) }
    /// ```
    pub fn user_timeout(&self) -> io::Result<Option<Duration>> {
        let millis = self.handle.options(|options, _| options.user_timeout())?;
        Ok((millis > 0).then(|| Duration::from_millis(millis.into())))
    }

    /// Sets TCP_USER_TIMEOUT, in milliseconds.
    ///
    /// # Errors
    /// `InvalidInput` (`EINVAL`) beyond 2^31 - 1 milliseconds.
    ///
    /// ```
    /// use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// client.set_user_timeout(Some(Duration::from_secs(20)))?;
    /// assert_eq!(client.user_timeout()?, Some(Duration::from_secs(20)));
    /// # Ok(()) }
    /// ```
    pub fn set_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        let millis = timeout.map_or(0, |span| u32::try_from(span.as_millis()).unwrap_or(u32::MAX));
        self.handle.set(SocketOption::UserTimeout(millis))
    }

    /// The name of the congestion control (TCP_CONGESTION).
    ///
    /// # Errors
    /// As [`TcpStream::nodelay`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// assert_eq!(client.congestion()?, "cubic");
    /// # Ok(()) }
    /// ```
    pub fn congestion(&self) -> io::Result<String> {
        self.handle.look(|socket| socket.congestion().map(String::from))
    }

    /// Chooses the congestion control by name (TCP_CONGESTION).
    ///
    /// # Errors
    /// `NotFound` when there is none of that name.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// client.set_congestion("reno")?;
    /// assert_eq!(client.congestion()?, "reno");
    /// # Ok(()) }
    /// ```
    pub fn set_congestion(&self, name: &str) -> io::Result<()> {
        self.handle.call(|socket, now| socket.set_congestion(now, name))
    }

    /// The size of the send buffer in bytes (SO_SNDBUF).
    ///
    /// # Errors
    /// As [`TcpStream::nodelay`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// assert!(client.send_buffer_size()? >= 16384);
    /// # Ok(()) }
    /// ```
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        self.handle.options(|options, _| options.send_buffer_size())
    }

    /// The size of the receive buffer in bytes (SO_RCVBUF).
    ///
    /// # Errors
    /// As [`TcpStream::nodelay`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// assert!(client.recv_buffer_size()? >= 65536);
    /// # Ok(()) }
    /// ```
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        self.handle.options(|options, _| options.recv_buffer_size())
    }

    /// Bytes that can be read without waiting, up to an urgent mark (SIOCINQ).
    ///
    /// # Errors
    /// As [`TcpStream::nodelay`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, server) = cauce::stream_pair().await?;
    /// client.try_write(b"abc")?;
    /// server.readable().await?;
    /// assert_eq!(server.bytes_to_read()?, 3);
    /// # Ok(()) }
    /// ```
    pub fn bytes_to_read(&self) -> io::Result<usize> {
        self.handle.look(|socket| Ok(socket.bytes_to_read()))
    }

    /// Bytes written that have not been sent yet (SIOCOUTQNSD).
    ///
    /// # Errors
    /// As [`TcpStream::nodelay`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// client.set_cork(true)?;
    /// client.try_write(b"abc")?;
    /// assert_eq!((client.bytes_to_send()?, client.bytes_to_deliver()?), (3, 3));
    /// client.set_cork(false)?;
    /// assert_eq!((client.bytes_to_send()?, client.bytes_to_deliver()?), (0, 3));
    /// # Ok(()) }
    /// ```
    pub fn bytes_to_send(&self) -> io::Result<usize> {
        self.handle.look(|socket| Ok(socket.bytes_queued().1))
    }

    /// Bytes written that the peer has not acknowledged (SIOCOUTQ).
    ///
    /// # Errors
    /// As [`TcpStream::nodelay`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// client.try_write(b"abc")?;
    /// assert_eq!(client.bytes_to_deliver()?, 3);
    /// # Ok(()) }
    /// ```
    pub fn bytes_to_deliver(&self) -> io::Result<usize> {
        self.handle.look(|socket| Ok(socket.bytes_queued().0))
    }
}
