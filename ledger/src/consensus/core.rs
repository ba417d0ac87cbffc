//! Malachite's Tendermint behind our [`Agreement`]. Malachite yields effects and is resumed with
//! answers; signatures are made and checked right here, all else becomes an [`Output`].

use super::certificates::{check_polka, check_round, check_votes};
use super::committee::Committee;
use super::context::{Address, BlockHash, Ctx, Height, Member, Members};
use super::equivocation::Equivocation;
use super::message::{Record, Statement};
use super::{translate, Agreement, AgreementError, Input, Output};
use crate::block::vote::{ValidatorIndex, Vote, VoteCertificate, VoteKind};
use arc_malachitebft_core_consensus as malachite;
use arc_malachitebft_core_types::{
    CertificateError, CommitCertificate, Round, SignedMessage, ThresholdParam, ThresholdParams, Validity,
    ValueOrigin, ValuePayload, VoteExtensionPolicy,
};
use malachite::{
    process, ConsensusMsg, Effect, LivenessMsg, LocallyProposedValue, MisbehaviorEvidence, Params,
    ProposedValue, Resumable, Resume, SignedConsensusMsg, State,
};
use std::convert::Infallible;
use std::sync::Arc;
use wire::envelope::{HeldKey, Signer};

/// Later heights for which malachite would keep messages. The validator keeps them itself.
const QUEUED_HEIGHTS: usize = 1;
/// Messages kept for each of them.
const QUEUED_PER_HEIGHT: usize = 1;

/// Agreement by malachite's core.
pub struct Tendermint {
    signer: Arc<Signer>,
    thresholds: ThresholdParams,
    running: Option<Running>,
}

/// One height that is being decided.
struct Running {
    committee: Arc<Committee>,
    key: HeldKey,
    me: Address,
    state: State<Ctx>,
}

/// What the handler of effects needs, apart from the state that malachite holds meanwhile.
struct Handler<'a> {
    committee: &'a Committee,
    key: &'a HeldKey,
    /// What the write-ahead log holds already, while it is replayed.
    recorded: &'a [Record],
    outputs: Vec<Output>,
}

impl Tendermint {
    /// Agreement in which we sign each height with that key of `signer` which is ours at the height.
    pub fn new(signer: Arc<Signer>) -> Self {
        Self { signer, thresholds: ThresholdParams::default(), running: None }
    }

    /// The same with another idea of how many votes are enough: more than `over` in `of`. Not safe for
    /// any but two thirds, which is what simulations show by it.
    pub(crate) fn with_quorum(signer: Arc<Signer>, over: u64, of: u64) -> Self {
        let quorum = ThresholdParam::new(over, of);
        Self { thresholds: ThresholdParams { quorum, ..ThresholdParams::default() }, ..Self::new(signer) }
    }
}

impl Running {
    fn new(
        committee: Arc<Committee>,
        key: HeldKey,
        me: ValidatorIndex,
        threshold_params: ThresholdParams,
    ) -> Self {
        let member = |(place, (_, key)): (u16, &(_, _))| Member { address: Address(place), key: *key };
        let members = (0..).zip(committee.validators.members()).map(member).collect();
        let members = Members { members: Arc::new(members), turns: Arc::new(committee.turns.clone()) };
        let params = Params {
            address: Address(me),
            threshold_params,
            // Votes are for a block's hash; its bytes travel with the proposal and are executed
            // before malachite hears of it, so that a wrong block is voted down at once.
            value_payload: ValuePayload::ProposalAndParts,
            enabled: true,
        };
        let state = State::new(Ctx, Height(0), members, params, QUEUED_HEIGHTS, QUEUED_PER_HEIGHT);
        Self { committee, key, me: Address(me), state }
    }

    fn feed(
        &mut self,
        input: malachite::Input<Ctx>,
        recorded: &[Record],
        outputs: &mut Vec<Output>,
    ) -> Result<(), Box<malachite::Error<Ctx>>> {
        let mut handler = Handler {
            committee: &self.committee,
            key: &self.key,
            recorded,
            outputs: std::mem::take(outputs),
        };
        let state = &mut self.state;
        let result =
            process!(input: input, state: state, metrics: &(), with: effect => handler.perform(effect));
        *outputs = handler.outputs;
        result
    }

    /// Feeds what another validator said: an error drops it.
    fn feed_message(&mut self, input: malachite::Input<Ctx>, outputs: &mut Vec<Output>) {
        if let Err(error) = self.feed(input, &[], outputs) {
            outputs.push(Output::Dropped { reason: error.to_string() });
        }
    }

    fn start(&mut self, height: u64, records: &[Record]) -> Result<Vec<Output>, AgreementError> {
        let diverged = |error: Box<malachite::Error<Ctx>>| AgreementError::Diverged {
            height,
            reason: error.to_string(),
        };
        let mut outputs = Vec::new();
        let restart = !records.is_empty();
        let replay: Vec<malachite::Input<Ctx>> =
            records.iter().filter_map(|record| self.replayed(height, record)).collect();
        let policy = VoteExtensionPolicy::Disabled;
        let members = self.state.validator_set().clone();
        let start = malachite::Input::StartHeight(Height(height), members, restart, None, policy);
        if !restart {
            self.feed(start, &[], &mut outputs).map_err(diverged)?;
            return Ok(outputs);
        }
        self.state.index_wal_entries(&replay);
        self.feed(start, records, &mut outputs).map_err(diverged)?;
        for input in replay {
            self.feed(input, records, &mut outputs).map_err(diverged)?;
        }
        self.state.reset_entries_index();
        self.forget_answered(records, &mut outputs);
        Ok(outputs)
    }

    /// Before the crash we may have proposed already where the replay asks for a block again, or
    /// have gone on to a later round.
    fn forget_answered(&self, records: &[Record], outputs: &mut Vec<Output>) {
        let proposed = |round: u32| {
            records.iter().any(|record| match record {
                Record::Proposal(signed) => {
                    signed.proposal.round == round && signed.proposal.validator == self.me.0
                }
                _ => false,
            })
        };
        let current = self.state.round().as_u32();
        outputs.retain(|output| match output {
            Output::NeedBlock { round } => Some(*round) == current && !proposed(*round),
            _ => true,
        });
    }

    fn replayed(&self, height: u64, record: &Record) -> Option<malachite::Input<Ctx>> {
        Some(match record {
            Record::Vote(vote) => malachite::Input::Vote(translate::vote_in(vote.clone())),
            Record::Proposal(proposal) => {
                malachite::Input::Proposal(translate::proposal_in(proposal.clone()))
            }
            Record::TimeUp(timer) => malachite::Input::TimeoutElapsed(translate::timer_in(*timer)),
            Record::Polka(polka) => malachite::Input::PolkaCertificate(translate::polka_in(polka.clone())),
            Record::Block { block, round, polka_round, proposer, valid } => {
                let value = ProposedValue {
                    height: Height(height),
                    round: Round::Some(*round),
                    valid_round: translate::round_in(*polka_round),
                    proposer: Address(*proposer),
                    value: BlockHash(*block),
                    validity: Validity::from_bool(*valid),
                };
                malachite::Input::ProposedValue(value, ValueOrigin::Consensus)
            }
            Record::Bytes(_) => return None,
        })
    }
}

impl Agreement for Tendermint {
    fn step(&mut self, input: Input) -> Result<Vec<Output>, AgreementError> {
        let running = match input {
            Input::Start { height, committee, me, records } => {
                let key = committee.validators.key_of(me).and_then(|key| self.signer.held(key));
                let key = key.ok_or(AgreementError::NoKey { height })?;
                let running = Running::new(committee, key, me, self.thresholds);
                return self.running.insert(running).start(height, &records);
            }
            Input::End => return Ok(self.running.take().map(Running::end).unwrap_or_default()),
            _ => self.running.as_mut(),
        };
        Ok(running.map(|running| running.hear(input)).unwrap_or_default())
    }

    fn round(&self) -> Option<u32> {
        self.running.as_ref()?.state.round().as_u32()
    }
}

impl Running {
    /// Whatever comes between the start of a height and its end.
    fn hear(&mut self, input: Input) -> Vec<Output> {
        let mut outputs = Vec::new();
        match input {
            Input::Proposal { proposal, valid } => {
                let value = ProposedValue {
                    height: Height(proposal.proposal.height),
                    round: Round::Some(proposal.proposal.round),
                    valid_round: translate::round_in(proposal.proposal.polka_round),
                    proposer: Address(proposal.proposal.validator),
                    value: BlockHash(proposal.proposal.block),
                    validity: Validity::from_bool(valid),
                };
                let value = malachite::Input::ProposedValue(value, ValueOrigin::Consensus);
                self.feed_message(value, &mut outputs);
                let proposal = malachite::Input::Proposal(translate::proposal_in(proposal));
                self.feed_message(proposal, &mut outputs);
            }
            Input::Vote(vote) => {
                self.feed_message(malachite::Input::Vote(translate::vote_in(vote)), &mut outputs);
            }
            Input::Polka(polka) => {
                let polka = malachite::Input::PolkaCertificate(translate::polka_in(polka));
                self.feed_message(polka, &mut outputs);
            }
            Input::Round(round) => {
                let round = malachite::Input::RoundCertificate(translate::round_certificate_in(round));
                self.feed_message(round, &mut outputs);
            }
            Input::Propose { round, block } => {
                let (height, round) = (self.state.height(), Round::Some(round));
                let value = LocallyProposedValue::new(height, round, BlockHash(block));
                self.feed_message(malachite::Input::Propose(value), &mut outputs);
            }
            Input::TimeUp(timer) => {
                let timeout = malachite::Input::TimeoutElapsed(translate::timer_in(timer));
                self.feed_message(timeout, &mut outputs);
            }
            Input::Start { .. } | Input::End => {}
        }
        outputs
    }

    /// Who contradicted itself, where the height ended before malachite said so.
    fn end(mut self) -> Vec<Output> {
        let driver = &mut self.state.driver;
        let evidence = MisbehaviorEvidence {
            proposals: driver.take_proposal_evidence(),
            votes: driver.take_vote_evidence(),
        };
        equivocations(&evidence)
    }
}

/// Malachite keeps a few pairs of each validator.
fn equivocations(evidence: &MisbehaviorEvidence<Ctx>) -> Vec<Output> {
    let votes = evidence.votes.iter().flat_map(|(_, pairs)| pairs);
    let votes =
        votes.map(|(one, other)| Equivocation::Votes(translate::vote_out(one), translate::vote_out(other)));
    let proposals = evidence.proposals.iter().flat_map(|(_, pairs)| pairs);
    let proposals = proposals.map(|(one, other)| {
        Equivocation::Proposals(translate::proposal_out(one), translate::proposal_out(other))
    });
    votes.chain(proposals).map(|both| Output::Equivocation(Box::new(both))).collect()
}

impl Handler<'_> {
    fn perform(&mut self, effect: Effect<Ctx>) -> Result<Resume<Ctx>, Infallible> {
        Ok(match effect {
            Effect::SignVote(vote, r) => {
                let signature = vote.out().sign(&self.committee.ledger, self.key);
                r.resume_with(SignedMessage::new(vote, signature))
            }
            Effect::SignProposal(proposal, r) => {
                let signature = proposal.out().sign(&self.committee.ledger, self.key);
                r.resume_with(SignedMessage::new(proposal, signature))
            }
            Effect::VerifySignature(signed, key, r) => {
                let (ledger, signature) = (&self.committee.ledger, &signed.signature);
                r.resume_with(match &signed.message {
                    ConsensusMsg::Vote(vote) => vote.out().verify(ledger, &key, signature),
                    // Checked before its block was executed: see [`Input::Proposal`].
                    ConsensusMsg::Proposal(_) => true,
                })
            }
            Effect::VerifyCommitCertificate(certificate, _, thresholds, r) => {
                r.resume_with(self.check_commit(thresholds, &certificate))
            }
            Effect::VerifyPolkaCertificate(certificate, _, thresholds, r) => {
                r.resume_with(check_polka(self.committee, thresholds, &translate::polka_out(&certificate)))
            }
            Effect::VerifyRoundCertificate(certificate, _, thresholds, r) => {
                r.resume_with(check_round(self.committee, thresholds, &translate::round_out(&certificate)))
            }
            // Decided blocks come in past malachite, and votes carry no extensions: never yielded.
            Effect::VerifyExtendedCommitCertificate(.., r) => {
                r.resume_with(Err(CertificateError::VerificationError(None)))
            }
            Effect::ExtendVote(.., r) => r.resume_with(None),
            Effect::VerifyVoteExtension(.., r) => {
                r.resume_with(Err(malachite::VoteExtensionError::InvalidVoteExtension))
            }
            other => return Ok(self.put_out(other)),
        })
    }

    /// Effects that need no answer.
    fn put_out(&mut self, effect: Effect<Ctx>) -> Resume<Ctx> {
        match effect {
            Effect::CancelAllTimeouts(_) => self.outputs.push(Output::CancelAll),
            Effect::CancelTimeout(timeout, _) => {
                self.outputs.extend(translate::timer_out(timeout).map(Output::Cancel));
            }
            Effect::ScheduleTimeout(timeout, _) => {
                self.outputs.extend(translate::timer_out(timeout).map(Output::Schedule));
            }
            Effect::PublishConsensusMsg(message, _) => self.publish(match &message {
                SignedConsensusMsg::Vote(vote) => Statement::Vote(translate::vote_out(vote)),
                SignedConsensusMsg::Proposal(proposal) => {
                    Statement::Proposal(translate::proposal_out(proposal))
                }
            }),
            Effect::PublishLivenessMsg(message, _) => self.publish(match &message {
                LivenessMsg::Vote(vote) => Statement::Vote(translate::vote_out(vote)),
                LivenessMsg::PolkaCertificate(polka) => Statement::Polka(translate::polka_out(polka)),
                LivenessMsg::SkipRoundCertificate(round) => Statement::Round(translate::round_out(round)),
            }),
            Effect::RepublishVote(vote, _) => self.publish(Statement::Vote(translate::vote_out(&vote))),
            Effect::RepublishRoundCertificate(round, _) => {
                self.publish(Statement::Round(translate::round_out(&round)));
            }
            Effect::GetValue(_, Round::Some(round), _, _) => self.outputs.push(Output::NeedBlock { round }),
            Effect::Decide(certificate, ..) => self.decide(&certificate),
            Effect::Finalize(_, _, evidence, _) => {
                self.outputs.extend(equivocations(&evidence));
            }
            Effect::WalAppend(_, input, _) => self.record(&input),
            // A proposal is always published with its block, so none needs streaming again; the
            // start of a round and values synced past us concern nobody here.
            _ => {}
        }
        Resume::Continue
    }

    fn publish(&mut self, statement: Statement) {
        self.outputs.push(Output::Publish(statement));
    }

    fn record(&mut self, input: &malachite::Input<Ctx>) {
        let record = match input {
            malachite::Input::Vote(vote) => Record::Vote(translate::vote_out(vote)),
            malachite::Input::Proposal(proposal) => Record::Proposal(translate::proposal_out(proposal)),
            malachite::Input::PolkaCertificate(polka) => Record::Polka(translate::polka_out(polka)),
            malachite::Input::TimeoutElapsed(timeout) => match translate::timer_out(*timeout) {
                Some(timer) => Record::TimeUp(timer),
                None => return,
            },
            malachite::Input::ProposedValue(value, _) => Record::Block {
                block: value.value.0,
                round: value.round.as_u32().unwrap_or_default(),
                polka_round: value.valid_round.as_u32(),
                proposer: value.proposer.0,
                valid: value.validity.is_valid(),
            },
            _ => return,
        };
        // What is replayed stands in the log already; what the crash cut off is recorded now.
        if !self.recorded.contains(&record) {
            self.outputs.push(Output::Record(record));
        }
    }

    fn decide(&mut self, certificate: &CommitCertificate<Ctx>) {
        let mut signatures: Vec<_> =
            certificate.commit_signatures.iter().map(|s| (s.address.0, s.signature)).collect();
        signatures.sort();
        let round = certificate.round.as_u32().unwrap_or_default();
        let block = certificate.value_id.0;
        self.outputs.push(Output::Decided { block, certificate: VoteCertificate { round, signatures } });
    }

    fn check_commit(
        &self,
        thresholds: ThresholdParams,
        certificate: &CommitCertificate<Ctx>,
    ) -> Result<(), CertificateError<Ctx>> {
        let votes = certificate.commit_signatures.iter().map(|s| {
            let vote = Vote {
                kind: VoteKind::Precommit,
                height: certificate.height.0,
                round: certificate.round.as_u32().unwrap_or_default(),
                block: Some(certificate.value_id.0),
                validator: s.address.0,
            };
            (vote, s.signature)
        });
        check_votes(self.committee, thresholds.quorum, votes)
    }
}
