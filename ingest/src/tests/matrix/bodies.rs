//! Providers' own bodies.

use super::Cell::{Is, Never, Rejected, See};
use super::Row;

const NO_CACHE: &str = "its provider caches nothing for this kind of call";
const NO_STREAM: &str = "it is answered whole";
const NO_TIER: &str = "its provider serves it in one tier";
const LINE: &str = "a line of a file that holds whole bodies";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    ("openai.chat_completion", [
        See("openai::an_ordinary_chat_completion_is_input_and_output"),
        See("openai::cached_written_audio_and_reasoning_tokens_are_taken_out_of_their_totals"),
        See("streams::the_last_count_of_a_chat_stream_is_the_count"),
        Is(r#"{"id":"chatcmpl-T","object":"chat.completion","created":1785578390,"model":"gpt-5.4","choices":[],
            "usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9},"service_tier":"priority"}"#,
            &["openai gpt-5.4: input_text_tokens 7, output_text_tokens 2 @priority"]),
        See("openai::contradictions_name_both_fields_with_their_values"),
    ]),
    ("openai.response", [
        See("openai::responses_count_tokens_and_the_tools_they_ran"),
        Is(r#"{"id":"resp_C","object":"response","created_at":1785578390,"model":"gpt-5.4","status":"completed","output":[],
            "usage":{"input_tokens":100,"input_tokens_details":{"cached_tokens":64,"cache_write_tokens":16},"output_tokens":9,
            "output_tokens_details":{"reasoning_tokens":4},"total_tokens":109}}"#,
            &["openai gpt-5.4: input_text_tokens 20, cache_read_text_tokens 64, cache_write_5m_tokens 16, \
               output_text_tokens 5, output_reasoning_tokens 4"]),
        See("streams::the_final_event_of_a_responses_stream_holds_the_whole"),
        See("traps::trap_15_the_tier_is_the_one_that_served"),
        Rejected(r#"{"id":"resp_M","object":"response","created_at":1785578390,"model":"gpt-5.4",
            "usage":{"input_tokens":5,"output_tokens":1,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":6}}"#,
            "contradiction", "usage.output_tokens"),
    ]),
    ("openai.completion", [
        Is(r#"{"id":"cmpl-1","object":"text_completion","created":1785578390,"model":"davinci-002","choices":[{"text":"x"}],
            "usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}"#,
            &["openai davinci-002: input_text_tokens 5, output_text_tokens 7"]),
        Is(r#"{"id":"cmpl-2","object":"text_completion","created":1785578390,"model":"qwen","choices":[],"usage":{
            "prompt_tokens":50,"completion_tokens":7,"total_tokens":57,"prompt_tokens_details":{"cached_tokens":48}}}"#,
            &["unknown qwen: input_text_tokens 2, cache_read_text_tokens 48, output_text_tokens 7 [id_from_position]"]),
        Is("data: {\"id\":\"cmpl-3\",\"object\":\"text_completion\",\"created\":1785578390,\"model\":\"gpt-3.5-turbo-instruct\",\
            \"choices\":[{\"text\":\"a\"}],\"usage\":null}\n\n\
            data: {\"id\":\"cmpl-3\",\"object\":\"text_completion\",\"created\":1785578390,\"model\":\"gpt-3.5-turbo-instruct\",\
            \"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1,\"total_tokens\":6}}\n\ndata: [DONE]\n\n",
            &["openai gpt-3.5-turbo-instruct: input_text_tokens 5, output_text_tokens 1"]),
        Never(NO_TIER),
        Rejected(r#"{"id":"cmpl-4","object":"text_completion","created":1,"model":"m","usage":{"prompt_tokens":-1}}"#,
            "invalid_field", "usage.prompt_tokens"),
    ]),
    ("openai.embedding", [
        See("openai::embeddings_images_and_transcriptions_have_their_own_meters"),
        Never(NO_CACHE), Never(NO_STREAM),
        Is(r#"{"custom_id":"1","response":{"status_code":200,"body":{"object":"list","model":"text-embedding-3-small",
            "data":[],"usage":{"prompt_tokens":8,"total_tokens":8}}},"error":null}"#,
            &["openai text-embedding-3-small: input_text_tokens 8 [id_from_position, time_assumed] @batch"]),
        Rejected(r#"{"object":"list","data":[],"model":"m","usage":{"prompt_tokens":8,"total_tokens":9}}"#,
            "contradiction", "usage.total_tokens"),
    ]),
    ("openai.image", [
        See("openai::embeddings_images_and_transcriptions_have_their_own_meters"),
        Is(r#"{"id":"i2","time":1785578390,"model":"gpt-image-1.5","provider":"openai","response":{"created":1785578390,
            "data":[{"b64_json":"A"}],"usage":{"total_tokens":150,"input_tokens":100,"output_tokens":50,
            "input_tokens_details":{"text_tokens":20,"image_tokens":80,"cached_tokens":60,
            "cached_tokens_details":{"text_tokens":10,"image_tokens":50}}}}}"#,
            &["openai gpt-image-1.5: input_text_tokens 10, cache_read_text_tokens 10, input_image_tokens 30, \
               output_image_tokens 50, cache_read_image_tokens 50"]),
        Is("event: image_generation.partial_image\ndata: {\"type\":\"image_generation.partial_image\",\"b64_json\":\"A\"}\n\n\
            event: image_generation.completed\ndata: {\"type\":\"image_generation.completed\",\"b64_json\":\"A\",\
            \"created_at\":1785578390,\"size\":\"1024x1024\",\"quality\":\"high\",\"usage\":{\"total_tokens\":100,\
            \"input_tokens\":50,\"output_tokens\":50,\"input_tokens_details\":{\"text_tokens\":10,\"image_tokens\":40}}}\n\n",
            &["openai unknown: input_text_tokens 10, input_image_tokens 40, output_image_tokens 50 [id_from_position]"]),
        Never("what it costs depends on size and quality, which are not tiers: exports::images_without_usage_are_counted_by_the_piece"),
        Rejected(r#"{"created":1785578390,"data":[{"b64_json":"A"}],"usage":{"total_tokens":99,"input_tokens":50,
            "output_tokens":50}}"#, "contradiction", "usage.total_tokens"),
    ]),
    ("openai.transcription", [
        See("openai::embeddings_images_and_transcriptions_have_their_own_meters"),
        Never(NO_CACHE),
        Is("data: {\"type\":\"transcript.text.delta\",\"delta\":\"I\"}\n\n\
            data: {\"type\":\"transcript.text.done\",\"text\":\"I\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":14,\
            \"input_token_details\":{\"text_tokens\":10,\"audio_tokens\":4},\"output_tokens\":31,\"total_tokens\":45}}\n\n",
            &["openai unknown: input_text_tokens 10, output_text_tokens 31, input_audio_tokens 4 \
               [id_from_position, time_assumed]"]),
        Never(NO_TIER),
        Rejected(r#"{"text":"x","usage":{"type":"duration","seconds":-3}}"#, "invalid_field", "usage.seconds"),
    ]),
    ("openai.speech_request", [
        See("wild::speech_is_billed_by_the_characters_that_were_asked_for"),
        Never(NO_CACHE), Never("the answer is sound, streamed or not"), Never(NO_TIER),
        Rejected(r#"{"id":"t","request":{"body":{"model":"tts-1","voice":"alloy"}},"response":{}}"#, "missing_field", "input"),
    ]),
    ("openai.video", [
        See("wild::a_video_is_billed_by_the_second_once_it_is_done"),
        Never(NO_CACHE), Never(NO_STREAM), Never(NO_TIER),
        Rejected(r#"{"id":"video_2","object":"video","created_at":1785578390,"status":"completed","model":"sora-2",
            "seconds":"eight"}"#, "invalid_field", "seconds"),
    ]),
    ("openai.speech", [
        See("exports::speech_counts_text_in_and_audio_out"),
        Never(NO_CACHE),
        Is("data: {\"type\":\"speech.audio.delta\",\"audio\":\"AA\"}\n\n\
            data: {\"type\":\"speech.audio.done\",\"usage\":{\"input_tokens\":14,\"output_tokens\":101,\"total_tokens\":115}}\n\n",
            &["openai unknown: input_text_tokens 14, output_audio_tokens 101 [id_from_position, time_assumed]"]),
        Never(NO_TIER),
        Rejected(r#"{"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":101,"total_tokens":15}}"#,
            "contradiction", "usage.total_tokens"),
    ]),
    ("openai.moderation", [
        Is(r#"{"id":"modr-1","model":"omni-moderation-latest","results":[{"flagged":false}]}"#,
            &["openai omni-moderation-latest: requests 1 [time_assumed]"]),
        Never("it is free"), Never(NO_STREAM), Never("it is free"),
        Rejected(r#"{"id":"modr-2","model":[],"results":[]}"#, "invalid_field", "model"),
    ]),
    ("openai.batch_output", [
        See("providers::batch_lines_are_batch_calls_and_failed_ones_cost_nothing"),
        Is(r#"{"id":"b","custom_id":"c","response":{"status_code":200,"request_id":"r","body":{"id":"chatcmpl-B",
            "object":"chat.completion","created":1785578390,"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":10,
            "completion_tokens":2,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":8}}}},"error":null}"#,
            &["openai gpt-4o: input_text_tokens 2, cache_read_text_tokens 8, output_text_tokens 2 @batch"]),
        Never(LINE),
        See("wild::a_batch_line_of_responses_says_that_there_is_no_error_and_is_billed"),
        Rejected(r#"{"custom_id":"c","response":{"status_code":200,"body":{"id":"x","object":"chat.completion","model":"m",
            "usage":{"prompt_tokens":"many"}}},"error":null}"#, "invalid_field", "usage.prompt_tokens"),
    ]),
    ("anthropic.message", [
        Is(r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],
            "usage":{"input_tokens":10,"output_tokens":5,"service_tier":"standard"}}"#,
            &["anthropic claude-sonnet-4-6: input_text_tokens 10, output_text_tokens 5 [time_assumed] @standard"]),
        See("anthropic::cache_reads_and_writes_stand_beside_the_input"),
        See("streams::the_counts_of_an_anthropic_stream_are_cumulative"),
        Is(r#"{"id":"msg_2","type":"message","role":"assistant","model":"claude-opus-4-8","content":[],"usage":{
            "input_tokens":10,"output_tokens":5,"service_tier":"priority","speed":"fast","inference_geo":"us"}}"#,
            &["anthropic claude-opus-4-8: input_text_tokens 10, output_text_tokens 5 [time_assumed] @priority @fast"]),
        See("anthropic::cache_lifetimes_that_do_not_add_up_are_a_contradiction"),
    ]),
    ("anthropic.batch_result", [
        See("providers::batch_lines_are_batch_calls_and_failed_ones_cost_nothing"),
        Is(r#"{"custom_id":"c","result":{"type":"succeeded","message":{"id":"msg_B","type":"message","role":"assistant",
            "model":"claude-haiku-4-5","content":[],"usage":{"input_tokens":3,"cache_read_input_tokens":40,
            "cache_creation_input_tokens":9,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":9},
            "output_tokens":5,"service_tier":"batch"}}}}"#,
            &["anthropic claude-haiku-4-5: input_text_tokens 3, cache_read_text_tokens 40, cache_write_1h_tokens 9, \
               output_text_tokens 5 [time_assumed] @batch @batch"]),
        Never(LINE),
        See("anthropic::batch_is_told_by_the_tier"),
        Rejected(r#"{"custom_id":"c","result":{"type":"succeeded","message":{"id":"m","type":"message","model":"claude",
            "usage":{"output_tokens":5}}}}"#, "missing_field", "usage.input_tokens"),
    ]),
    ("gemini.generate_content", [
        See("providers::gemini_thoughts_and_tool_prompts_stand_beside_and_are_billed"),
        See("providers::gemini_modalities_are_apart_and_cached_ones_too"),
        See("streams::a_gemini_frame_with_only_a_traffic_type_resets_nothing"),
        Is(r#"{"candidates":[],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15,
            "serviceTier":"flex"},"modelVersion":"gemini-2.5-flash","responseId":"t1"}"#,
            &["gcp.gemini gemini-2.5-flash: input_text_tokens 10, output_text_tokens 5 [time_assumed] @flex"]),
        See("providers::gemini_contradictions_name_every_part"),
    ]),
    ("gemini.live", [
        See("wild::turns_of_a_live_session_are_calls_of_their_own"),
        Is(r#"{"usageMetadata":{"promptTokenCount":90,"cachedContentTokenCount":60,"responseTokenCount":5,"totalTokenCount":95}}"#,
            &["gcp.gemini unknown: input_text_tokens 30, cache_read_text_tokens 60, output_text_tokens 5 \
               [id_from_position, time_assumed]"]),
        See("wild::turns_of_a_live_session_are_calls_of_their_own"),
        Never("Live states no tier"),
        Rejected(r#"{"serverContent":{},"usageMetadata":{"promptTokenCount":9,"responseTokenCount":5,"totalTokenCount":3}}"#,
            "contradiction", "usageMetadata.totalTokenCount"),
    ]),
    ("gemini.batch_output", [
        See("wild::batches_of_gemini_vertex_and_bedrock_are_batches"),
        Is(r#"{"key":"k1","response":{"candidates":[],"modelVersion":"gemini-2.5-flash","responseId":"gb","usageMetadata":{
            "promptTokenCount":50,"cachedContentTokenCount":40,"candidatesTokenCount":2,"totalTokenCount":52}}}"#,
            &["gcp.gemini gemini-2.5-flash: input_text_tokens 10, cache_read_text_tokens 40, output_text_tokens 2 \
               [time_assumed] @batch"]),
        Never(LINE),
        See("wild::batches_of_gemini_vertex_and_bedrock_are_batches"),
        Rejected(r#"{"key":"k","response":{"modelVersion":"g","usageMetadata":{"promptTokenCount":1.5}}}"#,
            "invalid_field", "usageMetadata.promptTokenCount"),
    ]),
    ("gemini.interaction", [
        See("exports::pages_interactions_and_embeddings_have_their_counts"),
        Is(r#"{"id":"in1","object":"interaction","created":"2026-08-01T09:00:00Z","model":"gemini-3-flash","status":"completed",
            "usage":{"total_input_tokens":70,"total_cached_tokens":20,"total_output_tokens":2,"total_thought_tokens":3,
            "total_tokens":75}}"#,
            &["gcp.gemini gemini-3-flash: input_text_tokens 50, cache_read_text_tokens 20, output_text_tokens 2, \
               output_reasoning_tokens 3"]),
        Never("its final event holds the whole interaction"),
        Never("it states no tier"),
        Rejected(r#"{"id":"in2","object":"interaction","model":"g","usage":{"total_input_tokens":9,"total_output_tokens":2,
            "total_tokens":3}}"#, "contradiction", "usage.total_tokens"),
    ]),
    ("gemini.embedding", [
        See("exports::pages_interactions_and_embeddings_have_their_counts"),
        Never(NO_CACHE), Never(NO_STREAM), Never(NO_TIER),
        Rejected(r#"{"predictions":[{"embeddings":{"values":[0.1],"statistics":{"token_count":"a"}}}]}"#,
            "invalid_field", "predictions.embeddings.statistics.token_count"),
    ]),
    ("mistral.ocr", [
        See("exports::pages_interactions_and_embeddings_have_their_counts"),
        Never(NO_CACHE), Never(NO_STREAM), Never(NO_TIER),
        Rejected(r#"{"pages":[],"model":"mistral-ocr-latest","usage_info":{"pages_processed":-2}}"#,
            "invalid_field", "usage_info.pages_processed"),
    ]),
    ("bedrock.converse", [
        Is(r#"{"ResponseMetadata":{"RequestId":"r1"},"output":{"message":{}},"stopReason":"end_turn",
            "usage":{"inputTokens":4,"outputTokens":5,"totalTokens":9}}"#,
            &["aws.bedrock unknown: input_text_tokens 4, output_text_tokens 5 [time_assumed]"]),
        See("providers::converse_sends_its_cache_counts_twice_and_they_count_once"),
        See("streams::converse_streams_end_in_their_metadata"),
        Is(r#"[{"messageStart":{"role":"assistant"}},{"contentBlockDelta":{"delta":{"text":"x"},"contentBlockIndex":0}},
            {"contentBlockStop":{"contentBlockIndex":0}},{"messageStop":{"stopReason":"end_turn"}},
            {"metadata":{"usage":{"inputTokens":4,"outputTokens":5,"totalTokens":9},"serviceTier":{"type":"priority"}}}]"#,
            &["aws.bedrock unknown: input_text_tokens 4, output_text_tokens 5 [id_from_position, time_assumed] @priority"]),
        Rejected(r#"{"output":{},"stopReason":"end_turn","usage":{"inputTokens":4,"outputTokens":5,"totalTokens":8}}"#,
            "contradiction", "usage.totalTokens"),
    ]),
    ("bedrock.invocation_log", [
        See("providers::a_bedrock_log_entry_names_its_caller_and_tags_and_keeps_no_contents"),
        Is(r#"{"schemaType":"ModelInvocationLog","timestamp":"2026-08-01T09:00:17Z","region":"us-east-1","requestId":"l2",
            "operation":"Converse","modelId":"amazon.nova-lite-v1:0","input":{"inputTokenCount":4,
            "cacheReadInputTokenCount":100,"cacheWriteInputTokenCount":0},"output":{"outputTokenCount":38}}"#,
            &["aws.bedrock amazon.nova-lite-v1:0: input_text_tokens 4, cache_read_text_tokens 100, output_text_tokens 38"]),
        See("wild::a_logged_stream_of_bedrock_tells_cache_lifetimes_apart"),
        Never("its documentation names no tier"),
        Rejected(r#"{"schemaType":"ModelInvocationLog","timestamp":"2026-08-01T09:00:17Z","requestId":"l4","modelId":"m",
            "input":{"inputTokenCount":"x"},"output":{"outputTokenCount":5}}"#, "invalid_field", "input.inputTokenCount"),
    ]),
    ("bedrock.batch_output", [
        See("wild::batches_of_gemini_vertex_and_bedrock_are_batches"),
        Is(r#"{"recordId":"R1","modelInput":{},"modelOutput":{"id":"msg_bdrk_1","type":"message","role":"assistant",
            "model":"claude-haiku-4-5","content":[],"usage":{"input_tokens":3,"cache_read_input_tokens":40,"output_tokens":5}}}"#,
            &["aws.bedrock claude-haiku-4-5: input_text_tokens 3, cache_read_text_tokens 40, output_text_tokens 5 \
               [time_assumed] @batch"]),
        Never(LINE),
        See("wild::batches_of_gemini_vertex_and_bedrock_are_batches"),
        Rejected(r#"{"recordId":"R2","modelOutput":{"type":"message","model":"claude","usage":{"input_tokens":{}}}}"#,
            "invalid_field", "usage.input_tokens"),
    ]),
    ("bedrock.invoke_model", [
        See("exports::invoke_model_bodies_count_as_bedrock_counts"),
        Is(r#"{"outputs":[],"amazon-bedrock-invocationMetrics":{"inputTokenCount":4,"outputTokenCount":5,
            "cacheReadInputTokenCount":60,"cacheWriteInputTokenCount":0,"invocationLatency":9}}"#,
            &["aws.bedrock unknown: input_text_tokens 4, cache_read_text_tokens 60, output_text_tokens 5 \
               [id_from_position, time_assumed]"]),
        See("wild::a_stream_of_invoke_model_is_bedrocks"),
        Never("the tier stands in a header of the answer"),
        Rejected(r#"{"inputTextTokenCount":-1,"results":[]}"#, "invalid_field", "inputTextTokenCount"),
    ]),
    ("aws.cloudwatch_logs", [
        See("wild::log_entries_of_cloudwatch_are_read_one_by_one"),
        Never("what is cached stands in the entries: `bedrock.invocation_log`"),
        Never("it holds whole entries"),
        Never("tiers stand in the entries"),
        Rejected(r#"{"logGroup":"/aws/bedrock","logEvents":[{"id":"1","message":"START"}]}"#,
            "malformed", "logEvents[0].message"),
    ]),
    ("cohere.billed_units", [
        See("providers::cohere_bills_billed_units_not_tokens"),
        Never("`tokens.cached_tokens` is shown and not billed apart"),
        See("wild::a_stream_of_coheres_first_api_ends_in_the_whole"),
        Never(NO_TIER),
        Rejected(r#"{"id":"c9","message":{},"usage":{"billed_units":{"input_tokens":-4}}}"#,
            "invalid_field", "billed_units.input_tokens"),
    ]),
    ("ollama.generate", [
        See("providers::groq_perplexity_and_ollama_are_told_by_their_own_fields"),
        Never("a prompt that is cached is not evaluated, and not counted"),
        Is("{\"model\":\"llama3.2\",\"created_at\":\"2026-08-01T09:59:00Z\",\"response\":\"a\",\"done\":false}\n\
            {\"model\":\"llama3.2\",\"created_at\":\"2026-08-01T09:59:01Z\",\"response\":\"\",\"done\":true,\
            \"prompt_eval_count\":26,\"eval_count\":290}\n",
            &["ollama llama3.2: input_text_tokens 26, output_text_tokens 290 [id_from_position]"]),
        Never("it is one's own hardware"),
        Rejected(r#"{"model":"llama3.2","created_at":"2026-08-01T09:59:00Z","done":true,"prompt_eval_count":"x","eval_count":1}"#,
            "invalid_field", "prompt_eval_count"),
    ]),
    ("bedrock.response_headers", [
        See("published::models_of_bedrock_that_count_nothing_are_counted_by_the_head_of_their_answer"),
        Is(r#"{"headers":{"x-amzn-bedrock-input-token-count":"9","x-amzn-bedrock-cache-read-input-token-count":"8",
            "x-amzn-bedrock-output-token-count":"3","date":"Sat, 01 Aug 2026 09:00:00 GMT","x-amzn-requestid":"r"},"body":"x"}"#,
            &["aws.bedrock unknown: input_text_tokens 9, cache_read_text_tokens 8, output_text_tokens 3"]),
        Never("a stream counts in its last frame"),
        Never("the head does not name a tier"),
        Rejected(r#"{"headers":{"x-amzn-bedrock-input-token-count":"many"},"body":"x"}"#, "invalid_field",
            "x-amzn-bedrock-input-token-count"),
    ]),
    ("watsonx.generation", [
        See("published::answers_of_watsonx_count_each_result_and_streams_count_on"),
        Never("it has no cache"),
        See("published::answers_of_watsonx_count_each_result_and_streams_count_on"),
        Never("it has no tiers"),
        Rejected(r#"{"model_id":"ibm/granite","results":[{"generated_token_count":-1}]}"#, "invalid_field",
            "results.generated_token_count"),
    ]),
    ("dashscope.generation", [
        See("published::answers_of_dashscope_are_told_by_output_and_usage"),
        See("published::answers_of_dashscope_are_told_by_output_and_usage"),
        See("published::answers_of_dashscope_are_told_by_output_and_usage"),
        Never("it has no tiers"),
        Rejected(r#"{"request_id":"r","output":{},"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":4}}"#,
            "contradiction", "usage.total_tokens"),
    ]),
    ("deepgram.transcription", [
        See("published::speech_of_others_is_billed_by_seconds_and_characters"),
        Never("it has no cache"),
        Never("its stream counts as the whole does"),
        Never("it has no tiers"),
        Rejected(r#"{"metadata":{"model_info":{},"duration":"long"},"results":{}}"#, "invalid_field", "metadata.duration"),
    ]),
    ("minimax.speech", [
        See("published::speech_of_others_is_billed_by_seconds_and_characters"),
        Never("it has no cache"),
        Never("its last piece is the whole"),
        Never("it has no tiers"),
        Rejected(r#"{"extra_info":{"usage_characters":-1},"base_resp":{"status_code":0}}"#, "invalid_field",
            "extra_info.usage_characters"),
    ]),
    ("sglang.generate", [
        See("published::servers_one_runs_oneself_are_read_in_their_own_tongue"),
        See("published::servers_one_runs_oneself_are_read_in_their_own_tongue"),
        See("published::servers_one_runs_oneself_are_read_in_their_own_tongue"),
        Never("one's own server has no tiers"),
        Rejected(r#"{"text":"x","meta_info":{"id":"a","finish_reason":null,"prompt_tokens":1,"cached_tokens":2}}"#,
            "contradiction", "the prompt"),
    ]),
    ("llama_cpp.completion", [
        See("published::servers_one_runs_oneself_are_read_in_their_own_tongue"),
        See("published::servers_one_runs_oneself_are_read_in_their_own_tongue"),
        See("published::servers_one_runs_oneself_are_read_in_their_own_tongue"),
        Never("one's own server has no tiers"),
        Rejected(r#"{"content":"x","tokens_evaluated":"x","tokens_predicted":1}"#, "invalid_field", "tokens_evaluated"),
    ]),
    ("lm_studio.chat", [
        See("published::servers_one_runs_oneself_are_read_in_their_own_tongue"),
        Never("it does not count its cache"),
        Never("its last event holds the whole"),
        Never("one's own server has no tiers"),
        Rejected(r#"{"model_instance_id":"m","stats":{"input_tokens":1,"total_output_tokens":1,"reasoning_output_tokens":2}}"#,
            "contradiction", "the output"),
    ]),
    ("replicate.prediction", [
        See("published::predictions_of_replicate_are_tokens_or_else_the_time_they_took"),
        Never("it has no cache"),
        Never("its stream is text, and the prediction counts"),
        Never("it has no tiers"),
        Rejected(r#"{"id":"p","version":"v","status":"succeeded","metrics":{"predict_time":"long"},
            "urls":{"get":"https://api.replicate.com/v1/predictions/p"}}"#, "invalid_field", "metrics.predict_time"),
    ]),
    ("pydantic_ai.message", [
        See("published::messages_of_pydantic_ai_are_calls_where_a_model_answered"),
        See("published::messages_of_pydantic_ai_are_calls_where_a_model_answered"),
        Never("a message is dumped when it is whole"),
        Never("it does not keep the tier"),
        Rejected(r#"{"kind":"response","model_name":"gpt-5.4","parts":[{"part_kind":"text"}],"usage":{"input_tokens":1,
            "cache_read_tokens":2}}"#, "contradiction", "usage.input_tokens"),
    ]),
    ("codex.exec", [
        See("published::lines_of_codex_exec_sum_up_a_run"),
        Never("it sums up a run"), Never("it sums up a run"), Never("it sums up a run"), Never("it sums up a run"),
    ]),
    ("bedrock.stream_chunk", [
        See("natives::chunks_of_bedrock_are_decoded_and_put_together"),
        See("natives::chunks_of_bedrock_are_decoded_and_put_together"),
        See("natives::chunks_of_bedrock_are_decoded_and_put_together"),
        Never("the tier stands in a header of the answer"),
        See("natives::chunks_of_bedrock_that_cannot_be_read_say_so"),
    ]),
    ("tgi.generate", [
        See("natives::tgi_counts_what_it_generated_and_says_when_nobody_states_the_prompt"),
        Never("what its prefix cache saved is not stated"),
        See("natives::the_last_token_of_a_stream_of_tgi_has_the_details"),
        Never("it is one's own hardware"),
        See("natives::tgi_counts_what_it_generated_and_says_when_nobody_states_the_prompt"),
    ]),
    ("cloudflare.workers_ai", [
        See("natives::workers_ai_counts_whole_and_in_streams"),
        See("natives::workers_ai_counts_whole_and_in_streams"),
        See("natives::workers_ai_counts_whole_and_in_streams"),
        Never(NO_TIER),
        See("natives::workers_ai_counts_whole_and_in_streams"),
    ]),
    ("gemini.video", [
        See("natives::videos_of_veo_are_billed_by_the_second_where_it_was_asked_for"),
        Never("a video is not cached"),
        Never("an operation is asked for until it is done"),
        Never(NO_TIER),
        See("natives::videos_of_veo_are_billed_by_the_second_where_it_was_asked_for"),
    ]),
];
