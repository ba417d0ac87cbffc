//! Who takes part in a demo, with a fresh key and account for each.

use crate::configuration::key_file::{self, KeyError};
use crate::neighbourhood::Neighbourhood;
use ed25519_dalek::SigningKey;
use market::units::Milliwatt;
use thiserror::Error;
use wire::hash::Hash32;
use wire::party::{Id, Participant, PartyError, PartyId, Role};

/// Aggregators in a demo: competitors, each with every second customer.
pub const AGGREGATORS: usize = 2;
/// Validators in a demo: the least that outvotes one that lies or is dead.
pub const VALIDATORS: usize = 4;

/// One party of a demo.
#[derive(Clone, Debug)]
pub struct Member {
    /// What the genesis says of it.
    pub participant: Participant,
    /// Its private key.
    pub key: SigningKey,
}

/// Why there is no roster.
#[derive(Debug, Error)]
pub enum RosterError {
    /// No key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A name that is none.
    #[error(transparent)]
    Party(#[from] PartyError),
}

/// Where a site is: what other participants don't have.
struct Place {
    bus: String,
    aggregator: Id,
    connection: Milliwatt,
}

/// Everyone: a site for each customer, in their order, then the other roles.
///
/// # Errors
/// Where the operating system gives no randomness.
pub fn draw(neighbourhood: &Neighbourhood) -> Result<Vec<Member>, RosterError> {
    let mut members = Vec::new();
    for (index, customer) in neighbourhood.customers.iter().enumerate() {
        let place = Place {
            bus: neighbourhood.bus_of(customer).to_owned(),
            aggregator: format!("a{}", index % AGGREGATORS + 1).parse()?,
            connection: customer.connection(),
        };
        members.push(member(Role::Site, site_id(customer.number), Some(place))?);
    }
    for number in 1..=AGGREGATORS {
        members.push(member(Role::Aggregator, format!("a{number}"), None)?);
    }
    members.push(member(Role::Dso, "d1".to_owned(), None)?);
    members.push(member(Role::Tso, "t1".to_owned(), None)?);
    for number in 1..=VALIDATORS {
        members.push(member(Role::Validator, format!("v{number}"), None)?);
    }
    members.push(member(Role::Forecaster, "f1".to_owned(), None)?);
    members.push(member(Role::Timekeeper, "k1".to_owned(), None)?);
    Ok(members)
}

/// Identifier of the site of customer `number`.
pub fn site_id(number: usize) -> String {
    format!("c{number:03}")
}

fn member(role: Role, id: String, place: Option<Place>) -> Result<Member, RosterError> {
    let key = key_file::generate()?;
    // A pseudonym says nothing of whose it is; the ledger knows accounts and not names.
    let public = Hash32(key.verifying_key().to_bytes());
    let account = Hash32::of("gridpact/demo-account", &[&public.0]).short();
    let participant = Participant {
        party: PartyId::new(role, id.parse()?),
        key: public,
        account: format!("acct-{account}").parse()?,
        bus: place.as_ref().map(|place| place.bus.clone()),
        aggregator: place.as_ref().map(|place| place.aggregator.clone()),
        connection_milliwatt: place.as_ref().map(|place| place.connection.0),
        epoch: Default::default(),
    };
    Ok(Member { participant, key })
}
