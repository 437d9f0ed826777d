//! What scripts can be run against.

pub mod kernel;
mod worker;
