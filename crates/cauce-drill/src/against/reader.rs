//! The thread that takes packets off the TUN as they come, so that each carries the time at which it left and not
//! the time at which the script got round to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::sys::namespace::be_punctual;
use crate::sys::tun::Tun;

/// How long the thread lives on after its script, at most, ns.
const GLANCE: i64 = 50_000_000;

/// The packets that leave a TUN, in order.
#[derive(Debug)]
pub(super) struct Reader {
    packets: Receiver<std::io::Result<(Instant, Vec<u8>)>>,
    over: Arc<AtomicBool>,
}

impl Reader {
    /// Starts to read `tun`.
    pub fn new(tun: Arc<Tun>) -> Reader {
        let (found, packets) = channel();
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        thread::spawn(move || {
            // Without the privilege the thread is as punctual as any.
            let _ = be_punctual();
            while !stop.load(Ordering::SeqCst) {
                let read = tun.read(GLANCE);
                let at = Instant::now();
                let failed = read.is_err();
                let Some(packet) = read.transpose() else { continue };
                if found.send(packet.map(|bytes| (at, bytes))).is_err() || failed {
                    break;
                }
            }
        });
        Reader { packets, over }
    }

    /// The next packet and when it left; `None` when none comes within `limit`.
    ///
    /// # Errors
    /// The device is gone.
    pub fn next(&self, limit: Duration) -> std::io::Result<Option<(Instant, Vec<u8>)>> {
        match self.packets.recv_timeout(limit) {
            Ok(packet) => packet.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}
