//! `bandog watch --from DIR --to DIR`: the two directories as the keys of a configuration file.

use std::{collections::BTreeMap, fs, path};

use bandog_codec::yaml::LineColumn;

use crate::config::{
    WatchedDirs,
    document::storage::{PlaceKeys, ProviderKeys, StorageKeys},
};

/// The keys that stand for the directories.
///
/// # Errors
/// A directory cannot be used, in words.
pub(super) fn keys(dirs: &WatchedDirs) -> Result<StorageKeys, String> {
    let from = fs::canonicalize(&dirs.from)
        .map_err(|error| format!("cannot watch {}: {error}; expected a directory that exists", dirs.from.display()))?;
    if !from.is_dir() {
        return Err(format!("cannot watch {}: expected a directory", from.display()));
    }
    let (provider, input) = split("from", &from)?;
    let mut keys = StorageKeys { providers: Some(vec![provider]), inputs: vec![input], ..StorageKeys::default() };
    if let Some(to) = &dirs.to {
        let to = path::absolute(to).map_err(|error| format!("{}: {error}", to.display()))?;
        // It may not be there yet; what is there of it may be a link.
        let to = fs::canonicalize(&to).unwrap_or(to);
        if to.starts_with(&from) {
            return Err(format!(
                "{} is in {}, so that each output would be an input again; expected another directory",
                to.display(),
                from.display()
            ));
        }
        let (provider, output) = split("to", &to)?;
        keys.providers.get_or_insert_default().push(provider);
        keys.outputs.push(output);
    }
    Ok(keys)
}

/// A directory as a bucket of the provider `local.NAME`, whose root is the directory around it.
fn split(name: &str, dir: &path::Path) -> Result<(ProviderKeys, PlaceKeys), String> {
    let text = |path: &path::Path| path.to_str().map(str::to_owned);
    let around = dir.parent().and_then(text).zip(dir.file_name().map(path::Path::new).and_then(text));
    let (root, bucket) = around.ok_or_else(|| {
        format!("{} cannot be used: expected a directory in another one, with a name in UTF-8", dir.display())
    })?;
    let position = LineColumn { line: 1, column: 1 };
    let provider = format!("local.{name}");
    let texts = BTreeMap::from([("path".to_owned(), root)]);
    let place = PlaceKeys {
        name: format!("--{name}"),
        position,
        provider: provider.clone(),
        path: bucket,
        prefixes: Vec::new(),
        suffixes: Vec::new(),
    };
    Ok((ProviderKeys { name: provider, position, texts }, place))
}
