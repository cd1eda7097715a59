//! The border between the network thread and the threads of executors: bodies cross it in bounded frames, both ways.

mod request;
mod response;
mod upload;

pub(crate) use request::{RequestBody, RequestFrame};
pub(crate) use response::{CancelOnDrop, ResponseSender};
pub use response::{Response, ResponseBody};
pub(crate) use upload::BodyIntake;
pub use upload::{NextFrame, Upload};

/// Frames under way in either direction. With frames of at most a few hundred KiB this bounds the memory of a body.
const FRAMES: usize = 4;

/// Bytes of a frame of a response that shares its connection with many, all of which may have frames under way.
const MULTIPLEXED_FRAME: usize = 16 * 1024;

/// A body ended before it was whole. The connection is broken off, so that the part is not taken for the whole.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the answer could not be completed")]
pub struct BrokenBody;
