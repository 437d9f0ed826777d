//! One python3 that runs the code of one script after the other.
//!
//! It is started by the first script that has code. One that dies or takes too long is killed, and the next script
//! gets a new one.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

const LOOP: &str = include_str!("python_loop.py");
/// How long the code of one script may take.
const LIMIT: Duration = Duration::from_secs(10);
/// The longest text that is taken from an answer, bytes.
const LONGEST: u64 = 1 << 20;

/// What became of a script's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The block that failed and the line of the script at which it did (0 when that is not known).
    pub failed: Option<(usize, usize)>,
    /// What was raised.
    pub told: String,
    /// What was printed.
    pub printed: String,
}

/// The interpreter, started when it is first needed.
#[derive(Debug)]
pub struct Python {
    alive: Option<Alive>,
    limit: Duration,
}

impl Default for Python {
    fn default() -> Python {
        Python::new()
    }
}

impl Python {
    /// An interpreter that has not been started.
    pub fn new() -> Python {
        Python { alive: None, limit: LIMIT }
    }

    /// True when a script has needed it and it lives.
    #[cfg(test)]
    pub(crate) fn is_running(&self) -> bool {
        self.alive.is_some()
    }

    /// Runs the code of one script.
    ///
    /// # Errors
    /// A sentence: there is no python3, it died, or the code does not end.
    pub(crate) fn run(&mut self, request: &str) -> Result<Answer, String> {
        let alive = match self.alive.take() {
            Some(alive) => alive,
            None => Alive::start().map_err(|error| {
                format!("python3 runs what stands between `%{{` and `}}%`, and cannot be started: {error}")
            })?,
        };
        let (alive, answer) = alive.ask(request, self.limit)?;
        self.alive = Some(alive);
        Ok(answer)
    }
}

/// A process that waits for requests.
#[derive(Debug)]
struct Alive {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<io::Result<Answer>>,
}

impl Alive {
    fn start() -> io::Result<Alive> {
        let mut child = Command::new("python3")
            .args(["-I", "-S", "-c", LOOP])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(requests), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let (found, answers) = channel();
        thread::spawn(move || {
            loop {
                let answer = read_answer(&mut output);
                let over = answer.is_err();
                if found.send(answer).is_err() || over {
                    break;
                }
            }
        });
        Ok(Alive { child, requests, answers })
    }

    /// Consumes the process when it cannot be used again.
    fn ask(mut self, request: &str, limit: Duration) -> Result<(Alive, Answer), String> {
        // A broken pipe means that the process is gone, which the missing answer tells too.
        let _ = self.requests.write_all(&(request.len() as u64).to_le_bytes());
        let _ = self.requests.write_all(request.as_bytes()).and_then(|()| self.requests.flush());
        match self.answers.recv_timeout(limit) {
            Ok(Ok(answer)) => Ok((self, answer)),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("the script's code has not ended after {} s", limit.as_secs_f64()))
            }
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => {
                let status = self.child.wait().map(|status| format!(" ({status})")).unwrap_or_default();
                Err(format!("the script's code ended its interpreter{status}"))
            }
        }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_answer(output: &mut ChildStdout) -> io::Result<Answer> {
    let (place, told, printed) = (read_text(output)?, read_text(output)?, read_text(output)?);
    let failed = match place.split_once(' ') {
        Some((block, line)) => Some((block.parse().map_err(invalid)?, line.parse().map_err(invalid)?)),
        None => None,
    };
    Ok(Answer { failed, told, printed })
}

fn read_text(output: &mut ChildStdout) -> io::Result<String> {
    let mut length = [0; 8];
    output.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut text = vec![0; length as usize];
    output.read_exact(&mut text)?;
    String::from_utf8(text).map_err(invalid)
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(blocks: &str) -> String {
        format!("('t.pkt', {{}}, [{blocks}])")
    }

    #[test]
    fn one_process_serves_many_scripts() {
        let mut python = Python::new();
        assert!(!python.is_running());
        let answer = python.run(&request("(1, 'import os\\nprint(os.getpid())', {})")).unwrap();
        let again = python.run(&request("(1, 'import os\\nprint(os.getpid())', {})")).unwrap();
        assert_eq!(answer.failed, None);
        assert_eq!(answer.printed, again.printed);
    }

    #[test]
    fn scripts_do_not_see_each_others_names() {
        let mut python = Python::new();
        assert_eq!(python.run(&request("(1, 'x = 1', {}), (2, 'assert x == 1', {})")).unwrap().failed, None);
        let answer = python.run(&request("(7, 'assert x', {})")).unwrap();
        assert_eq!(
            (answer.failed, answer.told.as_str()),
            (Some((0, 7)), "NameError: name 'x' is not defined")
        );
    }

    #[test]
    fn what_blocks_read_and_print_stays_out_of_the_conversation() {
        let mut python = Python::new();
        let text = "import os, sys\\nassert sys.stdin.read() == \"\"\\nos.write(1, b\"a\")\\nos.system(\"echo b\")\\nprint(\"c\")";
        let answer = python.run(&request(&format!("(1, '{text}', {{}})"))).unwrap();
        assert_eq!((answer.failed, answer.printed.as_str()), (None, "ab\nc\n"));
        let answer = python.run(&request("(1, 'print(\"d\" * (1 << 20))', {})")).unwrap();
        assert!(answer.printed.ends_with("[more was printed]\n") && answer.printed.len() < 1 << 17);
        assert_eq!(python.run(&request("(1, 'print(1)', {})")).unwrap().printed, "1\n");
    }

    #[test]
    fn an_exit_without_an_error_is_none() {
        let mut python = Python::new();
        let exit = |code: &str| format!("(1, 'import sys; sys.exit({code})', {{}})");
        assert_eq!(python.run(&request(&exit("0"))).unwrap().failed, None);
        assert_eq!(python.run(&request(&exit("3"))).unwrap().told, "SystemExit: 3");
    }

    #[test]
    fn a_dead_or_hanging_process_is_replaced() {
        let mut python = Python::new();
        let error = python.run(&request("(1, 'import os; os._exit(4)', {})")).unwrap_err();
        assert!(error.contains("ended its interpreter") && error.contains('4'), "{error}");
        python.limit = Duration::from_millis(300);
        let error = python.run(&request("(1, 'while True: pass', {})")).unwrap_err();
        assert!(error.contains("has not ended after 0.3 s"), "{error}");
        assert!(!python.is_running());
        python.limit = LIMIT;
        assert_eq!(python.run(&request("(1, 'pass', {})")).unwrap().failed, None);
    }
}
