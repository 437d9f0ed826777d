//! What host A sends and receives, as a pcapng file.

use anyhow::Context;
use bytes::Bytes;
use cauce_core::stack::Stack;
use cauce_device::wrap::pcap::{Direction, PcapFile};
use cauce_device::{Medium, Packet};
use cauce_lab::pair::Pair;
use cauce_lab::world::{Fate, Tap, Tapped, Way};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A capture that is being written.
pub struct Capture {
    file: PcapFile,
    path: PathBuf,
}

impl Capture {
    /// Starts a capture of host A's interface, in virtual time.
    pub fn start(path: &Path, pair: &mut Pair<Stack>) -> anyhow::Result<Self> {
        let named = || format!("cannot write {}", path.display());
        let file = PcapFile::new(File::create(path).with_context(named)?).with_context(named)?;
        let interface = file.add_interface("A", Medium::Ip);
        pair.tap(Box::new(Writer { file: file.clone(), interface }));
        Ok(Capture { file, path: path.to_owned() })
    }

    /// Writes what is still buffered.
    pub fn finish(self) -> anyhow::Result<()> {
        self.file.flush().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

struct Writer {
    file: PcapFile,
    interface: u32,
}

impl Tap for Writer {
    fn note(&mut self, tapped: &Tapped<'_>) {
        let direction = match (tapped.fate, tapped.way) {
            (Fate::Offered, Way::Forward) => Direction::Outbound,
            (Fate::Arrived, Way::Backward) => Direction::Inbound,
            _ => return,
        };
        let payload = [Bytes::clone(tapped.packet)].into_iter().collect();
        let packet = Packet { payload, ..Packet::default() };
        let time = Duration::from_nanos(tapped.at.as_nanos());
        self.file.write(self.interface, time, direction, &packet);
    }
}
