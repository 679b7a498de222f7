//! The Kafka Streams program that does the same job, built by Maven and run beside the pipeline.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use crate::beside::Beside;

/// Builds it; what to run.
pub fn build() -> anyhow::Result<Beside> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/kafka-streams");
    let target = source.join("../../../target/peers/kafka-streams");
    let status = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(source.join("pom.xml"))
        .args(["compile", "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"])
        .arg(format!("-DbuildDirectory={}", target.display()))
        .arg(format!("-DoutputDirectory={}", target.join("jars").display()))
        .status()
        .context("run mvn: the Kafka Streams program is built by Maven, for Java 17 or newer")?;
    ensure!(status.success(), "Maven could not build the Kafka Streams program: see its message above");
    let folder = target.display();
    Ok(Beside {
        name: "Kafka Streams".to_owned(),
        command: format!(
            "exec java -Xms1g -Xmx1g -XX:+UseParallelGC -cp '{folder}/classes:{folder}/jars/*' spendstream.peer.Peer"
        ),
    })
}
