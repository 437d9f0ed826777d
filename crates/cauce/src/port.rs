//! A device and the packets that wait for it.

use cauce_core::batch::{Batch, Token};
use cauce_core::frame::Frame;
use cauce_device::{Device, DeviceCounters};
use std::io;

/// Entries that wait for the device at most; the engine keeps the rest.
const BATCH: usize = 64;

/// The device and what waits for it.
pub(crate) struct Port {
    /// `None` once the netstack was shut down.
    pub(crate) device: Option<Box<dyn Device>>,
    pub(crate) batch: Batch,
    pub(crate) sent: Vec<Token>,
    /// The device refused the front of the batch: the driver waits until it is writable.
    pub(crate) blocked: bool,
    last_counters: DeviceCounters,
}

impl Port {
    pub(crate) fn new(device: Box<dyn Device>) -> Port {
        Port {
            device: Some(device),
            batch: Batch::new(BATCH),
            sent: Vec::new(),
            blocked: false,
            last_counters: DeviceCounters::default(),
        }
    }

    /// Gives the device up; what it has carried is remembered.
    pub(crate) fn give_up(&mut self) {
        if let Some(device) = self.device.take() {
            self.last_counters = device.counters();
        }
    }

    /// What the device has carried.
    pub(crate) fn counters(&self) -> DeviceCounters {
        self.device.as_ref().map_or(self.last_counters, |device| device.counters())
    }

    /// Hands the batch to the device; without one it is lost.
    pub(crate) fn transmit(&mut self) -> io::Result<()> {
        let Some(device) = &mut self.device else {
            while self.batch.pop().is_some() {}
            return Ok(());
        };
        device.transmit(&mut self.batch, &mut self.sent)?;
        self.blocked = !self.batch.is_empty();
        Ok(())
    }

    /// Takes what has arrived.
    pub(crate) fn receive(&mut self, budget: usize, into: &mut Vec<Frame>) -> io::Result<usize> {
        self.device.as_mut().map_or(Ok(0), |device| device.receive(budget, into))
    }
}
