//! What surrounds a body: the producer's id, time, key, tags and claims. Our documented event is an envelope whose
//! `usage` is its body; CloudEvents attributes, Kafka headers and gateway logs fill the same fields.

use std::borrow::Cow;

use schemas::{ChargeCategory, CostBasis, Dimensions, Flag, PriceContext, ReportedCost, Tag, Text, Timestamp};

use crate::config::{Config, TAG_BYTES_MAX, TAGS_MAX, TEXT_BYTES_MAX};
use crate::head;
use crate::identity;
use crate::json::{Json, Kind, NameSet, Object};
use crate::number;
use crate::problem::{Problem, Result};
use crate::usage::Flags;

mod asked;

/// What surrounds a body. Boxed: it is a kilobyte, and goes from hand to hand.
pub(crate) type Envelope<'a> = Box<Surroundings<'a>>;

/// What surrounds a body. Everything may be unknown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings<'a> {
    pub event_id: Option<Cow<'a, str>>,
    pub source: Option<Cow<'a, str>>,
    pub time: Option<Timestamp>,
    pub provider: Option<Text>,
    pub publisher: Option<Text>,
    pub model: Option<Text>,
    pub requested_model: Option<Text>,
    pub operation: Option<Text>,
    pub response_id: Option<Cow<'a, str>>,
    pub trace_id: Option<Cow<'a, str>>,
    pub span_id: Option<Cow<'a, str>>,
    pub iteration: Option<i32>,
    pub amends: bool,
    pub precedence: Option<i32>,
    pub key_id: Option<Text>,
    pub resource: Option<Text>,
    pub tags: Vec<Tag>,
    pub claimed: Dimensions,
    pub price_context: PriceContext,
    pub cost_basis: Option<CostBasis>,
    /// Somebody says that a cache answered: a gateway's, unless the counts show that it was the provider's.
    pub cached: bool,
    /// Records of Codex tell of each request, which its running counts repeat.
    pub recorded: bool,
    pub charge_category: Option<ChargeCategory>,
    pub reported_cost: Option<ReportedCost>,
    pub stated_cost: Option<ReportedCost>,
    pub period: Option<(Timestamp, Timestamp)>,
    pub flags: Flags,
    /// Wrappers passed through, outermost first (`cloudevents/`, `envelope/`).
    pub wrapped: Cow<'static, str>,
}

/// Text of a bounded length. Numbers and booleans are taken as they are written.
#[inline]
pub(crate) fn text<'a>(object: &Object<'a>, name: &str) -> Result<Option<Cow<'a, str>>> {
    // Most fields that are asked for are not there.
    if object.lacks(name) { Ok(None) } else { stated_text(object, name) }
}

fn stated_text<'a>(object: &Object<'a>, name: &str) -> Result<Option<Cow<'a, str>>> {
    let Some(value) = object.get(name) else { return Ok(None) };
    let found = match value.kind() {
        Kind::String => value.string(),
        Kind::Number | Kind::Bool => Some(Cow::Borrowed(value.text())),
        _ => None,
    };
    let found = found.ok_or_else(|| Problem::wrong_type(name, value, "a string"))?;
    if found.len() > TEXT_BYTES_MAX {
        let message = format!("{name} is {} bytes long; the most is {TEXT_BYTES_MAX}", found.len());
        return Err(Problem::new(schemas::RejectReason::InvalidField, name, message));
    }
    Ok(Some(found).filter(|found| !found.is_empty()))
}

/// As [`text`], to be kept.
#[inline]
pub(crate) fn owned(object: &Object<'_>, name: &str) -> Result<Option<Text>> {
    Ok(text(object, name)?.map(Text::from))
}

/// A time in any form of [`number::time_text`]. A time of day is none that is stated: which day, only its arrival could say.
pub(crate) fn time(object: &Object<'_>, name: &str) -> Result<Option<Timestamp>> {
    let Some(value) = object.get(name) else { return Ok(None) };
    match time_value(value, name) {
        Err(_) if value.string().is_some_and(|text| number::is_time_of_day(&text)) => Ok(None),
        found => found.map(Some),
    }
}

pub(crate) fn time_value(value: Json<'_>, name: &str) -> Result<Timestamp> {
    let parsed = match value.kind() {
        Kind::Number => number::time_number(value.text()),
        Kind::String => value.string().and_then(|text| number::time_text(&text)),
        Kind::Object => value.object().and_then(|stated| structured_time(&stated)),
        _ => None,
    };
    parsed.ok_or_else(|| {
        let message = format!("{name} is not a time: send RFC 3339 text or a number since 1970 in s, ms, us or ns");
        Problem::new(schemas::RejectReason::InvalidField, name, message)
    })
}

/// A time as MongoDB's extended JSON and protobuf's own type of it are written.
/// <https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/>, *not opened*.
fn structured_time(stated: &Object<'_>) -> Option<Timestamp> {
    if let Some(date) = stated.get("$date") {
        let millis = date.object().and_then(|date| date.string("$numberLong").map(Cow::into_owned));
        let text = millis.or_else(|| date.string().map(Cow::into_owned));
        return text.map_or_else(|| number::time_number(date.number()?), |text| number::time_text(&text));
    }
    let seconds = number::time_number(stated.get("seconds")?.number()?)?;
    let nanos = stated.get("nanos").and_then(Json::number).map_or(Some(0), |nanos| number::count(nanos).ok())?;
    Some(Timestamp::from_micros(seconds.micros().checked_add(nanos / 1_000)?))
}

/// True for a number that is a length of time: as a point in time it would be one of January 1970.
fn is_length(value: Option<Json<'_>>) -> bool {
    let whole =
        |number: &str| number.split('.').next().is_some_and(|whole| whole.len() < 7 && !number.contains(['e', 'E']));
    value.and_then(Json::number).is_some_and(whole)
}

/// The name of a provider as calls carry it, from what a tool calls it.
pub(crate) fn provider_name(text: &str) -> Text {
    static CARRIED: NameSet = NameSet::new(&PROVIDERS);
    if CARRIED.contains(text) { text.into() } else { carried_name(text) }
}

/// Providers that most calls go to, by the names that calls carry: none of them needs to be looked up among those that do not.
const PROVIDERS: [&str; 16] = [
    "openai",
    "anthropic",
    "aws.bedrock",
    "azure.ai.openai",
    "azure.ai.inference",
    "gcp.gemini",
    "gcp.vertex_ai",
    "cohere",
    "deepseek",
    "fireworks",
    "groq",
    "mistral_ai",
    "openrouter",
    "perplexity",
    "together_ai",
    "x_ai",
];

fn carried_name(text: &str) -> Text {
    let lower = small_letters(text.trim());
    if let Some(name) = schemas::provider::carried_name(&lower) {
        return Text::const_new(name);
    }
    match lower.rsplit_once('.') {
        // The Vercel AI SDK and LiteLLM name the provider and its interface: `openai.responses`, `azure-openai.chat`.
        Some((provider, "chat" | "responses" | "completion" | "embedding" | "messages" | "image")) => {
            provider_name(provider)
        }
        // LiveKit names the host.
        Some(_) => host_provider(&lower).unwrap_or(&lower).into(),
        // Dify names who made a plugin, the plugin, and last the provider.
        None => match lower.rsplit_once('/') {
            Some((_, provider)) if !provider.is_empty() => provider_name(provider),
            _ => lower.into(),
        },
    }
}

/// A word in small letters, which most are in already.
pub(crate) fn small_letters(word: &str) -> Cow<'_, str> {
    match word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(word.to_ascii_lowercase()),
        false => Cow::Borrowed(word),
    }
}

/// True for a name that has this word in it. Names are short: to get ready for a search takes longer than to look.
#[inline]
pub(crate) fn has_word(name: &str, word: &str) -> bool {
    let (name, word) = (name.as_bytes(), word.as_bytes());
    name.windows(word.len()).any(|part| part[0] == word[0] && part == word)
}

/// The provider behind a host name or URL, where the host belongs to one provider alone.
pub(crate) fn host_provider(text: &str) -> Option<&'static str> {
    const HOSTS: &[(&str, &str)] = &[
        ("api.openai.com", "openai"),
        (".openai.azure.com", "azure.ai.openai"),
        (".cognitiveservices.azure.com", "azure.ai.openai"),
        (".services.ai.azure.com", "azure.ai.inference"),
        ("api.anthropic.com", "anthropic"),
        ("generativelanguage.googleapis.com", "gcp.gemini"),
        ("aiplatform.googleapis.com", "gcp.vertex_ai"),
        // Its endpoints of several regions: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/learn/locations (not opened).
        ("aiplatform.us.rep.googleapis.com", "gcp.vertex_ai"),
        ("aiplatform.eu.rep.googleapis.com", "gcp.vertex_ai"),
        ("api.mistral.ai", "mistral_ai"),
        ("api.groq.com", "groq"),
        ("api.deepseek.com", "deepseek"),
        ("api.x.ai", "x_ai"),
        ("openrouter.ai", "openrouter"),
        ("api.perplexity.ai", "perplexity"),
        ("api.together.xyz", "together_ai"),
        ("api.together.ai", "together_ai"),
        ("api.fireworks.ai", "fireworks"),
        ("api.cohere.com", "cohere"),
        ("api.cohere.ai", "cohere"),
        ("api.moonshot.ai", "moonshot_ai"),
        ("api.moonshot.cn", "moonshot_ai"),
        ("api.cerebras.ai", "cerebras"),
        ("api.z.ai", "zai"),
        ("open.bigmodel.cn", "zai"),
        ("dashscope.aliyuncs.com", "dashscope"),
        ("dashscope-intl.aliyuncs.com", "dashscope"),
        ("dashscope-us.aliyuncs.com", "dashscope"),
        ("api.minimax.io", "minimax"),
        ("api.minimaxi.com", "minimax"),
        ("api.voyageai.com", "voyageai"),
        ("api.replicate.com", "replicate"),
        ("api.deepgram.com", "deepgram"),
        ("api.elevenlabs.io", "elevenlabs"),
        ("api.deepinfra.com", "deepinfra"),
        ("api.sambanova.ai", "sambanova"),
        ("integrate.api.nvidia.com", "nvidia"),
        ("router.huggingface.co", "huggingface"),
        (".ml.cloud.ibm.com", "ibm.watsonx.ai"),
        (".snowflakecomputing.com", "snowflake"),
        (".volces.com", "volcengine"),
        ("ai-gateway.vercel.sh", "vercel"),
        ("models.github.ai", "github"),
        ("githubcopilot.com", "github"),
        ("api.ai21.com", "ai21"),
        ("api.jina.ai", "jina"),
        ("api.assemblyai.com", "assemblyai"),
        ("api.stability.ai", "stability"),
        ("api.bfl.ai", "black_forest_labs"),
        ("fal.run", "fal"),
        ("api.siliconflow.cn", "siliconflow"),
        ("api.novita.ai", "novita"),
        ("api.studio.nebius.ai", "nebius"),
        ("api.writer.com", "writer"),
        ("api.upstage.ai", "upstage"),
        ("api.reka.ai", "reka"),
        ("api.stepfun.com", "stepfun"),
        ("qianfan.baidubce.com", "qianfan"),
        // Documented by each of them, and in LiteLLM's list of providers (not opened: from knowledge of both, 2026-11-30).
        ("api.studio.nebius.com", "nebius"),
        ("api.tokenfactory.nebius.com", "nebius"),
        ("api.siliconflow.com", "siliconflow"),
        ("api.hyperbolic.xyz", "hyperbolic"),
        ("api.lambda.ai", "lambda_ai"),
        ("api.featherless.ai", "featherless_ai"),
        ("inference.baseten.co", "baseten"),
        ("inference.heroku.com", "heroku"),
        ("api.llama.com", "meta_llama"),
        ("api.morphllm.com", "morph"),
        ("api.v0.dev", "v0"),
        ("api.inference.wandb.ai", "wandb"),
        ("inference.api.nscale.com", "nscale"),
        ("api.sarvam.ai", "sarvam"),
        ("api.inceptionlabs.ai", "inception"),
        ("llm.chutes.ai", "chutes"),
        ("api.parasail.io", "parasail"),
        ("api.scaleway.ai", "scaleway"),
        ("api.poe.com", "poe"),
        ("router.requesty.ai", "requesty"),
        ("codestral.mistral.ai", "mistral_ai"),
        ("api.venice.ai", "venice"),
        ("nano-gpt.com", "nano_gpt"),
        ("gigachat.devices.sberbank.ru", "gigachat"),
        ("llm.api.cloud.yandex.net", "yandex"),
        ("models.inference.ai.azure.com", "github"),
        ("api.inworld.ai", "inworld"),
        ("api.klingai.com", "kling"),
        ("api.exa.ai", "exa"),
        ("api.tavily.com", "tavily"),
        ("speech.googleapis.com", "gcp.speech"),
        ("api.nlpcloud.io", "nlp_cloud"),
        ("hunyuan.tencentcloudapi.com", "tencent"),
        ("hunyuan.cloud.tencent.com", "tencent"),
    ];
    let after_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = after_scheme.split(['/', ':', '?']).next().unwrap_or("").to_ascii_lowercase();
    if host.starts_with("bedrock") && [".amazonaws.com", ".api.aws"].iter().any(|end| host.ends_with(end)) {
        return Some("aws.bedrock");
    }
    let found = HOSTS.iter().find(|(name, _)| {
        let suffix = host.strip_suffix(name.trim_start_matches('.'));
        // Regional hosts stand before a dash or a dot: `us-central1-aiplatform.googleapis.com`.
        suffix.is_some_and(|before| before.is_empty() || before.ends_with(['.', '-']))
    });
    found.map(|(_, provider)| *provider)
}

/// True for an object that says that what it surrounds came out of a cache.
fn says_cached(object: &Object<'_>) -> bool {
    const NAMES: [&str; 8] =
        ["cache_hit", "cacheHit", "cached", "is_cached", "from_cache", "fromCache", "cache_status", "cacheStatus"];
    let hit = |said: Json<'_>| {
        said.boolean() == Some(true)
            || said.string().is_some_and(|said| ["true", "hit"].iter().any(|word| said.eq_ignore_ascii_case(word)))
    };
    NAMES.iter().filter_map(|name| object.get(name)).any(hit)
}

impl<'a> Surroundings<'a> {
    /// The same, for a body that lives less long than what it stands in.
    pub(crate) fn shorter(&self) -> Envelope<'_> {
        Box::new(self.clone())
    }

    /// Notes a wrapper that was passed through.
    pub(crate) fn pass(&mut self, wrapper: &'static str) {
        match self.wrapped.is_empty() {
            true => self.wrapped = Cow::Borrowed(wrapper),
            false => self.wrapped.to_mut().push_str(wrapper),
        }
    }

    /// Reads the fields of our own event over what an outer envelope said. `body` says whether the object is an
    /// envelope around a body (its `model` is then only a hint).
    pub(crate) fn read(mut self: Box<Self>, object: &Object<'a>, config: &Config) -> Result<Box<Self>> {
        let put = |slot: &mut Option<Cow<'a, str>>, name: &str| -> Result<()> {
            if let Some(found) = text(object, name)? {
                *slot = Some(found);
            }
            Ok(())
        };
        put(&mut self.event_id, "id")?;
        // Cloud Logging's, and that of Databricks' tables of what its endpoints answered.
        for name in ["insertId", "databricks_request_id"] {
            if self.event_id.is_none() {
                put(&mut self.event_id, name)?;
            }
        }
        // Log stores and streams of changes describe theirs in an object.
        if object.object("source").is_none() {
            put(&mut self.source, "source")?;
        }
        put(&mut self.response_id, "response_id")?;
        put(&mut self.trace_id, "trace_id")?;
        put(&mut self.span_id, "span_id")?;
        let recorded = object.has("startedDateTime") || (object.has("status") && is_length(object.get("time")));
        // Who records HTTP says under `time` how long it took.
        let names = if recorded { ["startedDateTime", "timestamp"] } else { ["time", "timestamp"] };
        for name in names {
            if let Some(found) = time(object, name)? {
                self.time = Some(found);
                break;
            }
        }
        // Names that recorders and log shippers give it; they may hold any form of a time, so one that is not known is none.
        for name in
            // The last is Bedrock's, of what its agents trace.
            [
                "ts",
                "@timestamp",
                "recorded_at",
                "request_time",
                "datetime_utc",
                "logging_time",
                "asctime",
                "capturedAt",
                "eventTime",
                // What a row or a run around an answer says of when it was made or begun.
                "created_at",
                "createdAt",
                "started_at",
                "start_time",
            ]
        {
            if self.time.is_none() {
                let dated = || head::http_date(&object.string(name)?);
                self.time = time(object, name).unwrap_or_else(|_| dated());
            }
        }
        let put = |slot: &mut Option<Text>, name: &str| -> Result<()> {
            if let Some(found) = owned(object, name)? {
                *slot = Some(found);
            }
            Ok(())
        };
        put(&mut self.model, "model")?;
        // Oracle names it so beside the answer, and so do those who record what Bedrock answers.
        if self.model.is_none() && ["response", "body", "chatResponse"].iter().any(|name| object.has(name)) {
            put(&mut self.model, "modelId")?;
        }
        if self.model.is_none() && object.has("chat_response") {
            put(&mut self.model, "model_id")?;
        }
        if self.model.is_none() {
            // Semantic Kernel's messages.
            put(&mut self.model, "ai_model_id")?;
        }
        put(&mut self.requested_model, "requested_model")?;
        put(&mut self.operation, "operation")?;
        put(&mut self.publisher, "publisher")?;
        if object.object("resource").is_none() {
            put(&mut self.resource, "resource")?;
        }
        if let Some(provider) = text(object, "provider")? {
            self.provider = Some(provider_name(&provider));
        }
        if object.has("full_response") {
            // Vertex's log of requests; its bodies are Gemini's.
            self.provider.get_or_insert_with(|| "gcp.vertex_ai".into());
        }
        for name in ["key_id", "key", "api_key_id"] {
            if let Some(key) = text(object, name)? {
                self.key_id = Some(identity::key_id(&key));
                break;
            }
        }
        if let Some(amends) = object.get("amends") {
            self.amends = amends.boolean().ok_or_else(|| Problem::wrong_type("amends", amends, "true or false"))?;
        }
        if let Some(value) = object.get("iteration") {
            let count = value.number().ok_or_else(|| Problem::wrong_type("iteration", value, "a whole number"))?;
            let count = number::count(count).map_err(|error| Problem::number("iteration", value, error))?;
            self.iteration = Some(i32::try_from(count).unwrap_or(i32::MAX));
        }
        self.cost_basis = symbol(object, "cost_basis")?.or(self.cost_basis);
        self.cached |= says_cached(object);
        self.charge_category = symbol(object, "charge_category")?.or(self.charge_category);
        self.reported_cost = cost(object, "reported_cost", "stated_by_producer")?.or(self.reported_cost);
        self.read_period(object)?;
        self.read_claims(object, "", config)?;
        if let Some(value) = object.get("dimensions") {
            let inner = value.object().ok_or_else(|| Problem::wrong_type("dimensions", value, "an object"))?;
            self.read_claims(&inner, "dimensions.", config)?;
        }
        for name in ["tags", "labels"] {
            match object.get(name).map(|value| (value, value.object(), value.array())) {
                None => {}
                Some((_, Some(inner), _)) => self.add_tags(&inner, config),
                // A list of words, or of keys and values between colons.
                Some((_, _, Some(words))) => {
                    for word in words {
                        let Some(word) = word.string() else {
                            self.flags.set(Flag::TagsDropped);
                            continue;
                        };
                        let (key, value) = word.split_once(':').unwrap_or((&word, "true"));
                        self.add_tag(key, value, config);
                    }
                }
                Some((value, ..)) => return Err(Problem::wrong_type(name, value, "an object of strings")),
            }
        }
        if let Some(value) = object.get("price_context") {
            let inner = value.object().ok_or_else(|| Problem::wrong_type("price_context", value, "an object"))?;
            self.read_price_context(&inner)?;
        }
        put_text(&mut self.price_context.requested_tier, object, "requested_tier")?;
        self.read_asked(object)?;
        // What a recorded answer says in its head, where the body says nothing.
        if let Some(headers) = head::headers(object).or_else(|| head::headers_within(object.get("response")?)) {
            self.time = self.time.or_else(|| head::date(headers));
            self.provider = self.provider.take().or_else(|| head::provider(headers).map(Text::const_new));
            if head::is_cached(headers) {
                self.cost_basis.get_or_insert(CostBasis::GatewayCache);
            }
            let request_id = || head::header(headers, "x-amzn-requestid");
            self.response_id = self.response_id.take().or_else(request_id);
        }
        Ok(self)
    }

    fn read_period(&mut self, object: &Object<'_>) -> Result<()> {
        let (start, end) = (time(object, "period_start")?, time(object, "period_end")?);
        match (start, end) {
            (Some(start), Some(end)) if start < end => self.period = Some((start, end)),
            (Some(start), Some(end)) => {
                let message = format!("period_start {start} is not before period_end {end}");
                return Err(Problem::contradiction("period_start", message));
            }
            (None, None) => {}
            (Some(_), None) => return Err(Problem::missing("period_end", "a period needs both ends")),
            (None, Some(_)) => return Err(Problem::missing("period_start", "a period needs both ends")),
        }
        Ok(())
    }

    /// Dimensions the producer claims, by the names of [`Dimensions`].
    fn read_claims(&mut self, object: &Object<'_>, path: &str, config: &Config) -> Result<()> {
        let at = |problem: Problem, name: &str| Problem { field: format!("{path}{name}").into(), ..problem };
        // By what is there: most objects claim two or three.
        for (name, value) in object.iter().filter(|(name, _)| *name != "user") {
            if let Some(slot) = self.claimed.named_mut(name) {
                match described(value) {
                    Some(id) => *slot = id.map(Text::from).or(slot.take()),
                    None => put_text(slot, object, name).map_err(|problem| at(problem, name))?,
                }
            }
        }
        let user = match object.get("user").and_then(described) {
            Some(id) => id,
            None => text(object, "user").map_err(|problem| at(problem, "user"))?,
        };
        if let Some(user) = user {
            self.claim_user(&user, config);
        }
        Ok(())
    }

    /// A user is kept as a pseudonym or, without keys, not at all.
    pub(crate) fn claim_user(&mut self, user: &str, config: &Config) {
        if let Some(keys) = config.users.as_ref().filter(|_| !user.is_empty()) {
            self.claimed.user = Some(keys.pseudonym(user));
        }
    }

    fn read_price_context(&mut self, object: &Object<'_>) -> Result<()> {
        let context = &mut self.price_context;
        put_text(&mut context.service_tier, object, "service_tier")?;
        put_text(&mut context.requested_tier, object, "requested_tier")?;
        put_text(&mut context.speed, object, "speed")?;
        put_text(&mut context.region, object, "region")?;
        put_text(&mut context.residency, object, "residency")?;
        put_text(&mut context.endpoint, object, "endpoint")?;
        put_text(&mut context.size, object, "size")?;
        put_text(&mut context.quality, object, "quality")?;
        put_text(&mut context.resolution, object, "resolution")?;
        put_text(&mut context.search_context, object, "search_context")?;
        if let Some(batch) = object.get("batch") {
            context.batch =
                batch.boolean().ok_or_else(|| Problem::wrong_type("price_context.batch", batch, "true or false"))?;
        }
        Ok(())
    }

    /// Keeps allowed tags within the bounds; flags the rest.
    pub(crate) fn add_tags(&mut self, object: &Object<'_>, config: &Config) {
        for (key, value) in object.iter() {
            let value = match value.kind() {
                Kind::String => value.string(),
                Kind::Number | Kind::Bool => Some(Cow::Borrowed(value.text())),
                Kind::Null => continue,
                // A nested value is no label.
                Kind::Array | Kind::Object => None,
            };
            match value {
                Some(value) => self.add_tag(key, &value, config),
                None => self.flags.set(Flag::TagsDropped),
            }
        }
    }

    /// A label that names a dimension: the run of an experiment tracker, Kubernetes' recommended labels. What the producer
    /// states as a dimension stands. Names: <https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/>
    /// and <https://kserve.github.io/website/docs/admin-guide/overview>, checked 2026-11-27.
    fn claim_label(&mut self, key: &str, value: &str) {
        let claimed = &mut self.claimed;
        let slot = match key {
            "mlflow.run_id"
            | "mlflow_run_id"
            | "mlflow.runId"
            | "wandb.run_id"
            | "wandb_run_id"
            | "WANDB_RUN_ID"
            | "clearml.task_id"
            | "clearml_task_id"
            | "CLEARML_TASK_ID"
            | "MLFLOW_RUN_ID"
            | "job-name"
            | "batch.kubernetes.io/job-name" => &mut claimed.run_id,
            "app.kubernetes.io/name" | "app" | "k8s-app" | "serving.kserve.io/inferenceservice" => {
                &mut claimed.application
            }
            "app.kubernetes.io/part-of" => &mut claimed.project,
            _ => return,
        };
        if slot.is_none() && !value.is_empty() && value.len() <= TEXT_BYTES_MAX {
            *slot = Some(value.into());
        }
    }

    /// Labels that whoever runs a cluster puts on its workloads: beside tags, they may name who pays.
    pub(crate) fn add_labels(&mut self, labels: &Object<'_>, config: &Config) {
        for (label, value) in labels.iter().filter_map(|(label, value)| Some((label, value.string()?))) {
            self.add_label(label, &value, true, config);
        }
    }

    /// As [`Envelope::add_labels`], one of them; kept as a tag only where that is wanted.
    pub(crate) fn add_label(&mut self, label: &str, value: &str, keep: bool, config: &Config) {
        let slot = match label {
            "team" | "owner" => &mut self.claimed.team,
            "project" => &mut self.claimed.project,
            "environment" | "env" => &mut self.claimed.environment,
            "cost_center" | "cost-center" | "costcenter" => &mut self.claimed.cost_center,
            _ if keep => return self.add_tag(label, value, config),
            _ => return self.claim_label(label, value),
        };
        if slot.is_none() && !value.is_empty() && value.len() <= TEXT_BYTES_MAX {
            *slot = Some(value.into());
        }
    }

    /// Keeps one tag if it is allowed. A tag sent twice keeps its last value.
    pub(crate) fn add_tag(&mut self, key: &str, value: &str, config: &Config) {
        self.claim_label(key, value);
        let allowed = config.tag_keys.as_ref().is_none_or(|keys| keys.contains(key));
        let short = key.len() <= TAG_BYTES_MAX && value.len() <= TAG_BYTES_MAX && !key.is_empty();
        match self.tags.iter().position(|tag| tag.key == key) {
            Some(known) if short => self.tags[known].value = value.into(),
            None if allowed && short && self.tags.len() < TAGS_MAX => {
                self.tags.push(Tag { key: key.into(), value: value.into() });
            }
            _ => self.flags.set(Flag::TagsDropped),
        }
    }
}

/// The id, or the name, of what a gateway describes by an object that has one (`"project": {"id": "p"}`); `None` where it is otherwise.
fn described(value: Json<'_>) -> Option<Option<Cow<'_, str>>> {
    let about = value.object().filter(|about| about.has("id") || about.has("name"))?;
    let stated = |name: &&str| about.string(name).filter(|text| (1..=TEXT_BYTES_MAX).contains(&text.len()));
    Some(["id", "name"].iter().find_map(stated))
}

fn put_text(slot: &mut Option<Text>, object: &Object<'_>, name: &str) -> Result<()> {
    if let Some(found) = owned(object, name)? {
        *slot = Some(found);
    }
    Ok(())
}

/// One of a closed set of words.
pub(crate) fn symbol<T: std::str::FromStr<Err = String>>(object: &Object<'_>, name: &str) -> Result<Option<T>> {
    let Some(found) = text(object, name)? else { return Ok(None) };
    // The word is quoted back only when it is short: it could be anything.
    found.parse().map(Some).map_err(|error: String| {
        let message =
            if found.len() <= 40 { format!("{name}: {error}") } else { format!("{name} is not a known word") };
        Problem::new(schemas::RejectReason::InvalidField, name, message)
    })
}

/// Where Pydantic AI's gateway writes what it reckons a call costs, within the provider's usage (recordings that others published,
/// read 2026-11-29).
pub(crate) const GATEWAY: &str = "pydantic_ai_gateway";

/// What the gateway says a call costs; a claim in another form is no reason to lose the call.
pub(crate) fn gateway_cost(usage: &Object<'_>) -> Option<ReportedCost> {
    cost(&usage.object(GATEWAY)?, "cost_estimate", "estimate_of_gateway").unwrap_or(None)
}

/// A cost with its currency: a number (US dollars), or `{amount, currency, basis}`.
pub(crate) fn cost(object: &Object<'_>, name: &str, default_basis: &str) -> Result<Option<ReportedCost>> {
    let Some(value) = object.get(name) else { return Ok(None) };
    let (amount, currency, basis) = match value.object() {
        Some(inner) => {
            let amount = inner
                .get("amount")
                .ok_or_else(|| Problem::missing(&format!("{name}.amount"), "send it as a decimal string"))?;
            (amount, owned(&inner, "currency")?, owned(&inner, "basis")?)
        }
        None => (value, None, None),
    };
    let digits = amount.number().ok_or_else(|| Problem::wrong_type(name, amount, "a decimal number"))?;
    let amount = number::money(digits).map_err(|error| Problem::number(name, amount, error))?;
    let currency = currency.unwrap_or_else(|| "USD".into());
    if currency.len() > 16 {
        return Err(Problem::new(schemas::RejectReason::InvalidField, name, format!("{name} has no short currency")));
    }
    let currency = Text::from(currency.to_ascii_uppercase());
    Ok(Some(ReportedCost { amount, currency, basis: basis.unwrap_or_else(|| default_basis.into()) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_as_the_name_of_a_provider_is_the_name_that_calls_carry() {
        assert!(PROVIDERS.iter().all(|name| carried_name(name) == *name));
        assert_eq!(provider_name("Bedrock"), "aws.bedrock");
    }

    #[test]
    fn a_word_is_found_wherever_it_stands_in_a_name() {
        assert!(["gemini", "models/gemini", "gemini-2.5-pro", "gegemini"].iter().all(|name| has_word(name, "gemini")));
        assert!(!["", "gem", "gemin", "Gemini", "gemina"].iter().any(|name| has_word(name, "gemini")));
    }
}
