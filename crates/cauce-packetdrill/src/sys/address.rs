//! `struct sockaddr` of the caller.

use super::{get, get_bytes, put, put_bytes};
use crate::library::Failure;
use cauce_posix::{Address, sockaddr as bytes_of};
use libc::{sockaddr, socklen_t};
use std::net::SocketAddr;

/// Bytes of `struct sockaddr_storage`, beyond which Linux takes no address.
const LONGEST: socklen_t = 128;

/// Reads an address.
///
/// # Safety
/// A pointer that is not NULL can be read from for `len` bytes.
pub(super) unsafe fn read(address: *const sockaddr, len: socklen_t) -> Address {
    if len > LONGEST {
        return Address::Short;
    }
    // SAFETY: as the caller promises.
    match unsafe { get_bytes(address.cast(), len as usize) } {
        Some(bytes) => Address::parse(&bytes),
        None => Address::Fault,
    }
}

/// The room that the caller has for an address, which is `None` when he wants none.
///
/// # Errors
/// `EFAULT` for an address without a length, `EINVAL` for a negative one.
///
/// # Safety
/// A length that is not NULL can be read.
pub(super) unsafe fn room(address: *mut sockaddr, len: *mut socklen_t) -> Result<Option<socklen_t>, Failure> {
    if address.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller promises.
    let room = unsafe { get(len) }?;
    if room > i32::MAX as socklen_t { Err(Failure(libc::EINVAL)) } else { Ok(Some(room)) }
}

/// Writes as much of an address as there is room for, and its whole length; length 0 without one.
///
/// # Safety
/// The pointers can be written to, `address` for `room` bytes.
pub(super) unsafe fn write(
    address: *mut sockaddr,
    len: *mut socklen_t,
    room: socklen_t,
    value: Option<SocketAddr>,
) -> Result<(), Failure> {
    let bytes = value.map(bytes_of).unwrap_or_default();
    // SAFETY: as the caller promises.
    unsafe {
        put_bytes(address.cast(), room as usize, &bytes)?;
        put(len, bytes.len() as socklen_t)
    }
}
