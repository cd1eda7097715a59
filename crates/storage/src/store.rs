//! The store behind a function: the providers of a configuration, its inputs and its outputs.
//!
//! Implements the seam of the runtime: events → objects that become inputs, output files → objects.

mod keep;
mod object;
mod upload;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use bandog_runtime::{
    output::OutputFiles,
    storage::{ObjectEvent, Storage, StoreRequest, Stored, TransferLimits},
};

use self::object::EventObject;
use crate::{
    control::Control,
    dedupe::Dedupe,
    error::{Error, ErrorKind},
    event::{self, Notice},
    name::ProviderName,
    object::ObjectPath,
    place::Layout,
    plan::OutputPlan,
    provider::Provider,
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

/// What is done with outputs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether those of failed runs are stored as well.
    pub takes_failed: bool,
    /// Where the files are kept that could not be stored, in a directory for each call.
    pub keep_failed: Option<PathBuf>,
    /// The most files of one run that are stored at once; at least 1.
    pub parallel: usize,
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
