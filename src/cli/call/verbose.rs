//! `--verbose`: the heads of the request and of the response on standard error, without secrets.

use http::response::Parts;
use ureq::{
    Error,
    unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport},
};

use crate::cli::exit::say_plainly;

/// Fields whose values are secrets.
const SECRET: [&str; 5] = ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"];

/// Bytes of a head that are kept to be shown.
const MAX: usize = 256 * 1024;

/// Shows the head of each request as it is sent, within TLS if there is any.
#[derive(Debug)]
pub(super) struct ShowRequests(pub(super) bool);

impl<In: Transport> Connector<In> for ShowRequests {
    type Out = Shown<In>;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Shown<In>>, Error> {
        Ok(chained.map(|inner| Shown { inner, head: self.0.then(Vec::new) }))
    }
}

/// A transport whose first lines are shown.
#[derive(Debug)]
pub(super) struct Shown<In> {
    inner: In,
    /// `None` once the head has been shown.
    head: Option<Vec<u8>>,
}

impl<In: Transport> Transport for Shown<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if let Some(mut head) = self.head.take() {
            head.extend_from_slice(&self.inner.buffers().output()[..amount]);
            match head.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => show('>', &String::from_utf8_lossy(&head[..end])),
                None => self.head = Some(head).filter(|head| head.len() < MAX),
            }
        }
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Shows the head of a response.
pub(super) fn show_response(parts: &Parts) {
    let fields =
        parts.headers.iter().map(|(name, value)| format!("\n{name}: {}", String::from_utf8_lossy(value.as_bytes())));
    show('<', &format!("{:?} {}{}", parts.version, parts.status, fields.collect::<String>()));
}

fn show(mark: char, head: &str) {
    for line in lines(head) {
        say_plainly(&format_args!("{mark} {line}"));
    }
    say_plainly(&mark);
}

/// The lines of a head, without secrets and without characters that control a terminal.
fn lines(head: &str) -> impl Iterator<Item = String> {
    head.lines().map(|line| {
        let masked = line.split_once(':').filter(|(name, _)| SECRET.contains(&&*name.trim().to_ascii_lowercase()));
        let text = match masked {
            // The scheme helps, and is no secret.
            Some((name, value)) => match value.trim().split_once(' ') {
                Some((scheme, _)) if name.to_ascii_lowercase().ends_with("authorization") => {
                    format!("{name}: {scheme} ***")
                }
                _ => format!("{name}: ***"),
            },
            None => line.to_owned(),
        };
        super::problem::printable(&text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_the_rest_is_printable() {
        let head = "POST /?a=b HTTP/1.1\r\nAuthorization: Bearer s3cr3t\r\nhost: a:1\r\ncookie: a=s3cr3t; b=c\r\n\
                    proxy-authorization:Basic s3cr3t\r\nauthorization: s3cr3t\r\nx-a: \u{1b}[2J";
        let shown: Vec<_> = lines(head).collect();
        assert_eq!(
            shown,
            [
                "POST /?a=b HTTP/1.1",
                "Authorization: Bearer ***",
                "host: a:1",
                "cookie: ***",
                "proxy-authorization: Basic ***",
                "authorization: ***",
                "x-a: \u{fffd}[2J",
            ]
        );
    }
}
