//! The endpoints of a Confluent schema registry that are used here, on a free port. Shared with the end-to-end tests.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

#[derive(Default)]
/// What the server knows, and how it misbehaves.
pub struct Server {
    /// Schemas registered; the place of each, counted from 1, is its id.
    pub schemas: Vec<String>,
    /// Requests to be answered with 503.
    pub fail_next: u32,
    /// Refuse every schema as incompatible.
    pub refuse: bool,
    /// Requests so far.
    pub asked: u32,
}

/// Starts it; its URL, and a way to look into it.
pub fn start(server: Server) -> (String, Arc<Mutex<Server>>) {
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
