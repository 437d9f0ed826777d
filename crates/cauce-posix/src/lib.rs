//! Descriptors over the sockets of `cauce-core`, as POSIX numbers and shares them.
//!
//! So far the crate is the table that everything else will stand on: [`table::Descriptors`] gives out the
//! lowest free number, lets numbers share a socket (dup), and says when the last of them is gone. Calls that
//! wait are already data in `cauce_core::socket::call`; poll, epoll and pipes will be built on both.
#![forbid(unsafe_code)]

pub mod table;
