//! Bodies in the form in which a platform delivers them: the input is within the body, or the body only names it.

use std::fmt;

use super::{Input, InputDir, InputError};

/// Turns the body of a platform's request into the input of the function.
pub trait InputFilter: fmt::Debug + Send + Sync {
    /// Called after a body has been received into `dir` and before the function starts. Returns the input that the
    /// function gets: its file, its variables, and the notes for the log. A body that the platform has not wrapped is
    /// returned as it is.
    ///
    /// # Errors
    /// The body contains no usable input. `dir` is empty then.
    fn filter(&self, input: Input, dir: InputDir<'_>, max_body: u64) -> Result<Input, InputError>;
}
