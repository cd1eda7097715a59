//! `--compat`: behaviour of the replaced programs that a user can switch back on. Each word undoes one difference of
//! `docs/compatibility.md`.

use crate::invocation::OnHangUp;

/// One behaviour of a replaced program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegacyBehaviour {
    /// `accept`: the form of the answer does not depend on the request's `Accept`.
    Accept,
    /// `authorization`: `Authorization` becomes `Http_Authorization`.
    Authorization,
    /// `detach`: a function runs on when its caller has gone.
    Detach,
    /// `lenient`: a value that cannot be read is replaced by the default, with a warning.
    Lenient,
    /// `loose-events`: one key is enough for an event that holds another.
    LooseEvents,
    /// `newline`: a line break follows the result.
    Newline,
    /// `split-spaces`: `fprocess` is split at each single space.
    SplitSpaces,
    /// `status-200`: a function that failed is answered with 200 and what it printed.
    Status200,
    /// `status-408`: a timeout is answered with 408.
    Status408,
    /// `status-500`: a body that is neither JSON nor base64 is answered with 500, and so is the failure of an upstream.
    Status500,
    /// `stdin`: the event of a job is what its shell has left on the standard input.
    Stdin,
    /// `unset-empty`: `Http_Query`, `Http_Host` and `Http_Transfer_Encoding` are not set when they are empty.
    UnsetEmpty,
    /// `untyped`: what a body is does not depend on its `Content-Type`.
    Untyped,
}

impl LegacyBehaviour {
    /// All of them, by name.
    pub const ALL: [Self; 13] = [
        Self::Accept,
        Self::Authorization,
        Self::Detach,
        Self::Lenient,
        Self::LooseEvents,
        Self::Newline,
        Self::SplitSpaces,
        Self::Status200,
        Self::Status408,
        Self::Status500,
        Self::Stdin,
        Self::UnsetEmpty,
        Self::Untyped,
    ];

    /// The word in the list.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Authorization => "authorization",
            Self::Detach => "detach",
            Self::Lenient => "lenient",
            Self::LooseEvents => "loose-events",
            Self::Newline => "newline",
            Self::SplitSpaces => "split-spaces",
            Self::Status200 => "status-200",
            Self::Status408 => "status-408",
            Self::Status500 => "status-500",
            Self::Stdin => "stdin",
            Self::UnsetEmpty => "unset-empty",
            Self::Untyped => "untyped",
        }
    }
}

/// A set of legacy behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compat(u32);

impl Compat {
    /// Reads a list with commas between the words, in any case.
    ///
    /// # Errors
    /// The known words, if one of the list is none of them.
    pub fn parse(list: &str) -> Result<Self, String> {
        let mut wanted = Self::default();
        for word in list.split(',').map(str::trim) {
            let Some(behaviour) =
                LegacyBehaviour::ALL.into_iter().find(|behaviour| behaviour.word().eq_ignore_ascii_case(word))
            else {
                let known: Vec<&str> = LegacyBehaviour::ALL.into_iter().map(LegacyBehaviour::word).collect();
                return Err(format!("expected words of {} with commas between them, not {word:?}", known.join(", ")));
            };
            wanted = wanted.with(behaviour);
        }
        Ok(wanted)
    }

    /// The set with one more behaviour.
    #[must_use]
    pub fn with(self, behaviour: LegacyBehaviour) -> Self {
        Self(self.0 | 1 << behaviour as u32)
    }

    /// The fate of a function whose caller hangs up. The replaced programs let it run on.
    #[must_use]
    pub fn on_hang_up(self) -> OnHangUp {
        if self.has(LegacyBehaviour::Detach) { OnHangUp::RunOn } else { OnHangUp::Stop }
    }

    /// Whether the set contains a behaviour.
    #[must_use]
    pub fn has(self, behaviour: LegacyBehaviour) -> bool {
        self.0 & 1 << behaviour as u32 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_alone_wants_itself_and_nothing_else() {
        for behaviour in LegacyBehaviour::ALL {
            let compat = Compat::parse(behaviour.word()).expect("known");
            for other in LegacyBehaviour::ALL {
                assert_eq!(compat.has(other), behaviour == other, "{behaviour:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_list_wants_all_of_its_words_and_a_stranger_is_named() {
        let compat = Compat::parse(" status-408, NEWLINE").expect("known");
        assert!(
            compat.has(LegacyBehaviour::Status408)
                && compat.has(LegacyBehaviour::Newline)
                && !compat.has(LegacyBehaviour::Lenient)
        );
        assert!(Compat::parse("").is_err());
        let error = Compat::parse("newline,status-409").expect_err("unknown");
        assert!(error.contains("not \"status-409\"") && error.contains("status-408"), "{error}");
    }
}
