//! The one symbol that the tool looks for, and the end.

use super::{Face, PacketdrillInterface, preload};
use crate::flags::Flags;
use crate::library::Library;
use libc::{c_char, c_void};
use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Fills `out` for a fresh stack with the settings of `flags` (the text of `--so_flags`, or NULL).
///
/// Flags that cannot be used are told on stderr, and the table is filled all the same: every call fails with
/// `EINVAL`, receiving gives up at once, and only the clock goes on, lest the tool waits for it for ever.
///
/// # Safety
/// `flags` is NULL or a C string, `out` is NULL or has room for the table. The table's functions are called
/// with its `userdata` and with arguments that are good for the call of their name, from any threads; none is
/// called after `free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn packetdrill_interface_init(flags: *const c_char, out: *mut PacketdrillInterface) {
    if out.is_null() {
        eprintln!("cauce: packetdrill_interface_init was given no table to fill in");
        return;
    }
    let text = if flags.is_null() {
        Ok(String::new())
    } else {
        // SAFETY: as the caller promises.
        unsafe { CStr::from_ptr(flags) }.to_str().map(str::to_owned).map_err(|error| error.to_string())
    };
    let face = catch_unwind(AssertUnwindSafe(|| {
        let flags = Flags::parse(&text?).map_err(|error| error.to_string())?;
        let started = Library::start(flags);
        started
            .map(|(library, driver)| {
                preload::enlist(&library);
                Face::Ready(library, driver)
            })
            .map_err(|error| format!("no thread for the stack's deadlines: {error}"))
    }));
    let face = face.unwrap_or_else(|_| Err("the library did not start".to_owned())).unwrap_or_else(|why| {
        eprintln!("cauce: {why}");
        Face::Refused
    });
    let table = PacketdrillInterface::new(Box::into_raw(Box::new(face)).cast());
    // SAFETY: as the caller promises.
    unsafe { out.write(table) };
}

/// Ends the stack: calls that sleep return with EINTR, and everything is given back.
pub(super) unsafe extern "C" fn free(data: *mut c_void) {
    if data.is_null() {
        return;
    }
    // SAFETY: `data` is what was made by `packetdrill_interface_init`, which is not freed twice.
    let face = unsafe { data.cast::<Face>().as_ref() };
    if let Some(Face::Ready(library, _)) = face {
        library.end();
    }
    // SAFETY: as above, and after `end` no thread is inside.
    if let Face::Ready(_, driver) = *unsafe { Box::from_raw(data.cast::<Face>()) } {
        // It has caught its own panics.
        let _ = driver.join();
    }
}
