//! The plan: one TOML file that says who takes part, where each runs, and what the market goes by. Data alone;
//! whether it holds together is looked at in [`super::check`]. Unknown keys are refused.

use crate::configuration::party::ClockKind;
use agents::site::options::SiteOptions;
use market::day_ahead::rules::DayAheadRules;
use market::feeder::Feeder;
use market::grid::rules::GridRules;
use market::parameters::MarketParameters;
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use toml::Spanned;
use wire::party::{Id, PartyId, Role};
use wire::topic::Network;

/// A deployment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Which market it is.
    pub market: Network,
    /// Where market time comes from.
    #[serde(default)]
    pub clock: ClockKind,
    /// Tokens every account begins with, in EUR.
    pub first_balance_eur: Spanned<u32>,
    /// How long certificates hold.
    #[serde(default)]
    pub certificates: CertificatesPlan,
    /// As in the genesis.
    pub feeder: Spanned<Feeder>,
    /// As in the genesis.
    pub parameters: Spanned<MarketParameters>,
    /// As in the genesis.
    pub grid: Option<Spanned<GridRules>>,
    /// As in the genesis.
    pub day_ahead: Option<Spanned<DayAheadRules>>,
    /// Machines.
    pub machine: Vec<MachinePlan>,
    /// The market's brokers, in the order they are tried.
    pub broker: Vec<BrokerPlan>,
    /// The grid operator.
    pub dso: DsoPlan,
    /// The interface to the transmission system.
    pub tso: TsoPlan,
    /// Validators, each with a broker of its own.
    pub validator: Vec<ValidatorPlan>,
    /// Aggregators.
    pub aggregator: Vec<AggregatorPlan>,
    /// Sites.
    #[serde(default)]
    pub site: Vec<SitePlan>,
    /// Forecasters.
    #[serde(default)]
    pub forecaster: Vec<ForecasterPlan>,
    /// The source of simulated time.
    pub timekeeper: Option<TimekeeperPlan>,
    /// Participants without a process of this program.
    #[serde(default)]
    pub participant: Vec<ParticipantPlan>,
}

/// How long certificates hold, in days.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CertificatesPlan {
    /// The authority's.
    pub authority_days: Spanned<u32>,
    /// Parties' and brokers'.
    pub party_days: Spanned<u32>,
}

impl Default for CertificatesPlan {
    fn default() -> Self {
        Self { authority_days: Spanned::new(0..0, 7_300), party_days: Spanned::new(0..0, 825) }
    }
}

/// One machine: a folder of its own, and a process of all roles on it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachinePlan {
    /// Its name.
    pub name: Spanned<Id>,
    /// Host name or address by which the others reach it; stands in its brokers' certificates.
    pub host: Spanned<String>,
    /// Address its brokers listen on.
    #[serde(default = "everywhere")]
    pub listen: IpAddr,
    /// Address for /metrics and /healthz; none serves neither.
    pub metrics_listen: Option<SocketAddr>,
    /// Where its roles keep their files, each in a folder of its own. None for `data` beside the configuration.
    pub data: Option<PathBuf>,
}

fn everywhere() -> IpAddr {
    Ipv4Addr::UNSPECIFIED.into()
}

/// What carries the market's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BrokerKind {
    /// In the machine's process, behind the gate.
    Embedded,
    /// Mosquitto, with the files made for it.
    Mosquitto,
    /// Another one: it gets a certificate and the rules as a table, and the rest is its operator's.
    External,
}

/// One broker.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerPlan {
    /// Its name.
    pub name: Spanned<Id>,
    /// What it is.
    pub kind: BrokerKind,
    /// Where it runs.
    pub machine: Spanned<Id>,
    /// Port for MQTT over TLS.
    pub port: Spanned<u16>,
    /// Where its folder will lie on its machine, as its configuration names its files. None for where it is made.
    pub directory: Option<PathBuf>,
    /// Who it runs as, where it is started as root. None for whoever made the files.
    pub user: Option<Spanned<Id>>,
}

/// The DSO.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DsoPlan {
    /// Identifier.
    pub id: Spanned<Id>,
    /// Where it runs.
    pub machine: Spanned<Id>,
    /// As in its configuration.
    pub round_timeout_ms: Option<u64>,
    /// As in its configuration: a path on its machine.
    pub measured: Option<PathBuf>,
    /// As in its configuration.
    pub meter_error_percent: Option<f64>,
}

/// The TSO interface.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TsoPlan {
    /// Identifier.
    pub id: Spanned<Id>,
    /// Where it runs.
    pub machine: Spanned<Id>,
    /// File of prices, relative to the plan; copied. Either this or wholesale.
    pub prices: Option<Spanned<PathBuf>>,
    /// File of a wholesale market, likewise.
    pub wholesale: Option<Spanned<PathBuf>>,
    /// How often the prices' span is repeated; 0 is over and over, at all dates.
    #[serde(default = "once")]
    pub repeat: u32,
    /// As in its configuration.
    pub import_max_kw: f64,
    /// As in its configuration.
    pub export_max_kw: f64,
    /// As in its configuration.
    #[serde(default)]
    pub price_rise_eur_per_mwh_per_mw: f64,
    /// As in its configuration.
    #[serde(default)]
    pub emission_g_per_kwh: f64,
}

fn once() -> u32 {
    1
}

/// A validator.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorPlan {
    /// Identifier.
    pub id: Spanned<Id>,
    /// Where it runs.
    pub machine: Spanned<Id>,
    /// Port of the broker of its own.
    pub port: Spanned<u16>,
    /// Where it serves its ledger over HTTP; none where it doesn't.
    pub api_listen: Option<SocketAddr>,
    /// Whether it serves the console for the browser there, too.
    #[serde(default)]
    pub console: bool,
}

/// An aggregator.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AggregatorPlan {
    /// Identifier.
    pub id: Spanned<Id>,
    /// Where it runs.
    pub machine: Spanned<Id>,
    /// As in its configuration.
    pub readings_grace_ms: Option<u64>,
    /// Place of its batches, as in its configuration.
    pub archive_url: Option<String>,
}

/// A site.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SitePlan {
    /// Identifier.
    pub id: Spanned<Id>,
    /// Where it runs.
    pub machine: Spanned<Id>,
    /// The bus it is connected to.
    pub bus: Spanned<String>,
    /// Who bids for it.
    pub aggregator: Spanned<Id>,
    /// The most it may take or feed in, in kW.
    pub connection_kw: Spanned<f64>,
    /// Its meter and devices, as in its configuration.
    pub options: Spanned<SiteOptions>,
}

/// A forecaster.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForecasterPlan {
    /// Identifier.
    pub id: Spanned<Id>,
    /// Where it runs.
    pub machine: Spanned<Id>,
    /// File of what was measured, as its machine has it.
    pub observations: PathBuf,
}

/// The timekeeper.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimekeeperPlan {
    /// Identifier.
    pub id: Spanned<Id>,
    /// Where it runs.
    pub machine: Spanned<Id>,
    /// As in its configuration.
    pub first_interval: String,
    /// As in its configuration.
    pub intervals: Option<u32>,
    /// As in its configuration.
    pub speed: u32,
}

/// Somebody without a process of this program: keys, and a file for its commands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParticipantPlan {
    /// meter, auditor, regulator, trader, data-service or gateway.
    pub role: Spanned<Role>,
    /// Identifier.
    pub id: Spanned<Id>,
    /// Where its files go.
    pub machine: Spanned<Id>,
}

/// One participant of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// What it is, and what is particular to that.
    pub part: Part<'a>,
    /// Identifier.
    pub id: &'a Spanned<Id>,
    /// Where it runs.
    pub machine: &'a Spanned<Id>,
}

/// A participant's role with what its plan says of it.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// The DSO.
    Dso(&'a DsoPlan),
    /// The TSO interface.
    Tso(&'a TsoPlan),
    /// A validator.
    Validator(&'a ValidatorPlan),
    /// An aggregator.
    Aggregator(&'a AggregatorPlan),
    /// A site.
    Site(&'a SitePlan),
    /// A forecaster.
    Forecaster(&'a ForecasterPlan),
    /// The timekeeper.
    Timekeeper(&'a TimekeeperPlan),
    /// Without a process.
    Other(&'a ParticipantPlan),
}

impl Member<'_> {
    /// Its name.
    pub fn party(&self) -> PartyId {
        let role = match self.part {
            Part::Dso(_) => Role::Dso,
            Part::Tso(_) => Role::Tso,
            Part::Validator(_) => Role::Validator,
            Part::Aggregator(_) => Role::Aggregator,
            Part::Site(_) => Role::Site,
            Part::Forecaster(_) => Role::Forecaster,
            Part::Timekeeper(_) => Role::Timekeeper,
            Part::Other(other) => *other.role.get_ref(),
        };
        PartyId::new(role, self.id.get_ref().clone())
    }
}

impl Plan {
    /// Everyone.
    pub fn members(&self) -> Vec<Member<'_>> {
        fn of<'a>(part: Part<'a>, id: &'a Spanned<Id>, machine: &'a Spanned<Id>) -> Member<'a> {
            Member { part, id, machine }
        }
        let mut all = vec![of(Part::Dso(&self.dso), &self.dso.id, &self.dso.machine)];
        all.push(of(Part::Tso(&self.tso), &self.tso.id, &self.tso.machine));
        all.extend(self.validator.iter().map(|it| of(Part::Validator(it), &it.id, &it.machine)));
        all.extend(self.aggregator.iter().map(|it| of(Part::Aggregator(it), &it.id, &it.machine)));
        all.extend(self.site.iter().map(|it| of(Part::Site(it), &it.id, &it.machine)));
        all.extend(self.forecaster.iter().map(|it| of(Part::Forecaster(it), &it.id, &it.machine)));
        all.extend(self.timekeeper.iter().map(|it| of(Part::Timekeeper(it), &it.id, &it.machine)));
        all.extend(self.participant.iter().map(|it| of(Part::Other(it), &it.id, &it.machine)));
        all
    }

    /// The machine of this name.
    pub fn machine(&self, name: &Id) -> Option<&MachinePlan> {
        self.machine.iter().find(|machine| machine.name.get_ref() == name)
    }
}
