//! From what was seen to what is wrong and what to do: no clock, file or socket, only facts and limits. Everything is
//! judged; nothing ends at the first fault.

mod certificates;
mod clock;
mod disk;
mod keys;
mod network;
mod process;

use super::facts::{Facts, FileFacts, Limits, NOT_THERE};
use super::finding::{Area, Finding};

/// All findings, area by area.
pub fn judge(facts: &Facts, limits: &Limits) -> Vec<Finding> {
    let mut found: Vec<Finding> = facts.files.iter().flat_map(file).collect();
    found.extend(facts.keys.iter().map(keys::judge));
    found.extend(facts.certificates.iter().flat_map(|it| certificates::judge(it, facts.clock.now, limits)));
    found.extend(facts.lists.iter().map(|list| certificates::list(list, facts.clock.now)));
    found.extend(clock::judge(&facts.clock, limits));
    found.extend(facts.folders.iter().flat_map(|folder| disk::judge(folder, limits)));
    found.extend(network::listeners(&facts.listeners));
    found.extend(network::brokers(&facts.brokers));
    found.extend(facts.devices.iter().map(network::device));
    found.extend(facts.processes.iter().flat_map(process::judge));
    found.extend(facts.said.iter().cloned());
    found.sort_by_key(|finding| finding.area);
    found
}

fn file(facts: &FileFacts) -> Vec<Finding> {
    let name = facts.file.display();
    if facts.wrong.is_empty() {
        let what = format!("configures {}", facts.role.as_deref().unwrap_or("nothing"));
        return vec![Finding::good(Area::Configuration, name, what)];
    }
    let one = |(key, reason): &(Option<String>, String)| {
        let remedy = match key {
            Some(key) => format!("Correct {key} in {name}; docs/CONFIGURATION.md says what every key means."),
            None if reason == NOT_THERE => {
                "Name the files to look at: `gridpact check FILE...`, or a folder with such.".to_owned()
            }
            None => "Correct the file; docs/CONFIGURATION.md lists every key, with its type and default."
                .to_owned(),
        };
        let what = key.as_ref().map_or_else(|| reason.clone(), |key| format!("{key}: {reason}"));
        Finding::fault(Area::Configuration, &name, what, remedy)
    };
    facts.wrong.iter().map(one).collect()
}

/// A span of time in words, to the larger unit.
fn span(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// A time as people write it.
fn date(seconds: i64) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    time::OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|at| at.format(format).ok())
        .unwrap_or_else(|| format!("{seconds} s after 1970"))
}

#[cfg(test)]
mod tests;
