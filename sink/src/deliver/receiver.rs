//! How each receiver wants an alert, and what its answers mean. Pure: an alert in, a request out; an answer in, an
//! outcome out.
//!
//! Sources, read again on 2026-11-27. Slack: message metadata (<https://docs.slack.dev/messaging/message-metadata>),
//! `conversations.history` with `include_all_metadata` and at most 999 messages
//! (<https://docs.slack.dev/reference/methods/conversations.history>; an app that is sold outside Slack's marketplace gets
//! one request a minute and 15 messages, an internal one does not), and errors after which something may have succeeded.
//! PagerDuty Events v2: parameters, their lengths, what deduplicates, and which answers to try again
//! (<https://github.com/PagerDuty/developer-docs/tree/main/docs/events-API-v2>). Standard Webhooks: headers, signature,
//! secrets of 24 to 64 bytes, no redirects, 15 seconds at least
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>). Slack's incoming
//! webhooks: from memory (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, FixedOffset};
use schemas::{Alert, Direction, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::attempt::Outcome;
use super::message::{Message, printable};
use super::origin::Origin;
use super::route::{Route, Secret, Secrets, check_url};

/// Longest summary PagerDuty takes.
const SUMMARY_MAX: usize = 1024;

/// Longest title, and longest value of a line, in a message to Slack, as it is sent. A block whose text is longer than 3,000 characters is
/// refused together with the message, and values are a caller's to choose.
const SLACK_MAX: usize = 300;

/// What is kept of an answer's text in the ledger.
const WHY_MAX: usize = 200;

/// A receiver with its secrets.
#[derive(Debug, Clone)]
pub enum Receiver {
    /// An incoming webhook of Slack. It cannot tell a message that comes twice.
    SlackWebhook {
        /// Address, which is the secret.
        url: Secret,
    },
    /// `chat.postMessage`. Whether a message arrived can be looked up.
    Slack {
        /// Bot token.
        token: Secret,
        /// Channel.
        channel: String,
        /// Web API.
        api: Url,
    },
    /// PagerDuty Events v2. It drops what comes twice.
    PagerDuty {
        /// Integration key.
        routing_key: Secret,
        /// Events v2.
        api: Url,
    },
    /// A signed webhook, whose id lets the receiver drop what comes twice.
    Webhook {
        /// Address.
        url: Url,
        /// Key of the signature.
        key: SigningKey,
    },
}

/// Key of a webhook's signature. It shows itself nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Vec<u8>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

/// An HTTP request. Its `Debug` shows no secret, as it shows neither address nor headers nor body.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Address.
    pub url: String,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// Body, JSON; without it the request is a GET.
    pub body: Option<String>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "request of {} bytes", self.body.as_ref().map_or(0, String::len))
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An answer.
    Response {
        /// Status.
        status: u16,
        /// `Retry-After`.
        retry_after: Option<String>,
        /// Body, cut to some kilobytes.
        body: String,
    },
    /// The request did not leave: no address, no connection, no TLS.
    NotSent(String),
    /// It left, at least in part, and no whole answer came.
    NoAnswer(String),
}

impl Receiver {
    /// The receiver of a route, with its secrets looked up.
    ///
    /// # Errors
    /// Names the secret that is missing or cannot be used, not what is in it.
    pub fn of(route: &Route, secrets: Secrets, allow_private: bool) -> anyhow::Result<Self> {
        if let Some(slack) = &route.slack_webhook {
            let url = secrets.find(&slack.url)?;
            // The address is not repeated in the error: it is the secret.
            let parsed = Url::parse(url.reveal()).ok().context("the address of slack_webhook is not an address")?;
            check_url(&parsed, allow_private).context("use the address of slack_webhook")?;
            return Ok(Receiver::SlackWebhook { url });
        }
        if let Some(slack) = &route.slack {
            let (channel, mut api) = (slack.channel.clone(), slack.api.clone());
            if !api.path().ends_with('/') {
                api.set_path(&format!("{}/", api.path()));
            }
            return Ok(Receiver::Slack { token: secrets.find(&slack.token)?, channel, api });
        }
        if let Some(pagerduty) = &route.pagerduty {
            let routing_key = secrets.find(&pagerduty.routing_key)?;
            return Ok(Receiver::PagerDuty { routing_key, api: pagerduty.api.clone() });
        }
        if let Some(webhook) = &route.webhook {
            let secret = secrets.find(&webhook.secret)?;
            let key = secret.reveal().strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
            let key = key.filter(|key| (24..=64).contains(&key.len()));
            let key = key.context("the secret of webhook must be whsec_ and base64 of 24 to 64 bytes")?;
            return Ok(Receiver::Webhook { url: webhook.url.clone(), key: SigningKey(key) });
        }
        bail!("route {} has no receiver", route.name)
    }

    /// The request that delivers an alert, under the name of an installation. `repeats` when an earlier one may have arrived.
    pub fn request(&self, alert: &Alert, origin: &Origin, message: &Message, repeats: bool, now: Timestamp) -> Request {
        let json = ("content-type", "application/json; charset=utf-8".to_owned());
        match self {
            Receiver::SlackWebhook { url } => {
                let body = json!({ "text": escaped(&message.title), "blocks": blocks(message, repeats) });
                Request { url: url.reveal().to_owned(), headers: vec![json], body: Some(body.to_string()) }
            }
            Receiver::Slack { token, channel, api } => {
                let body = json!({
                    "channel": channel,
                    "text": escaped(&message.title),
                    "blocks": blocks(message, false),
                    "unfurl_links": false,
                    "metadata": {
                        "event_type": METADATA_EVENT,
                        "event_payload": { "alert_id": origin.mark(alert.alert_id) },
                    },
                });
                let headers = vec![json, bearer(token)];
                Request { url: format!("{api}chat.postMessage"), headers, body: Some(body.to_string()) }
            }
            Receiver::PagerDuty { routing_key, api } => {
                let action = if alert.direction == Direction::Up { "trigger" } else { "resolve" };
                let mut body = json!({
                    "routing_key": routing_key.reveal(),
                    "event_action": action,
                    "dedup_key": origin.mark(alert.dedup_key),
                });
                if alert.direction == Direction::Up {
                    let details: serde_json::Map<String, Value> =
                        message.lines.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
                    body["payload"] = json!({
                        "summary": cut(&message.title, SUMMARY_MAX),
                        "source": format!("{}/{}", alert.tenant, alert.budget_id),
                        "severity": severity(&alert.severity),
                        "timestamp": alert.booked_at.to_string(),
                        "class": "budget",
                        "custom_details": details,
                    });
                    if let Some(team) = &alert.team {
                        body["payload"]["group"] = team.as_str().into();
                    }
                    body["client"] = "Spendstream".into();
                    if let Some(link) = &message.link {
                        body["client_url"] = link.as_str().into();
                    }
                }
                Request { url: api.to_string(), headers: vec![json], body: Some(body.to_string()) }
            }
            Receiver::Webhook { url, key } => {
                let body = webhook_body(alert, origin, message).to_string();
                let (id, seconds) = (origin.mark(alert.alert_id), now.micros().div_euclid(1_000_000).to_string());
                let signed = format!("{id}.{seconds}.{body}");
                let signature = format!("v1,{}", STANDARD.encode(hmac_sha256(&key.0, signed.as_bytes())));
                let headers =
                    vec![json, ("webhook-id", id), ("webhook-timestamp", seconds), ("webhook-signature", signature)];
                Request { url: url.to_string(), headers, body: Some(body) }
            }
        }
    }

    /// The request that finds out whether an alert has arrived since a time; `None` where that cannot be found out, or
    /// need not be, as the receiver drops what comes twice.
    pub fn look_up(&self, since: Timestamp) -> Option<Request> {
        let Receiver::Slack { token, channel, api } = self else { return None };
        // Clocks differ: a minute earlier finds it too.
        let oldest = since.plus_seconds(-60).micros().div_euclid(1_000_000);
        let channel: String = url::form_urlencoded::byte_serialize(channel.as_bytes()).collect();
        let query = format!("channel={channel}&oldest={oldest}&limit=200&include_all_metadata=true");
        Some(Request { url: format!("{api}conversations.history?{query}"), headers: vec![bearer(token)], body: None })
    }

    /// Whether the answer to [`Receiver::look_up`] shows the alert; `None` when it does not tell.
    pub fn found(&self, alert: &Alert, origin: &Origin, answer: &Answer) -> Option<bool> {
        let Answer::Response { status: 200, body, .. } = answer else { return None };
        let body: Value = serde_json::from_str(body).ok()?;
        if body["ok"] != true {
            return None;
        }
        let id = origin.mark(alert.alert_id);
        let is_it = |message: &Value| message["metadata"]["event_payload"]["alert_id"] == id.as_str();
        let found = body["messages"].as_array()?.iter().any(is_it);
        // On a page that is not the last, not being there means nothing.
        if !found && body["has_more"] == true { None } else { Some(found) }
    }

    /// What an answer that came now means.
    pub fn judge(&self, answer: &Answer, now: Timestamp) -> Outcome {
        let (status, retry_after, body) = match answer {
            Answer::NotSent(why) => return Outcome::Refused { why: why.clone(), after_seconds: None },
            Answer::NoAnswer(why) => return Outcome::Unknown { why: why.clone() },
            Answer::Response { status, retry_after, body } => (*status, retry_after, body.as_str()),
        };
        let after_seconds = retry_after.as_deref().and_then(|text| seconds_asked(text.trim(), now));
        let why = || format!("HTTP {status}: {}", self.quoted(body));
        match status {
            200..=299 => self.judge_success(body, after_seconds),
            // Followed blindly, a redirect could lead anywhere.
            300..=399 => Outcome::Rejected { why: format!("HTTP {status}: redirects are not followed") },
            408 | 425 | 429 => Outcome::Refused { why: why(), after_seconds },
            // The server may have stumbled after it took the message.
            502 | 504 => Outcome::Unknown { why: why() },
            500..=599 => Outcome::Refused { why: why(), after_seconds },
            _ => Outcome::Rejected { why: why() },
        }
    }

    fn judge_success(&self, body: &str, after_seconds: Option<i64>) -> Outcome {
        if !matches!(self, Receiver::Slack { .. }) {
            return Outcome::Delivered;
        }
        // The Web API answers 200 also when it refuses.
        let Ok(answer) = serde_json::from_str::<Value>(body) else {
            return Outcome::Unknown { why: "HTTP 200 without the JSON of Slack".to_owned() };
        };
        let error = answer["error"].as_str().unwrap_or_default();
        match (answer["ok"] == true, error) {
            (true, _) => Outcome::Delivered,
            (false, "ratelimited" | "rate_limited") => Outcome::Refused { why: error.to_owned(), after_seconds },
            (false, "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout") => {
                // "Some aspect of the operation" may have succeeded.
                Outcome::Unknown { why: error.to_owned() }
            }
            (false, "") => Outcome::Unknown { why: "HTTP 200 that says neither ok nor error".to_owned() },
            (false, _) => Outcome::Rejected { why: self.quoted(error) },
        }
    }

    /// What an answer says, for the ledger and the log. Servers repeat what they refuse, so what is secret is left out.
    fn quoted(&self, text: &str) -> String {
        let (secret, path) = match self {
            Receiver::SlackWebhook { url } => {
                (url.reveal(), Url::parse(url.reveal()).ok().map(|url| url.path().to_owned()))
            }
            Receiver::Slack { token, .. } => (token.reveal(), None),
            Receiver::PagerDuty { routing_key, .. } => (routing_key.reveal(), None),
            // Its key is never sent.
            Receiver::Webhook { .. } => ("", None),
        };
        let secrets = [secret, path.as_deref().unwrap_or_default()].into_iter().filter(|secret| secret.len() > 1);
        let told = secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "(secret)"));
        cut(&printable(&told), WHY_MAX)
    }
}

/// What `Retry-After` asks for: seconds, or a date (RFC 9110, section 10.2.3).
fn seconds_asked(text: &str, now: Timestamp) -> Option<i64> {
    let until = |date: DateTime<FixedOffset>| date.timestamp() - now.micros().div_euclid(1_000_000);
    let seconds = text.parse().ok().or_else(|| DateTime::parse_from_rfc2822(text).ok().map(until))?;
    // What is over by now asks for nothing.
    Some(seconds).filter(|seconds| *seconds >= 0)
}

/// Type of the metadata on Slack messages.
const METADATA_EVENT: &str = "spendstream_alert";

fn bearer(token: &Secret) -> (&'static str, String) {
    ("authorization", format!("Bearer {}", token.reveal()))
}

fn severity(text: &str) -> &str {
    match text {
        "critical" | "error" | "warning" => text,
        _ => "info",
    }
}

/// Block Kit: the title, the lines, and a link.
fn blocks(message: &Message, repeats: bool) -> Value {
    // Verbatim: addresses and names in what a caller has sent become no links and call nobody.
    let section =
        |text: String| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } });
    let lines: Vec<String> =
        message.lines.iter().map(|(name, value)| format!("*{name}*  {}", escaped(value))).collect();
    let mut blocks = vec![section(format!("*{}*", escaped(&message.title))), section(lines.join("\n"))];
    blocks.extend(message.link.as_ref().map(|link| section(format!("<{}|Open the budget>", escape(link)))));
    if repeats {
        let text = "An earlier attempt to send this got no answer, so it may be here twice.";
        blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": text }] }));
    }
    blocks.into()
}

/// The beginning of a text as Slack takes it.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    let mut length = 0;
    for c in text.chars() {
        let piece = escape(c.encode_utf8(&mut [0; 4]));
        length += piece.chars().count();
        if length >= SLACK_MAX {
            out.push('…');
            break;
        }
        out.push_str(&piece);
    }
    out
}

/// Slack gives these three characters a meaning: `<!channel>` would call everybody.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Amounts are text: JSON numbers are floats for most who read them.
///
/// `alert_id` is the one of the lake; `dedup_key`, by which a receiver finds what a recovery ends, is no other installation's.
fn webhook_body(alert: &Alert, origin: &Origin, message: &Message) -> Value {
    let kind = if alert.direction == Direction::Up { "budget.threshold_crossed" } else { "budget.recovered" };
    json!({
        "type": kind,
        "timestamp": alert.emitted_at.to_string(),
        "data": {
            "alert_id": alert.alert_id.to_string(),
            "dedup_key": origin.mark(alert.dedup_key),
            "environment": origin.name(),
            "tenant": alert.tenant,
            "budget_id": alert.budget_id,
            "budget_revision": alert.budget_revision,
            "name": alert.name,
            "team": alert.team,
            "period": alert.period.as_str(),
            "period_start": alert.period_start.to_string(),
            "period_end": alert.period_end.to_string(),
            "threshold": alert.threshold,
            "episode": alert.episode,
            "direction": alert.direction.as_str(),
            "action": alert.action,
            "severity": alert.severity,
            "amount": alert.amount.to_string(),
            "spent": alert.spent.to_string(),
            "currency": alert.currency,
            "booked_at": alert.booked_at.to_string(),
            "driven_by": message.drivers,
            "text": message.text(),
            "link": message.link,
        },
    })
}

fn cut(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    text.chars().take(characters.saturating_sub(1)).chain(['…']).collect()
}

/// RFC 2104.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let mut padded = [0; BLOCK];
    if key.len() > BLOCK {
        padded[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        padded[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(padded.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::super::drivers::Driver;
    use super::*;

    fn secret(text: &str) -> Secret {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, text).unwrap();
        Secrets.find(&super::super::route::SecretSource::File(path)).unwrap()
    }

    fn slack() -> Receiver {
        let api = Url::parse("https://slack.com/api/").unwrap();
        Receiver::Slack { token: secret("xoxb-1"), channel: "C1".to_owned(), api }
    }

    const NOON: Timestamp = Timestamp::from_millis(1_795_780_800_000);

    fn response(status: u16, body: &str) -> Answer {
        Answer::Response { status, retry_after: Some("7".to_owned()), body: body.to_owned() }
    }

    #[test]
    fn signatures_are_those_of_the_standard() {
        // RFC 4231, test cases 2 and 6.
        let hex = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let signature = hex(hmac_sha256(b"Jefe", b"what do ya want for nothing?"));
        assert_eq!(signature, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let signature = hex(hmac_sha256(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First"));
        assert_eq!(signature, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn an_answer_means_delivered_later_never_or_unknown() {
        let webhook = Receiver::Webhook { url: Url::parse("https://x.example/").unwrap(), key: SigningKey(vec![]) };
        let refused = |why: &str| Outcome::Refused { why: why.to_owned(), after_seconds: Some(7) };
        assert_eq!(webhook.judge(&response(204, ""), NOON), Outcome::Delivered);
        assert_eq!(webhook.judge(&response(429, "slow\u{7}down"), NOON), refused("HTTP 429: slow down"));
        assert_eq!(webhook.judge(&response(503, ""), NOON), refused("HTTP 503: "));
        assert!(matches!(webhook.judge(&response(302, ""), NOON), Outcome::Rejected { .. }));
        assert!(matches!(webhook.judge(&response(404, ""), NOON), Outcome::Rejected { .. }));
        assert!(matches!(webhook.judge(&response(504, ""), NOON), Outcome::Unknown { .. }));
        assert!(matches!(webhook.judge(&Answer::NoAnswer(String::new()), NOON), Outcome::Unknown { .. }));

        assert_eq!(slack().judge(&response(200, r#"{"ok":true}"#), NOON), Outcome::Delivered);
        assert_eq!(
            slack().judge(&response(200, r#"{"ok":false,"error":"ratelimited"}"#), NOON),
            refused("ratelimited")
        );
        let rejected = slack().judge(&response(200, r#"{"ok":false,"error":"channel_not_found"}"#), NOON);
        assert_eq!(rejected, Outcome::Rejected { why: "channel_not_found".to_owned() });
        assert!(matches!(slack().judge(&response(200, "<html>"), NOON), Outcome::Unknown { .. }));
        assert!(matches!(slack().judge(&response(200, r#"{"ok":false}"#), NOON), Outcome::Unknown { .. }));
    }

    #[test]
    fn a_secret_that_an_answer_repeats_is_not_kept() {
        let webhook = Receiver::SlackWebhook { url: secret("https://hooks.slack.example/services/T0/B0/XyZ") };
        let pagerduty =
            Receiver::PagerDuty { routing_key: secret("R0UT1NG"), api: Url::parse("https://x.example/").unwrap() };
        for (receiver, body, kept) in [
            (&webhook, "no POST to /services/T0/B0/XyZ here", "HTTP 400: no POST to (secret) here"),
            (&webhook, "https://hooks.slack.example/services/T0/B0/XyZ?", "HTTP 400: (secret)?"),
            (&pagerduty, r#"{"errors":["R0UT1NG is no key"]}"#, r#"HTTP 400: {"errors":["(secret) is no key"]}"#),
        ] {
            let outcome = receiver.judge(&response(400, body), NOON);
            assert_eq!(outcome, Outcome::Rejected { why: kept.to_owned() });
        }
        let refused = slack().judge(&response(200, r#"{"ok":false,"error":"bad token xoxb-1"}"#), NOON);
        assert_eq!(refused, Outcome::Rejected { why: "bad token (secret)".to_owned() });
    }

    #[test]
    fn a_receiver_may_ask_for_seconds_or_name_a_time() {
        let asked = |text: &str| {
            let answer = Answer::Response { status: 429, retry_after: Some(text.to_owned()), body: String::new() };
            match slack().judge(&answer, NOON) {
                Outcome::Refused { after_seconds, .. } => after_seconds,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(NOON.to_string(), "2026-11-27T12:00:00Z");
        for (text, seconds) in [
            (" 90 ", Some(90)),
            ("Fri, 27 Nov 2026 12:01:30 GMT", Some(90)),
            ("Fri, 27 Nov 2026 11:59:00 GMT", None),
            ("-1", None),
            ("soon", None),
        ] {
            assert_eq!(asked(text), seconds, "{text}");
        }
    }

    #[test]
    fn what_a_caller_sent_calls_nobody_in_slack_and_fits_a_block() {
        let mut alert = super::super::message::tests::alert(1, Direction::Up);
        alert.name = "<!channel> & co".into();
        alert.team = Some("&".repeat(512).into());
        let drivers = ["model", "key", "use case"].map(|dimension| Driver {
            dimension: dimension.to_owned(),
            value: Some("<&>".repeat(170)),
            per_mille: 1,
        });
        let message = Message::of(&alert, &drivers, None);
        let webhook = Receiver::SlackWebhook { url: secret("https://hooks.slack.example/x") };
        for receiver in [slack(), webhook] {
            let body = receiver.request(&alert, &Origin::default(), &message, true, NOON).body.unwrap();
            let body: Value = serde_json::from_str(&body).unwrap();
            assert!(body["text"].as_str().unwrap().starts_with("&lt;!channel&gt; &amp; co: 50 %"), "{body}");
            let sections: Vec<&Value> = body["blocks"]
                .as_array()
                .unwrap()
                .iter()
                .map(|block| &block["text"])
                .filter(|text| !text.is_null())
                .collect();
            assert_eq!(sections.len(), 2, "{body}");
            for section in sections {
                let text = section["text"].as_str().unwrap();
                assert!(
                    text.chars().count() <= 3_000 && !text.contains('<') && section["verbatim"] == true,
                    "{section}"
                );
            }
        }
    }

    #[test]
    fn a_message_is_found_by_its_metadata_or_it_is_not_known() {
        let alert = super::super::message::tests::alert(1, Direction::Up);
        let none = Origin::default();
        let page = |messages: &str, more: bool| {
            response(200, &format!(r#"{{"ok":true,"messages":[{messages}],"has_more":{more}}}"#))
        };
        let its = format!(r#"{{"text":"x","metadata":{{"event_payload":{{"alert_id":"{}"}}}}}}"#, alert.alert_id);
        assert_eq!(slack().found(&alert, &none, &page(&its, true)), Some(true));
        assert_eq!(slack().found(&alert, &none, &page(r#"{"text":"x"}"#, false)), Some(false));
        assert_eq!(slack().found(&alert, &none, &page(r#"{"text":"x"}"#, true)), None);
        assert_eq!(slack().found(&alert, &none, &response(200, r#"{"ok":false,"error":"missing_scope"}"#)), None);
        assert_eq!(slack().found(&alert, &none, &Answer::NotSent(String::new())), None);
        let other = Origin::named("staging");
        assert_eq!(slack().found(&alert, &other, &page(&its, false)), Some(false), "it is another installation's");
    }

    #[test]
    fn a_recovery_resolves_what_the_crossing_opened() {
        let pagerduty =
            Receiver::PagerDuty { routing_key: secret("key"), api: Url::parse("https://x.example/").unwrap() };
        let body = |of, direction| {
            let alert = super::super::message::tests::alert(1, direction);
            let message = Message::of(&alert, &[], None);
            let request = pagerduty.request(&alert, &Origin::named(of), &message, false, alert.emitted_at);
            serde_json::from_str::<Value>(&request.body.unwrap()).unwrap()
        };
        let (up, down) = (body("staging", Direction::Up), body("staging", Direction::Down));
        assert_eq!((&up["event_action"], &down["event_action"]), (&json!("trigger"), &json!("resolve")));
        assert_eq!(up["dedup_key"], down["dedup_key"]);
        assert_eq!(up["payload"]["severity"], "critical");
        assert_ne!(up["dedup_key"], body("production", Direction::Up)["dedup_key"]);
        assert_eq!(body("local", Direction::Up)["dedup_key"], "07070707070707070707070707070707");
    }
}
