//! Entries signed in advance: each site pays the next one, one smallest unit at a time, in the order of its
//! nonces.

use super::layout::{self, Layout};
use super::ClusterError;
use market::interval::Interval;
use market::units::NanoEur;
use wire::entry::{Entry, SignedEnvelope, TransferEntry};
use wire::envelope::Signer;
use wire::message::Body;
use wire::party::Id;

/// How long an entry is worth taking, in milliseconds: longer than any measurement.
const VALID_MS: u64 = 3_600_000;

/// The sites of a layout, each with the nonce it is at.
pub struct Submitters {
    signers: Vec<Signer>,
    accounts: Vec<Id>,
    made: usize,
}

impl Submitters {
    /// Every site of the layout, none of which has paid anything yet. `boot_ms` is the time by wall
    /// clock.
    ///
    /// # Errors
    /// None for a layout of ours.
    pub fn new(layout: &Layout, boot_ms: u64) -> Result<Submitters, ClusterError> {
        let genesis = &layout.genesis;
        let (mut signers, mut accounts) = (Vec::new(), Vec::new());
        for number in 0..genesis.participants.len() {
            let party = layout::site(number)?;
            let Some(known) = genesis.participants.iter().find(|known| known.party == party) else { break };
            accounts.push(known.account.clone());
            let key = layout::key_of(&party);
            signers.push(Signer::new(genesis.network.clone(), party, key, boot_ms));
        }
        Ok(Submitters { signers, accounts, made: 0 })
    }

    /// The next entries, the sites taking turns.
    ///
    /// # Errors
    /// Where one can't be signed.
    pub fn sign(&mut self, count: usize, now_ms: u64) -> Result<Vec<SignedEnvelope>, ClusterError> {
        (0..count).map(|_| self.next(now_ms)).collect()
    }

    fn next(&mut self, now_ms: u64) -> Result<SignedEnvelope, ClusterError> {
        let sites = self.signers.len();
        let (site, nonce) = (self.made % sites, self.made / sites);
        let to = self.accounts[(site + 1) % sites].clone();
        let transfer = TransferEntry { to, amount: NanoEur(1), nonce: nonce as u64 };
        let body = Body::Submit(Entry::Transfer(transfer));
        let sealed = self.signers[site].sign(None, Interval::default(), now_ms, now_ms + VALID_MS, &body)?;
        self.made += 1;
        Ok(sealed.raw)
    }
}
