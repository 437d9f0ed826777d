//! The part of the shell's language that is understood without a shell.
//!
//! A suite of scripts runs the same few settings before each of them, in a file of commands. To read these costs
//! microseconds, to start a shell milliseconds. Read is a sequence of simple commands with `;`, line ends, `&&` and
//! `||`, quotes, comments, `$((…))` over numbers, output that is dropped, and files that consist of the same.
//! Whatever else stands there, a variable, a pipe, a pattern, makes the whole text the shell's: nothing is guessed,
//! and nothing has run before that is known.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::lexer::{End, Lexer, Simple, Stream};

/// Files inside files that are followed.
const DEEPEST: usize = 8;
/// The largest file of commands that is read here.
const LARGEST: u64 = 64 * 1024;

/// A sequence of commands.
pub(super) type List = Vec<Step>;

/// A command and the condition under which it runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub condition: Condition,
    pub action: Action,
    /// Where what it prints goes.
    pub stdout: Stream,
    pub stderr: Stream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// Behind `;` or a line end.
    Always,
    /// Behind `&&`.
    IfDone,
    /// Behind `||`.
    IfFailed,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// `true`, `:`.
    Succeed,
    /// `false`.
    Fail,
    /// A tool and its arguments.
    Tool(Vec<String>),
    /// What a file holds.
    File(List),
}

/// What may stand in a text and still be understood.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    /// Tools that are answered here.
    pub tools: &'a [&'a str],
    /// Where relative paths start.
    pub directory: &'a Path,
    /// The text is bash's and not a smaller shell's.
    pub bash: bool,
}

impl Reader<'_> {
    /// The commands of a text; `None` when only a shell understands it.
    pub fn read(&self, text: &str) -> Option<List> {
        self.list(text, 0)
    }

    fn list(&self, text: &str, depth: usize) -> Option<List> {
        let mut steps = Vec::new();
        let mut words = Lexer::new(text);
        let mut condition = Condition::Always;
        loop {
            let simple = words.command()?;
            match (simple.words.is_empty(), simple.redirected) {
                // Nothing may follow && and || but a command, on this line or on a later one.
                (true, false) if condition == Condition::Always => {}
                (true, false) if simple.end == End::Line => continue,
                (true, _) => return None,
                (false, _) => {
                    let action = self.action(&simple.words, depth)?;
                    let Simple { stdout, stderr, .. } = simple;
                    steps.push(Step { condition, action, stdout, stderr });
                }
            }
            condition = match (simple.end, simple.words.is_empty()) {
                (End::Text, _) => return Some(steps),
                (End::Line, _) => Condition::Always,
                // What an operator ends is a command.
                (_, true) => return None,
                (End::Semicolon, false) => Condition::Always,
                (End::And, false) => Condition::IfDone,
                (End::Or, false) => Condition::IfFailed,
            };
        }
    }

    fn action(&self, words: &[String], depth: usize) -> Option<Action> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["true" | ":", ..] => Some(Action::Succeed),
            ["false", ..] => Some(Action::Fail),
            [".", path] => self.file(path, false, self.bash, depth),
            ["source", path] if self.bash => self.file(path, false, true, depth),
            ["sh", path] => self.file(path, false, false, depth),
            ["bash", path] => self.file(path, false, true, depth),
            [path] if path.contains('/') => self.file(path, true, self.bash, depth),
            [tool, ..] if self.tools.contains(tool) => {
                Some(Action::Tool(words.iter().map(|word| (*word).to_owned()).collect()))
            }
            _ => None,
        }
    }

    /// The commands of a file. One that is executed must be a script of a shell, and executable.
    fn file(&self, path: &str, executed: bool, bash: bool, depth: usize) -> Option<Action> {
        if depth == DEEPEST || !path.contains('/') {
            return None;
        }
        let path = self.directory.join(path);
        let known = fs::metadata(&path).ok()?;
        if !known.is_file() || known.len() > LARGEST || executed && known.permissions().mode() & 0o111 == 0 {
            return None;
        }
        let text = fs::read_to_string(&path).ok()?;
        let bash = match text.lines().next().and_then(|line| line.strip_prefix("#!")) {
            Some(shell) if executed => match shell.trim() {
                "/bin/sh" | "/usr/bin/sh" => false,
                "/bin/bash" | "/usr/bin/bash" | "/usr/bin/env bash" => true,
                _ => return None,
            },
            _ => bash,
        };
        Reader { bash, ..*self }.list(&text, depth + 1).map(Action::File)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<List> {
        let reader = Reader { tools: &["sysctl", "ip"], directory: Path::new("/nonexistent"), bash: true };
        reader.read(text)
    }

    fn words(text: &str) -> Vec<Vec<String>> {
        let steps = read(text).unwrap_or_else(|| panic!("not understood: {text}"));
        let words = steps.into_iter().map(|step| match step.action {
            Action::Tool(words) => words,
            other => vec![format!("{other:?}")],
        });
        words.collect()
    }

    #[test]
    fn words_are_the_shells() {
        for (text, wanted) in [
            ("sysctl -q a=1", &["sysctl", "-q", "a=1"][..]),
            ("sysctl a=\"4096 5000  6000\"", &["sysctl", "a=4096 5000  6000"]),
            ("sysctl 'a=x$y' \"b\\\"c\" d\\ e \"\"", &["sysctl", "a=x$y", "b\"c", "d e", ""]),
            ("sysctl a=\"4096 $((256*1024)) $(( (1 + 2)*3 ))\"", &["sysctl", "a=4096 262144 9"]),
            ("sysctl a=$(((1+2)))#b # a comment", &["sysctl", "a=3#b"]),
            ("sysctl \\\n  a=1", &["sysctl", "a=1"]),
            ("  # only a comment\n\n\tsysctl a\n", &["sysctl", "a"]),
            ("sysctl a > /dev/null 2>&1", &["sysctl", "a"]),
            ("sysctl \"a\\b\"", &["sysctl", "a\\b"]),
        ] {
            assert_eq!(words(text), [wanted], "{text}");
        }
    }

    #[test]
    fn conditions_and_streams() {
        let steps =
            read("sysctl a; sysctl b && sysctl c ||\nsysctl d >/dev/null 2>&1 &&\n\n: 2>&1 >/dev/null")
                .unwrap();
        let seen: Vec<_> = steps.iter().map(|step| (step.condition, step.stdout, step.stderr)).collect();
        use {Condition::*, Stream::*};
        assert_eq!(
            seen,
            [
                (Always, Stdout, Stderr),
                (Always, Stdout, Stderr),
                (IfDone, Stdout, Stderr),
                (IfFailed, Dropped, Dropped),
                (IfDone, Dropped, Stdout),
            ]
        );
        assert_eq!(read(""), Some(Vec::new()));
    }

    /// What is not understood exactly is left to a shell, as a whole.
    #[test]
    fn the_rest_is_the_shells() {
        for text in [
            "rm -rf /",
            "sysctl $x",
            "sysctl `x`",
            "sysctl a | cat",
            "sysctl a & ",
            "sysctl a &",
            "sysctl *",
            "sysctl [a]",
            "sysctl {a,b}",
            "sysctl ~",
            "sysctl \"$x\"",
            "sysctl \"`x`\"",
            "sysctl $((x))",
            "sysctl $(x)",
            "x=1 sysctl a",
            "x=1",
            "sysctl a > file",
            "sysctl a >/dev/nullx",
            "sysctl a < file",
            "sysctl 'a",
            "sysctl \"a",
            "sysctl a\\",
            "(sysctl a)",
            "{ sysctl a; }",
            "if true; then sysctl a; fi",
            "! true",
            "sysctl a;;",
            "&& true",
            "; true",
            "true && ; true",
            "true &&",
            "> /dev/null",
            "sysctl a &> /dev/null",
            "sysctl a 3>/dev/null",
            "set -e; sysctl a",
            ". ./no_such_file",
            "sysctl a\r\n",
            "sysctl $((1/0))",
            "time sysctl a",
            "sysctl a 2>&13",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn files_of_commands_are_followed() {
        let directory = std::env::temp_dir().join(format!("cauce-language-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let put = |name: &str, text: &str, mode: u32| {
            fs::write(directory.join(name), text).unwrap();
            fs::set_permissions(directory.join(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        put("defaults.sh", "#!/bin/sh\n# settings\nsysctl a\nsysctl b\n", 0o755);
        put("plain", "sysctl a", 0o644);
        put("python", "#!/usr/bin/env python3\n", 0o755);
        put("loop.sh", ". ./loop.sh", 0o755);
        put("strict.sh", "#!/bin/sh -e\nsysctl a", 0o755);
        let reader = Reader { tools: &["sysctl"], directory: &directory, bash: true };
        for text in
            ["./defaults.sh", ". ./defaults.sh", "source ./defaults.sh", "sh ./defaults.sh", ". ./plain"]
        {
            let steps = reader.read(text).unwrap_or_else(|| panic!("{text}"));
            assert!(
                matches!(&steps[..], [Step { action: Action::File(inner), .. }] if !inner.is_empty()),
                "{text}"
            );
        }
        for text in ["./plain", "./python", ". ./loop.sh", "./strict.sh", ". defaults.sh", "./defaults.sh x"]
        {
            assert_eq!(reader.read(text), None, "{text}");
        }
        fs::remove_dir_all(&directory).unwrap();
    }

    /// What the list prints and how it ends when its only tool, `tool`, prints its words.
    fn played(list: &List, status: &mut i32, printed: &mut String) {
        for step in list {
            let wanted = match step.condition {
                Condition::Always => true,
                Condition::IfDone => *status == 0,
                Condition::IfFailed => *status != 0,
            };
            match &step.action {
                _ if !wanted => {}
                Action::Succeed => *status = 0,
                Action::Fail => *status = 1,
                Action::File(inner) => played(inner, status, printed),
                Action::Tool(words) => {
                    *status = 0;
                    if step.stdout == Stream::Stdout {
                        printed.extend(words[1..].iter().map(|word| format!("<{word}>")));
                        printed.push('\n');
                    }
                }
            }
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

        /// A text that is understood means what it means to bash.
        #[test]
        fn bash_agrees(parts in proptest::collection::vec(proptest::sample::select(&[
            "tool ", "tool ", "tool", " a", "b=1", "'c d'", "\"e\\\"f\\g\"", "\\\n", "\\ ", " ", ";", "; ", "\n", " && ",
            " || ", "true", "false ", ": ", "#", " # ", "$((1+2*3))", "\"$(( (7-3) / 2 ))\"", " >/dev/null", " 2>/dev/null ",
            " 2>&1", " >&2", "1", "0x1F", "'", "\"", "\"\"", ".", "%", "^", "@", ",", "é",
        ][..]), 1..9)) {
            let text = parts.concat();
            let reader = Reader { tools: &["tool"], directory: Path::new("/nonexistent"), bash: true };
            let Some(list) = reader.read(&text) else { return Ok(()) };
            let (mut status, mut printed) = (0, String::new());
            played(&list, &mut status, &mut printed);
            let whole = format!("tool() {{ [ $# = 0 ] || printf '<%s>' \"$@\"; echo; }}\n{text}");
            let Ok(output) = std::process::Command::new("/bin/bash").args(["-c", &whole]).output() else { return Ok(()) };
            proptest::prop_assert_eq!(String::from_utf8_lossy(&output.stdout), printed, "{:?}", text);
            proptest::prop_assert_eq!(output.status.code(), Some(status), "{:?}", text);
        }
    }
}
