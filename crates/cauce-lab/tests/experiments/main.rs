//! The headline numbers as experiments in virtual time (requirements N-02 to N-48).
//!
//! One file a theme, one test an experiment, named after its row. Every moment is asserted exactly: the engine's
//! timers are neither early nor late. Only shares of a path and the times of long copies have a margin. Settings are
//! written as an operator writes them.

mod acknowledgements;
mod black_holes;
mod bottleneck;
mod closing;
mod gateways;
mod give_up;
mod handshake;
mod keepalive;
mod large_windows;
mod memory;
mod operators;
mod profiles;
mod rig;
mod windows;
