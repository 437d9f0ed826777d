//! Recovery with Reno's window behind it, driven by scripts and by random networks.

mod bench;
mod networks;
mod scripts;
mod undoing;
