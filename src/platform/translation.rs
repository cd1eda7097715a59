//! The variables of a platform → values of bandog's settings, and the report about them.

use std::{collections::BTreeMap, ffi::OsString};

/// The values that the variables of a platform give to bandog's settings.
#[derive(Debug, Default)]
pub struct Translation {
    /// Values by the name of the setting.
    pub values: BTreeMap<&'static str, TranslatedValue>,
    /// The variables for which bandog has no setting, for `check`.
    pub notes: Vec<VariableNote>,
    /// Oddities that do not prevent a start.
    pub warnings: Vec<String>,
    /// Everything that is wrong.
    pub errors: Vec<VariableError>,
}

/// The value of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranslatedValue {
    /// The value, as a flag would have it.
    pub text: OsString,
    /// The variable that gives it; `None` for the default of the replaced program.
    pub variable: Option<&'static str>,
}

/// A variable for which bandog has no setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableNote {
    /// Its name.
    pub name: &'static str,
    /// Its value, or the default.
    pub value: String,
    /// Whether it is set.
    pub is_set: bool,
}

/// A variable that must be corrected before bandog can start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableError {
    /// Its name.
    pub name: &'static str,
    /// Its value, if it is set.
    pub value: Option<String>,
    /// The value that it should have, or another way to correct the problem.
    pub advice: String,
}
