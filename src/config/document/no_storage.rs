//! The keys about object storage in a build without it: whether there are providers.

use bandog_codec::yaml::Node;

/// The keys about object storage.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct StorageKeys {
    /// Whether `storage_providers` has any.
    pub has_providers: bool,
}

impl StorageKeys {
    /// Reads `storage_providers` of `providers`, which is the root of the file.
    pub(super) fn read(_: &Node, providers: &Node) -> Self {
        let node = providers.get("storage_providers").ok().flatten();
        Self { has_providers: node.is_some_and(|node| !node.is_null()) }
    }
}
