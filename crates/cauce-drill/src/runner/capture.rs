//! What passes between a script and its target, as a pcapng file.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cauce_device::wrap::pcap::{Direction, PcapFile};
use cauce_device::{Medium, Packet};

use crate::call::{Call, Fd, Outcome};
use crate::settings::Settings;
use crate::target::{Captured, Progress, Sample, Target, TargetError};

/// A target whose packets are kept.
pub(super) struct Tap<'t> {
    target: &'t mut dyn Target,
    /// The moment of the script's start on the clock that the file shows.
    zero: Duration,
    /// True for a target in real time.
    real: bool,
    packets: Vec<(i64, Direction, Vec<u8>)>,
}

impl<'t> Tap<'t> {
    /// Keeps the packets of `target`; one in virtual time starts at the clock's 0.
    pub fn new(target: &'t mut dyn Target, real: bool) -> Tap<'t> {
        Tap { target, zero: Duration::ZERO, real, packets: Vec::new() }
    }

    /// Writes all packets in the order of their times, those included that the script has not looked at.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(mut self, path: &Path) -> io::Result<()> {
        let now = self.target.now();
        while let Ok(Some(captured)) = self.target.next_packet(now) {
            self.packets.push((captured.at, Direction::Outbound, captured.bytes));
        }
        self.packets.sort_by_key(|(at, ..)| *at);
        if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(directory)?;
        }
        let file = PcapFile::new(File::create(path)?)?;
        let interface = file.add_interface("tun0", Medium::Ip);
        for (at, direction, bytes) in self.packets {
            let packet = Packet { payload: std::iter::once(bytes.into()).collect(), ..Packet::default() };
            let time = self.zero + Duration::from_nanos(at.max(0).cast_unsigned());
            file.write(interface, time, direction, &packet);
        }
        file.flush()
    }
}

/// A message about a capture that could not be written.
pub(super) fn unwritten(path: &Path, error: &io::Error) -> String {
    format!("the packets cannot be written to {}: {error}", PathBuf::from(path).display())
}

impl Target for Tap<'_> {
    fn prepare(&mut self, settings: &Settings) -> Result<(), TargetError> {
        self.target.prepare(settings)
    }

    fn begin(&mut self) {
        self.target.begin();
        if self.real {
            self.zero = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        }
    }

    fn now(&mut self) -> i64 {
        self.target.now()
    }

    fn sleep_until(&mut self, at: i64) {
        self.target.sleep_until(at);
    }

    fn inject(&mut self, packet: &[u8]) -> Result<(), TargetError> {
        let now = self.target.now();
        self.packets.push((now, Direction::Inbound, packet.to_vec()));
        self.target.inject(packet)
    }

    fn next_packet(&mut self, deadline: i64) -> Result<Option<Captured>, TargetError> {
        let next = self.target.next_packet(deadline)?;
        if let Some(captured) = &next {
            self.packets.push((captured.at, Direction::Outbound, captured.bytes.clone()));
        }
        Ok(next)
    }

    fn start_call(&mut self, call: &Call, may_block: bool) -> Result<Progress, TargetError> {
        self.target.start_call(call, may_block)
    }

    fn finish_call(&mut self, deadline: i64) -> Result<Option<(i64, Outcome)>, TargetError> {
        self.target.finish_call(deadline)
    }

    fn set_privileged(&mut self, privileged: bool) -> Result<(), TargetError> {
        self.target.set_privileged(privileged)
    }

    fn command(&mut self, text: &str) -> Result<(), TargetError> {
        self.target.command(text)
    }

    fn sample(&mut self, fd: Fd) -> Result<Sample, TargetError> {
        self.target.sample(fd)
    }

    fn counters(&mut self) -> Sample {
        self.target.counters()
    }

    fn tolerance(&self) -> i64 {
        self.target.tolerance()
    }
}
