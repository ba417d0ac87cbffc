//! The genesis of a deployment: made once. Later plans must not ask for another one: what it says changes by vote.

use super::check::Sound;
use super::error::ProvisionError;
use super::plan::{Member, Part};
use ledger::genesis::Genesis;
use market::units::{Milliwatt, NanoEur};
use toml::Spanned;
use wire::hash::Hash32;
use wire::party::{Id, KeyEpoch, Participant};

const NANO_PER_EUR: i64 = 1_000_000_000;

/// What genesis or ledger know of a participant with its first key.
pub fn participant(member: &Member<'_>, key: Hash32, account: Id) -> Participant {
    let site = match member.part {
        Part::Site(site) => Some(site),
        _ => None,
    };
    Participant {
        party: member.party(),
        key,
        account,
        bus: site.map(|site| site.bus.get_ref().clone()),
        aggregator: site.map(|site| site.aggregator.get_ref().clone()),
        connection_milliwatt: site
            .and_then(|site| Milliwatt::from_kw(*site.connection_kw.get_ref()))
            .map(|most| most.0),
        epoch: KeyEpoch::default(),
    }
}

/// A new genesis.
///
/// # Errors
/// Where it can't start a ledger, naming where the plan says so.
pub fn build(sound: &Sound, participants: Vec<Participant>) -> Result<Genesis, ProvisionError> {
    let plan = &sound.plan;
    let balance = NanoEur(i64::from(*plan.first_balance_eur.get_ref()) * NANO_PER_EUR);
    let genesis = Genesis {
        network: plan.market.clone(),
        feeder: plan.feeder.get_ref().clone(),
        parameters: *plan.parameters.get_ref(),
        grid: plan.grid.as_ref().map(|grid| grid.get_ref().clone()),
        day_ahead: plan.day_ahead.as_ref().map(|rules| *rules.get_ref()),
        balances: participants.iter().map(|known| (known.account.clone(), balance)).collect(),
        participants,
    };
    genesis.validate().map_err(|error| match (&plan.grid, &plan.day_ahead) {
        (_, Some(rules)) => sound.wrong(rules, "day_ahead", error),
        (Some(rules), None) => sound.wrong(rules, "grid", error),
        _ => sound.wrong(&plan.feeder, "feeder", error),
    })?;
    Ok(genesis)
}

/// Looks whether the plan asks for the genesis that there is.
///
/// # Errors
/// Names what differs.
pub fn held(sound: &Sound, genesis: &Genesis) -> Result<(), ProvisionError> {
    let plan = &sound.plan;
    if *plan.feeder.get_ref() != genesis.feeder {
        return Err(sound.differs(&plan.feeder, "feeder"));
    }
    if plan.market != genesis.network {
        return Err(sound.differs(&Spanned::new(0..0, ()), "market"));
    }
    if *plan.parameters.get_ref() != genesis.parameters {
        return Err(sound.differs(&plan.parameters, "parameters"));
    }
    if plan.grid.as_ref().map(Spanned::get_ref) != genesis.grid.as_ref() {
        let place = plan.grid.as_ref().map_or(0..0, Spanned::span);
        return Err(sound.differs(&Spanned::new(place, ()), "grid"));
    }
    if plan.day_ahead.as_ref().map(Spanned::get_ref) != genesis.day_ahead.as_ref() {
        let place = plan.day_ahead.as_ref().map_or(0..0, Spanned::span);
        return Err(sound.differs(&Spanned::new(place, ()), "day_ahead"));
    }
    for member in plan.members() {
        let known = genesis.participants.iter().find(|known| known.party == member.party());
        let (Some(known), Part::Site(site)) = (known, member.part) else { continue };
        let asked = participant(&member, known.key, known.account.clone());
        if asked.bus != known.bus {
            return Err(sound.differs(&site.bus, "site.bus"));
        }
        if asked.aggregator != known.aggregator {
            return Err(sound.differs(&site.aggregator, "site.aggregator"));
        }
        if asked.connection_milliwatt != known.connection_milliwatt {
            return Err(sound.differs(&site.connection_kw, "site.connection_kw"));
        }
    }
    Ok(())
}
