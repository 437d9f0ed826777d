//! `/proc/net/sockstat`: how many sockets there are and what they hold.

use cauce_core::stack::Stack;

/// `/proc/net/sockstat`. `mem` counts pages of 4096 bytes.
pub fn sockstat(stack: &Stack) -> String {
    let counts = stack.socket_counts();
    format!(
        "sockets: used {}\nTCP: inuse {} orphan {} tw {} alloc {} mem {}\n",
        counts.allocated, counts.in_use_v4, counts.orphans, counts.time_waits, counts.allocated, counts.pages
    )
}

/// `/proc/net/sockstat6`.
pub fn sockstat6(stack: &Stack) -> String {
    format!("TCP6: inuse {}\n", stack.socket_counts().in_use_v6)
}
