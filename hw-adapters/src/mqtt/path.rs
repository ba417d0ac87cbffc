//! Where a value lies in a JSON payload: `a.b[0].c`, or as Home Assistant's templates say it,
//! `{{ value_json.a['b'] }}`.

use serde_json::Value;

/// Most steps of a path.
const MAX_STEPS: usize = 12;

/// A path into JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl JsonPath {
    /// Reads `a.b[0].c`; also `a['b.c']`, where a key has a dot in it. None where it is no such path.
    pub fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if steps.len() == MAX_STEPS {
                return None;
            }
            rest = match rest.strip_prefix('[') {
                Some(inside) => {
                    let (inside, after) = inside.split_once(']')?;
                    steps.push(bracketed(inside)?);
                    after
                }
                None => {
                    let rest = if steps.is_empty() { rest } else { rest.strip_prefix('.')? };
                    let end = rest.find(['.', '[']).unwrap_or(rest.len());
                    let (key, after) = rest.split_at(end);
                    let plain = |c: char| c.is_alphanumeric() || "_-:$@".contains(c);
                    if key.is_empty() || !key.chars().all(plain) {
                        return None;
                    }
                    steps.push(Step::Key(key.to_owned()));
                    after
                }
            };
        }
        (!steps.is_empty()).then_some(Self(steps))
    }

    /// What lies there; none where there is nothing, or null.
    pub fn find<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        let found = self.0.iter().try_fold(value, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
        });
        found.filter(|value| !value.is_null())
    }
}

fn bracketed(inside: &str) -> Option<Step> {
    for quote in ['\'', '"'] {
        if let Some(key) = inside.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return (!key.is_empty()).then(|| Step::Key(key.to_owned()));
        }
    }
    inside.parse().ok().map(Step::Index)
}

/// What a Home Assistant template takes from a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The payload itself: `{{ value }}`.
    Whole,
    /// A place in its JSON.
    At(JsonPath),
}

/// Filters that change how a value is shown and not what it is.
const FILTERS: [&str; 6] = ["float", "int", "round", "default", "is_defined", "string"];

/// Understands those of Home Assistant's templates that only point at a value. None for any other: a template that
/// reckons is a program, and what it would say is not guessed at.
pub fn value_template(text: &str) -> Option<Taken> {
    let inside = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let mut parts = inside.split('|');
    let what = parts.next()?.trim();
    for filter in parts {
        let name = filter.trim().split('(').next()?.trim_end();
        if !FILTERS.contains(&name) {
            return None;
        }
    }
    if what == "value" {
        return Some(Taken::Whole);
    }
    let path = what.strip_prefix("value_json")?;
    // Outside of quotes a minus takes something away.
    if path.contains('-') && !path.contains(['\'', '"']) {
        return None;
    }
    JsonPath::parse(path.strip_prefix('.').unwrap_or(path)).map(Taken::At)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(path: &str, expected: Option<Value>) {
        let payload = json!({"a": {"b": [1, {"c.d": "x"}], "switch:0": {"apower": 5.5}}, "n": null});
        let found = JsonPath::parse(path).and_then(|path| path.find(&payload).cloned());
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn a_path_leads_to_one_value() {
        check("a.b[0]", Some(json!(1)));
        check("a.switch:0.apower", Some(json!(5.5)));
        check("a.b[1]['c.d']", Some(json!("x")));
        check("['a'].b[0]", Some(json!(1)));
        for nothing in ["", ".", "a.", ".a", "a..b", "a[", "a[x]", "a.b[9]", "a.z", "n", &"a.".repeat(20)] {
            check(nothing, None);
        }
    }

    #[test]
    fn templates_that_point_at_a_value_are_understood_and_no_others() {
        let at = |path: &str| Some(Taken::At(JsonPath::parse(path).unwrap()));
        assert_eq!(value_template("{{ value }}"), Some(Taken::Whole));
        assert_eq!(value_template("{{value_json.power}}"), at("power"));
        assert_eq!(value_template("{{ value_json['ENERGY'].Power | float | round(2) }}"), at("ENERGY.Power"));
        assert_eq!(value_template("{{ value_json.ENERGY.Total|default(0) }}"), at("ENERGY.Total"));
        for program in [
            "{{ value_json.a * 2 }}",
            "{{ value_json.a-b }}",
            "{{ value | multiply(3) }}",
            "{% if x %}",
            "value",
            "{{ states() }}",
        ] {
            assert_eq!(value_template(program), None, "{program}");
        }
    }
}
