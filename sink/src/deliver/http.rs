//! Sends a request and says what came of it.

use std::time::Duration;

use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Error, Timeout};

use super::receiver::{Answer, Request};
use super::route::is_public;

/// What is read of an answer: enough for any receiver's, and for a page of Slack messages.
const BODY_BYTES_MAX: u64 = 1 << 20;

/// The network as routes may use it.
#[derive(Debug, Clone)]
pub struct Network {
    agent: Agent,
}

impl Network {
    /// A network where a whole request with its answer may take so long.
    pub fn new(allow_private: bool, at_most: Duration) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .https_only(!allow_private)
            // A proxy from the environment would look names up itself, past the check of where they lead.
            .proxy(None)
            .user_agent(concat!("spendstream/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(at_most / 2))
            .timeout_global(Some(at_most))
            .build();
        let resolver = Checked { names: DefaultResolver::default(), allow_private };
        Network { agent: Agent::with_parts(config, DefaultConnector::default(), resolver) }
    }

    /// Sends a request. Never fails: what came of it is the answer. Texts in it name no address, which may be a secret.
    pub(crate) fn send(&self, request: &Request) -> Answer {
        let response = match &request.body {
            Some(body) => {
                let post =
                    request.headers.iter().fold(self.agent.post(&request.url), |post, (k, v)| post.header(*k, v));
                post.send(body)
            }
            None => {
                let get = request.headers.iter().fold(self.agent.get(&request.url), |get, (k, v)| get.header(*k, v));
                get.call()
            }
        };
        let mut response = match response {
            Ok(response) => response,
            Err(error) => return failed(&error),
        };
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let (status, retry_after) = (response.status().as_u16(), retry_after.map(str::to_owned));
        // Where the body breaks off the status still counts; a receiver whose answer is in the body finds none.
        let body = response.body_mut().with_config().limit(BODY_BYTES_MAX).lossy_utf8(true).read_to_string();
        Answer::Response { status, retry_after, body: body.unwrap_or_default() }
    }
}

fn failed(error: &Error) -> Answer {
    let sent = match error {
        Error::Timeout(Timeout::Resolve | Timeout::Connect) => false,
        Error::HostNotFound | Error::ConnectionFailed | Error::BadUri(_) | Error::RequireHttpsOnly(_) => false,
        Error::Tls(_) | Error::Rustls(_) => false,
        Error::Io(error) => error.kind() != std::io::ErrorKind::ConnectionRefused,
        _ => true,
    };
    if sent { Answer::NoAnswer(kind(error)) } else { Answer::NotSent(kind(error)) }
}

/// What kind of error it was; the error's own text could hold the address.
fn kind(error: &Error) -> String {
    match error {
        Error::Timeout(step) => format!("no answer in time ({step})"),
        Error::HostNotFound => "the host's name is not known, or leads to no address that may be used".to_owned(),
        Error::ConnectionFailed => "no connection".to_owned(),
        Error::Io(error) => format!("the connection broke ({})", error.kind()),
        Error::Tls(_) | Error::Rustls(_) => "no TLS connection could be made".to_owned(),
        Error::BadUri(_) | Error::Http(_) => "the address cannot be used".to_owned(),
        Error::Protocol(_) => "the answer is not HTTP".to_owned(),
        _ => "the request failed".to_owned(),
    }
}

/// Looks names up and leaves out addresses that lead inside, so that a name cannot be pointed there later.
#[derive(Debug)]
struct Checked {
    names: DefaultResolver,
    allow_private: bool,
}

impl Resolver for Checked {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let found = self.names.resolve(uri, config, timeout).map_err(|error| match error {
            // Nothing has been sent yet, which an error of a connection would not say.
            Error::Io(_) => Error::HostNotFound,
            other => other,
        })?;
        let mut allowed = self.empty();
        for address in found.iter().filter(|address| self.allow_private || is_public(address.ip())) {
            allowed.push(*address);
        }
        if allowed.is_empty() { Err(Error::HostNotFound) } else { Ok(allowed) }
    }
}
