//! The files under `/proc/net` that speak of TCP, as text: `tcp`, `tcp6`, `netstat`, `snmp`, `snmp6`, `sockstat`
//! (Q-30 to Q-32).
//!
//! Pure functions over a stack: what they return is what a reader of the file would get. Columns, widths and
//! number bases are Linux's, so that scripts which parse the files work on both.

mod counters;
mod sockstat;
mod tcp;

pub use counters::{netstat, snmp, snmp6};
pub use sockstat::{sockstat, sockstat6};
pub(crate) use tcp::{inode, timer_number};
pub use tcp::{tcp, tcp6};

use cauce_core::stack::Stack;
use cauce_core::time::Instant;

/// Every file with its name below `/proc/net`.
///
/// ```
/// use cauce_core::{stack::Stack, sysctl::Sysctls, time::Instant};
/// let mut n = 0u64;
/// let stack = Stack::new(Sysctls::default(), Box::new(move || { n += 1; n }));
/// let files = cauce_posix::proc::files(&stack, Instant::ZERO);
/// let (_, text) = files.iter().find(|(name, _)| *name == "tcp").unwrap();
/// assert!(text.starts_with("  sl  local_address rem_address   st tx_queue rx_queue"));
/// ```
pub fn files(stack: &Stack, now: Instant) -> Vec<(&'static str, String)> {
    vec![
        ("tcp", tcp(stack, now)),
        ("tcp6", tcp6(stack, now)),
        ("netstat", netstat(stack)),
        ("snmp", snmp(stack)),
        ("snmp6", snmp6(stack)),
        ("sockstat", sockstat(stack)),
        ("sockstat6", sockstat6(stack)),
    ]
}
