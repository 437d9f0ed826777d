//! The program `cauce`: TCP in user space, shown at work.
//!
//! Each subcommand is a room of its own. Results go to stdout, everything that depends on the wall clock to
//! stderr. The exit status is 0 for success, 1 for a failure, 2 for a command line that makes no sense.

mod cli;
mod completions;
mod control;
mod demo;
mod drill;
mod man;
mod nc;
mod network;
mod settings;
mod tools;
mod units;
mod up;

use clap::Parser;
use cli::{Cli, Command};
use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let done = |()| ExitCode::SUCCESS;
    let result = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args).map(done),
        Command::Drill(args) => drill::run(&args),
        Command::Up(args) => up::run(&args).map(done),
        Command::Nc(args) => nc::run(&args).map(done),
        Command::Ss(args) => tools::run("ss", &args),
        Command::Netstat(args) => tools::run("netstat", &args),
        Command::Nstat(args) => tools::run("nstat", &args),
        Command::Sysctl(args) => tools::sysctl(&args),
        Command::Netsh(args) => tools::run("netsh", &args),
        Command::TcpMetrics(args) => tools::metrics(&args),
        Command::Completions(args) => completions::run(&args).map(done),
        Command::Man(args) => man::run(&args).map(done),
    };
    match result {
        Ok(status) => status,
        Err(error) => {
            eprintln!("cauce: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Writes a result to stdout. That nobody reads it to the end is no failure.
fn print(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
