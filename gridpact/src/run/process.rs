//! What the roles of one process share: its metrics registry and the counters registered in it once.

use super::disk::Written;
use super::machine_metrics::MachineMetrics;
use agents::metrics::AgentMetrics;
use broker::gate::GateMetrics;
use broker::metrics::LinkMetrics;
use hw_adapters::metrics::DeviceMetrics;
use prometheus::Registry;

/// Metrics of one process.
#[derive(Clone, Debug)]
pub struct ProcessMetrics {
    /// Where everything is registered, and what /metrics shows.
    pub registry: Registry,
    /// Counters of connections to brokers.
    pub links: LinkMetrics,
    /// Counters of embedded brokers.
    pub gates: GateMetrics,
    /// Counters of roles.
    pub agents: AgentMetrics,
    /// Counters of devices.
    pub devices: DeviceMetrics,
    /// Gauges of the machine.
    pub machine: MachineMetrics,
}

impl ProcessMetrics {
    /// A new registry with all of them.
    ///
    /// # Errors
    /// Where two of them share a name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let machine = MachineMetrics::new()?;
        registry.register(Box::new(machine.clone()))?;
        registry.register(Box::new(Written::new()?))?;
        Ok(Self {
            links: LinkMetrics::register(&registry)?,
            gates: GateMetrics::register(&registry)?,
            agents: AgentMetrics::register(&registry)?,
            devices: DeviceMetrics::register(&registry)?,
            machine,
            registry,
        })
    }
}
