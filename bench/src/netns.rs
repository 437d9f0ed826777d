//! A network namespace of our own, so that measurements touch nothing of the machine's network.

use anyhow::{Context as _, Result};
use cauce_device::host::{HostConfig, configure};
use rustix::thread::{CpuSet, UnshareFlags, sched_getaffinity, sched_setaffinity, unshare_unsafe};

/// Moves this thread, and those it starts later, into a fresh network namespace whose loopback is up.
///
/// # Errors
/// Without the privilege (CAP_SYS_ADMIN); the message says so.
pub fn enter() -> Result<()> {
    // SAFETY: only the network namespace is unshared; files, memory and signal handlers stay common, so
    // that nothing in the standard library is surprised.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }
        .context("a private network namespace needs root (CAP_SYS_ADMIN); run this with sudo")?;
    configure("lo", &HostConfig { up: true, ..HostConfig::default() })?;
    Ok(())
}

/// Keeps this thread on the `nth` processor that the process may use, counted from 0 and around. Returns
/// false on a machine with one processor, where nothing is pinned.
///
/// # Errors
/// When the system refuses.
pub fn pin(nth: usize) -> Result<bool> {
    let allowed = sched_getaffinity(None)?;
    let processors: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
    if processors.len() < 2 {
        return Ok(false);
    }
    let mut only = CpuSet::new();
    only.set(processors[nth % processors.len()]);
    sched_setaffinity(None, &only)?;
    Ok(true)
}
