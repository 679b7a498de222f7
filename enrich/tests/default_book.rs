//! The default book is what its command makes of the two packages and the rows checked by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed unwrap is a failed test")]

extern crate spendstream_enrich as enrich;
extern crate spendstream_schemas as schemas;
extern crate spendstream_stream as stream;

use std::path::Path;
use std::time::Instant;

use enrich::PriceBook;
use enrich::quote::{Question, quote};
use schemas::ReferenceRow;
use serde_json::json;
use stream::reference::Compiled;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/example"))
}

#[test]
fn it_prices_the_common_models_of_every_seller_and_says_whence() {
    let rows = enrich::read_prices(folder()).unwrap_or_else(|findings| panic!("{}", findings[0]));
    let rows: Vec<&ReferenceRow> = rows.iter().collect();
    let started = Instant::now();
    let book = PriceBook::compile("default", &rows).unwrap();
    println!("{} rows compiled in {:?}", rows.len(), started.elapsed());
    for (provider, model, cost) in [
        ("openai", "gpt-5", "11.25"),
        ("openai", "gpt-5.1", "11.25"),
        ("anthropic", "claude-opus-5-5", "24"),
        ("anthropic", "claude-haiku-4-5-20251001", "6"),
        ("gcp.gemini", "gemini-2.5-flash", "2.8"),
        ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", "28.5"),
        ("x_ai", "grok-4.6", "16"),
        ("deepseek", "deepseek-v4-pro", "2.64"),
        ("mistral_ai", "mistral-large-latest", "2"),
        ("cohere", "command-a-03-2025", "12.5"),
        ("aws.bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0", "6.6"),
        ("aws.bedrock", "amazon.nova-pro-v1:0", "4"),
        ("azure.ai.openai", "gpt-4o-2024-11-20", "12.5"),
        ("groq", "openai/gpt-oss-120b", "0.75"),
        ("perplexity", "sonar-pro", "18"),
        ("openrouter", "openai/gpt-5", "11.25"),
        ("moonshot_ai", "kimi-k2.5", "3.6"),
    ] {
        let question = json!({
            "event_id": model, "provider": provider, "model": model, "event_time": "2026-11-27T12:00:00Z",
            "usage": { "input_text_tokens": 1_000_000, "output_text_tokens": 1_000_000 },
        });
        let question: Question = serde_json::from_value(question).unwrap();
        let answer = quote(&book, &question);
        let list = answer.costs.list.map_or("unpriced".to_string(), |money| money.to_string());
        assert_eq!(list, cost, "{provider}/{model}");
        assert!(answer.model_class.is_some(), "{provider}/{model} has no class");
    }
}

#[test]
fn every_imported_row_names_its_package_and_every_row_its_page_and_day() {
    for warning in enrich::price::lint_folder(folder(), "2026-11-30".parse().unwrap())
        .unwrap_or_else(|findings| panic!("{}", findings[0]))
    {
        assert!(!warning.message.contains("has no source"), "{warning}");
        assert!(!warning.message.contains("has no price from"), "{warning}");
    }
    for row in enrich::read_prices(folder()).unwrap() {
        if row.origin.contains(".imported.yaml") && row.body.starts_with("{\"rate\"") {
            assert!(row.body.contains("litellm 1.106.2") || row.body.contains("genai-prices 0.2.3"), "{}", row.origin);
        }
    }
}
