//! Our stack, deaf to one setting or one socket option: what is written there is accepted, judged and read back as
//! ever, and changes nothing.
//!
//! A script that still passes says nothing about that setting or option. So the gate asks of every row of `docs/tcp7.md`
//! that it has a script which fails here. Nothing of this is in the engine.
//!
//! A setting has its default whenever the stack runs, and what was written whenever a command looks. Calls that set or
//! read the option answer what they answered when the stack heard ([`Deaf::answers`]); an option that can only be read
//! answers zeros, in samples too.

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use cauce_core::sysctl::{self, Profile, SysctlEntry, Sysctls};
use cauce_posix::options::option_number;

use super::core::Core;
use super::structures::told_by;
use crate::call::{Answer, Call, Fd, Outcome};
use crate::settings::Settings;
use crate::target::{Captured, Progress, Sample, Target, TargetError};

/// A setting or a socket option by its name.
#[derive(Debug, Clone, Copy)]
pub enum Name {
    /// A setting.
    Setting(&'static SysctlEntry),
    /// An option: its level and its number.
    Option(i32, i32),
}

/// There is neither a setting nor an option of this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName(String);

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is neither a setting, as net.ipv4.tcp_sack, nor a socket option, as TCP_NODELAY",
            self.0
        )
    }
}

impl std::error::Error for UnknownName {}

impl FromStr for Name {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Name, UnknownName> {
        let option = || option_number(name).map(|(level, number)| Name::Option(level, number));
        sysctl::find(name).map(Name::Setting).or_else(option).ok_or_else(|| UnknownName(name.to_owned()))
    }
}

/// Since when the stack is deaf to a setting; to an option it is from the start. Who hears until some moment tells whether
/// the setting is looked at later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Since {
    /// It never hears.
    #[default]
    Start,
    /// It has heard until the first SYN was sent or came.
    Opening,
    /// It has heard until the first connection was established.
    Established,
}

/// What the calls about the option answered, in their order.
pub type Answers = VecDeque<(bool, Outcome)>;

/// Our stack, deaf to one name.
#[derive(Debug)]
pub struct Deaf {
    core: Core,
    name: Name,
    /// What has been written to settings, as commands see it.
    shown: Option<Sysctls>,
    /// `None` while the stack still hears and answers are taken down.
    replayed: Option<Answers>,
    taken_down: Answers,
    /// The script never sets the option.
    only_read: bool,
    /// It hears until this moment; [`Since::Start`] when that has come.
    until: Since,
}

impl Deaf {
    /// A stack that hears, and takes down what calls about `name` answer; for a script in `directory`.
    pub fn hearing(directory: PathBuf, name: Name) -> Deaf {
        let core = Core::new(directory);
        let taken_down = Answers::new();
        Deaf { core, name, shown: None, replayed: None, taken_down, only_read: false, until: Since::Start }
    }

    /// A stack that is deaf to `name`. Its calls answer `answers`, which a stack that heard has taken down.
    pub fn new(directory: PathBuf, name: Name, since: Since, answers: Answers) -> Deaf {
        let only_read = !answers.iter().any(|(sets, outcome)| *sets && outcome.errno == 0);
        Deaf { replayed: Some(answers), only_read, until: since, ..Deaf::hearing(directory, name) }
    }

    /// From its moment on the setting has its default whenever the stack runs.
    fn go_deaf(&mut self) {
        let is_time = match self.until {
            Since::Start => false,
            Since::Opening => self.core.flows() > 0,
            Since::Established => self.core.has_connection(),
        };
        if let (true, Name::Setting(entry)) = (is_time, self.name) {
            self.until = Since::Start;
            self.unhear(entry);
        }
    }

    /// Gives the setting its default, and keeps what commands are to see.
    fn unhear(&mut self, entry: &SysctlEntry) {
        let heard = self.core.sysctl_mut();
        let shown = heard.clone();
        heard.take(entry.name, &Sysctls::default());
        if entry.name.starts_with("cauce.") {
            // A profile, and what a profile looks at, choose others: they are to choose what the default does.
            let _ = heard.set(entry.name, &entry.default_text(Profile::Linux618));
        }
        self.shown = Some(shown);
    }

    /// What was taken down.
    pub fn answers(self) -> Answers {
        self.taken_down
    }

    /// Whether a call is about the option: `Some(true)` when it sets it, `Some(false)` when it reads it.
    fn about(&self, call: &Call) -> Option<bool> {
        let (option, sets) = match call {
            Call::SetSockOpt { level, name, .. } => ((*level, *name), true),
            Call::GetSockOpt { level, name, .. } => ((*level, *name), false),
            _ => return None,
        };
        matches!(self.name, Name::Option(level, name) if (level, name) == option).then_some(sets)
    }

    /// The next answer about the option, as long as the script goes the way it went before.
    fn replay(&mut self, sets: bool) -> Option<Outcome> {
        let answers = self.replayed.as_mut()?;
        if answers.front()?.0 != sets {
            return None;
        }
        let (_, mut outcome) = answers.pop_front()?;
        if self.only_read
            && let Answer::Bytes(bytes) = &mut outcome.answer
        {
            bytes.fill(0);
        }
        Some(outcome)
    }
}

impl Target for Deaf {
    fn prepare(&mut self, settings: &Settings) -> Result<(), TargetError> {
        self.core.prepare(settings)
    }

    fn begin(&mut self) {
        self.core.begin();
    }

    fn now(&mut self) -> i64 {
        self.core.now()
    }

    fn sleep_until(&mut self, at: i64) {
        self.core.sleep_until(at);
    }

    fn inject(&mut self, packet: &[u8]) -> Result<(), TargetError> {
        self.core.inject(packet)?;
        self.go_deaf();
        Ok(())
    }

    fn next_packet(&mut self, deadline: i64) -> Result<Option<Captured>, TargetError> {
        self.core.next_packet(deadline)
    }

    fn start_call(&mut self, call: &Call, may_block: bool) -> Result<Progress, TargetError> {
        let Some(sets) = self.about(call) else {
            let progress = self.core.start_call(call, may_block);
            self.go_deaf();
            return progress;
        };
        if let Some(outcome) = self.replay(sets) {
            return Ok(Progress::Done(outcome));
        }
        let progress = self.core.start_call(call, may_block)?;
        if let (Progress::Done(outcome), None) = (&progress, &self.replayed) {
            self.taken_down.push_back((sets, outcome.clone()));
        }
        Ok(progress)
    }

    fn finish_call(&mut self, deadline: i64) -> Result<Option<(i64, Outcome)>, TargetError> {
        self.core.finish_call(deadline)
    }

    fn set_privileged(&mut self, privileged: bool) -> Result<(), TargetError> {
        self.core.set_privileged(privileged)
    }

    fn command(&mut self, text: &str) -> Result<(), TargetError> {
        let (Name::Setting(entry), Some(_)) = (self.name, &self.replayed) else {
            return self.core.command(text);
        };
        if let Some(shown) = self.shown.take() {
            *self.core.sysctl_mut() = shown;
        }
        let done = self.core.command(text);
        if self.until == Since::Start {
            self.unhear(entry);
        }
        done
    }

    fn sample(&mut self, fd: Fd) -> Result<Sample, TargetError> {
        let mut sample = self.core.sample(fd)?;
        if let (Name::Option(level, number), Some(_)) = (self.name, &self.replayed) {
            let of_option = sample.iter_mut().filter(|(name, _)| told_by(name) == (level, number));
            of_option.for_each(|(_, value)| *value = 0);
        }
        Ok(sample)
    }

    fn counters(&mut self) -> Sample {
        self.core.counters()
    }

    fn tolerance(&self) -> i64 {
        self.core.tolerance()
    }
}
