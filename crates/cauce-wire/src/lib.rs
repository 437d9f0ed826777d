//! Bytes to values and back.
#![no_std]
#![forbid(unsafe_code)]
