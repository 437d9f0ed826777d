//! `cauce drill`: scripts in the packetdrill language, against our stack in virtual time or against the kernel.
//!
//! Results go to stdout and depend on the scripts alone; how long it took goes to stderr. The exit status is 0 when
//! nothing failed: what is unsupported is neither a failure nor a pass, and is counted by itself.

mod args;
mod foreign;

use crate::cli::Cli;
use anyhow::{Context, bail};
pub use args::Args;
use args::Target;
use cauce_drill::against::kernel::{become_root_of_a_namespace, ready};
use cauce_drill::{
    Against, Expectations, Options, Printer, Settings, Summary, list_files, record_file, run_files,
};
use clap::CommandFactory;
use clap::error::ErrorKind;
use std::fs::File;
use std::io::{self, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Runs, lists or records scripts.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let options = options(args)?;
    if let Err(why) = Settings::check(&options.overrides) {
        misused(&why);
    }
    if options.paths.is_empty() {
        misused("scripts are needed, or directories that have some");
    }
    if args.list {
        let names = list_files(&options);
        let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
        crate::print(lines.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    if options.against == Against::Kernel {
        become_root_of_a_namespace().and_then(|()| ready()).map_err(anyhow::Error::msg)?;
    }
    for note in args.foreign.notes() {
        eprintln!("note: {note}");
    }
    if args.record { record(args, &options) } else { play(args, &options) }
}

/// Says what is wrong with the command line, as clap does, and ends.
fn misused(why: &str) -> ! {
    let mut command = Cli::command();
    command.build();
    let command = command.find_subcommand_mut("drill").map(std::mem::take).unwrap_or_default();
    command.clone().error(ErrorKind::ValueValidation, why).exit()
}

fn options(args: &Args) -> anyhow::Result<Options> {
    let given = args.given().unwrap_or_else(|why| misused(&why));
    let against = match (args.against, args.record) {
        (Some(Target::Kernel), _) | (None, true) => Against::Kernel,
        (Some(Target::Core), _) | (None, false) => Against::Core,
    };
    if args.record && given.paths.len() != 1 {
        misused("--record takes one script");
    }
    if args.deaf_to.is_some() && against == Against::Kernel {
        misused("--deaf-to needs our stack: the kernel hears what it is told");
    }
    let expectations = match &args.expect {
        Some(path) => expectations(path)?,
        None => Expectations::default(),
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let usual = if args.verbose { 1 } else { cores };
    let jobs = args.jobs.map_or(usual, NonZero::get);
    // A single job on a terminal may tell what happens as it does; a report in a file comes whole.
    let live = args.verbose && jobs == 1 && args.output.is_none() && args.is_text();
    Ok(Options {
        filters: args.filter.clone(),
        deaf_to: args.deaf_to,
        all_versions: args.all_versions(),
        overrides: given.overrides,
        definitions: given.definitions,
        jobs,
        fail_fast: args.fail_fast,
        expectations,
        pcap: args.pcap.clone(),
        verbose: args.verbose,
        live: live.then_some(print_line),
        ..Options::new(given.paths, against)
    })
}

/// That nobody reads it to the end is told by the report that follows.
fn print_line(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn expectations(path: &Path) -> anyhow::Result<Expectations> {
    let text = std::fs::read_to_string(path).with_context(|| format!("--expect {}", path.display()))?;
    Expectations::parse(&text).map_err(|why| anyhow::anyhow!("--expect {}: {why}", path.display()))
}

/// Stdout, or the file of `--output`.
fn output(args: &Args) -> anyhow::Result<Box<dyn Write + Send>> {
    Ok(match &args.output {
        None => Box::new(io::stdout()),
        Some(path) => {
            Box::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?)
        }
    })
}

fn record(args: &Args, options: &Options) -> anyhow::Result<ExitCode> {
    let path = options.paths.first().context("--record takes one script")?;
    match record_file(path, options) {
        Ok(text) => {
            let written = output(args)?.write_all(text.as_bytes());
            written.or_else(nobody_reads)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(diagnostic) => {
            eprintln!("{diagnostic}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn play(args: &Args, options: &Options) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let mut printer = Printer::new(output(args)?, args.format(), args.verbose);
    let begun = printer.begin();
    // The first trouble with the output; nothing is written after it.
    let state = Mutex::new((printer, begun));
    let summary = run_files(options, |report| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (printer, written) = &mut *state;
        if written.is_ok() {
            *written = printer.report(report);
        }
    });
    let (mut printer, written) = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    written.and_then(|()| printer.end(&summary)).or_else(nobody_reads)?;
    finish(args, options, &summary)?;
    let count = summary.reports.len();
    let plural = if count == 1 { "" } else { "s" };
    eprintln!("{count} script{plural} in {:.2} s", began.elapsed().as_secs_f64());
    Ok(if summary.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// That nobody reads a report to its end is no failure.
fn nobody_reads(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

/// What was asked for and did not happen.
fn finish(args: &Args, options: &Options, summary: &Summary) -> anyhow::Result<()> {
    if summary.reports.is_empty() {
        match args.filter.as_slice() {
            [] => bail!("there is no script: directories are searched for files named *.pkt"),
            globs => bail!("no script matches --filter {}", globs.join(" nor ")),
        }
    }
    let whole = args.filter.is_empty() && !args.fail_fast;
    for glob in options.expectations.unused().into_iter().filter(|_| whole) {
        eprintln!("note: `{glob}` of --expect matches no script");
    }
    Ok(())
}
