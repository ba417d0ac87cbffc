//! Brokers' certificates: each names its machine's host, and is made anew where that changes.

use super::error::ProvisionError;
use super::folder::Secrecy;
use super::layout::{self, in_machine};
use super::plan::Part;
use super::record::BrokerRecord;
use super::work::Work;
use std::collections::BTreeMap;
use wire::party::Id;

impl Work<'_> {
    /// Brokers' certificates, each for its host; those of brokers that are gone are revoked.
    pub(super) fn brokers(&mut self) -> Result<(), ProvisionError> {
        let plan = &self.sound.plan;
        let mut wanted: BTreeMap<String, (Id, String)> = BTreeMap::new();
        for broker in &plan.broker {
            wanted.insert(
                broker.name.get_ref().to_string(),
                (broker.machine.get_ref().clone(), layout::broker_name(broker)),
            );
        }
        for member in self.members() {
            if let Part::Validator(own) = member.part {
                let id = own.id.get_ref();
                wanted.insert(
                    format!("validator/{id}"),
                    (own.machine.get_ref().clone(), layout::mesh_name(id)),
                );
            }
        }
        let now = self.now.unix_timestamp();
        let gone = |name: &String, known: &BrokerRecord| {
            wanted.get(name).is_none_or(|(machine, _)| *machine != known.machine)
        };
        let gone: Vec<String> = self
            .record
            .brokers
            .iter()
            .filter(|(name, known)| gone(name, known))
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            if let Some(known) = self.record.brokers.remove(&name) {
                self.record.revoke(&name, &known.certificate, now, false);
                let file = name
                    .strip_prefix("validator/")
                    .map_or_else(|| format!("broker-{name}"), |id| format!("validator-{id}-broker"));
                let machine = layout::machine(&known.machine);
                for path in [
                    in_machine::certificate(&file),
                    in_machine::certificate_key(&file),
                    in_machine::role(&file),
                ] {
                    self.change.remove(machine.join(path));
                }
            }
        }
        let days = *plan.certificates.party_days.get_ref();
        for (name, (machine, file)) in wanted {
            let host = plan.machine(&machine).map_or("", |machine| machine.host.get_ref()).to_owned();
            if let Some(known) = self.record.brokers.get(&name) {
                if known.host == host {
                    continue;
                }
                let before = known.certificate.clone();
                self.record.revoke(&name, &before, now, true);
            }
            let made = self.authority.broker(&name, &host, days)?;
            let folder = layout::machine(&machine);
            self.change.put(
                folder.join(in_machine::certificate(&file)),
                made.certificate.into_bytes(),
                Secrecy::Public,
            )?;
            self.change.put(
                folder.join(in_machine::certificate_key(&file)),
                made.key.into_bytes(),
                Secrecy::Private,
            )?;
            self.record.brokers.insert(name, BrokerRecord { machine, host, certificate: made.issued });
        }
        Ok(())
    }
}
