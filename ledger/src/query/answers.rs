//! Answers, as they are written in JSON. Hashes are hexadecimal, times RFC 3339 in UTC, amounts integers with
//! their units in the names.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
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

/// What is on the ledger against validators and DSOs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Evidence {
    /// Every validator that contradicted itself, as far as recorded, for good.
    pub validators: Vec<Liar>,
    /// The proofs of it, in order of block, as far as blocks are kept.
    pub contradictions: Vec<Contradiction>,
    /// Every DSO that signed two clearings where it may sign one, as far as recorded, for good.
    pub dsos: Vec<DoubleClearer>,
    /// The proofs of it, likewise.
    pub double_clearings: Vec<DoubleClearing>,
    /// The height to ask from for proofs of either kind that did not fit this answer.
    pub next_from: Option<u64>,
    /// And the entry there to ask from.
    pub next_entry: Option<usize>,
}

/// A validator that contradicted itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Liar {
    /// Who.
    pub validator: String,
    /// How often, as far as recorded.
    pub contradictions: u64,
    /// Height of the first contradiction.
    pub first_height: u64,
    /// Height of the last.
    pub last_height: u64,
}

/// Proof that a validator signed two different things where it may sign one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Contradiction {
    /// Height of the block that records it.
    pub height: u64,
    /// The entry's place in the block, from 0.
    pub entry: usize,
    /// Who handed it in.
    pub submitter: String,
    /// Who contradicted itself.
    pub validator: String,
    /// Height of the blocks that were signed.
    pub about_height: u64,
    /// Round in which they were.
    pub round: u32,
    /// `proposal`, `prevote` or `precommit`.
    pub kind: String,
    /// Both things.
    pub signed: Vec<Signed>,
}

/// One thing that a validator signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Signed {
    /// Hash of the block; none in a vote for no block.
    pub block: Option<String>,
    /// In a proposal: the earlier round in which two thirds voted for the block, where there was one.
    pub polka_round: Option<u32>,
    /// The signature (Ed25519).
    pub signature: String,
}

/// A DSO that signed two clearings where it may sign one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DoubleClearer {
    /// Who.
    pub dso: String,
    /// How often, as far as recorded.
    pub times: u64,
    /// Start of the first interval of which it did, by its time.
    pub first_interval_start: String,
    /// Start of the last.
    pub last_interval_start: String,
}

/// Proof that a DSO signed two different clearings, or awards, where it may sign one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DoubleClearing {
    /// Height of the block that records it.
    pub height: u64,
    /// The entry's place in the block, from 0.
    pub entry: usize,
    /// Who handed it in.
    pub submitter: String,
    /// Who signed both.
    pub dso: String,
    /// `clearing`, `day-ahead`, `award` or `day-ahead-award`.
    pub kind: String,
    /// Start of the interval that both are about, or of a session's first.
    pub interval_start: String,
    /// Both things as they were signed.
    pub signed: Vec<Envelope>,
}

/// A signed message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Envelope {
    /// Topic that its signature covers.
    pub topic: String,
    /// The signed envelope (COSE_Sign1), in base64url.
    pub envelope: String,
}

/// What holds for everyone, what is voted on, and what was decided.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Governance {
    /// The block after which this is so.
    pub height: u64,
    /// Hash over all that is governed, which headers name.
    pub governed: String,
    /// The market's figures, as in the genesis.
    pub parameters: Value,
    /// What a market that knows its grid goes by, as in the genesis; none where it does not.
    pub grid: Option<Value>,
    /// When day-ahead sessions are, as in the genesis; none where there are none.
    pub day_ahead: Option<Value>,
    /// Version of each contract; 0 where it is switched off.
    pub contract_versions: BTreeMap<String, u32>,
    /// Whose votes decide on blocks.
    pub validators: Vec<ValidatorKey>,
    /// Proposals that wait for their height, in the order they were made.
    pub open: Vec<Proposed>,
    /// What became of the last proposals.
    pub decided: Vec<Decided>,
}

/// A validator and its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ValidatorKey {
    /// Its name.
    pub validator: String,
    /// Its public key (Ed25519).
    pub key: String,
}

/// A proposal that is voted on.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Proposed {
    /// Its identity, which votes name.
    pub proposal: String,
    /// Who made it.
    pub by: String,
    /// The first block that goes by it, if enough vote for it before.
    pub at_height: u64,
    /// What it would change.
    pub change: Value,
    /// Validators' votes so far: whether for it.
    pub votes: BTreeMap<String, bool>,
}

/// What became of a proposal.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Decided {
    /// Its identity.
    pub proposal: String,
    /// The height it named: the first block that goes by it, where it was applied.
    pub at_height: u64,
    /// Validators for it.
    pub approvals: u32,
    /// Validators there were.
    pub validators: u32,
    /// `applied`; `lapsed`, where too few had voted for it; `unfit`, where enough had and it did not fit any more.
    pub result: String,
    /// What did not fit.
    pub reason: Option<String>,
    /// Who made it; none where the block is not kept.
    pub by: Option<String>,
    /// Height of the block in which it was made; likewise.
    pub proposed_height: Option<u64>,
    /// What it changes; likewise.
    pub change: Option<Value>,
}
