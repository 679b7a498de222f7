//! A TCP proxy that understands Kafka's framing, and loses or delays what it is told to.

use std::collections::{HashMap, HashSet};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Key of the request that ends a transaction.
pub const END_TXN: i16 = 26;
/// Key of the request that adds consumer offsets to a transaction.
pub const TXN_OFFSET_COMMIT: i16 = 28;

/// What is done to requests and responses of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request arrives and is carried out; its response never comes back.
    LoseResponse,
    /// The request arrives this much later; what the client sends after it on the same connection waits with it.
    DelayRequest(Duration),
    /// The request arrives when the fault is healed, also if whoever sent it is dead by then.
    HoldRequest,
}

#[derive(Debug, Default)]
struct Faults {
    /// By kind of request: what happens to those that contain a text.
    by_key: Mutex<HashMap<i16, (Fault, Vec<u8>)>>,
    struck: AtomicUsize,
}

/// A running proxy. Its threads end with their connections.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    faults: Arc<Faults>,
}

impl Proxy {
    /// Listens on a free port and passes connections on to this one.
    pub fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let faults = Arc::<Faults>::default();
        let shared = faults.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                match TcpStream::connect(("127.0.0.1", target)) {
                    Ok(broker) => join(client, broker, &shared),
                    Err(_) => drop(client),
                }
            }
        });
        Proxy { port, faults }
    }

    /// Port for clients to begin with.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Applies a fault to every request of this kind from now on; `None` heals it.
    pub fn set(&self, key: i16, fault: Option<Fault>) {
        match fault {
            Some(fault) => self.set_for(key, "", fault),
            None => drop(self.faults.lock().remove(&key)),
        }
    }

    /// Applies a fault to every request of this kind that contains a text, a transactional id for example.
    pub fn set_for(&self, key: i16, text: &str, fault: Fault) {
        self.faults.lock().insert(key, (fault, text.as_bytes().to_vec()));
    }

    /// How often a fault was applied.
    pub fn struck(&self) -> usize {
        self.faults.struck.load(Ordering::SeqCst)
    }
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, HashMap<i16, (Fault, Vec<u8>)>> {
        self.by_key.lock().expect("no thread panics with the lock")
    }

    fn of(&self, frame: &[u8]) -> Option<Fault> {
        // length 4, api key 2, api version 2, correlation id 4
        let key = frame.get(4..6)?;
        let faults = self.lock();
        let (fault, text) = faults.get(&i16::from_be_bytes([key[0], key[1]]))?;
        let meant = text.is_empty() || frame.windows(text.len()).any(|window| window == text);
        meant.then_some(*fault)
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

fn join(client: TcpStream, broker: TcpStream, faults: &Arc<Faults>) {
    let clone = |stream: &TcpStream| stream.try_clone().expect("a socket can be shared");
    for stream in [&client, &broker] {
        stream.set_nodelay(true).expect("set an option of a socket");
    }
    // Correlation ids of requests whose response is to be lost.
    let lost = Arc::new(Mutex::new(HashSet::<[u8; 4]>::new()));
    let (mut requests_in, mut requests_out) = (clone(&client), clone(&broker));
    let (faults, noted) = (faults.clone(), lost.clone());
    std::thread::spawn(move || {
        while let Ok(frame) = frame(&mut requests_in) {
            let fault = faults.of(&frame);
            if fault.is_some() {
                faults.struck.fetch_add(1, Ordering::SeqCst);
            }
            match fault {
                Some(Fault::LoseResponse) => {
                    let id = [frame[8], frame[9], frame[10], frame[11]];
                    noted.lock().expect("no thread panics with the lock").insert(id);
                }
                Some(Fault::DelayRequest(time)) => std::thread::sleep(time),
                Some(Fault::HoldRequest) => {
                    while faults.of(&frame) == Some(Fault::HoldRequest) {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
                None => {}
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
