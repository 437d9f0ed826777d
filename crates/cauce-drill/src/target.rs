//! What a script runs against: a TCP, its clock, and the wire beside it.

use std::fmt;

use crate::call::{Call, Fd, Outcome};
use crate::settings::Settings;

/// A packet that left the stack under test.
#[derive(Debug, Clone)]
pub struct Captured {
    /// When, in nanoseconds after the script's start.
    pub at: i64,
    /// From the IP header on.
    pub bytes: Vec<u8>,
}

/// How far a call has come.
#[derive(Debug, Clone)]
pub enum Progress {
    /// It has returned.
    Done(Outcome),
    /// It sleeps; [`Target::finish_call`] tells when it returns.
    Blocked,
}

/// Why a target cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetError {
    /// It does not have what the script asks for.
    Unsupported(String),
    /// It refused or broke; a sentence.
    Broken(String),
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetError::Unsupported(what) | TargetError::Broken(what) => f.write_str(what),
        }
    }
}

/// Values that `%{ }%` may use, sampled when its event comes: names and numbers.
pub type Sample = Vec<(String, i128)>;

/// A TCP under test. All times are nanoseconds after [`Target::begin`].
///
/// One call may sleep at a time. A target in virtual time moves its clock only in [`Target::sleep_until`],
/// [`Target::next_packet`] and [`Target::finish_call`], and there exactly from one event to the next.
pub trait Target {
    /// Makes the stack ready: addresses, routes, the device.
    ///
    /// # Errors
    /// What is missing, and what would grant it.
    fn prepare(&mut self, settings: &Settings) -> Result<(), TargetError>;

    /// Starts the script's clock at 0.
    fn begin(&mut self);

    /// The time.
    fn now(&mut self) -> i64;

    /// Lets time pass until `at`; returns at once when it has passed.
    fn sleep_until(&mut self, at: i64);

    /// Puts a packet, from its IP header on, onto the wire to the stack.
    ///
    /// # Errors
    /// The packet could not be delivered.
    fn inject(&mut self, packet: &[u8]) -> Result<(), TargetError>;

    /// The next packet that leaves the stack; `None` when none has come by `deadline`.
    ///
    /// # Errors
    /// The wire broke.
    fn next_packet(&mut self, deadline: i64) -> Result<Option<Captured>, TargetError>;

    /// Makes a system call. `may_block` says that the script gives it an end time: only then may
    /// [`Progress::Blocked`] come before the call has had time to return.
    ///
    /// # Errors
    /// The target does not have this call or option.
    fn start_call(&mut self, call: &Call, may_block: bool) -> Result<Progress, TargetError>;

    /// Waits for the call that sleeps: when it returned and what; `None` when it still sleeps at `deadline`.
    ///
    /// # Errors
    /// The target lost the call.
    fn finish_call(&mut self, deadline: i64) -> Result<Option<(i64, Outcome)>, TargetError>;

    /// From now on calls are made with an administrator's privileges, as at the start, or without.
    ///
    /// # Errors
    /// The target cannot do without, or has none.
    fn set_privileged(&mut self, privileged: bool) -> Result<(), TargetError>;

    /// Runs a command of the shell.
    ///
    /// # Errors
    /// It fails, or means nothing here.
    fn command(&mut self, text: &str) -> Result<(), TargetError>;

    /// Samples tcp_info and its companions of the socket `fd`.
    ///
    /// # Errors
    /// There is no such socket.
    fn sample(&mut self, fd: Fd) -> Result<Sample, TargetError>;

    /// What the target has counted since it began, by the names that `nstat` prints.
    fn counters(&mut self) -> Sample;

    /// How far from its time an event may be when the script does not say so, in nanoseconds.
    fn tolerance(&self) -> i64;
}
