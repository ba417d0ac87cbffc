//! Certificates: in time, of the right authority, not revoked, with the right name and the right key.

use super::keys::exposed;
use super::{date, span};
use crate::check::facts::{CertificateFacts, Chain, Limits, ListFacts, Use};
use crate::check::finding::{Area, Finding};

const AREA: Area = Area::Certificates;

/// Everything that is wrong with a certificate; one good word where nothing is.
pub(super) fn judge(it: &CertificateFacts, now: i64, limits: &Limits) -> Vec<Finding> {
    let mut found: Vec<Finding> = it
        .unusable
        .iter()
        .map(|(path, reason)| {
            Finding::fault(
                AREA,
                path.display(),
                reason.clone(),
                "Copy the file there again, as `gridpact provision` made it, in PEM.",
            )
        })
        .collect();
    found.extend(it.key_owned.and_then(|owned| exposed(AREA, &it.key, owned)));
    let certificate_unusable = it.unusable.iter().any(|(path, _)| *path == it.certificate);
    if !certificate_unusable {
        found.extend(times(it, now, limits));
        found.extend(chain(it));
        found.extend(name(it));
        if it.key_fits == Some(false) {
            found.push(Finding::fault(
                AREA,
                it.key.display(),
                format!("it is not the key of {}", it.certificate.display()),
                "Put certificate and key there that were made together.",
            ));
        }
    }
    if found.is_empty() {
        let what = format!("holds until {}, {} from now", date(it.not_after), span(it.not_after - now));
        found.push(Finding::good(AREA, it.certificate.display(), what));
    }
    found
}

/// How to get another one.
fn anew(it: &CertificateFacts) -> String {
    match &it.of {
        Use::Party(party) => {
            format!("Make another: `gridpact provision rotate PLAN --out OUT --party {party} --certificate-only`, and copy it here.")
        }
        Use::Broker(_) => {
            "Make another: `gridpact provision PLAN --out OUT` makes what is missing; copy it here. A \
                           running broker reads it again by itself."
                .to_owned()
        }
        Use::Chargers => "Have another made by the authority your charge points trust.".to_owned(),
    }
}

fn times(it: &CertificateFacts, now: i64, limits: &Limits) -> Vec<Finding> {
    let path = it.certificate.display();
    let mut found = Vec::new();
    if now < it.not_before {
        found.push(Finding::fault(
            AREA,
            &path,
            format!(
                "it does not hold before {}, {} from now",
                date(it.not_before),
                span(it.not_before - now)
            ),
            "Set this machine's clock; where it is right, wait, or have a certificate made that holds now.",
        ));
    } else if now >= it.not_after {
        found.push(Finding::fault(
            AREA,
            &path,
            format!("it expired {} ago, on {}", span(now - it.not_after), date(it.not_after)),
            anew(it),
        ));
    } else if it.not_after - now < limits.expiry_soon_s {
        found.push(Finding::warning(
            AREA,
            &path,
            format!("it expires in {}, on {}", span(it.not_after - now), date(it.not_after)),
            anew(it),
        ));
    }
    if let (Some(until), Some(authority)) = (it.authority_until, &it.authority) {
        let what = |word: &str| format!("the authority's own certificate {word}, on {}", date(until));
        let remedy = "A new authority is a new deployment: plan it before that day (docs/PROVISION.md).";
        if now >= until {
            found.push(Finding::fault(AREA, authority.display(), what("has expired"), remedy));
        } else if until - now < limits.expiry_soon_s {
            found.push(Finding::warning(AREA, authority.display(), what("expires soon"), remedy));
        }
    }
    found
}

fn chain(it: &CertificateFacts) -> Option<Finding> {
    let path = it.certificate.display();
    let authority = it.authority.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    match &it.chain {
        Chain::Good | Chain::Unknown => None,
        Chain::Foreign => Some(Finding::fault(
            AREA,
            path,
            format!("it was not signed by the authority in {authority}"),
            "Take certificate and authority of the same deployment: both are in the machine's folder `tls`.",
        )),
        Chain::Revoked => Some(Finding::fault(AREA, path, "its authority has revoked it", anew(it))),
        Chain::Other(reason) => Some(Finding::fault(
            AREA,
            path,
            format!("it can't be verified by {authority}: {reason}"),
            anew(it),
        )),
    }
}

fn name(it: &CertificateFacts) -> Option<Finding> {
    let path = it.certificate.display();
    match (&it.of, &it.names) {
        (Use::Party(party), Ok(named)) if named != party => Some(Finding::fault(
            AREA,
            path,
            format!("it names {named}, and {party} is to show it: brokers would take one for the other"),
            "Correct party.tls, or party.id.",
        )),
        (Use::Party(party), Err(reason)) => Some(Finding::fault(
            AREA,
            path,
            format!("{reason}; it must name {party}, by its common name or by the URI gridpact:{party}"),
            anew(it),
        )),
        (Use::Broker(_), _) if !it.lacking.is_empty() => Some(Finding::fault(
            AREA,
            path,
            format!("it names {}, and parties reach this broker as {}", listed(&it.hosts), listed(&it.lacking)),
            "Name in the plan the host by which others reach this machine ([[machine]] host), run `gridpact provision` \
             again and copy the certificate here.",
        )),
        (Use::Broker(_), _) if it.hosts.is_empty() => Some(Finding::fault(
            AREA,
            path,
            "it names no host, so nobody can tell by it that this is the broker meant",
            anew(it),
        )),
        _ => None,
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "nothing".to_owned(),
        names => names.join(", "),
    }
}

/// A revocation list.
pub(super) fn list(list: &ListFacts, now: i64) -> Finding {
    let path = list.path.display();
    match &list.until {
        Err(reason) => Finding::fault(
            AREA,
            path,
            format!("the revocation list can't be used: {reason}"),
            "Copy it there from OUT/authority/revoked.pem of the deployment.",
        ),
        Ok(Some(until)) if now >= *until => Finding::warning(
            AREA,
            path,
            format!(
                "the revocation list was to be renewed {} ago: who was revoked since is let in",
                span(now - until)
            ),
            "Run `gridpact provision` and copy authority/revoked.pem here.",
        ),
        Ok(until) => {
            let until = until.map_or_else(String::new, |until| format!(" until {}", date(until)));
            Finding::good(AREA, path, format!("the revocation list holds{until}"))
        }
    }
}
