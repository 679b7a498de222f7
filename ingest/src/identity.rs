//! Who a call is: its keys, strongest first, and hashes of what must not be stored as it is.

use schemas::{IdentityKind, Text};
use sha2::{Digest, Sha256};

/// Providers whose response ids are unique, each with the page that shows their form (checked 2026-11-22).
///
/// Only these ids identify a call. Elsewhere an id proves nothing: Ollama's OpenAI endpoint, for one, draws
/// `chatcmpl-` plus three random digits
/// (<https://github.com/ollama/ollama/blob/main/middleware/openai.go>).
pub const UNIQUE_RESPONSE_IDS: &[(&str, &str)] = &[
    ("openai", "https://platform.openai.com/docs/api-reference/chat/object"),
    ("azure.ai.openai", "https://learn.microsoft.com/azure/ai-foundry/openai/reference"),
    ("anthropic", "https://docs.claude.com/en/api/messages"),
    ("aws.bedrock", "https://docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html"),
    ("gcp.gemini", "https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse"),
    (
        "gcp.vertex_ai",
        "https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/GenerateContentResponse",
    ),
    ("cohere", "https://docs.cohere.com/reference/chat"),
    ("mistral_ai", "https://docs.mistral.ai/api"),
    ("groq", "https://console.groq.com/docs/api-reference"),
    ("deepseek", "https://api-docs.deepseek.com/api/create-chat-completion"),
    ("x_ai", "https://docs.x.ai/docs/api-reference"),
    ("openrouter", "https://openrouter.ai/docs/api-reference/get-a-generation"),
    ("perplexity", "https://docs.perplexity.ai/api-reference/chat-completions-post"),
    ("together_ai", "https://docs.together.ai/reference/chat-completions-1"),
    ("fireworks", "https://docs.fireworks.ai/api-reference/post-chatcompletions"),
    // Copilot and its models pass on the ids of those they ask (answers that others published, read 2026-11-30).
    ("github", "https://docs.github.com/en/rest/models/inference"),
    // "The unique identifier of this call" (read in copies 2026-11-30).
    ("dashscope", "https://www.alibabacloud.com/help/en/model-studio/qwen-api-reference"),
    // Jobs, whose answers are asked for until they are done, and as often afterwards as somebody wants to see them: each such answer has the
    // id of the one job (pages not opened).
    ("assemblyai", "https://www.assemblyai.com/docs/api-reference/transcripts/get"),
    ("deepgram", "https://developers.deepgram.com/docs/using-callbacks-to-return-transcripts-to-your-server"),
    ("elevenlabs", "https://elevenlabs.io/docs/api-reference/speech-to-text/get"),
    ("kling", "https://app.klingai.com/global/dev/document-api"),
    ("runway", "https://docs.dev.runwayml.com/api/"),
    ("luma", "https://docs.lumalabs.ai/docs/api"),
    ("black_forest_labs", "https://docs.bfl.ai/"),
    ("fal", "https://docs.fal.ai/model-apis/model-endpoints/queue"),
    ("volcengine", "https://www.volcengine.com/docs/82379/1521309"),
];

/// The keys of one call, strongest first. There is always at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    pub kind: IdentityKind,
    pub strongest: Text,
    pub weaker: Vec<Text>,
}

/// What is known of a call's identity.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known<'a> {
    pub provider: &'a str,
    pub response_id: Option<&'a str>,
    pub span: Option<(&'a str, &'a str)>,
    pub source: &'a str,
    pub event_id: Option<&'a str>,
}

impl Known<'_> {
    /// The keys, or `None` when the position in the raw topic is all there is.
    pub(crate) fn keys(&self) -> Option<Keys> {
        let unique = UNIQUE_RESPONSE_IDS.iter().any(|(provider, _)| *provider == self.provider);
        // Relays that draw no ids write what ids begin with.
        let response = self.response_id.filter(|id| unique && !id.is_empty() && !id.ends_with('-'));
        let response = response.map(|id| join(&[self.provider, "/", id]));
        let set = |id: &&str| id.bytes().any(|byte| byte != b'0');
        let span = self.span.filter(|(trace, span)| set(trace) && set(span));
        let span = span.map(|(trace, span)| join(&["span/", trace, "/", span]));
        let event = self.event_id.filter(|id| !id.is_empty()).map(|id| join(&["event/", self.source, "/", id]));
        let known = [(IdentityKind::ResponseId, response), (IdentityKind::Span, span), (IdentityKind::EventId, event)];
        let mut known = known.into_iter().filter_map(|(kind, key)| key.map(|key| (kind, key)));
        let (kind, strongest) = known.next()?;
        Some(Keys { kind, strongest, weaker: known.map(|(_, key)| key).collect() })
    }
}

/// The parts, one after the other. Texts that are short need no memory of their own.
pub(crate) fn join(parts: &[&str]) -> Text {
    if parts.iter().map(|part| part.len()).sum::<usize>() > size_of::<Text>() {
        return Text::from(parts.concat());
    }
    let mut text = Text::default();
    parts.iter().for_each(|part| text.push_str(part));
    text
}

/// HMAC-SHA-256 (RFC 2104) of an identifier, cut to 128 bits, in hexadecimal. Without the key it cannot be undone.
pub(crate) fn pseudonym(key: &[u8], identifier: &str) -> Text {
    const BLOCK: usize = 64;
    let mut block = [0u8; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |byte: u8| block.map(|k| k ^ byte);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(identifier).finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    outer[..16].iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// True for what names a person whatever it stands under: an e-mail address, or what Claude Code calls its user, which gateways pass
/// on as the end user (`user_<hash>_account_<uuid>_session_<uuid>`, in newer versions an object of these parts; from knowledge of its
/// requests, 2026-11-30).
pub(crate) fn names_person(text: &str) -> bool {
    let address = text.rsplit_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
    address || (text.contains("account_") && text.contains("session_"))
}

/// A key id as it may be stored: what looks like the key itself is replaced by a hash, which still tells keys apart.
pub(crate) fn key_id(text: &str) -> Text {
    // The last ones: keys of our own front door, tokens (JWT) of any gateway, of Google's clouds, and Bedrock's keys.
    const SECRET_PREFIXES: &[&str] = &[
        "sk-", "sk_", "gsk_", "AIza", "xai-", "pplx-", "Bearer ", "ghp_", "hf_", "AKIA", "spend_", "eyJ", "ya29.",
        "ABSK",
    ];
    if text.len() >= 20 && SECRET_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
        return join(&["key_", &pseudonym(b"spendstream/key-id", text)]);
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_id_counts_only_where_ids_are_unique() {
        let known = Known { provider: "openai", response_id: Some("resp_1"), ..Known::default() };
        assert_eq!(known.keys().unwrap().strongest, "openai/resp_1");
        let known = Known { provider: "ollama", response_id: Some("chatcmpl-123"), ..Known::default() };
        assert_eq!(known.keys(), None);
    }

    #[test]
    fn an_event_is_keyed_by_its_strongest_identity_and_knows_the_weaker_ones() {
        let known = Known {
            provider: "anthropic",
            response_id: Some("msg_1"),
            span: Some(("4bf9", "00f0")),
            source: "app",
            event_id: Some("7"),
        };
        let keys = known.keys().unwrap();
        assert_eq!((keys.kind, &*keys.strongest), (IdentityKind::ResponseId, "anthropic/msg_1"));
        assert_eq!(keys.weaker, ["span/4bf9/00f0", "event/app/7"]);
        let zeros = Known { span: Some(("0000", "0000")), ..Known::default() };
        assert_eq!(zeros.keys(), None);
    }

    #[test]
    fn pseudonyms_follow_rfc_4231_test_case_2() {
        assert_eq!(pseudonym(b"Jefe", "what do ya want for nothing?"), "5bdcc146bf60754e6a042426089575c7");
    }

    #[test]
    fn what_looks_like_a_key_is_not_stored() {
        assert_eq!(key_id("prod-key-1"), "prod-key-1");
        for secret in [
            "sk-proj-abcdefghijklmnop",
            "spend_0a1b2c3d_abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789",
            "eyJhbGciOiJub25lIn0.eyJhYmNkZWYiOjF9.abcdef",
            "ya29.a0abcdefabcdefabcdef",
            "ABSKabcdefabcdefabcdef",
        ] {
            let hashed = key_id(secret);
            assert!(hashed.starts_with("key_") && !hashed.contains("abcdef"), "{hashed}");
        }
    }
}
