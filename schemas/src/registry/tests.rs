//! Against a small server of the documented endpoints: no real registry can be had from the package registries.

use super::*;
use crate::codec::Format;
use crate::{Batch, Charge};

mod server;
use server::{Server, start};

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

#[test]
fn the_password_in_an_address_is_in_no_error() {
    let (url, _server) = start(Server { refuse: true, ..Server::default() });
    let host = url.strip_prefix("http://").unwrap();
    let error = Registry::connect(&format!("http://reader:hunter2@{host}")).unwrap_err().to_string();
    assert!(error.contains(host) && !error.contains("hunter2") && !error.contains("reader"), "{error}");
    let urls = ["http://a:b@c:1/x@y", "http://c:1/x@y", "c:1"].map(shown);
    assert_eq!(urls, ["http://c:1/x@y", "http://c:1/x@y", "c:1"]);
}
