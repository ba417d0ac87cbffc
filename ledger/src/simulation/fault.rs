//! What goes wrong in a run, and how much of it.

use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// Validators that a run begins with; one of them may fail in whatever way.
pub const VALIDATORS: usize = 4;

/// What goes wrong. Messages are late, lost and doubled in every kind but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Nothing else.
    Network,
    /// More messages are lost than arrive.
    Loss,
    /// One validator never says anything.
    Silent,
    /// Validators crash at any point of what they do, lose what was not synced, and come back.
    Crashes,
    /// Validators are cut off from each other in halves, or one from three, for a while.
    Partition,
    /// Clocks are wrong, and run at different speeds.
    Clocks,
    /// Two validators with one key contradict each other to everyone.
    Twins,
    /// A validator hands out decided blocks that nobody decided.
    Forger,
    /// A disk fails: the validator must stop before it says anything more.
    Disk,
    /// The control: two of four validators have twins, and tell each half of the others what the
    /// other half does not hear. More than a third lies, so the halves must part.
    Split,
}

impl Fault {
    /// Every kind that validators must withstand.
    pub const WITHSTOOD: [Fault; 9] = [
        Fault::Network,
        Fault::Loss,
        Fault::Silent,
        Fault::Crashes,
        Fault::Partition,
        Fault::Clocks,
        Fault::Twins,
        Fault::Forger,
        Fault::Disk,
    ];

    /// Its word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Fault::Network => "network",
            Fault::Loss => "loss",
            Fault::Silent => "silent",
            Fault::Crashes => "crashes",
            Fault::Partition => "partition",
            Fault::Clocks => "clocks",
            Fault::Twins => "twins",
            Fault::Forger => "forger",
            Fault::Disk => "disk",
            Fault::Split => "split",
        }
    }

    /// The kind that goes with a seed where none is chosen: each in turn.
    pub fn of_seed(seed: u64) -> Self {
        Self::WITHSTOOD[(seed % Self::WITHSTOOD.len() as u64) as usize]
    }

    /// Which validators have a twin.
    pub(super) fn twins(self) -> &'static [usize] {
        match self {
            Fault::Twins => &[3],
            Fault::Split => &[2, 3],
            _ => &[],
        }
    }

    /// Whether this validator does what it should, as long as the run lasts. A disk that fails is
    /// nobody's lie: what the validator said before stays said.
    pub(super) fn is_honest(self, validator: usize) -> bool {
        match self {
            Fault::Twins | Fault::Forger => validator != 3,
            Fault::Split => validator < 2,
            _ => true,
        }
    }

    /// Whether this validator is there until the end.
    pub(super) fn is_there(self, validator: usize) -> bool {
        match self {
            Fault::Silent | Fault::Disk => validator != 0,
            Fault::Forger => validator != 3,
            _ => true,
        }
    }

    /// How many of a thousand messages are lost while faults last.
    pub(super) fn lost_permille(self) -> u32 {
        match self {
            Fault::Loss => 550,
            Fault::Split => 0,
            _ => 100,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Fault {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let all = Self::WITHSTOOD.into_iter().chain([Fault::Split]);
        let words: Vec<&str> = all.clone().map(Fault::word).collect();
        all.into_iter()
            .find(|fault| fault.word() == text)
            .ok_or_else(|| format!("{text:?} is none of {}", words.join(", ")))
    }
}
