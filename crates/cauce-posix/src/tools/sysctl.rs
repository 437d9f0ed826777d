//! `sysctl`: reads and writes the settings by name, as procps' tool does (Q-33 to Q-35).
//!
//! Names have dots or slashes and are whole: `tcp_sack` alone names nothing, as under `/proc/sys`. Windows' names
//! (`KeepAliveTime`, with the registry's path or without, and netsh's `congestionprovider`) are known beside them.
//! Each word is done in turn; a wrong one makes the status 1 and does not keep the others from being done.

use cauce_core::sysctl::{self, SysctlEntry, SysctlError, Sysctls};

use super::{Output, Problem};

/// How files named with `-p` are read.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> std::io::Result<String>;

const USAGE: &str = "Usage:\n sysctl [options] [variable[=value] ...]";
/// The file that `-p` reads when none is named.
const USUAL_FILE: &str = "/etc/sysctl.conf";

#[derive(Clone, Copy, Debug, Default)]
struct Options {
    all: bool,
    bare: bool,
    dry: bool,
    ignore: bool,
    load: bool,
    names: bool,
    quiet: bool,
    values: bool,
    write: bool,
}

/// `sysctl [-q] [-w] [-n] [-N] [-b] [-e] [-a] [-p [FILE…]] [NAME | NAME=VALUE]…`.
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
pub fn run(sysctls: &mut Sysctls, arguments: &[&str], read_file: ReadFile<'_>) -> Output {
    let mut words = Vec::new();
    let mut options = Options::default();
    for (at, argument) in arguments.iter().enumerate() {
        if *argument == "--" {
            words.extend(&arguments[at + 1..]);
            break;
        }
        match parse_option(argument, &mut options, &mut words) {
            Ok(()) => {}
            Err(output) => return *output,
        }
    }
    let mut job = Job { sysctls, options, output: Output::default() };
    if options.load {
        if words.is_empty() {
            words.push(USUAL_FILE);
        }
        words.iter().for_each(|path| job.load(path, read_file));
    } else if options.all {
        job.all();
    } else if words.is_empty() {
        return Output::failed(1, USAGE);
    }
    if !options.load {
        words.iter().for_each(|word| job.word(word));
    }
    job.output
}

fn parse_option<'a>(
    argument: &'a str,
    options: &mut Options,
    words: &mut Vec<&'a str>,
) -> Result<(), Box<Output>> {
    let letters = match argument {
        "--all" => "a",
        "--binary" => "b",
        "--dry-run" => {
            options.dry = true;
            return Ok(());
        }
        "--ignore" => "e",
        "--load" => "p",
        "--names" => "N",
        "--quiet" => "q",
        "--values" => "n",
        "--write" => "w",
        _ => match (argument.strip_prefix("--load="), argument.strip_prefix('-')) {
            (Some(path), _) => {
                options.load = true;
                words.push(path);
                return Ok(());
            }
            (_, Some("")) | (_, None) => {
                words.push(argument);
                return Ok(());
            }
            (_, Some(letters)) => letters,
        },
    };
    for (at, letter) in letters.char_indices() {
        match letter {
            'a' | 'A' | 'X' => options.all = true,
            'b' => (options.values, options.bare) = (true, true),
            'e' => options.ignore = true,
            'f' | 'p' => {
                options.load = true;
                let attached = &letters[at + 1..];
                if !attached.is_empty() {
                    words.push(attached);
                }
                break;
            }
            'N' => options.names = true,
            'n' => options.values = true,
            'o' | 'x' => {}
            'q' => options.quiet = true,
            'w' => options.write = true,
            'r' => return Err(Box::new(Output::unsupported("sysctl -r"))),
            _ => {
                let message = format!("sysctl: invalid option -- '{letter}'\n\n{USAGE}");
                return Err(Box::new(Output::failed(1, message)));
            }
        }
    }
    if argument.starts_with("--system") || argument.starts_with("--pattern") {
        return Err(Box::new(Output::unsupported(format!("sysctl {argument}"))));
    }
    Ok(())
}

struct Job<'s> {
    sysctls: &'s mut Sysctls,
    options: Options,
    output: Output,
}

impl Job<'_> {
    fn all(&mut self) {
        let mut names: Vec<_> = sysctl::table().iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        names.into_iter().for_each(|name| self.read(name));
    }

    fn word(&mut self, word: &str) {
        match word.split_once('=') {
            Some((name, value)) if !name.is_empty() => self.write(name, value, false),
            None if !self.options.write => self.read(word),
            _ => self.complain("command line(0): invalid syntax, continuing..."),
        }
    }

    fn read(&mut self, word: &str) {
        let Some(name) = self.known(word, self.options.ignore) else { return };
        match self.sysctls.get(name) {
            Ok(value) => self.print(&dotted(word), &value),
            Err(error) => self.complain(&error.to_string()),
        }
    }

    fn write(&mut self, word: &str, value: &str, forgiving: bool) {
        let Some(name) = self.known(word, self.options.ignore || forgiving) else { return };
        if let Some(warning) = sysctl::windows::warning(self.sysctls, name, value) {
            self.output.stderr.push_str(&format!("sysctl: {warning}\n"));
        }
        let written = match value {
            "" => Err(SysctlError::Malformed { name, text: String::new(), wanted: "a value" }),
            _ if self.options.dry => self.sysctls.clone().set(name, value),
            _ => self.sysctls.set(name, value),
        };
        match written {
            Ok(()) if self.options.quiet => {}
            Ok(()) => self.print(&dotted(word), value),
            Err(_) if forgiving => {}
            Err(error) => {
                self.output.problems.push(Problem::Refused(error.to_string()));
                let reason = match error.errno_name() {
                    "ENOENT" => "No such file or directory",
                    _ => "Invalid argument",
                };
                self.complain(&format!("setting key \"{}\": {reason}", dotted(word)));
            }
        }
    }

    /// The full name of a setting; says that there is none unless that is to be passed over.
    fn known(&mut self, word: &str, ignore: bool) -> Option<&'static str> {
        let name = dotted(word);
        let whole = |entry: &&SysctlEntry| entry.name == name || entry.is_windows_name();
        let entry = sysctl::find(&name).filter(whole);
        if entry.is_none() && !ignore {
            self.output.problems.push(Problem::Unsupported(format!("the setting `{name}`")));
            let path = name.replace('.', "/");
            self.complain(&format!("cannot stat /proc/sys/{path}: No such file or directory"));
        }
        entry.map(|entry| entry.name)
    }

    /// A file of lines `NAME = VALUE`, with comments; a leading `-` forgives the line its errors.
    fn load(&mut self, path: &str, read_file: ReadFile<'_>) {
        let text = match read_file(path) {
            Ok(text) => text,
            Err(error) => {
                let reason = match error.kind() {
                    std::io::ErrorKind::NotFound => "No such file or directory".to_owned(),
                    _ => error.to_string(),
                };
                return self.complain(&format!("cannot open \"{path}\": {reason}"));
            }
        };
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            let (forgiving, line) = match line.strip_prefix('-') {
                Some(line) => (true, line),
                None => (false, line),
            };
            match line.split_once('=') {
                Some((name, value)) if !name.trim().is_empty() => {
                    self.write(name.trim(), value.trim(), forgiving);
                }
                _ => {
                    self.complain(&format!("{path}({}): invalid syntax, continuing...", number + 1));
                }
            }
        }
    }

    fn print(&mut self, name: &str, value: &str) {
        let end = if self.options.bare { "" } else { "\n" };
        let line = match self.options {
            Options { names: true, .. } => format!("{name}{end}"),
            Options { values: true, .. } => format!("{value}{end}"),
            _ => format!("{name} = {value}{end}"),
        };
        self.output.stdout.push_str(&line);
    }

    fn complain(&mut self, message: &str) {
        self.output.status = 1;
        self.output.stderr.push_str(&format!("sysctl: {message}\n"));
    }
}

fn dotted(word: &str) -> String {
    word.replace('/', ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_on(sysctls: &mut Sysctls, arguments: &[&str]) -> Output {
        run(sysctls, arguments, &|_| Err(std::io::ErrorKind::NotFound.into()))
    }

    #[test]
    fn reads_and_writes() {
        let mut sysctls = Sysctls::default();
        let output =
            run_on(&mut sysctls, &["-q", "net.ipv4.tcp_rmem=4096 5000 6000", "net/ipv4/tcp_dsack=0"]);
        assert_eq!(output, Output::default());
        assert_eq!((sysctls.tcp_rmem, sysctls.tcp_dsack), ([4096, 5000, 6000], 0));
        let output = run_on(&mut sysctls, &["net.ipv4.tcp_rmem", "net.ipv4.tcp_dsack"]);
        assert_eq!(output.stdout, "net.ipv4.tcp_rmem = 4096\t5000\t6000\nnet.ipv4.tcp_dsack = 0\n");
        assert_eq!(run_on(&mut sysctls, &["-b", "net.ipv4.tcp_dsack"]).stdout, "0");
        assert_eq!(run_on(&mut sysctls, &["-N", "net.ipv4.tcp_dsack"]).stdout, "net.ipv4.tcp_dsack\n");
        assert!(run_on(&mut sysctls, &["-a"]).stdout.contains("\nnet.ipv4.tcp_rmem = 4096\t5000\t6000\n"));
    }

    /// Q-34: a wrong name or value is told, and the others are done.
    #[test]
    fn errors_are_told_and_do_not_stop() {
        let mut sysctls = Sysctls::default();
        let output =
            run_on(&mut sysctls, &["net.ipv4.nosuch=1", "net.ipv4.tcp_sack=300", "net.ipv4.tcp_sack=0"]);
        assert_eq!((output.status, sysctls.tcp_sack), (1, 0));
        assert_eq!(
            output.stderr,
            "sysctl: cannot stat /proc/sys/net/ipv4/nosuch: No such file or directory\n\
             sysctl: setting key \"net.ipv4.tcp_sack\": Invalid argument\n"
        );
        let [Problem::Unsupported(name), Problem::Refused(why)] = output.problems.as_slice() else {
            panic!("{:?}", output.problems)
        };
        assert_eq!(name, "the setting `net.ipv4.nosuch`");
        assert!(why.contains("`300` is out of range (0 to 255 is allowed)"), "{why}");
        assert_eq!(run_on(&mut sysctls, &["-e", "net.ipv4.nosuch=1"]), Output::default());
        for wrong in
            [&["tcp_sack"][..], &["net.ipv4.tcp_sack="], &["-w", "net.ipv4.tcp_sack", "=", "1"], &[], &["-z"]]
        {
            assert_eq!(run_on(&mut sysctls, wrong).status, 1, "{wrong:?}");
        }
    }

    /// Q-09, Q-60: Windows' names and units.
    #[test]
    fn windows_names_are_known() {
        let mut sysctls = Sysctls::default();
        let path = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\KeepAliveInterval";
        let output = run_on(&mut sysctls, &["KeepAliveTime=120000", &format!("{path}=30"), path]);
        assert_eq!(output.stdout, format!("KeepAliveTime = 120000\n{path} = 30\n{path} = 1000\n"));
        assert!(output.stderr.contains("30 milliseconds are rounded up to 1 s"), "{}", output.stderr);
        assert_eq!((output.status, sysctls.tcp_keepalive_time, sysctls.tcp_keepalive_intvl), (0, 120, 1));
        let output = run_on(&mut sysctls, &["congestionprovider=none", "congestionprovider=fast"]);
        assert_eq!((output.status, sysctls.tcp_congestion_control.as_str()), (1, "reno"));
        let [Problem::Refused(why)] = output.problems.as_slice() else { panic!("{:?}", output.problems) };
        assert_eq!(why, "congestionprovider: `fast` is not a provider: ctcp or none");
    }

    /// Q-33, Q-34: the file of the recipe against TIME-WAIT, with its comments and blanks, is taken whole.
    #[test]
    fn the_recipe_is_taken_whole() {
        const RECIPE: &str = "\t # Disminuir tiempo TIME_WAIT segundos \n\t net.ipv4.tcp_fin_timeout = 30\n\n\
            \t # Activar Reciclar y reusar TIME_WAIT\n\t net.ipv4.tcp_tw_recycle = 1\n\t net.ipv4.tcp_tw_reuse = 1\n\
            \t # Disminuir el KeepAlive\n\t net.ipv4.tcp_keepalive_time = 120\n\
            \t net.ipv4.tcp_keepalive_intvl = 30\n\t net.ipv4.tcp_keepalive_probes = 3\n";
        let mut sysctls = Sysctls::default();
        let output = run(&mut sysctls, &["-p", "/etc/sysctl.conf"], &|_| Ok(RECIPE.to_owned()));
        assert_eq!((output.status, output.stderr.as_str()), (0, ""));
        let told = "net.ipv4.tcp_fin_timeout = 30\nnet.ipv4.tcp_tw_recycle = 1\nnet.ipv4.tcp_tw_reuse = 1\n\
            net.ipv4.tcp_keepalive_time = 120\nnet.ipv4.tcp_keepalive_intvl = 30\nnet.ipv4.tcp_keepalive_probes = 3\n";
        assert_eq!(output.stdout, told);
        let read = ["-n", "net/ipv4/tcp_fin_timeout", "net.ipv4.tcp_tw_recycle", "net.ipv4.tcp_tw_reuse"];
        assert_eq!(run_on(&mut sysctls, &read).stdout, "30\n1\n1\n");
    }

    /// Q-33: a file of settings, with comments and lines that may fail.
    #[test]
    fn files_are_loaded() {
        let mut sysctls = Sysctls::default();
        let text = "# a comment\n; another\nnet.ipv4.tcp_sack = 0\n-net.ipv4.nosuch = 1\n\
                    net/ipv4/tcp_rmem=4096\t5000 6000\ngarbage\n";
        let read = |path: &str| match path {
            "/etc/sysctl.conf" => Ok(text.to_owned()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        };
        let output = run(&mut sysctls, &["-p"], &read);
        assert_eq!(output.stderr, "sysctl: /etc/sysctl.conf(6): invalid syntax, continuing...\n");
        assert_eq!(output.stdout, "net.ipv4.tcp_sack = 0\nnet.ipv4.tcp_rmem = 4096\t5000 6000\n");
        assert_eq!((sysctls.tcp_sack, sysctls.tcp_rmem), (0, [4096, 5000, 6000]));
        let output = run(&mut sysctls, &["-qp", "/nosuch"], &read);
        assert_eq!(output.stderr, "sysctl: cannot open \"/nosuch\": No such file or directory\n");
    }
}
