//! What probes saw of a machine, as plain data: all that a judgement may depend on.

use super::finding::Finding;
use std::net::SocketAddr;
use std::path::PathBuf;
use wire::hash::Hash32;
use wire::party::PartyId;

/// Everything seen.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Configuration files.
    pub files: Vec<FileFacts>,
    /// Parties' signing keys.
    pub keys: Vec<KeyFacts>,
    /// Certificates.
    pub certificates: Vec<CertificateFacts>,
    /// Revocation lists.
    pub lists: Vec<ListFacts>,
    /// The clock.
    pub clock: ClockFacts,
    /// Folders of data.
    pub folders: Vec<FolderFacts>,
    /// Addresses to be listened on.
    pub listeners: Vec<ListenerFacts>,
    /// Brokers to be reached.
    pub brokers: Vec<BrokerFacts>,
    /// Devices.
    pub devices: Vec<DeviceFacts>,
    /// Running processes.
    pub processes: Vec<ProcessFacts>,
    /// What a probe found that needs no judgement.
    pub said: Vec<Finding>,
}

/// What is wrong with a file that is not there.
pub const NOT_THERE: &str = "there is no such file or folder";

/// A configuration file.
#[derive(Clone, Debug)]
pub struct FileFacts {
    /// The file.
    pub file: PathBuf,
    /// What it configures, as `site/s1`; nothing where it can't be read.
    pub role: Option<String>,
    /// What is wrong: the key where one is known, and the reason.
    pub wrong: Vec<(Option<String>, String)>,
}

/// How a file with a secret in it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// It is not there.
    Missing,
    /// It can't be read by who checks.
    Unreadable(String),
    /// It holds something else.
    NoKey(String),
    /// It holds a key.
    Key,
}

/// Who may do what with a file, as Unix has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owned {
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub user: u32,
}

/// A party's signing key.
#[derive(Clone, Debug)]
pub struct KeyFacts {
    /// Whose.
    pub party: PartyId,
    /// The file.
    pub path: PathBuf,
    /// How it was found.
    pub secret: Secret,
    /// Who may read it; nothing where there is no file.
    pub owned: Option<Owned>,
    /// Its public half.
    pub public: Option<Hash32>,
    /// How often the key was rotated before this one.
    pub epoch: u32,
    /// Whether it is for later: `next_key`.
    pub next: bool,
    /// What the genesis says; nothing where the genesis can't be read.
    pub registered: Option<Registered>,
    /// What the validators say of a party that is not in the genesis; nothing where they were not asked.
    pub ledger: Option<Ledger>,
    /// Owner of the party's data folder, where that is there.
    pub data_owner: Option<u32>,
}

/// What the validators say of a party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ledger {
    /// The ledger's registry has it, with this key.
    Has,
    /// With another key.
    OtherKey,
    /// None says that the registry has it.
    NoWord(String),
}

/// What a genesis says of a party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registered {
    /// Its key.
    With(Hash32),
    /// Nothing: it may be in the ledger's registry.
    Not,
    /// Nothing, and somebody else has this very key.
    ToAnother(PartyId),
}

/// What a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// A party shows it to brokers.
    Party(PartyId),
    /// A broker shows it to parties, which reach it at these hosts as far as these files say.
    Broker(Vec<String>),
    /// A site shows it to its charge points.
    Chargers,
}

/// What verifying a certificate against its authority came to, whatever the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chain {
    /// The authority signed it.
    Good,
    /// Somebody else did.
    Foreign,
    /// Its authority revoked it.
    Revoked,
    /// Something else.
    Other(String),
    /// Nothing to verify it against.
    Unknown,
}

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct CertificateFacts {
    /// What it is for.
    pub of: Use,
    /// The certificate's file.
    pub certificate: PathBuf,
    /// Its private key's.
    pub key: PathBuf,
    /// The authority's.
    pub authority: Option<PathBuf>,
    /// Files that can't be read or hold something else.
    pub unusable: Vec<(PathBuf, String)>,
    /// How the key's file was found, and who may read it.
    pub key_owned: Option<Owned>,
    /// From when it holds, in seconds since 1970.
    pub not_before: i64,
    /// Until when.
    pub not_after: i64,
    /// Until when its authority's does.
    pub authority_until: Option<i64>,
    /// The party it names; why none, where it names none.
    pub names: Result<PartyId, String>,
    /// The hosts it names.
    pub hosts: Vec<String>,
    /// Hosts of [`Use::Broker`] that it does not name.
    pub lacking: Vec<String>,
    /// Whether the authority signed it.
    pub chain: Chain,
    /// Whether the key belongs to it; nothing where that can't be told.
    pub key_fits: Option<bool>,
}

/// A revocation list.
#[derive(Clone, Debug)]
pub struct ListFacts {
    /// The file.
    pub path: PathBuf,
    /// Until when it holds, or why it can't be read.
    pub until: Result<Option<i64>, String>,
}

/// The clock.
#[derive(Clone, Debug, Default)]
pub struct ClockFacts {
    /// What it says, in seconds since 1970.
    pub now: i64,
    /// When this program was built.
    pub built: i64,
    /// When the newest file of the configuration, its genesis or its data was written, and which that is.
    pub newest: Option<(i64, PathBuf)>,
    /// Whether the system says that its clock is set by others; nothing where it doesn't say.
    pub synchronised: Option<bool>,
    /// How far a time server is ahead of us, in milliseconds, or why it doesn't say; nothing where none was asked.
    pub server: Option<(String, Result<i64, String>)>,
    /// The furthest that other parties' clocks are off ours by a running process's metrics, in milliseconds.
    pub skew_ms: Option<i64>,
    /// Whether no role goes by this clock.
    pub simulated: bool,
}

/// A folder of data.
#[derive(Clone, Debug)]
pub struct FolderFacts {
    /// The folder.
    pub path: PathBuf,
    /// Whose.
    pub of: String,
    /// Whether it is a ledger's, which grows.
    pub ledger: bool,
    /// Whether its time is simulated, so that nothing in it has to last.
    pub simulated: bool,
    /// Whether it is there yet.
    pub there: bool,
    /// Why it can't be written to, or made.
    pub unwritable: Option<String>,
    /// Bytes free to who checks, and of how many.
    pub space: Option<(u64, u64)>,
    /// Files that can still be made; nothing where the file system has no such bound.
    pub inodes_free: Option<u64>,
    /// What kind of file system it is, and its options.
    pub mount: Option<Mount>,
}

/// A mounted file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted.
    pub at: PathBuf,
    /// Its kind, as `ext4`.
    pub kind: String,
    /// Its options, as `rw` and `noatime`.
    pub options: Vec<String>,
    /// Kind of the file system that an overlay's upper layer lies on.
    pub upper: Option<String>,
}

/// What became of trying to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listening {
    /// It is free.
    Free,
    /// Somebody listens there; which process, where that can be seen.
    Taken(Option<Owner>),
    /// The address is none of this machine's.
    NotOurs,
    /// It takes rights that who checks lacks.
    Forbidden,
    /// Something else.
    Other(String),
}

/// A process that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its number.
    pub process: u32,
    /// Its name.
    pub name: String,
}

/// An address to be listened on.
#[derive(Clone, Debug)]
pub struct ListenerFacts {
    /// The configuration's key.
    pub key: String,
    /// The file.
    pub file: PathBuf,
    /// The address.
    pub address: SocketAddr,
    /// Whether several may name the same.
    pub shared: bool,
    /// What became of it.
    pub listening: Listening,
    /// Why this kind of listener must not be there.
    pub unsafe_because: Option<String>,
}

/// What reaching a broker came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It took us, and lets us hear what is for us.
    Stands,
    /// It answers, with the right certificate where it has one; the party was not tried, as its process has its place there.
    Answers,
    /// It is no address.
    NoAddress,
    /// TLS is asked for, and there is no certificate to show.
    NoCertificate,
    /// The name resolves to nothing.
    Unresolved(String),
    /// Nobody listens there, or nobody lets us through.
    Unreachable(String),
    /// Its certificate names other hosts.
    WrongName,
    /// Its certificate is of another authority.
    ForeignAuthority,
    /// Its certificate has expired or does not hold yet.
    WrongTime(String),
    /// It refuses our certificate.
    RefusesUs(String),
    /// There is no TLS.
    NoTls(String),
    /// TLS stands, or is not asked for, and MQTT does not.
    NoMqtt(String),
    /// It does not let us hear what is for us.
    NoRights(String),
}

/// A broker to be reached.
#[derive(Clone, Debug)]
pub struct BrokerFacts {
    /// By whom.
    pub party: PartyId,
    /// Its address.
    pub address: String,
    /// Which of several lists it stands in: of one list, one that answers is enough.
    pub list: String,
    /// Whether it is one that these very files start.
    pub own: bool,
    /// What reaching it came to; nothing where it was not tried.
    pub reached: Option<Reached>,
}

/// What became of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It was read.
    Read(String),
    /// Its template or configuration is none.
    Unfit(String),
    /// It does not answer.
    Silent(String),
    /// It answers what can't be right.
    Bad(String),
    /// It is another product, by its own words; templates that would fit.
    Other {
        /// What it says it is.
        says: String,
        /// Templates that fit it.
        fitting: Vec<String>,
    },
    /// It was not asked, and why.
    NotAsked(String),
}

/// A device.
#[derive(Clone, Debug)]
pub struct DeviceFacts {
    /// Its name within its site.
    pub name: String,
    /// The site.
    pub site: String,
    /// Its template or kind.
    pub kind: String,
    /// Whether it is the site's meter.
    pub meter: bool,
    /// What became of it.
    pub answered: Answered,
}

/// What a metrics address says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nobody listens there.
    Nobody,
    /// Somebody else does.
    Stranger(String),
    /// The process of these files, or another of ours.
    Ours {
        /// Parties that run in it.
        parties: Vec<String>,
        /// Whose heartbeat has stopped.
        stopped: Vec<String>,
        /// Why it is not ready.
        unready: Vec<String>,
    },
}

/// A process that may run.
#[derive(Clone, Debug)]
pub struct ProcessFacts {
    /// Its metrics' address.
    pub address: SocketAddr,
    /// Parties of these files that would run in it.
    pub expected: Vec<String>,
    /// What it says.
    pub heard: Heard,
}

impl ProcessFacts {
    /// Parties that run there.
    pub fn runs(&self) -> &[String] {
        match &self.heard {
            Heard::Ours { parties, .. } => parties,
            Heard::Nobody | Heard::Stranger(_) => &[],
        }
    }
}

/// Times and sizes that a judgement goes by.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Seconds before a certificate's end from which on it is spoken of.
    pub expiry_soon_s: i64,
    /// Bytes that must be free at least.
    pub free_least: u64,
    /// Bytes that should be free.
    pub free_wanted: u64,
    /// The same for a ledger.
    pub free_wanted_ledger: u64,
    /// Milliseconds that a clock may be off.
    pub skew_ms: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            expiry_soon_s: 30 * 86_400,
            free_least: 50 << 20,
            free_wanted: 300 << 20,
            free_wanted_ledger: 2 << 30,
            skew_ms: 2_000,
        }
    }
}
