//! Which height a message among validators is about, read from its bytes without decoding it: for sorting
//! out what is of no use before its signature costs anything. Nothing here is believed.

use wire::peek::Peek;

/// What a message concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// Agreement on the block at a height.
    Statement(u64),
    /// A question for the blocks from a height on.
    Request(u64),
    /// The decided block at a height, or the first of several.
    Decided(u64),
}

impl Concern {
    /// What an envelope with a [`super::message::ConsensusMessage`] or a block concerns; none where it
    /// can't be read at a glance.
    pub fn of_envelope(envelope: &[u8]) -> Option<Concern> {
        match Peek::into_envelope(envelope)? {
            ("consensus", message) => Concern::of_message(message.bytes()?),
            ("block", decided) => Concern::of_block(decided.bytes()?),
            _ => None,
        }
    }

    /// Whether these bytes of a [`super::message::ConsensusMessage`] are a question: it is for those who are
    /// ahead, and all else for those who are not.
    pub fn is_question(message: &[u8]) -> bool {
        matches!(Peek::new(message).variant(), Some(("request" | "snapshot-request", _)))
    }

    fn of_message(bytes: &[u8]) -> Option<Concern> {
        match Peek::new(bytes).variant()? {
            ("statement", body) => {
                let height = match body.get("statement")?.variant()? {
                    ("proposal", signed) => signed.get("proposal")?.get("height")?,
                    ("vote", signed) => signed.get("vote")?.get("height")?,
                    ("polka" | "round", certificate) => certificate.get("height")?,
                    _ => return None,
                };
                height.number().map(Concern::Statement)
            }
            ("request", body) => body.get("height")?.number().map(Concern::Request),
            ("decided", blocks) => Concern::of_block(blocks.nth(0)?.bytes()?),
            _ => None,
        }
    }

    fn of_block(bytes: &[u8]) -> Option<Concern> {
        let header = Peek::new(bytes).get("block")?.get("header")?;
        header.get("height")?.number().map(Concern::Decided)
    }
}
