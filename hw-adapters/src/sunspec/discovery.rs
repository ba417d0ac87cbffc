//! Finding a device's models: the marker "SunS" at one of three places, then a chain of
//! (identifier, length) headers. Decides what to read next; whoever has the connection reads it.

use thiserror::Error;

/// Where the marker may stand, in the order tried.
pub const BASES: [u16; 3] = [40_000, 0, 50_000];
/// Most models followed; real devices have up to some twenty.
pub const MODELS_MAX: usize = 64;

const MARKER: [u16; 2] = [0x5375, 0x6E53];
const END: u16 = 0xFFFF;
const HEADER_LEN: u16 = 2;

/// Where a model lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelPlace {
    /// Its identifier.
    pub id: u16,
    /// Address of its ID register.
    pub address: u16,
    /// Registers after the header, as the device says.
    pub length: u16,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read two registers here and say what came.
    Read(u16),
    /// Done: the models in order of address.
    Found(Vec<ModelPlace>),
}

/// A device that is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DiscoveryError {
    /// "SunS" at none of the places.
    #[error("no SunSpec map at 40000, 0 or 50000")]
    NotSunSpec,
    /// More models than any device has.
    #[error("more than {MODELS_MAX} models")]
    Endless,
    /// A model that would not fit below address 65536.
    #[error("model {id} at {address} with {length} registers reaches beyond the last address")]
    Beyond {
        /// Its identifier.
        id: u16,
        /// Where it begins.
        address: u16,
        /// What length it claims.
        length: u16,
    },
}

/// A discovery under way.
#[derive(Clone, Debug, Default)]
pub struct Discovery {
    /// Which of the places is tried first, and how many have been tried.
    first: usize,
    tried: usize,
    /// Where the next header lies; none until the marker is found.
    header: Option<u16>,
    models: Vec<ModelPlace>,
}

impl Discovery {
    /// One that tries the place of this number first, and then the others in order.
    pub fn beginning_at(base: usize) -> Self {
        Self { first: base % BASES.len(), ..Self::default() }
    }

    /// The first read.
    pub fn start(&self) -> Step {
        Step::Read(BASES[self.base()])
    }

    /// Which of the places is tried now, or has the marker.
    pub fn base(&self) -> usize {
        (self.first + self.tried) % BASES.len()
    }

    /// Whether the marker has yet to be found.
    pub fn looks_for_marker(&self) -> bool {
        self.header.is_none()
    }

    /// Takes what the read asked for brought; none where the device refused that address.
    ///
    /// # Errors
    /// The device has no SunSpec map, or one that can't be.
    pub fn answer(&mut self, words: Option<[u16; 2]>) -> Result<Step, DiscoveryError> {
        match (self.header, words) {
            (None, Some(MARKER)) => {
                let first = BASES[self.base()] + HEADER_LEN;
                self.header = Some(first);
                Ok(Step::Read(first))
            }
            (None, _) => {
                self.tried += 1;
                if self.tried == BASES.len() {
                    return Err(DiscoveryError::NotSunSpec);
                }
                Ok(self.start())
            }
            // Some devices have no end marker: they refuse what lies behind their last model, or have zeros there.
            (Some(_), None | Some([END | 0, _])) => Ok(Step::Found(std::mem::take(&mut self.models))),
            (Some(address), Some([id, length])) => self.model(ModelPlace { id, address, length }),
        }
    }

    fn model(&mut self, place: ModelPlace) -> Result<Step, DiscoveryError> {
        let ModelPlace { id, address, length } = place;
        if self.models.len() == MODELS_MAX {
            return Err(DiscoveryError::Endless);
        }
        let next = length
            .checked_add(HEADER_LEN)
            .and_then(|size| address.checked_add(size))
            .filter(|next| *next < u16::MAX)
            .ok_or(DiscoveryError::Beyond { id, address, length })?;
        self.models.push(place);
        self.header = Some(next);
        Ok(Step::Read(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Walks an image given as (address of the first word, words); gives the outcome and the reads.
    fn walk(base: u16, words: &[u16]) -> (Result<Vec<ModelPlace>, DiscoveryError>, usize) {
        let at = |address: u16| {
            let start = usize::from(address.checked_sub(base)?);
            Some([*words.get(start)?, *words.get(start + 1)?])
        };
        let mut discovery = Discovery::default();
        let mut step = discovery.start();
        let mut reads = 0;
        loop {
            match step {
                Step::Found(models) => return (Ok(models), reads),
                Step::Read(address) => {
                    reads += 1;
                    step = match discovery.answer(at(address)) {
                        Ok(step) => step,
                        Err(e) => return (Err(e), reads),
                    }
                }
            }
        }
    }

    fn check(base: u16, words: &[u16], expected: Result<&[(u16, u16)], DiscoveryError>) {
        let found = walk(base, words).0.map(|m| m.iter().map(|m| (m.id, m.address)).collect::<Vec<_>>());
        assert_eq!(found.as_deref(), expected.as_ref().copied());
    }

    #[test]
    fn a_chain_is_followed_to_its_end_wherever_it_stands() {
        let map = [0x5375, 0x6E53, 1, 2, 0, 0, 103, 1, 0, 0xFFFF, 0];
        for base in BASES {
            check(base, &map, Ok(&[(1, base + 2), (103, base + 6)]));
            check(base, &map[..9], Ok(&[(1, base + 2), (103, base + 6)]));
        }
    }

    #[test]
    fn every_place_is_tried_once_wherever_it_begins() {
        for first in 0..7 {
            let mut discovery = Discovery::beginning_at(first);
            let mut tried = Vec::new();
            let mut step = Ok(discovery.start());
            while let Ok(Step::Read(address)) = step {
                tried.push(address);
                step = discovery.answer(None);
            }
            assert_eq!(tried[0], BASES[first % 3]);
            tried.sort_unstable();
            assert_eq!(
                (tried.as_slice(), step),
                ([0, 40_000, 50_000].as_slice(), Err(DiscoveryError::NotSunSpec))
            );
        }
    }

    #[test]
    fn a_map_that_cannot_be_is_refused() {
        check(40_000, &[0x5375, 0], Err(DiscoveryError::NotSunSpec));
        check(1, &[0x5375, 0x6E53], Err(DiscoveryError::NotSunSpec));
        let (address, id, length) = (40_002, 1, 40_000);
        check(40_000, &[0x5375, 0x6E53, id, length], Err(DiscoveryError::Beyond { id, address, length }));
        let mut endless = vec![0x5375, 0x6E53];
        endless.extend([7, 0].repeat(70));
        check(0, &endless, Err(DiscoveryError::Endless));
    }

    proptest! {
        #[test]
        fn any_image_ends_in_bounded_reads(
            base in prop::sample::select(BASES.to_vec()),
            tail in prop::collection::vec(prop_oneof![Just(0u16), Just(1), Just(0xFFFF), 0u16..80, any::<u16>()], 0..3000)
        ) {
            let mut words = MARKER.to_vec();
            words.extend(tail);
            let (outcome, reads) = walk(base, &words);
            prop_assert!(reads <= BASES.len() + MODELS_MAX + 1);
            if let Ok(models) = outcome {
                for pair in models.windows(2) {
                    prop_assert_eq!(pair[1].address, pair[0].address + HEADER_LEN + pair[0].length);
                }
            }
        }
    }
}
