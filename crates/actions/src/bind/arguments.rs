//! The arguments of a call, bound and checked.

use std::borrow::Cow;

use serde_json::Value;

use crate::location::Location;

/// The arguments of a call: the declared ones in the order of the file, then the undeclared ones. An argument that was
/// not given and has no default is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arguments {
    bound: Vec<BoundArgument>,
}

/// An argument whose value satisfies its schema.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundArgument {
    /// Its name, which is unique.
    pub name: String,
    /// Its value, never null; a file is its path.
    pub value: Value,
    /// Its location in the action's own request; for an undeclared argument, the location it came from.
    pub location: Location,
}

impl Arguments {
    pub(super) fn push(&mut self, bound: BoundArgument) {
        self.bound.push(bound);
    }

    /// All arguments.
    pub fn iter(&self) -> std::slice::Iter<'_, BoundArgument> {
        self.bound.iter()
    }

    /// Whether there is no argument.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bound.is_empty()
    }

    /// The value of the argument of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.bound.iter().find(|bound| bound.name == name).map(|bound| &bound.value)
    }

    /// The value of this name as text: a string as it is, any other value as JSON.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name).map(text)
    }

    /// All arguments as one JSON object, without blanks.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = String::from("{");
        for (number, BoundArgument { name, value, .. }) in self.bound.iter().enumerate() {
            if number > 0 {
                json.push(',');
            }
            json.push_str(&Value::from(name.as_str()).to_string());
            json.push(':');
            json.push_str(&value.to_string());
        }
        json.push('}');
        json
    }
}

impl IntoIterator for Arguments {
    type Item = BoundArgument;
    type IntoIter = std::vec::IntoIter<BoundArgument>;

    fn into_iter(self) -> Self::IntoIter {
        self.bound.into_iter()
    }
}

impl<'a> IntoIterator for &'a Arguments {
    type Item = &'a BoundArgument;
    type IntoIter = std::slice::Iter<'a, BoundArgument>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl BoundArgument {
    /// The value as text: a string as it is, any other value as JSON.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        text(&self.value)
    }
}

fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}
