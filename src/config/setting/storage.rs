//! The settings of the group "Storage".

use super::{Fallback, Group, PLAIN, Setting};

/// `--upload-on-failure`.
pub static UPLOAD_ON_FAILURE: Setting = Setting {
    name: "upload-on-failure",
    value: Some("never|always"),
    choices: &["never", "always"],
    group: Group::Storage,
    default: Fallback::Text("never"),
    meaning: "whether the files that a failed function left are stored as well",
    ..PLAIN
};

/// `--keep-failed`.
pub static KEEP_FAILED: Setting = Setting {
    name: "keep-failed",
    value: Some("DIR"),
    group: Group::Storage,
    meaning: "where output files that could not be stored are kept, in a directory for each call; without it they are in the response alone",
    ..PLAIN
};

/// `--transfer-parallel`.
pub static TRANSFER_PARALLEL: Setting = Setting {
    name: "transfer-parallel",
    value: Some("N"),
    group: Group::Storage,
    default: Fallback::Text("16"),
    meaning: "the most files of one call that are stored at once",
    ..PLAIN
};

/// `--allow-loop`.
pub static ALLOW_LOOP: Setting = Setting {
    name: "allow-loop",
    value: None,
    group: Group::Storage,
    default: Fallback::Text("false"),
    meaning: "allows an output in the place of an input, for functions whose inputs and outputs differ by prefix or suffix",
    ..PLAIN
};

/// `--event-answer`.
pub static EVENT_ANSWER: Setting = Setting {
    name: "event-answer",
    value: Some("done|accepted"),
    choices: &["done", "accepted"],
    group: Group::Storage,
    default: Fallback::Text("done"),
    meaning: "when an event of a store is answered: once its run is over; `accepted` needs jobs, which are not kept yet",
    server_only: true,
    ..PLAIN
};
