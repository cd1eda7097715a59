//! The keys of a container, from the service that ECS, EKS and Greengrass have for them.

use std::{fs, net::IpAddr, time::Duration};

use super::{
    ChainVariables, Lent,
    document::{Ask, Lender},
    missing,
};
use crate::{
    control::Control,
    error::Error,
    http::{Endpoint, Scheme},
};

/// The service of ECS, to which `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` belongs.
const ECS: &str = "http://169.254.170.2";

/// The services that may be asked without TLS, besides those of this machine: of ECS, and of EKS over IPv4 and IPv6.
const NEAR: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

/// The longest time for an answer.
const LIMIT: Duration = Duration::from_secs(5);

/// The service of a container.
#[derive(Debug)]
pub(super) struct Service {
    endpoint: Endpoint,
    target: String,
    /// The value of `Authorization`, or the file that contains it.
    token: Option<String>,
    token_file: Option<String>,
}

impl Service {
    /// The service that the variables name, if they name one.
    pub(super) fn find(variables: &ChainVariables) -> Result<Option<Self>, Error> {
        let url = match (
            variables.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
            variables.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        ) {
            (Some(path), _) => format!("{ECS}{path}"),
            (None, Some(url)) => url.to_owned(),
            (None, None) => return Ok(None),
        };
        let (base, query) = url.split_once('?').map_or((url.as_str(), None), |(base, query)| (base, Some(query)));
        let mut endpoint = Endpoint::parse(base).map_err(|error| missing(&error.to_string()))?;
        let is_near = |host: &str| {
            let address = host.parse::<IpAddr>();
            host == "localhost" || NEAR.contains(&host) || address.is_ok_and(|address| address.is_loopback())
        };
        if endpoint.scheme == Scheme::Http && !is_near(&endpoint.host) {
            let text = "the keys of a container are not asked for without TLS but from this machine; expected https";
            return Err(missing(&format!("{base:?}: {text}")));
        }
        let path = std::mem::take(&mut endpoint.prefix);
        let path = if path.is_empty() { "/".to_owned() } else { path };
        let target = query.map_or(path.clone(), |query| format!("{path}?{query}"));
        let variable = |name| variables.get(name).map(str::to_owned);
        Ok(Some(Self {
            endpoint,
            target,
            token: variable("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
            token_file: variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
        }))
    }

    /// Asks it for keys.
    pub(super) fn keys(&self, control: &Control<'_>) -> Result<Lent, Error> {
        let token = match &self.token_file {
            // It is replaced before it is over.
            Some(file) => {
                let text = fs::read_to_string(file);
                Some(text.map_err(|error| missing(&format!("cannot read {file}: {error}")))?.trim_end().to_owned())
            }
            None => self.token.clone(),
        };
        let headers: Vec<_> = token.as_deref().map(|token| ("authorization", token)).into_iter().collect();
        Lender::new(self.endpoint.clone(), LIMIT)?.keys(&Ask::get(&self.target, &headers), control)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(name: &str, value: &str) -> Result<Option<(String, String)>, Error> {
        let variables = [(name.to_owned(), value.to_owned())].into_iter().collect();
        Ok(Service::find(&variables)?.map(|service| (service.endpoint.to_string(), service.target)))
    }

    #[test]
    fn the_address_is_that_of_ecs_or_the_whole_one() {
        let found = |name, value| find(name, value).expect("an address").expect("a service");
        let service = |endpoint: &str, target: &str| (endpoint.to_owned(), target.to_owned());
        let relative = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
        assert_eq!(found(relative, "/v2/credentials/1?a=b"), service("http://169.254.170.2", "/v2/credentials/1?a=b"));
        let full = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
        assert_eq!(found(full, "http://169.254.170.23/v1/c"), service("http://169.254.170.23", "/v1/c"));
        assert_eq!(found(full, "https://far.example.org"), service("https://far.example.org", "/"));
        assert_eq!(found(full, "http://[fd00:ec2::23]/v1"), service("http://[fd00:ec2::23]", "/v1"));
        assert_eq!(find("AWS_REGION", "x").expect("no address"), None);
        let error = find(full, "http://far.example.org/").expect_err("keys in the clear");
        assert!(error.detail.contains("expected https"), "{error}");
    }
}
