//! The single path of all bodies: body → workspace → input file → input of a platform's event → arguments of an action.

use crate::{
    actions::{Action, Arguments, Placement, TextArgument},
    input::{self, BodySource, Envelope, Input, InputDir, InputFilter},
    workspace::Workspace,
};

/// Reads a body to its end and stores its content in the input directory of `workspace`. Neither the body as sent nor its
/// unpacked content may be longer than `max_body` bytes (0 for no limit). Then `filter` turns it into the input; `None`
/// where a body is only a body, as that of an action is.
///
/// # Errors
/// The body does not match its content headers, is too long, did not arrive, or cannot be stored, or the filter finds no
/// usable input in it.
pub fn take_in(
    workspace: &Workspace,
    envelope: &Envelope,
    source: &mut dyn BodySource,
    max_body: u64,
    filter: Option<&dyn InputFilter>,
) -> Result<Input, input::InputError> {
    let path = workspace.input_path();
    let dir = InputDir { fd: workspace.input(), path: &path };
    let input = input::receive(envelope, source, dir, max_body)?;
    match filter {
        Some(filter) => filter.filter(input, dir, max_body),
        None => Ok(input),
    }
}

/// Binds an input, and the `texts` given beside it, to the arguments of an action. Also returns whether there are files
/// among them, which are in `workspace`.
///
/// # Errors
/// The arguments do not fit the action.
pub fn bind(
    workspace: &Workspace,
    envelope: &Envelope,
    input: &Input,
    (action, way, texts): (&Action, Placement, &[TextArgument]),
) -> Result<(Arguments, bool), input::InputError> {
    let path = workspace.input_path();
    let dir = InputDir { fd: workspace.input(), path: &path };
    let body = input::arguments(envelope, input, dir, action, way)?;
    let mut has_files = body.has_files();
    let mut store = |_: &str, content: &[u8]| {
        has_files = true;
        input::store_file(dir, content)
    };
    let arguments = action.bind(way, texts, body, &mut store)?;
    Ok((arguments, has_files))
}
