//! The words behind `sysctl`, as getopt(3) reads them: short flags in one word, long ones shortened, options and names
//! in any order.

use regex_lite::Regex;

use super::USUAL_FILE;
use crate::tools::Output;

const USAGE: &str = "\
Usage:
 sysctl [options] [variable[=value] ...]

Options:
  -a, --all, -A, -X     all settings
  -b, --binary          values without a newline
      --dry-run         say what would be written
  -e, --ignore          unknown names are no errors
  -N, --names           names without values
  -n, --values          values without names
  -p, --load[=FILE], -f read settings from files; `-` is standard input
      --system          read all files of the system
  -r, --pattern REGEX   only settings whose name matches
  -q, --quiet           do not print what is written
  -w, --write           every word is NAME=VALUE
  -h, --help, -d        this help
  -V, --version         the version
  -o, -x, --deprecated  nothing
";

const LONG: [(&str, char); 14] = [
    ("all", 'a'),
    ("binary", 'b'),
    ("deprecated", 'o'),
    ("dry-run", 'D'),
    ("help", 'h'),
    ("ignore", 'e'),
    ("load", 'p'),
    ("names", 'N'),
    ("pattern", 'r'),
    ("quiet", 'q'),
    ("system", 'S'),
    ("values", 'n'),
    ("version", 'V'),
    ("write", 'w'),
];

/// What is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Task {
    /// Each word in turn.
    #[default]
    Words,
    All,
    Load,
    System,
}

/// A command line that makes sense.
#[derive(Clone, Debug, Default)]
pub struct Command {
    pub(super) task: Task,
    pub(super) bare: bool,
    pub(super) dry: bool,
    pub(super) ignore: bool,
    pub(super) names: bool,
    pub(super) quiet: bool,
    pub(super) values: bool,
    pub(super) write: bool,
    pub(super) pattern: Option<Regex>,
    /// Names and settings, or files.
    pub(super) words: Vec<String>,
}

impl Command {
    /// Reads the words behind `sysctl`.
    ///
    /// # Errors
    /// What the tool prints instead of doing anything: its usage, its version, or what is wrong. The tool of procps
    /// ends with status 0 after a flag that it does not know; here that is a failure.
    pub fn parse(arguments: &[&str]) -> Result<Command, Box<Output>> {
        let mut command = Command::default();
        let mut rest = arguments.iter().copied();
        while let Some(argument) = rest.next() {
            if argument == "--" {
                command.words.extend(rest.map(str::to_owned));
                break;
            }
            match (argument.strip_prefix("--"), argument.strip_prefix('-')) {
                (Some(long), _) => command.long(long, &mut rest)?,
                (None, Some(letters)) if !letters.is_empty() => command.short(letters, &mut rest)?,
                _ => command.words.push(argument.to_owned()),
            }
        }
        match (command.task, command.words.is_empty()) {
            (Task::Load, true) => command.words.push(USUAL_FILE.to_owned()),
            (Task::Words, true) if arguments.is_empty() => return Err(Box::new(Output::failed(1, USAGE))),
            (Task::Words, true) => return Err(wrong("no variables specified")),
            _ => {}
        }
        Ok(command)
    }

    /// True when it only prints the settings, whatever they are.
    pub fn lists_all(&self) -> bool {
        self.task == Task::All
    }

    /// The files that it reads beside those of [`Command::reads_system`]; `-` is standard input.
    pub fn files(&self) -> &[String] {
        if self.task == Task::Load { &self.words } else { &[] }
    }

    /// True when it reads what [`SYSTEM_DIRECTORIES`](super::SYSTEM_DIRECTORIES) hold, and
    /// [`USUAL_FILE`](super::USUAL_FILE).
    pub fn reads_system(&self) -> bool {
        self.task == Task::System
    }

    fn long<'a>(&mut self, word: &str, rest: &mut impl Iterator<Item = &'a str>) -> Result<(), Box<Output>> {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        let found: Vec<char> =
            LONG.iter().filter(|(long, _)| long.starts_with(name)).map(|(_, flag)| *flag).collect();
        let exact = LONG.iter().find(|(long, _)| *long == name).map(|(_, flag)| *flag);
        let flag = match (exact, found.as_slice()) {
            (Some(flag), _) => flag,
            (None, [flag]) => *flag,
            (None, []) => return Err(wrong(&format!("unrecognized option '--{name}'"))),
            (None, _) => return Err(wrong(&format!("option '--{name}' is ambiguous"))),
        };
        match (flag, value) {
            ('p', Some(path)) => {
                self.words.push(path.to_owned());
                self.flag('p')
            }
            ('r', Some(pattern)) => self.pattern(pattern),
            ('r', None) => match rest.next() {
                Some(pattern) => self.pattern(pattern),
                None => Err(wrong("option '--pattern' requires an argument")),
            },
            (_, Some(_)) => Err(wrong(&format!("option '--{name}' doesn't allow an argument"))),
            (flag, None) => self.flag(flag),
        }
    }

    fn short<'a>(
        &mut self,
        letters: &str,
        rest: &mut impl Iterator<Item = &'a str>,
    ) -> Result<(), Box<Output>> {
        for (at, letter) in letters.char_indices() {
            let attached = Some(&letters[at + letter.len_utf8()..]).filter(|attached| !attached.is_empty());
            match (letter, attached) {
                ('f' | 'p', Some(path)) => {
                    self.words.push(path.to_owned());
                    return self.flag('p');
                }
                ('r', attached) => {
                    return match attached.or_else(|| rest.next()) {
                        Some(pattern) => self.pattern(pattern),
                        None => Err(wrong("option requires an argument -- 'r'")),
                    };
                }
                ('D' | 'S', _) => return Err(wrong(&format!("invalid option -- '{letter}'"))),
                _ => self.flag(letter)?,
            }
        }
        Ok(())
    }

    fn flag(&mut self, letter: char) -> Result<(), Box<Output>> {
        match letter {
            // What lists everything does nothing else, and the system's files go before those that are named.
            'a' | 'A' | 'X' => self.task = Task::All,
            'S' if self.task != Task::All => self.task = Task::System,
            'f' | 'p' if self.task == Task::Words => self.task = Task::Load,
            'S' | 'f' | 'p' | 'o' | 'x' => {}
            'b' => (self.values, self.bare) = (true, true),
            'D' => self.dry = true,
            'e' => self.ignore = true,
            'N' => self.names = true,
            'n' => self.values = true,
            'q' => self.quiet = true,
            'w' => self.write = true,
            'd' | 'h' => return Err(Box::new(Output::text(USAGE))),
            'V' => {
                let version = format!("sysctl of cauce {}\n", env!("CARGO_PKG_VERSION"));
                return Err(Box::new(Output::text(version)));
            }
            _ => return Err(wrong(&format!("invalid option -- '{letter}'"))),
        }
        Ok(())
    }

    fn pattern(&mut self, pattern: &str) -> Result<(), Box<Output>> {
        let regex = Regex::new(pattern);
        self.pattern = Some(regex.map_err(|error| wrong(&format!("the pattern \"{pattern}\": {error}")))?);
        Ok(())
    }
}

fn wrong(what: &str) -> Box<Output> {
    Box::new(Output::failed(1, format!("sysctl: {what}\nTry `sysctl --help' for more information.")))
}
