//! The configuration → the adapters of the platforms.

use std::sync::Arc;

use super::{Config, LegacyBehaviour, Mode};
use crate::{
    input::InputFilter,
    platform::{
        openfaas::wording::{ResponseSource, Wording},
        oscar::{self, EnvelopeFilter, JobEvent},
    },
    reply::AnswerStyle,
    request::{Authorization, HeaderVariables, VariableSet, VariableValues, WhenEmpty},
};

impl Config {
    /// The wording of the server's responses; `None` for bandog's own.
    #[must_use]
    pub fn answer_style(&self) -> Option<Arc<dyn AnswerStyle>> {
        let watchdog = self.replaced.watchdog.as_ref()?;
        let content_type = watchdog.content_type.as_deref();
        Some(Arc::new(Wording {
            replaces: watchdog.kind,
            source: source(self.mode),
            content_type: content_type.and_then(|value| http::HeaderValue::from_str(value).ok()),
            sends_own_lines: watchdog.combine_output == Some(true) && self.mode == Mode::Files,
            max_inflight: self.limits.max_inflight,
            compat: self.replaced.compat,
        }))
    }

    /// The wording of the response of `bandog run`; `None` for bandog's own.
    #[must_use]
    pub fn run_style(&self) -> Option<Arc<dyn AnswerStyle>> {
        self.replaced.supervisor.as_ref()?;
        oscar::wording(source(self.mode), self.replaced.compat).map(|style| -> Arc<dyn AnswerStyle> { Arc::new(style) })
    }

    /// The variables that a request becomes.
    #[must_use]
    pub fn header_variables(&self) -> HeaderVariables {
        let Some(watchdog) = &self.replaced.watchdog else { return HeaderVariables::default() };
        let has = |behaviour| self.replaced.compat.has(behaviour);
        HeaderVariables {
            set: if watchdog.cgi_headers { VariableSet::All } else { VariableSet::TraceContext },
            values: VariableValues::Parsed,
            when_empty: if has(LegacyBehaviour::UnsetEmpty) { WhenEmpty::Unset } else { WhenEmpty::Set },
            authorization: if has(LegacyBehaviour::Authorization) {
                Authorization::Shown
            } else {
                Authorization::Hidden
            },
        }
    }

    /// The event of a job; `None` where the standard input alone is the event.
    #[must_use]
    pub fn job_event(&self) -> Option<JobEvent> {
        let supervisor =
            self.replaced.supervisor.as_ref().filter(|_| !self.replaced.compat.has(LegacyBehaviour::Stdin))?;
        Some(JobEvent { variable: supervisor.event.clone()?, is_job: supervisor.is_job })
    }

    /// Opens the events of a platform; `None` where a body is only a body.
    #[must_use]
    pub fn input_filter(&self) -> Option<Arc<dyn InputFilter>> {
        let supervisor = self.replaced.supervisor.as_ref()?;
        Some(Arc::new(EnvelopeFilter {
            skips_input: supervisor.skips_input,
            is_loose: supervisor.is_loose,
            replaceable: supervisor.replaceable.clone(),
        }))
    }
}

fn source(mode: Mode) -> ResponseSource {
    match mode {
        Mode::Files => ResponseSource::OutputFiles,
        Mode::Stdio => ResponseSource::Stdout,
        Mode::Streaming => ResponseSource::LiveStdout,
        Mode::Http => ResponseSource::Upstream,
        Mode::Static => ResponseSource::StaticFiles,
    }
}
