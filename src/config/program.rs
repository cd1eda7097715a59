//! Finds the program of a command line, as a shell would.

use std::{
    env::split_paths,
    ffi::{OsStr, OsString},
    path::{self, Path, PathBuf},
};

use rustix::fs::{Access, access};

use super::report::{Mistake, Origin};
use crate::{
    invocation::{Command, check_exists},
    platform::{Environment, non_empty},
};

/// The search path without `PATH`: the one that container engines set.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The command of a command line. The program sees itself under the name that it was given by.
///
/// `setting` is what a mistake is about, and `kind` the [`Command::origin`].
pub(super) fn command(
    environment: &Environment,
    words: &[OsString],
    setting: &str,
    kind: &'static str,
    origin: &Origin,
) -> Result<Command, Mistake> {
    let name = words.first().map_or(OsStr::new(""), OsString::as_os_str);
    find(environment, name)
        .and_then(|file| Command::runnable(&file, words, kind))
        .map_err(|advice| if words.len() == 1 { in_one_word(name).unwrap_or(advice) } else { advice })
        .map_err(|advice| Mistake::new(setting, Some(name), origin.clone(), advice))
}

/// What to do about a whole command line in one word, as a shell or Docker's `CMD "…"` would take it.
fn in_one_word(word: &OsStr) -> Option<String> {
    let text = word.to_str().filter(|text| text.trim().contains(char::is_whitespace) && !Path::new(word).exists())?;
    let quoted = shell_words::quote(text);
    Some(match shell_words::split(text) {
        // Nothing in it needs a shell.
        Ok(words) if !text.contains(['|', '&', ';', '<', '>', '$', '*', '`']) => {
            format!(
                "no program has this name, and no shell is involved: -- {}, or for a shell -- sh -c {quoted}",
                shell_words::join(words)
            )
        }
        _ => format!("no program has this name, and no shell is involved: -- sh -c {quoted}"),
    })
}

/// The file that `name` means: itself if it contains a slash, else the first executable of that name in `PATH`.
pub(super) fn find(environment: &Environment, name: &OsStr) -> Result<PathBuf, String> {
    if name.is_empty() {
        return Err("the command is empty".to_owned());
    }
    let absolute = |file: &Path| path::absolute(file).map_err(|error| format!("cannot be found: {error}"));
    if name.as_encoded_bytes().contains(&b'/') {
        let file = Path::new(name);
        check_exists(file)?;
        if access(file, Access::EXEC_OK).is_err() {
            return Err("cannot be executed; chmod +x it, or run it by its interpreter".to_owned());
        }
        return absolute(file);
    }
    let search = non_empty(environment, "PATH").unwrap_or(OsStr::new(DEFAULT_PATH));
    let mut without_permission = None;
    for file in split_paths(search).map(|directory| directory.join(name)).filter(|file| file.is_file()) {
        if access(&file, Access::EXEC_OK).is_ok() {
            return absolute(&file);
        }
        without_permission.get_or_insert(file);
    }
    Err(match without_permission {
        Some(file) => format!("found at {}, which cannot be executed; chmod +x it", file.display()),
        None => format!("not found in PATH ({}); install it in the image or give its path", search.display()),
    })
}
