//! `sysctl`: reads and writes the settings by name, as procps' tool does (Q-33 to Q-35).
//!
//! Names have dots or slashes and are whole, or whole parts: `net.ipv4` is everything below it, and `tcp_sack` alone
//! names nothing, as under `/proc/sys`. Windows' names (`KeepAliveTime`, with the registry's path or without, and
//! netsh's `congestionprovider`) are known beside them. Each word is done in turn; a wrong one counts into the status
//! and does not keep the others from being done. No file is opened here: [`Files`] has them.

mod arguments;
mod conf;

use std::collections::BTreeMap;
use std::io;

use cauce_core::sysctl::{self, SysctlEntry, SysctlError, Sysctls};

use super::{Files, Output, Problem};
pub use arguments::Command;
use arguments::Task;

/// The file that `-p` reads when none is named, and `--system` last.
pub const USUAL_FILE: &str = "/etc/sysctl.conf";
/// Where `--system` looks for files `*.conf`: of two with the same name the first one counts.
pub const SYSTEM_DIRECTORIES: [&str; 5] =
    ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];

/// What is said of `tcp_tw_recycle = 2` (S-49, X-01).
const PER_HOST: &str = "sysctl: warning: net.ipv4.tcp_tw_recycle = 2 compares timestamps per address and refuses \
    honest clients behind one address translator for a minute; 1 is safe\n";

/// A setting as the tool shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// `NAME = VALUE`.
    Setting(String, String),
    /// `NAME`, for `-N`.
    Name(String),
    /// `VALUE`, for `-n` and `-b`.
    Value(String),
}

/// What the tool has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// What it shows, in its order.
    pub shown: Vec<Shown>,
    /// Lines that tell what it is doing: for people, and before everything else.
    pub progress: String,
    /// Values end without a newline.
    bare: bool,
    /// The status, and what went wrong; its standard output is still to be written.
    pub output: Output,
}

impl Done {
    /// As the tool prints it.
    pub fn text(mut self) -> Output {
        self.output.stdout = self.progress;
        let end = if self.bare { "" } else { "\n" };
        for shown in self.shown {
            let line = match shown {
                Shown::Setting(name, value) => format!("{name} = {value}{end}"),
                Shown::Name(text) | Shown::Value(text) => format!("{text}{end}"),
            };
            self.output.stdout.push_str(&line);
        }
        self.output
    }
}

/// `sysctl [-abdefhnNoqrwxAXV] [-p [FILE…]] [--system] [NAME | NAME=VALUE]…`.
///
/// ```
/// use cauce_core::sysctl::Sysctls;
/// use cauce_posix::tools::sysctl::run;
/// let mut sysctls = Sysctls::default();
/// let no_files = |_: &str| Err(std::io::ErrorKind::NotFound.into());
/// let output = run(&mut sysctls, &["-w", "net.ipv4.tcp_sack=0", "net.ipv4.tcp_rmem"], &no_files);
/// assert_eq!((output.status, output.stdout.as_str()), (1, "net.ipv4.tcp_sack = 0\n"));
/// assert_eq!(run(&mut sysctls, &["-n", "net/ipv4/tcp_sack"], &no_files).stdout, "0\n");
/// ```
pub fn run(sysctls: &mut Sysctls, arguments: &[&str], files: &dyn Files) -> Output {
    match Command::parse(arguments) {
        Ok(command) => command.run(sysctls, files).text(),
        Err(output) => *output,
    }
}

impl Command {
    /// Does it.
    pub fn run(&self, sysctls: &mut Sysctls, files: &dyn Files) -> Done {
        let done = Done { bare: self.bare, ..Done::default() };
        let mut job = Job { sysctls, command: self, ignore: self.ignore, done };
        match self.task {
            Task::Words => self.words.iter().for_each(|word| job.word(word)),
            Task::All => job.below(""),
            Task::Load => job.load(&self.words, files),
            Task::System => job.system(files),
        }
        job.done
    }
}

struct Job<'s> {
    sysctls: &'s mut Sysctls,
    command: &'s Command,
    /// Unknown names are no errors.
    ignore: bool,
    done: Done,
}

impl Job<'_> {
    fn word(&mut self, word: &str) {
        let wrong = std::mem::take(&mut self.done.output.status);
        match word.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                self.write(name, value, false);
                // A setting that the pattern keeps from being written counts, though nothing is said.
                if !self.fits(&dotted(name)) {
                    self.done.output.status = 1;
                }
            }
            None if !self.command.write => self.read(word),
            _ => self.complain("command line(0): invalid syntax, continuing..."),
        }
        // The status counts wrong words.
        self.done.output.status = wrong.saturating_add(self.done.output.status);
    }

    /// One setting, or all below a directory.
    fn read(&mut self, word: &str) {
        let directory = dotted(word.trim_end_matches(['.', '/'])) + ".";
        if sysctl::table().iter().any(|entry| entry.name.starts_with(&directory)) {
            return self.below(&directory);
        }
        if let Some(name) = self.known(word, self.ignore) {
            self.show(&dotted(word), name);
        }
    }

    fn below(&mut self, directory: &str) {
        let mut names: Vec<_> = sysctl::table().iter().map(|entry| entry.name).collect();
        names.retain(|name| name.starts_with(directory));
        names.sort_unstable();
        names.into_iter().for_each(|name| self.show(name, name));
    }

    fn show(&mut self, called: &str, name: &str) {
        if !self.fits(called) {
            return;
        }
        match self.sysctls.get(name) {
            Ok(_) if self.command.names => self.done.shown.push(Shown::Name(called.to_owned())),
            Ok(value) if self.command.values => self.done.shown.push(Shown::Value(value)),
            Ok(value) => self.done.shown.push(Shown::Setting(called.to_owned(), value)),
            Err(error) => self.complain(&error.to_string()),
        }
    }

    fn write(&mut self, word: &str, value: &str, forgiving: bool) {
        let called = dotted(word);
        if !self.fits(&called) {
            return;
        }
        let Some(name) = self.known(word, self.ignore || forgiving) else { return };
        if let Some(warning) = sysctl::windows::warning(self.sysctls, name, value) {
            self.done.output.stderr.push_str(&format!("sysctl: {warning}\n"));
        }
        let written = match value {
            "" => Err(SysctlError::Malformed { name, text: String::new(), wanted: "a value" }),
            _ if self.command.dry => self.sysctls.clone().set(name, value),
            _ => self.sysctls.set(name, value),
        };
        if written.is_ok() && self.sysctls.tcp_tw_recycle == 2 && name == "net.ipv4.tcp_tw_recycle" {
            self.done.output.stderr.push_str(PER_HOST);
        }
        let value = value.to_owned();
        match written {
            Ok(()) if self.command.quiet => {}
            // As the real one: `-N` shows the value too when it is written.
            Ok(()) if self.command.values || self.command.names => self.done.shown.push(Shown::Value(value)),
            Ok(()) => self.done.shown.push(Shown::Setting(called, value)),
            Err(_) if forgiving => {}
            Err(error) => {
                self.done.output.problems.push(Problem::Refused(error.to_string()));
                let reason = match error.errno_name() {
                    "ENOENT" => "No such file or directory",
                    _ => "Invalid argument",
                };
                self.complain(&format!("setting key \"{called}\": {reason}"));
            }
        }
    }

    /// The full name of a setting; says that there is none unless that is to be passed over.
    fn known(&mut self, word: &str, ignore: bool) -> Option<&'static str> {
        let path = path(word);
        let whole = |entry: &&SysctlEntry| entry.is_windows_name() || self::path(entry.name) == path;
        let entry = sysctl::find(&path).filter(whole);
        if entry.is_none() && !ignore {
            self.done.output.problems.push(Problem::Unsupported(format!("the setting `{}`", dotted(word))));
            self.complain(&format!("cannot stat /proc/sys/{path}: No such file or directory"));
        }
        entry.map(|entry| entry.name)
    }

    /// Files one after another; what their patterns mean depends on all of them.
    fn load(&mut self, paths: &[String], files: &dyn Files) {
        let mut lines = Vec::new();
        for path in paths {
            match files.read(path) {
                Ok(text) => {
                    let (read, wrong) = conf::read(&text);
                    lines.extend(read);
                    for number in wrong {
                        let message = format!("sysctl: {path}({number}): invalid syntax, continuing...\n");
                        self.done.output.stderr.push_str(&message);
                    }
                }
                Err(error) => self.cannot_open(path, &error),
            }
        }
        for set in conf::assignments(&lines) {
            self.write(&set.name, set.value, set.forgiving);
        }
    }

    /// What a system reads when it starts: names that are not there are no errors.
    fn system(&mut self, files: &dyn Files) {
        self.ignore = true;
        let mut found = BTreeMap::new();
        for directory in SYSTEM_DIRECTORIES {
            for name in files.list(directory).into_iter().filter(|name| name.ends_with(".conf")) {
                let path = format!("{directory}/{name}");
                found.entry(name).or_insert(path);
            }
        }
        let usual = files.read(USUAL_FILE).is_ok().then(|| USUAL_FILE.to_owned());
        let paths: Vec<String> = found.into_values().chain(usual).collect();
        if !self.command.quiet {
            self.done.progress = paths.iter().map(|path| format!("* Applying {path} ...\n")).collect();
        }
        self.load(&paths, files);
    }

    fn cannot_open(&mut self, path: &str, error: &io::Error) {
        let reason = match error.kind() {
            io::ErrorKind::NotFound => "No such file or directory".to_owned(),
            io::ErrorKind::PermissionDenied => "Permission denied".to_owned(),
            _ => error.to_string(),
        };
        self.complain(&format!("cannot open \"{path}\": {reason}"));
        // A slip of the pen that is older than this program (Q-39).
        if error.kind() == io::ErrorKind::NotFound && path.contains("systcl") {
            let meant = path.replace("systcl", "sysctl");
            self.done.output.stderr.push_str(&format!("sysctl: did you mean \"{meant}\"?\n"));
        }
    }

    fn fits(&self, name: &str) -> bool {
        self.command.pattern.as_ref().is_none_or(|pattern| pattern.is_match(name))
    }

    fn complain(&mut self, message: &str) {
        self.done.output.status = 1;
        self.done.output.stderr.push_str(&format!("sysctl: {message}\n"));
    }
}

/// A name as a path below `/proc/sys`: the separator that comes first divides, the other one is a letter like others.
fn path(word: &str) -> String {
    let swap = |c| match c {
        '.' => '/',
        '/' => '.',
        c => c,
    };
    match word.chars().find(|c| matches!(c, '.' | '/')) {
        Some('.') => word.chars().map(swap).collect(),
        _ => word.trim_start_matches('/').to_owned(),
    }
}

/// A name as it is printed.
fn dotted(word: &str) -> String {
    path(word).chars().map(|c| if c == '/' { '.' } else { c }).collect()
}

#[cfg(test)]
mod tests;
