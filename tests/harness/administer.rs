//! Rights and quotas, in Kafka's own words: the Rust binding of librdkafka has none for them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Key of the request that gives rights.
const CREATE_ACLS: i16 = 30;
/// Key of the request that sets quotas.
const ALTER_CLIENT_QUOTAS: i16 = 49;

/// Longest wait for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// A right of a user, in the words of `kafka-acls.sh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right<'a> {
    /// Who.
    pub user: &'a str,
    /// `Read` or `Write`.
    pub operation: &'a str,
    /// `topic`, `group` or `transactional-id`.
    pub kind: &'a str,
    /// `literal` or `prefixed`.
    pub pattern: &'a str,
    /// Of what.
    pub name: &'a str,
}

fn number(words: &[(&str, i8)], word: &str) -> i8 {
    words.iter().find(|(known, _)| *known == word).unwrap_or_else(|| panic!("there is no {word:?} among {words:?}")).1
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as i16).to_be_bytes(), text.as_bytes()].concat()
}

fn count(items: usize) -> [u8; 4] {
    (items as i32).to_be_bytes()
}

/// Codes and messages of this many results, one behind the other.
fn errors(mut results: &[u8], count: usize) -> Vec<(i16, String)> {
    let number = |results: &mut &[u8]| {
        let (number, rest) = results.split_at(2);
        *results = rest;
        i16::from_be_bytes([number[0], number[1]])
    };
    let each = |_| {
        let code = number(&mut results);
        let length = number(&mut results).max(0) as usize;
        let (message, rest) = results.split_at(length);
        results = rest;
        (code, String::from_utf8_lossy(message).into_owned())
    };
    (0..count).map(each).collect()
}

/// Sends one request; what its answer holds behind the time to wait and the number of results.
fn ask(broker: &str, key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(broker).expect("the broker listens");
    stream.set_read_timeout(Some(ANSWER_MAX)).expect("set an option of a socket");
    // Key, version, correlation id, no client id.
    let head = [&key.to_be_bytes()[..], &version.to_be_bytes(), &[0; 4], &(-1i16).to_be_bytes()].concat();
    let request = [&count(head.len() + body.len())[..], &head, body].concat();
    stream.write_all(&request).expect("the broker reads");
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("the broker answers");
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).expect("the broker answers");
    answer.split_off(12)
}

/// Allows this, all at once.
pub(crate) fn allow(broker: &str, rights: &[Right<'_>]) {
    let mut body = count(rights.len()).to_vec();
    for Right { user, operation, kind, pattern, name } in rights {
        body.push(number(&[("topic", 2), ("group", 3), ("transactional-id", 5)], kind) as u8);
        body.extend(text(name));
        body.push(number(&[("literal", 3), ("prefixed", 4)], pattern) as u8);
        body.extend(text(&format!("User:{user}")));
        body.extend(text("*"));
        // To be allowed is 3.
        body.extend([number(&[("Read", 3), ("Write", 4)], operation) as u8, 3]);
    }
    let results = ask(broker, CREATE_ACLS, 1, &body);
    let refused = errors(&results, rights.len());
    assert!(refused.iter().all(|(code, _)| *code == 0), "rights were refused: {refused:?}");
}

/// Bounds what clients of this name may write, in bytes a second.
pub(crate) fn limit(broker: &str, client: &str, bytes: f64) {
    let mut body = [count(1), count(1)].concat();
    body.extend([text("client-id"), text(client)].concat());
    body.extend(count(1));
    body.extend(text("producer_byte_rate"));
    body.extend(bytes.to_be_bytes());
    // Not to be removed, and not only to be tried.
    body.extend([0, 0]);
    let results = ask(broker, ALTER_CLIENT_QUOTAS, 0, &body);
    let refused = errors(&results, 1);
    assert_eq!(refused[0].0, 0, "the quota was refused: {refused:?}");
}
