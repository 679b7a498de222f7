//! A call, and the ways producers write it down. Shapes follow the providers' API references; contents are made up.

use schemas::Timestamp;
use serde_json::{Value, json};

use super::company::Written;

/// Usage of one call, in disjoint parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Read at the full rate.
    pub input: u64,
    /// Read from a cache.
    pub cache_read: u64,
    /// Written to a cache for five minutes.
    pub cache_write: u64,
    /// Visible output.
    pub output: u64,
    /// Reasoning.
    pub reasoning: u64,
}

/// One call to a model.
#[derive(Debug, Clone)]
pub struct Call {
    /// How it is written down.
    pub written: Written,
    /// Id the provider gave its response.
    pub response_id: String,
    /// Id the producer gave its event.
    pub event_id: String,
    /// Provider.
    pub provider: &'static str,
    /// Model.
    pub model: &'static str,
    /// Operation.
    pub operation: &'static str,
    /// Served tier.
    pub tier: Option<&'static str>,
    /// What it used.
    pub tokens: Tokens,
    /// When it was made.
    pub time: Timestamp,
    /// Key it was made with.
    pub key: &'static str,
    /// Team the producer states, if it states one.
    pub team: Option<&'static str>,
    /// Application.
    pub application: &'static str,
    /// Environment.
    pub environment: &'static str,
}

impl Call {
    /// The record's value.
    pub fn body(&self) -> Value {
        match self.written {
            Written::Chat => self.envelope(self.chat()),
            Written::Responses => self.envelope(self.responses()),
            Written::Messages => self.cloud_event("ai.response", self.messages()),
            Written::Usage => self.cloud_event("ai.usage", self.usage()),
        }
    }

    /// The same call as a gateway sees it: our own event, with the provider's response id.
    pub fn seen_by_gateway(&self) -> Value {
        self.cloud_event("ai.usage", self.usage())
    }

    fn envelope(&self, response: Value) -> Value {
        let mut envelope = json!({
            "id": self.event_id,
            "source": format!("app/{}", self.application),
            "time": self.time,
            "provider": self.provider,
            "key": self.key,
            "tags": self.tags(),
            "response": response,
        });
        if let Some(team) = self.team {
            envelope["team"] = json!(team);
        }
        envelope
    }

    fn cloud_event(&self, kind: &str, data: Value) -> Value {
        let mut data = data;
        if kind == "ai.response" {
            data = json!({ "provider": self.provider, "key": self.key, "tags": self.tags(), "response": data });
            if let Some(team) = self.team {
                data["team"] = json!(team);
            }
        }
        json!({
            "specversion": "1.0",
            "type": kind,
            "source": format!("app/{}", self.application),
            "id": self.event_id,
            "time": self.time,
            "datacontenttype": "application/json",
            "data": data,
        })
    }

    fn tags(&self) -> Value {
        json!({ "application": self.application, "environment": self.environment })
    }

    fn seconds(&self) -> i64 {
        self.time.micros().div_euclid(1_000_000)
    }

    fn chat(&self) -> Value {
        let Tokens { input, cache_read, output, reasoning, .. } = self.tokens;
        let (prompt, completion) = (input + cache_read, output + reasoning);
        let mut body = json!({
            "id": self.response_id,
            "object": "chat.completion",
            "created": self.seconds(),
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": { "role": "assistant", "content": "Done." },
                "finish_reason": "stop",
            }],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
                "prompt_tokens_details": { "cached_tokens": cache_read, "audio_tokens": 0 },
                "completion_tokens_details": { "reasoning_tokens": reasoning },
            },
        });
        if let Some(tier) = self.tier {
            body["service_tier"] = json!(tier);
        }
        body
    }

    fn responses(&self) -> Value {
        let Tokens { input, cache_read, output, reasoning, .. } = self.tokens;
        json!({
            "id": self.response_id,
            "object": "response",
            "created_at": self.seconds(),
            "status": "completed",
            "model": self.model,
            "output": [{ "type": "message", "content": [{ "type": "output_text", "text": "Looks good to me." }] }],
            "service_tier": self.tier,
            "usage": {
                "input_tokens": input + cache_read,
                "input_tokens_details": { "cached_tokens": cache_read },
                "output_tokens": output + reasoning,
                "output_tokens_details": { "reasoning_tokens": reasoning },
                "total_tokens": input + cache_read + output + reasoning,
            },
        })
    }

    fn messages(&self) -> Value {
        let Tokens { input, cache_read, cache_write, output, .. } = self.tokens;
        json!({
            "id": self.response_id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [{ "type": "text", "text": "Here is the draft." }],
            "stop_reason": "end_turn",
            "usage": {
                "input_tokens": input,
                "cache_creation_input_tokens": cache_write,
                "cache_read_input_tokens": cache_read,
                "cache_creation": { "ephemeral_5m_input_tokens": cache_write, "ephemeral_1h_input_tokens": 0 },
                "output_tokens": output,
                "service_tier": "standard",
            },
        })
    }

    fn usage(&self) -> Value {
        let Tokens { input, cache_read, cache_write, output, reasoning } = self.tokens;
        let meters = [
            ("input_text_tokens", input),
            ("cache_read_text_tokens", cache_read),
            ("cache_write_5m_tokens", cache_write),
            ("output_text_tokens", output),
            ("output_reasoning_tokens", reasoning),
        ];
        let usage: serde_json::Map<String, Value> = meters
            .into_iter()
            .filter(|(_, quantity)| *quantity > 0)
            .map(|(meter, quantity)| (meter.to_owned(), json!(quantity)))
            .collect();
        let mut data = json!({
            "provider": self.provider,
            "model": self.model,
            "operation": self.operation,
            "response_id": self.response_id,
            "usage": usage,
            "key": self.key,
            "tags": self.tags(),
        });
        if let Some(team) = self.team {
            data["team"] = json!(team);
        }
        if let Some(tier) = self.tier {
            data["service_tier"] = json!(tier);
        }
        data
    }
}
