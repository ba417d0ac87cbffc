//! Agreement that forgets with every round which block it locked on: the real one, begun anew at each
//! round with the votes that let the round begin and no others.

use crate::block::vote::{SignedVote, ValidatorIndex, VoteKind};
use crate::consensus::committee::Committee;
use crate::consensus::core::Tendermint;
use crate::consensus::message::Statement;
use crate::consensus::{Agreement, AgreementError, Input, Output, Timer, TimerKind};
use std::sync::Arc;
use wire::envelope::Signer;

/// Agreement without a memory.
pub struct Lockless {
    signer: Arc<Signer>,
    inner: Tendermint,
    start: Option<(u64, Arc<Committee>, ValidatorIndex)>,
    /// What was heard and said of this height.
    heard: Vec<Input>,
    round: u32,
}

impl Lockless {
    /// Agreement in which we sign with `signer`, and forget.
    pub fn new(signer: Arc<Signer>) -> Self {
        let inner = Tendermint::new(signer.clone());
        Self { signer, inner, start: None, heard: Vec::new(), round: 0 }
    }

    fn votes_of(&self, at: u32, of_kind: impl Fn(VoteKind) -> bool) -> Vec<Input> {
        let fits = |signed: &SignedVote| signed.vote.round == at && of_kind(signed.vote.kind);
        let fits = |input: &&Input| matches!(input, Input::Vote(signed) if fits(signed));
        self.heard.iter().filter(fits).cloned().collect()
    }

    /// Begins anew at a round. None where the votes heard do not lead there.
    fn forget(&self, round: u32) -> Result<Option<(Tendermint, Vec<Output>)>, AgreementError> {
        let Some((height, committee, me)) = self.start.clone() else { return Ok(None) };
        let mut fresh = Tendermint::new(self.signer.clone());
        fresh.step(Input::Start { height, committee, me, records: Vec::new() })?;
        let precommits = self.votes_of(round - 1, |kind| kind == VoteKind::Precommit);
        let time_up = Input::TimeUp(Timer { kind: TimerKind::Precommit, round: round - 1 });
        let skip = self.votes_of(round, |_| true);
        let mut outputs = Vec::new();
        for input in precommits.into_iter().chain([time_up]).chain(skip) {
            let there = fresh.round() == Some(round);
            let said = fresh.step(input)?;
            if there || fresh.round() == Some(round) {
                outputs.extend(said);
            }
        }
        if fresh.round() != Some(round) {
            return Ok(None);
        }
        let proposals = self.heard.iter().filter(
            |input| matches!(input, Input::Proposal { proposal, .. } if proposal.proposal.round == round),
        );
        for input in proposals.cloned().collect::<Vec<_>>() {
            outputs.extend(fresh.step(input)?);
        }
        outputs.retain(|output| match output {
            Output::Publish(Statement::Vote(signed)) => signed.vote.round == round,
            Output::Publish(Statement::Proposal(signed)) => signed.proposal.round == round,
            Output::NeedBlock { round: of } => *of == round,
            Output::Schedule(timer) => timer.round == round,
            Output::Record(_) | Output::Publish(_) | Output::Decided { .. } => true,
            _ => false,
        });
        Ok(Some((fresh, outputs)))
    }
}

impl Agreement for Lockless {
    fn step(&mut self, input: Input) -> Result<Vec<Output>, AgreementError> {
        match &input {
            Input::Start { height, committee, me, .. } => {
                self.start = Some((*height, committee.clone(), *me));
                self.heard.clear();
                self.round = 0;
            }
            Input::Vote(_) | Input::Proposal { .. } => self.heard.push(input.clone()),
            _ => {}
        }
        let mut outputs = self.inner.step(input)?;
        for output in &outputs {
            if let Output::Publish(Statement::Vote(signed)) = output {
                self.heard.push(Input::Vote(signed.clone()));
            }
        }
        let round = self.inner.round().unwrap_or(0);
        if round > self.round {
            self.round = round;
            if let Some((fresh, anew)) = self.forget(round)? {
                self.inner = fresh;
                outputs.retain(|output| match output {
                    Output::Publish(Statement::Vote(signed)) => signed.vote.round < round,
                    Output::Publish(Statement::Proposal(signed)) => signed.proposal.round < round,
                    Output::NeedBlock { .. } | Output::Decided { .. } => false,
                    _ => true,
                });
                outputs.extend(anew);
            }
        }
        Ok(outputs)
    }

    fn round(&self) -> Option<u32> {
        self.inner.round()
    }
}
