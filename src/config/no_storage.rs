//! Object storage in a build without it: an event that names an object is an error, and never the input.

use std::sync::Arc;

use super::{config_file::ConfigFile, reader::Reader};
use crate::{
    input::{InputDir, storage_notification},
    storage::{
        Begun, FetchedObject, ObjectEvent, Storage, StorageError, StorageErrorKind, StoreRequest, Stored,
        TransferLimits,
    },
};

/// The store of a build that has none.
#[derive(Debug)]
pub struct Store;

/// An event that names an object.
#[derive(Debug)]
struct Unreachable(&'static str);

#[expect(clippy::option_option, reason = "the signature of the module with storage")]
#[expect(clippy::unnecessary_wraps, reason = "the signature of the module with storage")]
pub(super) fn read(reader: &mut Reader<'_>, file: Option<&ConfigFile>, is_needed: bool) -> Option<Option<Arc<Store>>> {
    // An FDL file is for a cluster, which has the storage.
    if let Some(file) = file.filter(|file| file.storage.providers.is_some() && !file.is_fdl) {
        let name = &file.name;
        reader.warn(format!(
            "storage_providers in {name}: this build of bandog has no storage (feature \"storage\"); nothing is fetched or \
             stored"
        ));
    }
    Some(is_needed.then(|| Arc::new(Store)))
}

impl Storage for Store {
    fn read_event(&self, document: &[u8], _: Option<&str>) -> Option<Vec<Box<dyn ObjectEvent>>> {
        let notice = storage_notification(document)?;
        Some(vec![Box::new(Unreachable(notice.store))])
    }

    fn takes_output(&self, _: bool) -> bool {
        false
    }

    fn store(&self, _: &StoreRequest<'_>, _: &TransferLimits<'_>) -> Stored {
        Stored::default()
    }
}

impl ObjectEvent for Unreachable {
    fn object(&self) -> String {
        format!("an object in {}", self.0)
    }

    fn ignored(&self) -> Option<&str> {
        None
    }

    fn begin(&mut self, _: &TransferLimits<'_>) -> Begun {
        Begun::Run
    }

    fn fetch(&mut self, _: InputDir<'_>, _: u64, _: &TransferLimits<'_>) -> Result<FetchedObject, StorageError> {
        let detail = format!("the event names an object in {}, and this build of bandog has no storage", self.0);
        Err(StorageError { kind: StorageErrorKind::ProviderUnknown, detail })
    }

    fn finish(&mut self, _: bool) {}
}
