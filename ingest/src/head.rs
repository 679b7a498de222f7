//! What recordings of HTTP say around an answer: the path that was asked, and the head that came with the body. Bodies that
//! name neither model nor time (Bedrock's, Gemini's embeddings, Anthropic's) leave it to these.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use schemas::{PriceContext, Text, Timestamp};

use crate::config::TEXT_BYTES_MAX;
use crate::envelope::Envelope;
use crate::json::{Json, Kind, Object};

/// A header, by its name in lower case: an object of texts or of lists of them (recorders), or a list of names and values
/// (HTTP archives) or of pairs (mitmproxy).
pub(crate) fn header<'a>(headers: Json<'a>, name: &str) -> Option<Cow<'a, str>> {
    let text = |value: Json<'a>| value.string().or_else(|| value.array()?.first()?.string());
    let same = |key: Option<Cow<'a, str>>| key.is_some_and(|key| key.eq_ignore_ascii_case(name));
    let of_pair = |pair: Json<'a>| match (pair.object(), pair.array().as_deref()) {
        // Envoy calls it a key.
        (Some(pair), _) => {
            same(pair.string("name").or_else(|| pair.string("key"))).then(|| pair.get("value")).flatten()
        }
        (None, Some([key, value])) => same(key.string()).then_some(*value),
        _ => None,
    };
    let found = match headers.object() {
        Some(object) => object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value),
        None => headers.array()?.into_iter().find_map(of_pair),
    };
    found.and_then(text).filter(|text| !text.is_empty() && text.len() <= TEXT_BYTES_MAX)
}

/// The headers beside a body: of a recorded answer, or as the AWS SDK for Python hands them on. Beside both, the plain name is often that of
/// what was sent.
pub(crate) fn headers<'a>(answer: &Object<'a>) -> Option<Json<'a>> {
    const NAMES: [&str; 4] = ["response_headers", "responseHeaders", "ResponseHeaders", "headers"];
    answer.first(&NAMES).map(|(_, headers)| headers).or_else(|| answer.object("ResponseMetadata")?.get("HTTPHeaders"))
}

/// As [`headers`], of an answer that is opened only if its text says that there are any: most are whole bodies.
pub(crate) fn headers_within(answer: Json<'_>) -> Option<Json<'_>> {
    static NAMES: LazyLock<[Finder<'_>; 2]> = LazyLock::new(|| ["\"headers\"", "\"HTTPHeaders\""].map(Finder::new));
    let told = |name: &Finder<'_>| name.find(answer.text().as_bytes()).is_some();
    let any = answer.kind() == Kind::Object && NAMES.iter().any(told);
    if any { headers(&answer.object()?) } else { None }
}

/// When an answer was sent (`Date`, RFC 9110).
pub(crate) fn date(headers: Json<'_>) -> Option<Timestamp> {
    http_date(&header(headers, "date")?)
}

pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    Some(Timestamp::from_millis(date.timestamp_millis()))
}

/// Who served an answer, where its head alone says it: Azure names the deployment or its session
/// (written from knowledge of its answers).
pub(crate) fn provider(headers: Json<'_>) -> Option<&'static str> {
    const AZURE: [&str; 3] = ["azureml-model-session", "x-ms-deployment-name", "azureml-model-group"];
    AZURE.iter().any(|name| header(headers, name).is_some()).then_some("azure.ai.openai")
}

/// True for an answer that a gateway gave out of its cache: nobody was called, and nobody bills for it
/// (<https://docs.helicone.ai/features/advanced-usage/caching>, <https://portkey.ai/docs/product/ai-gateway/cache-simple-and-semantic>,
/// <https://developers.cloudflare.com/ai-gateway/features/caching/>; not opened).
pub(crate) fn is_cached(headers: Json<'_>) -> bool {
    const CACHES: [&str; 4] = ["helicone-cache", "x-portkey-cache-status", "cf-aig-cache-status", "x-cache-status"];
    let hit = |status: Cow<'_, str>| matches!(status.to_ascii_uppercase().as_str(), "HIT" | "SEMANTIC HIT");
    CACHES.iter().any(|name| header(headers, name).is_some_and(hit))
}

/// What the head of an answer says that was written down before it, as `curl -i` does.
pub(crate) fn of_answer(head: &str) -> Envelope<'_> {
    let mut envelope = Envelope::default();
    for (name, value) in fields(head) {
        match name.to_ascii_lowercase().as_str() {
            "date" => envelope.time = http_date(value),
            "x-amzn-requestid" if value.len() <= TEXT_BYTES_MAX => envelope.response_id = Some(Cow::Borrowed(value)),
            _ => {}
        }
    }
    envelope
}

/// A message of HTTP as it went over the wire: its head, and what follows the line that ends it.
pub(crate) fn cut(message: &str) -> Option<(&str, &str)> {
    let ends = ["\r\n\r\n", "\n\n"].iter().filter_map(|end| message.split_once(end));
    ends.min_by_key(|(head, _)| head.len())
}

/// A body as it was before it was sent in chunks, where its head says so; `None` if it is written down without them. Where a recorder
/// changed the ends of lines, the sizes do not fit: then the lines that are sizes are left out.
pub(crate) fn unchunked(head: &str, body: &str) -> Option<String> {
    let mut fields = fields(head).filter(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding"));
    let size = |line: &str| usize::from_str_radix(line.split(';').next()?.trim(), 16).ok().filter(|_| line.len() <= 16);
    if !fields.any(|(_, value)| value.contains("chunked")) || size(body.lines().next()?).is_none() {
        return None;
    }
    let exact = || {
        let (mut whole, mut rest) = (String::with_capacity(body.len()), body);
        loop {
            // Its last line may be the last of the text.
            let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
            let bytes = size(line.trim_end())?;
            if bytes == 0 {
                return Some(whole);
            }
            let (chunk, after) = after.split_at_checked(bytes)?;
            whole.push_str(chunk);
            rest = after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n')).unwrap_or(after);
        }
    };
    exact().or_else(|| {
        let lines = body.lines().filter(|line| line.is_empty() || size(line).is_none());
        Some(lines.collect::<Vec<_>>().join("\n"))
    })
}

/// The names and values in a head.
pub(crate) fn fields(head: &str) -> impl Iterator<Item = (&str, &str)> {
    head.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim()))
}

/// The status in the head of an answer.
pub(crate) fn status(head: &str) -> Option<u16> {
    head.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// True for the head of an answer with a status from 400 on.
pub(crate) fn has_failed(head: &str) -> bool {
    status(head).is_some_and(|status| (400..600).contains(&status))
}

/// The model in the path of a request to Bedrock, Gemini or Vertex.
pub(crate) fn model(url: &str) -> Option<String> {
    let path = url.split(['?', '#']).next()?;
    let named = path.split_once("/model/").and_then(|(_, rest)| rest.split_once('/')).map(|(name, _)| name);
    let named = named.or_else(|| path.rsplit_once("/models/")?.1.split_once(':').map(|(name, _)| name));
    let name = named.map(decoded)?;
    (!name.is_empty() && name.len() <= TEXT_BYTES_MAX).then_some(name)
}

/// Where an address, or a host alone, says that a call is served, as far as a price may depend on it. What is known stays.
///
/// Bedrock names its region, Vertex AI its location (in the path, or before the host; none in the host is the global one), OpenAI
/// the residency of data (<https://developers.openai.com/api/docs/guides/data-residency>) and xAI the country of its endpoint
/// (<https://docs.x.ai/developers/advanced-api-usage/regions>; both checked 2026-11-30).
pub(crate) fn place(url: &str, context: &mut PriceContext) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', ':', '?']).next().unwrap_or_default();
    let before = |end: &str| host.strip_suffix(end).filter(|place| !place.is_empty() && !place.contains('.'));
    let bedrock = |start: &str, end: &str| Some(host.strip_prefix(start)?.split_once(end)?.0);
    let fill = |slot: &mut Option<Text>, place: Option<&str>| {
        if slot.is_none() {
            *slot = place.filter(|place| !place.is_empty() && place.len() <= TEXT_BYTES_MAX).map(Text::from);
        }
    };
    let vertex = || {
        // `aiplatform.eu.rep.googleapis.com` serves from more than one region of the European Union.
        let several = || host.strip_prefix("aiplatform.")?.strip_suffix(".rep.googleapis.com");
        let named = before("-aiplatform.googleapis.com").or_else(several);
        let is_vertex = named.is_some() || host == "aiplatform.googleapis.com";
        let path = || rest.split_once("/locations/")?.1.split(['/', ':', '?']).next();
        if is_vertex { path().or(named) } else { None }
    };
    let region = bedrock("bedrock-runtime.", ".amazonaws.com").or_else(|| bedrock("bedrock-mantle.", ".api.aws"));
    fill(&mut context.region, region.or_else(vertex));
    fill(&mut context.residency, before(".api.openai.com"));
    fill(&mut context.endpoint, before(".api.x.ai"));
}

/// The address of a request of HTTP/2, which stands in its head.
pub(crate) fn address(headers: Json<'_>) -> Option<String> {
    let authority = header(headers, ":authority")?;
    Some(format!("https://{authority}{}", header(headers, ":path").unwrap_or_default()))
}

/// A segment of a path without its percent signs.
pub(crate) fn decoded(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, more @ ..] = rest {
        let digits = more.get(..2).filter(|_| *first == b'%').and_then(|pair| std::str::from_utf8(pair).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => (bytes.push(byte), rest = &more[2..]).0,
            None => (bytes.push(*first), rest = more).0,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_where_a_call_is_served() {
        let place = |url: &str| {
            let mut context = PriceContext::default();
            place(url, &mut context);
            let PriceContext { region, residency, endpoint, .. } = context;
            [region, residency, endpoint].map(|place| place.unwrap_or_default().to_string())
        };
        for (url, expected) in [
            ("https://bedrock-runtime.us-gov-west-1.amazonaws.com/model/m/invoke", ["us-gov-west-1", "", ""]),
            ("https://bedrock-mantle.us-east-1.api.aws/v1/responses", ["us-east-1", "", ""]),
            (
                "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/anthropic/models/m:rawPredict",
                ["us-east5", "", ""],
            ),
            (
                "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google/models/m",
                ["global", "", ""],
            ),
            ("https://aiplatform.eu.rep.googleapis.com/v1/projects/p", ["eu", "", ""]),
            // As `server.address` has it.
            ("europe-west1-aiplatform.googleapis.com", ["europe-west1", "", ""]),
            ("https://eu.api.openai.com/v1/chat/completions", ["", "eu", ""]),
            ("https://us.api.x.ai/v1", ["", "", "us"]),
            ("https://api.openai.com/v1/responses", ["", "", ""]),
            ("https://gateway.example/locations/us-east5/m", ["", "", ""]),
            ("https://generativelanguage.googleapis.com/v1beta/models/m:generateContent", ["", "", ""]),
        ] {
            assert_eq!(place(url), expected, "{url}");
        }
    }

    #[test]
    fn paths_name_models() {
        for (url, expected) in [
            (
                "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.amazon.nova-lite-v1%3A0/converse",
                "us.amazon.nova-lite-v1:0",
            ),
            (
                "https://generativelanguage.googleapis.com/v1beta/models/gemini-embedding-2:embedContent?key=x",
                "gemini-embedding-2",
            ),
            (
                "https://x/v1/projects/p/locations/l/publishers/google/models/text-embedding-005:predict",
                "text-embedding-005",
            ),
        ] {
            assert_eq!(model(url).as_deref(), Some(expected));
        }
        assert_eq!(model("https://api.openai.com/v1/models/gpt-5"), None);
        assert_eq!(decoded("a%2") + &decoded("%zz%41"), "a%2%zzA");
    }
}
