//! The keys about object storage: `storage_providers`, `input`, `output`, `isolation_level`, `bucket_list`.
//!
//! They are read here and interpreted in `config::storage`. A mistake in them ends nothing: it is kept in words,
//! with its place, so that all of them are reported at once.

use std::{collections::BTreeMap, fmt};

use bandog_codec::yaml::{LineColumn, Node};

/// The keys about object storage, as they are written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct StorageKeys {
    /// `storage_providers`; `None` without that key.
    pub providers: Option<Vec<ProviderKeys>>,
    /// `input`.
    pub inputs: Vec<PlaceKeys>,
    /// `output`.
    pub outputs: Vec<PlaceKeys>,
    /// `isolation_level`.
    pub isolation_level: Option<String>,
    /// `bucket_list`.
    pub buckets: Vec<String>,
    /// Mistakes, in words.
    pub mistakes: Vec<String>,
}

/// An entry of `storage_providers`.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderKeys {
    /// `TYPE.ID`.
    pub name: String,
    /// Where it stands.
    pub position: LineColumn,
    /// Its keys, and their texts. They contain secrets.
    pub texts: BTreeMap<String, String>,
}

/// An entry of `input` or `output`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceKeys {
    /// Where it stands, in words: `input[0]`.
    pub name: String,
    /// The line and column.
    pub position: LineColumn,
    /// `storage_provider`.
    pub provider: String,
    /// `path`.
    pub path: String,
    /// `prefix`.
    pub prefixes: Vec<String>,
    /// `suffix`.
    pub suffixes: Vec<String>,
}

impl fmt::Debug for ProviderKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderKeys")
            .field("name", &self.name)
            .field("keys", &self.texts.keys())
            .finish_non_exhaustive()
    }
}

impl StorageKeys {
    /// Reads the keys of `function`; `storage_providers` are those of `providers`, which is the root of the file.
    pub(super) fn read(function: &Node, providers: &Node) -> Self {
        let mut keys = Self::default();
        keys.inputs = keys.places(function, "input");
        keys.outputs = keys.places(function, "output");
        keys.isolation_level = keys.text(function, "isolation_level", "isolation_level");
        keys.buckets = keys.texts(function, "bucket_list", "bucket_list");
        if let Some(node) = keys.get(providers, "storage_providers").filter(|node| !node.is_null()) {
            keys.providers = Some(keys.provider_keys(node));
        }
        keys
    }

    fn wrong(&mut self, LineColumn { line, column }: LineColumn, expected: &str) {
        self.mistakes.push(format!("line {line}, column {column}: expected {expected}"));
    }

    /// The value of a key, or a mistake if the node has none.
    fn get<'n>(&mut self, node: &'n Node, key: &str) -> Option<&'n Node> {
        match node.get(key) {
            Ok(found) => found,
            Err(position) => {
                self.wrong(position, &format!("a mapping that has the key {key} at most once"));
                None
            }
        }
    }

    fn text(&mut self, node: &Node, key: &str, path: &str) -> Option<String> {
        match self.get(node, key)?.text() {
            Ok(text) => text.map(str::to_owned),
            Err(position) => {
                self.wrong(position, &format!("text for {path}"));
                None
            }
        }
    }

    /// A list of texts, or one text alone.
    fn texts(&mut self, node: &Node, key: &str, path: &str) -> Vec<String> {
        let Some(node) = self.get(node, key).filter(|node| !node.is_null()) else { return Vec::new() };
        if let Ok(text) = node.text() {
            return text.map(str::to_owned).into_iter().collect();
        }
        let Some(items) = node.items() else {
            self.wrong(node.position(), &format!("a list of texts for {path}"));
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items {
            match item.text() {
                Ok(text) => texts.extend(text.map(str::to_owned)),
                Err(position) => self.wrong(position, &format!("a text in the list {path}")),
            }
        }
        texts
    }

    fn places(&mut self, function: &Node, key: &str) -> Vec<PlaceKeys> {
        let Some(list) = self.get(function, key).filter(|list| !list.is_null()) else { return Vec::new() };
        let Some(items) = list.items() else {
            self.wrong(list.position(), &format!("a list for {key}"));
            return Vec::new();
        };
        let mut places = Vec::new();
        for (index, item) in items.enumerate() {
            let path = |name: &str| format!("{key}[{index}].{name}");
            if item.entries().is_none() {
                self.wrong(item.position(), &format!("a mapping with storage_provider and path for {key}[{index}]"));
                continue;
            }
            let provider = self.text(item, "storage_provider", &path("storage_provider"));
            let place = self.text(item, "path", &path("path"));
            let prefixes = self.texts(item, "prefix", &path("prefix"));
            let suffixes = self.texts(item, "suffix", &path("suffix"));
            if provider.is_none() {
                self.wrong(
                    item.position(),
                    &format!("the key storage_provider in {key}[{index}], as in minio.default"),
                );
            }
            let Some(provider) = provider else { continue };
            let path = place.unwrap_or_default();
            let name = format!("{key}[{index}]");
            places.push(PlaceKeys { name, position: item.position(), provider, path, prefixes, suffixes });
        }
        places
    }

    fn provider_keys(&mut self, node: &Node) -> Vec<ProviderKeys> {
        let mut providers = Vec::new();
        for (kind, _, ids) in self.members(node, "storage_providers") {
            if ids.is_null() {
                continue;
            }
            for (id, key, settings) in self.members(ids, &format!("storage_providers.{kind}")) {
                let name = format!("{kind}.{id}");
                let mut texts = BTreeMap::new();
                for (setting, _, value) in self.members(settings, &format!("storage_providers.{name}")) {
                    match value.text() {
                        Ok(text) => texts.extend(text.map(|text| (setting.to_owned(), text.to_owned()))),
                        // Rucio's has names and passwords below it.
                        Err(_) if setting == "userpass" => {
                            for (part, _, value) in self.members(value, &format!("storage_providers.{name}.userpass")) {
                                let text = value.text().ok().flatten().unwrap_or_default();
                                texts.insert(format!("userpass.{part}"), text.to_owned());
                            }
                        }
                        Err(position) => {
                            self.wrong(position, &format!("text for storage_providers.{name}.{setting}"));
                        }
                    }
                }
                providers.push(ProviderKeys { name, position: key.position(), texts });
            }
        }
        providers
    }

    /// The members of a mapping. Null has none.
    fn members<'n>(&mut self, node: &'n Node, path: &str) -> Vec<(&'n str, &'n Node, &'n Node)> {
        if node.is_null() {
            return Vec::new();
        }
        let Some(entries) = node.entries() else {
            self.wrong(node.position(), &format!("a mapping for {path}"));
            return Vec::new();
        };
        for key in [entries.repeated, entries.nameless, entries.unmerged].concat() {
            self.wrong(key.position(), &format!("each key of {path} once, and text"));
        }
        entries.members
    }
}
