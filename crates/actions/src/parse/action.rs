//! Parses actions and their outputs.

use super::{
    argument::{arguments, is_word, settle},
    context::FileContext,
    cursor::{Cursor, Fields},
    interface::{self, media_type},
    paths::DeclaredPath,
    report::Report,
    schema,
};
use crate::{
    action::{Action, Interface, Output},
    schema::Schema,
    service::Generation,
};

pub(super) fn all<'a>(
    cursor: &Cursor<'a>,
    context: &FileContext,
    paths: &mut Vec<DeclaredPath<'a>>,
    report: &mut Report,
) -> Vec<Action> {
    let mark = report.mark();
    let Some(fields) = Fields::of(cursor, report) else { return Vec::new() };
    report.forgive(&mark, "left out");
    let members = fields.members();
    let read = |(name, cursor): (&str, Cursor<'a>)| {
        let (mark, above) = (report.mark(), paths.len());
        report.record_line(&cursor);
        let starts_well = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
        if !starts_well || !is_word(name) {
            let advice = "expected an action's name of letters, digits and underscores (of ASCII), that does not begin with a digit";
            report.error(&cursor.without_value(), advice);
        }
        let action = action(name, &cursor, context, paths, report);
        if report.forgive(&mark, &format!("the action {name} is left out")) {
            paths.truncate(above);
            return None;
        }
        action
    };
    members.into_iter().filter_map(read).collect()
}

fn action<'a>(
    name: &str,
    cursor: &Cursor<'a>,
    context: &FileContext,
    paths: &mut Vec<DeclaredPath<'a>>,
    report: &mut Report,
) -> Option<Action> {
    let mut fields = Fields::of(cursor, report)?;
    let help = fields.text(report, "help");
    let deprecated = fields.boolean(report, "deprecated");
    let mut variadic = fields.boolean(report, "variadic");
    let mut declared = match fields.take(report, &["arguments"]) {
        Some(cursor) => arguments(&cursor, &mut variadic, report),
        None => Vec::new(),
    };
    let mut found = interface::read(name, &mut fields, context, &mut declared, report);
    let method = found.as_ref().and_then(|(interface, _)| match interface {
        Interface::Http(call) => Some(call.method.clone()),
        Interface::Command(_) | Interface::Rpc | Interface::Events => None,
    });
    settle(&mut declared, method.as_ref());
    if let Some((Interface::Http(call), path)) = &mut found
        && let Some(path) = path.take()
    {
        interface::check_places(&call.endpoint, &path, &declared, report);
        interface::check_body(call.content_type, &declared, report);
        interface::check_files(&call.endpoint, &declared, report);
        paths.extend(DeclaredPath::of_action(name, call, path));
    }
    let output = if let Some(cursor) = fields.take(report, &["output"]) {
        output(&cursor, report)
    } else {
        if method.is_some() {
            let cursor = cursor.below("output");
            match context.generation {
                // The interface page of 2018 has no output.
                Generation::Omg => {
                    report.warn(&cursor, "missing, so any result is accepted; declare the type of the result");
                }
                Generation::Oms => {
                    report.error(&cursor, "missing; expected the type of the result, or type: none");
                }
            }
        }
        Output { schema: Some(Schema::default()), ..Output::default() }
    };
    fields.end(report);
    let (interface, _) = found?;
    let arguments = declared.into_iter().map(|declared| declared.argument).collect();
    Some(Action { name: name.to_owned(), help, deprecated, interface, arguments, variadic, output })
}

fn output(cursor: &Cursor<'_>, report: &mut Report) -> Output {
    let Some(mut fields) = Fields::of(cursor, report) else { return Output::default() };
    let help = fields.text(report, "help");
    let content_type = fields.take(report, &["contentType"]).and_then(|cursor| media_type(&cursor, report));
    let schema = schema::output(&mut fields, report);
    fields.end(report);
    Output { schema, content_type, help }
}
