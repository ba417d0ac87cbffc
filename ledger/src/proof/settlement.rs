//! The file with which a site's owner shows that her commitment, price and payment are final, and what
//! checking it says.

use super::chain::{ChainError, ChainProof};
use super::part::{ClearingPart, PartError, ReceiptPart, CLEARING, DAY_AHEAD, DELIVERY};
use crate::block::Header;
use crate::genesis::Genesis;
use crate::receipts::ReceiptLine;
use crate::state::receipt::SettledSite;
use market::interval::Interval;
use market::units::{Millijoule, Millivar, Milliwatt, NanoEur, PicoEurPerWh};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wire::cbor::{self, CborError};
use wire::hash::Hash32;
use wire::party::{Id, PartyId, Role};
use wire::topic::Network;

/// Largest proof taken: changes of many validators among them.
pub const MAX_PROOF_BYTES: usize = 8 << 20;
/// What a proof's file begins by saying it is.
const FORMAT: &str = "gridpact settlement proof 1";

/// Proof that one site's commitment, price and payment in one interval are final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettlementProof {
    format: String,
    chain: ChainProof,
    interval: Interval,
    account: Id,
    clearing: ClearingPart,
    ahead: Option<ClearingPart>,
    delivery: ReceiptPart,
}

/// What a proof proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProvenSettlement {
    /// Identity of the ledger: its genesis's hash.
    pub ledger: Hash32,
    /// Its market.
    pub network: Network,
    /// The account it is about.
    pub account: Id,
    /// The site that has the account, where the genesis names it.
    pub site: Option<Id>,
    /// The interval.
    pub interval: Interval,
    /// The site's aggregator.
    pub aggregator: Id,
    /// Name of its bus.
    pub bus: String,
    /// Price at its bus in real time.
    pub price: PicoEurPerWh,
    /// Price at its bus a day ahead, where the aggregator traded then.
    pub price_ahead: Option<PicoEurPerWh>,
    /// What it was committed to in real time; import positive.
    pub commitment: Milliwatt,
    /// Whether the commitment was proven under the root signed before the interval; not where it had no bid.
    pub commitment_signed_before: bool,
    /// What it had bought a day ahead; negative: sold.
    pub position: Milliwatt,
    /// Reactive power it was committed to; absorbed positive.
    pub reactive: Millivar,
    /// What its meter read; none where it read nothing.
    pub energy: Option<Millijoule>,
    /// What it received; negative where it paid.
    pub amount: NanoEur,
    /// Block of the clearing.
    pub cleared: ProvenBlock,
    /// Block of the settlement.
    pub settled: ProvenBlock,
    /// The head that certifies both.
    pub head: ProvenBlock,
    /// Validators that voted for the head.
    pub votes: usize,
    /// Validators there were.
    pub validators: usize,
    /// Changes of validators on the way from the genesis.
    pub changes: usize,
}

/// One block, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ProvenBlock {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: Hash32,
    /// Its time in milliseconds since 1970, by its proposer's clock.
    pub time_ms: u64,
}

impl ProvenBlock {
    /// The block with this header.
    pub(super) fn of(header: &Header) -> Self {
        Self { height: header.height, hash: header.hash(), time_ms: header.time_ms }
    }
}

/// Why bytes are no proof, or a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SettlementProofError {
    /// No deterministic encoding of a proof.
    #[error("it is no proof of a settlement: {0}")]
    Cbor(#[from] CborError),
    /// Another kind of file.
    #[error("it is no proof of a settlement, but {format:?}")]
    Format {
        /// What it says it is.
        format: String,
    },
    /// The head is not certified.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Something is not where it is said to be.
    #[error(transparent)]
    Part(#[from] PartError),
    /// Parts that do not belong together.
    #[error("its parts do not belong together: {reason}")]
    Apart {
        /// What is wrong.
        reason: &'static str,
    },
}

impl SettlementProof {
    /// A proof from its parts, which are not checked.
    pub(super) fn new(
        chain: ChainProof,
        (interval, account): (Interval, Id),
        (clearing, ahead): (ClearingPart, Option<ClearingPart>),
        delivery: ReceiptPart,
    ) -> Self {
        Self { format: FORMAT.to_owned(), chain, interval, account, clearing, ahead, delivery }
    }

    /// The deterministic encoding: what stands in the file.
    ///
    /// # Errors
    /// Where there is none.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::to_vec(self)
    }

    /// A proof from bytes of unknown origin. Says nothing yet about what it proves.
    ///
    /// # Errors
    /// Names what is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Self, SettlementProofError> {
        let proof: Self = cbor::from_slice(bytes, MAX_PROOF_BYTES)?;
        match proof.format == FORMAT {
            true => Ok(proof),
            false => Err(SettlementProofError::Format { format: proof.format.chars().take(60).collect() }),
        }
    }

    /// The way to the head that certifies it.
    pub fn chain(&self) -> &ChainProof {
        &self.chain
    }

    /// Checks the proof from nothing but the genesis.
    ///
    /// # Errors
    /// Names the first thing that does not hold.
    pub fn check(&self, genesis: &Genesis) -> Result<ProvenSettlement, SettlementProofError> {
        let (votes, roster) = self.chain.verify(genesis)?;
        let Self { chain, interval, account, clearing, ahead, delivery, .. } = self;
        let head = &chain.head.header;
        delivery.check(head, DELIVERY, *interval)?;
        let (amount, settled) = self.payment()?;
        let submitter = &delivery.receipt.submitter;
        let apart = |reason| SettlementProofError::Apart { reason };
        if submitter.role != Role::Aggregator {
            return Err(apart("the delivery is by no aggregator"));
        }
        let of_site = (account, settled.bus, &submitter.id);
        clearing.check(head, (CLEARING, *interval), of_site)?;
        if let Some(ahead) = ahead {
            ahead.check(head, (DAY_AHEAD, *interval), of_site)?;
        }
        check_powers(&settled, clearing, ahead.as_ref()).map_err(apart)?;
        let bus = genesis.feeder.buses.get(settled.bus as usize);
        let site = genesis.participants.iter().find(|p| p.account == *account && is_site(&p.party));
        Ok(ProvenSettlement {
            ledger: chain.ledger,
            network: genesis.network.clone(),
            account: account.clone(),
            site: site.map(|participant| participant.party.id.clone()),
            interval: *interval,
            aggregator: submitter.id.clone(),
            bus: bus.cloned().ok_or_else(|| apart("the bus is not on the feeder"))?,
            price: clearing.price.price,
            price_ahead: ahead.as_ref().map(|ahead| ahead.price.price),
            commitment: settled.commitment,
            commitment_signed_before: clearing.allocation.is_some(),
            position: settled.position,
            reactive: settled.reactive,
            energy: settled.energy,
            amount,
            cleared: ProvenBlock::of(&clearing.receipt.block.header),
            settled: ProvenBlock::of(&delivery.block.header),
            head: ProvenBlock::of(head),
            votes,
            validators: roster.0.len(),
            changes: chain.changes.len(),
        })
    }

    /// The one line of the delivery that is shown: the account's.
    fn payment(&self) -> Result<(NanoEur, SettledSite), PartError> {
        match &self.delivery.lines[..] {
            [part] => match &part.line {
                ReceiptLine::Payment { account, amount, settled: Some(settled) }
                    if *account == self.account =>
                {
                    Ok((*amount, *settled))
                }
                _ => Err(PartError::Lines { height: self.delivery.block.header.height }),
            },
            _ => Err(PartError::Lines { height: self.delivery.block.header.height }),
        }
    }
}

fn is_site(party: &PartyId) -> bool {
    party.role == Role::Site
}

/// What was settled must be what was allocated; where nothing is shown to be allocated, nothing.
fn check_powers(
    settled: &SettledSite,
    clearing: &ClearingPart,
    ahead: Option<&ClearingPart>,
) -> Result<(), &'static str> {
    let committed = clearing.allocation.as_ref().map_or_else(Default::default, |a| (a.power, a.reactive));
    if committed != (settled.commitment, settled.reactive) {
        return Err("the commitment settled is not the one allocated");
    }
    let held = ahead.and_then(|ahead| ahead.allocation.as_ref()).map_or(Milliwatt::ZERO, |a| a.power);
    if held != settled.position {
        return Err("the position settled is not the one allocated a day ahead");
    }
    Ok(())
}
