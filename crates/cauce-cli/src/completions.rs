//! `cauce completions SHELL`.

use crate::cli::Cli;
use clap::CommandFactory;
use clap_complete::Shell;

const EXAMPLES: &str = "\
Examples:
  cauce completions bash > ~/.local/share/bash-completion/completions/cauce
  cauce completions zsh > ~/.zfunc/_cauce
  cauce completions fish > ~/.config/fish/completions/cauce.fish";

/// What `completions` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The shell to complete for.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the completions.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "cauce", &mut script);
    Ok(crate::print(&script)?)
}
