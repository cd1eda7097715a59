//! `--config`: finds the configuration file, and gives its values to the reader.

use std::{ffi::OsString, path::Path};

use super::{
    document::{self, Document, ReadDocument, storage::StorageKeys},
    reader::{RawValue, Reader, read_bounded},
    report::Origin,
    setting,
};
use crate::platform::non_empty;

/// The key of an FDL file that names the script, or contains it.
pub(super) const SCRIPT_KEY: &str = "script";

/// The variable that contains the file in base64.
const VARIABLE: &str = "FUNCTION_CONFIG";

/// The keys of the file that are not settings.
#[derive(Debug)]
pub(super) struct ConfigFile {
    /// The path of the file, or the variable that contains it.
    pub(super) name: String,
    /// `file_stage_in`: the function fetches its input itself.
    pub(super) file_stage_in: bool,
    /// The keys about object storage.
    pub(super) storage: StorageKeys,
    /// Whether it is an FDL file.
    pub(super) is_fdl: bool,
    /// The variables of an FDL file.
    pub(super) variables: Vec<(String, String)>,
}

/// Reads the file, if there is one: the named one, the one that OSCAR mounts, or the one in a variable.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<ConfigFile> {
    let setting = &setting::CONFIG;
    let mounted = &reader.sources.paths.config;
    let (bytes, raw) = if let Some(raw) = reader.raw(setting) {
        let bytes = read_bounded(raw.value.as_ref(), document::MAX_BYTES);
        (bytes.map_err(|advice| format!("{advice}; give the path of a YAML file, or leave --config out")), raw)
    } else if mounted.symlink_metadata().is_ok() {
        let raw = RawValue { value: mounted.clone().into(), origin: Origin::Default };
        (read_bounded(mounted, document::MAX_BYTES), raw)
    } else if let Some(encoded) = non_empty(&reader.sources.environment, VARIABLE) {
        let decoded = base64_simd::forgiving_decode_to_vec(encoded.as_encoded_bytes());
        let raw = RawValue { value: "(YAML in base64)".into(), origin: Origin::Variable(VARIABLE.to_owned()) };
        (decoded.map_err(|_| "expected YAML in base64".to_owned()), raw)
    } else {
        reader.note_unset(setting);
        return None;
    };
    reader.note(setting, raw.value.to_string_lossy(), raw.origin.clone());
    let name = match &raw.origin {
        Origin::Variable(name) if name == VARIABLE => name.clone(),
        _ => raw.value.to_string_lossy().into_owned(),
    };
    // A flag or a variable chooses among the functions of an FDL file.
    let wanted = reader.raw(&setting::SERVICE).map(|raw| raw.text());
    let document =
        bytes.and_then(|bytes| Document::parse(&bytes, wanted.as_deref()).map_err(|error| format!("expected {error}")));
    let file = raw.value.clone();
    let ReadDocument { document, warnings } = reader.accept(setting, Some(raw), document)?;
    reader.warnings.extend(warnings.into_iter().map(|warning| format!("{name}: {warning}")));
    let Document { name: service, log_level, file_stage_in, storage, is_fdl, script, variables } = document;
    let script = script.map(|script| if is_inline(&script) { script.into() } else { beside(file.as_ref(), &script) });
    let origin = Origin::File { key: SCRIPT_KEY, file: name.clone() };
    reader.file.extend(script.map(|value| (SCRIPT_KEY, RawValue { value, origin })));
    for (key, value) in [("name", service), ("log_level", log_level)] {
        let origin = Origin::File { key, file: name.clone() };
        reader.file.extend(value.map(|value| (key, RawValue { value: value.into(), origin })));
    }
    Some(ConfigFile { name, file_stage_in, storage, is_fdl, variables })
}

/// Whether the `script` of an FDL file is the script itself, and not its path.
pub(super) fn is_inline(script: &str) -> bool {
    script.starts_with("#!") || script.trim_end().contains('\n')
}

/// A path that is relative to the directory of a file.
fn beside(file: &Path, path: &str) -> OsString {
    let path = path.trim();
    file.parent().map_or_else(|| path.into(), |directory| directory.join(path)).into()
}

/// Says that the providers of the file are not used.
#[cfg(not(feature = "storage"))]
pub(super) fn warn_of_storage(reader: &mut Reader<'_>, file: Option<&ConfigFile>) {
    // An FDL file is for a cluster, which has the storage.
    if let Some(file) = file.filter(|file| file.storage.has_providers && !file.is_fdl) {
        let name = &file.name;
        reader.warn(format!(
            "storage_providers in {name}: this build of bandog has no storage (feature \"storage\"); nothing is fetched or \
             stored"
        ));
    }
}
