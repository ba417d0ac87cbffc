//! Running processes, by their metrics' addresses: who runs there, whose heart beats, what is lacking.

use super::configuration::Loaded;
use super::http;
use crate::check::facts::{Heard, ProcessFacts};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;

/// What /healthz says.
#[derive(Deserialize)]
struct Health {
    parties: Vec<String>,
    stopped: Vec<String>,
}

/// What /readyz says.
#[derive(Deserialize)]
struct Readiness {
    reasons: Vec<String>,
}

/// The processes that would run these files.
pub async fn of(loaded: &[Loaded]) -> Vec<ProcessFacts> {
    let mut expected: BTreeMap<SocketAddr, Vec<String>> = BTreeMap::new();
    for one in loaded {
        let listen =
            one.role().and_then(|role| role.process().metrics_listen).filter(|address| address.port() != 0);
        let Some(address) = listen else { continue };
        let parties = expected.entry(address).or_default();
        parties.extend(one.party().map(|_| one.name()));
    }
    let look =
        |(address, expected)| async move { ProcessFacts { address, expected, heard: heard(address).await } };
    futures::future::join_all(expected.into_iter().map(look)).await
}

async fn heard(address: SocketAddr) -> Heard {
    let health = match http::get(address, "/healthz").await {
        Ok(answer) => answer,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Heard::Nobody,
        Err(error) => return Heard::Stranger(error.to_string()),
    };
    let Ok(Health { parties, stopped }) = serde_json::from_str(&health.body) else {
        return Heard::Stranger(format!("/healthz is answered with status {}", health.status));
    };
    let unready = match http::get(address, "/readyz").await {
        Ok(answer) => serde_json::from_str(&answer.body)
            .map_or_else(|error| vec![format!("can't be understood: {error}")], |it: Readiness| it.reasons),
        Err(error) => vec![error.to_string()],
    };
    Heard::Ours { parties, stopped, unready }
}

/// The metrics of all that run.
pub async fn metrics(processes: &[ProcessFacts]) -> Vec<String> {
    let ours = processes.iter().filter(|it| matches!(it.heard, Heard::Ours { .. }));
    let asked = ours.map(|it| http::get(it.address, "/metrics"));
    let answers = futures::future::join_all(asked).await;
    answers.into_iter().filter_map(Result::ok).map(|answer| answer.body).collect()
}

/// The furthest that other parties' clocks are off, in milliseconds, by what processes say.
pub fn skew_ms(metrics: &[String]) -> Option<i64> {
    let lines = metrics.iter().flat_map(|text| text.lines());
    let skews = lines.filter(|line| line.starts_with("gridpact_link_clock_skew_ms"));
    skews
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .map(|skew| skew as i64)
        .max_by_key(|skew| skew.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_clock_is_found_in_metrics() {
        let text = "# HELP x y\ngridpact_link_clock_skew_ms{party=\"site/s1\"} 12\n\
            gridpact_link_clock_skew_ms{party=\"site/s2\"} -4000\nother 99999\n";
        assert_eq!(skew_ms(&[text.to_owned()]), Some(-4_000));
        assert_eq!(skew_ms(&[]), None);
    }
}
