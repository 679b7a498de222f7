//! The front door as a stranger meets it: a key, a certificate, and an OpenTelemetry SDK from PyPI.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use spendstream_tests::deployment::{program, spendstream};
use spendstream_tests::process::Process;

use crate::{PATIENCE, becomes_equal};

/// The SDK, installed once for each set of versions.
fn sdk() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk");
    let requirements = source.join("requirements.txt");
    let versions = std::fs::read_to_string(&requirements).unwrap();
    let name: String = versions.chars().filter(|c| c.is_ascii_digit()).collect();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("opentelemetry-{name}"));
    if !folder.join("complete").is_file() {
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "--target"];
        let installed = Command::new("python3").args(pip).arg(&folder).arg("-r").arg(&requirements).status();
        let remedy = "this test needs the OpenTelemetry SDK from PyPI: install python3 with pip and let it reach PyPI";
        assert!(installed.is_ok_and(|status| status.success()), "{remedy}");
        std::fs::write(folder.join("complete"), "").unwrap();
    }
    folder
}

/// A certificate of its own authority for this machine, and its key.
fn certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder)
        .output();
    let made = made.expect("this test needs the openssl command: install openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn a_real_sdk_sends_over_http_and_grpc_with_tls_and_a_key_and_its_calls_are_in_the_report_once() {
    let sdk = sdk();
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    certificate(here);

    // Without a key only this machine may come in, and the refusal says what to do.
    let open = ["up", "--sample", "0", "--exit-when-idle", "--listen", "0.0.0.0:0"];
    let (well, text) = spendstream(here, &open);
    assert!(!well && text.contains("spendstream keys new"), "{text}");
    assert!(!here.join("spendstream-data").exists());

    let new = ["keys", "new", "--keys", "keys.jsonl", "--source", "shop", "--team", "growth"];
    let output = program("spendstream").args(new).current_dir(here).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let key = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let (_, listed) = spendstream(here, &["keys", "list"]);
    let secret = key.rsplit('_').next().unwrap();
    assert!(listed.contains("shop") && listed.contains("growth") && !listed.contains(secret), "{listed}");
    assert!(!std::fs::read_to_string(here.join("keys.jsonl")).unwrap().contains(secret));

    let mut up = program("spendstream");
    up.args(["up", "--sample", "0", "--listen", "127.0.0.1:0", "--keys", "keys.jsonl"]);
    up.args(["--tls-cert", "cert.pem", "--tls-key", "key.pem"]).env("RUST_LOG", "debug").current_dir(here);
    let mut up = Process::start(up);
    up.wait_for("Still serving", PATIENCE);
    let log = up.log();
    let address = log.split("https://").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();

    let send = |protocol: &str, key: &str, service: &str, spans: u32| {
        let output = Command::new("python3")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/send.py"))
            .args([protocol, &format!("https://{address}"), service, &spans.to_string()])
            .env("PYTHONPATH", &sdk)
            .env("OTEL_EXPORTER_OTLP_CERTIFICATE", here.join("cert.pem"))
            // The SDK's HTTP client would believe these instead.
            .env_remove("REQUESTS_CA_BUNDLE")
            .env_remove("CURL_CA_BUNDLE")
            .env("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer%20{key}"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (said.matches("SUCCESS").count() == 2, said)
    };
    for protocol in ["http", "grpc"] {
        let (well, said) = send(protocol, "spend_00000000_0", "nobody", 1);
        assert!(!well, "{protocol}: {said}");
        let (well, said) = send(protocol, &key, protocol, 7);
        assert!(well, "{protocol}: {said}");
    }

    let report = || {
        let (_, text) = spendstream(here, &["report", "-o", "json"]);
        let report: Value = serde_json::from_str(&text).unwrap_or_default();
        (report["requests"].as_i64(), report["total"][0]["amount"].as_str().map(str::to_owned))
    };
    // 1,000 x 2.50 + 50 x 10.00 per million tokens, 14 times.
    becomes_equal("the report has every call once", report, &(Some(14), Some("0.042".to_owned())));
    let (well, text) = spendstream(here, &["ledger", "-o", "json"]);
    assert!(well, "{text}");
    let ledger: Value = serde_json::from_str(&text).unwrap();
    let count = |stage: &str, name: &str| {
        let stages = ledger["stages"].as_array().unwrap();
        stages.iter().find(|found| found["stage"] == stage).and_then(|found| found["counts"][name].as_i64())
    };
    let found = [("ingest", "records"), ("ingest", "ignored.agent_span"), ("enrich", "duplicates")];
    assert_eq!(found.map(|(stage, name)| count(stage, name)), [Some(4), Some(4), Some(14)], "{text}");

    let (well, text) = spendstream(here, &["keys", "revoke", &key]);
    assert!(well && !text.contains(secret), "{text}");
    let revoked = || send("grpc", &key, "late", 1).0;
    becomes_equal("a revoked key is refused", revoked, &false);
    let (well, log) = up.stop(PATIENCE);
    assert!(well && !log.contains(secret), "the log repeats the key");
}
