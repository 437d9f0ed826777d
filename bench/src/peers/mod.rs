//! Other stacks doing the same work.

pub mod kernel;
pub mod smoltcp;
