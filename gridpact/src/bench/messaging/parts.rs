//! What a round is made of: processor time of who speaks and of the broker, and how much of it is Ed25519, which is counted and
//! measured by itself.

use super::super::stopwatch::{best, milliseconds};
use super::letters::{key_of, Letters, SitesLetters};
use ed25519_dalek::{Signature, Signer as _, SigningKey};
use std::time::Duration;

/// Ticks of a second in which Linux states processor time to programs.
const TICKS_A_SECOND: u64 = 100;
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
        Clock(of_process("self").zip(of_process(&broker.to_string())))
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

/// User and system time of a process and its threads (proc_pid_stat(5), fields 14 and 15).
fn of_process(process: &str) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is a name in parentheses, which may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks()? + ticks()?) * 1_000 / TICKS_A_SECOND))
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
