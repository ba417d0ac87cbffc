//! Holding values against their ranges, with the key's whole name at hand for the error.

use super::TemplateError;
use std::fmt::Display;
use std::ops::RangeInclusive;

/// Where in which file we are.
pub(super) struct In<'a> {
    file: &'a str,
    path: String,
}

impl<'a> In<'a> {
    /// At the top of `file`.
    pub fn file(file: &'a str) -> Self {
        Self { file, path: String::new() }
    }

    /// Within the section `name`.
    pub fn key(&self, name: &str) -> Self {
        Self { file: self.file, path: self.name(name) }
    }

    fn name(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// An error about `key`.
    pub fn wrong(&self, key: &str, value: &impl Display, rule: &str) -> TemplateError {
        let (file, value) = (self.file.to_owned(), value.to_string());
        TemplateError::Value { file, key: self.name(key), value, rule: rule.to_owned() }
    }

    /// A number must lie within `range`; not-a-number never does.
    pub fn number(&self, key: &str, value: f64, range: RangeInclusive<f64>) -> Result<(), TemplateError> {
        if range.contains(&value) {
            return Ok(());
        }
        Err(self.wrong(key, &value, &format!("it must lie in {} to {}", range.start(), range.end())))
    }

    /// A text must have so many bytes and no control characters.
    pub fn text(&self, key: &str, value: &str, bytes: RangeInclusive<usize>) -> Result<(), TemplateError> {
        let plain = !value.chars().any(|c| c.is_control() && c != '\n');
        if bytes.contains(&value.len()) && plain {
            return Ok(());
        }
        let rule =
            format!("it must have {} to {} bytes and no control characters", bytes.start(), bytes.end());
        Err(self.wrong(key, &format!("{value:?}"), &rule))
    }

    /// A topic to publish to or to follow: no wildcards, placeholders only among `settings`.
    pub fn topic<'s>(
        &self,
        key: &str,
        value: &str,
        settings: impl Iterator<Item = &'s String>,
    ) -> Result<(), TemplateError> {
        self.text(key, value, 1..=256)?;
        if value.contains(['+', '#']) || value.starts_with('$') {
            let rule = "a topic has no wildcard and does not begin with $";
            return Err(self.wrong(key, &format!("{value:?}"), rule));
        }
        self.placeholders(key, value, settings)
    }

    /// Every `{placeholder}` of a text must be among `settings`.
    pub fn placeholders<'s>(
        &self,
        key: &str,
        value: &str,
        settings: impl Iterator<Item = &'s String>,
    ) -> Result<(), TemplateError> {
        let settings: Vec<&String> = settings.collect();
        let unknown = placeholders(value).find(|name| !settings.iter().any(|known| known == name));
        match unknown {
            Some(name) => {
                let rule = format!("there is no [mqtt.settings.{name}] to put in its place");
                Err(self.wrong(key, &format!("{value:?}"), &rule))
            }
            None => Ok(()),
        }
    }

    /// At least one entry, at most `most`.
    pub fn count(&self, key: &str, count: usize, range: RangeInclusive<usize>) -> Result<(), TemplateError> {
        self.number(key, count as f64, *range.start() as f64..=*range.end() as f64)
    }
}

/// The `{placeholders}` of a text: plain words in braces. JSON's own braces hold quotes and are none.
pub(super) fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| {
        let (name, _) = rest.split_once('}')?;
        let plain = |b: u8| b.is_ascii_lowercase() || b == b'_';
        (!name.is_empty() && name != "value" && name.bytes().all(plain)).then_some(name)
    })
}
