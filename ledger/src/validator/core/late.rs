//! What comes after a height was decided: votes that were late, and what proves that somebody lied.

use super::{Effect, ValidatorCore};
use crate::block::vote::{SignedVote, Vote, VoteKind};
use crate::consensus::equivocation::Equivocation;
use crate::consensus::message::Statement;
use wire::entry::Entry;
use wire::party::Id;

impl ValidatorCore {
    /// Tells the operator.
    pub(super) fn note(&mut self, event: &'static str, text: String) {
        self.effects.push(Effect::Note { event, text });
    }

    /// A statement about the last height decided. A vote for its block is kept for the next block to
    /// carry, so that who is slow, and there, is not taken for one who is not. One for something else
    /// contradicts a vote we hold.
    pub(super) fn heard_late(&mut self, sender: &Id, statement: Statement) {
        let Statement::Vote(SignedVote { vote, signature }) = statement else { return };
        let Some(votes) = &mut self.tip.votes else { return };
        let Some(validators) = self.state.voting().validators_at(self.tip.height) else { return };
        let its_own = validators.name_of(vote.validator) == Some(sender);
        let key = validators.key_of(vote.validator).filter(|_| its_own && vote.round == votes.round);
        let Some(key) = key.filter(|_| vote.kind == VoteKind::Precommit) else { return };
        let place = votes.signatures.binary_search_by_key(&vote.validator, |(voter, _)| *voter);
        let for_it = vote.block == Some(self.tip.hash);
        if for_it == place.is_ok() || !vote.verify(self.rules.verifier.ledger(), key, &signature) {
            return;
        }
        match place {
            Err(place) => votes.signatures.insert(place, (vote.validator, signature)),
            Ok(place) => {
                let known = Vote { block: Some(self.tip.hash), ..vote.clone() };
                let known = SignedVote { vote: known, signature: votes.signatures[place].1 };
                let both = Equivocation::Votes(known, SignedVote { vote, signature });
                self.accuse(self.tip.height, &both);
            }
        }
    }

    /// Somebody contradicted itself at a height: once the ledger can take evidence of it, everyone is
    /// to know. One who is known for a liar is not accused again for every height at which it lies,
    /// or it could keep the ledger busy with nothing else.
    pub(super) fn accuse(&mut self, height: u64, both: &Equivocation) {
        let decided = self.state.voting().validators_at(height);
        let Some(evidence) = both.evidence(decided.unwrap_or(&self.committee.validators)) else { return };
        let text = format!("validator {} said two different things in one round", evidence.validator);
        self.note("equivocation", text);
        let known = self.state.voting().contradictions_of(&evidence.validator) > 0;
        if !known && self.accused.insert(evidence.validator.clone()) {
            self.effects.push(Effect::Submit(Box::new(Entry::Evidence(Box::new(evidence)))));
        }
    }
}
