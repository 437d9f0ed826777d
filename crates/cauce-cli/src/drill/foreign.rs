//! Options of other runners, accepted under their own names so that old command lines work.

use cauce_drill::FOREIGN;
use clap::{Arg, ArgMatches, Command, FromArgMatches};

/// Names that the command line has a meaning for.
const OURS: [&str; 2] = ["verbose", "v"];

/// Those that were given.
#[derive(Clone, Debug, Default)]
pub struct Foreign(Vec<&'static cauce_drill::Foreign>);

impl Foreign {
    /// What each of them means here.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|foreign| format!("--{} has no effect here: {}", foreign.name, foreign.why))
    }
}

fn accepted() -> impl Iterator<Item = &'static cauce_drill::Foreign> {
    FOREIGN.iter().filter(|foreign| !OURS.contains(&foreign.name))
}

impl FromArgMatches for Foreign {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Foreign, clap::Error> {
        let given = |foreign: &&cauce_drill::Foreign| {
            matches.value_source(foreign.name) == Some(clap::parser::ValueSource::CommandLine)
        };
        Ok(Foreign(accepted().filter(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Foreign::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for Foreign {
    fn augment_args(command: Command) -> Command {
        accepted().fold(command, |command, foreign| {
            let arg = Arg::new(foreign.name).long(foreign.name).hide(true).action(clap::ArgAction::Append);
            command.arg(if foreign.value {
                arg.num_args(1)
            } else {
                arg.num_args(0..=1).require_equals(true).default_missing_value("")
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Foreign::augment_args(command)
    }
}
