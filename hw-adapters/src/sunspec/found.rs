//! A device's controls as they were found, so that they can be given back: kept before the first write, on
//! disk where a place is given, and restored at a clean stop or, after a crash, at the next start.
//!
//! What somebody else has set since is left alone: a value that is neither the one found nor one of ours.

mod state;

use self::state::{key, State};
use super::control::Write;
use super::points::{Model, Point};
use super::registers::ModelRegisters;
use super::session::Session;
use crate::device::DeviceError;
use crate::kept;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

const KEEP: &str = "keeping the state found";
const RESTORE: &str = "restoring the state found";

/// Where the common model (1) has the serial number, and its registers.
const SERIAL: (u16, u16) = (50, 16);

/// One control of a model: its values, and what puts them in force.
#[derive(Clone, Copy, Debug)]
pub(super) struct Control {
    /// The model it is in.
    pub model: &'static Model,
    /// Its timer; written like a value, but not told apart by who wrote it: it may count down.
    pub timer: &'static Point,
    /// Its values, in the order they are written in.
    pub values: &'static [&'static Point],
    /// What puts them in force.
    pub enable: &'static Point,
}

/// Registers by their first one's offset.
pub(super) type Registers = BTreeMap<u16, Vec<u16>>;

/// The state found in one device.
#[derive(Debug, Default)]
pub(super) struct Found {
    file: Option<PathBuf>,
    kept: State,
    /// What the file has.
    saved: State,
    /// Whether a state from before a crash has been looked for.
    looked: bool,
}

impl Found {
    /// Kept in `file`, which need not exist; without one only in memory.
    pub fn kept_in(file: Option<PathBuf>) -> Self {
        Self { file, ..Self::default() }
    }

    /// Whether the values of `control` are the last ones of ours, in force or lapsed.
    pub fn is_ours(&self, control: &Control, now: &ModelRegisters) -> bool {
        self.kept.is_ours(control, now)
    }

    /// What was found of a point of `control`; none before it was kept.
    pub fn of(&self, control: &Control, point: &Point) -> Option<&[u16]> {
        self.kept.found.get(&key(control))?.get(&point.offset).map(Vec::as_slice)
    }

    /// What was found beside `control`, and what of it we wrote, by offset; none where nothing of it is ours.
    pub fn beside(&self, control: &Control) -> Option<(&Registers, &Registers)> {
        Some((self.kept.found.get(&key(control))?, self.kept.ours.get(&key(control))?))
    }

    /// Keeps `control` as found in `before`, unless what stands there is ours, and what will be written now and until
    /// its ramps end, before it is.
    pub async fn keep(
        &mut self,
        session: &mut Session,
        control: &Control,
        before: &ModelRegisters,
        writes: &[Write],
    ) -> Result<(), DeviceError> {
        let words = writes.iter().map(Write::registers).collect();
        self.keep_with(session, (control, before), &[], (words, writes)).await
    }

    /// The same with registers beside the control's own, `beside` as they were found and `words` as they are written, by
    /// offset; those of `ways` are among the latter.
    pub async fn keep_with(
        &mut self,
        session: &mut Session,
        (control, before): (&Control, &ModelRegisters),
        beside: &[(u16, Vec<u16>)],
        (words, ways): (Vec<(u16, Vec<u16>)>, &[Write]),
    ) -> Result<(), DeviceError> {
        self.same_device(session, KEEP).await?;
        let mut next = self.kept.clone();
        if next.found.is_empty() {
            next.serial = serial(session, KEEP).await?;
        }
        let stands = Some(before).filter(|before| self.is_ours(control, before));
        if stands.is_none() {
            let mut image = image(control, before);
            image.extend(beside.iter().cloned());
            next.found.insert(key(control), image);
        }
        next.wrote(control, words);
        if !self.saved.covers(&next, control) {
            let wide = next.along(&self.saved, control, stands, ways);
            self.save(wide).await.map_err(|e| unkept(session, KEEP, self.file.as_deref(), &e))?;
        }
        self.kept = next;
        Ok(())
    }

    /// At the first contact after a start: gives a device back what a crash left changed.
    pub async fn look(&mut self, session: &mut Session, controls: &[Control]) -> Result<(), DeviceError> {
        if self.load(session).await? {
            let restored = self.restore(session, controls).await;
            self.settle(session, restored)?;
        }
        Ok(())
    }

    /// At the first contact after a start: whether a crash left anything changed; what it was is then known.
    pub async fn load(&mut self, session: &mut Session) -> Result<bool, DeviceError> {
        if self.looked {
            return Ok(false);
        }
        if let Some(file) = self.file.clone() {
            let read = tokio::task::spawn_blocking(move || kept::read::<State>(&file)).await;
            match read.map_err(io::Error::other).and_then(|read| read) {
                Ok(Some(kept)) if kept.serial == serial(session, RESTORE).await? => {
                    self.saved = kept.clone();
                    self.kept = kept;
                    return Ok(true);
                }
                Ok(Some(_)) => {
                    tracing::warn!(device = session.name(), "another device; its state is not restored")
                }
                Ok(None) => {}
                Err(error) => return Err(unkept(session, RESTORE, self.file.as_deref(), &error)),
            }
        }
        self.looked = true;
        Ok(false)
    }

    /// What came of giving back what was left changed. What it won't take back must not keep it from being used.
    pub fn settle(
        &mut self,
        session: &Session,
        restored: Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        match restored {
            Err(error @ (DeviceError::Disobeyed { .. } | DeviceError::Refused { .. })) => {
                tracing::warn!(device = session.name(), %error, "not restored as it was found");
                self.kept = State::default();
            }
            other => other?,
        }
        self.looked = true;
        Ok(())
    }

    /// Gives every control of `controls` back as it was found, and forgets it.
    pub async fn restore(&mut self, session: &mut Session, controls: &[Control]) -> Result<(), DeviceError> {
        for control in controls {
            self.restore_one(session, control).await?;
        }
        self.save(State::default()).await.map_err(|e| unkept(session, RESTORE, self.file.as_deref(), &e))?;
        self.kept = State::default();
        Ok(())
    }

    /// Gives one control back as it was found; what was found stays known. Nothing where it was never kept, or
    /// somebody else has set it since.
    pub async fn restore_one(&mut self, session: &mut Session, control: &Control) -> Result<(), DeviceError> {
        let (found, ours) = (self.kept.found.get(&key(control)), self.kept.ours.get(&key(control)));
        let (Some(found), Some(ours)) = (found.cloned(), ours.cloned()) else { return Ok(()) };
        if !self.same_device(session, RESTORE).await? {
            return Ok(());
        }
        let Some(now) = session.model(RESTORE, control.model).await? else { return Ok(()) };
        let foreign = control.values.iter().any(|point| {
            let now = now.of(point);
            let is_found = now == found.get(&point.offset).map(Vec::as_slice);
            let is_ours = now.is_some_and(|words| self.kept.has(control, point, words));
            ours.contains_key(&point.offset) && !is_found && !is_ours
        });
        if foreign {
            tracing::warn!(device = session.name(), "set by somebody else since; left as it is");
        } else {
            put_back(session, control, &now, &found).await?;
        }
        self.kept.forget(control);
        Ok(())
    }

    /// Whether the device is still the one of which anything is kept. What was found in one is not another's: should
    /// it have been replaced, it is forgotten.
    async fn same_device(&mut self, session: &mut Session, act: &'static str) -> Result<bool, DeviceError> {
        if self.kept.found.is_empty() || self.kept.serial == serial(session, act).await? {
            return Ok(true);
        }
        tracing::warn!(
            device = session.name(),
            "another device answers there; what was found is not given to it"
        );
        self.save(State::default()).await.map_err(|e| unkept(session, act, self.file.as_deref(), &e))?;
        self.kept = State::default();
        Ok(false)
    }

    async fn save(&mut self, state: State) -> io::Result<()> {
        if let Some(file) = self.file.clone() {
            let text = if state.found.is_empty() { None } else { Some(serde_json::to_vec(&state)?) };
            let written = tokio::task::spawn_blocking(move || kept::write(&file, text.as_deref()));
            written.await.map_err(io::Error::other)??;
        }
        self.saved = state;
        Ok(())
    }
}

/// What was not in force is put out of force first, then the values; what was in force the other way round.
async fn put_back(
    session: &mut Session,
    control: &Control,
    now: &ModelRegisters,
    found: &Registers,
) -> Result<(), DeviceError> {
    let was_on = found.get(&control.enable.offset).is_some_and(|words| words.iter().any(|word| *word != 0));
    let values = std::iter::once(control.timer).chain(control.values.iter().copied());
    let mut order: Vec<&Point> = values.collect();
    order.insert(if was_on { order.len() } else { 0 }, control.enable);
    for point in order {
        let Some(words) = found.get(&point.offset) else { continue };
        if now.of(point) != Some(words.as_slice()) || point == control.enable {
            session.write(RESTORE, control.model, point, words).await?;
        }
    }
    let after = session.must_have(RESTORE, control.model).await?;
    for point in control.values.iter().copied().chain([control.enable]) {
        if let Some(words) = found.get(&point.offset) {
            if after.of(point) != Some(words.as_slice()) {
                return Err(DeviceError::Disobeyed {
                    device: session.name().to_owned(),
                    what: point.name,
                    written: format!("{words:?}, as found"),
                    read: format!("{:?}", after.of(point)),
                });
            }
        }
    }
    Ok(())
}

/// The control's registers, as far as they are implemented.
fn image(control: &Control, before: &ModelRegisters) -> Registers {
    let points = control.values.iter().copied().chain([control.timer, control.enable]);
    let implemented = points.filter(|point| before.raw(point).is_some());
    implemented.filter_map(|point| Some((point.offset, before.of(point)?.to_vec()))).collect()
}

/// The device's serial number; nothing where it has no common model.
async fn serial(session: &mut Session, act: &'static str) -> Result<Vec<u16>, DeviceError> {
    let place = session.models(act).await?.iter().find(|place| place.id == 1).copied();
    let Some(place) = place else { return Ok(Vec::new()) };
    let (at, count) = SERIAL;
    let words = session.read(act, place, place.length.saturating_add(2).min(at + count)).await?;
    Ok(words.get(usize::from(at)..).unwrap_or_default().to_vec())
}

fn unkept(session: &Session, act: &'static str, file: Option<&Path>, error: &io::Error) -> DeviceError {
    let file = file.map(|file| file.display().to_string()).unwrap_or_default();
    session.refused(act, format!("{file}: {error}"))
}
