//! The C side: the table of functions, the memory that they are pointed to, descriptors and signals of the
//! host. The only unsafe code of this crate.
//!
//! Every function trusts its pointers as a C library does: one that is not NULL must be good for what C says
//! of the call. NULL is `EFAULT` where Linux says so. No panic crosses into C: one that happens in spite of
//! everything ends as `EIO`, and so does every call after it, because the stack may be half changed. That is
//! a last resort and a bug of this crate, which its message on stderr tells.

mod address;
mod calls;
pub(crate) mod descriptor;
mod device;
mod init;
mod interface;
mod memory;
mod message;
mod options;
mod preload;
mod readiness;
pub(crate) mod thread;
mod transfer;

pub use init::packetdrill_interface_init;
pub use interface::PacketdrillInterface;
pub use preload::getsockopt;

use crate::library::{Failure, Library};
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

/// What `userdata` points to.
pub(crate) enum Face {
    /// A library at work, and its driver.
    Ready(Arc<Library>, JoinHandle<()>),
    /// `--so_flags` could not be used: every call fails.
    Refused,
}

/// Runs one function of the table: its result, or -1 and errno.
///
/// # Safety
/// `data` is NULL, or what `packetdrill_interface_init` has filled in as `userdata` and `free` has not taken.
unsafe fn enter(data: *mut c_void, run: impl FnOnce(&Library) -> Result<i64, Failure>) -> i64 {
    // SAFETY: as the caller promises; a `Face` is only changed by being freed.
    let face = unsafe { data.cast::<Face>().as_ref() };
    let result = match face {
        Some(Face::Ready(library, _)) => inside(library, run),
        Some(Face::Refused) => Err(Failure(libc::EINVAL)),
        None => Err(Failure(libc::EFAULT)),
    };
    finish(result)
}

/// Runs with the thread counted as inside, and with the last resort for a panic.
fn inside(library: &Library, run: impl FnOnce(&Library) -> Result<i64, Failure>) -> Result<i64, Failure> {
    let _inside = library.enter();
    catch_unwind(AssertUnwindSafe(|| run(library))).unwrap_or_else(|_| {
        library.broken();
        Err(Failure(libc::EIO))
    })
}

/// A result as C has it: -1 and errno for a failure.
fn finish(result: Result<i64, Failure>) -> i64 {
    result.unwrap_or_else(|Failure(number)| {
        // SAFETY: the address of this thread's errno is always good.
        unsafe { *libc::__errno_location() = number };
        -1
    })
}

/// Writes through a pointer of the caller.
///
/// # Errors
/// `EFAULT` for NULL.
///
/// # Safety
/// A pointer that is not NULL can be written to as a `T`; it need not be aligned.
unsafe fn put<T>(to: *mut T, value: T) -> Result<(), Failure> {
    if to.is_null() {
        return Err(Failure(libc::EFAULT));
    }
    // SAFETY: as the caller promises.
    unsafe { to.write_unaligned(value) };
    Ok(())
}

/// Reads through a pointer of the caller.
///
/// # Errors
/// `EFAULT` for NULL.
///
/// # Safety
/// A pointer that is not NULL can be read from as a `T`; it need not be aligned.
unsafe fn get<T: Copy>(from: *const T) -> Result<T, Failure> {
    if from.is_null() {
        return Err(Failure(libc::EFAULT));
    }
    // SAFETY: as the caller promises.
    Ok(unsafe { from.read_unaligned() })
}

/// Copies `bytes` to the caller, at most `room` of them.
///
/// # Errors
/// `EFAULT` for NULL, unless nothing is to be copied.
///
/// # Safety
/// A pointer that is not NULL can be written to for `room` bytes.
unsafe fn put_bytes(to: *mut u8, room: usize, bytes: &[u8]) -> Result<(), Failure> {
    let count = room.min(bytes.len());
    if count == 0 {
        return Ok(());
    }
    if to.is_null() {
        return Err(Failure(libc::EFAULT));
    }
    // SAFETY: as the caller promises; the bytes are ours, so the two do not overlap.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, count) };
    Ok(())
}

/// Copies `len` bytes from the caller; `None` for NULL, unless nothing is to be copied.
///
/// # Safety
/// A pointer that is not NULL can be read from for `len` bytes.
unsafe fn get_bytes(from: *const u8, len: usize) -> Option<Vec<u8>> {
    if len == 0 {
        return Some(Vec::new());
    }
    if from.is_null() {
        return None;
    }
    // SAFETY: as the caller promises.
    Some(unsafe { std::slice::from_raw_parts(from, len) }.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::Flags;
    use cauce_posix::Call;

    /// The last resort: a panic under the lock ends as EIO for its own call, for those that sleep, and for
    /// all that come later, and the library can still be freed.
    #[test]
    fn a_panic_ends_as_an_error() {
        let (library, driver) = Library::start(Flags::default()).unwrap();
        let sleeping = Arc::clone(&library);
        let sleeper = std::thread::spawn(move || {
            let _inside = sleeping.enter();
            sleeping.call(|_| Call::Poll { fds: Vec::new(), timeout: None })
        });
        let data: *mut c_void = Box::into_raw(Box::new(Face::Ready(library, driver))).cast();
        let errno = || std::io::Error::last_os_error().raw_os_error();
        // SAFETY: the pointer is the face's, as in the table, and `free` takes it at the end.
        unsafe {
            let bug =
                |library: &Library| library.call(|_| panic!("this panic belongs to the test")).map(|_| 0);
            assert_eq!((enter(data, bug), errno()), (-1, Some(libc::EIO)));
            assert_eq!(
                (calls::socket(data, libc::AF_INET, libc::SOCK_STREAM, 0), errno()),
                (-1, Some(libc::EIO))
            );
            let (mut len, mut at) = (0, 0);
            assert_eq!(device::netdev_receive(data, std::ptr::null_mut(), &mut len, &mut at), 0);
            assert_eq!(sleeper.join().unwrap(), Err(Failure(libc::EIO)));
            init::free(data);
        }
    }
}
