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

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use bytes::Bytes;

    use super::*;
    use crate::{
        input::{BodyError, ContentHeaders, InputError, InputKind},
        workspace::WorkspaceRoot,
    };

    /// A body of one piece.
    struct OnePiece(Option<Bytes>);

    impl BodySource for OnePiece {
        fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
            Ok(self.0.take().filter(|piece| !piece.is_empty()))
        }
    }

    /// The events of a platform that puts every input between brackets.
    #[derive(Debug)]
    struct Brackets;

    impl InputFilter for Brackets {
        fn filter(&self, input: Input, dir: InputDir<'_>, max_body: u64) -> Result<Input, InputError> {
            let text = fs::read_to_string(input.path.expect("a file")).expect("text");
            dir.clear().map_err(InputError::Store)?;
            let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) else {
                return Err(InputError::Filter("there are no brackets".to_owned()));
            };
            let mut source = OnePiece(Some(Bytes::copy_from_slice(inner.as_bytes())));
            let mut input = input::receive(&raw(), &mut source, dir, max_body)?;
            input.variables.push(("BRACKETS".into(), "1".into()));
            input.notes.push("Brackets removed.");
            Ok(input)
        }
    }

    fn raw() -> Envelope {
        Envelope::as_sent(&ContentHeaders::default())
    }

    /// Takes a body in. Returns the input, and the contents of all files of the input directory.
    fn taken(
        body: &'static str,
        max_body: u64,
        filter: Option<&dyn InputFilter>,
    ) -> (Result<Input, InputError>, Vec<String>) {
        let dir = tempfile::tempdir().expect("tempdir");
        let root = Arc::new(WorkspaceRoot::open(dir.path()).expect("a directory"));
        let workspace = root.workspace().expect("a workspace");
        let input = take_in(&workspace, &raw(), &mut OnePiece(Some(body.into())), max_body, filter);
        let files = fs::read_dir(workspace.input_path()).expect("a directory");
        let contents = files.map(|file| fs::read_to_string(file.expect("a file").path()).expect("text")).collect();
        (input, contents)
    }

    #[test]
    fn without_a_filter_a_body_is_only_a_body() {
        let (input, files) = taken("[body]", 0, None);
        let input = input.expect("an input");
        assert_eq!((input.kind, input.bytes, input.variables.len()), (InputKind::Raw, 6, 0));
        assert_eq!(files, ["[body]"]);
    }

    #[test]
    fn a_filter_turns_the_body_into_the_input() {
        let (input, files) = taken("[body]", 0, Some(&Brackets));
        let input = input.expect("an input");
        assert_eq!((input.bytes, input.notes), (4, vec!["Brackets removed."]));
        assert_eq!(input.variables, [("BRACKETS".into(), "1".into())]);
        assert_eq!(files, ["body"], "nothing else is left");
    }

    #[test]
    fn the_error_of_a_filter_is_that_of_the_body() {
        let (input, files) = taken("body", 0, Some(&Brackets));
        assert_eq!(input.expect_err("an error").to_string(), "there are no brackets");
        assert_eq!(files, [""; 0]);
    }

    #[test]
    fn a_body_over_the_limit_does_not_reach_the_filter() {
        let (input, _) = taken("body", 3, Some(&Brackets));
        assert!(matches!(input, Err(InputError::TooLarge { limit: 3, .. })), "{input:?}");
    }
}
