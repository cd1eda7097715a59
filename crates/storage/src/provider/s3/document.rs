//! The XML documents of S3 and STS: the name of the root, and the texts of the elements that have no others in them.

use quick_xml::{Reader, XmlVersion, events::Event};

/// Bytes of a document that are read.
pub(super) const LIMIT: usize = 64 * 1024;

/// Nested elements, at most. The documents have four.
const DEPTH: usize = 32;

/// A document.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    /// The name of the root, without its prefix. Servers give the same document different ones.
    pub(super) root: String,
    texts: Vec<(String, String)>,
}

impl Document {
    /// Reads a document. `None` if it is not one: it is no XML, has no root, or ends before its root does.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        // The reader takes blanks before the declaration, which a server that works for long sends to keep the connection open.
        let mut reader = Reader::from_str(std::str::from_utf8(bytes).ok()?);
        let mut document = Self::default();
        // The open elements, each with its text.
        let mut open: Vec<(String, String)> = Vec::new();
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => {
                    let name = start.local_name().into_inner().to_owned();
                    if open.is_empty() {
                        document.root.clone_from(&name);
                    }
                    open.push((name, String::new()));
                    if open.len() > DEPTH {
                        return None;
                    }
                }
                Event::Empty(empty) => {
                    let name = empty.local_name().into_inner().to_owned();
                    if open.is_empty() {
                        document.root = name;
                        return Some(document);
                    }
                    document.texts.push((name, String::new()));
                }
                Event::Text(text) => append(&mut open, &text.xml_content(XmlVersion::Implicit1_0)),
                Event::CData(text) => append(&mut open, &text.xml_content(XmlVersion::Implicit1_0)),
                Event::GeneralRef(name) => {
                    let sign = match name.resolve_char_ref().ok()? {
                        Some(sign) => sign.to_string(),
                        None => quick_xml::escape::resolve_predefined_entity(&name)?.to_owned(),
                    };
                    append(&mut open, &sign);
                }
                Event::End(_) => {
                    let (name, text) = open.pop()?;
                    document.texts.push((name, text.trim().to_owned()));
                    if open.is_empty() {
                        return Some(document);
                    }
                }
                Event::Eof => return None,
                Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_) => {}
            }
        }
    }

    /// The text of the first element of this name, if it has one.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.texts.iter().find(|(known, _)| known == name)?;
        Some(found.1.as_str()).filter(|text| !text.is_empty())
    }
}

fn append(open: &mut [(String, String)], text: &str) {
    if let Some((_, collected)) = open.last_mut() {
        collected.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_texts_of_a_document_are_found_whatever_its_root_is_called() {
        let text = "  \n<?xml version=\"1.0\"?>\n<!-- x --><s:Initiate xmlns:s='u'><s:UploadId> a&amp;b&#43;<![CDATA[<c>]]> </s:UploadId>\
                    <Empty/><In><Deep>d</Deep></In></s:Initiate>";
        let document = Document::parse(text.as_bytes()).expect("a document");
        assert_eq!(document.root, "Initiate");
        assert_eq!(document.text("UploadId"), Some("a&b+<c>"));
        assert_eq!((document.text("Deep"), document.text("Empty"), document.text("None")), (Some("d"), None, None));
        assert_eq!(Document::parse("\u{feff}<a>b</a>".as_bytes()).expect("a document").text("a"), Some("b"));
        assert_eq!(Document::parse(b"<Error/>").expect("a document").root, "Error");
    }

    #[test]
    fn a_part_of_a_document_is_none() {
        let deep = "<a>".repeat(1000);
        for text in ["", " ", "text", "<a>", "<a><b></b>", "<a></b>", "<a>&unknown;</a>", "<a>\u{0}<", deep.as_str()] {
            assert_eq!(Document::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(Document::parse(b"<a>\xff</a>"), None);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "\\PC{1,40}") {
            let escaped = quick_xml::escape::escape(text.as_str());
            let written = format!("<a><b>{escaped}</b></a>");
            let document = Document::parse(written.as_bytes()).expect("a document");
            prop_assert_eq!(document.text("b").unwrap_or_default(), text.trim());
        }

        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Document::parse(&bytes);
        }
    }
}
