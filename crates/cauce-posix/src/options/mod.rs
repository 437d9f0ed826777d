//! Socket options by level and name, as setsockopt() and getsockopt() take them (REQUIREMENTS 2).
//!
//! This room knows numbers, lengths and structures; values are checked by the engine. An option that Linux
//! has and we do not is *unsupported* by its name; one that Linux does not have either is `ENOPROTOOPT`.

mod get;
mod info;
mod names;
pub(crate) mod numbers;
mod set;

pub use names::{option_name, option_number};

use cauce_core::socket::errno::Errno;

/// The answer for an option that nobody here knows: what it is called, or that there is none.
pub(crate) fn unknown(level: i32, name: i32) -> crate::Progress {
    match option_name(level, name) {
        Some(name) => crate::Progress::Unsupported(name.to_owned()),
        None => Errno::ENOPROTOOPT.into(),
    }
}
