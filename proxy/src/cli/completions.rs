//! `wald completions`: what a shell needs to complete the command line.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Exit, Failure, output};

/// Print a script with which a shell completes `wald`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wald completions bash > ~/.local/share/bash-completion/completions/wald
  wald completions zsh > \"${fpath[1]}/_wald\"
  wald completions fish > ~/.config/fish/completions/wald.fish")]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn completions(args: &Args) -> Result<Exit, Failure> {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    output::text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
