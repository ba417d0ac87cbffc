//! What a check found: where, how bad, in words, and what to do about it.

use serde::Serialize;

/// How bad it is. The order is that of badness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It was looked at and is as it should be.
    Good,
    /// Worth knowing; nothing needs to be done.
    Note,
    /// It works, or will until something happens; somebody should see to it.
    Warning,
    /// It does not work like this.
    Fault,
}

impl Severity {
    /// As it stands in front of a line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fault => "FAULT",
        }
    }
}

/// What it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// Configuration files and what they name.
    Configuration,
    /// Parties' signing keys.
    Keys,
    /// Certificates, their keys, authorities and revocation lists.
    Certificates,
    /// This machine's clock.
    Clock,
    /// Folders that data goes to.
    Disk,
    /// Addresses to be listened on.
    Ports,
    /// Brokers to be reached.
    Broker,
    /// A site's devices.
    Devices,
    /// The process, where one runs on these files.
    Process,
}

impl Area {
    /// As it stands in front of a line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Keys => "keys",
            Self::Certificates => "certificates",
            Self::Clock => "clock",
            Self::Disk => "disk",
            Self::Ports => "ports",
            Self::Broker => "broker",
            Self::Devices => "devices",
            Self::Process => "process",
        }
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// What it is about.
    pub area: Area,
    /// Of what: a file, an address, a device.
    pub subject: String,
    /// What was found, in words.
    pub what: String,
    /// What to do about it; none where nothing is to be done.
    #[serde(rename = "do")]
    pub remedy: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn good(area: Area, subject: impl ToString, what: impl Into<String>) -> Self {
        let (subject, what) = (subject.to_string(), what.into());
        Self { severity: Severity::Good, area, subject, what, remedy: None }
    }

    /// Worth knowing.
    pub fn note(area: Area, subject: impl ToString, what: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::good(area, subject, what) }
    }

    /// Somebody should see to it.
    pub fn warning(
        area: Area,
        subject: impl ToString,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, remedy: Some(remedy.into()), ..Self::good(area, subject, what) }
    }

    /// It does not work like this.
    pub fn fault(
        area: Area,
        subject: impl ToString,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Fault, remedy: Some(remedy.into()), ..Self::good(area, subject, what) }
    }
}
