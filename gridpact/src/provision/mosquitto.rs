//! Configuration and access list for Mosquitto 2, and the same rules as a table for other brokers: from the rights that
//! the gate goes by.

use broker::gate::Rules;
use std::net::SocketAddr;
use std::path::Path;
use wire::message::MAX_ENVELOPE_BYTES;
use wire::party::PartyId;
use wire::topic::Network;

/// What a broker's configuration follows from.
#[derive(Clone, Debug)]
pub struct Listener<'a> {
    /// Where it listens.
    pub listen: std::net::IpAddr,
    /// Port.
    pub port: u16,
    /// Folder of its files, as the configuration names them.
    pub folder: &'a Path,
    /// Who it runs as, where it is started as root.
    pub user: Option<&'a str>,
    /// Whether every client of a party is to be one and the same: nobody takes over another's session then. Not where a
    /// party has two clients at one broker, as the timekeeper has.
    pub one_client_each: bool,
}

/// Messages under way to a client without its PUBACK.
const INFLIGHT: usize = 1_000;
/// Messages that wait for a client beyond them: what a thousand sites say at once, many times over.
const QUEUED: usize = 100_000;
/// Bytes of them, a client.
const QUEUED_BYTES: usize = 256 << 20;
/// Heap beyond which it takes no more.
const MEMORY_BYTES: usize = 2 << 30;
/// Clients at a time.
const CONNECTIONS: usize = 20_000;

/// Queues, the same wherever it runs.
fn queues() -> String {
    format!(
        "log_dest stderr
log_type error
log_type warning
log_type notice
persistence false
set_tcp_nodelay true
# A PUBACK is not delivery: by default Mosquitto drops what it acknowledged once 1,000 messages wait.
max_inflight_messages {INFLIGHT}
max_queued_messages {QUEUED}
max_queued_bytes {QUEUED_BYTES}
message_size_limit {message}
max_packet_size {packet}
memory_limit {MEMORY_BYTES}
sys_interval 0
",
        message = MAX_ENVELOPE_BYTES,
        packet = MAX_ENVELOPE_BYTES + 8_192,
    )
}

/// A configuration for measuring on this machine: anyone comes in, without TLS.
pub fn on_loopback(listen: SocketAddr) -> String {
    let (queues, port, address) = (queues(), listen.port(), listen.ip());
    format!("{queues}\nlistener {port} {address}\nallow_anonymous true\n")
}

/// `mosquitto.conf`.
pub fn configuration(of: &Listener<'_>) -> String {
    let at = |name: &str| of.folder.join(name).display().to_string();
    let user = of.user.map_or(String::new(), |user| format!("user {user}\n"));
    let client_ids = if of.one_client_each { "use_username_as_clientid true\n" } else { "" };
    format!(
        "# Made by `gridpact provision`; change the plan instead. Why so: docs/adr/0029.
{user}{queues}
listener {port} {listen}
max_connections {CONNECTIONS}
max_qos 1
max_topic_alias 0
allow_anonymous false
cafile {authority}
crlfile {revoked}
certfile {certificate}
keyfile {key}
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
{client_ids}acl_file {acl}
",
        queues = queues(),
        port = of.port,
        listen = of.listen,
        authority = at("authority.pem"),
        revoked = at("revoked.pem"),
        certificate = at("broker.crt"),
        key = at("broker.key"),
        acl = at("acl"),
    )
}

/// The access list: each party by its certificate's name, and nothing for anybody else.
pub fn access_list(network: &Network, parties: &[PartyId]) -> String {
    let mut text = "# Made by `gridpact provision` from the rights that the gate goes by too.\n".to_owned();
    for party in parties {
        let Rules { publish, hear } = Rules::of(network, party);
        text += &format!("\nuser {party}\n");
        publish.iter().for_each(|filter| text += &format!("topic write {filter}\n"));
        hear.iter().for_each(|filter| text += &format!("topic read {filter}\n"));
    }
    text
}

/// The same as CSV, for brokers that are told otherwise.
pub fn rules_table(network: &Network, parties: &[PartyId]) -> String {
    let mut text = "user,act,filter\n".to_owned();
    for party in parties {
        let Rules { publish, hear } = Rules::of(network, party);
        publish.iter().for_each(|filter| text += &format!("{party},publish,{filter}\n"));
        hear.iter().for_each(|filter| text += &format!("{party},subscribe,{filter}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_has_its_own_topics_and_the_list_nobody_else() {
        let network = Network { network: "n".parse().unwrap(), feeder: "f".parse().unwrap() };
        let parties = ["site/s1".parse().unwrap()];
        let list = access_list(&network, &parties);
        for line in ["topic write gridpact/v1/n/f/site/s1/bid/+", "topic read gridpact/v1/n/f/+/+/+/site-s1"]
        {
            assert!(list.lines().any(|it| it == line), "{line} in {list}");
        }
        assert!(list.lines().all(|line| !line.contains('#') || line.starts_with("# ")), "{list}");
        assert!(!list.contains("write gridpact/v1/n/f/site/s1/block"), "{list}");
        let table = rules_table(&network, &parties);
        assert_eq!(table.lines().count() - 1, list.lines().filter(|line| line.starts_with("topic")).count());
    }
}
