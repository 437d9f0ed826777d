//! Plays a script against a target: each event at its time, each expectation against what came.

mod calls;
mod clock;
mod code;
mod flows;
mod journal;
mod packets;
mod record;

use std::collections::BTreeMap;

use self::clock::{Due, tolerance};
pub use self::code::Python;
use self::flows::Flows;
pub use self::journal::Journal;
use self::record::Recorder;
use crate::ast::{Action, Event, Payload, Script, Span};
use crate::call::{self, Call, Fd, Setting, Wanted};
use crate::diagnostic::{Diagnostic, Kind, Source};
use crate::expect::answer::seconds;
use crate::settings::{IpMode, Settings};
use crate::target::{Sample, Target, TargetError};

/// How long an expected packet or a call may take beyond its time before the script is given up, ns.
const PATIENCE: i64 = 2_000_000_000;
/// How long a record waits for packets after the last event, ns.
const LINGER: i64 = 20_000_000;
/// How long after the last event figures are read: the kernel counts what it has sent after the wire has it, ns.
const SETTLING: i64 = 1_000_000;

pub(crate) type Ran<T> = Result<T, Box<Diagnostic>>;

/// A script that has been read and checked.
#[derive(Debug)]
pub struct Checked {
    source: Source,
    script: Script,
    settings: Settings,
    /// The call of each event that is one.
    calls: Vec<Option<(Call, Wanted)>>,
}

impl Checked {
    /// Checks every call of `script` before anything runs.
    ///
    /// # Errors
    /// The first call that is not one, or has an argument that does not fit.
    pub fn new(source: Source, script: Script, settings: Settings) -> Result<Checked, Box<Diagnostic>> {
        let setting = Setting {
            source: &source,
            definitions: &settings.definitions,
            domain: if settings.ip == IpMode::V4 { libc::AF_INET } else { libc::AF_INET6 },
            remote: settings.remote,
        };
        let lowered = script.events.iter().map(|event| match &event.action {
            Action::Call(line) => call::lower(line, &setting).map(Some),
            _ => Ok(None),
        });
        let calls = lowered.collect::<Result<Vec<_>, _>>()?;
        Ok(Checked { source, script, settings, calls })
    }

    /// What the script runs with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Plays the calls and the injected packets of the script and writes it back with the packets, the results and
    /// the times that really came. Packets that follow on within a moment are written as one segment.
    ///
    /// # Errors
    /// The script could not be played to its end.
    pub fn record(&self, target: &mut dyn Target) -> Result<String, Box<Diagnostic>> {
        let mut run = self.start(target, Journal::silent());
        run.recorder = Some(Recorder::default());
        let result = run.all();
        let cleaned = run.clean_up();
        result.and(cleaned)?;
        let lines = run.recorder.map(Recorder::into_text).unwrap_or_default();
        Ok(record::script(&self.source, &self.script, &self.settings.given, &lines))
    }

    /// Plays the script and judges its code.
    ///
    /// # Errors
    /// The first expectation that does not hold, with what came instead and the packets before it.
    pub fn run(&self, target: &mut dyn Target) -> Result<(), Box<Diagnostic>> {
        let samples = self.play(target, Journal::silent())?;
        self.judge(&samples, &mut Python::new()).map(|_| ())
    }

    /// Plays the script, telling `journal` what happens, and returns what its code is to look at.
    ///
    /// # Errors
    /// The first expectation that does not hold, with what came instead and the packets before it.
    pub fn play(&self, target: &mut dyn Target, journal: Journal<'_>) -> Result<Samples, Box<Diagnostic>> {
        let mut run = self.start(target, journal);
        let result = run.all();
        let cleaned = run.clean_up();
        result.and(cleaned)?;
        Ok(Samples(run.blocks))
    }

    /// Plays the script and reads what the target shows a little after its last event, before what is left open is
    /// closed.
    ///
    /// # Errors
    /// The first expectation that does not hold.
    pub fn figures(&self, target: &mut dyn Target) -> Result<Figures, Box<Diagnostic>> {
        let mut run = self.start(target, Journal::silent());
        let result = run.all();
        let now = run.target.now();
        run.target.sleep_until(now.saturating_add(SETTLING));
        let counters = run.target.counters();
        let fds = run.fds.iter().filter_map(|(name, fd)| Some((*name, run.target.sample(*fd).ok()?)));
        let sockets = fds.collect();
        let cleaned = run.clean_up();
        result.and(cleaned)?;
        Ok(Figures { counters, sockets })
    }

    /// Runs the script's code and returns what it printed.
    ///
    /// # Errors
    /// The first block that raises.
    pub fn judge(&self, samples: &Samples, python: &mut Python) -> Result<String, Box<Diagnostic>> {
        code::run(&self.source, &samples.0, python)
    }

    fn start<'c, 't>(&'c self, target: &'t mut dyn Target, journal: Journal<'t>) -> Run<'c, 't> {
        Run {
            checked: self,
            target,
            flows: Flows::default(),
            fds: BTreeMap::new(),
            before: None,
            blocked: None,
            journal,
            blocks: Vec::new(),
            recorder: None,
        }
    }
}

/// What a target shows at the end of a script.
#[derive(Debug, Clone)]
pub struct Figures {
    /// What it has counted.
    pub counters: Sample,
    /// What `%{ }%` would see of each of the script's sockets that is still open.
    pub sockets: BTreeMap<Fd, Sample>,
}

/// What the code of a script is to look at: its blocks and the values of their moments.
#[derive(Debug)]
pub struct Samples(Vec<code::Block>);

/// The event before: when it was due, and whether it injected a packet.
#[derive(Debug, Clone, Copy)]
struct Before {
    due: i64,
    injected: bool,
}

/// A call that sleeps.
struct Blocked<'c> {
    event: &'c Event,
    call: &'c Call,
    wanted: &'c Wanted,
    due: Due,
    tolerance: i64,
    /// Its line in the record.
    line: Option<usize>,
    /// It did not return at once.
    slept: bool,
}

struct Run<'c, 't> {
    checked: &'c Checked,
    target: &'t mut dyn Target,
    flows: Flows,
    /// The script's descriptors and the target's.
    fds: BTreeMap<Fd, Fd>,
    before: Option<Before>,
    blocked: Option<Blocked<'c>>,
    journal: Journal<'t>,
    blocks: Vec<code::Block>,
    /// Expectations are written down instead of judged.
    recorder: Option<Recorder>,
}

impl<'c> Run<'c, '_> {
    fn all(&mut self) -> Ran<()> {
        let checked = self.checked;
        let script = &checked.script;
        self.target.prepare(&checked.settings).map_err(|error| self.refused(&(0..0), error))?;
        for init in &checked.settings.init_scripts {
            self.target.command(init).map_err(|error| self.refused(&(0..0), error))?;
        }
        if let Some(init) = &script.init {
            self.target.command(&init.value).map_err(|error| self.refused(&init.span, error))?;
        }
        self.target.begin();
        for (event, call) in script.events.iter().zip(&checked.calls) {
            self.event(event, call.as_ref())?;
        }
        self.settle_blocked()?;
        if let (Some(last), true) = (script.events.last(), self.recorder.is_some()) {
            let now = self.target.now();
            self.record_until(last, now.saturating_add(LINGER))?;
        }
        Ok(())
    }

    fn event(&mut self, event: &'c Event, call: Option<&'c (Call, Wanted)>) -> Ran<()> {
        let injected = matches!(&event.action, Action::Packet(p) if p.direction == crate::ast::Direction::In);
        let base = match self.before {
            None => 0,
            Some(before) if before.injected && injected => before.due,
            Some(_) => self.target.now(),
        };
        let mut due = Due::of(event.time, base);
        if call.is_some() && self.blocked.is_some() {
            // One call at a time: this one waits for the call before it. Its time counts from the moment in which
            // that one fell asleep; where it would then be over already, from the moment in which it returned.
            self.settle_blocked()?;
            let now = self.target.now();
            if !due.allows(now.max(due.from), self.tolerated(due)) {
                due = Due::of(event.time, now);
            }
        }
        let tolerance = self.tolerated(due);
        match &event.action {
            Action::Packet(packet) => match &packet.payload {
                Payload::Tcp(tcp) if injected => {
                    self.wait_for(event, due, tolerance)?;
                    self.inject_tcp(event, packet, tcp)?;
                }
                Payload::Tcp(tcp) if self.recorder.is_some() => {
                    self.record_expected(event, tcp, due, tolerance)?
                }
                Payload::Tcp(tcp) => self.expect_tcp(event, packet, tcp, due, tolerance)?,
                Payload::Icmp(icmp) => {
                    self.wait_for(event, due, tolerance)?;
                    self.inject_icmp(event, packet, icmp)?;
                }
            },
            Action::Call(_) => {
                self.wait_for(event, due, tolerance)?;
                if let Some((call, wanted)) = call {
                    self.call(event, call, wanted, due, tolerance)?;
                }
            }
            Action::Command(text) => {
                self.wait_for(event, due, tolerance)?;
                self.tell(event);
                self.target.command(text).map_err(|error| self.refused(&event.span, error))?;
            }
            Action::Code(text) => {
                self.wait_for(event, due, tolerance)?;
                self.tell(event);
                self.sample(event, text)?;
            }
        }
        self.before = Some(Before { due: due.from, injected });
        Ok(())
    }

    /// How far from its time an event that is due then may be.
    fn tolerated(&self, due: Due) -> i64 {
        let gap = due.from - self.before.map_or(0, |before| before.due);
        tolerance(&self.checked.settings, self.target.tolerance(), gap)
    }

    /// Lets time pass until the event is due.
    fn wait_for(&mut self, event: &Event, due: Due, tolerance: i64) -> Ran<()> {
        if self.recorder.is_some() {
            self.record_until(event, due.from)?;
            self.target.sleep_until(due.from);
            let now = self.target.now();
            if let (Some(recorder), false) = (&mut self.recorder, matches!(event.action, Action::Call(_))) {
                recorder.event(now, self.checked.source.written(event));
            }
            return Ok(());
        }
        self.target.sleep_until(due.from);
        let now = self.target.now();
        if due.allows(now, tolerance) {
            return Ok(());
        }
        let title = if now > due.to {
            format!("this is due at {}, and it is {} already", seconds(due.from), seconds(now))
        } else {
            format!("this is due at {}, and it is only {}", seconds(due.from), seconds(now))
        };
        Err(self.failed(&event.span, &title))
    }

    fn sample(&mut self, event: &Event, text: &str) -> Ran<()> {
        if self.recorder.is_some() {
            return Ok(());
        }
        let Some(fd) = self.flows.sampled_fd() else {
            return Err(self.failed(&event.span, "there is no socket whose tcp_info could be looked at"));
        };
        let values = self.target.sample(fd).map_err(|error| self.refused(&event.span, error))?;
        self.blocks.push(code::Block { span: event.action_span.clone(), text: text.to_owned(), values });
        Ok(())
    }

    /// Resets what the script left open, closes its descriptors and runs its last command.
    fn clean_up(&mut self) -> Ran<()> {
        self.reset_all();
        if let Some(sleeping) = self.blocked.take() {
            self.forget_closed(sleeping.call);
        }
        let fds: Vec<_> = std::mem::take(&mut self.fds).into_values().collect();
        for fd in fds {
            // What is left open is closed quietly: the script has had its say.
            let _ = self.target.start_call(&Call::Close { fd }, false);
        }
        if let Some(cleanup) = &self.checked.script.cleanup {
            self.target.command(&cleanup.value).map_err(|error| self.refused(&cleanup.span, error))?;
        }
        Ok(())
    }

    /// A packet, for those who listen and for the next failure.
    fn note(&mut self, at: i64, line: String) {
        self.journal.packet(at, line);
    }

    /// A command or code, for those who listen.
    fn tell(&mut self, event: &Event) {
        if self.journal.is_heard() {
            let now = self.target.now();
            self.journal.event(now, &self.checked.source.excerpt(&event.action_span));
        }
    }

    fn failed(&self, span: &Span, title: &str) -> Box<Diagnostic> {
        let mut diagnostic = Diagnostic::new(&self.checked.source, span.clone(), Kind::Failure, title);
        if let Some(packets) = self.journal.last_packets() {
            diagnostic = diagnostic.note(format!("the last packets:\n{packets}"));
        }
        Box::new(diagnostic)
    }

    fn refused(&self, span: &Span, error: TargetError) -> Box<Diagnostic> {
        match error {
            TargetError::Unsupported(what) => {
                Box::new(Diagnostic::new(&self.checked.source, span.clone(), Kind::Unsupported, what))
            }
            TargetError::Broken(what) => self.failed(span, &what),
        }
    }
}
