//! From a plan's participants and brokers to the configuration files that `gridpact run` reads.

use super::layout::{self, in_machine};
use super::plan::{BrokerPlan, MachinePlan, Member, Part, Plan, ValidatorPlan};
use super::record::PartyRecord;
use crate::configuration::listeners::{BrokerCertificateKeys, CertificateKeys, PartiesKeys};
use crate::configuration::mesh::MeshKeys;
use crate::configuration::party::{PartyKeys, ProcessKeys};
use crate::configuration::roles::{
    AggregatorFile, ApiKeys, ArchiveKeys, BrokerFile, DsoFile, ForecasterFile, RoleWord, SiteFile, StoreKeys,
    TimekeeperFile, TsoFile, ValidatorFile, METER_ERROR_PERCENT,
};
use crate::configuration::RoleFile;
use agents::aggregator::AggregatorOptions;
use agents::dso::DsoOptions;
use std::net::{IpAddr, SocketAddr};
use wire::party::{Id, Role};

/// Milliseconds of real time that simulated time waits for a phase.
const PHASE_LIMIT_MS: u64 = 30_000;
/// Intervals a forecaster looks ahead: two days of quarter-hours.
const HORIZON: usize = 192;

/// Files of a plan's roles.
#[derive(Clone, Copy, Debug)]
pub struct Roles<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Validators that take part, in the plan's order.
    pub validators: &'a [&'a ValidatorPlan],
}

impl Roles<'_> {
    /// A broker that runs in a process of this program.
    pub fn broker(&self, broker: &BrokerPlan, machine: &MachinePlan) -> RoleFile {
        RoleFile::Broker(BrokerFile {
            role: RoleWord::Broker,
            process: process(machine),
            listen: None,
            parties: Some(PartiesKeys {
                listen: SocketAddr::new(machine.listen, *broker.port.get_ref()),
                genesis: in_machine::GENESIS.into(),
                tls: broker_tls(&layout::broker_name(broker)),
            }),
            devices: None,
        })
    }

    /// A participant's own, where it has a process; else what its commands go by.
    pub fn member(
        &self,
        member: &Member<'_>,
        record: &PartyRecord,
        machine: &MachinePlan,
    ) -> Option<RoleFile> {
        let (party, process) = (self.party(member, record, machine), process(machine));
        Some(match member.part {
            Part::Dso(dso) => RoleFile::Dso(DsoFile {
                role: RoleWord::Dso,
                round_timeout_ms: dso.round_timeout_ms.unwrap_or(DsoOptions::default().round_timeout_ms),
                measured: dso.measured.clone(),
                meter_error_percent: dso.meter_error_percent.unwrap_or(METER_ERROR_PERCENT),
                party,
                process,
            }),
            Part::Tso(tso) => RoleFile::Tso(TsoFile {
                role: RoleWord::Tso,
                prices: tso.prices.is_some().then(|| in_machine::PRICES.into()),
                wholesale: tso.wholesale.is_some().then(|| in_machine::WHOLESALE.into()),
                repeat: tso.repeat,
                import_max_kw: tso.import_max_kw,
                export_max_kw: tso.export_max_kw,
                price_rise_eur_per_mwh_per_mw: tso.price_rise_eur_per_mwh_per_mw,
                emission_g_per_kwh: tso.emission_g_per_kwh,
                party,
                process,
            }),
            Part::Validator(validator) => RoleFile::Validator(ValidatorFile {
                role: RoleWord::Validator,
                store: StoreKeys::default(),
                party,
                process,
                mesh: Some(self.mesh(validator, machine)),
                api: validator.api_listen.map(|listen| ApiKeys { listen, console: validator.console }),
            }),
            Part::Aggregator(aggregator) => RoleFile::Aggregator(AggregatorFile {
                role: RoleWord::Aggregator,
                readings_grace_ms: aggregator
                    .readings_grace_ms
                    .unwrap_or(AggregatorOptions::default().readings_grace_ms),
                party,
                process,
                archive: ArchiveKeys { url: aggregator.archive_url.clone(), ..ArchiveKeys::default() },
            }),
            Part::Site(site) => RoleFile::Site(SiteFile {
                role: RoleWord::Site,
                party,
                process,
                site: site.options.get_ref().clone(),
            }),
            Part::Forecaster(forecaster) => RoleFile::Forecaster(ForecasterFile {
                role: RoleWord::Forecaster,
                observations: forecaster.observations.clone(),
                horizon: HORIZON,
                party,
                process,
            }),
            Part::Timekeeper(keeper) => RoleFile::Timekeeper(TimekeeperFile {
                role: RoleWord::Timekeeper,
                first_interval: keeper.first_interval.clone(),
                intervals: keeper.intervals,
                speed: keeper.speed,
                phase_limit_ms: PHASE_LIMIT_MS,
                party,
                process,
            }),
            Part::Other(_) => return None,
        })
    }

    /// A participant's `[party]`. Once its key was rotated it signs with the one before until the ledger has the new one.
    pub fn party(&self, member: &Member<'_>, record: &PartyRecord, machine: &MachinePlan) -> PartyKeys {
        let party = member.party();
        let name = layout::party_name(&party);
        let last = record.keys.len().saturating_sub(1);
        let epoch = last.saturating_sub(1);
        let key = |epoch: usize| in_machine::key(&party, epoch);
        let brokers = self
            .plan
            .broker
            .iter()
            .map(|broker| self.address(broker.machine.get_ref(), *broker.port.get_ref()));
        let (brokers, validator_brokers) = match party.role {
            // In its mesh stands where it reaches the others.
            Role::Validator => (brokers.collect(), Vec::new()),
            // Sites and forecasters have nothing to do with the ledger that others can't tell them.
            Role::Site | Role::Forecaster | Role::Timekeeper => (brokers.collect(), Vec::new()),
            _ => (brokers.collect(), self.validator_brokers().collect()),
        };
        PartyKeys {
            id: party.id.to_string(),
            key: key(epoch),
            key_epoch: epoch as u32,
            next_key: (last > 0).then(|| key(last)),
            genesis: in_machine::GENESIS.into(),
            brokers,
            validator_brokers,
            validator_connections: None,
            tls: Some(CertificateKeys {
                certificate: in_machine::certificate(&name),
                key: in_machine::certificate_key(&name),
                authority: in_machine::AUTHORITY.into(),
            }),
            clock: self.plan.clock,
            data_dir: machine.data.as_ref().map_or_else(|| in_machine::data(&name), |data| data.join(&name)),
        }
    }

    fn validator_brokers(&self) -> impl Iterator<Item = String> + '_ {
        self.validators.iter().map(|it| self.address(it.machine.get_ref(), *it.port.get_ref()))
    }

    fn mesh(&self, own: &ValidatorPlan, machine: &MachinePlan) -> MeshKeys {
        let others = self.validators.iter().filter(|other| other.id.get_ref() != own.id.get_ref());
        let peer = |other: &&ValidatorPlan| {
            let address = self.address(other.machine.get_ref(), *other.port.get_ref());
            (other.id.get_ref().to_string(), vec![address])
        };
        MeshKeys {
            listen: Some(SocketAddr::new(machine.listen, *own.port.get_ref())),
            broker: Vec::new(),
            tls: Some(broker_tls(&layout::mesh_name(own.id.get_ref()))),
            peers: others.map(peer).collect(),
        }
    }

    fn address(&self, machine: &Id, port: u16) -> String {
        let host = self.plan.machine(machine).map_or("", |machine| machine.host.get_ref());
        match host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("mqtts://[{address}]:{port}"),
            _ => format!("mqtts://{host}:{port}"),
        }
    }
}

fn process(machine: &MachinePlan) -> ProcessKeys {
    ProcessKeys { metrics_listen: machine.metrics_listen }
}

fn broker_tls(name: &str) -> BrokerCertificateKeys {
    BrokerCertificateKeys {
        certificate: in_machine::certificate(name),
        key: in_machine::certificate_key(name),
        authority: in_machine::AUTHORITY.into(),
        revoked: Some(in_machine::REVOKED.into()),
    }
}
