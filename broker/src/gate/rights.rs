//! What a client may publish, leave as its will, and subscribe to, by who it is. Pure, and all from the one
//! table of messages in `wire`: a party publishes its own role's messages under its own name, and hears what is
//! for it, or for its role.

use wire::message::{Kind, KINDS};
use wire::party::{PartyId, Role};
use wire::topic::{Network, Topic};

/// Who a client is, as far as rights go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone on this machine: signatures say who speaks.
    Anything,
    /// A party of the market.
    Party(PartyAccess),
    /// A device of a site: everything below these topics, and nothing else.
    Below(Vec<String>),
}

/// A party's rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyAccess {
    network: Network,
    party: PartyId,
    /// Filters of all it may hear.
    hears: Vec<String>,
}

impl Access {
    /// The rights of a party in a market.
    pub fn of_party(network: Network, party: PartyId) -> Self {
        let hears = hears(&network, &party);
        Access::Party(PartyAccess { network, party, hears })
    }

    /// Whether it may publish on this topic, or leave a will there.
    pub fn may_publish(&self, topic: &str) -> bool {
        match self {
            Access::Anything => true,
            Access::Party(access) => access.may_publish(topic),
            Access::Below(tops) => tops.iter().any(|top| covers(&format!("{top}/#"), topic)),
        }
    }

    /// Whether it may subscribe to this filter: whether it may hear everything the filter could match.
    pub fn may_subscribe(&self, filter: &str) -> bool {
        match self {
            Access::Anything => true,
            Access::Party(access) => access.hears.iter().any(|allowed| covers(allowed, filter)),
            Access::Below(tops) => tops.iter().any(|top| covers(&format!("{top}/#"), filter)),
        }
    }
}

impl PartyAccess {
    fn may_publish(&self, topic: &str) -> bool {
        let Ok(topic) = topic.parse::<Topic>() else { return false };
        topic.network == self.network
            && topic.sender == self.party
            && Kind::of(topic.kind.as_str()).is_some_and(|kind| {
                kind.from.contains(&self.party.role) && kind.may_be_addressed(topic.recipient.is_some())
            })
    }
}

/// A party's rights as filters, for brokers that are told in advance. They cannot tell a recipient that exists from any
/// other word: where a message is for one party, any last level is let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What it may publish on, or leave a will.
    pub publish: Vec<String>,
    /// What it may hear.
    pub hear: Vec<String>,
}

impl Rules {
    /// The rules of a party in a market.
    pub fn of(network: &Network, party: &PartyId) -> Self {
        let kinds = KINDS.iter().filter(|kind| kind.from.contains(&party.role));
        let filters = kinds.flat_map(|kind| {
            let own = network.broadcast_by(party, kind.word);
            let to_one = kind.may_be_addressed(true).then(|| format!("{own}/+"));
            let to_all = kind.may_be_addressed(false).then_some(own);
            to_one.into_iter().chain(to_all)
        });
        Rules { publish: filters.collect(), hear: hears(network, party) }
    }
}

fn hears(network: &Network, party: &PartyId) -> Vec<String> {
    let mut filters = vec![network.filter_addressed(party)];
    for kind in &KINDS {
        for sender in kind.from {
            if kind.heard_by.contains(&party.role) {
                filters.push(network.filter_broadcast(*sender, kind.word));
            }
            if kind.timed && party.role == Role::Timekeeper {
                filters.push(network.filter_broadcast(*sender, kind.word) + "/+");
            }
        }
    }
    filters
}

/// Whether every topic that matches `filter` matches `allowed`. A `+` of a filter stands for any word, of
/// which there is no end: no set of narrower filters together allows what none of them allows alone.
fn covers(allowed: &str, filter: &str) -> bool {
    // A topic has a first level, so these two are the same.
    if filter == "#" && allowed == "+/#" {
        return true;
    }
    let mut wanted = filter.split('/');
    for level in allowed.split('/') {
        if level == "#" {
            return true;
        }
        match wanted.next() {
            Some("#") | None => return false,
            Some(word) if level == "+" || level == word => {}
            Some(_) => return false,
        }
    }
    wanted.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::super::topic::{is_filter, is_name, matches};
    use super::*;
    use proptest::prelude::*;

    fn network() -> Network {
        Network { network: "net".parse().unwrap(), feeder: "f1".parse().unwrap() }
    }

    fn access(party: &str) -> Access {
        let (role, id) = party.split_once('/').unwrap();
        Access::of_party(network(), PartyId::new(role.parse().unwrap(), id.parse().unwrap()))
    }

    fn publishes(party: &str, topic: &str, expected: bool) {
        let topic = format!("gridpact/v1/{topic}");
        assert_eq!(access(party).may_publish(&topic), expected, "{party} on {topic}");
    }

    #[test]
    fn a_party_publishes_its_roles_messages_under_its_own_name() {
        publishes("site/s1", "net/f1/site/s1/bid/aggregator-a1", true);
        publishes("site/s1", "net/f1/site/s1/submit", true);
        publishes("site/s1", "net/f1/site/s1/ack/aggregator-a1", true);
        publishes("validator/v1", "net/f1/validator/v1/block", true);
        publishes("validator/v1", "net/f1/validator/v1/block/aggregator-a1", true);
        publishes("validator/v1", "net/f1/validator/v1/consensus", true);
        // as another, of another role, in another market, of another role's kind, addressed otherwise, or none
        publishes("site/s1", "net/f1/site/s2/bid/aggregator-a1", false);
        publishes("site/s1", "net/f1/validator/s1/block", false);
        publishes("site/s1", "net/f2/site/s1/bid/aggregator-a1", false);
        publishes("site/s1", "other/f1/site/s1/bid/aggregator-a1", false);
        publishes("site/s1", "net/f1/site/s1/block", false);
        publishes("site/s1", "net/f1/site/s1/bid", false);
        publishes("site/s1", "net/f1/site/s1/nonsense", false);
        publishes("validator/v1", "net/f1/validator/v1/registry-question/site-s1", false);
        publishes("timekeeper/t1", "net/f1/timekeeper/t1/submit", false);
        publishes("site/s1", "net/f1/site/s1/bid/aggregator-a1/more", false);
    }

    fn subscribes(party: &str, filter: &str, expected: bool) {
        let filter = if filter == "#" { filter.to_owned() } else { format!("gridpact/v1/{filter}") };
        assert_eq!(access(party).may_subscribe(&filter), expected, "{party} to {filter}");
    }

    #[test]
    fn a_party_hears_what_is_for_it_or_for_its_role() {
        subscribes("site/s1", "net/f1/+/+/+/site-s1", true);
        subscribes("site/s1", "net/f1/aggregator/a1/firm/site-s1", true);
        subscribes("site/s1", "net/f1/validator/+/block", true);
        subscribes("site/s1", "net/f1/validator/v1/block", true);
        subscribes("site/s1", "net/f1/tso/+/forecast", true);
        subscribes("validator/v1", "net/f1/site/+/submit", true);
        subscribes("validator/v1", "net/f1/validator/+/consensus", true);
        subscribes("timekeeper/t1", "net/f1/site/+/bid/+", true);
        // for another, for other roles, in other markets, and wildcards that reach beyond
        subscribes("site/s1", "net/f1/+/+/+/site-s2", false);
        subscribes("site/s1", "net/f1/+/+/+/+", false);
        subscribes("site/s1", "net/f1/+/+/+/#", false);
        subscribes("site/s1", "net/f1/site/+/submit", false);
        subscribes("site/s1", "net/f1/validator/+/consensus", false);
        subscribes("site/s1", "net/f1/site/+/bid/+", false);
        subscribes("site/s1", "net/f2/validator/+/block", false);
        subscribes("site/s1", "net/+/validator/+/block", false);
        subscribes("site/s1", "net/f1/validator/+/block/#", false);
        subscribes("site/s1", "net/f1/validator/#", false);
        subscribes("validator/v1", "#", false);
        subscribes("dso/d1", "net/#", false);
    }

    #[test]
    fn a_device_has_what_lies_below_its_topics() {
        let device = Access::Below(vec!["site/pump".to_owned()]);
        assert!(device.may_publish("site/pump/state") && device.may_publish("site/pump"));
        assert!(device.may_subscribe("site/pump/#") && device.may_subscribe("site/pump/+"));
        for beyond in ["site/pump2/state", "site/other", "site", "pump"] {
            assert!(!device.may_publish(beyond) && !device.may_subscribe(beyond), "{beyond}");
        }
        assert!(
            !device.may_subscribe("site/#") && !device.may_subscribe("#") && !device.may_subscribe("+/pump")
        );
    }

    /// What the gate lets a party do, the filters let it do, and nothing else, for every role and kind.
    #[test]
    fn rules_say_what_the_gate_does() {
        for role in Role::ALL {
            let party = PartyId::new(role, "x1".parse().unwrap());
            let (rules, access) = (Rules::of(&network(), &party), Access::of_party(network(), party.clone()));
            let allowed =
                |filters: &[String], topic: &str| filters.iter().any(|filter| matches(filter, topic));
            for kind in &KINDS {
                for sender in Role::ALL.map(|role| PartyId::new(role, "x1".parse().unwrap())) {
                    for end in ["", "/site-s1"] {
                        let topic = network().broadcast_by(&sender, kind.word) + end;
                        let may = access.may_publish(&topic);
                        assert_eq!(allowed(&rules.publish, &topic), may, "{party} on {topic}");
                        assert_eq!(
                            allowed(&rules.hear, &topic),
                            access.may_subscribe(&topic),
                            "{party} of {topic}"
                        );
                    }
                }
            }
            assert!(rules.hear.iter().all(|filter| access.may_subscribe(filter)));
        }
    }

    fn levels(words: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
        let levels = prop::collection::vec(prop::sample::select(words), 1..5);
        levels.prop_map(|levels| levels.join("/")).prop_filter("something", |text| !text.is_empty())
    }

    fn filters() -> impl Strategy<Value = String> {
        let all = levels(&["a", "b", "+", ""]);
        prop_oneof![1 => Just("#".to_owned()), 4 => all.clone(), 4 => all.prop_map(|start| start + "/#")]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        /// Against the meaning: what matches the narrower matches the wider, and what is not covered has a
        /// witness, with a word that stands nowhere for each `+` and `#`.
        #[test]
        fn covering_is_about_every_topic(
            allowed in filters(), filter in filters(), topic in levels(&["a", "b", "c", ""]),
        ) {
            prop_assert!(is_filter(&allowed) && is_filter(&filter) && is_name(&topic));
            if covers(&allowed, &filter) {
                prop_assert!(!matches(&filter, &topic) || matches(&allowed, &topic));
            } else {
                let fresh = filter.replace('+', "x").replace('#', "x/x/x/x/x/x");
                let parent = filter.replace('+', "x");
                let parent = parent.strip_suffix("/#").unwrap_or(&fresh).to_owned();
                let shallow = filter.replace(['+', '#'], "x");
                let witness = |topic: &String| matches(&filter, topic) && !matches(&allowed, topic);
                let witnessed = [fresh, parent, shallow].iter().any(witness);
                prop_assert!(witnessed, "{} and {}", allowed, filter);
            }
        }
    }
}
