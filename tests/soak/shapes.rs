//! Bytes that a proxy in front of bandog might read as one request and bandog as two, or the other way round
//! (RFC 9112 §11.2): whatever is answered, what was hidden in them must not run.

use crate::{call::TOKEN, chance::Chance};

/// Such bytes.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// The call that is in plain view; it may run, or be refused.
    pub(crate) id: String,
    /// The call that is hidden in its body, or behind it.
    pub(crate) hidden: String,
    pub(crate) bytes: Vec<u8>,
    /// Length and chunks are both told: the one in plain view may run with what its chunks hold, which is nothing.
    pub(crate) chunks_count: bool,
}

/// Each with its name, its framing (ALL is the length of all that follows, the hidden call too), and the body in front
/// of what is hidden.
const SHAPES: [(&str, &str, &str); 11] = [
    ("length and chunks", "Content-Length: ALL\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
    ("chunks and length", "Transfer-Encoding: chunked\r\nContent-Length: ALL", "0\r\n\r\n"),
    ("two lengths", "Content-Length: 2\r\nContent-Length: 3", "{}"),
    ("a list of lengths", "Content-Length: 2, 3", "{}"),
    ("a length with a sign", "Content-Length: +2", "{}"),
    ("a blank before the colon", "Content-Length : 2", "{}"),
    ("a folded field", "Transfer-Encoding:\r\n chunked", "0\r\n\r\n"),
    ("a coding that is none", "Transfer-Encoding: xchunked", "0\r\n\r\n"),
    ("two codings", "Transfer-Encoding: chunked, identity", "0\r\n\r\n"),
    ("a chunk of more than 64 bits", "Transfer-Encoding: chunked", "10000000000000002\r\n{}\r\n0\r\n\r\n"),
    ("a bare CR", "X-Soak: a\rTransfer-Encoding: chunked\r\nContent-Length: 2", "{}"),
];

/// One of them, with another request after it.
pub(crate) fn pick(chance: &mut Chance, [id, hidden]: [String; 2]) -> Shape {
    let (name, framing, body) = chance.pick(&SHAPES);
    let head = |id: &str, framing: &str| {
        format!(
            "POST /run/soak HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer {TOKEN}\r\nX-Call-Id: {id}\r\nX-Do: print\r\n{framing}\r\n\r\n"
        )
    };
    let behind = head(&hidden, "Content-Length: 0");
    let all = (body.len() + behind.len()).to_string();
    let bytes = [&head(&id, &framing.replace("ALL", &all)), body, &behind].concat().into_bytes();
    Shape { name, id, hidden, bytes, chunks_count: framing.contains("ALL") }
}
