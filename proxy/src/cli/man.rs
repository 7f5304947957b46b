//! `wald man`: manual pages, made of what `--help` says.

use std::io;
use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_mangen::Man;

use super::{Cli, Exit, Failure, output};

/// Print the manual page, or write the pages of all verbs into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wald man | man -l -
  sudo wald man --to /usr/local/share/man/man1")]
pub(crate) struct Args {
    /// The folder, which must be there: `wald.1`, `wald-run.1` and so on
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
}

pub(crate) fn man(args: &Args) -> Result<Exit, Failure> {
    let command = Cli::command();
    let Some(folder) = &args.to else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page)?;
        output::text(&String::from_utf8_lossy(&page))?;
        return Ok(Exit::Done);
    };
    clap_mangen::generate_to(command, folder).map_err(|error| {
        let told = format!("cannot write pages into {}: {error}", folder.display());
        io::Error::new(error.kind(), told)
    })?;
    Ok(Exit::Done)
}
