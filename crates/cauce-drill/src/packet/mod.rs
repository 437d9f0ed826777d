//! Packets as bytes: those that a script injects are built here, those that leave are taken apart.

mod build;
mod live;
mod options;
mod print;

pub(crate) use build::{Segment, icmp_error, tcp_packet};
pub(crate) use live::Live;
pub(crate) use options::{encode_options, live_options};
pub(crate) use print::{Shown, option_text};
