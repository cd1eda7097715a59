//! The document of 207 Multi-Status (RFC 4918 §13): only what is asked for.

use http::StatusCode;
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

/// The facts of a document.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Multistatus {
    /// Whether the resource is a folder.
    pub(crate) is_folder: bool,
    /// The first status that is no success.
    pub(crate) failure: Option<StatusCode>,
}

impl Multistatus {
    /// Reads a document. `None` if it is none.
    pub(crate) fn parse(document: &[u8]) -> Option<Self> {
        let mut reader = Reader::from_str(std::str::from_utf8(document).ok()?);
        let (mut found, mut is_multistatus, mut is_in_type, mut is_in_status) = (Self::default(), false, false, false);
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => match local(&start) {
                    "multistatus" => is_multistatus = true,
                    "resourcetype" => is_in_type = true,
                    "status" => is_in_status = true,
                    "collection" if is_in_type => found.is_folder = true,
                    _ => {}
                },
                Event::Empty(empty) if is_in_type && local(&empty) == "collection" => found.is_folder = true,
                Event::End(end) => match end.local_name().into_inner() {
                    "resourcetype" => is_in_type = false,
                    "status" => is_in_status = false,
                    _ => {}
                },
                Event::Text(text) if is_in_status => {
                    let status = status(&text).filter(|status| !status.is_success());
                    found.failure = found.failure.or(status);
                }
                Event::Eof => return is_multistatus.then_some(found),
                _ => {}
            }
        }
    }
}

fn local<'a>(start: &'a BytesStart<'a>) -> &'a str {
    start.local_name().into_inner()
}

/// Reads `HTTP/1.1 CODE REASON`.
fn status(line: &str) -> Option<StatusCode> {
    StatusCode::from_bytes(line.split_ascii_whitespace().nth(1)?.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_under_any_prefix_and_only_by_its_type() {
        for (document, is_folder) in [
            ("<multistatus xmlns='DAV:'><resourcetype><collection/></resourcetype></multistatus>", true),
            (
                "<D:multistatus xmlns:D='DAV:'><D:resourcetype><lp1:collection></lp1:collection></D:resourcetype></D:multistatus>",
                true,
            ),
            ("<D:multistatus xmlns:D='DAV:'><D:resourcetype/><D:collection/></D:multistatus>", false),
            (
                "<?xml version='1.0'?><ns0:multistatus xmlns:ns0='DAV:'><ns0:href>/collection</ns0:href></ns0:multistatus>",
                false,
            ),
        ] {
            assert_eq!(Multistatus::parse(document.as_bytes()).expect(document).is_folder, is_folder, "{document}");
        }
        for document in ["", "no document", "<html/>", "<multistatus><a></b></multistatus>"] {
            assert_eq!(Multistatus::parse(document.as_bytes()), None, "{document}");
        }
    }

    #[test]
    fn the_first_failure_is_found() {
        let document = "<multistatus><status>HTTP/1.1 200 OK</status><status> HTTP/1.1 423 Locked </status><status>HTTP/1.1 424 x</status></multistatus>";
        let found = Multistatus::parse(document.as_bytes()).expect("a document");
        assert_eq!(found.failure, Some(StatusCode::LOCKED));
    }
}
