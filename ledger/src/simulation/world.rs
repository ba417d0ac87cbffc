//! The market a run is about: the least that makes a ledger, four validators with real keys and one that may
//! come in, and one account that pays another. The same for every seed, so that it is made once for many.

use super::fault::VALIDATORS;
use super::SetupError;
use crate::contracts::rules::Rules;
use crate::execute::{OpenedEntry, Tip};
use crate::genesis::Genesis;
use crate::state::State;
use crate::store::Chain;
use ed25519_dalek::SigningKey;
use market::charges::Charges;
use market::feeder::{Feeder, Line};
use market::interval::Interval;
use market::parameters::MarketParameters;
use market::units::{NanoEur, PicoEurPerWh};
use std::sync::Arc;
use wire::entry::registry::{KeyRotation, Registration};
use wire::entry::{Entry, TransferEntry};
use wire::envelope::Signer;
use wire::hash::Hash32;
use wire::message::Body;
use wire::party::{Id, Participant, PartyId, Role};
use wire::possession::Possession;
use wire::pseudonym::Pseudonym;
use wire::topic::Network;

/// Wall clock at the start of every run, in milliseconds since 1970.
pub const START_MS: u64 = 1_700_000_000_000;
/// The validator that is not of the genesis.
pub const NEWCOMER: usize = VALIDATORS;
/// The validator that may change its key.
pub const ROTATING: usize = 1;
/// Place of the first validator among the parties.
const FIRST_VALIDATOR: usize = 5;
/// Its next key's place among the keys, behind every party's.
const NEXT_KEY: usize = FIRST_VALIDATOR + VALIDATORS + 1;
/// What the paying account begins with, in nano-euro.
const BALANCE: NanoEur = NanoEur(1_000_000_000_000);

/// The simulated market.
#[derive(Debug)]
pub struct World {
    pub genesis: Genesis,
    pub rules: Arc<Rules>,
    /// The validators' signers, in order of validator; behind those of the genesis the newcomer's.
    pub validators: Vec<Arc<Signer>>,
    /// With which the newcomer is admitted.
    pub newcomer: Registration,
    /// With which a validator changes its key.
    pub rotation: KeyRotation,
    /// That validator's signer after it.
    pub rotated: Arc<Signer>,
    /// Who pays.
    pub payer: Arc<Signer>,
    payee: Id,
}

fn participant(signer: &Signer, site: bool) -> Result<Participant, SetupError> {
    let party = signer.party().clone();
    Ok(Participant {
        key: signer.public_key(),
        account: format!("account-{}", party.id).parse()?,
        bus: site.then(|| "home".to_owned()),
        aggregator: if site { Some("aggregator".parse()?) } else { None },
        connection_milliwatt: site.then_some(10_000_000),
        party,
        epoch: Default::default(),
    })
}

/// With which somebody new shows that it holds its key.
fn registration(signer: &Signer, key: &SigningKey) -> Result<Registration, SetupError> {
    let (network, party) = (signer.network(), signer.party());
    Ok(Registration {
        participant: participant(signer, false)?,
        pseudonym: Pseudonym::of(network, party),
        valid_from_ms: 0,
        valid_to_ms: None,
        possession: Possession::prove(key, network, party, 0),
    })
}

fn key(place: usize) -> SigningKey {
    SigningKey::from_bytes(&[place as u8 + 1; 32])
}

fn feeder() -> Feeder {
    Feeder {
        voltage_millivolt: 400_000,
        root: "grid".to_owned(),
        buses: vec!["grid".to_owned(), "home".to_owned()],
        lines: vec![Line {
            id: "line".to_owned(),
            from: "grid".to_owned(),
            to: "home".to_owned(),
            power_max: None,
            power_min: None,
            resistance_microohm: 1_000,
            reactance_microohm: 1_000,
            rating_millivoltampere: None,
        }],
    }
}

impl World {
    /// The simulated market.
    ///
    /// # Errors
    /// Where it makes no ledger, which a change of the ledger's rules could bring about.
    pub fn new() -> Result<Self, SetupError> {
        let network = Network { network: "simulation".parse()?, feeder: "one-line".parse()? };
        let parties = [
            (Role::Dso, "dso".to_owned()),
            (Role::Tso, "tso".to_owned()),
            (Role::Aggregator, "aggregator".to_owned()),
            (Role::Site, "payer".to_owned()),
            (Role::Site, "payee".to_owned()),
        ];
        let validators = (0..=NEWCOMER).map(|place| (Role::Validator, format!("v{place}")));
        let mut signers = Vec::new();
        for (place, (role, name)) in parties.into_iter().chain(validators).enumerate() {
            let party = PartyId::new(role, name.parse()?);
            signers.push(Arc::new(Signer::new(network.clone(), party, key(place), START_MS)));
        }
        let site = |signer: &Signer| signer.party().role == Role::Site;
        let founders = signers[..FIRST_VALIDATOR + VALIDATORS].iter();
        let participants =
            founders.map(|signer| participant(signer, site(signer))).collect::<Result<_, _>>()?;
        let validators = signers.split_off(FIRST_VALIDATOR);
        let newcomer = registration(&validators[NEWCOMER], &key(FIRST_VALIDATOR + NEWCOMER))?;
        let (rotating, next) = (validators[ROTATING].party().clone(), key(NEXT_KEY));
        let rotation = KeyRotation {
            key: Hash32(next.verifying_key().to_bytes()),
            epoch: 1,
            possession: Possession::prove(&next, &network, &rotating, 1),
        };
        let rotated = Arc::new(Signer::new(network.clone(), rotating, next, START_MS).in_epoch(1));
        let [payer, payee] = [3, 4].map(|place| signers[place].clone());
        let genesis = Genesis {
            network,
            feeder: feeder(),
            parameters: MarketParameters {
                interval_s: 900,
                bids_open_s: 600,
                gate_closure_s: 120,
                price_min: PicoEurPerWh(0),
                price_max: PicoEurPerWh(4_000_000_000),
                imbalance_spread: PicoEurPerWh(0),
                aggregator_fee: PicoEurPerWh(0),
                charges: Charges::NONE,
            },
            grid: None,
            day_ahead: None,
            participants,
            balances: vec![("account-payer".parse()?, BALANCE)],
        };
        let rules = Arc::new(Rules::new(&genesis)?);
        let payee = format!("account-{}", payee.party().id).parse()?;
        Ok(Self { genesis, rules, validators, newcomer, rotation, rotated, payer, payee })
    }

    /// The chain before its first block.
    pub fn chain(&self) -> Result<Chain, SetupError> {
        let tip = Tip::genesis(*self.rules.verifier.ledger());
        Ok(Chain { tip, state: State::genesis(&self.genesis)?, rules: self.rules.clone() })
    }

    /// Identity of the ledger.
    pub fn ledger(&self) -> &Hash32 {
        self.rules.verifier.ledger()
    }

    /// Name of a validator.
    pub fn name(&self, validator: usize) -> &Id {
        &self.validators[validator].party().id
    }

    /// The payer's transfer with this nonce.
    pub fn transfer_entry(&self, nonce: u64, amount: i64) -> Entry {
        Entry::Transfer(TransferEntry { to: self.payee.clone(), amount: NanoEur(amount), nonce })
    }

    /// The same, signed.
    pub fn transfer(&self, nonce: u64, amount: i64) -> Result<OpenedEntry, SetupError> {
        self.submit(&self.payer, self.transfer_entry(nonce, amount))
    }

    /// An entry as its submitter signs it.
    pub fn submit(&self, by: &Signer, entry: Entry) -> Result<OpenedEntry, SetupError> {
        let body = Body::Submit(entry.clone());
        let sealed = by.sign(None, Interval::default(), START_MS, START_MS + 60_000, &body)?;
        Ok(OpenedEntry { envelope: sealed.raw, submitter: by.party().clone(), entry, epoch: by.epoch() })
    }

    /// Transfers decided in a state.
    pub fn decided(&self, state: &State) -> u64 {
        let account = self.rules.account_of(self.payer.party());
        account.and_then(|account| state.accounts().get(account)).map_or(0, |account| account.nonce)
    }
}
