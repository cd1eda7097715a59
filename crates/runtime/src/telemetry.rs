//! The container's own log, on standard error: bandog's lines, and the functions' output when it is forwarded.
//!
//! Events go through `tracing`, so that those of libraries take the same way. The lines that the *caller* of an
//! invocation may see are captured in [`crate::logs`].
//!
//! ```text
//! 2026-11-20 14:49:56,867 - LOGGER - INFO - [CALL ID] message name=value
//! {"call_id":"…","level":"INFO","logger":"LOGGER","message":"…","name":"value","time":"2026-11-20T14:49:56.867Z"}
//! ```

mod escape;
mod writer;

use std::{
    fmt::{self, Write as _},
    sync::OnceLock,
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
};

use crate::logs::{Level, stamp};
use escape::escaped_json;
pub use escape::{escape_controls, is_deceptive};
use writer::{LogStream, LogWriter};

/// Bytes of a line beside its message, seldom more.
const TYPICAL: usize = 160;

/// The field of an event that names the invocation.
const CALL_ID: &str = "call_id";

/// Set once, by [`init`]; without it (in a test, in a program that uses the library) nothing is forwarded.
static SINK: OnceLock<LogSink> = OnceLock::new();

/// The results of functions, on standard output; unset unless the settings ask for it.
static RESULTS: OnceLock<LogWriter> = OnceLock::new();

/// The format of the lines of functions, if it differs from that of all other lines.
static FUNCTION_LINES: OnceLock<FunctionLines> = OnceLock::new();

/// The form of the container log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A line of text.
    Text,
    /// A JSON object in each line.
    Json,
}

/// The container log.
#[derive(Debug, Clone, Copy)]
pub struct LogSettings {
    /// The lowest level that is written.
    pub level: Level,
    /// The form of a line.
    pub format: Format,
    /// The name of the logger in bandog's own lines.
    pub logger: &'static str,
    /// Whether lines of text name their invocation. A process with one invocation does not need that.
    pub names_calls: bool,
    /// Whether the end of the output of a function that failed is written, where that was not forwarded. Not needed where
    /// the response goes to the same log.
    pub quotes_failures: bool,
}

/// A format for the lines of functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionLines {
    /// The text before each line; `None` for none.
    pub prefix: Option<LinePrefix>,
    /// The longest line; `None` for no limit.
    pub limit: Option<LineLimit>,
}

/// The text before a line of a function: the time, a space, the name of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinePrefix {
    /// The format of the time, as `strftime` reads it.
    pub time: &'static str,
    /// The name of the stream, with the characters that separate it from the line.
    pub stream: &'static str,
}

/// The longest line of a function. A longer one is cut and marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineLimit {
    /// Bytes that are kept.
    pub bytes: usize,
    /// The name of the setting, which the mark refers to.
    pub setting: &'static str,
}

impl FunctionLines {
    fn text(self, moment: Timestamp, line: &str) -> String {
        let mut text = self.prefix.map_or_else(String::new, |LinePrefix { time, stream }| {
            let time = moment.strftime(time);
            format!("{time} {stream}")
        });
        let kept = self.limit.map_or(line.len(), |limit| line.floor_char_boundary(limit.bytes));
        text.push_str(&line[..kept]);
        if let Some(limit) = self.limit.filter(|_| kept < line.len()) {
            let _ = write!(text, " [bandog: {} bytes cut; see {}]", line.len() - kept, limit.setting);
        }
        text.push('\n');
        text
    }
}

/// Sets the format of the lines of functions.
pub fn set_function_lines(lines: FunctionLines) {
    let _ = FUNCTION_LINES.set(lines);
}

/// Starts to write what functions answer to standard output.
///
/// # Errors
/// The kernel refuses the thread that writes.
pub fn enable_results() -> std::io::Result<()> {
    RESULTS.get_or_init(|| LogWriter::new(LogStream::Stdout)).start()
}

/// A piece of what a function answers. Not waited for: a reader who is too slow misses pieces.
pub fn write_result(piece: &[u8]) {
    if let Some(writer) = RESULTS.get() {
        writer.write(piece);
    }
}

/// Starts the container log. To be called once, at start.
///
/// # Errors
/// The kernel refuses the thread that writes.
pub fn init(settings: LogSettings) -> std::io::Result<()> {
    let sink = SINK.get_or_init(|| LogSink { settings, writer: LogWriter::new(LogStream::Stderr) });
    sink.writer.start()?;
    // A second call finds a subscriber in place, which is this one.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(ContainerLayer(sink)));
    Ok(())
}

/// Dropped, also by a panic, it waits until what was logged so far has been written, at most for as long as it says: a
/// reader that has stopped reading does not hold up the end.
#[derive(Debug)]
pub struct FlushOnDrop(pub Duration);

impl Drop for FlushOnDrop {
    fn drop(&mut self) {
        let writers = SINK.get().map(|sink| &sink.writer).into_iter().chain(RESULTS.get());
        for writer in writers {
            writer.flush(self.0);
        }
    }
}

/// One of bandog's own lines about an invocation.
pub fn note(call_id: &str, level: Level, moment: Timestamp, message: &str) {
    note_with(call_id, level, moment, message, (&[], &[]));
}

/// The same with fields: those that the message says already, which only a line of JSON has, and others.
pub(crate) fn note_with(
    call_id: &str,
    level: Level,
    moment: Timestamp,
    message: &str,
    (said, fields): (&[LogField], &[LogField]),
) {
    if let Some(sink) = SINK.get().filter(|sink| level >= sink.settings.level) {
        sink.write(&LogLine { moment, level, logger: sink.settings.logger, call_id, message, said, fields });
    }
}

/// A line of a function that failed, which was not forwarded when the function wrote it.
pub(crate) fn quote(call_id: &str, message: &str, stream: Option<&'static str>) {
    if let Some(sink) = SINK.get().filter(|sink| Level::Error >= sink.settings.level) {
        sink.write_output(Level::Error, call_id, message, stream);
    }
}

/// Whether [`quote`] is to be called for a function that fails.
pub(crate) fn quotes_failures() -> bool {
    SINK.get().is_some_and(|sink| sink.settings.quotes_failures && Level::Error >= sink.settings.level)
}

/// A line that a function wrote; to which of its streams, unless two are one.
pub(crate) fn forward(call_id: &str, message: &str, stream: Option<&'static str>) {
    if let Some(sink) = SINK.get() {
        if let (Some(lines), Format::Text) = (FUNCTION_LINES.get(), sink.settings.format) {
            sink.writer.write(lines.text(Timestamp::now(), message).as_bytes());
            return;
        }
        sink.write_output(Level::Info, call_id, message, stream);
    }
}

/// Whether lines of this level are written.
#[must_use]
pub fn is_enabled(level: Level) -> bool {
    SINK.get().is_some_and(|sink| level >= sink.settings.level)
}

#[derive(Debug)]
struct LogSink {
    settings: LogSettings,
    writer: LogWriter,
}

impl LogSink {
    fn write(&self, line: &LogLine<'_>) {
        let mut text = match self.settings.format {
            Format::Text => line.text(self.settings.names_calls),
            Format::Json => line.json(),
        };
        text.push('\n');
        self.writer.write(text.as_bytes());
    }

    /// Writes a line of a function's output.
    fn write_output(&self, level: Level, call_id: &str, message: &str, stream: Option<&'static str>) {
        let field = stream.map(|stream| ("stream", stream.into()));
        let fields = field.as_slice();
        let moment = Timestamp::now();
        self.write(&LogLine { moment, level, logger: "function", call_id, message, said: &[], fields });
    }
}

/// A field of a line.
pub(crate) type LogField = (&'static str, Value);

/// The parts of a line.
struct LogLine<'a> {
    moment: Timestamp,
    level: Level,
    logger: &'a str,
    /// Empty if it is about no invocation.
    call_id: &'a str,
    message: &'a str,
    /// Fields that the message says as well, for lines of JSON.
    said: &'a [LogField],
    fields: &'a [LogField],
}

impl LogLine<'_> {
    fn text(&self, names_call: bool) -> String {
        let mut line = String::with_capacity(TYPICAL + self.message.len());
        for part in [&stamp(self.moment), " - ", self.logger, " - ", self.level.name(), " - "] {
            line.push_str(part);
        }
        if names_call && !self.call_id.is_empty() {
            line.push('[');
            escape_controls(self.call_id, &mut line);
            line.push_str("] ");
        }
        escape_controls(self.message, &mut line);
        for (name, value) in self.fields {
            let _ = match value {
                Value::String(text) if is_plain(text) => write!(line, " {name}={text}"),
                other => write!(line, " {name}={}", escaped_json(other.to_string())),
            };
        }
        line
    }

    fn json(&self) -> String {
        let mut object = Map::new();
        object.insert("time".to_owned(), self.moment.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string().into());
        object.insert("level".to_owned(), self.level.name().into());
        object.insert("logger".to_owned(), self.logger.into());
        if !self.call_id.is_empty() {
            object.insert(CALL_ID.to_owned(), self.call_id.into());
        }
        object.insert("message".to_owned(), self.message.into());
        for (name, value) in self.said.iter().chain(self.fields) {
            object.insert((*name).to_owned(), value.clone());
        }
        escaped_json(Value::Object(object).to_string())
    }
}

/// Whether a value can stand in a line of text without quotes.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"')
}

/// The layer that writes tracing's events.
#[derive(Debug)]
struct ContainerLayer(&'static LogSink);

impl<S: Subscriber> Layer<S> for ContainerLayer {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let level = level_of(metadata);
        // Below a warning, libraries describe their internals. The targets of all crates of bandog begin with its name.
        level >= self.0.settings.level && (level >= Level::Warning || metadata.target().starts_with("bandog"))
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = FieldVisitor::default();
        event.record(&mut fields);
        self.0.write(&LogLine {
            moment: Timestamp::now(),
            level: level_of(event.metadata()),
            logger: self.0.settings.logger,
            call_id: &fields.call_id,
            message: &fields.message,
            said: &[],
            fields: &fields.others,
        });
    }
}

fn level_of(metadata: &Metadata<'_>) -> Level {
    match *metadata.level() {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warning,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG | tracing::Level::TRACE => Level::Debug,
    }
}

#[derive(Default)]
struct FieldVisitor {
    message: String,
    call_id: String,
    others: Vec<LogField>,
}

impl FieldVisitor {
    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (CALL_ID, Value::String(text)) => self.call_id = text,
            (name, value) => self.others.push((name, value)),
        }
    }
}

impl Visit for FieldVisitor {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }
}

#[cfg(test)]
mod tests;
