//! Reads a plan and looks whether it holds together. Whatever doesn't is named with its file and line.

use super::error::ProvisionError;
use super::plan::{Member, Part, Plan};
use market::feeder::FeederError;
use market::units::Milliwatt;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use toml::Spanned;
use wire::party::{Id, Role};

/// Largest plan read, in bytes: ten thousand sites fit.
const MAX_BYTES: u64 = 64 << 20;
/// Longest a certificate may hold, in days.
const MAX_DAYS: u32 = 36_500;

/// A plan that holds together, and where it came from.
#[derive(Debug)]
pub struct Sound {
    /// The plan.
    pub plan: Plan,
    source: Source,
}

/// The plan's text, for naming lines.
#[derive(Debug)]
struct Source {
    path: PathBuf,
    text: String,
}

/// Reads a plan.
///
/// # Errors
/// Names the file, the line, the key and what is wrong.
pub fn read(path: &Path) -> Result<Sound, ProvisionError> {
    let unreadable = |source| ProvisionError::Plan { path: path.to_owned(), source };
    let bytes = fs::metadata(path).map_err(unreadable)?.len();
    if bytes > MAX_BYTES {
        return Err(ProvisionError::PlanSize { path: path.to_owned(), bytes, most: MAX_BYTES });
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let form = |source| ProvisionError::Form { path: path.to_owned(), source: Box::new(source) };
    let plan: Plan = toml::from_str(&text).map_err(form)?;
    let source = Source { path: path.to_owned(), text };
    source.figures(&plan)?;
    source.machines(&plan)?;
    source.members(&plan)?;
    source.ports(&plan)?;
    Ok(Sound { plan, source })
}

impl Sound {
    /// What is wrong with a value of the plan.
    pub fn wrong<T>(&self, value: &Spanned<T>, key: &str, reason: impl Display) -> ProvisionError {
        self.source.wrong(value, key, reason)
    }

    /// The plan asks for something else than the genesis has.
    pub fn differs<T>(&self, value: &Spanned<T>, key: &'static str) -> ProvisionError {
        ProvisionError::Genesis { path: self.source.path.clone(), line: self.source.line(value), key }
    }

    /// A file that the plan names, relative to it.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn beside(&self, file: &Spanned<PathBuf>, key: &'static str) -> Result<Vec<u8>, ProvisionError> {
        let path = self.source.path.clone();
        let full = path.parent().unwrap_or(Path::new("")).join(file.get_ref());
        let line = self.source.line(file);
        fs::read(&full).map_err(|source| ProvisionError::Beside { path, line, key, file: full, source })
    }
}

impl Source {
    /// The line where a value stands, from 1.
    fn line<T>(&self, value: &Spanned<T>) -> usize {
        let before = self.text.as_bytes().get(..value.span().start).unwrap_or_default();
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    fn wrong<T>(&self, value: &Spanned<T>, key: &str, reason: impl Display) -> ProvisionError {
        let (path, line) = (self.path.clone(), self.line(value));
        ProvisionError::Value { path, line, key: key.to_owned(), reason: reason.to_string() }
    }

    /// Where, from a table on, a name stands in quotes; the table itself where it doesn't.
    fn naming<T>(&self, table: &Spanned<T>, name: &str) -> Spanned<()> {
        let start = table.span().start;
        let quoted = format!("\"{name}\"");
        // Of names given several times the last is the one too many.
        let last = self.text.get(start..).and_then(|rest| rest.rfind(&quoted));
        let at = last.map_or(start, |offset| start + offset);
        Spanned::new(at..at, ())
    }

    fn figures(&self, plan: &Plan) -> Result<(), ProvisionError> {
        if let Err(error) = plan.feeder.get_ref().tree() {
            let place = self.naming(&plan.feeder, culprit(&error));
            return Err(self.wrong(&place, "feeder", error));
        }
        let parameters = plan.parameters.get_ref().validate();
        parameters.map_err(|error| self.wrong(&plan.parameters, "parameters", error))?;
        let days = &plan.certificates;
        let (authority, party) = (&days.authority_days, &days.party_days);
        if !(1..=MAX_DAYS).contains(authority.get_ref()) {
            return Err(self.wrong(authority, "certificates.authority_days", "it must lie in 1..=36500"));
        }
        if *party.get_ref() == 0 || party.get_ref() > authority.get_ref() {
            let reason = format!("it must lie in 1..={}, the authority's", authority.get_ref());
            return Err(self.wrong(party, "certificates.party_days", reason));
        }
        Ok(())
    }

    fn machines(&self, plan: &Plan) -> Result<(), ProvisionError> {
        let mut names = BTreeMap::new();
        for machine in &plan.machine {
            if names.insert(machine.name.get_ref().clone(), ()).is_some() {
                return Err(self.wrong(&machine.name, "machine.name", "another machine has this name"));
            }
            if !is_host(machine.host.get_ref()) {
                let reason = "it is neither a host name nor an address";
                return Err(self.wrong(&machine.host, "machine.host", reason));
            }
        }
        let mut brokers = BTreeMap::new();
        for broker in &plan.broker {
            self.known(plan, &broker.machine, "broker.machine")?;
            if brokers.insert(broker.name.get_ref().clone(), ()).is_some() {
                return Err(self.wrong(&broker.name, "broker.name", "another broker has this name"));
            }
        }
        Ok(())
    }

    fn known(&self, plan: &Plan, machine: &Spanned<Id>, key: &str) -> Result<(), ProvisionError> {
        match plan.machine(machine.get_ref()) {
            Some(_) => Ok(()),
            None => Err(self.wrong(machine, key, format!("there is no machine {}", machine.get_ref()))),
        }
    }

    fn members(&self, plan: &Plan) -> Result<(), ProvisionError> {
        let mut names = BTreeMap::new();
        for member in plan.members() {
            let word = member.party().role.word();
            self.known(plan, member.machine, &format!("{word}.machine"))?;
            if names.insert(member.party(), ()).is_some() {
                let reason = format!("another {word} has this identifier");
                return Err(self.wrong(member.id, &format!("{word}.id"), reason));
            }
            self.member(plan, &member)?;
        }
        Ok(())
    }

    fn member(&self, plan: &Plan, member: &Member<'_>) -> Result<(), ProvisionError> {
        match member.part {
            Part::Site(site) => {
                if !plan.feeder.get_ref().buses.contains(site.bus.get_ref()) {
                    let reason = format!("the feeder has no bus {:?}", site.bus.get_ref());
                    return Err(self.wrong(&site.bus, "site.bus", reason));
                }
                let aggregator = site.aggregator.get_ref();
                if !plan.aggregator.iter().any(|known| known.id.get_ref() == aggregator) {
                    let reason = format!("there is no aggregator {aggregator}");
                    return Err(self.wrong(&site.aggregator, "site.aggregator", reason));
                }
                if Milliwatt::from_kw(*site.connection_kw.get_ref()).is_none_or(|most| most.0 <= 0) {
                    let reason = "it must be more than 0, and within bounds";
                    return Err(self.wrong(&site.connection_kw, "site.connection_kw", reason));
                }
                let options = site.options.get_ref().validate();
                options.map_err(|reason| self.wrong(&site.options, "site.options", reason))
            }
            Part::Tso(tso) => match (&tso.prices, &tso.wholesale) {
                (Some(_), None) | (None, Some(_)) => Ok(()),
                _ => Err(self.wrong(&tso.id, "tso.prices", "give either prices or wholesale")),
            },
            Part::Other(other) => match other.role.get_ref() {
                Role::Meter
                | Role::Auditor
                | Role::Regulator
                | Role::Trader
                | Role::DataService
                | Role::Gateway => Ok(()),
                role => {
                    let reason = format!("a {} has a table of its own", role.word());
                    Err(self.wrong(&other.role, "participant.role", reason))
                }
            },
            _ => Ok(()),
        }
    }

    /// No two brokers of a machine on one port.
    fn ports(&self, plan: &Plan) -> Result<(), ProvisionError> {
        let mut taken: BTreeMap<(&Id, u16), String> = BTreeMap::new();
        let markets =
            plan.broker.iter().map(|it| (&it.machine, &it.port, format!("broker {}", it.name.get_ref())));
        let own =
            plan.validator.iter().map(|it| (&it.machine, &it.port, format!("validator {}", it.id.get_ref())));
        for (machine, port, name) in markets.chain(own) {
            let key = format!("{}.port", name.split(' ').next().unwrap_or_default());
            if *port.get_ref() == 0 {
                return Err(self.wrong(port, &key, "others must know it: it can't be 0"));
            }
            if let Some(other) = taken.insert((machine.get_ref(), *port.get_ref()), name) {
                return Err(self.wrong(port, &key, format!("{other} has it on this machine")));
            }
        }
        Ok(())
    }
}

/// The name that a feeder is wrong about.
fn culprit(error: &FeederError) -> &str {
    match error {
        FeederError::Duplicate { name } => name,
        FeederError::UnknownBus { bus, .. } | FeederError::Unconnected { bus } => bus,
        FeederError::NoRoot { root } => root,
        FeederError::NotRadial { line, .. } | FeederError::LimitsReversed { line } => line,
        FeederError::TooLarge { .. } => "",
    }
}

/// Whether a text is an address, or a host name (RFC 1123 section 2.1).
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.parse::<IpAddr>().is_ok() || (text.len() <= 253 && text.split('.').all(label))
}
