//! What is said in a round, signed once: a bid by each site, its answer, a firm price to each, and its answer. Bare clients
//! move these bytes; links sign their own, of the same length.

use super::MessagingError;
use ed25519_dalek::SigningKey;
use market::curve::{Breakpoint, FlexCurve};
use market::interval::Interval;
use market::units::{Millivar, Milliwatt, PicoEurPerWh};
use serde_bytes::ByteBuf;
use std::sync::Arc;
use wire::entry::SignedEnvelope;
use wire::envelope::Signer;
use wire::hash::Hash32;
use wire::message::{Ack, Bid, BidPath, Body, BusAward, Firm, MerkleSumPath, PathStep, Verdict};
use wire::party::{Participant, PartyError, PartyId, Registry, Role};
use wire::topic::Network;

/// Steps of a bid's curve.
const CORNERS: i64 = 8;
/// Siblings on a firm price's paths: ten for a thousand sites.
const STEPS: usize = 10;
/// Bytes of a firm price's proof of finality: a header and three votes, with its entry's path.
const FINALITY_BYTES: usize = 1_500;
/// How long letters hold.
const VALID_MS: u64 = 12 * 3_600_000;

/// One site's part of a round.
#[derive(Clone, Debug)]
pub struct SitesLetters {
    /// Its bid.
    pub bid: Arc<SignedEnvelope>,
    /// The aggregator's answer.
    pub bid_answer: Arc<SignedEnvelope>,
    /// The firm price.
    pub firm: Arc<SignedEnvelope>,
    /// The site's answer.
    pub firm_answer: Arc<SignedEnvelope>,
}

/// Everyone, and what they say.
pub struct Letters {
    /// The market of those who have links.
    pub network: Network,
    /// The letters' own, so that neither hears the other's; its name is as long.
    pub bare: Network,
    /// Everyone's keys.
    pub registry: Arc<Registry>,
    /// The aggregator.
    pub aggregator: PartyId,
    /// Sites with their letters.
    pub sites: Vec<(PartyId, SitesLetters)>,
}

/// A party's key: the same in every run, and nobody's outside.
pub fn key_of(party: &PartyId) -> SigningKey {
    SigningKey::from_bytes(&Hash32::of("gridpact bench key", &[party.to_string().as_bytes()]).0)
}

/// A bid.
///
/// # Errors
/// None: its steps fall.
pub fn bid() -> Result<Body, MessagingError> {
    let corner = |n: i64| Breakpoint {
        price: PicoEurPerWh(40_000_000 + n * 15_000_000),
        power: Milliwatt(3_000_000 - n * 600_000),
    };
    Ok(Body::Bid(Bid {
        interval: Interval::default(),
        curve: FlexCurve::new((0..CORNERS).map(corner).collect())?,
        forward: true,
        reading: None,
        reactive_range: Millivar::ZERO,
    }))
}

/// A firm price with paths as long as a thousand sites make them.
pub fn firm() -> Body {
    let step = PathStep {
        left: true,
        hash: Hash32([7; 32]),
        import: Milliwatt(1_234_567_890),
        export: Milliwatt(987_654_321),
    };
    Body::Firm(Box::new(Firm {
        interval: Interval::default(),
        bus: BusAward {
            bus: "street".to_owned(),
            price: PicoEurPerWh(81_234_567),
            range: Default::default(),
            allocation: Milliwatt(1_500_000_000),
        },
        parts: None,
        allocation: Milliwatt(1_500_000),
        reactive: None,
        path: MerkleSumPath { salt: Hash32([9; 32]), steps: vec![step; STEPS] },
        bid_path: BidPath { place: 500, count: 1_000, siblings: vec![Hash32([5; 32]); STEPS] },
        finality: ByteBuf::from(vec![0x5a; FINALITY_BYTES]),
    }))
}

impl Letters {
    /// Letters of so many sites.
    ///
    /// # Errors
    /// Where one can't be signed.
    pub fn write(sites: usize) -> Result<Letters, MessagingError> {
        let named = |role: Role, id: String| Ok::<_, PartyError>(PartyId::new(role, id.parse()?));
        let network =
            |name: &str| Ok::<_, PartyError>(Network { network: name.parse()?, feeder: "street".parse()? });
        let (network, bare) = (network("bench")?, network("plain")?);
        let aggregator = named(Role::Aggregator, "a1".to_owned())?;
        let parties = (0..sites).map(|number| named(Role::Site, format!("s{number}")));
        let parties = parties.collect::<Result<Vec<_>, _>>()?;
        let registry = parties.iter().chain([&aggregator]).map(|party| (party.clone(), participant(party)));
        let registry = Arc::new(registry.collect());
        let now = crate::clock::wall_ms();
        let times = (now, now + VALID_MS);
        let sums = Signer::new(bare.clone(), aggregator.clone(), key_of(&aggregator), 1);
        let (bid, firm) = (bid()?, firm());
        let mut written = Vec::with_capacity(sites);
        for site in parties {
            let signer = Signer::new(bare.clone(), site.clone(), key_of(&site), 1);
            let said = |by: &Signer, to: &PartyId, body: &Body| {
                by.sign(Some(to.clone()), Interval::default(), times.0, times.1, body)
            };
            let bid = said(&signer, &aggregator, &bid)?;
            let firm = said(&sums, &site, &firm)?;
            let answer = |of| Body::Ack(Ack { of, verdict: Verdict::Accepted });
            let letters = SitesLetters {
                bid_answer: Arc::new(said(&sums, &site, &answer(bid.id.clone()))?.raw),
                firm_answer: Arc::new(said(&signer, &aggregator, &answer(firm.id.clone()))?.raw),
                bid: Arc::new(bid.raw),
                firm: Arc::new(firm.raw),
            };
            written.push((site, letters));
        }
        Ok(Letters { network, bare, registry, aggregator, sites: written })
    }
}

fn participant(party: &PartyId) -> Participant {
    Participant {
        party: party.clone(),
        key: Hash32(key_of(party).verifying_key().to_bytes()),
        account: party.id.clone(),
        bus: None,
        aggregator: None,
        connection_milliwatt: None,
        epoch: Default::default(),
    }
}
