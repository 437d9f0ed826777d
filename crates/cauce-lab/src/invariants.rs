//! What must hold when everything is over: nothing is alive.

use cauce_core::socket::Family;
use cauce_core::stack::Stack;
use std::fmt;
use std::net::SocketAddr;

/// Everything that a stack can hold on to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Sockets: idle, listening, connected, orphaned.
    pub sockets: usize,
    /// Entries of the flow table: connections, half-open ones, TIME-WAITs.
    pub flows: usize,
    /// Half-open connections.
    pub half_open: usize,
    /// TIME-WAIT records.
    pub time_waits: usize,
    /// Running deadlines.
    pub deadlines: usize,
    /// Bytes that queues charge to the memory account.
    pub memory: u64,
    /// Some local port is held.
    pub ports_held: bool,
}

impl Census {
    /// Counts what a stack holds.
    pub fn of(stack: &Stack) -> Self {
        Census {
            sockets: stack.sockets(),
            flows: stack.connections(),
            half_open: stack.half_open(),
            time_waits: stack.time_waits(),
            deadlines: stack.deadlines(),
            memory: stack.memory_used(),
            ports_held: stack.ports_held(),
        }
    }

    /// Checks that nothing is alive.
    ///
    /// # Errors
    /// The census itself, whose text names what is left.
    pub fn is_empty(self) -> Result<(), Census> {
        if self == Census::default() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.sockets as u64, "sockets"),
            (self.flows as u64, "flows"),
            (self.half_open as u64, "half-open connections"),
            (self.time_waits as u64, "TIME-WAITs"),
            (self.deadlines as u64, "deadlines"),
            (self.memory, "bytes of memory"),
            (u64::from(self.ports_held), "held ports"),
        ];
        let mut words = counts.iter().filter(|(count, _)| *count > 0);
        let Some((count, name)) = words.next() else { return f.write_str("nothing alive") };
        write!(f, "{count} {name}")?;
        words.try_for_each(|(count, name)| write!(f, ", {count} {name}"))?;
        f.write_str(" alive")
    }
}

impl std::error::Error for Census {}

/// The family of sockets that reach an address.
pub fn family_of(addr: SocketAddr) -> Family {
    if addr.is_ipv4() { Family::V4 } else { Family::V6 }
}
