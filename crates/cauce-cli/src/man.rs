//! `cauce man [DIR]`.

use crate::cli::Cli;
use anyhow::Context;
use clap::CommandFactory;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  cauce man | man -l -
  cauce man ~/.local/share/man/man1     writes cauce.1, cauce-demo.1 and so on";

/// What `man` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Write a page for the program and one for each subcommand to this directory, which is made if it is
    /// missing. Without it the program's page goes to stdout.
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// Prints the page, or writes all pages.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let command = Cli::command();
    let Some(directory) = &args.directory else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        return Ok(crate::print(&page)?);
    };
    std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(command, directory))
        .with_context(|| format!("cannot write man pages to {}", directory.display()))
}
