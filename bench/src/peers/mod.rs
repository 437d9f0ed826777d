//! Other stacks doing the same work.

pub mod kernel;
#[cfg(lwip)]
pub mod lwip;
#[cfg(not(lwip))]
#[path = "no_lwip.rs"]
pub mod lwip;
pub mod smoltcp;
