//! A small feeder, everyone on it, and their keys.

use ed25519_dalek::SigningKey;
use ledger::genesis::Genesis;
use market::charges::Charges;
use market::feeder::{Feeder, Line};
use market::grid::rules::{GridRules, VoltageLimits};
use market::interval::{Interval, UnixSeconds};
use market::parameters::MarketParameters;
use market::supply::SupplyCurve;
use market::units::{MicroEurPerTonne, MicrogramPerWh, Millivar, Milliwatt, NanoEur, PicoEurPerWh};
use wire::entry::registry::Registration;
use wire::entry::{ClearingEntry, Entry, SignedEnvelope};
use wire::envelope::Signer;
use wire::hash::Hash32;
use wire::message::{Body, Supply};
use wire::party::{Participant, PartyId, Role};
use wire::possession::Possession;
use wire::pseudonym::Pseudonym;
use wire::topic::Network;

pub const CONNECTION: Milliwatt = Milliwatt(10_000_000);
pub const FIRST: Interval = Interval(UnixSeconds(1_800_000));

/// How the feeder is made and who lives on it.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Sites of each of the two aggregators.
    pub sites_each: usize,
    /// Limit of the line to bus b2 either way; none for no limit.
    pub line_limit: Option<Milliwatt>,
    /// Whether the market knows its grid.
    pub grid: bool,
}

pub fn party(role: Role, id: &str) -> PartyId {
    PartyId::new(role, id.parse().unwrap())
}

pub fn network() -> Network {
    Network { network: "net".parse().unwrap(), feeder: "f1".parse().unwrap() }
}

pub fn parameters() -> MarketParameters {
    MarketParameters {
        interval_s: 900,
        bids_open_s: 600,
        gate_closure_s: 120,
        price_min: PicoEurPerWh(-500_000_000),
        price_max: PicoEurPerWh(4_000_000_000),
        imbalance_spread: PicoEurPerWh(20_000_000),
        aggregator_fee: PicoEurPerWh(1_000_000),
        charges: Charges::NONE,
    }
}

/// Voltage within 3 %, losses at 50 EUR/MWh, some reactive power at b3.
pub fn grid_rules() -> GridRules {
    GridRules {
        root_voltage_micro_pu: 1_000_000,
        voltage: VoltageLimits { min_micro_pu: Some(970_000), max_micro_pu: Some(1_030_000) },
        voltage_at: [("b1".to_owned(), VoltageLimits::default())].into(),
        loading_max_percent: None,
        loss_price: PicoEurPerWh(50_000_000),
        voltage_deviation_micro_eur_per_h: 0,
        reactive: [("b3".to_owned(), Millivar(2_000_000))].into(),
        reactive_full_price: Some(PicoEurPerWh(2_000_000)),
        carbon_price: Some(MicroEurPerTonne(50_000_000)),
    }
}

fn key(party: &PartyId) -> SigningKey {
    SigningKey::from_bytes(&Hash32::of("test key", &[party.to_string().as_bytes()]).0)
}

pub fn signer(party: &PartyId) -> Signer {
    Signer::new(network(), party.clone(), key(party), 1)
}

fn line(id: &str, from: &str, to: &str, limit: Option<Milliwatt>) -> Line {
    Line {
        id: id.to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        power_max: limit,
        power_min: limit.map(|l| -l),
        resistance_microohm: 100_000,
        reactance_microohm: 80_000,
        rating_millivoltampere: None,
    }
}

fn participant(party: PartyId) -> Participant {
    let account = format!("acc-{}-{}", party.role.word(), party.id);
    Participant {
        key: Hash32(key(&party).verifying_key().to_bytes()),
        account: account.parse().unwrap(),
        party,
        bus: None,
        aggregator: None,
        connection_milliwatt: None,
        epoch: Default::default(),
    }
}

/// A site at b3 with aggregator a1, to be registered.
pub fn registration(site: &PartyId) -> Registration {
    Registration {
        participant: Participant {
            bus: Some("b3".to_owned()),
            aggregator: Some("a1".parse().unwrap()),
            connection_milliwatt: Some(CONNECTION.0),
            ..participant(site.clone())
        },
        pseudonym: Pseudonym::of(&network(), site),
        valid_from_ms: 0,
        valid_to_ms: None,
        possession: Possession::prove(&key(site), &network(), site, 0),
    }
}

/// Sites s00, s01, ... take turns at buses b2 and b3, and at aggregators a1 and a2.
pub fn genesis(plan: Plan) -> Genesis {
    let mut participants: Vec<Participant> = [
        (Role::Dso, "d"),
        (Role::Tso, "t"),
        (Role::Timekeeper, "k"),
        (Role::Aggregator, "a1"),
        (Role::Aggregator, "a2"),
        (Role::Validator, "v1"),
        (Role::Validator, "v2"),
        (Role::Validator, "v3"),
        (Role::Validator, "v4"),
    ]
    .into_iter()
    .map(|(role, id)| participant(party(role, id)))
    .collect();
    for site in 0..2 * plan.sites_each {
        participants.push(Participant {
            bus: Some(if site / 2 % 2 == 0 { "b2" } else { "b3" }.to_owned()),
            aggregator: Some(if site % 2 == 0 { "a1" } else { "a2" }.parse().unwrap()),
            connection_milliwatt: Some(CONNECTION.0),
            ..participant(party(Role::Site, &format!("s{site:02}")))
        });
    }
    let balances = participants.iter().map(|p| (p.account.clone(), NanoEur(1_000_000_000_000))).collect();
    let genesis = Genesis {
        network: network(),
        feeder: Feeder {
            voltage_millivolt: 400_000,
            root: "b0".to_owned(),
            buses: ["b0", "b1", "b2", "b3"].map(str::to_owned).to_vec(),
            lines: vec![
                line("transformer", "b0", "b1", None),
                line("line2", "b1", "b2", plan.line_limit),
                line("line3", "b1", "b3", None),
            ],
        },
        parameters: parameters(),
        grid: plan.grid.then(grid_rules),
        day_ahead: None,
        participants,
        balances,
    };
    genesis.validate().unwrap();
    genesis
}

/// What import costs: any amount at one price.
pub fn supply(interval: Interval, price: i64) -> Body {
    let bound = Milliwatt(1_000_000_000);
    let curve = SupplyCurve::flat(PicoEurPerWh(price), -bound, bound).unwrap();
    Body::Supply(Supply { interval, curve, emission: MicrogramPerWh::ZERO })
}

/// A clearing at one price, whose evidence is not what is tested.
pub fn clearing(interval: Interval, price: PicoEurPerWh) -> Entry {
    let nothing = SignedEnvelope { topic: String::new(), bytes: Vec::new().into() };
    Entry::Clearing(ClearingEntry {
        interval,
        rounds: 1,
        grid: None,
        import: Milliwatt::ZERO,
        prices: vec![price; 4],
        flows: vec![Milliwatt::ZERO; 3],
        supply: nothing,
        demands: Vec::new(),
    })
}
