//! What each role's file may hold: one structure a role, its unknown keys refused.

use super::listeners::{DevicesKeys, PartiesKeys};
use super::mesh::MeshKeys;
use super::party::{PartyKeys, ProcessKeys};
use agents::site::options::SiteOptions;
use ledger::store::StoreOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The role a file configures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RoleWord {
    /// A site controller.
    Site,
    /// An aggregator.
    Aggregator,
    /// The distribution system operator.
    Dso,
    /// The interface to the transmission system.
    Tso,
    /// A ledger validator.
    Validator,
    /// An embedded MQTT broker.
    Broker,
    /// The source of simulated time.
    Timekeeper,
    /// The source of forecasts.
    Forecaster,
    /// Several of these, on one machine.
    Machine,
}

/// A site controller: one customer's connection point and the devices behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteFile {
    /// Which role this file configures.
    pub role: RoleWord,
    /// Who it is.
    pub party: PartyKeys,
    /// What its process shows.
    #[serde(default)]
    pub process: ProcessKeys,
    /// Its meter and devices.
    pub site: SiteOptions,
}

/// An aggregator: collects its sites' bids and answers the DSO's prices. Who its sites are stands in
/// the genesis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AggregatorFile {
    /// Which role this file configures.
    pub role: RoleWord,
    /// Milliseconds of real time after an interval's end in which meter readings are waited for.
    #[serde(default = "readings_grace_ms")]
    pub readings_grace_ms: u64,
    /// Who it is.
    pub party: PartyKeys,
    /// What its process shows.
    #[serde(default)]
    pub process: ProcessKeys,
    /// Where its batches of readings and bids go.
    #[serde(default, skip_serializing_if = "ArchiveKeys::is_default")]
    pub archive: ArchiveKeys,
}

/// Where batches of readings and bids go: Parquet files, whose SHA-256 is on the ledger.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArchiveKeys {
    /// `file:///folder`, or `s3://bucket/prefix` for any S3-compatible store.
    /// Its credentials come from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY). None for the folder
    /// archive in the data_dir.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Address of the S3-compatible store, as `https://host:port`; none for Amazon's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Region of the store; none for the environment's AWS_REGION.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

impl ArchiveKeys {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

fn readings_grace_ms() -> u64 {
    agents::aggregator::AggregatorOptions::default().readings_grace_ms
}

/// The DSO: clears within the feeder's limits, which stand in the genesis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DsoFile {
    /// Which role this file configures.
    pub role: RoleWord,
    /// Milliseconds of real time waited at each stage of an interval before it is given up.
    #[serde(default = "round_timeout_ms")]
    pub round_timeout_ms: u64,
    /// What is measured on the feeder, against which its customers' meters are held: CSV with the columns
    /// interval_start_utc (RFC 3339), point (`head` for the grid supply point, or a line's name: at its upper end) and
    /// energy_wh (away from the grid supply point; negative back). Read again whenever it changes. It makes sense
    /// where all customers on the feeder are sites.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<PathBuf>,
    /// How far a meter may be off, in percent of its reading.
    #[serde(default = "meter_error_percent")]
    pub meter_error_percent: f64,
    /// Who it is.
    pub party: PartyKeys,
    /// What its process shows.
    #[serde(default)]
    pub process: ProcessKeys,
}

/// What meters of class 2 may be off.
pub const METER_ERROR_PERCENT: f64 = 2.0;

fn meter_error_percent() -> f64 {
    METER_ERROR_PERCENT
}

fn round_timeout_ms() -> u64 {
    agents::dso::DsoOptions::default().round_timeout_ms
}

/// The TSO interface: offers import and export at stated prices, or at those of a wholesale market.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TsoFile {
    /// Which role this file configures.
    pub role: RoleWord,
    /// Day-ahead prices: CSV with the columns interval_start_utc (RFC 3339) and price_eur_per_mwh, one
    /// row an interval, without gaps. Either this or wholesale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<PathBuf>,
    /// A wholesale market on a transmission network: TOML with `feeder_bus`; for each `[[line]]` from, to,
    /// reactance_pu (none where its flow can be chosen) and limit_mw; for each `[[trader]]` bus, curve (a list
    /// of price in EUR/MWh and power in MW, negative where it delivers) and profile (factors over a day).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wholesale: Option<PathBuf>,
    /// How often the prices' whole span is repeated, for runs longer than it. 1 is once; 0 is over and over, before and
    /// after its own dates.
    #[serde(default = "once")]
    pub repeat: u32,
    /// Most import at the grid supply point, in kW.
    pub import_max_kw: f64,
    /// Most export at the grid supply point, in kW, positive.
    pub export_max_kw: f64,
    /// How much the price rises with each MW imported, in EUR/MWh; 0 is a flat price.
    #[serde(default)]
    pub price_rise_eur_per_mwh_per_mw: f64,
    /// What a kWh of import emits, in g of CO2 equivalent. Counts in a market with a carbon price, which is added
    /// to the price by that.
    #[serde(default)]
    pub emission_g_per_kwh: f64,
    /// Who it is.
    pub party: PartyKeys,
    /// What its process shows.
    #[serde(default)]
    pub process: ProcessKeys,
}

fn once() -> u32 {
    1
}

/// A ledger validator: checks, votes, and keeps the ledger under its data_dir.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidatorFile {
    /// Which role this file configures.
    pub role: RoleWord,
    /// How much of the ledger is kept on disk.
    #[serde(default)]
    pub store: StoreKeys,
    /// Who it is.
    pub party: PartyKeys,
    /// What its process shows.
    #[serde(default)]
    pub process: ProcessKeys,
    /// Its broker, and the other validators'. None where one broker carries all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh: Option<MeshKeys>,
    /// Where it serves its ledger over HTTP; none where it doesn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiKeys>,
}

/// Reading the ledger over HTTP, described by `/openapi.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeys {
    /// Address to listen on. Plain HTTP: loopback, or behind a proxy that terminates TLS.
    pub listen: SocketAddr,
    /// Whether the console for the browser is served there too, at /console/. It shows what the token that is shown in
    /// it may read.
    #[serde(default)]
    pub console: bool,
}

/// How much of the ledger a validator keeps on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StoreKeys {
    /// Heights whose blocks are kept at least; older ones go, in whole segments, once two snapshots stand
    /// behind them. Not set: all are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pruning: Option<u64>,
    /// Heights between two snapshots of the state. The last two are kept.
    pub snapshot_every: u64,
    /// Size in MiB at which a segment of the block log is followed by another.
    pub segment_mib: u64,
}

impl Default for StoreKeys {
    fn default() -> Self {
        let StoreOptions { segment_bytes, snapshot_every, pruning } = StoreOptions::default();
        Self { pruning, snapshot_every, segment_mib: segment_bytes >> 20 }
    }
}

impl StoreKeys {
    /// The same for the ledger.
    pub fn options(&self) -> StoreOptions {
        let segment_bytes = self.segment_mib.saturating_mul(1 << 20);
        StoreOptions { segment_bytes, snapshot_every: self.snapshot_every, pruning: self.pruning }
    }
}

/// An MQTT broker inside this process, with at least one of three listeners. Streets and cities run an
/// external one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BrokerFile {
    /// Which role this file configures.
    pub role: RoleWord,
    /// What its process shows.
    #[serde(default)]
    pub process: ProcessKeys,
    /// Loopback address on which anyone on this machine is let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Listener for parties of the market, by certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parties: Option<PartiesKeys>,
    /// Listener for a site's own devices, by password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<DevicesKeys>,
}

/// The timekeeper: publishes simulated time for parties whose clock is simulated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimekeeperFile {
    /// Which role this file configures.
    pub role: RoleWord,
    /// Start of the first interval traded, RFC 3339 in UTC.
    pub first_interval: String,
    /// How many intervals are traded; none for no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intervals: Option<u32>,
    /// Market seconds per real second, at most: time waits for the market's work.
    pub speed: u32,
    /// Milliseconds of real time a phase of an interval may take before time goes on without it.
    #[serde(default = "phase_limit_ms")]
    pub phase_limit_ms: u64,
    /// Who it is.
    pub party: PartyKeys,
    /// What its process shows.
    #[serde(default)]
    pub process: ProcessKeys,
}

fn phase_limit_ms() -> u64 {
    30_000
}

/// A forecaster: publishes price, load and PV with quantiles each interval, and scores what it published.
/// A market may have none: sites then expect the prices that the TSO interface announces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForecasterFile {
    /// Which role this file configures.
    pub role: RoleWord,
    /// What was measured: CSV with the columns interval_start_utc (RFC 3339), load_kw, pv_fraction (part of
    /// the nameplate) and price_eur_per_mwh, in order of time; fields may be empty. It is read anew each
    /// interval, so whatever measures may append to it; rows of times to come are not looked at.
    pub observations: PathBuf,
    /// Intervals forecast.
    #[serde(default = "forecast_horizon")]
    pub horizon: usize,
    /// Who it is.
    pub party: PartyKeys,
    /// What its process shows.
    #[serde(default)]
    pub process: ProcessKeys,
}

/// Two days of quarter-hours.
fn forecast_horizon() -> usize {
    192
}
