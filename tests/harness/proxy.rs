//! A TCP proxy that understands Kafka's framing, and loses or delays what it is told to.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Key of the request that writes records.
pub const PRODUCE: i16 = 0;
/// Key of the request that asks where a partition begins and ends.
pub const LIST_OFFSETS: i16 = 2;
/// Key of the request that takes a transactional id over.
pub const INIT_PRODUCER_ID: i16 = 22;
/// Key of the request that adds partitions to a transaction.
pub const ADD_PARTITIONS_TO_TXN: i16 = 24;
/// Key of the request that adds a consumer group to a transaction.
pub const ADD_OFFSETS_TO_TXN: i16 = 25;
/// Key of the request that ends a transaction.
pub const END_TXN: i16 = 26;
/// Key of the request that adds consumer offsets to a transaction.
pub const TXN_OFFSET_COMMIT: i16 = 28;

/// What is done to requests and responses of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request arrives and is carried out; its response never comes back.
    LoseResponse,
    /// The request arrives when the fault is healed, also if whoever sent it is dead by then. What the client sends after
    /// it on the same connection waits with it.
    HoldRequest,
    /// The request arrives with another text in the place of the one it was picked by: it asks about what is not there.
    AskForAnother,
}

#[derive(Debug)]
struct Rule {
    key: i16,
    text: Vec<u8>,
    fault: Fault,
    struck: AtomicUsize,
    healed: AtomicBool,
    /// Connections from this one on are left alone.
    spares_from: AtomicUsize,
}

#[derive(Debug, Default)]
struct Rules {
    rules: Mutex<Vec<Arc<Rule>>>,
    /// Connections so far.
    connections: AtomicUsize,
}

/// A fault in force. Healed when dropped.
#[derive(Debug)]
pub struct Cut {
    rule: Arc<Rule>,
    rules: Arc<Rules>,
}

impl Cut {
    /// Whether a request was struck by it.
    pub fn struck(&self) -> bool {
        self.rule.struck.load(Ordering::SeqCst) > 0
    }

    /// From now on only connections that stand are struck: clients that connect later are answered.
    pub fn spare_new_connections(&self) {
        self.rule.spares_from.store(self.rules.connections.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        self.rules.lock().retain(|rule| !Arc::ptr_eq(rule, &self.rule));
        self.rule.healed.store(true, Ordering::SeqCst);
    }
}

/// A running proxy. Its threads end with their connections.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    rules: Arc<Rules>,
}

impl Proxy {
    /// Listens on a free port and passes connections on to this one.
    pub fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let rules = Arc::<Rules>::default();
        let shared = rules.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                match TcpStream::connect(("127.0.0.1", target)) {
                    Ok(broker) => join(client, broker, &shared),
                    Err(_) => drop(client),
                }
            }
        });
        Proxy { port, rules }
    }

    /// Port for clients to begin with.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Applies a fault to every request of this kind that contains a text, a transactional id for example.
    pub fn cut(&self, key: i16, text: &str, fault: Fault) -> Cut {
        let (struck, healed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let spares_from = AtomicUsize::new(usize::MAX);
        let rule = Arc::new(Rule { key, text: text.as_bytes().to_vec(), fault, struck, healed, spares_from });
        self.rules.lock().push(rule.clone());
        Cut { rule, rules: self.rules.clone() }
    }
}

impl Rules {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Rule>>> {
        self.rules.lock().expect("no thread panics with the lock")
    }

    fn of(&self, connection: usize, frame: &[u8]) -> Option<Arc<Rule>> {
        // length 4, api key 2, api version 2, correlation id 4
        let key = frame.get(4..6)?;
        let key = i16::from_be_bytes([key[0], key[1]]);
        let contains = |text: &[u8]| text.is_empty() || frame.windows(text.len()).any(|window| window == text);
        let strikes = |rule: &Rule| rule.key == key && connection < rule.spares_from.load(Ordering::SeqCst);
        self.lock().iter().find(|rule| strikes(rule) && contains(&rule.text)).cloned()
    }
}

/// Reads one frame: four bytes of length, then that much.
fn frame(from: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut frame = vec![0; 4 + u32::from_be_bytes(length) as usize];
    frame[..4].copy_from_slice(&length);
    from.read_exact(&mut frame[4..])?;
    Ok(frame)
}

fn join(client: TcpStream, broker: TcpStream, rules: &Arc<Rules>) {
    let clone = |stream: &TcpStream| stream.try_clone().expect("a socket can be shared");
    for stream in [&client, &broker] {
        stream.set_nodelay(true).expect("set an option of a socket");
    }
    // Correlation ids of requests whose response is to be lost.
    let lost = Arc::new(Mutex::new(HashSet::<[u8; 4]>::new()));
    let (mut requests_in, mut requests_out) = (clone(&client), clone(&broker));
    let (rules, noted) = (rules.clone(), lost.clone());
    let connection = rules.connections.fetch_add(1, Ordering::SeqCst);
    std::thread::spawn(move || {
        while let Ok(mut frame) = frame(&mut requests_in) {
            if let Some(rule) = rules.of(connection, &frame) {
                rule.struck.fetch_add(1, Ordering::SeqCst);
                match rule.fault {
                    Fault::LoseResponse => {
                        let id = [frame[8], frame[9], frame[10], frame[11]];
                        noted.lock().expect("no thread panics with the lock").insert(id);
                    }
                    Fault::HoldRequest => {
                        while !rule.healed.load(Ordering::SeqCst) {
                            std::thread::sleep(Duration::from_millis(5));
                        }
                    }
                    Fault::AskForAnother => {
                        let at = frame.windows(rule.text.len()).position(|window| window == rule.text);
                        if let Some(last) = at.map(|at| at + rule.text.len() - 1) {
                            frame[last] = if frame[last] == b'0' { b'1' } else { b'0' };
                        }
                    }
                }
            }
            if requests_out.write_all(&frame).is_err() {
                break;
            }
        }
        let _ = requests_out.shutdown(Shutdown::Both);
    });
    let (mut responses_in, mut responses_out) = (broker, client);
    std::thread::spawn(move || {
        while let Ok(frame) = frame(&mut responses_in) {
            let id = frame.get(4..8).and_then(|id| <[u8; 4]>::try_from(id).ok());
            let lose = id.is_some_and(|id| lost.lock().expect("no thread panics with the lock").remove(&id));
            if !lose && responses_out.write_all(&frame).is_err() {
                break;
            }
        }
        let _ = responses_out.shutdown(Shutdown::Both);
    });
}
