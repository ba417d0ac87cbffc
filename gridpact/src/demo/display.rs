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
            " time    import EUR/MWh   local EUR/MWh     import kW   sites  delivered/committed kWh  rounds   final",
        );
        display
    }

    /// Prints the lines that have become due.
    pub fn update(&mut self, accounts: &BTreeMap<Interval, IntervalAccount>) {
        for line in self.due(accounts) {
            self.say(&line);
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.number(self.next) as u64);
        }
    }

    /// Lines not printed yet: an interval's is due once all of its deliveries are settled, or those of a
    /// later one are.
    fn due(&mut self, accounts: &BTreeMap<Interval, IntervalAccount>) -> Vec<String> {
        let settled = |account: &IntervalAccount| account.settled >= self.aggregators;
        let last = accounts.iter().rev().find(|(_, account)| settled(account)).map(|(last, _)| *last);
        let Some(last) = last.filter(|last| *last >= self.next) else { return Vec::new() };
        let due = accounts.range(self.next..=last);
        let lines = due.map(|(interval, account)| self.line(*interval, account)).collect();
        self.next = last.later(1, INTERVAL_S);
        lines
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
            " {time}   {:>14.2}   {:>6.1}..{:<6.1} {:>6.1}/{:<6.1}   {:>4}   {:>10.2}/{:<10.2}  {:>6}  {:>6}",
            root.eur_per_mwh(),
            low.eur_per_mwh(),
            high.eur_per_mwh(),
            account.import.kw(),
            self.limit.kw(),
            account.commitments,
            account.delivered.kwh(),
            account.committed.kwh(),
            account.rounds,
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

#[cfg(test)]
mod tests {
    use super::*;
    use market::interval::UnixSeconds;
    use market::units::{Millijoule, PicoEurPerWh};

    fn interval(number: i64) -> Interval {
        Interval(UnixSeconds(86_400 + number * INTERVAL_S))
    }

    fn account(settled: usize) -> IntervalAccount {
        let mut account = IntervalAccount::default();
        account.prices = Some([PicoEurPerWh(50_000_000), PicoEurPerWh(40_000_000), PicoEurPerWh(60_000_000)]);
        account.import = Milliwatt(12_300_000);
        account.rounds = 2;
        account.commitments = 3;
        account.committed = Millijoule::from_wh(4_000.0).unwrap();
        account.delivered = Millijoule::from_wh(3_900.0).unwrap();
        account.finality_ms = Some(17);
        account.settled = settled;
        account
    }

    /// Intervals by how many aggregators have settled, to how many lines are printed.
    fn check(display: &mut Display, settled: &[usize], printed: usize) -> Vec<String> {
        let accounts = (0..).map(interval).zip(settled.iter().map(|settled| account(*settled))).collect();
        let lines = display.due(&accounts);
        assert_eq!(lines.len(), printed, "{lines:?}");
        lines
    }

    #[test]
    fn a_line_is_printed_once_when_its_interval_or_a_later_one_is_settled() {
        let mut display = Display::new(false, interval(0), 96, Milliwatt(150_000_000), 2);
        check(&mut display, &[1, 0], 0);
        let lines = check(&mut display, &[2, 1], 1);
        let words: Vec<&str> = lines[0].split_whitespace().collect();
        assert_eq!(words, ["00:00", "50.00", "40.0..60.0", "12.3/150.0", "3", "3.90/4.00", "2", "17", "ms"]);
        check(&mut display, &[2, 1], 0);
        check(&mut display, &[2, 1, 2], 2);
        check(&mut display, &[2, 2, 2], 0);
    }
}
