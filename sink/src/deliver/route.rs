//! Which alerts go where: a file of routes, each with dates, checked whole. Secrets are named in it, never written.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, bail};
use chrono::NaiveDate;
use schemas::{Alert, Direction, Timestamp};
use serde::Deserialize;
use url::Url;

/// Severities an alert may have.
const SEVERITIES: &[&str] = &["info", "warning", "error", "critical"];

/// Most routes in a file: each has a thread.
const ROUTES_MAX: usize = 64;

/// The routes of an installation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routes {
    /// The routes, in the order of the file. An alert goes to every one it matches.
    pub routes: Vec<Route>,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Name: lower-case letters, digits and dashes. The ledger knows the route by it, so a new name is a new route.
    pub name: String,
    /// First day it is in force, in UTC.
    pub from: Option<NaiveDate>,
    /// Day after the last.
    pub until: Option<NaiveDate>,
    /// What it takes; everything when left out.
    #[serde(default, rename = "match")]
    pub matches: Matches,
    /// False where nobody wants to hear that spend is below a threshold again. PagerDuty needs it to resolve.
    #[serde(default = "yes")]
    pub recoveries: bool,
    /// An incoming webhook of Slack: `slack_webhook: { url: { env: NAME } }`.
    pub slack_webhook: Option<SlackWebhook>,
    /// `chat.postMessage` of Slack: `slack: { token: { env: NAME }, channel: C0123456789 }`.
    pub slack: Option<Slack>,
    /// Events v2 of PagerDuty: `pagerduty: { routing_key: { file: PATH } }`.
    pub pagerduty: Option<PagerDuty>,
    /// Any receiver of signed webhooks: `webhook: { url: https://…, secret: { env: NAME } }`.
    pub webhook: Option<Webhook>,
}

fn yes() -> bool {
    true
}

/// What a route takes: every list that is given must hold the alert's value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Matches {
    /// Tenants.
    pub tenant: Option<Vec<String>>,
    /// Teams.
    pub team: Option<Vec<String>>,
    /// Budget ids.
    pub budget: Option<Vec<String>>,
    /// info, warning, error, critical.
    pub severity: Option<Vec<String>>,
    /// Actions of the threshold: notify, page, block, or words of one's own.
    pub action: Option<Vec<String>>,
    /// Environments of the installation (`--environment`), so that one file serves all of them.
    pub environment: Option<Vec<String>>,
}

/// Where a secret is: `{ env: NAME }` or `{ file: PATH }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenSource")]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file, whose last line break is left out.
    File(PathBuf),
}

/// As it is written: YAML has tags of its own for choices, which nobody wants to write.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSource {
    env: Option<String>,
    file: Option<PathBuf>,
}

impl TryFrom<WrittenSource> for SecretSource {
    type Error = &'static str;

    fn try_from(written: WrittenSource) -> Result<Self, Self::Error> {
        match (written.env, written.file) {
            (Some(name), None) => Ok(SecretSource::Env(name)),
            (None, Some(path)) => Ok(SecretSource::File(path)),
            _ => Err("a secret is named by one of env and file"),
        }
    }
}

/// An incoming webhook of Slack. Its address is the secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackWebhook {
    /// Address, as Slack gives it.
    pub url: SecretSource,
}

/// A Slack app that posts messages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slack {
    /// Bot token with `chat:write`, and `channels:history` so that it can be found out whether a message arrived.
    pub token: SecretSource,
    /// Id of the channel.
    pub channel: String,
    /// Address of the Web API.
    #[serde(default = "slack_api")]
    pub api: Url,
}

/// A PagerDuty service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagerDuty {
    /// Integration key of the service.
    pub routing_key: SecretSource,
    /// Address of Events v2; the EU's is `https://events.eu.pagerduty.com/v2/enqueue`.
    #[serde(default = "pagerduty_api")]
    pub api: Url,
}

/// A receiver of signed webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Address.
    pub url: Url,
    /// Key of the signature, as Standard Webhooks writes it: `whsec_` and base64 of 24 to 64 bytes.
    pub secret: SecretSource,
}

fn slack_api() -> Url {
    Url::parse("https://slack.com/api/").expect("a constant address")
}

fn pagerduty_api() -> Url {
    Url::parse("https://events.pagerduty.com/v2/enqueue").expect("a constant address")
}

impl Routes {
    /// Reads a file and checks it whole. Secrets are not looked up.
    ///
    /// # Errors
    /// Everything that is wrong with it, a line each.
    pub fn parse(name: &str, text: &str, allow_private: bool) -> anyhow::Result<Self> {
        let routes: Routes = serde_yaml_ng::from_str(text).with_context(|| format!("read {name}"))?;
        let wrong = routes.lint(allow_private);
        if !wrong.is_empty() {
            bail!("{name} was not used, because:\n  {}", wrong.join("\n  "));
        }
        Ok(routes)
    }

    fn lint(&self, allow_private: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.routes.len() > ROUTES_MAX {
            wrong.push(format!("{} routes are more than {ROUTES_MAX}", self.routes.len()));
        }
        let mut names = BTreeSet::new();
        for route in &self.routes {
            let mut say = |text: String| wrong.push(format!("route {}: {text}", route.name));
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if route.name.is_empty() || route.name.len() > 64 || !route.name.chars().all(plain) {
                say("name: use up to 64 lower-case letters, digits and dashes".to_owned());
            }
            if !names.insert(&route.name) {
                say("name: another route has it".to_owned());
            }
            if let (Some(from), Some(until)) = (route.from, route.until)
                && until <= from
            {
                say(format!("until: {until} is not after from, {from}"));
            }
            let receivers = [
                route.slack_webhook.is_some(),
                route.slack.is_some(),
                route.pagerduty.is_some(),
                route.webhook.is_some(),
            ];
            if receivers.iter().filter(|given| **given).count() != 1 {
                say("give it one of slack_webhook, slack, pagerduty, webhook".to_owned());
            }
            if route.pagerduty.is_some() && !route.recoveries {
                say("recoveries: without them PagerDuty incidents stay open".to_owned());
            }
            for (field, values) in route.matches.lists() {
                if values.is_empty() {
                    say(format!("match.{field}: an empty list takes nothing; leave it out to take everything"));
                }
            }
            for severity in route.matches.severity.iter().flatten() {
                if !SEVERITIES.contains(&severity.as_str()) {
                    say(format!("match.severity: {severity:?} is none of {}", SEVERITIES.join(", ")));
                }
            }
            for url in route.urls() {
                if let Err(error) = check_url(url, allow_private) {
                    say(format!("{error:#}"));
                }
            }
        }
        wrong
    }
}

impl Matches {
    fn lists(&self) -> impl Iterator<Item = (&'static str, &Vec<String>)> {
        let lists = [
            ("tenant", &self.tenant),
            ("team", &self.team),
            ("budget", &self.budget),
            ("severity", &self.severity),
            ("action", &self.action),
            ("environment", &self.environment),
        ];
        lists.into_iter().filter_map(|(name, list)| Some((name, list.as_ref()?)))
    }
}

impl Route {
    /// True when an alert goes here.
    pub fn takes(&self, alert: &Alert, environment: &str, now: Timestamp) -> bool {
        let day = NaiveDate::from_epoch_days(now.days()).unwrap_or_default();
        let in_force = self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day < until);
        let wanted = alert.direction == Direction::Up || self.recoveries;
        in_force
            && wanted
            && self.matches.lists().all(|(field, values)| {
                let value = match field {
                    "tenant" => Some(alert.tenant.as_str()),
                    "team" => alert.team.as_deref(),
                    "budget" => Some(alert.budget_id.as_str()),
                    "severity" => Some(alert.severity.as_str()),
                    "action" => Some(alert.action.as_str()),
                    _ => Some(environment),
                };
                value.is_some_and(|value| values.iter().any(|wanted| wanted == value))
            })
    }

    fn urls(&self) -> impl Iterator<Item = &Url> {
        let slack = self.slack.as_ref().map(|slack| &slack.api);
        let pagerduty = self.pagerduty.as_ref().map(|pagerduty| &pagerduty.api);
        [slack, pagerduty, self.webhook.as_ref().map(|webhook| &webhook.url)].into_iter().flatten()
    }
}

/// Makes sure that an address may be used at all. Where its name leads is checked again for each connection.
pub(crate) fn check_url(url: &Url, allow_private: bool) -> anyhow::Result<()> {
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "https" => {}
        "http" if allow_private => {}
        other => bail!("{other}://{host} is not https"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        bail!("the address of {host} holds a password; put it into a secret");
    }
    let literal = match url.host() {
        Some(url::Host::Ipv4(address)) => Some(address.into()),
        Some(url::Host::Ipv6(address)) => Some(address.into()),
        _ => None,
    };
    if !allow_private
        && (literal.is_some_and(|address| !is_public(address)) || host.trim_end_matches('.') == "localhost")
    {
        bail!("{host} is not a public address (--alert-allow-private lets it)");
    }
    Ok(())
}

/// True for addresses that are reached through the internet: not this machine, private networks, or cloud metadata.
pub(crate) fn is_public(address: std::net::IpAddr) -> bool {
    use std::net::IpAddr;
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let benchmark = a == 198 && (b == 18 || b == 19);
            // Of protocols, where Oracle's cloud once had its metadata, and of the relays of 6to4.
            let protocols = a == 192 && (b, c) == (0, 0) || (a, b, c) == (192, 88, 99);
            let reserved = a == 0 || a >= 240;
            let special = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast();
            // Azure's agent answers every machine there at an address that looks public.
            let azure = v4.octets() == [168, 63, 129, 16];
            !(shared || benchmark || protocols || reserved || special || azure || v4.is_documentation())
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public(IpAddr::V4(v4)),
            None => {
                let [first, second, ..] = v6.segments();
                // Global unicast, without what is for protocols (Teredo, which holds an IPv4 address, among them), for documentation, and
                // for 6to4, which holds one, too.
                let protocols = first == 0x2001 && second < 0x200;
                let documentation = (first, second) == (0x2001, 0xdb8) || first == 0x3fff && second < 0x1000;
                (0x2000..0x4000).contains(&first) && !(protocols || documentation || first == 0x2002)
            }
        },
    }
}

/// A secret. It shows itself nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Secret {
    /// The secret itself, to be sent.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

/// Where secrets are looked up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Secrets;

impl Secrets {
    /// Looks one up.
    ///
    /// # Errors
    /// Names the variable or file, never what is in it.
    pub fn find(self, source: &SecretSource) -> anyhow::Result<Secret> {
        let (text, from) = match source {
            SecretSource::Env(name) => {
                let text = std::env::var(name).ok();
                (text.with_context(|| format!("environment variable {name} is not set"))?, name.clone())
            }
            SecretSource::File(path) => {
                let text = std::fs::read_to_string(path);
                (text.with_context(|| format!("read the secret in {}", path.display()))?, path.display().to_string())
            }
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() || text.chars().any(char::is_control) {
            bail!("the secret in {from} is empty or holds control characters");
        }
        Ok(Secret(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::alert;
    use super::*;

    const FILE: &str = r#"
routes:
  - name: growth-slack
    match: { team: [growth], severity: [warning, error, critical] }
    slack_webhook: { url: { env: GROWTH_SLACK } }
  - name: on-call
    from: 2026-11-10
    until: 2026-12-01
    match: { severity: [critical], environment: [production] }
    pagerduty: { routing_key: { file: /run/secrets/pagerduty } }
  - name: finance
    recoveries: false
    webhook: { url: "https://hooks.example.com/spend", secret: { env: FINANCE } }
"#;

    fn taken(direction: Direction, environment: &str, now: i64) -> Vec<String> {
        let alert = alert(1, direction);
        let now = alert.booked_at.plus_seconds(now * 86_400);
        let routes = Routes::parse("routes.yaml", FILE, false).unwrap().routes;
        routes.into_iter().filter(|route| route.takes(&alert, environment, now)).map(|route| route.name).collect()
    }

    #[test]
    fn an_alert_goes_to_every_route_that_takes_it_while_it_is_in_force() {
        assert_eq!(taken(Direction::Up, "production", 0), ["growth-slack", "on-call", "finance"]);
        assert_eq!(taken(Direction::Up, "staging", 0), ["growth-slack", "finance"]);
        assert_eq!(taken(Direction::Up, "production", -2), ["growth-slack", "finance"]);
        assert_eq!(taken(Direction::Up, "production", 20), ["growth-slack", "finance"]);
        assert_eq!(taken(Direction::Down, "production", 0), ["growth-slack", "on-call"]);
    }

    fn refused(text: &str) -> String {
        format!("{:#}", Routes::parse("routes.yaml", text, false).unwrap_err())
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let error = refused(
            "routes:
  - { name: A b, match: { severity: [loud], team: [] }, webhook: { url: 'http://10.0.0.1/', secret: { env: X } } }
  - { name: twice, from: 2026-12-01, until: 2026-12-01, pagerduty: { routing_key: { env: X } }, recoveries: false }
  - { name: twice }",
        );
        for part in [
            "route A b: name:",
            "match.severity: \"loud\"",
            "match.team: an empty list",
            "http://10.0.0.1 is not https",
            "until: 2026-12-01 is not after",
            "incidents stay open",
            "route twice: name: another route has it",
            "route twice: give it one of",
        ] {
            assert!(error.contains(part), "{part:?} is not in {error}");
        }
        let unknown = refused("routes:\n  - { name: a, slak: {} }");
        assert!(unknown.contains("slak"), "{unknown}");
    }

    #[test]
    fn addresses_that_lead_inside_are_refused() {
        for url in [
            "https://127.0.0.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/",
            "https://[::ffff:10.1.2.3]/",
            "https://[fd00::1]/",
            "https://localhost/",
            "https://100.64.0.1/",
            "https://192.0.0.192/opc/",
            "https://168.63.129.16/",
            "https://2852039166/latest/meta-data",
            "https://0x7f.1/",
            "https://127.0.0.1./",
            "https://localhost./",
            "https://[::ffff:a9fe:a9fe]/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://[2001:0:a9fe:a9fe::1]/",
            "https://[2002:a9fe:a9fe::1]/",
            "https://[2001:db8::1]/",
            "https://[3fff:abc::1]/",
            "https://user:word@example.com/",
            "ftp://example.com/",
        ] {
            assert!(check_url(&Url::parse(url).unwrap(), false).is_err(), "{url}");
        }
        for url in ["https://hooks.slack.com/services/x", "https://192.0.1.1/", "https://[2001:4860:4860::8888]/"] {
            check_url(&Url::parse(url).unwrap(), false).unwrap();
        }
        check_url(&Url::parse("http://127.0.0.1:1/").unwrap(), true).unwrap();
    }

    #[test]
    fn a_secret_shows_itself_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "hush\n").unwrap();
        let secret = Secrets.find(&SecretSource::File(path.clone())).unwrap();
        assert_eq!((secret.reveal(), format!("{secret:?}").as_str()), ("hush", "(secret)"));
        std::fs::write(&path, "hu\nsh\n").unwrap();
        let error = format!("{:#}", Secrets.find(&SecretSource::File(path)).unwrap_err());
        assert!(error.contains("control characters") && !error.contains("hu\nsh"), "{error}");
    }
}
