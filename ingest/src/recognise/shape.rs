//! The names of the formats.

schemas::symbols! {
    /// The formats ingest knows. The names are what `spend-format` headers, topic settings and reports use.
    pub enum Shape {
        /// CloudEvents 1.0, structured mode.
        CloudEvent = "cloudevents",
        /// Our documented usage event.
        Usage = "ai.usage",
        /// A flat record of one call: a model beside its token counts.
        FlatUsage = "flat_usage",
        /// A provider's body inside a plain JSON object with the producer's own fields.
        Envelope = "envelope",
        /// OpenAI Chat Completions, and servers that speak like it.
        OpenAiChat = "openai.chat_completion",
        /// A chunk of a streamed chat completion.
        OpenAiChatChunk = "openai.chat_completion_chunk",
        /// OpenAI Responses.
        OpenAiResponse = "openai.response",
        /// An event of a streamed response.
        OpenAiResponseEvent = "openai.response_event",
        /// OpenAI legacy completions.
        OpenAiCompletion = "openai.completion",
        /// OpenAI embeddings.
        OpenAiEmbedding = "openai.embedding",
        /// OpenAI images, billed by tokens.
        OpenAiImage = "openai.image",
        /// The last event of streamed speech, billed by tokens.
        OpenAiSpeech = "openai.speech",
        /// OpenAI transcriptions, by tokens or seconds.
        OpenAiTranscription = "openai.transcription",
        /// A captured request for speech: billed by the characters of its input.
        OpenAiSpeechRequest = "openai.speech_request",
        /// OpenAI videos, billed by the second.
        OpenAiVideo = "openai.video",
        /// OpenAI moderations: free calls.
        OpenAiModeration = "openai.moderation",
        /// A line of an OpenAI batch output file.
        OpenAiBatchLine = "openai.batch_output",
        /// Anthropic Messages.
        AnthropicMessage = "anthropic.message",
        /// An event of a streamed Anthropic message.
        AnthropicEvent = "anthropic.message_event",
        /// A line of an Anthropic batch result file.
        AnthropicBatchLine = "anthropic.batch_result",
        /// Gemini and Vertex `generateContent`, whole or one frame of a stream.
        Gemini = "gemini.generate_content",
        /// The end of a session of GPT-Live.
        OpenAiLive = "openai.live_session",
        /// A message of a Gemini Live session.
        GeminiLive = "gemini.live",
        /// A line of a Gemini or Vertex batch output.
        GeminiBatchLine = "gemini.batch_output",
        /// Gemini Interactions.
        GeminiInteraction = "gemini.interaction",
        /// An event of a streamed Gemini interaction.
        GeminiInteractionEvent = "gemini.interaction_event",
        /// Gemini and Vertex embeddings.
        GeminiEmbedding = "gemini.embedding",
        /// A long-running operation of Veo.
        GeminiVideo = "gemini.video",
        /// An answer of PaLM on Vertex.
        Palm = "vertex.prediction",
        /// Text recognition billed by the page.
        MistralOcr = "mistral.ocr",
        /// Bedrock Converse.
        BedrockConverse = "bedrock.converse",
        /// An event of a Bedrock ConverseStream.
        BedrockConverseEvent = "bedrock.converse_event",
        /// A Bedrock InvokeModel body in the spelling of Titan or Llama, whole or one frame of a stream.
        BedrockInvoke = "bedrock.invoke_model",
        /// An answer of a model on Bedrock that counts nothing itself, with the head it came with.
        BedrockHeaders = "bedrock.response_headers",
        /// A chunk of Bedrock's InvokeModelWithResponseStream, around an event of a model's own stream.
        BedrockChunk = "bedrock.stream_chunk",
        /// A step that an agent of Bedrock traced of a turn.
        BedrockAgent = "bedrock.agent_trace",
        /// What a session with Nova Sonic used since it last said so.
        NovaSonic = "bedrock.speech_session",
        /// A line of a Bedrock batch output.
        BedrockBatchLine = "bedrock.batch_output",
        /// A Bedrock model invocation log entry.
        BedrockLog = "bedrock.invocation_log",
        /// Cohere chat, embed and rerank, billed by `billed_units`.
        Cohere = "cohere.billed_units",
        /// An event of a streamed Cohere chat.
        CohereEvent = "cohere.event",
        /// Ollama's own API.
        Ollama = "ollama.generate",
        /// Generation, embeddings and reranking of watsonx.ai.
        Watsonx = "watsonx.generation",
        /// DashScope's own API, whole or one frame of a stream.
        DashScope = "dashscope.generation",
        /// An event of a streamed conversation with an agent of Mistral.
        MistralEvent = "mistral.conversation_event",
        /// Images of those who count them by the piece.
        Pictures = "pictures",
        /// A transcription of AssemblyAI.
        AssemblyAi = "assemblyai.transcription",
        /// A transcription of ElevenLabs.
        ElevenLabs = "elevenlabs.transcription",
        /// Speech of ElevenLabs, counted in the head of its answer.
        ElevenLabsSpeech = "elevenlabs.speech",
        /// A transcription of Deepgram.
        Deepgram = "deepgram.transcription",
        /// A transcription of Google's Speech-to-Text.
        GoogleSpeech = "google.transcription",
        /// A transcription of Azure's Speech.
        AzureSpeech = "azure.transcription",
        /// Speech of MiniMax.
        MiniMaxSpeech = "minimax.speech",
        /// Speech of Inworld.
        InworldSpeech = "inworld.speech",
        /// SGLang's own API, whole or one frame of a stream.
        SgLang = "sglang.generate",
        /// llama.cpp's own API.
        LlamaCpp = "llama_cpp.completion",
        /// LM Studio's own API.
        LmStudio = "lm_studio.chat",
        /// Meta's API of Llama, and Llama Stack.
        LlamaApi = "llama.completion",
        /// KoboldCpp's `generate`.
        KoboldCpp = "koboldcpp.generate",
        /// A row of Snowflake's views of what Cortex used.
        Snowflake = "snowflake.usage",
        /// A generation of Luma's Dream Machine.
        Luma = "luma.generation",
        /// A task of Runway's.
        Runway = "runway.task",
        /// A task of Kling's.
        Kling = "kling.task",
        /// A search of the web that was bought by itself.
        Search = "search.answer",
        /// A video of a model at fal.
        FalVideo = "fal.video",
        /// What TwelveLabs wrote about a video.
        TwelveLabs = "twelvelabs.analysis",
        /// An answer that says nothing of what it is billed by.
        Uncounted = "uncounted",
        /// A row of LibreChat's ledger of tokens.
        LibreChat = "librechat.transaction",
        /// A prediction of Replicate.
        Replicate = "replicate.prediction",
        /// A message of Pydantic AI.
        PydanticAi = "pydantic_ai.message",
        /// Text Generation Inference's own API.
        Tgi = "tgi.generate",
        /// A token of a stream of Text Generation Inference.
        TgiFrame = "tgi.generate_stream",
        /// Cloudflare Workers AI in its own shape, whole or the last frame of a stream.
        WorkersAi = "cloudflare.workers_ai",
        /// A frame of a stream of Workers AI.
        WorkersAiFrame = "cloudflare.workers_ai_frame",
        /// LiteLLM StandardLoggingPayload.
        LiteLlm = "litellm.standard_logging",
        /// A log entry of Bifrost.
        Bifrost = "bifrost.log",
        /// What OpenRouter says about one generation when asked for it by its id.
        OpenRouterGeneration = "openrouter.generation",
        /// What a call of the Vercel AI SDK gives back, step by step.
        AiSdkResult = "ai_sdk.result",
        /// A batch or one event of Langfuse's ingestion API.
        Langfuse = "langfuse.ingestion",
        /// A message of LangChain with its `usage_metadata`.
        LangChain = "langchain.message",
        /// A run exported from LangSmith.
        LangSmith = "langsmith.run",
        /// A request exported from Helicone.
        Helicone = "helicone.request",
        /// A log exported from Portkey.
        Portkey = "portkey.log",
        /// A span of Braintrust.
        Braintrust = "braintrust.span",
        /// A span of Datadog's LLM Observability.
        DatadogSpan = "datadog.llm_span",
        /// An event of New Relic's agents about a call of a model.
        NewRelic = "newrelic.llm_event",
        /// An event of PostHog.
        PostHog = "posthog.event",
        /// A span or trace of Opik.
        Opik = "opik.span",
        /// A span that OpenAI's Agents SDK exports.
        AgentsTrace = "openai.agents_span",
        /// A record of another tool whose counts stand under names of its own.
        ToolLog = "tool.log",
        /// An event of a service that meters usage, with a model and counts among its properties.
        Metered = "metering.event",
        /// A row of OpenRouter's activity.
        OpenRouterActivity = "openrouter.activity",
        /// A row of what Cursor bills.
        CursorUsage = "cursor.usage_event",
        /// An event of Aider's analytics.
        Aider = "aider.analytics",
        /// A row of Continue's development data.
        Continue = "continue.dev_data",
        /// A record of Kimi CLI.
        KimiCli = "kimi_cli.wire",
        /// An event of GitHub Copilot CLI.
        CopilotCli = "copilot_cli.event",
        /// A line of Pi, or of an agent made of it.
        Pi = "pi.session",
        /// A line of a chat of Qwen Code.
        QwenCode = "qwen_code.chat",
        /// A message of a Cline or Roo Code task.
        Cline = "cline.message",
        /// A row of a report of GitHub's billing.
        GitHubUsage = "github.usage_report",
        /// A report that adds up calls.
        Sum = "usage_sum",
        /// The log of a request that Kong's AI gateway proxied.
        Kong = "kong.ai_log",
        /// An LLM log entry of Azure API Management.
        AzureApim = "azure.apim_llm_log",
        /// A token count in the style of OpenMeter.
        OpenMeter = "openmeter.tokens",
        /// A count of tokens as Stripe's meters take it.
        StripeMeter = "stripe.meter_event",
        /// Log entries as CloudWatch Logs delivers them to a subscriber.
        CloudWatchLogs = "aws.cloudwatch_logs",
        /// Lines that a log store gives back.
        LogLines = "log.lines",
        /// A list of records within one object, each told by itself.
        Records = "records",
        /// A decision of a Keeptrusts gateway.
        Keeptrusts = "keeptrusts.event",
        /// A row of RunPod's billing history.
        RunPod = "runpod.billing",
        /// A row of Modal's billing report.
        Modal = "modal.billing",
        /// What OpenCost or Kubecost allocates to a workload.
        OpenCost = "opencost.allocation",
        /// A cluster in SkyPilot's cost report.
        SkyPilot = "skypilot.cluster",
        /// A row of a list of SaaS seats.
        SeatList = "saas.seats",
        /// A line of a Claude Code transcript.
        ClaudeTranscript = "claude_code.transcript",
        /// The last line that `claude -p` prints: what a whole run of Claude Code used.
        ClaudeResult = "claude_code.result",
        /// A line that `codex exec --json` prints.
        CodexExec = "codex.exec",
        /// A line of a Codex transcript.
        CodexTranscript = "codex.transcript",
        /// The answer of a query, whose columns are named once.
        Rows = "rows",
        /// A notebook with what its cells put out.
        Notebook = "notebook",
        /// A span as an SDK prints it, or a flat record named by the conventions.
        OtelSpan = "otel.span",
        /// A span or log record as a store, a console or a tool writes it.
        StoredSpan = "otel.stored_span",
        /// A trace as a store or a tool writes it.
        StoredTrace = "otel.stored_trace",
        /// A chat of Gemini CLI, or a line of one.
        GeminiCliChat = "gemini_cli.session",
        /// A record of the file that Gemini CLI writes its telemetry to.
        GeminiCliTelemetry = "gemini_cli.telemetry",
        /// What opencode stores of a session.
        Opencode = "opencode.message",
        /// OTLP spans.
        OtlpTraces = "otlp.traces",
        /// OTLP logs.
        OtlpLogs = "otlp.logs",
        /// OTLP metrics.
        OtlpMetrics = "otlp.metrics",
        /// GPU time.
        Gpu = "ai.gpu.usage",
        /// A seat for a period.
        Seat = "ai.seat.period",
        /// Prepaid credits that were used.
        Credits = "ai.credit.usage",
        /// A manual ledger entry.
        Ledger = "ai.ledger.entry",
        /// The state of a job or a page of a list: nothing billable.
        Status = "status",
        /// A piece of a stream that says nothing about usage.
        Fragment = "stream_fragment",
        /// A provider's answer that a call failed.
        Error = "error",
        /// A correction written by a job.
        Correction = "correction",
    }
}
