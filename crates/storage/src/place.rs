//! The places that the configuration names: inputs and outputs with their filters, and the private buckets of users.

use crate::{
    name::{ProviderName, ProviderType},
    object::ObjectPath,
};

/// An input or output: a folder of a store, and the files there that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The store.
    pub provider: ProviderName,
    /// The bucket, and the folder in it as the key: `bucket/folder`. Slashes at its end count for nothing.
    pub path: ObjectPath,
    /// The files that it is for.
    pub filter: Filter,
}

/// The beginnings and ends of the files that a place is for. Both are compared with the path below the place or below the
/// output directory, as the program that bandog replaces does it: the prefix `result-` takes `result-1.txt`, and not
/// `sub/result-1.txt`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// A file begins with one of these; with anything if there are none.
    pub prefixes: Vec<String>,
    /// A file ends with one of these; with anything if there are none.
    pub suffixes: Vec<String>,
}

/// A configured provider, as far as it decides which events it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownProvider {
    /// Its name.
    pub name: ProviderName,
    /// The space of a Onedata provider. The paths of its inputs and outputs are below it.
    pub space: Option<String>,
}

/// The part of the configuration that says where objects come from and where they go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    /// The inputs.
    pub inputs: Vec<Place>,
    /// The outputs.
    pub outputs: Vec<Place>,
    /// The providers.
    pub providers: Vec<KnownProvider>,
    /// The private buckets of users.
    pub isolation: Isolation,
    /// Whether an output may be below an input, for users who filter by suffix.
    pub allows_loops: bool,
}

/// The private buckets of users. An event of one of them stands for one of the shared bucket, and the outputs of its run go
/// back to the private bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Isolation {
    buckets: Vec<String>,
}

/// A level of isolation that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("isolation_level {0:?} does not exist; expected SERVICE or USER")]
pub struct IsolationError(String);

impl Filter {
    /// Whether it takes the file of this path.
    #[must_use]
    pub fn takes(&self, path: &[u8]) -> bool {
        (self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| path.starts_with(prefix.as_bytes())))
            && (self.suffixes.is_empty() || self.suffixes.iter().any(|suffix| path.ends_with(suffix.as_bytes())))
    }

    /// Whether there can be a path that both take. Two prefixes have one in common if one begins with the other, and
    /// suffixes likewise; the longer prefix followed by the longer suffix is then such a path.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        any_pair(&self.prefixes, &other.prefixes, |a, b| a.starts_with(b))
            && any_pair(&self.suffixes, &other.suffixes, |a, b| a.ends_with(b))
    }
}

/// Whether a text of one list fits one of the other, in either direction. An empty list fits everything.
fn any_pair(ours: &[String], theirs: &[String], fits: fn(&str, &str) -> bool) -> bool {
    ours.is_empty()
        || theirs.is_empty()
        || ours.iter().any(|ours| theirs.iter().any(|theirs| fits(ours, theirs) || fits(theirs, ours)))
}

impl Place {
    /// The folder without the slashes at its end; empty for the whole bucket.
    #[must_use]
    pub fn folder(&self) -> &str {
        self.path.key.trim_end_matches('/')
    }

    /// Bucket and folder as one path, for a store that need not have buckets; empty for the whole store.
    #[must_use]
    pub fn whole_path(&self) -> String {
        joined(&self.path).trim_end_matches('/').to_owned()
    }

    /// The object that the file `path` below it is.
    #[must_use]
    pub fn object(&self, path: &str) -> ObjectPath {
        let folder = self.folder();
        let key = if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") };
        ObjectPath::new(self.path.bucket.clone(), key)
    }
}

/// The part of `key` below `folder`, if it is there. Segments are compared as a whole: `a` does not contain `ab/x`.
#[must_use]
pub fn below<'k>(folder: &str, key: &'k str) -> Option<&'k str> {
    if folder.is_empty() { Some(key) } else { key.strip_prefix(folder)?.strip_prefix('/') }
}

/// Bucket and key as one path, for a store that need not have buckets.
#[must_use]
pub fn joined(path: &ObjectPath) -> String {
    if path.bucket.is_empty() { path.key.clone() } else { path.to_string() }
}

impl Isolation {
    /// The isolation of this level, in any case: `USER` with these private buckets; `SERVICE`, or nothing, with none.
    ///
    /// # Errors
    /// There is no such level.
    pub fn new(level: &str, buckets: Vec<String>) -> Result<Self, IsolationError> {
        match level.to_ascii_uppercase().as_str() {
            "USER" => Ok(Self { buckets }),
            "SERVICE" | "" => Ok(Self::default()),
            _ => Err(IsolationError(level.to_owned())),
        }
    }

    /// The private buckets.
    #[must_use]
    pub fn buckets(&self) -> &[String] {
        &self.buckets
    }

    /// Whether `bucket` is private to a user, and stands for the bucket of `input`.
    #[must_use]
    pub fn stands_for(&self, bucket: &str, input: &Place) -> bool {
        input.provider.kind == ProviderType::Minio && self.buckets.iter().any(|private| private == bucket)
    }

    /// The bucket that `output` has in a run for an event of `event_bucket`. That is the private bucket of the event if the
    /// provider is of the type `minio` and the path has a folder. A path without one stays as it is, as in the program that
    /// bandog replaces.
    #[must_use]
    pub fn bucket_of<'b>(&self, output: &'b Place, event_bucket: Option<&'b str>) -> &'b str {
        match event_bucket {
            Some(private) if !output.folder().is_empty() && self.stands_for(private, output) => private,
            _ => &output.path.bucket,
        }
    }
}

#[cfg(test)]
mod tests;
