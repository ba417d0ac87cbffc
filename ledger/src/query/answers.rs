//! Answers, as they are written in JSON. Hashes are hexadecimal, times RFC 3339 in UTC, amounts integers with
//! their units in the names.

use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// A block's header with the votes that made it final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Head {
    /// The block's height.
    pub height: u64,
    /// Its hash.
    pub block: String,
    /// Hash of the block before.
    pub previous: String,
    /// Its time by its proposer's clock.
    pub time: String,
    /// Merkle root over its entries.
    pub entries_root: String,
    /// Hash of the state after it.
    pub state: String,
    /// The validator that built it.
    pub proposer: String,
    /// How many entries it holds.
    pub entries: usize,
    /// Round in which it was decided.
    pub round: u32,
    /// Who voted for it.
    pub voters: Vec<String>,
}

/// Where the chain stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Status {
    /// Identity of the ledger: what access tokens are for.
    pub ledger: String,
    /// Height of the last block; 0 before the first.
    pub height: u64,
    /// Its hash.
    pub block: String,
    /// Its time.
    pub time: String,
    /// The validators, in order.
    pub validators: Vec<String>,
    /// Length of an interval, in seconds.
    pub interval_s: i64,
    /// Price of energy at each bus in the latest interval that was cleared.
    pub latest_prices: Option<Prices>,
}

/// What energy cost in one interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Prices {
    /// Start of the interval.
    pub interval_start: String,
    /// Price at each bus, in 10^-12 EUR/Wh (a million of them is 1 EUR/MWh).
    pub price_pico_eur_per_wh: BTreeMap<String, i64>,
    /// What the carbon price added to the import's, in the same unit; none where the interval is so long ago that
    /// the state has forgotten it.
    pub carbon_adder_pico_eur_per_wh: Option<i64>,
}

/// How one interval was cleared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Clearing {
    /// Its prices.
    #[serde(flatten)]
    pub prices: Prices,
    /// Height of the block that made it final.
    pub height: u64,
    /// The entry's place in the block, from 0.
    pub entry: usize,
    /// Rounds of questions and answers it took.
    pub rounds: u32,
    /// Net import at the grid supply point, in mW.
    pub import_milliwatt: i64,
    /// Power on each line, in mW, in the direction from its first bus to its second.
    pub flow_milliwatt: BTreeMap<String, i64>,
    /// What each aggregator was allocated, in mW: import, and export as a positive number.
    pub awards: Vec<Award>,
}

/// What one aggregator was allocated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Award {
    /// The aggregator.
    pub aggregator: String,
    /// Sum of what its sites import, in mW.
    pub import_milliwatt: i64,
    /// Sum of what its sites export, in mW.
    pub export_milliwatt: i64,
}

/// One site's commitment, delivery and payment in one interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Commitment {
    /// Start of the interval.
    pub interval_start: String,
    /// The site's account.
    pub account: String,
    /// What it was committed to, in mW; import positive.
    pub commitment_milliwatt: i64,
    /// What its meter counted, in mJ; none where no reading came in time.
    pub energy_millijoule: Option<i64>,
    /// What its account received in settlement, in 10^-9 EUR; negative where it paid.
    pub payment_nano_eur: Option<i64>,
    /// Height of the block that settled it.
    pub height: u64,
    /// The entry's place in the block, from 0.
    pub entry: usize,
}

/// What an account holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Balance {
    /// The account.
    pub account: String,
    /// What it holds, in 10^-9 EUR; negative: what is owed.
    pub balance_nano_eur: i64,
    /// Transfers made from it so far: the next one's nonce.
    pub nonce: u64,
    /// The block after which this is so.
    pub height: u64,
}

/// One entry of a block, as it was signed and what it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Entry {
    /// Height of its block.
    pub height: u64,
    /// Its place in the block, from 0.
    pub entry: usize,
    /// Who submitted it.
    pub submitter: String,
    /// Its kind.
    pub kind: String,
    /// Topic that its signature covers.
    pub topic: String,
    /// The signed envelope (COSE_Sign1), in base64url.
    pub envelope: String,
    /// What each account received, in 10^-9 EUR; negative: paid.
    pub payment_nano_eur: BTreeMap<String, i64>,
}

/// A block with its entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Block {
    /// Its header and votes.
    #[serde(flatten)]
    pub head: Head,
    /// What it holds.
    pub contents: Vec<Entry>,
}

/// One who takes part, or once did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Participant {
    /// Role and name.
    pub party: String,
    /// What the operator's own table knows it by.
    pub pseudonym: String,
    /// Its public key (Ed25519).
    pub key: String,
    /// Its account.
    pub account: String,
    /// The bus it is connected to, where it is a site.
    pub bus: Option<String>,
    /// The aggregator that bids for it, where it is a site.
    pub aggregator: Option<String>,
    /// From when it takes part.
    pub valid_from: String,
    /// Until when; none where that is open.
    pub valid_to: Option<String>,
    /// When its registration was taken back.
    pub revoked: Option<String>,
}
