//! What a round is made of: processor time of who speaks and of the broker, and how much of it is Ed25519, which is counted and
//! measured by itself.

use super::super::stopwatch::{best, milliseconds};
use super::letters::{key_of, Letters, SitesLetters};
use crate::processor_time;
use ed25519_dalek::{Signature, Signer as _, SigningKey};
use std::time::Duration;

const RUNS: usize = 5;
const TIMES: u32 = 200;

/// Processor time by everyone who speaks, who share this process, and by the broker, in all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    speakers: Duration,
    broker: Duration,
}

/// Processor time so far of this process and of a broker's; none where the system doesn't say it.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Option<(Duration, Duration)>);

impl Clock {
    /// As it stands now.
    pub fn read(broker: u32) -> Clock {
        let own = Duration::from_secs_f64(processor_time::own_seconds());
        Clock(processor_time::seconds_of(broker).map(|broker| (own, Duration::from_secs_f64(broker))))
    }
}

impl Spent {
    /// Adds what was spent from one reading to another.
    pub fn add(&mut self, before: Clock, after: Clock) {
        if let (Some(before), Some(after)) = (before.0, after.0) {
            self.speakers += after.0.saturating_sub(before.0);
            self.broker += after.1.saturating_sub(before.1);
        }
    }

    /// In words, for one of so many rounds.
    pub fn words(self, rounds: usize) -> String {
        let each = |all: Duration| milliseconds(all) / rounds.max(1) as f64;
        format!("{:.0} ms by who speaks and {:.0} ms by the broker", each(self.speakers), each(self.broker))
    }
}

/// Time that the bare signatures of a round take on one core, and the bare checks: each letter once, however few bytes are
/// beside it.
pub fn ed25519(letters: &Letters) -> (Duration, Duration) {
    let Some((site, own)) = letters.sites.first() else { return Default::default() };
    let SitesLetters { bid, bid_answer, firm, firm_answer } = own;
    let (sites, sums) = (key_of(site), key_of(&letters.aggregator));
    let said = [(bid, &sites), (bid_answer, &sums), (firm, &sums), (firm_answer, &sites)];
    let sign = |bytes: &[u8], key: &SigningKey| best(RUNS, TIMES, || key.sign(bytes));
    let check = |bytes: &[u8], key: &SigningKey| {
        let (public, signature): (_, Signature) = (key.verifying_key(), key.sign(bytes));
        best(RUNS, TIMES, || public.verify_strict(bytes, &signature).is_ok())
    };
    let of_all = |cost: &dyn Fn(&[u8], &SigningKey) -> Duration| -> Duration {
        let each: Duration = said.iter().map(|(letter, key)| cost(&letter.bytes, key)).sum();
        each * u32::try_from(letters.sites.len()).unwrap_or(u32::MAX)
    };
    (of_all(&sign), of_all(&check))
}
