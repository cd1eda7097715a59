//! The names of providers: `TYPE`, or `TYPE.ID`.

use std::{fmt, str::FromStr};

/// The id of a provider that is named by its type alone.
pub const DEFAULT_ID: &str = "default";

/// The kinds of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProviderType {
    /// A server that speaks S3 and is addressed by path: MinIO and its like.
    Minio,
    /// A server that speaks S3; without an endpoint, AWS itself.
    S3,
    /// A WebDAV server, dCache among them.
    WebDav,
    /// A Onedata provider.
    Onedata,
    /// Rucio.
    Rucio,
    /// A directory of this machine.
    Local,
}

impl ProviderType {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Minio, Self::S3, Self::WebDav, Self::Onedata, Self::Rucio, Self::Local];

    /// The word in a configuration file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minio => "minio",
            Self::S3 => "s3",
            Self::WebDav => "webdav",
            Self::Onedata => "onedata",
            Self::Rucio => "rucio",
            Self::Local => "local",
        }
    }

    /// Whether the store is reached by the protocol of S3.
    #[must_use]
    pub fn speaks_s3(self) -> bool {
        matches!(self, Self::Minio | Self::S3)
    }
}

impl fmt::Display for ProviderType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of a provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProviderName {
    /// The kind of store.
    pub kind: ProviderType,
    /// Its id among those of its kind; [`DEFAULT_ID`] where none is given.
    pub id: String,
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind, self.id)
    }
}

/// A name that is not one of a provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names no storage provider; expected TYPE or TYPE.ID, where TYPE is minio, s3, webdav, onedata, rucio or local"
)]
pub struct NameError(String);

impl FromStr for ProviderName {
    type Err = NameError;

    /// The id begins after the first dot, and may contain others.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let (kind, id) = text.split_once('.').unwrap_or((text, DEFAULT_ID));
        let kind = ProviderType::ALL.into_iter().find(|known| known.as_str() == kind.to_ascii_lowercase());
        match kind.filter(|_| !id.is_empty()) {
            Some(kind) => Ok(Self { kind, id: id.to_owned() }),
            None => Err(NameError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_split_at_its_first_dot() {
        for (text, shown) in [
            ("minio", "minio.default"),
            ("minio.default", "minio.default"),
            ("s3.my.bucket", "s3.my.bucket"),
            ("WebDAV.x", "webdav.x"),
            ("local.2", "local.2"),
        ] {
            assert_eq!(text.parse::<ProviderName>().expect(text).to_string(), shown);
        }
        for text in ["", ".", "s3.", "gopher", "s3 .x", ".s3"] {
            let error = text.parse::<ProviderName>().expect_err(text).to_string();
            assert!(error.contains(&format!("{text:?}")) && error.contains("expected TYPE"), "{error}");
        }
    }
}
