//! What is reached over a network: addresses to listen on, brokers, devices.

use crate::check::facts::{Answered, BrokerFacts, DeviceFacts, ListenerFacts, Listening, Reached};
use crate::check::finding::{Area, Finding};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// What our own program is called.
const PROGRAM: &str = "gridpact";

/// Addresses to listen on: free, ours, and each named once.
pub(super) fn listeners(all: &[ListenerFacts]) -> Vec<Finding> {
    let mut named: BTreeMap<SocketAddr, &ListenerFacts> = BTreeMap::new();
    let mut found = Vec::new();
    for one in all {
        if let Some(reason) = &one.unsafe_because {
            found.push(Finding::fault(Area::Ports, one.address, format!("{} in {}: {reason}", one.key, one.file.display()),
                "Listen on loopback or a private address, or let clients in by certificate (parties, mesh.tls)."));
        }
        if one.address.port() == 0 {
            continue;
        }
        match named.insert(one.address, one) {
            Some(other) if !(one.shared && other.shared && one.key == other.key) => {
                let what = format!(
                    "{} in {} and {} in {} name the same address",
                    other.key,
                    other.file.display(),
                    one.key,
                    one.file.display()
                );
                found.push(Finding::fault(Area::Ports, one.address, what, "Give one of them another port."));
            }
            Some(_) => {}
            None => found.push(listener(one)),
        }
    }
    found
}

fn listener(one: &ListenerFacts) -> Finding {
    let (area, at, key) = (Area::Ports, one.address, format!("{} in {}", one.key, one.file.display()));
    match &one.listening {
        Listening::Free => Finding::good(area, at, format!("is free for {key}")),
        Listening::Taken(Some(owner)) if owner.name.starts_with(PROGRAM) => {
            Finding::good(area, at, format!("is listened on by {} (process {}), for {key}", owner.name, owner.process))
        }
        Listening::Taken(Some(owner)) => Finding::fault(
            area,
            at,
            format!("{} (process {}) listens there already; {key} needs it", owner.name, owner.process),
            format!("Stop it (`systemctl stop {}`, or kill {}), or change the port.", owner.name, owner.process),
        ),
        Listening::Taken(None) => Finding::fault(
            area,
            at,
            format!("a process of another user listens there already; {key} needs it"),
            format!("See whose it is with `sudo ss -ltnp 'sport = :{}'`; where it is gridpact itself, run this as root or as its user.", at.port()),
        ),
        Listening::NotOurs => Finding::fault(
            area,
            at,
            format!("this machine has no such address; {key} needs it"),
            "`ip address` shows those it has; 0.0.0.0 stands for all of them.",
        ),
        Listening::Forbidden => Finding::fault(
            area,
            at,
            format!("ports below 1024 need a right that this user lacks; {key} needs it"),
            "Take a port above 1023, or give the service AmbientCapabilities=CAP_NET_BIND_SERVICE.",
        ),
        Listening::Other(reason) => Finding::fault(area, at, format!("{reason}; {key} needs it"), "Name another address."),
    }
}

/// Brokers: of each list one that answers is enough, and what is wrong with the others is said.
pub(super) fn brokers(all: &[BrokerFacts]) -> Vec<Finding> {
    let stands = |of: &BrokerFacts| {
        all.iter().any(|it| {
            it.party == of.party
                && it.list == of.list
                && matches!(it.reached, Some(Reached::Stands | Reached::Answers))
        })
    };
    all.iter().map(|it| broker(it, stands(it))).collect()
}

fn broker(it: &BrokerFacts, another: bool) -> Finding {
    let (area, at, party) = (Area::Broker, &it.address, &it.party);
    let Some(reached) = &it.reached else {
        return Finding::note(area, at, format!("was not tried for {party}"));
    };
    let fault = |what: String, remedy: &str| Finding::fault(area, at, what, remedy);
    match reached {
        Reached::Stands => Finding::good(area, at, format!("takes {party}, and lets it hear what is for it")),
        Reached::Answers => {
            Finding::good(area, at, format!("answers; whether it lets {party} in, the running process shows"))
        }
        Reached::Unreachable(_) if it.own => {
            Finding::good(area, at, format!("starts with these files, and does not run yet ({party} needs it)"))
        }
        Reached::NoAddress => fault(
            format!("is no host:port or mqtts://host:port ({party})"),
            "Correct party.brokers, party.validator_brokers or [mesh].",
        ),
        Reached::NoCertificate => fault(
            format!("wants TLS, and {party} has no certificate to show"),
            "Add [party.tls] with certificate, key and authority.",
        ),
        Reached::Unresolved(reason) => worse(another, it, format!("the name resolves to nothing: {reason}"),
            "Is the name right? `getent hosts NAME` says what this machine makes of it; its DNS server may be down, or name the address."),
        Reached::Unreachable(reason) => worse(another, it, format!("can't be reached: {reason}"),
            "Is the broker up (there: `gridpact check`, `systemctl status`), the port right, and does no firewall stand between?"),
        Reached::WrongName => fault(
            format!("its certificate names another host: whether it is the broker meant, {party} can't tell"),
            "Reach it by a name its certificate has, or have one made for this name ([[machine]] host in the plan).",
        ),
        Reached::ForeignAuthority => fault(
            format!("its certificate was signed by another authority than {party} trusts"),
            "Take authority and certificates of the same deployment on both machines. Where it is someone else's broker, \
             take no part: it is not the one meant.",
        ),
        Reached::WrongTime(reason) => fault(
            format!("its certificate does not hold now: {reason}"),
            "Look at this machine's clock; where that is right, the broker needs a new certificate.",
        ),
        Reached::RefusesUs(reason) => fault(
            format!("refuses {party}'s certificate: {reason}"),
            "Is it expired or revoked (see certificates above; the authority's list has the last word), or of another \
             authority than the broker's? `gridpact provision rotate --certificate-only` makes another.",
        ),
        Reached::NoTls(reason) => fault(format!("speaks no TLS that {party} understands: {reason}"),
            "Is this the port for mqtts? Plain listeners are addressed as host:port, without mqtts://."),
        Reached::NoMqtt(reason) => fault(format!("is no MQTT broker that takes {party}: {reason}"),
            "Is this a broker's port, and does it want TLS (mqtts://) or let this party in?"),
        Reached::NoRights(reason) => fault(format!("takes {party}, and does not let it hear what is for it: {reason}"),
            "Its access list lacks this party: docs/TOPICS.md says who may use what; `gridpact provision` makes Mosquitto's."),
    }
}

/// A broker that does not answer is a fault where no other of its list does.
fn worse(another: bool, it: &BrokerFacts, what: String, remedy: &str) -> Finding {
    if another {
        return Finding::warning(
            Area::Broker,
            &it.address,
            format!("{what}; another of {}'s answers", it.party),
            remedy,
        );
    }
    Finding::fault(Area::Broker, &it.address, format!("{what} ({})", it.party), remedy)
}

/// A device.
pub(super) fn device(it: &DeviceFacts) -> Finding {
    let subject = format!("{}: {}", it.site, it.name);
    let (area, kind) = (Area::Devices, &it.kind);
    match &it.answered {
        Answered::Read(what) => Finding::good(area, subject, format!("{kind}: {what}")),
        Answered::NotAsked(why) => Finding::note(area, subject, format!("{kind}: was not asked: {why}")),
        Answered::Unfit(reason) => Finding::fault(area, subject, reason.clone(),
            "`gridpact device templates` lists the products there are, and what each needs."),
        Answered::Silent(reason) => {
            let remedy = "Check its address, unit and power, and that its menu allows Modbus TCP, OCPP or MQTT; many devices \
                          take one connection only. `gridpact device scan HOST` shows what answers there.";
            match it.meter {
                true => Finding::fault(area, subject, format!("{kind}: {reason}; without its meter a site does not bid"), remedy),
                false => Finding::warning(area, subject, format!("{kind}: {reason}; the site bids without it"), remedy),
            }
        }
        Answered::Bad(reason) => Finding::fault(area, subject, format!("{kind}: {reason}"),
            "It answers, and not as this kind does: is it this product, in this mode, with this unit? `gridpact device scan` shows what it is."),
        Answered::Other { says, fitting } => {
            let remedy = match &fitting[..] {
                [] => "No template fits what it says: `gridpact device templates` lists those there are.".to_owned(),
                fitting => format!("Name the template that fits: {}.", fitting.join(" or ")),
            };
            Finding::fault(area, subject, format!("is configured as {kind}, and says that it is {says:?}"), remedy)
        }
    }
}
