//! Devices around devices: they watch what passes and change nothing.

pub mod pcap;
pub mod trace;
