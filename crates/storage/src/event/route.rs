//! The provider that serves a notice: that of the input whose folder the object is in.

use std::collections::HashSet;

use super::notice::{EventSource, Notice};
use crate::{
    error::{Error, ErrorKind},
    name::{DEFAULT_ID, ProviderName, ProviderType},
    object::ObjectPath,
    place::{Layout, Place, below, joined},
};

/// The way to the object of a notice.
#[derive(Debug)]
pub enum Route {
    /// This provider has it.
    Provider {
        /// The name of the provider.
        name: ProviderName,
        /// A warning for the log: others could have it as well, and nothing decides between them.
        warning: Option<String>,
    },
    /// An input has its folder, but is not for files of that name: nothing is run, for this reason.
    Filtered(String),
    /// No input has its folder, or the provider of the input is not configured.
    Unknown(Error),
}

/// Finds the provider that serves a notice. Several inputs can have the folder of the object: then it is a provider of the
/// source's own type, then one with the id `default`, then the first.
#[must_use]
pub fn route(notice: &Notice, layout: &Layout) -> Route {
    let mut inputs =
        layout.inputs.iter().filter_map(|input| Some((input, place_in(notice, input, layout)?))).peekable();
    if inputs.peek().is_none() {
        return Route::Unknown(unknown(notice, layout));
    }
    // The event of dCache has the folder of the first input, so that has the object.
    let limit = if notice.source == EventSource::DCache { 1 } else { usize::MAX };
    let mut seen = HashSet::new();
    let found: Vec<&ProviderName> = inputs
        .take(limit)
        .filter(|(input, path)| input.filter.takes(path.as_bytes()))
        .map(|(input, _)| &input.provider)
        .filter(|&name| seen.insert(name))
        .collect();
    let Some((name, is_decided)) = chosen(notice.source, &found) else {
        return Route::Filtered(format!("no input is for {:?}: prefix and suffix are others", notice.object.key));
    };
    if !layout.providers.iter().any(|known| known.name == *name) {
        let detail = format!("the provider {name} of the input is not configured; add it to storage_providers");
        return Route::Unknown(Error::new(ErrorKind::Unknown, detail));
    }
    let warning = (!is_decided).then(|| {
        let names: Vec<String> = found.iter().map(ToString::to_string).collect();
        format!(
            "the inputs of {} all have {}; it is fetched from {name}, as the first of them",
            names.join(" and "),
            notice.object
        )
    });
    Route::Provider { name: name.clone(), warning }
}

/// The provider among `found`, and whether something but their order decides for it.
fn chosen<'n>(source: EventSource, found: &[&'n ProviderName]) -> Option<(&'n ProviderName, bool)> {
    let own: Vec<_> = found.iter().copied().filter(|name| Some(name.kind) == source.own_type()).collect();
    let left = if own.is_empty() { found.to_vec() } else { own };
    let named: Vec<_> = left.iter().copied().filter(|name| name.id == DEFAULT_ID).collect();
    let left = if named.is_empty() { left } else { named };
    Some((left.first()?, left.len() == 1))
}

/// The path of the object below the folder of `input`, if it is there. The path of an input of Onedata is below the space of
/// its provider; that of one of Rucio is the beginning of the name, or of the scope and the name.
fn place_in(notice: &Notice, input: &Place, layout: &Layout) -> Option<String> {
    if !notice.source.is_served_by(input.provider.kind) {
        return None;
    }
    let ObjectPath { bucket, key } = &notice.object;
    let path = input.whole_path();
    match input.provider.kind {
        ProviderType::Minio | ProviderType::S3 => {
            let has_bucket = input.path.bucket == *bucket || layout.isolation.stands_for(bucket, input);
            below(input.folder(), key).filter(|_| has_bucket).map(str::to_owned)
        }
        ProviderType::Onedata => {
            let known = layout.providers.iter().find(|known| known.name == input.provider)?;
            below(&path, key).filter(|_| known.space.as_ref() == Some(bucket)).map(str::to_owned)
        }
        ProviderType::Rucio => {
            below(&path, key).map(str::to_owned).or_else(|| below(&path, &joined(&notice.object)).map(str::to_owned))
        }
        ProviderType::WebDav | ProviderType::Local => below(&path, &joined(&notice.object)).map(str::to_owned),
    }
}

fn unknown(notice: &Notice, layout: &Layout) -> Error {
    let types: Vec<&str> = ProviderType::ALL
        .into_iter()
        .filter(|&kind| notice.source.is_served_by(kind))
        .map(ProviderType::as_str)
        .collect();
    let inputs: Vec<String> = layout
        .inputs
        .iter()
        .filter(|input| notice.source.is_served_by(input.provider.kind))
        .map(|input| format!("{} of {}", input.path, input.provider))
        .collect();
    let inputs = if inputs.is_empty() { "none".to_owned() } else { inputs.join(", ") };
    let detail = format!(
        "no input has {} of the event from {}; expected one of the type {} with its bucket and folder as path, and there \
         {} {inputs}",
        notice.object,
        notice.source,
        types.join(" or "),
        if inputs.contains(", ") { "are" } else { "is" },
    );
    Error::new(ErrorKind::Unknown, detail)
}

#[cfg(test)]
mod tests;
