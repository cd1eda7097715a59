//! The watchdogs' settings → the policies of the layers below.

use http::HeaderValue;

use super::{
    WatchdogKind, WatchdogSettings,
    marshal::MarshalledRequest,
    wording::{ResponseSource, Wording},
};
use crate::{
    http::LockFileSettings,
    input::InputDocument,
    invocation::OwnLines,
    platform::{Compat, LegacyBehaviour},
    request::{Authorization, HeaderVariables, VariableSet, VariableValues, WhenEmpty},
    telemetry::{FunctionLines, LineLimit, LinePrefix},
};

/// The time in the container log, as Go's package `log` writes it.
const TIME: &str = "%Y/%m/%d %H:%M:%S";

impl WatchdogSettings {
    /// The document that the function reads in place of the body of a request.
    #[must_use]
    pub fn document(&self) -> Option<&'static dyn InputDocument> {
        if self.marshal_request { Some(&MarshalledRequest) } else { None }
    }

    /// The file that exists while bandog serves.
    #[must_use]
    pub fn lock_file(&self) -> Option<LockFileSettings> {
        self.lock.clone().map(|path| LockFileSettings { path, off_switch: "suppress_lock=true" })
    }

    /// The wording of responses.
    #[must_use]
    pub fn wording(&self, source: ResponseSource, max_inflight: usize, compat: Compat) -> Wording {
        let content_type = self.content_type.as_deref();
        Wording {
            replaces: self.kind,
            source,
            content_type: content_type.and_then(|value| HeaderValue::from_str(value).ok()),
            sends_own_lines: self.combine_output == Some(true) && source == ResponseSource::OutputFiles,
            max_inflight,
            compat,
        }
    }

    /// The variables that a request becomes.
    #[must_use]
    pub fn header_variables(&self, compat: Compat) -> HeaderVariables {
        let has = |behaviour| compat.has(behaviour);
        HeaderVariables {
            set: if self.cgi_headers { VariableSet::All } else { VariableSet::TraceContext },
            values: VariableValues::Parsed,
            when_empty: if has(LegacyBehaviour::UnsetEmpty) { WhenEmpty::Unset } else { WhenEmpty::Set },
            authorization: if has(LegacyBehaviour::Authorization) {
                Authorization::Shown
            } else {
                Authorization::Hidden
            },
        }
    }

    /// `combine_output` of classic-watchdog decides whether bandog's own lines are part of the response.
    #[must_use]
    pub fn own_lines(&self) -> OwnLines {
        match self.combine_output {
            Some(true) => OwnLines::CopiedApart,
            Some(false) => OwnLines::LeftOut,
            None => OwnLines::Among,
        }
    }

    /// Whether the response to a failure contains the standard output of the function, as in classic-watchdog.
    #[must_use]
    pub fn shows_failed_output(&self, source: ResponseSource) -> bool {
        self.kind == WatchdogKind::Classic && source == ResponseSource::Stdout
    }

    /// Whether requests of every method invoke the function, as in the modes of of-watchdog.
    #[must_use]
    pub fn takes_any_method(&self, source: ResponseSource) -> bool {
        self.kind == WatchdogKind::Of && source != ResponseSource::OutputFiles
    }

    /// The form of the function's lines in the container log; `None` for bandog's own.
    #[must_use]
    pub fn function_lines(&self, source: ResponseSource) -> Option<FunctionLines> {
        let stream = match source {
            // There standard output and standard error are one stream, which no watchdog has.
            ResponseSource::OutputFiles => return None,
            // A server writes both to one pipe.
            ResponseSource::Upstream => "",
            ResponseSource::Stdout | ResponseSource::LiveStdout | ResponseSource::StaticFiles => "stderr: ",
        };
        Some(FunctionLines {
            prefix: self.prefix_logs.then_some(LinePrefix { time: TIME, stream }),
            limit: self.log_limit.map(|bytes| LineLimit { bytes, setting: "log_buffer_size" }),
        })
    }
}
