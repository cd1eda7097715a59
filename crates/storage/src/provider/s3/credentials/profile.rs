//! A profile of the shared files: `~/.aws/credentials` and `~/.aws/config`.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use super::{ChainVariables, Keys, missing};
use crate::error::Error;

/// The settings of a profile.
#[derive(Debug, Default)]
pub(super) struct Profile {
    name: String,
    settings: BTreeMap<String, String>,
}

impl Profile {
    /// Reads the profile that the variables name. Without a file it is empty.
    pub(super) fn read(variables: &ChainVariables) -> Result<Self, Error> {
        let named = variables.get("AWS_PROFILE");
        let name = named.unwrap_or("default");
        let path = |variable, file| {
            let home = variables.get("HOME").map(|home| Path::new(home).join(".aws").join(file));
            variables.get(variable).map(PathBuf::from).or(home)
        };
        // The file of keys counts more.
        let mut settings = section(path("AWS_CONFIG_FILE", "config"), name, true)?;
        let keys = section(path("AWS_SHARED_CREDENTIALS_FILE", "credentials"), name, false)?;
        if named.is_some() && settings.is_none() && keys.is_none() {
            return Err(missing(&format!("the shared files have no profile {name:?}, which AWS_PROFILE names")));
        }
        settings.get_or_insert_default().extend(keys.unwrap_or_default());
        Ok(Self { name: name.to_owned(), settings: settings.unwrap_or_default() })
    }

    /// A setting, unless it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The keys, if it has some.
    ///
    /// # Errors
    /// It has them from a source that is not supported.
    pub(super) fn keys(&self) -> Result<Option<Keys>, Error> {
        if let Some((access_key, secret_key)) = self.get("aws_access_key_id").zip(self.get("aws_secret_access_key")) {
            return Ok(Some(Keys {
                access_key: access_key.to_owned(),
                secret_key: secret_key.to_owned(),
                session_token: self.get("aws_session_token").map(str::to_owned),
            }));
        }
        let others = ["credential_process", "sso_session", "sso_start_url", "source_profile", "credential_source"];
        match others.into_iter().find(|other| self.get(other).is_some()) {
            Some(other) => Err(missing(&format!(
                "the profile {:?} has its keys from {other}, which is not supported; expected aws_access_key_id or \
                 web_identity_token_file",
                self.name,
            ))),
            None => Ok(None),
        }
    }
}

/// The settings of a profile in a file; `None` without the file or the profile.
fn section(path: Option<PathBuf>, name: &str, is_config: bool) -> Result<Option<BTreeMap<String, String>>, Error> {
    let Some(path) = path else { return Ok(None) };
    match fs::read_to_string(&path) {
        Ok(text) => Ok(parse(&text, name, is_config)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(missing(&format!("cannot read {}: {error}", path.display()))),
    }
}

/// Sections in brackets, and in them lines `NAME = VALUE`. In the file of settings a profile is `[profile NAME]`.
fn parse(text: &str, name: &str, is_config: bool) -> Option<BTreeMap<String, String>> {
    let mut found = None;
    let mut is_here = false;
    for line in text.lines() {
        // An indented line belongs to a nested setting, and keys have none.
        if line.starts_with([' ', '\t', '#', ';']) || line.is_empty() {
            continue;
        }
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            is_here = is_profile(header.0, name, is_config);
            if is_here {
                found.get_or_insert_with(BTreeMap::new);
            }
        } else if let (true, Some((key, value)), Some(found)) = (is_here, line.split_once('='), found.as_mut()) {
            found.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    found
}

fn is_profile(header: &str, name: &str, is_config: bool) -> bool {
    let header = header.trim();
    let unquoted = |text: &str| text.trim().trim_matches(['"', '\'']) == name;
    match header.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t'])) {
        Some(rest) => is_config && unquoted(rest),
        None => (!is_config || name == "default") && unquoted(header),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "[default]\nregion = eu-west-1\ns3 =\n  addressing_style = path\n\n[profile other]\nregion=x\n\
                          [other]\nregion=wrong\n[profile 'with blank']\nregion = y # no comment\n";

    #[test]
    fn a_profile_has_the_settings_of_its_section() {
        let region = |name, is_config| parse(CONFIG, name, is_config).and_then(|found| found.get("region").cloned());
        assert_eq!(region("default", true).as_deref(), Some("eu-west-1"));
        assert_eq!(region("other", true).as_deref(), Some("x"));
        assert_eq!(region("other", false).as_deref(), Some("wrong"));
        assert_eq!(region("with blank", true).as_deref(), Some("y # no comment"));
        assert_eq!(region("none", true), None);
        let keys = parse("# x\n[default]\r\naws_access_key_id = A\r\nAWS_SECRET_ACCESS_KEY=a=b/c+\n", "default", false);
        let keys = keys.expect("a profile");
        assert_eq!((keys["aws_access_key_id"].as_str(), keys["aws_secret_access_key"].as_str()), ("A", "a=b/c+"));
    }
}
