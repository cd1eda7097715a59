//! The reason why a run has no input.

/// Why there is no input.
#[derive(Debug)]
pub(super) struct InputFault {
    /// The exit code.
    pub(super) code: u8,
    /// The message for the user.
    pub(super) text: String,
}
