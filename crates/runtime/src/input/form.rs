//! The parts of a form as files of the input directory.

use std::{collections::HashMap, path::PathBuf};

use bandog_codec::{
    base64,
    multipart::{self, PartSink},
};

use super::{FormPart, InputDir, InputError, filename, store::InputFiles};

/// A form while it arrives.
#[derive(Debug)]
pub(super) struct FormDecoder<'a> {
    store: InputFiles<'a>,
    /// Every name given so far, with how many parts asked for it.
    names: HashMap<String, u32>,
    current: CurrentPart,
    files: PartCount,
    fields: PartCount,
    bytes: u64,
    parts: Vec<FormPart>,
    dir: PathBuf,
}

/// The part that is being stored.
#[derive(Debug, Default)]
struct CurrentPart {
    name: String,
    /// The name of its field.
    field: Option<String>,
    is_file: bool,
    /// A browser sends a file part without a name for an input in which no file was chosen.
    nameless: bool,
    decoder: Option<base64::Decoder>,
}

/// How many files of one kind there are, and the name of the first.
#[derive(Debug, Default)]
struct PartCount {
    count: u32,
    first: String,
}

impl<'a> FormDecoder<'a> {
    pub(super) fn new(dir: InputDir<'a>) -> Self {
        Self {
            store: InputFiles::new(dir, String::new()),
            names: HashMap::new(),
            current: CurrentPart::default(),
            files: PartCount::default(),
            fields: PartCount::default(),
            bytes: 0,
            parts: Vec::new(),
            dir: dir.path.to_owned(),
        }
    }

    /// Ends the form: where the function finds it, how many bytes it has, its parts, and the files, which are not kept
    /// yet.
    pub(super) fn finish(self, dir: InputDir<'_>) -> Result<(PathBuf, u64, Vec<FormPart>, InputFiles<'a>), InputError> {
        // Fields beside files are parameters; on their own they are what there is.
        let input = if self.files.count > 0 { &self.files } else { &self.fields };
        let path = match input.count {
            0 => return Err(multipart::FormError::Empty.into()),
            1 => dir.path.join(&input.first),
            _ => dir.path.to_owned(),
        };
        Ok((path, self.bytes, self.parts, self.store))
    }

    /// A name that no other file has.
    fn unique(&mut self, wanted: String) -> String {
        let mut number = self.names.get(&wanted).copied().unwrap_or(0) + 1;
        let mut name = if number == 1 { wanted.clone() } else { filename::numbered(&wanted, number) };
        while number > 1 && self.names.contains_key(&name) {
            number += 1;
            name = filename::numbered(&wanted, number);
        }
        self.names.insert(wanted, number);
        self.names.entry(name.clone()).or_insert(1);
        name
    }
}

impl PartSink for FormDecoder<'_> {
    type Error = InputError;

    fn begin(&mut self, part: multipart::Part) -> Result<(), InputError> {
        let sent = part.file_name.as_deref().or(part.name.as_deref());
        let wanted = sent.and_then(filename::sanitised).unwrap_or_else(|| filename::generated(None));
        let name = self.unique(wanted);
        self.store.begin(name.clone());
        self.current = CurrentPart {
            name,
            field: part.name,
            is_file: part.file_name.is_some(),
            nameless: part.file_name.as_deref() == Some(""),
            decoder: part.base64.then(|| base64::Decoder::new(part.offset)),
        };
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), InputError> {
        match &mut self.current.decoder {
            Some(decoder) => self.store.decode(decoder, bytes),
            None => self.store.write(bytes).map_err(InputError::Store),
        }
    }

    fn end(&mut self) -> Result<(), InputError> {
        let current = std::mem::take(&mut self.current);
        if let Some(decoder) = current.decoder {
            self.store.decode_end(decoder)?;
        }
        if current.nameless && self.store.len() == 0 {
            return Ok(());
        }
        let bytes = self.store.end().map_err(InputError::Store)?;
        self.bytes += bytes;
        let path = self.dir.join(&current.name);
        self.parts.push(FormPart { name: current.field, path, bytes, is_file: current.is_file });
        let tally = if current.is_file { &mut self.files } else { &mut self.fields };
        if tally.count == 0 {
            tally.first = current.name;
        }
        tally.count += 1;
        Ok(())
    }
}
