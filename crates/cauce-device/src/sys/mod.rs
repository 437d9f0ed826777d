//! The crate's only `unsafe`: vector instructions and system calls that no safe wrapper covers.
#![allow(unsafe_code)]

pub mod checksum;
pub(crate) mod packet_socket;
pub(crate) mod tuntap;
