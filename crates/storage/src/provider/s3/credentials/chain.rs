//! The sources that the programs of AWS know, in their order. One that is set up and fails ends the search: another one's
//! keys may be those of someone else.

use super::{ChainVariables, Keys, Lent, container, metadata, missing, profile::Profile, web_identity};
use crate::{control::Control, error::Error};

/// The sources, with the variables that set them up.
#[derive(Debug)]
pub(in super::super) struct Chain(ChainVariables);

impl Chain {
    pub(super) fn new(variables: ChainVariables) -> Self {
        Self(variables)
    }

    /// The keys of the first source that is set up.
    pub(super) fn keys(&self, control: &Control<'_>) -> Result<Lent, Error> {
        let Self(variables) = self;
        if let Some(keys) = environment(variables) {
            return Ok(Lent { keys, end: None });
        }
        let profile = Profile::read(variables)?;
        if let Some(keys) = profile.keys()? {
            return Ok(Lent { keys, end: None });
        }
        let region = || self.region().unwrap_or_else(|| super::REGION.to_owned());
        if let Some(identity) = web_identity::WebIdentity::find(variables, &profile) {
            return identity.keys(variables, &region(), control);
        }
        if let Some(service) = container::Service::find(variables)? {
            return service.keys(control);
        }
        metadata::keys(variables, control).map_err(|error| {
            let sources = "the environment has no AWS_ACCESS_KEY_ID, the shared file no such profile, and neither a web \
                           identity nor a service of the container is set";
            if control.check().is_err() { error } else { missing(&format!("no keys: {sources}; {}", error.detail)) }
        })
    }

    /// The region of the variables, or else of the profile.
    pub(super) fn region(&self) -> Option<String> {
        let variable = self.0.get("AWS_REGION").or_else(|| self.0.get("AWS_DEFAULT_REGION"));
        variable.map(str::to_owned).or_else(|| Profile::read(&self.0).ok()?.get("region").map(str::to_owned))
    }
}

fn environment(variables: &ChainVariables) -> Option<Keys> {
    let (access_key, secret_key) = variables.get("AWS_ACCESS_KEY_ID").zip(variables.get("AWS_SECRET_ACCESS_KEY"))?;
    Some(Keys {
        access_key: access_key.to_owned(),
        secret_key: secret_key.to_owned(),
        session_token: variables.get("AWS_SESSION_TOKEN").map(str::to_owned),
    })
}
