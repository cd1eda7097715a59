//! Text with placeholders for arguments: `{name}`, `{{name}}` and `:name`. It does not fill them: each use escapes
//! values in its own way.

/// Text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Texts and placeholders in order; two texts are never adjacent.
    pub pieces: Vec<Piece>,
}

/// A part of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Literal text.
    Text(String),
    /// The argument of this name.
    Placeholder(String),
}

impl Template {
    /// Finds the placeholders in `text`. A candidate whose name fails `is_name`, such as the `:8080` of an address, is
    /// literal text.
    #[must_use]
    pub fn parse(text: &str, is_name: impl Fn(&str) -> bool) -> Self {
        let mut pieces = Vec::new();
        let (mut before, mut rest) = (String::new(), text);
        while let Some(at) = rest.find(['{', ':']) {
            let (plain, from) = rest.split_at(at);
            before.push_str(plain);
            if let Some((name, after)) = placeholder(from).filter(|(name, _)| is_name(name)) {
                if !before.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut before)));
                }
                pieces.push(Piece::Placeholder(name.to_owned()));
                rest = after;
            } else {
                before.push_str(&from[..1]);
                rest = &from[1..];
            }
        }
        before.push_str(rest);
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        Self { pieces }
    }

    /// The names of the placeholders, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Placeholder(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The text without the names of its placeholders. Two paths of the same shape are the same path.
    #[must_use]
    pub fn shape(&self) -> String {
        let nameless = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Placeholder(_) => "{}",
        });
        nameless.collect()
    }

    /// Whether it has no placeholder.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.names().next().is_none()
    }
}

impl std::fmt::Display for Template {
    /// The template as OpenAPI writes it: `{name}`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Placeholder(name) => write!(f, "{{{name}}}"),
        })
    }
}

/// The name of a placeholder at the beginning of `text`, in any of the three forms, and the text after it.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    for (open, close) in [("{{", "}}"), ("{", "}"), (":", "")] {
        let Some(inner) = text.strip_prefix(open) else { continue };
        // The name of a header field may have hyphens; after a colon they are literal text.
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || (letter == '-' && open != ":");
        let end = inner.find(|letter| !is_part(letter)).unwrap_or(inner.len());
        let (name, after) = inner.split_at(end);
        if let Some(after) = after.strip_prefix(close)
            && !name.is_empty()
        {
            return Some((name, after));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Template::parse(text, |name| ["a", "b_2"].contains(&name)).to_string()
    }

    #[test]
    fn a_place_is_found_in_each_of_the_three_ways() {
        assert_eq!(shown("/x/{a}/y"), "/x/{a}/y");
        assert_eq!(shown("/x/{{a}}/{b_2}"), "/x/{a}/{b_2}");
        assert_eq!(shown("/:a/:b_2.json"), "/{a}/{b_2}.json");
        let template = Template::parse("{a}{{b_2}}:a", |_| true);
        assert_eq!(template.names().collect::<Vec<_>>(), ["a", "b_2", "a"]);
        assert_eq!(template.pieces.len(), 3);
    }

    #[test]
    fn what_only_looks_like_a_place_stays_text() {
        for text in ["http://host:8080/", "{print $1}", "{}", "{{}}", "{c}", "::", "{a", "{ a }", "a:", "é{"] {
            let template = Template::parse(text, |name| name == "a");
            assert!(template.is_plain(), "{text}");
            assert_eq!(template.to_string(), text);
        }
        assert_eq!(Template::parse("", |_| true).pieces, []);
    }
}
