//! The keys of one provider, taken one after the other, so that those which are left over can be named.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use bandog_storage::{
    ProviderName, Secret,
    http::{Endpoint, Trust},
};

use crate::config::document::storage::ProviderKeys;

/// The keys of one provider.
pub(super) struct Keys<'k> {
    given: &'k ProviderKeys,
    /// The directory of its secrets.
    secrets: PathBuf,
    used: BTreeSet<&'static str>,
    /// Mistakes, in words.
    pub(super) mistakes: Vec<String>,
}

impl<'k> Keys<'k> {
    pub(super) fn new(keys: &'k ProviderKeys, name: &ProviderName, secrets: &Path) -> Self {
        Self { given: keys, secrets: secrets.join(name.to_string()), used: BTreeSet::new(), mistakes: Vec::new() }
    }

    /// The place of the provider, for messages. No message quotes a value: it may be a secret.
    pub(super) fn wrong(&mut self, text: &str) {
        let (line, column) = (self.given.position.line, self.given.position.column);
        self.mistakes.push(format!("line {line}, column {column}: storage_providers.{}: {text}", self.given.name));
    }

    /// The text of a key, if it has one that is not empty.
    pub(super) fn text(&mut self, key: &'static str) -> Option<&'k str> {
        self.used.insert(key);
        self.given.texts.get(key).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    /// The text of a key that must be there.
    pub(super) fn needed(&mut self, key: &'static str, example: &str) -> Option<&'k str> {
        let text = self.text(key);
        if text.is_none() {
            self.wrong(&format!("expected the key {key}, as in {example}"));
        }
        text
    }

    /// A key or a password: the file of the platform if it is there, else the text, else the file, which may come later.
    pub(super) fn secret(&mut self, key: &'static str, file: &str) -> Secret {
        self.given_secret(key, file).unwrap_or_else(|| Secret::File(self.secrets.join(file)))
    }

    /// The same where there need not be one.
    pub(super) fn given_secret(&mut self, key: &'static str, file: &str) -> Option<Secret> {
        let text = self.text(key).map(|text| Secret::Value(text.to_owned()));
        let path = self.secrets.join(file);
        if path.exists() { Some(Secret::File(path)) } else { text }
    }

    /// Whether there is any of these keys, or a file with one of these secrets.
    pub(super) fn has_any(&self, keys: &[&str], files: &[&str]) -> bool {
        keys.iter().any(|key| self.given.texts.get(*key).is_some_and(|text| !text.trim().is_empty()))
            || files.iter().any(|file| self.secrets.join(file).exists())
    }

    pub(super) fn switch(&mut self, key: &'static str, default: bool) -> bool {
        match self.text(key) {
            None => default,
            Some(text) if text.eq_ignore_ascii_case("true") => true,
            Some(text) if text.eq_ignore_ascii_case("false") => false,
            Some(_) => {
                self.wrong(&format!("expected true or false for {key}"));
                default
            }
        }
    }

    /// `verify` and `ca_file`.
    pub(super) fn trust(&mut self) -> Trust {
        Trust { verify: self.switch("verify", true), ca_file: self.text("ca_file").map(PathBuf::from) }
    }

    /// An address, if it is one.
    pub(super) fn endpoint(&mut self, key: &str, url: &str) -> Option<Endpoint> {
        match Endpoint::parse(url) {
            Ok(endpoint) => Some(endpoint),
            Err(_) if url.contains(['@', '?']) => {
                self.wrong(&format!("{key}: an address has no user, no password and no query"));
                None
            }
            Err(error) => {
                self.wrong(&format!("{key}: {error}"));
                None
            }
        }
    }

    /// Names keys that the provider has, whether or not they are used here.
    pub(super) fn are_known(&mut self, keys: &[&'static str]) {
        self.used.extend(keys);
    }

    /// The keys that were not asked for.
    pub(super) fn left(&self) -> Vec<&'k str> {
        self.given.texts.keys().map(String::as_str).filter(|key| !self.used.contains(key)).collect()
    }
}
