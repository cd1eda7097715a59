//! One object that an event tells of: whether it is run, and how it is fetched.

use bandog_runtime::{
    input::{InputDir, StorageEvent},
    storage::{Begun, FetchedObject, ObjectEvent, StorageError, StorageErrorKind, TransferLimits},
};

use super::{Store, control};
use crate::{
    control::Control,
    dedupe::{self, EventKey, Outcome, RunGuard},
    error::{Error, ErrorKind},
    event::{Notice, NoticeKind, Route, route},
    name::ProviderName,
    provider::{Directory, Fetch, Fetched},
};

/// The pause after which an event may come again that waited for a run for too long.
const WAITED: std::time::Duration = std::time::Duration::from_secs(1);

/// An object that an event tells of.
#[derive(Debug)]
pub(super) struct EventObject {
    store: Store,
    notice: Notice,
    way: Way,
    /// `None` before [`ObjectEvent::begin`], and where nothing tells the event from others.
    guard: Option<RunGuard>,
}

/// The consequence of the event.
#[derive(Debug)]
enum Way {
    /// The object is fetched from this provider.
    Fetch(ProviderName),
    /// Nothing is run, for this reason.
    Ignore(String),
    /// Its provider is not known.
    Unknown(String),
}

impl EventObject {
    pub(super) fn new(store: Store, notice: Notice, provider: Option<&str>) -> Self {
        let way = way(&store, &notice, provider);
        Self { store, notice, way, guard: None }
    }

    /// Fetches the object by its decoded key, or by the key as it was sent if there is none.
    fn fetch_from(&self, provider: &ProviderName, fetch: &Fetch<'_>, control: &Control<'_>) -> Result<Fetched, Error> {
        let store = self.store.provider(provider)?;
        let found = store.fetch(fetch, control).map_err(|error| error.of(provider, fetch.from));
        let (Err(Error { kind: ErrorKind::NotFound, .. }), Some(other)) = (&found, self.notice.other_key()) else {
            return found;
        };
        let again = store.fetch(&Fetch { from: &other, ..*fetch }, control);
        if again.is_ok() {
            tracing::warn!("{} of {provider} is fetched by its key as the event has it, {other}", self.notice.object);
        }
        // The first error is the one to report: its key is the more likely one.
        again.or(found)
    }
}

impl ObjectEvent for EventObject {
    fn object(&self) -> String {
        match &self.way {
            Way::Fetch(provider) => format!("{} of {provider}", self.notice.object),
            Way::Ignore(_) | Way::Unknown(_) => self.notice.object.to_string(),
        }
    }

    fn ignored(&self) -> Option<&str> {
        match &self.way {
            Way::Ignore(reason) => Some(reason),
            Way::Fetch(_) | Way::Unknown(_) => None,
        }
    }

    fn begin(&mut self, limits: &TransferLimits<'_>) -> Begun {
        let Some(key) = EventKey::of(&self.notice).filter(|_| matches!(self.way, Way::Fetch(_))) else {
            return Begun::Run;
        };
        match self.store.0.dedupe.begin(key, &control(limits)) {
            Ok(dedupe::Begun::Run(guard)) => {
                self.guard = Some(guard);
                Begun::Run
            }
            Ok(dedupe::Begun::Duplicate | dedupe::Begun::Joined(Outcome::Succeeded)) => Begun::Duplicate,
            Ok(dedupe::Begun::Busy { retry_after } | dedupe::Begun::Joined(Outcome::Failed { retry_after })) => {
                Begun::Busy(retry_after)
            }
            Err(_) => Begun::Busy(WAITED),
        }
    }

    fn fetch(
        &mut self,
        dir: InputDir<'_>,
        max_body: u64,
        limits: &TransferLimits<'_>,
    ) -> Result<FetchedObject, StorageError> {
        let provider = match &self.way {
            Way::Fetch(provider) => provider,
            Way::Ignore(detail) | Way::Unknown(detail) => {
                return Err(StorageError { kind: StorageErrorKind::ProviderUnknown, detail: detail.clone() });
            }
        };
        let dir = Directory { fd: dir.fd, path: dir.path };
        let fetch = Fetch { from: &self.notice.object, dir, limit: max_body, size: self.notice.size };
        let fetched = self.fetch_from(provider, &fetch, &control(limits)).map_err(|error| named(&error))?;
        let (key, time) = (self.notice.object_key(), self.notice.time.clone().unwrap_or_default());
        let is_possible = |text: &str| !text.contains('\0');
        let event =
            self.notice.event.clone().filter(|json| is_possible(json) && is_possible(&key) && is_possible(&time));
        Ok(FetchedObject {
            path: fetched.path,
            bytes: fetched.bytes,
            event: event.map(|json| StorageEvent { object_key: key, time, json }),
            bucket: Some(self.notice.object.bucket.clone()),
            variables: vec![
                ("STORAGE_BUCKET".into(), self.notice.object.bucket.clone().into()),
                ("STORAGE_PROVIDER".into(), provider.to_string().into()),
            ],
        })
    }

    fn finish(&mut self, is_success: bool) {
        // Dropped, it has failed.
        if let Some(guard) = self.guard.take().filter(|_| is_success) {
            guard.succeed();
        }
    }
}

fn way(store: &Store, notice: &Notice, provider: Option<&str>) -> Way {
    if let NoticeKind::Ignored(reason) = &notice.kind {
        return Way::Ignore(reason.clone());
    }
    if let Some(told) = provider {
        // The event has come from another instance, whose inputs are not ours.
        return match told.parse::<ProviderName>().map_err(|error| error.to_string()) {
            Ok(name) => match store.provider(&name) {
                Ok(_) => Way::Fetch(name),
                Err(error) => Way::Unknown(error.to_string()),
            },
            Err(error) => Way::Unknown(error),
        };
    }
    match route(notice, store.layout()) {
        Route::Provider { name, warning } => {
            if let Some(warning) = warning {
                tracing::warn!("{warning}");
            }
            Way::Fetch(name)
        }
        Route::Filtered(reason) => Way::Ignore(reason),
        Route::Unknown(error) => Way::Unknown(error.to_string()),
    }
}

/// The error of a fetch in the words of the runtime.
#[must_use]
pub fn named(error: &Error) -> StorageError {
    let kind = match error.kind {
        ErrorKind::NotFound | ErrorKind::NoBucket => StorageErrorKind::NotFound,
        ErrorKind::Changed => StorageErrorKind::Changed,
        ErrorKind::Truncated | ErrorKind::Unverified => StorageErrorKind::Truncated,
        // A store that does not take the request does not take it later either.
        ErrorKind::Denied | ErrorKind::Rejected => StorageErrorKind::Denied,
        ErrorKind::TooLarge => StorageErrorKind::TooLarge,
        ErrorKind::Unknown => StorageErrorKind::ProviderUnknown,
        ErrorKind::Credentials => StorageErrorKind::ProviderCredentials,
        ErrorKind::Tls => StorageErrorKind::ProviderTls,
        ErrorKind::Clock => StorageErrorKind::ProviderClock,
        ErrorKind::File => StorageErrorKind::File,
        ErrorKind::Unreachable | ErrorKind::Stopped => StorageErrorKind::ProviderUnreachable,
    };
    StorageError { kind, detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_would_come_again_is_no_store_that_cannot_be_reached() {
        for (kind, expected) in [
            (ErrorKind::Rejected, StorageErrorKind::Denied),
            (ErrorKind::Unverified, StorageErrorKind::Truncated),
            (ErrorKind::Unreachable, StorageErrorKind::ProviderUnreachable),
        ] {
            assert_eq!(named(&Error::new(kind, "no")).kind, expected);
        }
    }
}
