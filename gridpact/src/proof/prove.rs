//! `gridpact ledger prove`: walks through a ledger, checking it, and writes the proof for one party and
//! interval.

use crate::audit::{self, AuditError};
use crate::cli::ProveArgs;
use ledger::governed::roster::Roster;
use ledger::proof::prove::{ProveError, Prover};
use ledger::proof::settlement::SettlementProofError;
use ledger::store::read_genesis;
use ledger::verify::{replay, Replay, VerifyError};
use std::io::{self, Write};
use std::path::PathBuf;
use thiserror::Error;
use wire::cbor::CborError;
use wire::party::{Id, PartyError, PartyId, Role};

/// Why no proof was written.
#[derive(Debug, Error)]
pub enum ProveCommandError {
    /// The directory can't be read.
    #[error(transparent)]
    Directory(#[from] AuditError),
    /// The ledger does not hold.
    #[error("{path}: {source}")]
    Ledger {
        /// The validator's folder.
        path: PathBuf,
        /// What does not hold.
        source: VerifyError,
    },
    /// What should be proven is not on the ledger.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// The proof would not hold.
    #[error("the proof would not hold: {0}")]
    Unproven(SettlementProofError),
    /// The party's name is none.
    #[error(transparent)]
    Party(#[from] PartyError),
    /// The proof has no encoding.
    #[error("encoding the proof: {0}")]
    Encode(#[from] CborError),
    /// The file can't be written.
    #[error("writing {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What was done can't be printed.
    #[error("printing: {0}")]
    Print(#[from] io::Error),
}

/// Writes the proof, and says what it is of.
///
/// # Errors
/// Names why there is none.
pub fn run(args: &ProveArgs, out: &mut dyn Write) -> Result<(), ProveCommandError> {
    let party: Id = args.party.parse()?;
    // A demo's validators hold the same chain.
    let folder = audit::folders(&args.dir)?.swap_remove(0);
    let wrong = |source| ProveCommandError::Ledger { path: folder.clone(), source };
    let mut chain = replay(&folder).map_err(wrong)?;
    let roster = |chain: &Replay| Roster(chain.rules().verifier.validators().to_vec());
    let (ledger, before) = (*chain.rules().verifier.ledger(), chain.tip().history());
    let mut prover = Prover::new(ledger, args.interval, before, roster(&chain)).after(chain.lineage())?;
    while let Some(block) = chain.next() {
        let block = block.map_err(wrong)?;
        prover.take(&block.decided, &block.receipts, roster(&chain))?;
    }
    let account = account(&chain, &party);
    let prover = match args.since {
        Some(height) => prover.since(height),
        None => prover,
    };
    let proof = prover.prove(&account)?;
    // What would not be believed is not written: where it is not known who decided on blocks that are gone.
    let genesis = read_genesis(&folder).map_err(|source| wrong(VerifyError::Folder(Box::new(source))))?;
    proof.check(&genesis).map_err(ProveCommandError::Unproven)?;
    let bytes = proof.encode()?;
    let path = args.output.clone();
    std::fs::write(&path, &bytes).map_err(|source| ProveCommandError::Write { path, source })?;
    let head = &proof.chain().head.header;
    writeln!(
        out,
        "{}: {} bytes. What account {account} was committed to, at which price and what it was paid in {}, \
         final under block {}.",
        args.output.display(),
        bytes.len(),
        args.interval,
        head.height,
    )?;
    Ok(())
}

/// The account of the site with this name; else the name is an account's.
fn account(chain: &Replay, party: &Id) -> Id {
    let members = &chain.rules().governed.members;
    let site = members.get(&PartyId::new(Role::Site, party.clone()));
    site.map_or_else(|| party.clone(), |member| member.participant.account.clone())
}
