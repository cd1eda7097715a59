//! OSCAR's FDL file, which describes the functions of several clusters: `functions: {oscar: [{CLUSTER: {name: …}}]}`.

use bandog_codec::yaml::{LineColumn, Node};

use super::{Document, DocumentError, ReadDocument, oddities};

/// The keys of a function that are used.
const USED: [&str; 9] = [
    "name",
    "log_level",
    "script",
    "environment",
    "file_stage_in",
    "input",
    "output",
    "isolation_level",
    "bucket_list",
];

/// The keys of the file beside `functions`.
const BESIDE: [&str; 1] = ["clusters"];

/// Reads the function that is called `service`, or the only one.
///
/// # Errors
/// There is no such function, or it is not of the expected form.
pub(super) fn read(root: &Node, functions: &Node, service: Option<&str>) -> Result<ReadDocument, DocumentError> {
    let mut found: Vec<(Option<&str>, &Node)> = Vec::new();
    for function in functions.get("oscar")?.map(of_clusters).transpose()?.unwrap_or_default() {
        found.push((function.get("name")?.map(Node::text).transpose()?.flatten(), function));
    }
    let is_wanted = |(name, _): &&(Option<&str>, &Node)| service.is_some() && *name == service;
    let function = match (found.as_slice(), found.iter().find(is_wanted)) {
        ([], _) => return Err(DocumentError::NoFunction),
        (_, Some((_, function))) | ([(_, function)], None) => *function,
        (several, None) => {
            // A function may stand there once for each of its clusters.
            let (first, function) = several[0];
            if first.is_none() || several.iter().any(|(name, _)| *name != first) {
                let names: Vec<&str> = several.iter().filter_map(|(name, _)| *name).collect();
                return Err(DocumentError::SeveralFunctions(names.join(", ")));
            }
            function
        }
    };
    let mut document = Document { is_fdl: true, ..Document::of(function, root)? };
    document.script = function.get("script")?.map(Node::text).transpose()?.flatten().map(str::to_owned);
    document.variables = variables(function)?;
    let mut warnings = oddities(function, &[]);
    let beside = root.entries().unwrap_or_default().members.into_iter().map(|(key, ..)| key);
    let of_function = function.entries().unwrap_or_default().members.into_iter().map(|(key, ..)| key);
    let others = functions.entries().unwrap_or_default().members.into_iter().map(|(key, ..)| key);
    let others = others.filter(|key| *key != "oscar").map(|key| format!("functions.{key}"));
    let unused: Vec<String> = of_function
        .filter(|key| super::KNOWN.contains(key) && !USED.contains(key))
        .chain(beside.filter(|key| BESIDE.contains(key)))
        .map(str::to_owned)
        .chain(others)
        .collect();
    if !unused.is_empty() {
        warnings.push(format!("bandog does not use {}; OSCAR does", unused.join(", ")));
    }
    Ok(ReadDocument { document, warnings })
}

/// The functions below `oscar`: a list of mappings from clusters to functions.
fn of_clusters(oscar: &Node) -> Result<Vec<&Node>, LineColumn> {
    let items: Vec<&Node> = match oscar.items() {
        Some(items) => items.collect(),
        None => vec![oscar],
    };
    let mut functions = Vec::new();
    for item in items.into_iter().filter(|item| !item.is_null()) {
        let clusters = item.entries().ok_or(item.position())?;
        functions.extend(clusters.members.into_iter().map(|(_, _, function)| function));
    }
    Ok(functions)
}

/// The variables of `environment`, whose groups have been spelt in both ways.
fn variables(function: &Node) -> Result<Vec<(String, String)>, LineColumn> {
    let Some(environment) = function.get("environment")? else { return Ok(Vec::new()) };
    let mut variables = Vec::new();
    for group in ["Variables", "variables", "Secrets", "secrets"] {
        let Some(group) = environment.get(group)?.filter(|group| !group.is_null()) else { continue };
        for (name, _, value) in group.entries().ok_or(group.position())?.members {
            variables.push((name.to_owned(), value.text()?.unwrap_or_default().to_owned()));
        }
    }
    Ok(variables)
}
