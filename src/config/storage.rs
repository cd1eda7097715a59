//! Object storage: the keys of the configuration file → providers, inputs and outputs.
//!
//! `storage_providers` gives each provider its address and its keys. A secret that is not there is read, at each use, from
//! a file below [`Paths::secrets`](super::Paths), where a platform mounts it.

mod keys;
mod providers;
mod watched;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub use bandog_storage::store::Store;
use bandog_storage::{
    ObjectPath, ProviderName,
    place::{Filter, Isolation, KnownProvider, Layout, Place},
    store::Options,
};

use super::{
    config_file::ConfigFile,
    document::storage::{PlaceKeys, StorageKeys},
    reader::Reader,
    report::{Mistake, Origin},
    setting,
};

/// The flags of transfers.
struct Flags {
    takes_failed: bool,
    keep_failed: Option<PathBuf>,
    parallel: usize,
    allows_loops: bool,
}

/// Reads the group. The outer `None` is a mistake; the inner one means that events are only bodies and outputs only
/// responses. `is_needed` is whether an event must never be taken for an input; `workspace` is where open uploads are
/// recorded.
#[expect(clippy::option_option, reason = "a mistake, no store and a store are three things")]
pub(super) fn read(
    reader: &mut Reader<'_>,
    file: Option<&ConfigFile>,
    is_needed: bool,
    workspace: &Path,
) -> Option<Option<Arc<Store>>> {
    let flags = read_flags(reader)?;
    let typed = &reader.sources.typed.watched;
    let watched = typed.as_ref().map(watched::keys).transpose().map_err(|advice| {
        reader.mistakes.push(Mistake { name: "--from, --to".to_owned(), value: None, origin: Origin::Flag, advice });
    });
    let none = StorageKeys::default();
    let watched = watched.ok()?;
    let (name, keys) = match (&watched, file) {
        (Some(watched), _) => ("--from and --to", watched),
        (None, Some(file)) => (&*file.name, &file.storage),
        (None, None) => ("the configuration", &none),
    };
    if keys.providers.is_none() && !is_needed {
        if !keys.outputs.is_empty() {
            reader.warn(format!(
                "output in {name}: nothing is stored, as there are no storage_providers; results are returned or printed"
            ));
        }
        return Some(None);
    }
    let mut mistakes = keys.mistakes.clone();
    let providers = providers::read(reader, keys, &mut mistakes);
    let layout = layout(reader, file, keys, &providers, flags.allows_loops, &mut mistakes);
    let options = Options {
        fetches: watched.is_some() || !file.is_some_and(|file| file.file_stage_in),
        takes_failed: flags.takes_failed,
        keep_failed: flags.keep_failed,
        parallel: flags.parallel,
        journal: workspace.to_owned(),
    };
    let providers = providers.into_iter().map(|(provider, _)| provider).collect();
    // A provider with a mistake would be missed here as well.
    let store = if mistakes.is_empty() {
        Store::new(providers, layout, options.clone()).map_err(|found| mistakes = found).ok()
    } else {
        None
    };
    if file.is_some_and(|file| file.is_fdl) && !mistakes.is_empty() {
        // Such a file is for a cluster, which completes what is missing here.
        for mistake in mistakes {
            reader.warn(format!("{name}: {mistake}; nothing is fetched or stored"));
        }
        let empty = || Store::new(Vec::new(), Layout::default(), options).ok().map(Arc::new);
        return Some(if is_needed { empty() } else { None });
    }
    for mistake in mistakes {
        let origin = Origin::File { key: "storage_providers", file: name.to_owned() };
        reader.mistakes.push(Mistake { name: "storage".to_owned(), value: None, origin, advice: mistake });
    }
    if let Some(store) = &store {
        for (key, places) in [("input", &store.layout().inputs), ("output", &store.layout().outputs)] {
            for place in places {
                let origin = Origin::File { key, file: name.to_owned() };
                reader.enter(key.to_owned(), format!("{} of {}", place.path, place.provider), origin);
            }
        }
    }
    store.map(|store| Some(Arc::new(store)))
}

fn read_flags(reader: &mut Reader<'_>) -> Option<Flags> {
    let takes_failed = reader.choice(&setting::UPLOAD_ON_FAILURE, &[("never", false), ("always", true)]);
    let keep_failed = reader.path(&setting::KEEP_FAILED);
    let parallel = reader.count(&setting::TRANSFER_PARALLEL);
    let allows_loops = reader.switch(&setting::ALLOW_LOOP);
    let accepts = reader.choice(&setting::EVENT_ANSWER, &[("done", false), ("accepted", true)]);
    if accepts == Some(true) {
        let raw = reader.raw(&setting::EVENT_ANSWER);
        reader.wrong(&setting::EVENT_ANSWER, raw, "expected done: jobs, which accepted needs, are not kept yet");
    }
    Some(Flags {
        takes_failed: takes_failed?,
        keep_failed: keep_failed?,
        parallel: parallel?.max(1),
        allows_loops: allows_loops?,
    })
}

/// The inputs and outputs.
fn layout(
    reader: &mut Reader<'_>,
    file: Option<&ConfigFile>,
    keys: &StorageKeys,
    providers: &[providers::Found],
    allows_loops: bool,
    mistakes: &mut Vec<String>,
) -> Layout {
    let known: Vec<KnownProvider> = providers
        .iter()
        .map(|(provider, space)| KnownProvider { name: provider.name().clone(), space: space.clone() })
        .collect();
    let mut read = |places: &[PlaceKeys]| -> Vec<Place> {
        places.iter().filter_map(|place| read_place(place, mistakes)).collect()
    };
    let (mut inputs, mut outputs) = (read(&keys.inputs), read(&keys.outputs));
    if file.is_some_and(|file| file.is_fdl) {
        // Such a file is for a cluster, which has providers of its own.
        let is_known = |place: &Place| known.iter().any(|provider| provider.name == place.provider);
        inputs.retain(is_known);
        for output in outputs.extract_if(.., |output| !is_known(output)) {
            let provider = output.provider;
            reader.warn(format!("output: {provider} is a provider of the cluster; nothing is stored there"));
        }
    }
    let isolation = Isolation::new(keys.isolation_level.as_deref().unwrap_or_default(), keys.buckets.clone());
    let isolation = isolation.unwrap_or_else(|error| {
        mistakes.push(error.to_string());
        Isolation::default()
    });
    Layout { inputs, outputs, providers: known, isolation, allows_loops }
}

fn read_place(place: &PlaceKeys, mistakes: &mut Vec<String>) -> Option<Place> {
    let (line, column) = (place.position.line, place.position.column);
    let provider = match place.provider.trim().parse::<ProviderName>() {
        Ok(provider) => provider,
        Err(error) => {
            mistakes.push(format!("line {line}, column {column}: {}.storage_provider: {error}", place.name));
            return None;
        }
    };
    let filter = Filter { prefixes: place.prefixes.clone(), suffixes: place.suffixes.clone() };
    Some(Place { provider, path: ObjectPath::parse(place.path.trim()), filter })
}
