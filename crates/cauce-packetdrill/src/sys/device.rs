//! The device and the clock: packets in and out, the time, sleep.

use super::{Face, enter, get, get_bytes, put, put_bytes};
use crate::library::Failure;
use libc::{c_int, c_longlong, c_void, size_t, timeval, useconds_t};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) unsafe extern "C" fn netdev_send(data: *mut c_void, packet: *const c_void, len: size_t) -> c_int {
    // SAFETY: `data` is the table's, and the packet has `len` bytes.
    unsafe {
        enter(data, |library| {
            let packet = get_bytes(packet.cast(), len).ok_or(Failure(libc::EFAULT))?;
            if packet.is_empty() {
                return Err(Failure(libc::EINVAL));
            }
            library.send_packet(packet.into())?;
            Ok(0)
        }) as c_int
    }
}

/// A failure would make the tool try again for ever: when there is nothing to receive, or nothing works, it
/// gets a packet of no bytes, which ends its test. A packet that does not fit is cut, with the same end.
pub(super) unsafe extern "C" fn netdev_receive(
    data: *mut c_void,
    packet: *mut c_void,
    len: *mut size_t,
    at: *mut c_longlong,
) -> c_int {
    // SAFETY: `data` is the table's, the lengths can be read and written, and the packet has room for as many
    // bytes as is said.
    unsafe {
        let result = enter(data, |library| {
            let room = get(len)?;
            let Some(left) = library.next_packet() else { return Err(Failure(libc::ETIMEDOUT)) };
            put_bytes(packet.cast(), room, &left.bytes)?;
            put(len, room.min(left.bytes.len()))?;
            if !at.is_null() {
                put(at, left.at.as_micros() as c_longlong)?;
            }
            Ok(0)
        });
        if result < 0 && put(len, 0).is_err() {
            return -1;
        }
        0
    }
}

/// The wall's clock for a library that works, and for one that does not: the tool waits for time to pass.
pub(super) unsafe extern "C" fn gettimeofday(
    data: *mut c_void,
    time: *mut timeval,
    zone: *mut c_void,
) -> c_int {
    // SAFETY: `data` is the table's.
    let nanos = match unsafe { data.cast::<Face>().as_ref() } {
        Some(Face::Ready(library, _)) => library.now().as_nanos(),
        _ => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64,
    };
    let value = timeval {
        tv_sec: (nanos / 1_000_000_000) as libc::time_t,
        tv_usec: (nanos % 1_000_000_000 / 1_000) as libc::suseconds_t,
    };
    // SAFETY: both pointers are NULL or what gettimeofday() takes; a time zone is two ints.
    unsafe {
        if !time.is_null() {
            time.write_unaligned(value);
        }
        if !zone.is_null() {
            zone.cast::<[c_int; 2]>().write_unaligned([0, 0]);
        }
    }
    0
}

pub(super) unsafe extern "C" fn usleep(_: *mut c_void, micros: useconds_t) -> c_int {
    std::thread::sleep(Duration::from_micros(u64::from(micros)));
    0
}
