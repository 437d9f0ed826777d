//! What scripts can be run against.

pub mod core;
pub mod deaf;
pub mod kernel;
mod reader;
mod structures;
mod worker;

pub(crate) use structures::{names, tcp_info};
