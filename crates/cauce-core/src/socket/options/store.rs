//! What a new value of an option must be, and what is kept of it: ranges, doubling, rounding (REQUIREMENTS 2; G-08).
//!
//! Lengths and layouts belong to the faces; what must happen at once belongs to `connection/options`.

use super::{MAX_LINGER2, MIN_RCVBUF, MIN_SNDBUF, SocketOption, SocketOptions, flag, rare_flag};
use crate::listen::fast_open::enabled;
use crate::recovery::rto;
use crate::socket::errno::Errno;
use crate::socket::timestamping;
use crate::sysctl::Sysctls;

/// The largest TCP_RTO_MIN_US.
const MAX_RTO_MIN_US: u32 = 200_000;
/// The largest TCP_DELACK_MAX_US.
const MAX_DELACK_MAX_US: u32 = 200_000;

impl SocketOptions {
    /// Checks and stores one value. What must happen at once (a push, a re-armed timer) is the caller's.
    ///
    /// # Errors
    /// `EINVAL` for a value outside the option's range; nothing is changed then.
    pub(crate) fn store(&mut self, option: &SocketOption, sysctl: &Sysctls) -> Result<(), Errno> {
        use SocketOption::*;
        match *option {
            NoDelay(on) => self.put(flag::NODELAY, on),
            Cork(on) => self.put(flag::CORK, on),
            QuickAck(false) => self.put_rare(rare_flag::DELAYED_ACKS, true),
            QuickAck(true) | QuickAckOnce => {
                self.take_delayed_acks();
            }
            KeepAlive(on) => self.put(flag::KEEPALIVE, on),
            KeepIdle(seconds) => self.keep_idle = in_range(seconds, 1, 32767)? as u16,
            KeepInterval(seconds) => self.keep_interval = in_range(seconds, 1, 32767)? as u16,
            KeepCount(count) => self.keep_count = in_range(count, 1, 127)? as u8,
            SynCount(count) => self.syn_count = in_range(count, 1, 127)? as u8,
            UserTimeout(millis) => self.user_timeout = in_range(millis, 0, i32::MAX as u32)?,
            Linger(None) => self.put(flag::LINGER, false),
            Linger(Some(span)) => {
                self.put(flag::LINGER, true);
                self.linger = u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
            }
            Linger2(seconds) => self.linger2 = if seconds < 0 { -1 } else { seconds.min(MAX_LINGER2) as i16 },
            MaxSegment(0) => self.max_segment = 0,
            MaxSegment(bytes) => self.max_segment = in_range(bytes, 88, 32767)? as u16,
            WindowClamp(0) => self.window_clamp = 0,
            WindowClamp(bytes) => self.window_clamp = bytes.max(MIN_RCVBUF / 2),
            SendBuffer(bytes) => {
                self.send_buffer = doubled(bytes, sysctl.core_wmem_max).max(MIN_SNDBUF);
                self.put(flag::SNDBUF_LOCK, true);
            }
            RecvBuffer(bytes) => {
                self.recv_buffer = doubled(bytes, sysctl.core_rmem_max).max(MIN_RCVBUF);
                self.put(flag::RCVBUF_LOCK, true);
            }
            SendBufferForce(bytes) => {
                self.send_buffer = doubled(bytes.max(0), LARGEST_BUFFER).max(MIN_SNDBUF);
                self.put(flag::SNDBUF_LOCK, true);
            }
            RecvBufferForce(bytes) => {
                self.recv_buffer = doubled(bytes.max(0), LARGEST_BUFFER).max(MIN_RCVBUF);
                self.put(flag::RCVBUF_LOCK, true);
            }
            ReuseAddr(on) => self.put(flag::REUSEADDR, on),
            ReusePort(on) => self.put(flag::REUSEPORT, on),
            V6Only(on) => self.put(flag::V6ONLY, on),
            Ttl(-1) => self.ttl = 0,
            Ttl(hops) => self.ttl = in_range(u32::try_from(hops).map_err(|_| Errno::EINVAL)?, 1, 255)? as u8,
            HopLimit(hops) => {
                self.ttl = in_range(hops as u32, 1, 255)? as u8;
                self.rare_mut().v6.hops = hops as i16;
            }
            UnicastHops(hops) if (-1..=255).contains(&hops) => self.rare_mut().v6.hops = hops as i16,
            UnicastHops(_) => return Err(Errno::EINVAL),
            TrafficClass(class) if (-1..=255).contains(&class) => {
                self.rare_mut().v6.traffic_class = class.max(0) as u8 & !0x03;
            }
            TrafficClass(_) => return Err(Errno::EINVAL),
            // The same value again leaves SO_PRIORITY as it is.
            Tos(tos) if self.tos == (tos as u8) & !0x03 => {}
            Tos(tos) => {
                self.tos = (tos as u8) & !0x03;
                let priority = priority_of_tos(self.tos);
                if priority != 0 || self.rare.is_some() {
                    self.rare_mut().priority = priority;
                }
            }
            MtuDiscover(mode) => {
                self.mtu_discover = in_range(u32::try_from(mode).map_err(|_| Errno::EINVAL)?, 0, 5)? as u8
            }
            MtuDiscover6(mode) => {
                let mode = in_range(mode as u32, 0, 5)? as u8;
                self.rare_mut().v6.mtu_discover = mode;
            }
            RecvErr(on) => self.put(flag::RECVERR, on),
            RecvErr6(on) => self.rare_mut().v6.recv_err = on,
            OobInline(on) => self.put(flag::OOBINLINE, on),
            RecvLowat(bytes) => {
                let cap = (sysctl.tcp_rmem[2].max(2) / 2) as u32;
                self.recv_lowat = if bytes < 0 { cap } else { (bytes as u32).clamp(1, cap) };
                // So many bytes must find room; half of the buffer is for what goes around them.
                if !self.has(flag::RCVBUF_LOCK) {
                    self.recv_buffer = self.recv_buffer.max(self.recv_lowat.saturating_mul(2));
                }
            }
            NotSentLowat(bytes) => self.rare_mut().notsent_lowat = Some(bytes).filter(|bytes| *bytes != 0),
            Transparent(on) => self.put(flag::TRANSPARENT, on),
            FreeBind(on) => self.put(flag::FREEBIND, on),
            DeferAccept(seconds) => self.defer_accept = retries_for(seconds),
            MaxPacingRate(rate) => self.rare_mut().max_pacing_rate = rate,
            RecvTimeout(span) => self.rare_mut().recv_timeout = span,
            SendTimeout(span) => self.rare_mut().send_timeout = span,
            Priority(value) => self.rare_mut().priority = value,
            Mark(value) => self.rare_mut().mark = value,
            BindToDevice(device) => self.rare_mut().device = device,
            IncomingCpu(cpu) => self.rare_mut().incoming_cpu = cpu,
            ZeroCopy(value) => self.put_rare(rare_flag::ZEROCOPY, switch(value)?),
            Inq(value) => self.put_rare(rare_flag::INQ, switch(value)?),
            SaveSyn(mode) => {
                let mode = in_range(mode as u32, 0, 2)? as u8;
                self.rare_mut().save_syn = mode;
            }
            TxRehash(value) => {
                let rehash = match value {
                    -1 => sysctl.core_txrehash != 0,
                    value => switch(value)?,
                };
                self.put(flag::NO_REHASH, !rehash);
            }
            ThinLinearTimeouts(value) => self.put_rare(rare_flag::THIN_LINEAR, switch(value)?),
            ThinDupAck(value) => {
                switch(value)?;
            }
            RtoMax(millis) => {
                let millis = in_range(millis as u32, 1_000, 120_000)?;
                self.rare_mut().rto_max = millis.next_multiple_of(rto::TICK_US / 1_000);
            }
            RtoMin(micros) => self.rare_mut().rto_min_us = ticks(micros, MAX_RTO_MIN_US)?,
            DelackMax(micros) => self.rare_mut().delack_max_us = ticks(micros, MAX_DELACK_MAX_US)?,
            MinTtl(hops) => self.rare_mut().min_ttl = in_range(hops as u32, 0, 255)? as u8,
            MinHopCount(hops) => self.rare_mut().v6.min_hops = in_range(hops as u32, 0, 255)? as u8,
            BufLock(bits) => {
                let bits = in_range(bits as u32, 0, 3)?;
                self.put(flag::SNDBUF_LOCK, bits & 1 != 0);
                self.put(flag::RCVBUF_LOCK, bits & 2 != 0);
            }
            DontRoute(on) => self.put_rare(rare_flag::DONTROUTE, on),
            BindAddressNoPort(on) => self.put_rare(rare_flag::ADDRESS_ONLY, on),
            LocalPortRange(range) => {
                let (low, high) = (range as u16, (range >> 16) as u16);
                if low != 0 && high != 0 && low > high {
                    return Err(Errno::EINVAL);
                }
                self.rare_mut().ports = (low, high);
            }
            Timestamping(bits) => self.rare_mut().timestamping = timestamping::Timestamping::checked(bits)?,
            ReceiveTimestamp(on) => self.set_receive_stamp(on, false),
            ReceiveTimestampNanos(on) => self.set_receive_stamp(on, true),
            PeekOffset(offset) => self.rare_mut().peek_offset = offset,
            FastOpen(most) => {
                let most = in_range(most as u32, 0, i32::MAX as u32)?;
                let limit = sysctl.core_somaxconn;
                self.rare_mut().fast_open = most.min(limit);
            }
            FastOpenConnect(value) => {
                let on = switch(value)?;
                if sysctl.tcp_fastopen & enabled::CLIENT == 0 {
                    return Err(Errno::EOPNOTSUPP);
                }
                self.put_rare(rare_flag::FASTOPEN_CONNECT, on);
            }
            FastOpenNoCookie(value) => self.put_rare(rare_flag::FASTOPEN_NO_COOKIE, switch(value)?),
            FastOpenKey(ref keys) => self.rare_mut().fast_open_keys = keys.clone(),
            TimestampClock => return Err(Errno::EPERM),
        }
        Ok(())
    }

    /// SO_TIMESTAMP and SO_TIMESTAMPNS are two forms of one switch: the last one set decides.
    fn set_receive_stamp(&mut self, on: bool, nanos: bool) {
        self.put_rare(rare_flag::STAMP, on);
        self.put_rare(rare_flag::STAMP_NANOS, on && nanos);
    }
}

fn in_range(value: u32, low: u32, high: u32) -> Result<u32, Errno> {
    if (low..=high).contains(&value) { Ok(value) } else { Err(Errno::EINVAL) }
}

/// A span in microseconds, which Linux keeps in ticks: two of them at least.
fn ticks(micros: i32, most: u32) -> Result<u32, Errno> {
    let micros = u32::try_from(micros).map_err(|_| Errno::EINVAL)?;
    in_range(micros.next_multiple_of(rto::TICK_US), 2 * rto::TICK_US, most)
}

/// Options that take 0 and 1 and nothing else.
fn switch(value: i32) -> Result<bool, Errno> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Errno::EINVAL),
    }
}

/// The priority that a type of service implies: bulk 2, interactive bulk 4, interactive 6, all others 0.
fn priority_of_tos(tos: u8) -> i32 {
    match tos & 0x1e {
        0x08..=0x0f => 2,
        0x10..=0x17 => 6,
        0x18..=0x1f => 4,
        _ => 0,
    }
}

/// The largest buffer that can be asked for: doubled, it is still an `int`.
const LARGEST_BUFFER: u32 = i32::MAX as u32 / 2;

/// SO_SNDBUF and SO_RCVBUF double what is asked, after limiting it; a negative value counts as huge.
fn doubled(bytes: i32, limit: impl TryInto<u32>) -> u32 {
    let limit = limit.try_into().unwrap_or(LARGEST_BUFFER).min(LARGEST_BUFFER);
    let asked = if bytes < 0 { u32::MAX } else { bytes as u32 };
    asked.min(limit).saturating_mul(2)
}

/// TCP_DEFER_ACCEPT is kept as the number of SYN,ACK retransmissions that cover the period.
fn retries_for(seconds: i32) -> u8 {
    let (mut covered, mut step, mut retries) = (0i64, 1i64, 0u8);
    while covered < i64::from(seconds) && retries < 255 {
        covered += step;
        step = (step * 2).min(120);
        retries += 1;
    }
    retries
}
