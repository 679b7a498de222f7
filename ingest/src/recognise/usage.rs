//! By the spelling of an answer's usage, and by what only one service puts beside it.

use super::within::RECORDS_SEEN;
use super::wrapping::is_summed;
use super::{Shape, body, resources};
use crate::formats::{
    bedrock_stream, dashscope, kling, langchain, media, openai, pictures, searches, servers, sparse, speech, tgi, veo,
    watsonx, workers_ai,
};
use crate::json::{Json, Object};

/// What an object is, and the evidence for it.
type Found = Option<(Shape, &'static str)>;

/// By the spelling of its usage. The order counts: what stands first has names that are found in what stands after it.
pub(super) fn by_usage(object: &Object<'_>) -> Found {
    of_a_session(object)
        .or_else(|| kept_for_later(object))
        .or_else(|| by_usage_metadata(object))
        .or_else(|| of_langchain(object))
        .or_else(|| of_bedrock(object))
        .or_else(|| of_one_server(object))
        .or_else(|| of_litellm(object))
        .or_else(|| of_ollama_or_cohere(object))
        .or_else(|| of_a_batch(object))
        .or_else(|| of_media(object))
        .or_else(|| of_a_platform(object))
        .or_else(|| of_a_task(object))
        .or_else(|| of_embeddings_or_images(object))
        .or_else(|| transcribed(object))
        .or_else(|| of_little(object))
        .or_else(|| without_usage(object))
        .or_else(|| by_its_usage(object, &object.object("usage")?))
}

/// A message of a Live session with Gemini.
fn of_a_session(object: &Object<'_>) -> Found {
    // The messages of a Live session; some of them state usage, all in one session.
    const LIVE: [&str; 8] = [
        "serverContent",
        "setupComplete",
        "toolCall",
        "toolCallCancellation",
        "goAway",
        "sessionResumptionUpdate",
        "realtimeInput",
        "setup",
    ];
    if LIVE.iter().any(|name| object.has(name))
        && object.iter().all(|(name, _)| name == "usageMetadata" || LIVE.contains(&name))
    {
        return Some((Shape::GeminiLive, "serverContent, setup or another message of a session"));
    }
    None
}

/// A resource, or a row of a report.
fn kept_for_later(object: &Object<'_>) -> Found {
    if resources::is_cache(object) || resources::is_of_anthropic(object) {
        return Some((Shape::Status, "a resource, or a row of a report"));
    }
    None
}

/// By Gemini's usage, or by LangChain's under that name.
fn by_usage_metadata(object: &Object<'_>) -> Found {
    // A prompt that was blocked before any model read it: nothing is counted.
    if let Some(feedback) = object.object("promptFeedback")
        && feedback.get("blockReason").is_some()
        && object.object("usageMetadata").is_none_or(|usage| !usage.has("promptTokenCount"))
    {
        return Some((Shape::Error, "promptFeedback.blockReason, and no counts"));
    }
    if object.object("usageMetadata").is_some_and(|usage| usage.has("input_tokens")) {
        return Some((Shape::LangChain, "usageMetadata.input_tokens"));
    }
    if object.has("usageMetadata") {
        let live = object.object("usageMetadata").is_some_and(|usage| usage.has("responseTokenCount"))
            && !object.has("candidates")
            && !object.has("modelVersion");
        return Some(if live {
            (Shape::GeminiLive, "usageMetadata.responseTokenCount")
        } else {
            (Shape::Gemini, "usageMetadata")
        });
    }
    None
}

/// A message of LangChain, and Gemini's usage in snake case.
fn of_langchain(object: &Object<'_>) -> Found {
    if object.has("lc")
        && object
            .object("kwargs")
            .is_some_and(|message| message.object("usage_metadata").is_some() || langchain::is_counted(&message))
    {
        return Some((Shape::LangChain, "lc and kwargs.usage_metadata"));
    }
    if object.object("usage_metadata").is_none() && langchain::is_counted(object) {
        return Some((Shape::LangChain, "response_metadata or llm_output, and its token_usage"));
    }
    if let Some(usage) = object.object("usage_metadata") {
        return match usage.has("input_tokens") {
            true => Some((Shape::LangChain, "usage_metadata.input_tokens")),
            false => Some((Shape::Gemini, "usage_metadata")),
        };
    }
    None
}

/// What models on Bedrock answer in the spelling of their own, and pieces of it.
fn of_bedrock(object: &Object<'_>) -> Found {
    if object.has("inputTextTokenCount")
        || object.has("generation_token_count")
        || object.has("amazon-bedrock-invocationMetrics")
    {
        return Some((Shape::BedrockInvoke, "inputTextTokenCount, generation_token_count or invocation metrics"));
    }
    // Pieces of what Mistral and Cohere stream on Bedrock, which counts in the last.
    let unfinished =
        |first: Object<'_>| first.has("text") && first.has("stop_reason") && first.get("stop_reason").is_none();
    if (object.has("text")
        && object.get("is_finished").and_then(Json::boolean) == Some(false)
        && !object.has("event_type"))
        || object.first_of("outputs").is_some_and(unfinished)
    {
        return Some((Shape::Fragment, "a piece that is not finished"));
    }
    if bedrock_stream::is_chunk(object) {
        return Some((Shape::BedrockChunk, "chunk.bytes"));
    }
    if sparse::is_of_nova_sonic(object) {
        return Some((Shape::NovaSonic, "usageEvent"));
    }
    if sparse::is_piece_of_nova_sonic(object) {
        return Some((Shape::Fragment, "an event of a session of Nova Sonic"));
    }
    None
}

/// Answers and frames of Text Generation Inference, Workers AI and Veo; those of Ollama that count nothing.
fn of_one_server(object: &Object<'_>) -> Found {
    if tgi::is_frame(object) {
        return Some((Shape::TgiFrame, "token beside generated_text and details"));
    }
    if tgi::is_answer(object) {
        return Some((Shape::Tgi, "generated_text and details.generated_tokens"));
    }
    if workers_ai::is_result(object) || workers_ai::is_answer(object) {
        return Some((Shape::WorkersAi, "response and usage, and nothing else"));
    }
    if workers_ai::is_frame(object) {
        return Some((Shape::WorkersAiFrame, "response and padding"));
    }
    if veo::is_operation(object) {
        return Some((Shape::GeminiVideo, "name of an operation of Veo"));
    }
    if object.is("done_reason", "load") || object.is("done_reason", "unload") {
        return Some((Shape::Status, "done_reason load"));
    }
    // Ollama streams one object a line, and only the last one counts.
    if object.get("done").and_then(Json::boolean) == Some(false) && object.has("created_at") {
        return Some((Shape::Fragment, "done false and created_at"));
    }
    None
}

/// A record of LiteLLM.
fn of_litellm(object: &Object<'_>) -> Found {
    if object.has("litellm_call_id") || (object.has("call_type") && object.has("response_cost")) {
        return Some((Shape::LiteLlm, "litellm_call_id"));
    }
    if object.has("call_type") && object.has("spend") && object.has("startTime") {
        return Some((Shape::LiteLlm, "call_type, spend and startTime"));
    }
    None
}

/// By the counts of Ollama and of Cohere's first interface.
fn of_ollama_or_cohere(object: &Object<'_>) -> Found {
    if object.has("prompt_eval_count") || (object.has("eval_count") && object.has("model")) {
        return Some((Shape::Ollama, "eval_count"));
    }
    if let Some(meta) = object.object("meta")
        && meta.has("billed_units")
    {
        return Some((Shape::Cohere, "meta.billed_units"));
    }
    None
}

/// A line of a batch; Gemini's answer without usage.
fn of_a_batch(object: &Object<'_>) -> Found {
    if object.has("batch_request_id") && object.has("batch_result") {
        return Some((Shape::OpenAiBatchLine, "batch_request_id and batch_result"));
    }
    if object.has("custom_id") {
        return match (object.has("response"), object.has("result")) {
            (true, _) => Some((Shape::OpenAiBatchLine, "custom_id and response")),
            (_, true) => Some((Shape::AnthropicBatchLine, "custom_id and result")),
            _ => None,
        };
    }
    if object.has("candidates") && object.has("modelVersion") {
        return Some((Shape::Gemini, "candidates and modelVersion"));
    }
    None
}

/// Videos, sound, searches and pictures: by the piece or the second.
fn of_media(object: &Object<'_>) -> Found {
    if object.is("status", "done")
        && object.object("video").is_some_and(|video| video.has("url") && video.has("duration"))
    {
        return Some((Shape::OpenAiVideo, "status done, and the duration of a video"));
    }
    if speech::is_heard(object) {
        return Some((Shape::Deepgram, "metadata.model_info and metadata.duration"));
    }
    if let Some(found) = speech::transcribed(object).or_else(|| kling::told(object)) {
        return Some(found);
    }
    if let Some(evidence) = searches::evidence(object) {
        return Some((Shape::Search, evidence));
    }
    if speech::is_aligned(object) {
        return Some((Shape::ElevenLabsSpeech, "sound, and when its characters are heard"));
    }
    if let Some(found) = pictures::evidence(object) {
        return Some((Shape::Pictures, found));
    }
    if speech::is_said(object) {
        return Some((Shape::MiniMaxSpeech, "base_resp and extra_info.usage_characters"));
    }
    if speech::is_of_inworld(object) {
        return Some((Shape::InworldSpeech, "usage.processedCharactersCount"));
    }
    None
}

/// Platforms and servers with an interface of their own, and text that was recognised.
fn of_a_platform(object: &Object<'_>) -> Found {
    if watsonx::is_answer(object) {
        return Some((Shape::Watsonx, "model_id, and results that are counted"));
    }
    if object.object("meta_info").is_some_and(|about| about.has("prompt_tokens") && about.has("finish_reason")) {
        return Some((Shape::SgLang, "meta_info.prompt_tokens"));
    }
    if object.has("tokens_evaluated") && object.has("tokens_predicted") {
        // It counts in each piece of a stream; the last one stops.
        if object.get("stop").and_then(Json::boolean) == Some(false) {
            return Some((Shape::Fragment, "tokens_predicted so far"));
        }
        return Some((Shape::LlamaCpp, "tokens_evaluated and tokens_predicted"));
    }
    if object.has("model_instance_id") && object.object("stats").is_some_and(|stats| stats.has("total_output_tokens")) {
        return Some((Shape::LmStudio, "model_instance_id and stats"));
    }
    if object.has("metrics") && servers::is_llama(object) {
        return Some((Shape::LlamaApi, "completion_message, and metrics that count tokens"));
    }
    if object.has("results") && servers::is_kobold_cpp(object) {
        return Some((Shape::KoboldCpp, "results that are counted"));
    }
    if object.object("usage_info").is_some_and(|usage| usage.has("pages_processed")) {
        return Some((Shape::MistralOcr, "usage_info.pages_processed"));
    }
    None
}

/// Tasks of Luma, fal and Runway.
fn of_a_task(object: &Object<'_>) -> Found {
    if object.has("generation_type") && object.has("assets") && object.has("state") {
        return Some(match object.string("state").as_deref() {
            Some("completed") => (Shape::Luma, "generation_type, assets and state"),
            Some("failed") => (Shape::Error, "state"),
            _ => (Shape::Status, "state"),
        });
    }
    // A request in fal's queue, and what its state is.
    if object.has("response_url") && (object.has("status_url") || (object.has("status") && object.has("request_id"))) {
        return Some((Shape::Status, "response_url and status_url, or a status"));
    }
    if media::is_fal_video(object) {
        return Some((Shape::FalVideo, "a video kept at fal"));
    }
    if let Some(state) = media::runway_state(object) {
        match &*state {
            "SUCCEEDED" if object.get("output").is_some() => {
                return Some((Shape::Runway, "createdAt and status SUCCEEDED"));
            }
            "FAILED" => return Some((Shape::Error, "status FAILED")),
            "PENDING" | "RUNNING" | "THROTTLED" | "CANCELLED" => return Some((Shape::Status, "status")),
            _ => {}
        }
    }
    None
}

/// Embeddings and images that count no tokens.
fn of_embeddings_or_images(object: &Object<'_>) -> Found {
    // Cohere's say on Bedrock nothing of what they are billed by.
    if object.first_of("embeddings").is_some_and(|first| first.has("embeddingType"))
        || (object.has("embeddings") && object.has("response_type"))
    {
        return Some((Shape::BedrockInvoke, "embeddings with their types"));
    }
    if is_gemini_embedding(object) {
        return Some((Shape::GeminiEmbedding, "embeddings with values, or predictions with statistics"));
    }
    let priced = || {
        let usage = object.object("usage");
        usage.is_none_or(|usage| usage.has("cost_in_usd_ticks") || usage.has("generated_images"))
    };
    if object.has("data")
        && is_images(object)
        && priced()
        && (object.has("created") || object.object("usage").is_some())
    {
        return Some((Shape::OpenAiImage, "created, or a cost, and data of images"));
    }
    if object.array("predictions").is_some_and(|found| found.iter().take(RECORDS_SEEN).any(openai::is_prediction)) {
        return Some((Shape::OpenAiImage, "predictions of images"));
    }
    None
}

/// Transcriptions that count no tokens.
fn transcribed(object: &Object<'_>) -> Found {
    if (object.is("task", "transcribe") || object.is("task", "translate"))
        && object.has("duration")
        && ["text", "segments", "language"].iter().any(|name| object.has(name))
        && !object.has("usage")
    {
        return Some((Shape::OpenAiTranscription, "task and duration"));
    }
    if openai::is_grok_heard(object) {
        return Some((Shape::OpenAiTranscription, "text, language, duration and words"));
    }
    if object.has("text") && object.object("x_groq").is_some_and(|groq| groq.has("id")) && !object.has("choices") {
        return Some((Shape::OpenAiTranscription, "text and x_groq"));
    }
    None
}

/// Answers that say little of what they are billed by.
fn of_little(object: &Object<'_>) -> Found {
    if sparse::is_of_twelve_labs(object) {
        return Some((Shape::TwelveLabs, "data of text and usage.output_tokens, or the end of a stream"));
    }
    if sparse::is_piece_of_twelve_labs(object) {
        return Some((Shape::Fragment, "a piece of a stream of TwelveLabs"));
    }
    if sparse::is_of_palm(object) {
        return Some((Shape::Palm, "predictions and metadata.tokenMetadata"));
    }
    sparse::evidence(object).map(|evidence| (Shape::Uncounted, evidence))
}

/// Failures, counts made ahead, and pieces of chats that do not say what they are.
fn without_usage(object: &Object<'_>) -> Found {
    // An answer that a call failed, and nothing else.
    if object.object("error").is_some_and(|error| error.has("message") || error.has("code"))
        && !object.has("usage")
        && !object.has("choices")
    {
        return Some((Shape::Error, "error with a message"));
    }
    // What counting tokens ahead answers: no call was made.
    const COUNTED: [&str; 8] = [
        "inputTokens",
        "cacheTokensDetails",
        "input_tokens",
        "totalTokens",
        "totalBillableCharacters",
        "promptTokensDetails",
        "cachedContentTokenCount",
        "context_management",
    ];
    if ["input_tokens", "totalTokens", "inputTokens"].iter().any(|name| object.has(name))
        && object.iter().all(|(name, _)| COUNTED.contains(&name))
    {
        return Some((Shape::Status, "a count of tokens alone"));
    }
    if !object.has("object") && is_chunk(object) {
        return Some((Shape::OpenAiChatChunk, "choices with deltas"));
    }
    if object.has("results") && is_moderation(object) {
        return Some((Shape::OpenAiModeration, "results, and id modr- or their scores by category"));
    }
    None
}

/// By the usage that an answer states, and by what stands beside it.
fn by_its_usage(object: &Object<'_>, usage: &Object<'_>) -> Found {
    if object.has("isContinued") && object.has("finishReason") {
        return Some((Shape::Fragment, "a step of a stream whose end counts it again"));
    }
    if is_summed(object) {
        return Some((Shape::Status, "usage of several requests"));
    }
    if dashscope::is_answer(object, usage) {
        return Some((Shape::DashScope, "request_id, output and usage"));
    }
    if is_ai_sdk_result(object, usage) {
        return Some((Shape::AiSdkResult, "response.modelId and usage"));
    }
    if usage.has("billed_units") {
        return Some((Shape::Cohere, "usage.billed_units"));
    }
    if (usage.has("total_input_tokens") || usage.has("totalInputTokens"))
        && (object.has("steps") || object.has("outputs"))
    {
        return Some((Shape::GeminiInteraction, "usage.total_input_tokens, and steps or outputs"));
    }
    if usage.has("inputTokens") && (object.has("stopReason") || object.has("output") || object.has("metrics")) {
        return Some((Shape::BedrockConverse, "usage.inputTokens and output"));
    }
    if object.has("choices") || (object.has("outputs") && object.has("conversation_id")) {
        return Some((Shape::OpenAiChat, "choices and usage"));
    }
    counted_otherwise(object, usage).or_else(|| bare(object, usage))
}

/// Embeddings, images, pages and transcriptions that are counted like chats.
fn counted_otherwise(object: &Object<'_>, usage: &Object<'_>) -> Found {
    if object.get("embeddings").is_some() && usage.has("prompt_tokens") {
        return Some((Shape::OpenAiEmbedding, "embeddings and usage.prompt_tokens"));
    }
    if object.has("data") && usage.has("rerank_units") {
        return Some((Shape::OpenAiEmbedding, "data and usage.rerank_units"));
    }
    if usage.has("pages") && object.has("elements") {
        return Some((Shape::MistralOcr, "elements and usage.pages"));
    }
    if usage.has("completion_tokens") && object.object("content").is_some_and(|content| content.has("video_url")) {
        return Some((Shape::OpenAiChat, "content.video_url and usage.completion_tokens"));
    }
    if (object.has("data") || object.has("results") || object.has("rankings"))
        && (usage.has("prompt_tokens") || (usage.has("total_tokens") && !usage.has("input_tokens")))
    {
        return Some((Shape::OpenAiEmbedding, "data or results, and usage.prompt_tokens or total_tokens"));
    }
    if object.has("data") && usage.has("input_tokens") && (object.has("created") || is_images(object)) {
        return Some((Shape::OpenAiImage, "data, created or images, and usage.input_tokens"));
    }
    if object.has("content") && usage.has("input_tokens") && object.is("role", "assistant") {
        return Some((Shape::AnthropicMessage, "role, content and usage.input_tokens"));
    }
    if object.has("text") && (usage.has("seconds") || usage.is("type", "tokens") || usage.is("type", "duration")) {
        return Some((Shape::OpenAiTranscription, "text, and usage.type or usage.seconds"));
    }
    None
}

/// True for an answer of a moderation: OpenAI marks its ids, Mistral's have the scores.
fn is_moderation(object: &Object<'_>) -> bool {
    let scored = || object.first_of("results").map(|first| first.has("category_scores"));
    object.string("id").is_some_and(|id| id.starts_with("modr-")) || scored() == Some(true)
}

/// True for a chunk of a chat completion that does not say what it is, as GitHub Copilot's do not: its choices are deltas, or
/// it speaks of content filters alone, or of usage under the id of the others.
fn is_chunk(object: &Object<'_>) -> bool {
    let Some(choices) = object.array("choices") else { return false };
    match choices.first() {
        Some(choice) => choice.object().is_some_and(|choice| choice.has("delta")),
        None => {
            let id = object.string("id").is_some_and(|id| !id.is_empty());
            id || (object.has("prompt_filter_results") && object.get("usage").is_none())
        }
    }
}

/// A provider's answer of which little is left but its usage: told by how that is spelled. With a producer's own fields
/// around it, it is an event of ours.
fn bare(object: &Object<'_>, usage: &Object<'_>) -> Found {
    const OURS: [&str; 10] =
        ["provider", "source", "time", "timestamp", "usage_format", "key_id", "key", "team", "tags", "dimensions"];
    let holds = || object.has("response") || object.has("body");
    if OURS.iter().any(|name| object.has(name)) || (holds() && object.has("model")) {
        return None;
    }
    let found = spelled(object, usage)?;
    Some(body(object).map_or(found, |(name, _)| (Shape::Envelope, name)))
}

/// Whose spelling the counts of a bare usage object have.
fn spelled(object: &Object<'_>, usage: &Object<'_>) -> Found {
    if usage.has("prompt_tokens") {
        return Some((Shape::OpenAiChat, "usage.prompt_tokens"));
    }
    if (usage.has("promptTokens") || usage.has("inputTextTokens")) && !object.has("model") {
        return Some((Shape::OpenAiChat, "usage.promptTokens or inputTextTokens"));
    }
    if usage.has("inputTokens") && !object.has("model") {
        return Some((Shape::BedrockConverse, "usage.inputTokens"));
    }
    if !usage.has("input_tokens") {
        return None;
    }
    // Anthropic and OpenAI's Responses share the name; only Anthropic states these beside it.
    const ANTHROPIC: [&str; 6] = [
        "cache_creation",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "iterations",
        "service_tier",
        "inference_geo",
    ];
    let responses =
        usage.has("input_tokens_details") || usage.has("output_tokens_details") || usage.has("total_tokens");
    // A house that names the cache as OpenAI does means what OpenAI does.
    let claude = || object.string("model").is_some_and(|model| model.contains("claude")) && !usage.has("cached_tokens");
    let thought = || usage.object("output_tokens_details").is_some_and(|details| details.has("thinking_tokens"));
    if ANTHROPIC.iter().any(|name| usage.has(name)) || (!responses && claude()) || thought() {
        return Some((Shape::AnthropicMessage, "usage.input_tokens beside what only Anthropic states"));
    }
    responses.then_some((Shape::OpenAiResponse, "usage.input_tokens and its details or total"))
}

/// True for what Gemini (`embedding`, `embeddings` with `values`) and Vertex (`predictions` with statistics) answer.
fn is_gemini_embedding(object: &Object<'_>) -> bool {
    object.object("embedding").is_some_and(|embedding| embedding.has("values"))
        || object.first_of("embeddings").is_some_and(|embedding| embedding.has("values"))
        || object.first_of("predictions").is_some_and(|prediction| {
            prediction.object("embeddings").is_some_and(|embedding| embedding.has("statistics"))
        })
}

/// True when the elements of `data` are embeddings.
pub(super) fn is_embeddings(object: &Object<'_>) -> bool {
    object.first_of("data").is_some_and(|first| first.is("object", "embedding"))
}

/// True when the elements of `data` are images.
pub(super) fn is_images(object: &Object<'_>) -> bool {
    object.first_of("data").is_some_and(|first| first.has("b64_json") || first.has("url"))
}

/// True for what a call of the Vercel AI SDK gives back, written down.
fn is_ai_sdk_result(object: &Object<'_>, usage: &Object<'_>) -> bool {
    let own = ["cachedInputTokens", "inputTokenDetails", "reasoningTokens"].iter().any(|name| usage.has(name));
    let sides = || usage.object("inputTokens").is_some();
    ["inputTokens", "promptTokens", "totalTokens"].iter().any(|name| usage.has(name))
        && (object.object("response").is_some_and(|response| response.has("modelId"))
            || (object.has("modelId") && (own || sides() || usage.has("promptTokens"))))
}
