//! System calls of a script: making them, judging what they return.

use super::clock::{Due, tolerance as clock_tolerance};
use super::{Blocked, PATIENCE, Ran, Run, record};
use crate::ast::Event;
use crate::call::{Address, Answer, Call, Outcome, Wanted, WantedAnswer};
use crate::expect::{Difference, answer, table};
use crate::target::Progress;

/// How long a call without an end time may take, ns.
const LONGEST: i64 = 10_000_000_000;

impl<'c> Run<'c, '_> {
    pub(super) fn call(
        &mut self,
        event: &'c Event,
        call: &'c Call,
        wanted: &'c Wanted,
        due: Due,
        tolerance: i64,
    ) -> Ran<()> {
        let fds = &self.fds;
        // A descriptor that the script never got is passed as it is, so that EBADF can be tested.
        let live =
            call.clone().map_fds(|fd| fds.get(&fd).copied().unwrap_or(if fd < 0 { fd } else { fd + 1000 }));
        self.before_call(&live);
        // A record finds out by itself which calls sleep.
        let may_block = due.end.is_some() || self.recorder.is_some();
        let line = self.record_call();
        let progress =
            self.target.start_call(&live, may_block).map_err(|error| self.refused(&event.span, error))?;
        let slept = matches!(progress, Progress::Blocked);
        let blocked = Blocked { event, call, wanted, due, tolerance, line, slept };
        match progress {
            Progress::Done(outcome) => {
                let now = self.target.now();
                self.judge_call(&blocked, now, &outcome)
            }
            Progress::Blocked if may_block => {
                self.blocked = Some(blocked);
                Ok(())
            }
            Progress::Blocked => {
                let deadline = self.target.now().saturating_add(LONGEST);
                self.finish(blocked, deadline)
            }
        }
    }

    /// Waits for the call that sleeps, if there is one.
    pub(super) fn settle_blocked(&mut self) -> Ran<()> {
        let Some(blocked) = self.blocked.take() else { return Ok(()) };
        let end = blocked.due.end.unwrap_or(blocked.due.to).max(self.target.now());
        self.finish(blocked, end.saturating_add(PATIENCE))
    }

    fn finish(&mut self, blocked: Blocked<'c>, deadline: i64) -> Ran<()> {
        let span = &blocked.event.span;
        match self.target.finish_call(deadline).map_err(|error| self.refused(span, error))? {
            Some((at, outcome)) => self.judge_call(&blocked, at, &outcome),
            None => {
                self.forget_closed(blocked.call);
                let wanted = blocked.due.end.map(|end| format!(" and must end at {}", answer::seconds(end)));
                let title = format!(
                    "this call still sleeps at {}{}",
                    answer::seconds(deadline),
                    wanted.unwrap_or_default()
                );
                Err(self.failed(span, &title))
            }
        }
    }

    /// A line for the call in the record.
    fn record_call(&mut self) -> Option<usize> {
        let now = self.target.now();
        self.recorder.as_mut().map(|recorder| recorder.call(now))
    }

    /// What the connections must know before the call's packets leave.
    fn before_call(&mut self, call: &Call) {
        let settings = &self.checked.settings;
        let port = |address: Address| match address {
            Address::Local => Some(settings.bind_port),
            Address::Remote => Some(settings.connect_port),
            Address::Literal(literal) => Some(literal.port()),
            Address::Unspecified => None,
        };
        match call {
            Call::Connect { fd, address } | Call::Send { fd, address: Some(address), .. } => {
                if let Some(port) = port(*address) {
                    self.flows.connect(*fd, port);
                }
            }
            Call::Bind { fd, address } => {
                if let Some(port) = port(*address) {
                    self.flows.bind(*fd, port);
                }
            }
            _ => {}
        }
    }

    fn judge_call(&mut self, blocked: &Blocked<'c>, at: i64, outcome: &Outcome) -> Ran<()> {
        let Blocked { event, call, wanted, due, tolerance, line, slept } = blocked;
        if line.is_some() || self.journal.is_heard() {
            let shown = match self.new_number(call, wanted, outcome) {
                Some(result) => &Outcome { result, ..outcome.clone() },
                None => outcome,
            };
            let text = record::rewritten(&self.checked.source, event, call, wanted, shown);
            self.journal.event(at, &text);
            if let (Some(recorder), Some(line)) = (&mut self.recorder, line) {
                recorder.returned(*line, at, (*slept, due.end.is_some()), text);
                self.after_call(call, wanted, outcome);
                return Ok(());
            }
        }
        let mut found =
            answer::differences(wanted, outcome, call.returns_fd(), self.checked.settings.strict, *tolerance);
        if self.checked.settings.strict {
            self.numbers(call, wanted, outcome, &mut found);
        }
        let usual = self.target.tolerance();
        if let Some(end) = due.end
            && let slack = clock_tolerance(&self.checked.settings, usual, end - due.from).max(*tolerance)
            && end.abs_diff(at) > slack.unsigned_abs()
        {
            let allowed = format!("{} (within {})", answer::seconds(end), answer::seconds(slack));
            found.push(Difference::new("end of the call", allowed, answer::seconds(at)));
        }
        if !found.is_empty() {
            self.forget_closed(call);
            let timing = found.iter().all(|difference| difference.field == "end of the call");
            let (title, plain) = match found.as_slice() {
                [one] if one.field == "result" => {
                    (format!("this call must return {} and returned {}", one.expected, one.actual), true)
                }
                [one] if timing => {
                    (format!("this call must end at {} and ended at {}", one.expected, one.actual), true)
                }
                _ => ("the call did not give what is expected".to_owned(), false),
            };
            let failure = self.failed(&event.span, &title).timing(timing);
            return Err(Box::new(if plain { failure } else { failure.first_note(table(&found)) }));
        }
        self.after_call(call, wanted, outcome);
        Ok(())
    }

    /// The script's own numbers for new descriptors must be those that POSIX gives: the lowest that is free, after
    /// the three that every process has.
    fn numbers(&self, call: &Call, wanted: &Wanted, outcome: &Outcome, found: &mut Vec<Difference>) {
        let given = match (&wanted.answer, wanted.result) {
            _ if outcome.result < 0 => Vec::new(),
            (WantedAnswer::Pipe(read, write), _) => vec![*read, *write],
            (_, Some(fd)) if call.returns_fd() => vec![fd],
            _ => Vec::new(),
        };
        for (fd, lowest) in given.into_iter().zip(self.free_numbers()) {
            if fd != lowest {
                found.push(Difference::new("descriptor", fd, lowest));
            }
        }
    }

    fn free_numbers(&self) -> impl Iterator<Item = i64> {
        (3..).filter(|fd| !self.fds.contains_key(fd))
    }

    /// The script's number of a descriptor that this call gives: its own, or the lowest that it does not use. The target's
    /// numbers, which other scripts run among, mean nothing here.
    fn new_number(&self, call: &Call, wanted: &Wanted, outcome: &Outcome) -> Option<i64> {
        let gives = call.returns_fd() && outcome.result >= 0;
        gives.then(|| wanted.result.filter(|fd| *fd >= 0).or_else(|| self.free_numbers().next())).flatten()
    }

    /// A close() that fails the script, or still lingers, has given the descriptor back all the same: by now it may be
    /// another script's, which must not find it closed.
    pub(super) fn forget_closed(&mut self, call: &Call) {
        if let Call::Close { fd } = call {
            self.fds.remove(fd);
        }
    }

    /// Takes over new descriptors and forgets closed ones.
    fn after_call(&mut self, call: &Call, wanted: &Wanted, outcome: &Outcome) {
        if outcome.result < 0 {
            return;
        }
        if let Some(number) = self.new_number(call, wanted, outcome) {
            self.fds.insert(number, outcome.result);
        }
        match (call, &outcome.answer) {
            (Call::Socket { .. }, _) => self.flows.socket(outcome.result),
            (Call::Accept { .. }, Answer::Peer(peer)) => self.flows.accepted(outcome.result, peer.port()),
            (Call::Listen { fd, .. }, _) => {
                if let Some(fd) = self.fds.get(fd) {
                    self.flows.listen(*fd);
                }
            }
            (Call::Close { fd }, _) => {
                if let Some(fd) = self.fds.remove(fd) {
                    self.flows.close(fd);
                }
            }
            (Call::Pipe { .. }, Answer::Pipe(read, write)) => {
                if let WantedAnswer::Pipe(script_read, script_write) = wanted.answer {
                    self.fds.insert(script_read, *read);
                    self.fds.insert(script_write, *write);
                }
            }
            _ => {}
        }
    }
}

/// Nanoseconds as the shortest text in seconds: `0`, `.04`, `1.5`.
pub(super) fn seconds_of(nanos: i64) -> String {
    let text = answer::seconds(nanos);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match text.strip_prefix('0') {
        Some("") | None => if text.is_empty() { "0" } else { text }.to_owned(),
        Some(fraction) => fraction.to_owned(),
    }
}
