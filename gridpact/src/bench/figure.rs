//! One measured figure and its target.

use serde::Serialize;

/// A measured figure and what is asked of it.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What was measured, sizes included.
    pub name: String,
    /// How much.
    pub measured: f64,
    /// Of what: `x` for a ratio, else a unit of time.
    pub unit: &'static str,
    /// What is asked.
    pub target: Target,
    /// What the figure was made of, in words.
    pub detail: String,
}

/// What is asked of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Figure {
    /// Whether the target is met. What is no number meets none.
    pub fn holds(&self) -> bool {
        match self.target {
            Target::AtMost(limit) => self.measured <= limit,
            Target::AtLeast(limit) => self.measured >= limit,
        }
    }

    /// One line for people; the verdict only where the target is `judged`.
    pub fn line(&self, judged: bool) -> String {
        let Self { name, measured, unit, target, detail } = self;
        let target = match target {
            Target::AtMost(limit) => format!("at most {limit} {unit}"),
            Target::AtLeast(limit) => format!("at least {limit} {unit}"),
        };
        let verdict = match (judged, self.holds()) {
            (false, _) => "",
            (true, true) => ", met",
            (true, false) => ", MISSED",
        };
        format!("{name}: {measured:.2} {unit} ({target}{verdict}); {detail}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(measured: f64, target: Target, holds: bool) {
        let (name, detail) = ("a".to_owned(), String::new());
        let figure = Figure { name, measured, unit: "ms", target, detail };
        assert_eq!(figure.holds(), holds);
        assert_eq!(figure.line(true).contains("MISSED"), !holds);
    }

    #[test]
    fn a_target_is_met_up_to_its_limit() {
        check(4.0, Target::AtMost(4.0), true);
        check(4.1, Target::AtMost(4.0), false);
        check(50.0, Target::AtLeast(50.0), true);
        check(49.9, Target::AtLeast(50.0), false);
        check(f64::NAN, Target::AtMost(4.0), false);
    }
}
