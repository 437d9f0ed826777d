//! What scripts can be run against.

pub mod core;
pub mod deaf;
pub mod kernel;
mod reader;
mod structures;
mod worker;

pub use structures::names;
pub(crate) use structures::tcp_info;
