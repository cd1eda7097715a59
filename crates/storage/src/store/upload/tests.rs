use std::{fs, os::fd::AsFd as _, path::PathBuf, sync::Arc};

use bandog_runtime::{
    output::{self, OutputFiles},
    storage::Storage as _,
};

use super::*;
use crate::{
    Fetch, Fetched, ObjectPath, Provider, ProviderName,
    place::{Filter, KnownProvider, Layout, Place},
    store::{Options, Store},
};

/// A store whose code has a fault that one file meets.
#[derive(Debug)]
struct Faulty(ProviderName);

impl Provider for Faulty {
    fn name(&self) -> &ProviderName {
        &self.0
    }

    fn fetch(&self, _: &Fetch<'_>, _: &Control<'_>) -> Result<Fetched, Error> {
        unreachable!("nothing is fetched")
    }

    fn store(&self, _: &Source, to: &ObjectPath, _: &Control<'_>) -> Result<(), Error> {
        assert_ne!(to.key, "b", "a fault");
        Ok(())
    }

    fn check(&self, _: Option<&ObjectPath>, _: &Control<'_>) -> Result<(), Error> {
        Ok(())
    }
}

#[test]
fn a_panic_in_one_transfer_is_its_failure_alone() {
    let (made, place) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    for name in ["a", "b", "c"] {
        fs::write(made.path().join(name), name).expect("written");
    }
    let dir = fs::File::open(made.path()).expect("open");
    let output = output::collect(dir.as_fd(), made.path(), None, &mut |_| ()).expect("collected");
    let name: ProviderName = "s3".parse().expect("a name");
    let out = Place { provider: name.clone(), path: ObjectPath::new("out", ""), filter: Filter::default() };
    let providers = vec![KnownProvider { name: name.clone(), space: None }];
    let layout = Layout { outputs: vec![out], providers, ..Layout::default() };
    for parallel in [1, 3] {
        let journal = PathBuf::from(place.path());
        let keep_failed = Some(place.path().join("kept"));
        let options = Options { fetches: true, takes_failed: false, keep_failed, parallel, journal };
        let store = Store::new(vec![Arc::new(Faulty(name.clone()))], layout.clone(), options).expect("a store");
        let request = StoreRequest { files: OutputFiles::of(&output), call_id: "call", event_bucket: None };
        let cancel = bandog_process::Cancel::new();
        let limits = bandog_runtime::storage::TransferLimits { cancel: &cancel, deadline: None };
        let stored = store.store(&request, &limits);
        assert_eq!((stored.counts.stored, stored.counts.failed), (2, 1), "{stored:?}");
        assert_eq!(fs::read_to_string(stored.kept.expect("kept").join("b")).expect("kept"), "b");
    }
}
