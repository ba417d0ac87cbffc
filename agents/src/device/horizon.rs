//! What energy is worth after the interval bid for, and what of it can be kept from one interval's bid
//! to the next.

use super::levels::{mean, LevelStep, LevelValues};
use super::outlook::Outlook;
use super::value::{Store, Value};

/// Values kept. Beyond the run of equal prices under way (the rest of an hour, as a rule) they are the
/// same until that run is over or the forecast changes, so most intervals need one step and no table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeptValues {
    kept: Option<(Question, LevelValues)>,
}

/// What values beyond a run follow from.
#[derive(Clone, Debug, PartialEq)]
struct Question {
    hourly_store: Store,
    steps: Vec<LevelStep>,
    hourly_persistence: f64,
}

impl KeptValues {
    /// What energy in store is worth at the end of the interval of `outlook`, by that interval's level.
    ///
    /// `store` gives the store over a step of so many hours; what differs between two stores must show
    /// in that of one hour. Steps are at most `longest_hours` long. What is left at the end of all is
    /// worth `left_worth` of the mean price expected.
    pub fn after(
        &mut self,
        outlook: &Outlook,
        longest_hours: f64,
        store: impl Fn(f64) -> Store,
        left_worth: impl Fn(f64) -> f64,
    ) -> LevelValues {
        let persistence = outlook.hourly_persistence.clamp(0.0, 1.0);
        let mut steps = outlook.steps(longest_hours);
        let under_way = outlook.run_under_way().then(|| steps.remove(0));
        let question = Question { hourly_store: store(1.0), steps, hourly_persistence: persistence };
        let beyond = match &self.kept {
            Some((asked, values)) if *asked == question => values.clone(),
            _ => {
                let Question { hourly_store: Store { least_wh, most_wh, .. }, steps, .. } = &question;
                let left = left_worth(mean_price(steps).or(outlook.mean_price()).unwrap_or(0.0));
                let left = LevelValues::certain(Value::flat(*least_wh, *most_wh, left));
                let values = left.before(&store, steps, persistence);
                self.kept = Some((question, values.clone()));
                values
            }
        };
        let values = match under_way {
            Some(step) => beyond.expected(persistence.powf(step.hours)).before(store, &[step], persistence),
            None => beyond,
        };
        values.expected(persistence.powf(outlook.hours()))
    }
}

fn mean_price(steps: &[LevelStep]) -> Option<f64> {
    let hours: f64 = steps.iter().map(|step| step.hours).sum();
    let sum: f64 = steps.iter().map(|step| mean(&step.prices_pico_per_wh) * step.hours).sum();
    (hours > 0.0).then(|| sum / hours)
}
