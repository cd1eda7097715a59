//! `bandog check --online`: each storage provider is tried, and the result added to the report.

use std::time::{Duration, Instant};

use bandog_storage::Control;

use crate::config::{Entry, Mistake, Origin, Resolution};

/// The longest time for all of them.
const LIMIT: Duration = Duration::from_mins(2);

/// The report with what came of trying the providers, if the configuration has some and no mistake.
pub(super) fn checked(resolution: &Resolution) -> Resolution {
    let mut resolution = resolution.clone();
    let Some(store) = resolution.config.as_ref().and_then(|config| config.function.storage.clone()) else {
        return resolution;
    };
    let control = Control { deadline: Some(Instant::now() + LIMIT), cancel: None };
    for checked in store.check(&control) {
        let bucket = checked.bucket.map(|bucket| format!(" {bucket}")).unwrap_or_default();
        let name = format!("{}{bucket}", checked.provider);
        match checked.result {
            Ok(()) => {
                resolution.entries.push(Entry { name, value: "can be used".to_owned(), origin: Origin::Default });
            }
            Err(error) => {
                let advice = format!("cannot be used: {}", error.detail);
                resolution.mistakes.push(Mistake { name, value: None, origin: Origin::Default, advice });
            }
        }
    }
    resolution
}
