//! Why bytes are not the header they were taken for.

use core::fmt;

/// Why bytes were refused. Each variant names the field and the value found there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// Fewer bytes are given than the field needs.
    Truncated {
        /// What was being read.
        field: &'static str,
        /// Bytes needed from the start of the header.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
    /// A field holds a value that its protocol does not allow.
    Invalid {
        /// The field.
        field: &'static str,
        /// The value in it.
        value: u32,
    },
    /// A checksum does not match the bytes that it covers.
    Checksum {
        /// Whose checksum.
        field: &'static str,
        /// The checksum found in the packet.
        found: u16,
    },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            WireError::Truncated { field, needed, given } => {
                write!(f, "{field} needs {needed} bytes, {given} given")
            }
            WireError::Invalid { field, value } => {
                write!(f, "{field} is {value} ({value:#x}), which is not allowed")
            }
            WireError::Checksum { field, found } => {
                write!(f, "{field} {found:#06x} does not match the bytes")
            }
        }
    }
}

impl core::error::Error for WireError {}
