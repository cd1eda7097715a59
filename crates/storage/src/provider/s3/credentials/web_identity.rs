//! The keys of a pod or a job, from the Security Token Service for a token of its platform.

use std::{fs, time::Duration};

use bytes::Bytes;
use http::Method;
use percent_encoding::utf8_percent_encode;

use super::{
    super::{
        address::{RESERVED, aws},
        document::Document,
    },
    ChainVariables, Keys, Lent,
    document::{Ask, Lender},
    missing,
    profile::Profile,
};
use crate::{
    control::Control,
    error::Error,
    http::{Endpoint, Payload},
};

/// The longest time for an answer.
const LIMIT: Duration = Duration::from_secs(10);

/// The name of the session, where none is set.
const SESSION: &str = "bandog";

/// A role, and the file with the token that one may have it for.
#[derive(Debug)]
pub(super) struct WebIdentity {
    role: String,
    token_file: String,
    session: String,
}

impl WebIdentity {
    /// That of the variables, or else of the profile, if there is one.
    pub(super) fn find(variables: &ChainVariables, profile: &Profile) -> Option<Self> {
        let pick = |variable, setting| variables.get(variable).or_else(|| profile.get(setting)).map(str::to_owned);
        Some(Self {
            role: pick("AWS_ROLE_ARN", "role_arn")?,
            token_file: pick("AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file")?,
            session: pick("AWS_ROLE_SESSION_NAME", "role_session_name").unwrap_or_else(|| SESSION.to_owned()),
        })
    }

    /// Asks the service of the region for keys.
    pub(super) fn keys(&self, variables: &ChainVariables, region: &str, control: &Control<'_>) -> Result<Lent, Error> {
        let token = fs::read_to_string(&self.token_file)
            .map_err(|error| missing(&format!("cannot read the token in {}: {error}", self.token_file)))?;
        let mut endpoint = match variables.get("AWS_ENDPOINT_URL_STS").or_else(|| variables.get("AWS_ENDPOINT_URL")) {
            Some(url) => Endpoint::parse(url).map_err(|error| missing(&error.to_string()))?,
            None => aws("sts", region),
        };
        let target = format!("{}/", std::mem::take(&mut endpoint.prefix));
        let form = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", &self.role),
            ("RoleSessionName", &self.session),
            ("WebIdentityToken", token.trim()),
        ];
        let form = form.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, RESERVED))).join("&");
        let ask = Ask {
            method: Method::POST,
            target: &target,
            headers: &[("content-type", "application/x-www-form-urlencoded")],
            payload: Payload::Bytes(Bytes::from(form)),
        };
        let (status, document) = Lender::new(endpoint, LIMIT)?.ask(&ask, control)?;
        let document = Document::parse(&document).unwrap_or_default();
        let text = |name| document.text(name);
        let keys = text("AccessKeyId").zip(text("SecretAccessKey")).filter(|_| status.is_success());
        let Some((access_key, secret_key)) = keys else {
            let (code, message) = (text("Code").unwrap_or("no reason"), text("Message").unwrap_or_default());
            return Err(missing(&format!("no keys for the role {}: {status} {code} {message}", self.role)));
        };
        let keys = Keys {
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
            session_token: text("SessionToken").map(str::to_owned),
        };
        let end = text("Expiration").and_then(|end| end.parse().ok());
        Ok(Lent { keys, end })
    }
}
