//! A folder in memory: files under names. A name that was made, changed or removed is so after a crash only
//! once the folder was synced; of what was done since, a crash keeps a beginning, as journals do.

use super::disk::{DiskFile, Power};
use rand::Rng;
use std::collections::BTreeMap;

/// A file's name: its number, and whether it is a draft under another name still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// Its number: a height.
    pub number: u64,
    /// Whether it has not been renamed into place.
    pub draft: bool,
}

/// Something done to names.
#[derive(Clone, Copy, Debug)]
enum Change {
    Make(Name, u64),
    Rename(Name, Name),
    Remove(Name),
}

/// One folder.
#[derive(Clone, Debug, Default)]
pub struct Folder {
    /// The files, whatever their names, by a number that never comes back.
    files: BTreeMap<u64, DiskFile>,
    made: u64,
    /// Names as the running process sees them.
    names: BTreeMap<Name, u64>,
    /// Names that a sync made durable.
    durable: BTreeMap<Name, u64>,
    /// What was done to them since, in order.
    unsynced: Vec<Change>,
    /// Whether syncing a file does nothing: a part broken by intent.
    pub sync_is_broken: bool,
}

fn apply(names: &mut BTreeMap<Name, u64>, change: Change) {
    match change {
        Change::Make(name, file) => {
            names.insert(name, file);
        }
        Change::Rename(from, to) => {
            if let Some(file) = names.remove(&from) {
                names.insert(to, file);
            }
        }
        Change::Remove(name) => {
            names.remove(&name);
        }
    }
}

impl Folder {
    /// Names, in order.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = Name> + '_ {
        self.names.keys().copied()
    }

    /// The file under a name.
    pub fn file(&self, name: Name) -> Option<&DiskFile> {
        self.files.get(self.names.get(&name)?)
    }

    /// Opens a file to append from `end` on, made where there is none: durably so, as the real writer does.
    pub fn open(&mut self, power: &mut Power, name: Name, end: usize) -> Result<(), String> {
        if !self.names.contains_key(&name) {
            power.act()?;
            self.made += 1;
            self.files.insert(self.made, DiskFile::default());
            self.change(Change::Make(name, self.made));
        }
        self.file_mut(name)?.cut(power, end)?;
        self.file_mut(name)?.sync(power)?;
        self.sync_names(power)
    }

    /// Writes one record behind the last of a file.
    pub fn append(
        &mut self,
        power: &mut Power,
        name: Name,
        (number, payload): (u64, &[u8]),
    ) -> Result<(), String> {
        self.file_mut(name)?.append(power, number, payload)
    }

    /// Makes everything done to a file durable.
    pub fn sync(&mut self, power: &mut Power, name: Name) -> Result<(), String> {
        match self.sync_is_broken {
            true => power.act(),
            false => self.file_mut(name)?.sync(power),
        }
    }

    /// Gives a file another name, in place of whatever has that.
    pub fn rename(&mut self, power: &mut Power, from: Name, to: Name) -> Result<(), String> {
        power.act()?;
        self.change(Change::Rename(from, to));
        Ok(())
    }

    /// Takes a name away.
    pub fn remove(&mut self, power: &mut Power, name: Name) -> Result<(), String> {
        power.act()?;
        self.change(Change::Remove(name));
        Ok(())
    }

    /// Makes everything done to names durable.
    pub fn sync_names(&mut self, power: &mut Power) -> Result<(), String> {
        power.act()?;
        self.settle();
        Ok(())
    }

    /// The process dies, or the power goes.
    pub fn crash(&mut self, random: &mut impl Rng) {
        let kept = random.random_range(0..=self.unsynced.len());
        self.names = std::mem::take(&mut self.durable);
        for change in self.unsynced.drain(..).take(kept) {
            apply(&mut self.names, change);
        }
        self.settle();
        self.files.values_mut().for_each(|file| file.crash(random));
    }

    fn settle(&mut self) {
        self.durable.clone_from(&self.names);
        self.unsynced.clear();
        let named: Vec<u64> = self.names.values().copied().collect();
        self.files.retain(|file, _| named.contains(file));
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.names, change);
        self.unsynced.push(change);
    }

    fn file_mut(&mut self, name: Name) -> Result<&mut DiskFile, String> {
        let file = self.names.get(&name).and_then(|file| self.files.get_mut(file));
        file.ok_or_else(|| format!("there is no file {}", name.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::SmallRng;
    use rand::SeedableRng;
    use std::path::PathBuf;

    const DRAFT: Name = Name { number: 1, draft: true };
    const PLACE: Name = Name { number: 1, draft: false };

    /// What stands under the final name after a crash, over many seeds: numbers of seeds with no file, a torn
    /// one, a whole one.
    fn after(synced: bool) -> [usize; 3] {
        let mut found = [0; 3];
        for seed in 0..100 {
            let (mut folder, mut power) = (Folder::default(), Power::default());
            folder.open(&mut power, DRAFT, 0).unwrap();
            folder.append(&mut power, DRAFT, (1, b"a snapshot")).unwrap();
            if synced {
                folder.sync(&mut power, DRAFT).unwrap();
            }
            folder.rename(&mut power, DRAFT, PLACE).unwrap();
            folder.crash(&mut SmallRng::seed_from_u64(seed));
            assert_eq!(folder.names().count(), 1, "seed {seed}");
            let file = folder.file(PLACE);
            let whole = |file: &DiskFile| file.clone().open().is_ok_and(|records| records.len() == 1);
            found[file.map_or(0, |file| if whole(file) { 2 } else { 1 })] += 1;
        }
        found
    }

    #[test]
    fn a_name_that_was_not_synced_may_be_lost_and_a_file_that_was_not_torn() {
        let [lost, torn, whole] = after(true);
        assert!(lost > 10 && torn == 0 && whole > 10, "{lost} {torn} {whole}");
        let [lost, torn, whole] = after(false);
        assert!(lost > 10 && torn > 10, "{lost} {torn} {whole}");
    }

    #[test]
    fn the_power_goes_after_so_many_writes() {
        let (mut folder, mut power) = (Folder::default(), Power { left: Some(5), ..Power::default() });
        folder.open(&mut power, PLACE, 0).unwrap();
        folder.append(&mut power, PLACE, (1, b"one")).unwrap();
        assert!(folder.append(&mut power, PLACE, (2, b"two")).is_err() && power.is_gone());
        let reader = folder.file(PLACE).unwrap().reader(PathBuf::new()).next_frame();
        assert!(reader.is_ok());
    }
}
