//! The demo: a service with TLS and tokens as in production, but with a throw-away CA and issuer in a directory of its own. Nothing
//! of it is accepted in production.

mod certificates;
mod directory;
mod error;
mod issuer;
mod people;
mod session;

use std::path::{Path, PathBuf};

use self::directory::{Access, Directory};
use self::error::DemoError;
use self::issuer::Issuer;
use self::people::PEOPLE;
use super::exit::ExitError;
use crate::domain::Timestamp;

pub(super) use session::Session;

/// The configuration file of the demo.
const CONFIGURATION: &str = "cmgate.toml";
/// The directory of its profile template.
const TEMPLATES: &str = "templates";
const TEMPLATE: &str = "templates/demo.toml";

/// A demo that is ready to be started.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Its configuration file.
    pub(super) configuration: PathBuf,
    /// What the banner shows.
    pub(super) session: Session,
}

/// Makes the files of the demo: those that exist and remain valid are reused, tokens are always new.
pub(super) fn prepare(path: &Path, now: Timestamp) -> Result<Prepared, ExitError> {
    Ok(prepare_files(path, now)?)
}

fn prepare_files(path: &Path, now: Timestamp) -> Result<Prepared, DemoError> {
    let directory = Directory::open(path)?;
    certificates::ensure(&directory, now)?;
    let issuer = Issuer::open(&directory)?;
    for person in &PEOPLE {
        let token = issuer.token(person, now)?;
        directory.write(&session::token_file(person), &format!("{token}\n"), Access::Secret)?;
    }
    directory.make(TEMPLATES)?;
    directory.write(TEMPLATE, include_str!("template.toml"), Access::Public)?;
    let place = directory.path().to_string_lossy();
    let configuration = include_str!("configuration.toml").replace("{directory}", &escaped(&place));
    directory.write(CONFIGURATION, &configuration, Access::Public)?;
    Ok(Prepared {
        configuration: directory.path().join(CONFIGURATION),
        session: Session { directory: directory.path().to_owned() },
    })
}

/// The text within the quotes of a TOML string.
fn escaped(text: &str) -> String {
    let escape = |character: char| match character {
        '"' | '\\' => format!("\\{character}"),
        control if control.is_control() => format!("\\u{:04X}", u32::from(control)),
        other => other.to_string(),
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests;
