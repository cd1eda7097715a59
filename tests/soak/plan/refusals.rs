//! Pages of bandog's own, and requests that are refused.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    MAX_BODY, Maker,
    bodies::{form, gzip},
};
use crate::call::{Call, Problem, TOKEN, Wanted};

impl Maker {
    pub(super) fn probe(&mut self) -> Call {
        let (path, part) = self.chance.pick(&[
            ("/_/health", "OK"),
            ("/_/status", "\"service\":\"soak\""),
            ("/_/metrics", "http_requests_total"),
            ("/_/nothing", ""),
        ]);
        let wanted = if part.is_empty() { Problem::refused(404, "not-found") } else { Wanted::Page(part) };
        let id = self.next_id();
        Call::page(id, path, wanted)
    }

    pub(super) fn wrong_head(&mut self) -> Call {
        let mut call = self.copy(20_000);
        call.needs_place = false;
        let (status, slug) = match self.chance.below(6) {
            0 => {
                call = call.without("Authorization");
                (401, "unauthorized")
            }
            1 => {
                call = call.without("Authorization").with("X-Bandog-Token", format!("{TOKEN}x"));
                (401, "unauthorized")
            }
            2 => {
                call.method = self.chance.pick(&["OPTIONS", "TRACE", "BREW"]);
                (405, "method-not-allowed")
            }
            3 => {
                call.target.replace_range(.., "/run/other");
                (404, "not-found")
            }
            4 => {
                call = call.without("Content-Encoding").with("Content-Encoding", "br");
                (415, "unsupported-encoding")
            }
            _ => {
                call = call.with("X-Large", "x".repeat(70_000));
                (431, "headers-too-large")
            }
        };
        call.wanted = Problem::refused(status, slug);
        call
    }

    pub(super) fn bad_body(&mut self) -> Call {
        let wanted = Problem::refused(400, "bad-input");
        let good = STANDARD.encode(self.input(200_000));
        let (kind, body) = match self.chance.below(5) {
            0 => (None, format!("{good}!").into_bytes()),
            1 => (Some("application/vnd.soak+json"), b"{\"a\": 1,}".to_vec()),
            2 => (Some("application/json"), format!("[{}", "[1],".repeat(20_000)).into_bytes()),
            3 => {
                let mut cut = form(&[("a".to_owned(), Some("a".to_owned()), good.into_bytes())]);
                cut.truncate(cut.len() - 8);
                (Some("multipart/form-data; boundary=soak-boundary"), cut)
            }
            _ => (None, b"no base64 at all?".to_vec()),
        };
        let call = self.call("copy x", body, wanted);
        let call = if let Some(kind) = kind { call.with("Content-Type", kind) } else { call };
        self.framed(call)
    }

    pub(super) fn too_large(&mut self) -> Call {
        let wanted = Problem::refused(413, "body-too-large");
        let mut call = self.call("copy x", Vec::new(), wanted).with("Content-Type", "application/octet-stream");
        match self.chance.below(4) {
            // As sent, one piece over.
            0 => {
                call.body = vec![b'x'; MAX_BODY + 100_000];
                call.chunks = vec![1 << 20];
                call
            }
            // As unpacked.
            1 => {
                call.body = gzip(&vec![0; MAX_BODY + 1]);
                call.with("Content-Encoding", "gzip")
            }
            // As announced: refused for its head, without a place.
            _ => {
                call.needs_place = false;
                call.with("Content-Length", (MAX_BODY + 1).to_string())
            }
        }
    }
}
