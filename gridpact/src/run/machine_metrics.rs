//! What a process shows of its machine, looked at whenever somebody asks for /metrics: until when its certificates hold,
//! how full the disks of its data are, and what its clock says. No metric of a role stands here.

use crate::configuration::RoleFile;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, GaugeVec, IntGaugeVec, Opts};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// What is shown of the machine.
#[derive(Clone, Debug)]
pub struct MachineMetrics {
    expiry: GaugeVec,
    free: GaugeVec,
    size: GaugeVec,
    clock: Gauge,
    started: Gauge,
    build: IntGaugeVec,
    watched: Arc<Mutex<Watched>>,
}

/// What is looked at.
#[derive(Debug, Default)]
struct Watched {
    certificates: Vec<CertificateFile>,
    /// Parties with their data directories.
    directories: Vec<(String, PathBuf)>,
}

#[derive(Debug)]
struct CertificateFile {
    path: PathBuf,
    /// When the file that was read last was written.
    written: Option<SystemTime>,
}

impl MachineMetrics {
    /// Of a process that has nothing yet, and was started now.
    ///
    /// # Errors
    /// Never, as far as their names are good ones.
    pub fn new() -> Result<Self, prometheus::Error> {
        let gauges = |name: &str, help: &str, label: &str| GaugeVec::new(Opts::new(name, help), &[label]);
        let metrics = Self {
            expiry: gauges(
                "gridpact_certificate_expiry_timestamp_seconds",
                "When the first certificate in a configured file ends; 0 for a file that can't be read. \
                 Unit: seconds since 1970.",
                "file",
            )?,
            free: gauges(
                "gridpact_data_dir_free_bytes",
                "What is free for us on the file system of a party's data directory. Unit: bytes.",
                "party",
            )?,
            size: gauges(
                "gridpact_data_dir_size_bytes",
                "Size of the file system of a party's data directory. Unit: bytes.",
                "party",
            )?,
            clock: Gauge::new(
                "gridpact_time_seconds",
                "This machine's clock when it was asked. Unit: seconds since 1970.",
            )?,
            started: Gauge::new(
                "process_start_time_seconds",
                "When the process was started. Unit: seconds since 1970.",
            )?,
            build: IntGaugeVec::new(
                Opts::new("gridpact_build_info", "The program's version. Unit: none, always 1."),
                &["version"],
            )?,
            watched: Arc::default(),
        };
        metrics.started.set(now_s());
        metrics.build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(metrics)
    }

    /// Watches a role's certificates and data directory from now on.
    pub fn watch(&self, role: &RoleFile) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        for path in role.certificates() {
            if watched.certificates.iter().all(|known| known.path != path) {
                watched.certificates.push(CertificateFile { path: path.to_owned(), written: None });
            }
        }
        watched.directories.extend(role.data_dir().map(|(party, path)| (party, path.to_owned())));
    }

    fn look(&self) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        for file in &mut watched.certificates {
            let written = std::fs::metadata(&file.path).and_then(|about| about.modified()).ok();
            if written.is_none() || written != file.written {
                let name = file.path.display().to_string();
                self.expiry.with_label_values(&[&name]).set(expiry_s(&file.path));
                file.written = written;
            }
        }
        for (party, path) in &watched.directories {
            // One that is not there yet is made by its role.
            if let Ok(about) = rustix::fs::statvfs(path) {
                let bytes = |blocks: u64| blocks.saturating_mul(about.f_frsize) as f64;
                self.free.with_label_values(&[party]).set(bytes(about.f_bavail));
                self.size.with_label_values(&[party]).set(bytes(about.f_blocks));
            }
        }
        self.clock.set(now_s());
    }

    fn shown(&self) -> [&dyn Collector; 6] {
        [&self.expiry, &self.free, &self.size, &self.clock, &self.started, &self.build]
    }
}

impl Collector for MachineMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.shown().into_iter().flat_map(|metric| metric.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.look();
        self.shown().into_iter().flat_map(|metric| metric.collect()).collect()
    }
}

fn expiry_s(path: &Path) -> f64 {
    broker::expiry::of_file(path).map_or_else(
        |reason| {
            tracing::warn!(path = %path.display(), reason, "a certificate can't be read");
            0.0
        },
        |until| until as f64,
    )
}

fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration;
    use prometheus::Registry;

    #[test]
    fn files_are_looked_at_again_when_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let certificate = |year| {
            let mut params = rcgen::CertificateParams::default();
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
            params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
        };
        let file = folder.path().join("dso.toml");
        let text = "role = 'dso'\n[party]\nid = 'd1'\nkey = 'k'\ngenesis = 'g'\ndata_dir = '.'\n\
                    [party.tls]\ncertificate = 'c.pem'\nkey = 'k'\nauthority = 'a.pem'\n";
        std::fs::write(&file, text).unwrap();
        std::fs::write(folder.path().join("a.pem"), certificate(2040)).unwrap();
        let metrics = MachineMetrics::new().unwrap();
        let registry = Registry::new();
        registry.register(Box::new(metrics.clone())).unwrap();
        metrics.watch(&configuration::load(&file).unwrap());
        let shown = |name: &str| -> Vec<f64> {
            let families = registry.gather();
            let family = families.iter().find(|family| family.name() == name).unwrap();
            family.get_metric().iter().map(|metric| metric.get_gauge().get_value()).collect()
        };
        let expiry = "gridpact_certificate_expiry_timestamp_seconds";
        assert_eq!(shown(expiry), [2_208_988_800.0, 0.0]);
        std::fs::write(folder.path().join("c.pem"), certificate(2030)).unwrap();
        assert_eq!(shown(expiry), [2_208_988_800.0, 1_893_456_000.0]);
        let (free, size) = (shown("gridpact_data_dir_free_bytes"), shown("gridpact_data_dir_size_bytes"));
        assert!(free.len() == 1 && 0.0 < free[0] && free[0] < size[0], "{free:?} of {size:?}");
        assert!(shown("gridpact_time_seconds")[0] >= shown("process_start_time_seconds")[0]);
    }
}
