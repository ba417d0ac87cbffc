//! Validators change, and a proof still leads from the genesis to a head that others certify.

use crate::world::{party, transfer, World};
use ledger::block::vote::{Vote, VoteCertificate, VoteKind};
use ledger::block::Header;
use ledger::governed::roster::Roster;
use ledger::proof::chain::{CertifiedHead, ChainError, ChainProof, RosterChange};
use wire::party::{PartyId, Role};

struct Heads {
    world: World,
    header: Header,
    /// Of the genesis.
    first: Roster,
    /// Two of the four.
    second: Roster,
}

impl Heads {
    fn new() -> Self {
        let world = World::new(4);
        let paid = world.opened(&party(Role::Site, "s1"), transfer(0, 5));
        let header = world.decide(&world.chain(), &[paid]).0.block.header;
        let first = Roster::genesis(&world.genesis);
        let second = Roster(first.0[..2].to_vec());
        Self { world, header, first, second }
    }

    /// The head at a height, after which `next` decides, signed by all of `roster`.
    fn signed(&self, height: u64, roster: &Roster, next: &Roster) -> CertifiedHead {
        let ledger = self.world.rules.verifier.ledger();
        let header = Header { height, next_validators: next.hash(), ..self.header.clone() };
        let block = Some(header.hash());
        let vote = |(validator, (name, _)): (u16, &(_, _))| {
            let vote = Vote { kind: VoteKind::Precommit, height, round: 0, block, validator };
            let signer = &self.world.signers[&PartyId::new(Role::Validator, Clone::clone(name))];
            (validator, vote.sign(ledger, &signer.key()))
        };
        let signatures = (0..).zip(&roster.0).map(vote).collect();
        CertifiedHead::of(ledger, roster, &header, &VoteCertificate { round: 0, signatures }).unwrap()
    }

    fn change(&self, height: u64, by: &Roster, next: &Roster) -> RosterChange {
        RosterChange { head: self.signed(height, by, next), next: next.clone() }
    }

    /// What the way to a head at height 3 by the second validators proves.
    fn check(&self, changes: Vec<RosterChange>) -> Result<(usize, Roster), ChainError> {
        let ledger = *self.world.rules.verifier.ledger();
        let head = self.signed(3, &self.second, &self.second);
        ChainProof { ledger, changes, head, earlier: None }.verify(&self.world.genesis)
    }
}

#[test]
fn certified_changes_lead_from_the_genesis_to_the_head() {
    let heads = Heads::new();
    let Heads { first, second, .. } = &heads;
    assert_eq!(heads.check(vec![heads.change(2, first, second)]), Ok((2, second.clone())));
    // There and back and there again.
    let back = [heads.change(1, first, second), heads.change(2, second, first)];
    let error = heads.check(back.to_vec()).unwrap_err();
    assert!(error.to_string().contains("2 of 4 validators"), "{error}");
}

#[test]
fn no_other_way_leads_there() {
    let heads = Heads::new();
    let Heads { first, second, .. } = &heads;
    let check = |changes: Vec<RosterChange>, expected: &str| {
        let error = heads.check(changes).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(Vec::new(), "2 of 4 validators");
    check(vec![heads.change(2, second, second)], "2 of 4 validators");
    let mut other = heads.change(2, first, second);
    other.next = Roster(first.0[1..3].to_vec());
    check(vec![other], "the validators after it are not those stated");
    check(vec![heads.change(3, first, second)], "out of order");
    check(vec![heads.change(2, first, second), heads.change(2, second, second)], "out of order");
}
