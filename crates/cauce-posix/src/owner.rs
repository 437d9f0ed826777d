//! The owner of a socket, who gets SIGURG when urgent data is announced, and with O_ASYNC SIGIO when something has
//! happened: F_SETOWN, FIOSETOWN, SIOCSPGRP (fcntl(2), tcp(7), A-10, U-08).
//!
//! It decides which owners are taken. It never sends a signal: [`Process::poll_signal`] says which are due, and
//! whoever embeds the process delivers them.

use crate::object::{Kind, Object, ObjectId};
use crate::{Process, Signal};
use cauce_core::socket::errno::Errno;

impl Process {
    /// Says how to find out whether there is a process with a number, or a group of processes: an owner that is not
    /// there is refused with `ESRCH`. Without this every number is taken for somebody's.
    pub fn set_population(&mut self, exists: fn(i32) -> bool) {
        self.exists = exists;
    }

    /// A signal is due, unless the same one waits already: these signals do not queue (signal(7)).
    pub(crate) fn raise(&mut self, signal: Signal) {
        if !self.signals.contains(&signal) {
            self.signals.push_back(signal);
        }
    }

    /// Makes `owner` the owner of a socket: a process, a group when negative, nobody when 0.
    ///
    /// # Errors
    /// `EINVAL` for a number that has no opposite, `ESRCH`.
    pub(crate) fn set_owner(&mut self, object: ObjectId, owner: i32) -> Result<(), Errno> {
        let number = owner.checked_abs().ok_or(Errno::EINVAL)?;
        if number != 0 && !(self.exists)(number) {
            return Err(Errno::ESRCH);
        }
        if let Some(Object { kind: Kind::Socket(end), .. }) = self.objects.get_mut(object) {
            end.owner = owner;
        }
        Ok(())
    }
}
