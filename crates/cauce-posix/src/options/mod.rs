//! Socket options by level and name, as setsockopt() and getsockopt() take them (REQUIREMENTS 2).
//!
//! This room knows numbers, lengths and structures; values are checked by the engine. An option that Linux
//! has and we do not is *unsupported* by its name; one that Linux does not have either is `ENOPROTOOPT`.

mod get;
mod names;
mod set;

pub use names::option_name;

use cauce_core::socket::errno::Errno;

/// SO_MAX_PACING_RATE
pub(crate) const SO_MAX_PACING_RATE: i32 = 47;
/// TCP_NOTSENT_LOWAT
pub(crate) const TCP_NOTSENT_LOWAT: i32 = 25;

/// The answer for an option that nobody here knows: what it is called, or that there is none.
pub(crate) fn unknown(level: i32, name: i32) -> crate::Progress {
    match option_name(level, name) {
        Some(name) => crate::Progress::Unsupported(name.to_owned()),
        None => Errno::ENOPROTOOPT.into(),
    }
}
