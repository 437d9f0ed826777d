//! Cauce's TCP as a shared object that the original packetdrill can load with `--so_filename`.
//!
//! The object exports `packetdrill_interface_init`, which fills a table of 32 functions: system calls, a device
//! that carries whole IP packets in and out, and a clock. Behind them stand one
//! [`Stack`](cauce_core::stack::Stack) and one [`Process`](cauce_posix::Process) in real time. This crate has
//! what lies between those two and a C program with threads: calls that really sleep, descriptors that the
//! kernel knows too, and a thread that fires deadlines when nobody calls. How to use it with the tool stands
//! in `docs/packetdrill.md`.
//!
//! Rooms: `flags` reads `--so_flags`; `library` is the lock and who sleeps on what; `state` is what the lock
//! protects; `handles` are descriptors; `addresses` and `host_sysctls` learn what the tool tells nobody;
//! [`sys`] is the C side, and the only one with `unsafe`.
//!
//! What it never does: open a device, change a setting of the host, or hold its lock while a call sleeps.
#![deny(unsafe_code)]

mod addresses;
mod clock;
mod flags;
mod handles;
mod host_sysctls;
mod library;
mod state;
#[allow(unsafe_code, reason = "the C interface of the shared object")]
pub mod sys;
