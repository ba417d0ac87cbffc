//! What becomes of a deployment's participants and brokers: made, given other keys, revoked. What follows from that in
//! files is in [`super::files`].

use super::authority::Authority;
use super::check::Sound;
use super::entries;
use super::error::ProvisionError;
use super::folder::{Change, Secrecy};
use super::genesis;
use super::layout::{self, in_machine};
use super::plan::Member;
use super::record::{Issued, PartyRecord, Record};
use super::{Done, RECORD, SOON_S};
use crate::configuration::key_file;
use ed25519_dalek::SigningKey;
use ledger::genesis::Genesis;
use ledger::rights::registrar_of;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use time::OffsetDateTime;
use wire::hash::Hash32;
use wire::party::{Id, PartyId, Role};
use wire::possession::Possession;

/// A deployment that is being changed.
pub struct Work<'a> {
    pub(super) sound: &'a Sound,
    pub(super) change: Change,
    /// The deployment's folder, absolute.
    pub(super) directory: PathBuf,
    pub(super) record: Record,
    pub(super) done: Done,
    pub(super) authority: Authority,
    /// None until it is made.
    genesis: Option<Genesis>,
    pub(super) now: OffsetDateTime,
    at_height: Option<u64>,
    /// Number of the revocation list that is there; none where there is none.
    list: Option<u64>,
}

impl<'a> Work<'a> {
    /// Goes on from what is there; makes an authority where nothing is.
    ///
    /// # Errors
    /// Where what is there can't be used, or the plan asks for another genesis.
    pub fn open(
        sound: &'a Sound,
        mut change: Change,
        directory: &Path,
        (now, at_height): (OffsetDateTime, Option<u64>),
    ) -> Result<Self, ProvisionError> {
        let network = &sound.plan.market;
        let made = |path: &str, reason: String| ProvisionError::Made { path: directory.join(path), reason };
        let directory_absolute = std::path::absolute(directory).map_err(|source| ProvisionError::File {
            act: "finding",
            path: directory.to_owned(),
            source,
        })?;
        let Some(bytes) = change.read(Path::new(RECORD))? else {
            let days = *sound.plan.certificates.authority_days.get_ref();
            let (authority, made) = Authority::new(network, now, days)?;
            change.put(layout::AUTHORITY.into(), made.certificate.into_bytes(), Secrecy::Public)?;
            change.put(layout::AUTHORITY_KEY.into(), made.key.into_bytes(), Secrecy::Private)?;
            let record = Record {
                genesis: Hash32::default(),
                authority: made.issued,
                list: 1,
                parties: BTreeMap::new(),
                brokers: BTreeMap::new(),
                revoked: Vec::new(),
            };
            let (directory, done) = (directory_absolute, Done::default());
            return Ok(Self {
                sound,
                change,
                directory,
                record,
                done,
                authority,
                genesis: None,
                now,
                at_height,
                list: None,
            });
        };
        let record: Record = serde_json::from_slice(&bytes)
            .map_err(|error| made(RECORD, format!("it is no record: {error}")))?;
        let wanted = |path: &'static str| {
            let bytes = change.read(Path::new(path))?;
            bytes.ok_or_else(|| made(path, format!("it is not there, and {RECORD} says it was made")))
        };
        let key = String::from_utf8_lossy(&wanted(layout::AUTHORITY_KEY)?).into_owned();
        let text = wanted(layout::GENESIS)?;
        if Hash32::plain(&text) != record.genesis {
            return Err(made(layout::GENESIS, "it was changed since it was made".to_owned()));
        }
        let genesis: Genesis =
            serde_json::from_slice(&text).map_err(|error| made(layout::GENESIS, error.to_string()))?;
        genesis::held(sound, &genesis)?;
        let (authority, list) = (Authority::of_key(network, now, &key)?, Some(record.list));
        let (directory, done) = (directory_absolute, Done::default());
        let genesis = Some(genesis);
        Ok(Self { sound, change, directory, record, done, authority, genesis, now, at_height, list })
    }

    /// Makes who is new in the plan, and revokes who is not in it any more.
    ///
    /// # Errors
    /// Where something can't be made.
    pub fn all(&mut self) -> Result<(), ProvisionError> {
        let members = self.sound.plan.members();
        let gone: Vec<String> =
            self.present().filter(|(name, _)| !named_in(&members, name)).map(|(n, _)| n.clone()).collect();
        for name in gone {
            self.revoke(&name.parse()?)?;
        }
        for member in &members {
            let party = member.party();
            match self.record.parties.get(&party.to_string()) {
                None => self.make(member)?,
                Some(known) if known.revoked => {
                    self.note(format!("{party} was revoked, and the plan still names it: it is left out"));
                }
                Some(known) if known.machine != *member.machine.get_ref() => {
                    let reason = format!(
                        "{party} was made for machine {}; revoke it there and take another identifier, or name that machine",
                        known.machine
                    );
                    return Err(self.sound.wrong(
                        member.machine,
                        &format!("{}.machine", party.role.word()),
                        reason,
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Makes one participant who is new in the plan.
    ///
    /// # Errors
    /// Where the plan doesn't name it, it was made before, or can't be made.
    pub fn add_one(&mut self, party: &PartyId) -> Result<(), ProvisionError> {
        self.begun(party)?;
        if self.record.parties.contains_key(&party.to_string()) {
            return Err(refused(party, "it was made before"));
        }
        let members = self.sound.plan.members();
        let member = members.iter().find(|member| member.party() == *party);
        self.make(member.ok_or_else(|| refused(party, "the plan does not name it"))?)
    }

    /// Revokes one participant.
    ///
    /// # Errors
    /// Where there is none of this name, or the market can't be without it.
    pub fn revoke_one(&mut self, party: &PartyId) -> Result<(), ProvisionError> {
        self.begun(party)?;
        self.revoke(party)
    }

    /// Gives one participant another certificate, and another signing key but where its certificate alone is asked for.
    ///
    /// # Errors
    /// Where there is none of this name.
    pub fn rotate(&mut self, party: &PartyId, certificate_only: bool) -> Result<(), ProvisionError> {
        self.begun(party)?;
        let mut known = self.known(party)?;
        let machine = layout::machine(&known.machine);
        let (name, word) = (layout::party_name(party), party.to_string());
        self.record.revoke(&word, &known.certificate, self.now.unix_timestamp(), true);
        known.certificate = self.certify(party, &machine)?;
        if let Some(own) =
            (party.role == Role::Validator).then(|| self.record.brokers.remove(&word)).flatten()
        {
            // Made anew with the rest.
            self.record.revoke(&word, &own.certificate, self.now.unix_timestamp(), true);
        }
        if !certificate_only {
            let epoch = known.keys.len();
            let key = self.draw(party, &machine, epoch)?;
            known.keys.push(Hash32(key.verifying_key().to_bytes()));
            let entry = in_machine::entry(&format!("{name}-rotate-{epoch}"));
            let text = entries::rotate(party, epoch);
            self.entry(&machine, &entry, &text, &in_machine::role(&name))?;
        }
        self.note(format!(
            "{party}: copy {} to its machine before brokers get the new revocation list, and start it anew",
            machine.display()
        ));
        self.record.parties.insert(word, known);
        Ok(())
    }

    /// Puts brokers' certificates, configurations and everything else in its place.
    ///
    /// # Errors
    /// Where a file can't be written. Nothing has changed then.
    pub fn finish(mut self) -> Result<Done, ProvisionError> {
        self.brokers()?;
        if self.genesis.is_none() {
            self.found()?;
        }
        if self.list != Some(self.record.list) {
            let (revoked, list) = (&self.record.revoked, self.record.list);
            let text = self.authority.revocations(revoked, list, self.record.authority.until)?;
            self.change.put(layout::REVOKED.into(), text.into_bytes(), Secrecy::Public)?;
        }
        self.lay_out()?;
        let record = serde_json::to_string_pretty(&self.record)? + "\n";
        self.change.put(RECORD.into(), record.into_bytes(), Secrecy::Private)?;
        self.warn();
        (self.done.written, self.done.removed) = self.change.paths();
        self.change.make()?;
        Ok(self.done)
    }

    /// Parties that take part.
    pub(super) fn present(&self) -> impl Iterator<Item = (&String, &PartyRecord)> {
        self.record.parties.iter().filter(|(_, known)| !known.revoked)
    }

    pub(super) fn note(&mut self, text: String) {
        self.done.notes.push(text);
    }

    fn begun(&self, party: &PartyId) -> Result<(), ProvisionError> {
        let made = self.genesis.is_some();
        made.then_some(())
            .ok_or_else(|| refused(party, "nothing was made yet: provision the whole plan first"))
    }

    fn known(&self, party: &PartyId) -> Result<PartyRecord, ProvisionError> {
        let known = self.record.parties.get(&party.to_string());
        let known = known.ok_or_else(|| refused(party, "there is none of this name here"))?;
        if known.revoked {
            return Err(refused(party, "it was revoked before"));
        }
        Ok(known.clone())
    }

    /// Keys, certificate and, where there is a genesis already, the entry that registers it.
    fn make(&mut self, member: &Member<'_>) -> Result<(), ProvisionError> {
        let party = member.party();
        let machine_name = member.machine.get_ref().clone();
        let machine = layout::machine(&machine_name);
        let key = self.draw(&party, &machine, 0)?;
        let public = Hash32(key.verifying_key().to_bytes());
        // A pseudonym says nothing of whose it is; the ledger knows accounts and not names.
        let account: Id = format!("acct-{}", Hash32::of("gridpact account", &[&public.0]).short()).parse()?;
        let certificate = self.certify(&party, &machine)?;
        let founder = self.genesis.is_none();
        if !founder {
            let network = &self.sound.plan.market;
            let participant = genesis::participant(member, public, account.clone());
            let possession = Possession::prove(&key, network, &party, 0);
            let text = entries::register(network, participant, possession, self.at_height)?;
            self.registry_entry(&party, "register", &text)?;
        }
        let known = PartyRecord {
            machine: machine_name,
            account,
            keys: vec![public],
            certificate,
            founder,
            revoked: false,
        };
        self.record.parties.insert(party.to_string(), known);
        Ok(())
    }

    fn draw(&mut self, party: &PartyId, machine: &Path, epoch: usize) -> Result<SigningKey, ProvisionError> {
        let key = key_file::generate()?;
        let path = machine.join(in_machine::key(party, epoch));
        let pem = key_file::pem(&key, &path)?;
        self.change.put(path, pem.as_bytes().to_vec(), Secrecy::Private)?;
        Ok(key)
    }

    fn certify(&mut self, party: &PartyId, machine: &Path) -> Result<Issued, ProvisionError> {
        let made = self.authority.party(party, *self.sound.plan.certificates.party_days.get_ref())?;
        let name = layout::party_name(party);
        let (certificate, key) = (in_machine::certificate(&name), in_machine::certificate_key(&name));
        self.change.put(machine.join(certificate), made.certificate.into_bytes(), Secrecy::Public)?;
        self.change.put(machine.join(key), made.key.into_bytes(), Secrecy::Private)?;
        Ok(made.issued)
    }

    fn revoke(&mut self, party: &PartyId) -> Result<(), ProvisionError> {
        let mut known = self.known(party)?;
        let role = party.role;
        let of_role = |name: &str| name.split('/').next() == Some(role.word());
        let left = self.present().filter(|(name, _)| of_role(name)).count();
        let needed = matches!(role, Role::Dso | Role::Tso | Role::Aggregator | Role::Validator);
        if needed && left == 1 {
            return Err(refused(party, "a market can't be without it; rotate its keys instead"));
        }
        known.revoked = true;
        let (word, name) = (party.to_string(), layout::party_name(party));
        self.record.revoke(&word, &known.certificate, self.now.unix_timestamp(), false);
        let machine = layout::machine(&known.machine);
        let keys = (0..known.keys.len()).map(|epoch| in_machine::key(party, epoch));
        let others =
            [in_machine::certificate(&name), in_machine::certificate_key(&name), in_machine::role(&name)];
        keys.chain(others).for_each(|path| self.change.remove(machine.join(path)));
        let text = entries::revoke(party, self.at_height)?;
        self.registry_entry(party, "revoke", &text)?;
        self.record.parties.insert(word, known);
        Ok(())
    }

    /// An entry by whose role registers such participants; proposals are the DSO's to make.
    fn registry_entry(&mut self, party: &PartyId, act: &str, text: &str) -> Result<(), ProvisionError> {
        let members = self.sound.plan.members();
        let registrar = registrar_of(party.role).unwrap_or(Role::Dso);
        let by = members.iter().find(|member| member.party().role == registrar);
        let Some(by) = by else {
            let word = registrar.word();
            self.note(format!("{party}: no entry was made, as the plan names no {word}, who submits it"));
            return Ok(());
        };
        let entry = in_machine::entry(&format!("{}-{act}", layout::party_name(party)));
        let submitter = in_machine::role(&layout::party_name(&by.party()));
        self.entry(&layout::machine(by.machine.get_ref()), &entry, text, &submitter)
    }

    fn entry(&mut self, machine: &Path, entry: &Path, text: &str, by: &Path) -> Result<(), ProvisionError> {
        let text = entries::headed(text, entry, by);
        let folder = machine.display();
        self.note(format!("in {folder}: gridpact ledger submit {} --as {}", entry.display(), by.display()));
        self.change.put(machine.join(entry), text.into_bytes(), Secrecy::Public)
    }

    /// The genesis, with everyone in it.
    fn found(&mut self) -> Result<(), ProvisionError> {
        let mut participants = Vec::new();
        for member in self.members() {
            if let Some(known) = self.record.parties.get(&member.party().to_string()) {
                participants.push(genesis::participant(&member, known.keys[0], known.account.clone()));
            }
        }
        let genesis = genesis::build(self.sound, participants)?;
        let text = serde_json::to_string_pretty(&genesis)?.into_bytes();
        self.record.genesis = Hash32::plain(&text);
        self.change.put(layout::GENESIS.into(), text, Secrecy::Public)?;
        self.genesis = Some(genesis);
        Ok(())
    }

    /// Participants of the plan that were made and take part.
    pub(super) fn members(&self) -> Vec<Member<'a>> {
        let sound: &'a Sound = self.sound;
        let mut members = sound.plan.members();
        members.retain(|member| {
            self.record.parties.get(&member.party().to_string()).is_some_and(|known| !known.revoked)
        });
        members
    }

    /// Names certificates that end soon.
    fn warn(&mut self) {
        let soon = self.now.unix_timestamp() + SOON_S;
        let ending = |(name, issued): (&String, &Issued)| {
            (issued.until < soon).then(|| format!("{name}'s certificate ends within 60 days: rotate it"))
        };
        let parties = self.present().map(|(name, known)| (name, &known.certificate));
        let brokers = self.record.brokers.iter().map(|(name, known)| (name, &known.certificate));
        let notes: Vec<String> = parties.chain(brokers).filter_map(ending).collect();
        self.done.notes.extend(notes);
    }
}

fn named_in(members: &[Member<'_>], name: &str) -> bool {
    members.iter().any(|member| member.party().to_string() == *name)
}

fn refused(party: &PartyId, reason: &str) -> ProvisionError {
    ProvisionError::Party { party: party.to_string(), reason: reason.to_owned() }
}
