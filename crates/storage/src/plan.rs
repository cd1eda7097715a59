//! The plan of outputs: which file goes to which key of which store.
//!
//! Every file goes to every output whose filter takes it. Its key is the folder of the output, a slash, and the path of the
//! file below the output directory, so a file of a subdirectory keeps that in its key.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use crate::{
    name::ProviderName,
    object::ObjectPath,
    place::{Filter, Isolation, KnownProvider, Layout, Place, below},
};

/// The outputs of a configuration without mistakes.
#[derive(Debug, Clone)]
pub struct OutputPlan {
    outputs: Vec<Place>,
    isolation: Isolation,
}

/// The files of a run, with their destinations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlannedFiles {
    /// The uploads, in the order of the files.
    pub uploads: Vec<PlannedUpload>,
    /// The uploads that cannot be.
    pub refused: Vec<RefusedUpload>,
    /// The files that no output is for.
    pub skipped: Vec<usize>,
}

/// A file that is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedUpload {
    /// Its index among the files.
    pub file: usize,
    /// The index of the output.
    pub output: usize,
    /// Its place in the store.
    pub to: ObjectPath,
}

/// A file that an output is for, but that it cannot store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedUpload {
    /// Its index among the files.
    pub file: usize,
    /// The index of the output.
    pub output: usize,
    /// The reason, in words.
    pub reason: String,
}

impl OutputPlan {
    /// The plan for the outputs of `layout`.
    ///
    /// # Errors
    /// Every mistake: unknown providers, missing buckets, outputs that would store the same file under the same key, and
    /// outputs below an input.
    pub fn new(layout: &Layout) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        for (index, output) in layout.outputs.iter().enumerate() {
            mistakes.extend(mistake_of("output", index, output, &layout.providers, true));
        }
        for (index, input) in layout.inputs.iter().enumerate() {
            // Elsewhere the whole store can be the input.
            let needs_bucket = input.provider.kind.speaks_s3();
            mistakes.extend(mistake_of("input", index, input, &layout.providers, needs_bucket));
        }
        mistakes.extend(same_keys(layout));
        if !layout.allows_loops {
            mistakes.extend(loops(layout));
        }
        if mistakes.is_empty() {
            Ok(Self { outputs: layout.outputs.clone(), isolation: layout.isolation.clone() })
        } else {
            Err(mistakes)
        }
    }

    /// The outputs.
    #[must_use]
    pub fn outputs(&self) -> &[Place] {
        &self.outputs
    }

    /// Plans the uploads of files, given by their paths below the output directory. `event_bucket` is the bucket of the
    /// event that the run was for, if that came from a store that speaks S3.
    ///
    /// Two files meet under one key where an output is in a folder of another: `x` of the one, `folder/x` of the other. The
    /// first is stored, the second refused, so that neither overwrites the other unseen.
    pub fn files<F: AsRef<[u8]>>(&self, files: &[F], event_bucket: Option<&str>) -> PlannedFiles {
        let buckets: Vec<&str> =
            self.outputs.iter().map(|output| self.isolation.bucket_of(output, event_bucket)).collect();
        let mut keys = self.has_nested(&buckets).then(HashMap::new);
        let mut planned = PlannedFiles::default();
        for (file, path) in files.iter().enumerate() {
            let mut is_taken = false;
            for (output, place) in self.outputs.iter().enumerate() {
                if !place.filter.takes(path.as_ref()) {
                    continue;
                }
                is_taken = true;
                let object = object(place, buckets[output], path.as_ref())
                    .and_then(|to| free(keys.as_mut(), &place.provider, to, file, files));
                match object {
                    Ok(to) => planned.uploads.push(PlannedUpload { file, output, to }),
                    Err(reason) => planned.refused.push(RefusedUpload { file, output, reason }),
                }
            }
            if !is_taken {
                planned.skipped.push(file);
            }
        }
        planned
    }

    /// Whether an output is in a folder of another, so that different files can meet under one key.
    fn has_nested(&self, buckets: &[&str]) -> bool {
        let outputs = self.outputs.iter().zip(buckets);
        outputs.clone().any(|(outer, outer_bucket)| {
            outputs.clone().any(|(inner, bucket)| {
                (&outer.provider, outer_bucket, true) == (&inner.provider, bucket, outer.folder() != inner.folder())
                    && below(outer.folder(), inner.folder()).is_some()
            })
        })
    }
}

/// The object that the file becomes.
fn object(output: &Place, bucket: &str, path: &[u8]) -> Result<ObjectPath, String> {
    let Ok(path) = std::str::from_utf8(path) else {
        return Err(format!("its name {:?} is not UTF-8, as keys of objects are", path.escape_ascii().to_string()));
    };
    Ok(ObjectPath { bucket: bucket.to_owned(), ..output.object(path) })
}

/// The object, if no other file goes there.
fn free<'p, F: AsRef<[u8]>>(
    keys: Option<&mut HashMap<(&'p ProviderName, ObjectPath), usize>>,
    provider: &'p ProviderName,
    to: ObjectPath,
    file: usize,
    files: &[F],
) -> Result<ObjectPath, String> {
    let Some(keys) = keys else { return Ok(to) };
    match keys.entry((provider, to.clone())) {
        Entry::Vacant(vacant) => vacant.insert(file),
        Entry::Occupied(other) => {
            let other = files[*other.get()].as_ref().escape_ascii();
            return Err(format!("{to} of {provider} is already the place of the file \"{other}\""));
        }
    };
    Ok(to)
}

fn mistake_of(role: &str, index: usize, place: &Place, providers: &[KnownProvider], needs_bucket: bool) -> Vec<String> {
    let mut mistakes = Vec::new();
    let shown = shown(role, index, place);
    if !providers.iter().any(|known| known.name == place.provider) {
        mistakes.push(format!(
            "{shown} names a provider that is not configured; add {} with the id {:?} to storage_providers",
            place.provider.kind, place.provider.id
        ));
    }
    if needs_bucket && place.path.bucket.is_empty() {
        mistakes.push(format!("{shown} has no bucket; expected path: BUCKET or BUCKET/FOLDER"));
    }
    mistakes
}

/// The name of a place in messages. It counts from one, as readers of the file do.
fn shown(role: &str, index: usize, place: &Place) -> String {
    format!("{role} {} ({}, path {:?})", index + 1, place.provider, place.path.to_string().trim_end_matches('/'))
}

/// The buckets of the events that a run can be for, as far as they change where outputs go.
fn event_buckets(isolation: &Isolation) -> impl Iterator<Item = Option<&str>> {
    std::iter::once(None).chain(isolation.buckets().iter().map(|bucket| Some(bucket.as_str())))
}

/// The pairs of outputs that would store the same file under the same key.
fn same_keys(layout: &Layout) -> Vec<String> {
    let Layout { outputs, isolation, .. } = layout;
    let mut found = HashSet::new();
    let mut mistakes = Vec::new();
    for event in event_buckets(isolation) {
        for (second, later) in outputs.iter().enumerate() {
            for (first, earlier) in outputs[..second].iter().enumerate() {
                let place = |output| (isolation.bucket_of(output, event), output.folder());
                let is_same = earlier.provider == later.provider
                    && place(earlier) == place(later)
                    && Filter::meets(&earlier.filter, &later.filter);
                if is_same && found.insert((first, second)) {
                    mistakes.push(format!(
                        "{} and {} store the same file under the same key{}; give one of them another path, or a prefix \
                         or suffix that the other has not",
                        shown("output", first, earlier),
                        shown("output", second, later),
                        in_runs_for(event),
                    ));
                }
            }
        }
    }
    mistakes
}

/// The outputs that are below an input of the same provider.
fn loops(layout: &Layout) -> Vec<String> {
    let Layout { inputs, outputs, isolation, .. } = layout;
    let mut found = HashSet::new();
    let mut mistakes = Vec::new();
    for event in event_buckets(isolation) {
        for (out, output) in outputs.iter().enumerate() {
            let bucket = isolation.bucket_of(output, event);
            for (number, input) in inputs.iter().enumerate() {
                if is_below(input, output, bucket, isolation) && found.insert((out, number)) {
                    mistakes.push(format!(
                        "{} is below {}{}, so each file that is stored starts another run; choose another path, or allow \
                         it with --allow-loop",
                        shown("output", out, output),
                        shown("input", number, input),
                        in_runs_for(event),
                    ));
                }
            }
        }
    }
    mistakes
}

/// Whether `output` with this bucket is in the folder of `input`.
fn is_below(input: &Place, output: &Place, bucket: &str, isolation: &Isolation) -> bool {
    let is_in = |outer: &str, inner: &str| outer == inner || below(outer, inner).is_some();
    if input.provider != output.provider {
        false
    } else if input.provider.kind.speaks_s3() {
        let has_bucket = input.path.bucket == bucket || isolation.stands_for(bucket, input);
        has_bucket && is_in(input.folder(), output.folder())
    } else {
        is_in(&input.whole_path(), &output.whole_path())
    }
}

fn in_runs_for(event_bucket: Option<&str>) -> String {
    event_bucket.map_or_else(String::new, |bucket| format!(" in runs for the private bucket {bucket:?}"))
}

#[cfg(test)]
mod tests;
