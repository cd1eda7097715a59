//! The keys of an instance, from the second version of its metadata service.

use std::time::Duration;

use http::Method;

use super::{
    ChainVariables, Lent,
    document::{Ask, Lender},
    missing,
};
use crate::{control::Control, error::Error, http::Endpoint, http::Payload};

/// The service over IPv4, and over IPv6.
const SERVICE: [&str; 2] = ["http://169.254.169.254", "http://[fd00:ec2::254]"];

/// The path of the roles of an instance.
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// The longest time for an answer. Elsewhere there is no such service, and often no refusal either.
const LIMIT: Duration = Duration::from_secs(2);

/// Asks the service for the keys of the first role.
pub(super) fn keys(variables: &ChainVariables, control: &Control<'_>) -> Result<Lent, Error> {
    if variables.get("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Err(missing("the metadata of the instance are disabled"));
    }
    let is_ipv6 =
        variables.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE").is_some_and(|mode| mode.eq_ignore_ascii_case("ipv6"));
    let address = variables.get("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or(SERVICE[usize::from(is_ipv6)]);
    let mut endpoint = Endpoint::parse(address).map_err(|error| missing(&error.to_string()))?;
    let prefix = std::mem::take(&mut endpoint.prefix);
    let service = Lender::new(endpoint, LIMIT)?;
    let token = service.text(
        &Ask {
            method: Method::PUT,
            target: &format!("{prefix}/latest/api/token"),
            headers: &[("x-aws-ec2-metadata-token-ttl-seconds", "21600")],
            payload: Payload::Empty,
        },
        control,
    )?;
    let headers = [("x-aws-ec2-metadata-token", token.as_str())];
    let roles = format!("{prefix}{ROLES}");
    let names = service.text(&Ask::get(&roles, &headers), control)?;
    let role = names.lines().next().filter(|role| !role.is_empty());
    let role = role.ok_or_else(|| missing("the instance has no role"))?;
    service.keys(&Ask::get(&format!("{roles}{role}"), &headers), control)
}
