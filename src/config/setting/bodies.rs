//! The settings of the group "Function" for the modes that pass bodies on as they are.

use super::{Fallback, PLAIN, Setting};

/// `--decode`.
pub static DECODE: Setting = Setting {
    name: "decode",
    value: None,
    default: Fallback::Text("false"),
    meaning: "decodes the body into a file, as mode `files` always does (JSON, base64, forms, gzip); otherwise the body is passed on as sent",
    ..PLAIN
};

/// `--forms`.
pub static FORMS: Setting = Setting {
    name: "forms",
    value: Some("detect|raw|json"),
    default: Fallback::Text("detect"),
    choices: &["detect", "raw", "json"],
    meaning: "what becomes of a decoded body labelled application/x-www-form-urlencoded: JSON or base64 as without the label, the form as it is, or a JSON object of its fields",
    ..PLAIN
};

/// `--encode`.
pub static ENCODE: Setting = Setting {
    name: "encode",
    value: None,
    default: Fallback::Text("false"),
    meaning: "responds as mode `files` always does: in base64, or in the form that Accept asks for; otherwise with the bytes themselves",
    ..PLAIN
};

/// `--answer-type`.
pub static ANSWER_TYPE: Setting = Setting {
    name: "answer-type",
    value: Some("TYPE"),
    default: Fallback::Text("application/octet-stream"),
    meaning: "the Content-Type of responses from standard output, unless the function names another",
    ..PLAIN
};

/// `--combine-output`.
pub static COMBINE_OUTPUT: Setting = Setting {
    name: "combine-output",
    value: None,
    default: Fallback::Text("false"),
    meaning: "in the modes `stdio` and `streaming`, standard error is part of the response, in the order written",
    ..PLAIN
};
