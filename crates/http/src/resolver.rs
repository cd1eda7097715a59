//! The resolver of names for ureq.

use std::{
    sync::mpsc::{RecvTimeoutError, sync_channel},
    thread,
};

use hyper::Uri;
use ureq::{
    Error,
    config::Config,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{NextTimeout, time::Duration},
    },
};

/// Resolves names on a thread of its own, so that a slow name server does not outlast the time limit. Unlike ureq's own
/// resolver it does not panic where the kernel refuses the thread: then the name is resolved in place.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadResolver;

impl Resolver for ThreadResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        // With this, ureq's own starts no thread.
        let unlimited = NextTimeout { after: Duration::NotHappening, ..timeout };
        let resolve = move |uri: &Uri, config: &Config| DefaultResolver::default().resolve(uri, config, unlimited);
        if timeout.after.is_not_happening() {
            return resolve(uri, config);
        }
        let (tell, told) = sync_channel(1);
        let name = uri.clone();
        let settings = config.clone();
        let thread = thread::Builder::new().name("resolver".to_owned()).spawn(move || {
            let _ = tell.send(resolve(&name, &settings));
        });
        if thread.is_err() {
            return resolve(uri, config);
        }
        match told.recv_timeout(*timeout.after) {
            Ok(resolved) => resolved,
            Err(RecvTimeoutError::Timeout) => Err(Error::Timeout(timeout.reason)),
            Err(RecvTimeoutError::Disconnected) => Err(Error::HostNotFound),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_resolved_with_and_without_a_limit() {
        let uri: Uri = "http://127.0.0.1:7".parse().expect("an address");
        for after in [Duration::NotHappening, std::time::Duration::from_secs(10).into()] {
            let timeout = NextTimeout { after, ..NextTimeout::default() };
            let found = ThreadResolver.resolve(&uri, &Config::default(), timeout).expect("resolved");
            assert_eq!(found[..], ["127.0.0.1:7".parse().expect("an address")]);
        }
    }
}
