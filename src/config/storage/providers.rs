//! `storage_providers` → providers.

use std::{collections::BTreeSet, ffi::OsString, path::PathBuf, sync::Arc};

use bandog_storage::{
    Error, Provider, ProviderName, ProviderType, Secret,
    provider::{
        local::Local,
        onedata::{Onedata, OnedataSettings},
        rucio::{RefreshToken, Rucio, RucioAuth, RucioSettings},
        s3::{self, Addressing, Credentials, S3},
        webdav::{Auth, WebDav, WebDavSettings},
    },
};

use super::{Reader, StorageKeys, keys::Keys};
use crate::config::Environment;

/// The keys of S3 that are secrets, and the files that hold them.
const S3_KEYS: [&str; 2] = ["access_key", "secret_key"];
const S3_FILES: [&str; 2] = ["accessKey", "secretKey"];

/// A provider, and the space that its paths are below.
pub(super) type Found = (Arc<dyn Provider>, Option<String>);

/// Reads every provider. Mistakes are added to `mistakes`.
pub(super) fn read(reader: &mut Reader<'_>, keys: &StorageKeys, mistakes: &mut Vec<String>) -> Vec<Found> {
    let secrets = reader.sources.paths.secrets.clone();
    let environment = &reader.sources.environment;
    let (mut found, mut names, mut warnings) = (Vec::new(), BTreeSet::new(), Vec::new());
    for provider in keys.providers.iter().flatten() {
        let name = match provider.name.parse::<ProviderName>() {
            Ok(name) => name,
            Err(error) => {
                let (line, column) = (provider.position.line, provider.position.column);
                mistakes.push(format!("line {line}, column {column}: storage_providers: {error}"));
                continue;
            }
        };
        let mut keys = Keys::new(provider, &name, &secrets);
        if !names.insert(name.clone()) {
            keys.wrong("this provider stands there twice");
        }
        let made = make(&name, &mut keys, environment);
        if let Some((Err(error), _)) = &made {
            keys.wrong(&error.to_string());
        }
        for key in keys.left() {
            warnings.push(format!("storage_providers.{name}: the key {key:?} is unknown, and ignored"));
        }
        mistakes.append(&mut keys.mistakes);
        if let Some((Ok(provider), space)) = made {
            found.push((provider, space));
        }
    }
    for warning in warnings {
        reader.warn(warning);
    }
    found
}

type Made = (Result<Arc<dyn Provider>, Error>, Option<String>);

fn shared(provider: Result<impl Provider + 'static, Error>) -> Result<Arc<dyn Provider>, Error> {
    provider.map(|provider| Arc::new(provider) as Arc<dyn Provider>)
}

/// Makes a provider; `None` if a key that it needs is missing.
fn make(name: &ProviderName, keys: &mut Keys<'_>, environment: &Environment) -> Option<Made> {
    let own = name.clone();
    Some(match name.kind {
        ProviderType::Minio | ProviderType::S3 => (shared(S3::new(own, s3_settings(name, keys, environment)?)), None),
        ProviderType::WebDav => (shared(WebDav::new(own, webdav_settings(keys)?)), None),
        ProviderType::Onedata => {
            let settings = onedata_settings(keys)?;
            let space = settings.space.clone();
            (shared(Onedata::new(own, settings)), Some(space))
        }
        ProviderType::Rucio => (shared(Rucio::new(own, rucio_settings(keys)?)), None),
        ProviderType::Local => {
            let path = PathBuf::from(keys.needed("path", "path: /data")?);
            if !path.is_absolute() {
                keys.wrong("expected an absolute path");
            }
            (Ok(Arc::new(Local::new(own, path))), None)
        }
    })
}

fn s3_settings(name: &ProviderName, keys: &mut Keys<'_>, environment: &Environment) -> Option<s3::Settings> {
    let is_minio = name.kind == ProviderType::Minio;
    let url = if is_minio {
        keys.needed("endpoint", "endpoint: https://minio.example.org:9000")
    } else {
        keys.text("endpoint")
    };
    let endpoint = url.map(|url| keys.endpoint("endpoint", url));
    let is_usual_chain = !is_minio && name.id == "default" && !keys.has_any(&S3_KEYS, &S3_FILES);
    let credentials = if is_usual_chain {
        let text =
            |(name, value): (&OsString, &OsString)| Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()));
        Credentials::Chain(environment.iter().filter_map(text).collect())
    } else {
        Credentials::Keys {
            access_key: keys.secret("access_key", "accessKey"),
            secret_key: keys.secret("secret_key", "secretKey"),
            session_token: keys.given_secret("session_token", "sessionToken"),
        }
    };
    let usual = if is_minio || endpoint.is_some() { Addressing::Path } else { Addressing::Virtual };
    let addressing = match keys.text("addressing") {
        None => usual,
        Some("path") => Addressing::Path,
        Some("virtual") => Addressing::Virtual,
        Some(_) => {
            keys.wrong("expected path or virtual for addressing");
            usual
        }
    };
    let (region, trust) = (keys.text("region").map(str::to_owned), keys.trust());
    keys.are_known(&["access_key", "secret_key", "session_token"]);
    if is_minio && url.is_none() || endpoint.as_ref().is_some_and(Option::is_none) {
        return None;
    }
    Some(s3::Settings { endpoint: endpoint.flatten(), region, credentials, addressing, trust })
}

fn webdav_settings(keys: &mut Keys<'_>) -> Option<WebDavSettings> {
    let host = keys.needed("hostname", "hostname: dav.example.org");
    let (scheme, port) = (keys.text("scheme").unwrap_or("https"), keys.text("port"));
    let url = host.map(|host| match (host.contains("://"), port) {
        (true, None) => host.to_owned(),
        (true, Some(port)) => format!("{}:{port}", host.trim_end_matches('/')),
        (false, None) => format!("{scheme}://{host}"),
        (false, Some(port)) => format!("{scheme}://{host}:{port}"),
    });
    let auth = if keys.has_any(&["token"], &["token"]) {
        Auth::Bearer(keys.secret("token", "token"))
    } else if keys.has_any(&["login", "password"], &["login", "password"]) {
        Auth::Basic { login: keys.secret("login", "login"), password: keys.secret("password", "password") }
    } else {
        Auth::None
    };
    keys.are_known(&["login", "password", "token"]);
    let trust = keys.trust();
    let endpoint = keys.endpoint("hostname", &url?)?;
    Some(WebDavSettings { endpoint, auth, trust })
}

fn onedata_settings(keys: &mut Keys<'_>) -> Option<OnedataSettings> {
    let host = keys.needed("oneprovider_host", "oneprovider_host: oneprovider.example.org");
    let space = keys.needed("space", "space: my-space");
    let (token, trust) = (keys.secret("token", "token"), keys.trust());
    let endpoint = keys.endpoint("oneprovider_host", &with_scheme(host?))?;
    Some(OnedataSettings { endpoint, token, space: space?.to_owned(), trust })
}

fn rucio_settings(keys: &mut Keys<'_>) -> Option<RucioSettings> {
    let host = keys.needed("host", "host: https://rucio.example.org");
    let auth_host = keys.needed("auth_host", "auth_host: https://rucio-auth.example.org");
    let account = keys.needed("account", "account: me");
    let rse = keys.text("rse").map(str::to_owned);
    let userpass = (keys.text("userpass.username"), keys.text("userpass.password"));
    let auth = if let (Some(username), Some(password)) = userpass {
        let value = |text: &str| Secret::Value(text.to_owned());
        RucioAuth::UserPass { username: value(username), password: value(password) }
    } else if keys.has_any(&["refresh_token"], &["refreshToken"]) {
        let token = keys.secret("refresh_token", "refreshToken");
        let url = keys.needed("token_endpoint", "token_endpoint: https://iam.example.org/token");
        let client_id = keys.needed("client_id", "client_id: my-client")?.to_owned();
        let scopes = keys.text("scopes").unwrap_or("openid offline_access").to_owned();
        let audience = keys.text("audience").map(str::to_owned);
        let endpoint = keys.endpoint("token_endpoint", url?)?;
        RucioAuth::RefreshToken(RefreshToken { token, endpoint, client_id, scopes, audience })
    } else {
        RucioAuth::AccessToken(keys.secret("access_token", "token"))
    };
    keys.are_known(&["refresh_token", "access_token"]);
    let trust = keys.trust();
    let host = keys.endpoint("host", &with_scheme(host?));
    let auth_host = keys.endpoint("auth_host", &with_scheme(auth_host?));
    Some(RucioSettings { host: host?, auth_host: auth_host?, account: account?.to_owned(), rse, auth, trust })
}

/// An address without a scheme is one over TLS.
fn with_scheme(host: &str) -> String {
    if host.contains("://") { host.to_owned() } else { format!("https://{host}") }
}
