//! The store behind a function: the providers of a configuration, its inputs and its outputs.
//!
//! Implements the seam of the runtime: events → objects that become inputs, output files → objects.

mod keep;
mod object;
mod upload;
mod uploads;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use bandog_runtime::{
    output::OutputFiles,
    storage::{ObjectEvent, Storage, StoreRequest, Stored, TransferLimits},
};

use self::object::EventObject;
pub use self::object::named;
use crate::{
    control::Control,
    dedupe::Dedupe,
    error::{Error, ErrorKind},
    event::{self, Notice},
    journal::Entry,
    name::ProviderName,
    object::ObjectPath,
    place::{Layout, Place},
    plan::OutputPlan,
    provider::Provider,
    watch::WatchedDir,
};

/// The store behind a function. Clones share it.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    providers: BTreeMap<ProviderName, Arc<dyn Provider>>,
    layout: Layout,
    plan: OutputPlan,
    options: Options,
    dedupe: Dedupe,
}

/// What is done with inputs and outputs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether the objects of events are fetched. If not, an event is a body like any other.
    pub fetches: bool,
    /// Whether those of failed runs are stored as well.
    pub takes_failed: bool,
    /// Where the files are kept that could not be stored, in a directory for each call.
    pub keep_failed: Option<PathBuf>,
    /// The most files of one run that are stored at once; at least 1.
    pub parallel: usize,
    /// The directory in which open uploads are recorded.
    pub journal: PathBuf,
}

/// The answer of a provider that was tried.
#[derive(Debug)]
pub struct Checked {
    /// The provider.
    pub provider: ProviderName,
    /// The bucket that was looked for, if one was.
    pub bucket: Option<String>,
    /// The reason why it cannot be used.
    pub result: Result<(), Error>,
}

impl Store {
    /// The store of these providers.
    ///
    /// # Errors
    /// Every mistake in `layout`, in words.
    pub fn new(providers: Vec<Arc<dyn Provider>>, layout: Layout, options: Options) -> Result<Self, Vec<String>> {
        let plan = OutputPlan::new(&layout)?;
        let providers = providers.into_iter().map(|provider| (provider.name().clone(), provider)).collect();
        Ok(Self(Arc::new(Inner { providers, layout, plan, options, dedupe: Dedupe::default() })))
    }

    /// The inputs, outputs and providers.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.0.layout
    }

    /// A provider.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`].
    pub fn provider(&self, name: &ProviderName) -> Result<&Arc<dyn Provider>, Error> {
        self.0.provider(name)
    }

    /// Tries every provider, and the bucket of every input and output.
    #[must_use]
    pub fn check(&self, control: &Control<'_>) -> Vec<Checked> {
        let mut checked = Vec::new();
        for (name, provider) in &self.0.providers {
            let places = self.0.layout.inputs.iter().chain(&self.0.layout.outputs);
            let mut buckets: Vec<&str> =
                places.filter(|place| place.provider == *name).map(|place| place.path.bucket.as_str()).collect();
            buckets.sort_unstable();
            buckets.dedup();
            buckets.retain(|bucket| !bucket.is_empty());
            if buckets.is_empty() {
                let result = provider.check(None, control);
                checked.push(Checked { provider: name.clone(), bucket: None, result });
            }
            for bucket in buckets {
                let result = provider.check(Some(&ObjectPath::new(bucket, "")), control);
                checked.push(Checked { provider: name.clone(), bucket: Some(bucket.to_owned()), result });
            }
        }
        checked
    }

    /// The directories of this machine in which new files are events: those of the inputs of `local` providers.
    #[must_use]
    pub fn watched_dirs(&self) -> Vec<WatchedDir> {
        let of_input = |input: &Place| {
            let root = self.provider(&input.provider).ok()?.directory()?;
            let path = [input.path.bucket.as_str(), input.folder()]
                .into_iter()
                .fold(root.to_owned(), |path, part| if part.is_empty() { path } else { path.join(part) });
            let place = ObjectPath::new(input.path.bucket.clone(), input.folder());
            Some(WatchedDir { path, place })
        };
        let mut dirs: Vec<WatchedDir> = self.0.layout.inputs.iter().filter_map(of_input).collect();
        dirs.sort_unstable();
        dirs.dedup();
        dirs
    }

    /// Discards what dead predecessors have left in no final state, and tells the log.
    pub fn sweep(&self, control: &Control<'_>) {
        let discard = |entry: &Entry| self.0.provider(&entry.provider)?.discard(entry, control);
        let swept = uploads::sweep(&self.0.options.journal, discard);
        match swept {
            Ok(swept) => {
                if swept.discarded > 0 {
                    tracing::info!("discarded {} unfinished uploads of dead predecessors", swept.discarded);
                }
                for (entry, error) in swept.failed {
                    let (object, provider) = (&entry.object, &entry.provider);
                    tracing::warn!("cannot discard the unfinished upload of {object} to {provider}: {error}");
                }
            }
            Err(error) => {
                let place = self.0.options.journal.display();
                tracing::warn!("cannot look for unfinished uploads in {place}: {error}");
            }
        }
    }

    /// The event that `notice` tells of. `provider` is the name of the store that it is from, where that is known.
    #[must_use]
    pub fn object(&self, notice: Notice, provider: Option<&str>) -> Box<dyn ObjectEvent> {
        Box::new(EventObject::new(self.clone(), notice, provider))
    }
}

impl Inner {
    fn provider(&self, name: &ProviderName) -> Result<&Arc<dyn Provider>, Error> {
        self.providers.get(name).ok_or_else(|| {
            let detail = format!("the provider {name} is not configured; add it to storage_providers");
            Error::new(ErrorKind::Unknown, detail)
        })
    }
}

impl Storage for Store {
    fn read_event(&self, document: &[u8], provider: Option<&str>) -> Option<Vec<Box<dyn ObjectEvent>>> {
        let document = self.0.options.fetches.then_some(document)?;
        let notices = event::parse(document, &self.0.layout.inputs)?;
        let records: Vec<_> = notices.into_iter().map(|notice| self.object(notice, provider)).collect();
        (!records.is_empty()).then_some(records)
    }

    fn takes_output(&self, is_success: bool) -> bool {
        !self.0.plan.outputs().is_empty() && (is_success || self.0.options.takes_failed)
    }

    fn store(&self, request: &StoreRequest<'_>, limits: &TransferLimits<'_>) -> Stored {
        upload::store(&self.0, request, &control(limits))
    }
}

fn control<'a>(limits: &TransferLimits<'a>) -> Control<'a> {
    Control { deadline: limits.deadline, cancel: Some(limits.cancel) }
}

/// The paths of output files, as bytes.
fn paths(files: OutputFiles<'_>) -> Vec<&[u8]> {
    use std::os::unix::ffi::OsStrExt as _;

    (0..files.len()).filter_map(|index| files.path(index)).map(|path| path.as_os_str().as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        place::{Filter, KnownProvider},
        provider::local::Local,
    };

    fn options(fetches: bool) -> Options {
        Options { fetches, takes_failed: false, keep_failed: None, parallel: 1, journal: PathBuf::new() }
    }

    #[test]
    fn a_directory_of_several_inputs_is_watched_once() {
        let name: ProviderName = "local.data".parse().expect("a name");
        let input = |bucket: &str| Place {
            provider: name.clone(),
            path: ObjectPath::new(bucket, ""),
            filter: Filter::default(),
        };
        let layout = Layout {
            inputs: ["in", "other", "in"].map(input).to_vec(),
            providers: vec![KnownProvider { name: name.clone(), space: None }],
            ..Layout::default()
        };
        let provider: Arc<dyn Provider> = Arc::new(Local::new(name.clone(), PathBuf::from("/data")));
        let store = Store::new(vec![provider], layout, options(true)).expect("a store");
        let paths: Vec<PathBuf> = store.watched_dirs().into_iter().map(|dir| dir.path).collect();
        assert_eq!(paths, ["/data/in", "/data/other"].map(PathBuf::from));
    }

    #[test]
    fn an_event_is_a_body_where_the_function_fetches_for_itself() {
        let event = br#"{"Service":"Amazon S3","Event":"s3:TestEvent"}"#;
        for fetches in [true, false] {
            let store = Store::new(Vec::new(), Layout::default(), options(fetches)).expect("a store");
            assert_eq!(store.read_event(event, None).is_some(), fetches);
        }
    }
}
