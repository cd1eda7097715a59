//! Bodies, and the ways in which the same input arrives.

use std::io::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};

use super::Maker;
use crate::call::Call;

pub(super) const BOUNDARY: &str = "soak-boundary";

impl Maker {
    pub(super) fn input(&mut self, most: usize) -> Vec<u8> {
        let length = self.chance.between(16, most);
        self.chance.bytes(length)
    }

    /// The call with `input` as its body, in one of the ways that all arrive as the same input file.
    pub(super) fn dressed(&mut self, mut call: Call, input: &[u8]) -> Call {
        call.body = input.to_vec();
        call = match self.chance.below(7) {
            0 => {
                call.body = STANDARD.encode(input).into();
                call
            }
            1 => {
                call.body = STANDARD.encode(input).into();
                call.with("Content-Type", "application/json")
            }
            2 => {
                call.body =
                    STANDARD.encode(input).as_bytes().chunks(76).flat_map(|line| [line, b"\r\n"].concat()).collect();
                call.with("Content-Type", "application/x-www-form-urlencoded")
            }
            3 => {
                call.body = gzip(input);
                call.with("Content-Type", "image/png").with("Content-Encoding", "gzip")
            }
            4 => {
                call.body = STANDARD.encode(input).into();
                call.with("Content-Type", "image/png").with("Content-Transfer-Encoding", "base64")
            }
            5 => {
                call.body = form(&[("file".to_owned(), Some("in.bin".to_owned()), input.to_vec())]);
                call.with("Content-Type", format!("multipart/form-data; boundary={BOUNDARY}"))
            }
            _ => call.with("Content-Type", "application/octet-stream"),
        };
        self.framed(call)
    }

    /// The call, chunked now and then.
    pub(super) fn framed(&mut self, mut call: Call) -> Call {
        if self.chance.once_in(3) && !call.body.is_empty() {
            call.chunks = (0..self.chance.between(1, 5)).map(|_| self.chance.between(1, 50_000)).collect();
            // The last one is repeated: small ones would be many.
            call.chunks.push(self.chance.between(1000, 60_000));
        }
        call
    }
}

/// A form of parts: field, file name, content.
pub(super) fn form(parts: &[(String, Option<String>, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, name, content) in parts {
        let name = name.as_ref().map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
        body.extend_from_slice(
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"{name}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes it all")
}
