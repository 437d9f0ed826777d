//! The headline numbers as experiments in virtual time (requirements N-02 to N-48).
//!
//! One file a theme, one test an experiment, named after its row. Every moment is asserted exactly: the engine's
//! timers are neither early nor late. Settings are written as an operator writes them.

mod acknowledgements;
mod closing;
mod congestion_claims;
mod gateways;
mod give_up;
mod handshake;
mod keepalive;
mod operators;
mod profiles;
mod rig;
mod windows;
