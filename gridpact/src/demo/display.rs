//! What a demo shows while it runs: a progress bar, and one line for each interval once it is settled.

use super::observer::core::IntervalAccount;
use crate::neighbourhood::day::INTERVAL_S;
use indicatif::{ProgressBar, ProgressStyle};
use market::interval::Interval;
use market::units::Milliwatt;
use std::collections::BTreeMap;

/// Where lines and the bar go.
pub struct Display {
    /// None for a demo that only prints its result.
    bar: Option<ProgressBar>,
    first: Interval,
    limit: Milliwatt,
    aggregators: usize,
    /// The first interval no line was printed for.
    next: Interval,
}

impl Display {
    /// Lines for intervals from `first` on; `limit` is what the transformer may carry.
    pub fn new(visible: bool, first: Interval, intervals: u32, limit: Milliwatt, aggregators: usize) -> Self {
        let bar = visible.then(|| {
            let bar = ProgressBar::new(u64::from(intervals));
            if let Ok(style) =
                ProgressStyle::with_template("{elapsed_precise} {bar:40} {pos}/{len} intervals")
            {
                bar.set_style(style);
            }
            bar
        });
        let display = Self { bar, first, limit, aggregators, next: first };
        display.say(
            " time    import EUR/MWh   local EUR/MWh     import kW   sites  delivered/committed kWh  final",
        );
        display
    }

    /// Prints the lines that have become due: an interval's once all of its deliveries are settled, or
    /// those of a later one are.
    pub fn update(&mut self, accounts: &BTreeMap<Interval, IntervalAccount>) {
        let settled = |account: &IntervalAccount| account.settled >= self.aggregators;
        let Some(last) = accounts.iter().rev().find(|(_, account)| settled(account)).map(|(last, _)| *last)
        else {
            return;
        };
        if last < self.next {
            return;
        }
        for (interval, account) in accounts.range(self.next..=last) {
            self.say(&self.line(*interval, account));
        }
        self.next = last.later(1, INTERVAL_S);
        if let Some(bar) = &self.bar {
            bar.set_position(self.number(self.next) as u64);
        }
    }

    fn number(&self, interval: Interval) -> i64 {
        (interval.start().0 - self.first.start().0) / INTERVAL_S
    }

    fn line(&self, interval: Interval, account: &IntervalAccount) -> String {
        let minutes = (interval.start().0 - self.first.start().0).rem_euclid(86_400) / 60;
        let time = format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let Some([root, low, high]) = account.prices else {
            return format!(" {time}   not cleared: sites kept their last safe schedule");
        };
        let finality = account.finality_ms.map_or("-".to_owned(), |ms| format!("{ms} ms"));
        format!(
            " {time}   {:>14.2}   {:>6.1}..{:<6.1} {:>6.1}/{:<6.1}   {:>4}   {:>10.2}/{:<10.2}  {:>6}",
            root.eur_per_mwh(),
            low.eur_per_mwh(),
            high.eur_per_mwh(),
            account.import.kw(),
            self.limit.kw(),
            account.commitments,
            account.delivered.kwh(),
            account.committed.kwh(),
            finality,
        )
    }

    /// Prints a line above the bar.
    pub fn say(&self, line: &str) {
        if let Some(bar) = &self.bar {
            // Without a terminal the bar is hidden, and swallows lines too.
            if bar.is_hidden() {
                println!("{line}");
            } else {
                bar.println(line);
            }
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
