//! LISTEN: the passive side of the handshake (RFC 9293 3.10.7.2), from a SYN to `accept`.

pub mod accept_queue;
pub mod fast_open;
pub mod isn;
pub mod listener;
pub mod syn_cookie;
pub mod syn_queue;
