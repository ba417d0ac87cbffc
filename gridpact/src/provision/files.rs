//! What follows from plan and record in each machine's folder: configurations, copies of what all have, and brokers' own
//! files. All of it is made anew each time, and written where it differs.

use super::error::ProvisionError;
use super::folder::Secrecy;
use super::layout::{self, in_machine};
use super::mosquitto::{self, Listener};
use super::plan::{BrokerKind, BrokerPlan, MachinePlan, Part, ValidatorPlan};
use super::roles::Roles;
use super::work::Work;
use crate::configuration::machine::MachineFile;
use crate::configuration::party::PartyKeys;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wire::party::{Id, PartyId, Role};

/// Says of a configuration where it comes from.
const HEADING: &str =
    "# Made by `gridpact provision`; change the plan instead. All keys: docs/CONFIGURATION.md.\n";

/// What commands read of a participant without a process.
#[derive(Serialize)]
struct CommandFile {
    role: Role,
    party: PartyKeys,
}

impl<'a> Work<'a> {
    /// Lays out every machine's folder.
    ///
    /// # Errors
    /// Where a file beside the plan can't be read, or a configuration has no TOML.
    pub(super) fn lay_out(&mut self) -> Result<(), ProvisionError> {
        let plan = &self.sound.plan;
        let members = self.members();
        let validators: Vec<&ValidatorPlan> = members
            .iter()
            .filter_map(|member| match member.part {
                Part::Validator(validator) => Some(validator),
                _ => None,
            })
            .collect();
        let roles = Roles { plan, validators: &validators };
        // By machine, the roles that run there.
        let mut running: BTreeMap<Id, Vec<PathBuf>> = BTreeMap::new();
        for broker in &plan.broker {
            let Some(machine) = plan.machine(broker.machine.get_ref()) else { continue };
            if broker.kind == BrokerKind::Embedded {
                let file = in_machine::role(&layout::broker_name(broker));
                self.put_toml(machine, &file, &roles.broker(broker, machine))?;
                running.entry(machine.name.get_ref().clone()).or_default().push(file);
            }
        }
        for member in &members {
            let Some(machine) = plan.machine(member.machine.get_ref()) else { continue };
            let Some(known) = self.record.parties.get(&member.party().to_string()).cloned() else { continue };
            let file = in_machine::role(&layout::party_name(&member.party()));
            match roles.member(member, &known, machine) {
                Some(role) => {
                    self.put_toml(machine, &file, &role)?;
                    running.entry(machine.name.get_ref().clone()).or_default().push(file);
                }
                None => {
                    let party = roles.party(member, &known, machine);
                    self.put_toml(machine, &file, &CommandFile { role: member.party().role, party })?;
                }
            }
            if let Part::Tso(tso) = member.part {
                let (folder, sound) = (layout::machine(machine.name.get_ref()), self.sound);
                for (file, key, name) in [
                    (&tso.prices, "tso.prices", in_machine::PRICES),
                    (&tso.wholesale, "tso.wholesale", in_machine::WHOLESALE),
                ] {
                    if let Some(file) = file {
                        self.change.put(folder.join(name), sound.beside(file, key)?, Secrecy::Public)?;
                    }
                }
            }
        }
        for machine in &plan.machine {
            let roles = running.remove(machine.name.get_ref()).unwrap_or_default();
            self.machine(machine, roles)?;
        }
        let parties: Vec<PartyId> = members.iter().map(|member| member.party()).collect();
        plan.broker.iter().try_for_each(|broker| self.foreign(broker, &parties))
    }

    fn put_toml(
        &mut self,
        machine: &MachinePlan,
        file: &Path,
        content: &impl Serialize,
    ) -> Result<(), ProvisionError> {
        let path = layout::machine(machine.name.get_ref()).join(file);
        let text =
            toml::to_string(content).map_err(|source| ProvisionError::Toml { path: path.clone(), source })?;
        self.change.put(path, format!("{HEADING}{text}").into_bytes(), Secrecy::Public)
    }

    /// What every machine has, and the file that names its roles.
    fn machine(&mut self, machine: &MachinePlan, roles: Vec<PathBuf>) -> Result<(), ProvisionError> {
        let folder = layout::machine(machine.name.get_ref());
        for (from, to) in [
            (layout::GENESIS, in_machine::GENESIS),
            (layout::AUTHORITY, in_machine::AUTHORITY),
            (layout::REVOKED, in_machine::REVOKED),
        ] {
            self.copy(Path::new(from), folder.join(to))?;
        }
        if roles.is_empty() {
            return Ok(());
        }
        self.put_toml(machine, Path::new(in_machine::MACHINE), &MachineFile::of(roles))
    }

    fn copy(&mut self, from: &Path, to: PathBuf) -> Result<(), ProvisionError> {
        let reason = || "it is not there, and was made before".to_owned();
        let bytes = self.change.read(from)?;
        let bytes = bytes
            .ok_or_else(|| ProvisionError::Made { path: self.directory.join(from), reason: reason() })?;
        self.change.put(to, bytes, Secrecy::Public)
    }

    /// The folder of a broker that is not this program's.
    fn foreign(&mut self, broker: &BrokerPlan, parties: &[PartyId]) -> Result<(), ProvisionError> {
        let plan = &self.sound.plan;
        let Some(machine) = plan.machine(broker.machine.get_ref()) else { return Ok(()) };
        if broker.kind == BrokerKind::Embedded {
            return Ok(());
        }
        let name = layout::broker_name(broker);
        let machine_folder = layout::machine(machine.name.get_ref());
        let folder = machine_folder.join(&name);
        self.copy(Path::new(layout::AUTHORITY), folder.join("authority.pem"))?;
        self.copy(Path::new(layout::REVOKED), folder.join("revoked.pem"))?;
        let certificate = machine_folder.join(in_machine::certificate(&name));
        self.copy(&certificate, folder.join("broker.crt"))?;
        let key = self.change.read(&machine_folder.join(in_machine::certificate_key(&name)))?;
        // Whoever has taken it away has it where it is used.
        if let Some(key) = key {
            self.change.put(folder.join("broker.key"), key, Secrecy::Private)?;
        }
        if broker.kind == BrokerKind::External {
            let table = mosquitto::rules_table(&plan.market, parties);
            return self.change.put(folder.join("rules.csv"), table.into_bytes(), Secrecy::Public);
        }
        let here = self.directory.join(&folder);
        let owner = owner(&self.directory);
        let listener = Listener {
            listen: machine.listen,
            port: *broker.port.get_ref(),
            folder: broker.directory.as_deref().unwrap_or(&here),
            user: broker.user.as_ref().map(|user| user.get_ref().as_str()).or(owner),
            one_client_each: plan.timekeeper.is_none(),
        };
        let list = mosquitto::access_list(&plan.market, parties);
        self.change.put(
            folder.join("mosquitto.conf"),
            mosquitto::configuration(&listener).into_bytes(),
            Secrecy::Public,
        )?;
        self.change.put(folder.join("acl"), list.into_bytes(), Secrecy::Private)
    }
}

/// `root`, where that is whose the nearest folder is that is there: Mosquitto started by it becomes somebody who could
/// not read the key.
fn owner(directory: &Path) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let about = directory.ancestors().find_map(|folder| folder.metadata().ok());
        about.filter(|about| about.uid() == 0).map(|_| "root")
    }
    #[cfg(not(unix))]
    {
        let _ = directory;
        None
    }
}
