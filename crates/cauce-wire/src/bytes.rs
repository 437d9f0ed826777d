//! Big-endian reads that cannot go out of bounds, shared by the parsers.

use crate::WireError;

/// The `N` bytes of `bytes` at `at`; `field` names them in the error.
pub(crate) fn array<const N: usize>(
    bytes: &[u8],
    at: usize,
    field: &'static str,
) -> Result<[u8; N], WireError> {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().ok_or(WireError::Truncated {
        field,
        needed: at.saturating_add(N),
        given: bytes.len(),
    })
}

/// The byte at `at`.
pub(crate) fn u8_at(bytes: &[u8], at: usize, field: &'static str) -> Result<u8, WireError> {
    array::<1>(bytes, at, field).map(|[byte]| byte)
}

/// The 16-bit number at `at`.
pub(crate) fn u16_at(bytes: &[u8], at: usize, field: &'static str) -> Result<u16, WireError> {
    array(bytes, at, field).map(u16::from_be_bytes)
}

/// The 32-bit number at `at`.
pub(crate) fn u32_at(bytes: &[u8], at: usize, field: &'static str) -> Result<u32, WireError> {
    array(bytes, at, field).map(u32::from_be_bytes)
}
