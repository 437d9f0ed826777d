//! What the faces above need beside the plain calls: options as they are, reads into buffers of any shape, and
//! readiness that remembers who asked.

use super::call::{Call, Progress, Returned};
use super::options::{OptionName, OptionValue, SocketOptions, flag};
use super::{ReadFlags, Socket};
use crate::congestion::CcInfo;
use crate::frame::DeviceId;
use crate::socket::errno::Errno;
use crate::socket::readiness::Readiness;
use crate::sysctl::Sysctls;
use crate::time::{Duration, Instant};
use core::net::SocketAddr;

impl Socket<'_> {
    /// Reads at most `max` bytes through `sink`, which is shown one run after the other and says how much of
    /// each it took.
    ///
    /// # Errors
    /// As [`Socket::recv`].
    pub fn recv_into(
        &mut self,
        now: Instant,
        max: usize,
        flags: ReadFlags,
        sink: &mut dyn FnMut(&[u8]) -> usize,
    ) -> Result<usize, Errno> {
        self.stack.with_reader(self.id, now, |conn, cx| conn.receive(max, flags, sink, cx))
    }

    /// Reads as MSG_WAITALL asks: until `buffer` is full, an urgent mark, the end of the stream or an error. `done`
    /// counts what it holds already, 0 at first; an error after that is left to the next call.
    ///
    /// # Errors
    /// `EAGAIN` while more is to come, then to be called again with the same `done`; else as [`Socket::recv`].
    pub fn recv_all(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
        flags: ReadFlags,
        done: &mut usize,
    ) -> Result<usize, Errno> {
        if *done > 0 && self.stack.only_error_is_left(self.id) {
            return Ok(*done);
        }
        let begin = if flags.peek { 0 } else { *done };
        let rest = buffer.get_mut(begin..).unwrap_or(&mut []);
        let progress = self.stack.start_call(now, self.id, Call::Recv { flags, wait_all: true }, rest);
        match progress {
            Progress::Done(Ok(Returned::Bytes(count))) => Ok(begin + count),
            Progress::Done(result) => result.map(|_| begin),
            Progress::Pending(call) => {
                *done = begin + self.stack.cancel_call(call).unwrap_or(0);
                Err(Errno::EAGAIN)
            }
        }
    }

    /// What poll(2) would say; when the socket is not writable, an event follows as soon as it is, as after a
    /// write that found no room.
    pub fn poll_readiness(&mut self) -> Readiness {
        let ready = self.readiness();
        if !ready.is_writable() {
            self.stack.await_room(self.id);
        }
        ready
    }

    /// True while an error is pending that the next call fails with. [`Readiness::ERR`] may also stand for a message of
    /// the error queue, which fails no call.
    pub fn has_error(&self) -> bool {
        self.stack.has_error(self.id)
    }

    /// Whose connection it is, or was: accept(2) tells it of one that was lost before, too (A-25).
    ///
    /// # Errors
    /// `EBADF` for a stale id, `ENOTCONN` for a socket that is no connection.
    pub fn accepted_from(&self) -> Result<SocketAddr, Errno> {
        self.options()?;
        self.stack.connection(self.id).map(|conn| conn.key.remote()).ok_or(Errno::ENOTCONN)
    }

    /// Bytes that TCP_SAVED_SYN would take away; 0 when there are none.
    ///
    /// # Errors
    /// `EBADF` for a stale id.
    pub fn saved_syn_len(&self) -> Result<usize, Errno> {
        self.options()?;
        let rare = self.stack.connection(self.id).and_then(|conn| conn.rare.as_ref());
        Ok(rare.and_then(|rare| rare.saved_syn.as_ref()).map_or(0, |syn| syn.len()))
    }

    /// True for a listener.
    pub fn is_listening(&self) -> bool {
        self.stack.is_listener(self.id)
    }

    /// True while acknowledgements are sent at once (TCP_QUICKACK).
    ///
    /// # Errors
    /// `EBADF` for a stale id.
    pub fn quick_acks(&self) -> Result<bool, Errno> {
        self.options()?;
        Ok(self.stack.connection(self.id).is_none_or(|conn| conn.recv.quick_ack()))
    }

    /// What an option reads as (getsockopt). SO_ERROR and TCP_SAVED_SYN take away what they tell.
    ///
    /// ```
    /// # use cauce_core::{socket::Family, stack::Stack, sysctl::Sysctls, time::Instant};
    /// use cauce_core::socket::options::{OptionName, OptionValue, SocketOption};
    /// # let mut n = 0u64;
    /// # let mut stack = Stack::new(Sysctls::default(), Box::new(move || { n += 1; n }));
    /// let id = stack.open(Family::V4).unwrap();
    /// let mut socket = stack.socket(id);
    /// socket.set_option(Instant::ZERO, SocketOption::SendBuffer(20_000)).unwrap();
    /// assert_eq!(socket.option(Instant::ZERO, OptionName::SendBuffer), Ok(OptionValue::Int(40_000)));
    /// ```
    ///
    /// # Errors
    /// `EBADF` for a stale id, `ENOTCONN` for IP_MTU without a connection, `ENOPROTOOPT` for an option of
    /// another family.
    pub fn option(&mut self, now: Instant, name: OptionName) -> Result<OptionValue, Errno> {
        self.stack.option(self.id, now, name)
    }

    /// The device of SO_BINDTODEVICE.
    ///
    /// # Errors
    /// `EBADF` for a stale id.
    pub fn bound_device(&self) -> Result<Option<DeviceId>, Errno> {
        Ok(self.options()?.device())
    }

    /// What [`Socket::keep`] has kept under `key`.
    ///
    /// # Errors
    /// `EBADF` for a stale id.
    pub fn kept(&self, key: u16) -> Result<Option<i32>, Errno> {
        let rare = self.options()?.rare.as_ref();
        Ok(rare.and_then(|rare| rare.kept.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)))
    }

    /// Keeps a number for a face that has options which mean nothing to TCP: it is inherited by accepted sockets as
    /// options are. There are as many as the face has keys.
    ///
    /// # Errors
    /// `EBADF` for a stale id.
    pub fn keep(&mut self, key: u16, value: i32) -> Result<(), Errno> {
        let kept = &mut self.stack.options_mut(self.id)?.rare_mut().kept;
        match kept.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => kept.push((key, value)),
        }
        Ok(())
    }

    /// The state of the congestion control (TCP_CC_INFO); `None` for algorithms that have none to show.
    ///
    /// # Errors
    /// `EBADF` for a stale id.
    pub fn congestion_info(&self) -> Result<Option<CcInfo>, Errno> {
        self.options()?;
        Ok(self.stack.connection(self.id).and_then(|conn| conn.cong.info()))
    }

    /// connect(2) to AF_UNSPEC: dissolves the connection, or stops listening; the socket is as fresh as before,
    /// and still bound if the user bound it (A-27).
    ///
    /// # Errors
    /// `EBADF` for a stale id.
    pub fn disconnect(&mut self, now: Instant) -> Result<(), Errno> {
        self.stack.disconnect(self.id, now)
    }

    /// The name of the congestion control (TCP_CONGESTION).
    ///
    /// # Errors
    /// `EBADF` for a stale id.
    pub fn congestion(&self) -> Result<&str, Errno> {
        self.stack.congestion(self.id)
    }
}

impl SocketOptions {
    /// TCP_NODELAY.
    pub fn nodelay(&self) -> bool {
        self.has(flag::NODELAY)
    }

    /// TCP_CORK.
    pub fn cork(&self) -> bool {
        self.has(flag::CORK)
    }

    /// SO_KEEPALIVE.
    pub fn keepalive(&self) -> bool {
        self.has(flag::KEEPALIVE)
    }

    /// SO_REUSEADDR.
    pub fn reuseaddr(&self) -> bool {
        self.has(flag::REUSEADDR)
    }

    /// SO_REUSEPORT.
    pub fn reuseport(&self) -> bool {
        self.has(flag::REUSEPORT)
    }

    /// IPV6_V6ONLY.
    pub fn only_v6(&self) -> bool {
        self.has(flag::V6ONLY)
    }

    /// IP_TRANSPARENT.
    pub fn transparent(&self) -> bool {
        self.has(flag::TRANSPARENT)
    }

    /// SO_LINGER, in whole seconds.
    pub fn linger(&self) -> Option<Duration> {
        self.has(flag::LINGER).then(|| Duration::from_secs(self.linger.into()))
    }

    /// IP_TOS.
    pub fn tos(&self) -> u8 {
        self.tos
    }

    /// IPV6_TCLASS.
    pub fn tclass(&self) -> u8 {
        self.traffic_class(false)
    }

    /// IP_TTL, the system's value unless the socket has its own.
    pub fn ttl(&self, sysctl: &Sysctls) -> u8 {
        self.hop_limit(true, sysctl)
    }

    /// TCP_USER_TIMEOUT in milliseconds, 0 when there is none.
    pub fn user_timeout(&self) -> u32 {
        self.user_timeout
    }

    /// SO_SNDBUF as it is now, in bytes.
    pub fn send_buffer_size(&self) -> u32 {
        self.send_buffer
    }

    /// SO_RCVBUF as it is now, in bytes.
    pub fn recv_buffer_size(&self) -> u32 {
        self.recv_buffer
    }
}
