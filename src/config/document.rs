//! The content of the configuration file, of which a few keys are used: OSCAR's `function_config.yaml`, or its FDL file.
//!
//! The file also contains passwords and keys of storage providers, so no message quotes a value of it.

use bandog_codec::yaml::{LineColumn, Node, YamlError};

mod fdl;
#[cfg(feature = "storage")]
pub mod storage;
#[cfg(not(feature = "storage"))]
#[path = "document/no_storage.rs"]
pub mod storage;

use self::storage::StorageKeys;

/// Bytes of a configuration file. A larger one is another file, and is refused.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// The keys that OSCAR writes for a function. bandog ignores most of them.
const KNOWN: [&str; 42] = [
    "allowed_users",
    "alpine",
    "annotations",
    "bucket_list",
    "cluster_id",
    "clusters",
    "cpu",
    "delegation",
    "enable_gpu",
    "enable_sgx",
    "environment",
    "expose",
    "federation",
    "file_stage_in",
    "image",
    "image_prefetch",
    "image_pull_secrets",
    "image_rules",
    "input",
    "interlink_node_name",
    "isolation_level",
    "labels",
    "log_level",
    "memory",
    "mount",
    "name",
    "namespace",
    "output",
    "owner",
    "replicas",
    "rescheduler_threshold",
    "script",
    "storage_providers",
    "supervisor_version",
    "synchronous",
    "token",
    "total_cpu",
    "total_memory",
    "visibility",
    "vo",
    "volume",
    "workflow",
];

/// A configuration file, and what is odd about it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ReadDocument {
    /// The keys that are used.
    pub document: Document,
    /// Keys that are unknown or have no effect, each in words.
    pub warnings: Vec<String>,
}

/// The keys that are used. Other keys are ignored.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Document {
    /// `name`: the name of the service.
    pub name: Option<String>,
    /// `log_level`.
    pub log_level: Option<String>,
    /// `file_stage_in`: the function fetches its input itself.
    pub file_stage_in: bool,
    /// The keys about object storage.
    pub storage: StorageKeys,
    /// Whether the file is an FDL file, which describes functions of a cluster.
    pub is_fdl: bool,
    /// `script` of an FDL file: a path, or the script itself.
    pub script: Option<String>,
    /// `environment` of an FDL file.
    pub variables: Vec<(String, String)>,
}

/// Why a configuration file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// More than [`MAX_BYTES`].
    #[error("a file of at most 1 MiB")]
    TooLarge,
    /// Bytes that are not UTF-8.
    #[error("YAML in UTF-8; byte {0} is not")]
    Encoding(usize),
    /// An FDL file without a function for OSCAR.
    #[error(
        "a function under functions.oscar, as in functions: {{oscar: [{{CLUSTER: {{name: NAME, script: PATH}}}}]}}"
    )]
    NoFunction,
    /// An FDL file with functions of these names, of which none is chosen.
    #[error("one function, but there are several ({0}); choose one with --service NAME")]
    SeveralFunctions(String),
    /// Not YAML, or not of the expected form.
    #[error(
        "YAML with text for the keys name, log_level and script, and true or false for file_stage_in; see line {line}, \
         column {column}"
    )]
    Yaml {
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: u64,
    },
}

impl From<LineColumn> for DocumentError {
    fn from(LineColumn { line, column }: LineColumn) -> Self {
        Self::Yaml { line, column }
    }
}

impl Document {
    /// Parses a configuration file. An empty one has no keys. `service` chooses among the functions of an FDL file.
    ///
    /// # Errors
    /// It is too large, or not YAML of the expected form, or it has several functions.
    pub fn parse(bytes: &[u8], service: Option<&str>) -> Result<ReadDocument, DocumentError> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(DocumentError::TooLarge);
        }
        let text = str::from_utf8(bytes).map_err(|error| DocumentError::Encoding(error.valid_up_to()))?;
        let root = Node::parse(text).map_err(YamlError::position)?;
        match root.get("functions") {
            Ok(Some(functions)) => fdl::read(&root, functions, service),
            Ok(None) | Err(_) => {
                Ok(ReadDocument { document: Self::of(&root, &root)?, warnings: oddities(&root, &["functions"]) })
            }
        }
    }

    /// The keys of one function. `providers` has the key `storage_providers`.
    fn of(root: &Node, providers: &Node) -> Result<Self, LineColumn> {
        let text = |key| -> Result<_, LineColumn> {
            Ok(root.get(key)?.map(Node::text).transpose()?.flatten().map(str::to_owned))
        };
        Ok(Self {
            name: text("name")?,
            log_level: text("log_level")?,
            file_stage_in: root.get("file_stage_in")?.map(Node::boolean).transpose()?.unwrap_or_default(),
            storage: StorageKeys::read(root, providers),
            ..Self::default()
        })
    }
}

/// A warning for each key of a function that is neither known nor in `others`.
fn oddities(function: &Node, others: &[&'static str]) -> Vec<String> {
    let keys = function.entries().unwrap_or_default().members;
    let is_unknown = |key: &&str| !KNOWN.contains(key) && !others.contains(key) && !key.starts_with("x-");
    let warn = |key: &str| {
        // One letter in four may be wrong.
        let known = KNOWN.into_iter().chain(others.iter().copied());
        let near = known.map(|known| (strsim::osa_distance(known, &key.to_ascii_lowercase()), known)).min();
        let near = near.filter(|(steps, _)| *steps <= key.len() / 4 + 1);
        let advice = near.map(|(_, known)| format!("; did you mean {known}?")).unwrap_or_default();
        format!("unknown key {:?}, ignored{advice}", key.chars().take(SHOWN_KEY).collect::<String>())
    };
    keys.into_iter().map(|(key, ..)| key).filter(is_unknown).take(MOST_ODDITIES).map(warn).collect()
}

/// Characters of a key that a warning shows.
const SHOWN_KEY: usize = 60;

/// Warnings about one file. A file of many unknown keys is another file.
const MOST_ODDITIES: usize = 20;

#[cfg(test)]
mod tests;
