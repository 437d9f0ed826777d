//! Stands for lwIP where its source was not there when this was built.

use anyhow::{Result, bail};
use std::time::Duration;

/// Whether lwIP is built in.
pub const PRESENT: bool = false;

fn absent<T>() -> Result<T> {
    bail!("lwIP is not built in: run bench/fetch-lwip.sh and build again")
}

/// Bulk, if lwIP were here.
///
/// # Errors
/// Always.
pub fn run(_: Duration) -> Result<(usize, Duration)> {
    absent()
}

/// Round trips, if lwIP were here.
///
/// # Errors
/// Always.
pub fn round_trips(_: usize) -> Result<f64> {
    absent()
}

/// Short connections, if lwIP were here.
///
/// # Errors
/// Always.
pub fn connections(_: usize) -> Result<f64> {
    absent()
}
