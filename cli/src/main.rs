//! Exact AI spend, from a raw usage event to lake and alert.

use std::process::ExitCode;

use clap::Parser;
use spendstream_cli::commands::Spendstream;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Spendstream::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("spendstream: {error:#}");
            ExitCode::FAILURE
        }
    }
}
