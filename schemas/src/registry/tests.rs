//! Against a small server of the documented endpoints: no real registry can be had from the package registries.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use super::*;
use crate::codec::Format;
use crate::{Batch, Charge};

#[derive(Default)]
struct Server {
    schemas: Vec<String>,
    fail_next: u32,
    refuse: bool,
    asked: u32,
}

fn start(server: Server) -> (String, Arc<Mutex<Server>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = Arc::new(Mutex::new(server));
    let shared = server.clone();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            answer(socket, &shared);
        }
    });
    (url, server)
}

fn answer(mut socket: TcpStream, server: &Mutex<Server>) {
    let mut reader = BufReader::new(socket.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        if header.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let (status, text) = respond(&line, &body, &mut server.lock().unwrap());
    let _ = write!(socket, "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}", text.len());
}

fn respond(line: &str, body: &[u8], server: &mut Server) -> (u16, String) {
    server.asked += 1;
    if server.fail_next > 0 {
        server.fail_next -= 1;
        return (503, "busy".to_owned());
    }
    if server.refuse {
        return (409, json!({"error_code": 409, "message": "Schema being registered is incompatible"}).to_string());
    }
    if line.starts_with("POST /subjects/spendstream.") {
        let body: Value = serde_json::from_slice(body).unwrap();
        let schema = body["schema"].as_str().unwrap().to_owned();
        let place = server.schemas.iter().position(|known| *known == schema).unwrap_or_else(|| {
            server.schemas.push(schema);
            server.schemas.len() - 1
        });
        return (200, json!({"id": place + 1}).to_string());
    }
    let id = line.strip_prefix("GET /schemas/ids/").and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok());
    match id.and_then(|id| server.schemas.get(id - 1)) {
        Some(schema) => (200, json!({"schema": schema}).to_string()),
        None => (404, json!({"error_code": 40403, "message": "Schema not found"}).to_string()),
    }
}

#[test]
fn payloads_are_framed_by_the_id_their_schema_was_registered_under() {
    let (url, _server) = start(Server::default());
    let registry = Arc::new(Registry::connect(&url).unwrap());
    let format = Format::<Batch<Charge>>::registered(&registry).expect("charges are published");
    let batch = crate::fixture::charge_batch();
    let payload = format.encode(&batch);
    let id = format.registered_id().unwrap();
    assert_eq!(payload[..5], [&[0][..], &id.to_be_bytes()].concat());
    assert_eq!(format.decode(&payload), Ok(batch.clone()));
    // What was written before the registry was switched on is still read.
    assert_eq!(format.decode(&Format::new().encode(&batch)), Ok(batch));
}

#[test]
fn an_id_nobody_knows_is_refused_by_name() {
    let (url, _server) = start(Server::default());
    let registry = Arc::new(Registry::connect(&url).unwrap());
    let format = Format::<Batch<Charge>>::registered(&registry).unwrap();
    let error = format.decode(&[0, 0, 0, 3, 231, 1, 2, 3, 4, 5, 6]).unwrap_err().to_string();
    assert!(error.contains("999") && error.contains("Schema not found"), "{error}");
}

#[test]
fn a_busy_registry_is_asked_again_and_a_schema_is_fetched_once() {
    let (url, server) = start(Server { fail_next: 2, ..Server::default() });
    let registry = Registry::connect(&url).unwrap();
    let asked = server.lock().unwrap().asked;
    registry.schema(1).unwrap();
    registry.schema(1).unwrap();
    assert_eq!(server.lock().unwrap().asked, asked + 1);
}

#[test]
fn an_incompatible_schema_is_refused_with_what_the_registry_says() {
    let (url, _server) = start(Server { refuse: true, ..Server::default() });
    let error = Registry::connect(&url).unwrap_err();
    assert!(matches!(&error, RegistryError::Refused { status: 409, message, .. } if message.contains("incompatible")));
}
