//! `bandog call`: the client.
//!
//! The input is encoded while it is sent, and the response is decoded while it arrives, so that memory stays flat. The
//! client works with bandog, and with the services that it replaces (OSCAR's gateway, OpenFaaS), whose responses have
//! fewer labels.

use std::{ffi::OsStr, io, os::unix::ffi::OsStrExt as _, path::PathBuf, process::ExitCode, time::Duration};

use clap::ValueHint;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use ureq::{
    Agent, SendBody,
    unversioned::transport::{ConnectProxyConnector, Connector as _, TcpConnector},
};

use super::{BAD_CONFIGURATION, FAILURE, NOT_WRITTEN, destination, fail, header as header_flag};
use crate::{
    config::{Environment, quantity, setting},
    http::{ThreadResolver, TlsConnector},
    reply,
};
use bandog_tls as tls;

mod arguments;
mod decode;
mod early;
mod input;
mod problem;
mod progress;
mod response;
#[cfg(test)]
mod tests;
mod verbose;

use early::{EarlyResponse, StopFlag};
use input::{Base64Upload, CallInput};
use verbose::ShowRequests;

pub(super) const EXAMPLES: &str = "Examples:
  bandog call localhost:8080 --input page.png --output page.txt
  bandog call https://oscar.example/run/ocr --token … -f page.png -o page.txt
  bandog call localhost:8080 -i '{\"lang\": \"eng\"}'
  tar cz photos | bandog call localhost:8080 -f - -o out/
  bandog call localhost:8080/run/count -a text='to be' -a unit=word
                                                  the arguments of an action, as a JSON object
  bandog call localhost:8080/run/resize -a image=@photo.jpg -a width=80 -o small.jpg

A response in base64 is decoded. Several files come as a zip, which is saved as it is.

The exit code is 0; 1 if the response is an error or incomplete, and then the message is on stderr
and PATH stays as it was; 78 for wrong arguments.";

/// The time to connect. The response has no limit: functions run for hours.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// An input with more bytes is sent only after 100 Continue, so that a wrong token costs no upload.
const ASK_FIRST: u64 = 64 * 1024;

/// The flags of `bandog call`.
#[derive(Debug, clap::Args)]
pub struct CallFlags {
    /// The address of the function; without a scheme it is http://
    #[arg(value_name = "URL", value_hint = ValueHint::Url)]
    pub url: String,
    /// The file to send; - for stdin
    #[arg(long, short = 'f', visible_alias = "file-input", value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(conflicts_with = "text_input")]
    pub input: Option<PathBuf>,
    /// The text to send
    #[arg(long, short = 'i', value_name = "TEXT", allow_hyphen_values = true)]
    pub text_input: Option<String>,
    /// Where the response is written: a file, or a directory to put it in under its own name [default: stdout]
    #[arg(long, short = 'o', value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub output: Option<PathBuf>,
    /// The Bearer token; others on the machine can read a flag, so prefer the variable [env: BANDOG_TOKEN]
    #[arg(long, short = 't', value_name = "T")]
    pub token: Option<String>,
    /// A header to send, such as "Accept: application/json"; may be repeated
    #[arg(long, value_name = "NAME:VALUE")]
    pub header: Vec<String>,
    /// An argument of an action: JSON, text, or @FILE for the content of a file; may be repeated. Together they are the
    /// body, a JSON object; with --input or --text-input they are the query
    #[arg(long, short = 'a', value_name = "NAME=VALUE")]
    pub argument: Vec<String>,
    /// Show the heads of the request and of the response on stderr, without the token
    #[arg(long, short = 'v')]
    pub verbose: bool,
    /// Write the response as it comes, without decoding it
    #[arg(long)]
    pub raw: bool,
    /// How long the whole call may take [default: no limit]
    #[arg(long, value_name = "D")]
    pub timeout: Option<String>,
    /// The certificate authorities to trust, in PEM, instead of the public ones
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
}

/// The reason why a call failed.
#[derive(Debug, thiserror::Error)]
enum CallError {
    /// The arguments are wrong.
    #[error("{0}")]
    Usage(String),
    /// The input could not be read.
    #[error("cannot read {what}: {source}")]
    Input { what: String, source: std::io::Error },
    /// The server could not be reached, or closed the connection early.
    #[error("{0}")]
    Network(String),
    /// The status is not 2xx.
    #[error("{0}")]
    Refused(String),
    /// The response is labelled as base64, and is not.
    #[error("the response is not valid base64, though it says so; --raw keeps it as it is")]
    NotBase64,
    /// The response could not be written.
    #[error("cannot write {what}: {source}")]
    Output { what: String, source: std::io::Error },
    /// The response could not be written to standard output.
    #[error("cannot write to the standard output: {0}")]
    Stdout(std::io::Error),
}

/// The call that the arguments describe.
#[derive(Debug)]
struct Call {
    uri: Uri,
    headers: HeaderMap,
    input: CallInput,
    output: Option<PathBuf>,
    raw: bool,
    timeout: Option<Duration>,
    ca_file: Option<PathBuf>,
    verbose: bool,
}

/// Makes the call.
pub(super) fn main(flags: CallFlags, environment: &Environment) -> ExitCode {
    match Call::new(flags, environment).and_then(|call| call.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ CallError::Usage(_)) => fail(BAD_CONFIGURATION, &error),
        Err(CallError::Stdout(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => reply::READER_GONE.into(),
        Err(error @ CallError::Stdout(_)) => fail(NOT_WRITTEN, &error),
        Err(error) => fail(FAILURE, &error),
    }
}

impl Call {
    fn new(flags: CallFlags, environment: &Environment) -> Result<Self, CallError> {
        let mut mistakes = Vec::new();
        let uri = parse_url(&flags.url).map_err(|mistake| mistakes.push(mistake)).ok();
        let headers =
            header_flag::parse_all(&flags.header).map_err(|mistake| mistakes.push(mistake)).unwrap_or_default();
        let mut headers: HeaderMap = headers.into_iter().fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value);
            map
        });
        match token(flags.token.as_deref(), environment) {
            Ok(Some(value)) => {
                headers.insert(header::AUTHORIZATION, value);
            }
            Ok(None) => {}
            Err(mistake) => mistakes.push(mistake),
        }
        let timeout = flags.timeout.as_deref().and_then(|text| {
            let duration = quantity::duration(text.trim());
            if duration.is_none() {
                mistakes.push(format!("--timeout: {text:?}: expected {}", quantity::DURATION_EXPECTED));
            }
            duration.filter(|duration| !duration.is_zero())
        });
        let mut input = CallInput::new(flags.text_input, flags.input);
        let Some(mut uri) = uri.filter(|_| mistakes.is_empty()) else {
            return Err(CallError::Usage(mistakes.join("\n")));
        };
        match input {
            CallInput::None if !flags.argument.is_empty() => {
                input = CallInput::Arguments(arguments::document(&flags.argument)?);
            }
            _ => uri = arguments::in_query(uri, &flags.argument)?,
        }
        set_input_headers(&input, &mut headers);
        let CallFlags { output, raw, ca_file, verbose, .. } = flags;
        let output = output.filter(|path| path.as_os_str() != "-");
        Ok(Self { uri, headers, input, output, raw, timeout, ca_file, verbose })
    }

    fn run(&self) -> Result<(), CallError> {
        if let Some(path) = &self.output {
            // Found out before the function runs for nothing.
            destination::check(path)
                .map_err(|source| CallError::Output { what: path.display().to_string(), source })?;
        }
        let stop = StopFlag::default();
        let agent = self.agent(&stop)?;
        let (parts, body) = self.send(&agent, &stop)?.into_parts();
        if self.verbose {
            verbose::show_response(&parts);
        }
        let response = http::Response::from_parts(parts, body);
        if !response.status().is_success() {
            return Err(CallError::Refused(problem::describe(&self.uri, response)));
        }
        response::receive(self, response)
    }

    fn agent(&self, stop: &StopFlag) -> Result<Agent, CallError> {
        let own = self.ca_file.as_deref().map(|path| {
            let what = format!("--ca-file {}", path.display());
            tls::read_certificates(path).map_err(|source| match source.kind() {
                io::ErrorKind::InvalidData => CallError::Usage(format!("{what}: {source}")),
                _ => CallError::Input { what, source },
            })
        });
        let trust = tls::client_config(own.transpose()?);
        let trust = trust.map_err(|error| CallError::Usage(format!("--ca-file: {error}")))?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // A streamed input cannot be sent twice, and the token must not go to the target of a redirect.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(self.timeout)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .user_agent(concat!("bandog/", env!("CARGO_PKG_VERSION")))
            .build();
        let connector = ConnectProxyConnector::default()
            .chain(TcpConnector::default())
            .chain(EarlyResponse::new(stop))
            .chain(TlsConnector(trust))
            .chain(ShowRequests(self.verbose));
        Ok(Agent::with_parts(config, connector, ThreadResolver))
    }

    fn send(&self, agent: &Agent, stop: &StopFlag) -> Result<http::Response<ureq::Body>, CallError> {
        let mut request = http::Request::builder().method(Method::POST).uri(self.uri.clone());
        if let Some(headers) = request.headers_mut() {
            headers.clone_from(&self.headers);
        }
        let built = |error: http::Error| CallError::Usage(format!("cannot make a request of that: {error}"));
        if let CallInput::Arguments(document) = &self.input {
            let request = request.body(document.as_str()).map_err(built)?;
            return agent.run(request).map_err(|error| self.network(&error));
        }
        let Some((source, raw_len)) = self.input.open()? else {
            let request = request.body(&b""[..]).map_err(built)?;
            return agent.run(request).map_err(|error| self.network(&error));
        };
        let mut upload = Base64Upload::new(source, raw_len, stop.clone());
        if let Some(len) = upload.len() {
            request = request.header(header::CONTENT_LENGTH, len);
        }
        if upload.len().is_none_or(|len| len > ASK_FIRST) {
            request = request.header(header::EXPECT, "100-continue");
        }
        let sent = agent.run(request.body(SendBody::from_reader(&mut upload)).map_err(built)?);
        sent.map_err(|error| match upload.error.take() {
            Some(source) => CallError::Input { what: self.input.to_string(), source },
            None if stop.is_set() => {
                CallError::Network(format!("{} closed the connection while the input was being sent", self.uri))
            }
            None => self.network(&error),
        })
    }

    fn network(&self, error: &ureq::Error) -> CallError {
        let uri = &self.uri;
        CallError::Network(match error {
            ureq::Error::Timeout(ureq::Timeout::Connect) => {
                format!("cannot reach {uri}: no connection within {}", quantity::duration_text(CONNECT_TIMEOUT))
            }
            ureq::Error::Timeout(_) => {
                let limit = quantity::duration_text(self.timeout.unwrap_or_default());
                format!("no complete response from {uri} within {limit}; see --timeout")
            }
            ureq::Error::HostNotFound => format!("cannot find the host of {uri}; check its name"),
            ureq::Error::Io(error) if error.to_string().contains("lookup") => {
                format!("cannot find the host of {uri}: {error}; check its name")
            }
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                format!("cannot call {uri}: {error}; nothing listens there, see the line \"listening on\" of its log")
            }
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let hint = if uri.scheme() == Some(&http::uri::Scheme::HTTP) {
                    "; if it speaks TLS, use https://"
                } else {
                    ""
                };
                format!("{uri} closed the connection before the end of its response{hint}")
            }
            ureq::Error::Io(error) if error.to_string().contains("corrupt message") => {
                format!("{uri} does not speak TLS ({error}); use http://")
            }
            ureq::Error::Rustls(error) if error.to_string().contains("corrupt message") => {
                format!("{uri} does not speak TLS ({error}); use http://")
            }
            // Errors of the TLS library are I/O errors without a kind of their own.
            ureq::Error::Io(error) if error.to_string().contains("certificate") => {
                format!("cannot trust {uri}: {error}; for a private authority give its certificate with --ca-file")
            }
            ureq::Error::Protocol(error) if uri.scheme() == Some(&http::uri::Scheme::HTTP) => {
                format!("{uri} does not respond in HTTP: {error}; if it speaks TLS, use https://")
            }
            ureq::Error::Io(error) => format!("cannot call {uri}: {error}"),
            error => format!("cannot call {uri}: {error}"),
        })
    }
}

/// Describes the input in headers: its name, and that a given type is the type of the bytes, although they are sent as
/// base64. Other servers ignore these headers.
fn set_input_headers(input: &CallInput, headers: &mut HeaderMap) {
    if let CallInput::Arguments(_) = input {
        headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        return;
    }
    if let CallInput::File(path) = input
        && let Some(name) = path.file_name()
        && let Ok(value) = HeaderValue::from_str(&reply::disposition(name.as_bytes()))
    {
        headers.entry(header::CONTENT_DISPOSITION).or_insert(value);
    }
    if headers.contains_key(header::CONTENT_TYPE) {
        headers.insert(reply::CONTENT_TRANSFER_ENCODING, HeaderValue::from_static("base64"));
    }
}

/// Parses the address; the scheme is optional.
fn parse_url(text: &str) -> Result<Uri, String> {
    // The part before an @ may be a password.
    let quoted = if text.contains('@') { String::new() } else { format!(" {text:?}:") };
    let wrong = || format!("URL:{quoted} expected an address such as localhost:8080 or https://oscar.example/run/ocr");
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let uri: Uri = whole.parse().map_err(|_| wrong())?;
    let scheme = uri.scheme_str().unwrap_or_default();
    if !["http", "https"].contains(&scheme) || uri.host().unwrap_or_default().is_empty() {
        return Err(wrong());
    }
    // It would appear in the server's log and in messages.
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("URL: a password in an address is not sent; use --token or --header".to_owned());
    }
    // A password with a slash in it cuts the address short: the part before the slash is not a host and a port.
    let has_port = uri.authority().is_some_and(|authority| {
        authority.as_str().rsplit(']').next().is_some_and(|after_host| after_host.contains(':'))
    });
    if has_port && uri.port_u16().is_none() {
        return Err(wrong());
    }
    Ok(uri)
}

/// `Authorization`, from the flag or the variable.
fn token(flag: Option<&str>, environment: &Environment) -> Result<Option<HeaderValue>, String> {
    let variable = environment.get(OsStr::new(&setting::TOKEN.variable()));
    let (name, token) = match (flag, variable) {
        (Some(token), _) => ("--token".to_owned(), Some(token)),
        (None, Some(token)) => (setting::TOKEN.variable(), token.to_str()),
        (None, None) => return Ok(None),
    };
    let token = token.map(str::trim_ascii).filter(|token| !token.is_empty());
    let value = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok());
    let mut value = value.ok_or_else(|| format!("{name}: expected a token of visible ASCII characters"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}
