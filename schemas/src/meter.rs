//! The closed registry of meters: disjoint quantities that a usage vector is made of.

use crate::{Quantity, record, symbols};

symbols! {
    /// What is counted. Meters are disjoint: a token is in exactly one of them, so their sum is the call's total.
    pub enum Meter {
        /// Text tokens read at the full input rate: neither read from nor written to a cache.
        InputTextTokens = "input_text_tokens",
        /// Text tokens served from a prompt cache.
        CacheReadTextTokens = "cache_read_text_tokens",
        /// Tokens written to a cache that lives five minutes, or whose lifetime is not stated.
        CacheWrite5mTokens = "cache_write_5m_tokens",
        /// Tokens written to a cache that lives one hour.
        CacheWrite1hTokens = "cache_write_1h_tokens",
        /// Visible text tokens written by the model.
        OutputTextTokens = "output_text_tokens",
        /// Reasoning (thinking) tokens written by the model, visible or hidden.
        OutputReasoningTokens = "output_reasoning_tokens",
        /// Audio tokens read.
        InputAudioTokens = "input_audio_tokens",
        /// Audio tokens written.
        OutputAudioTokens = "output_audio_tokens",
        /// Audio tokens served from a prompt cache.
        CacheReadAudioTokens = "cache_read_audio_tokens",
        /// Image tokens read.
        InputImageTokens = "input_image_tokens",
        /// Image tokens written.
        OutputImageTokens = "output_image_tokens",
        /// Image tokens served from a prompt cache.
        CacheReadImageTokens = "cache_read_image_tokens",
        /// Video tokens read.
        InputVideoTokens = "input_video_tokens",
        /// Seconds of audio read, where a provider bills by duration.
        InputAudioSeconds = "input_audio_seconds",
        /// Seconds of a live audio session.
        SessionAudioSeconds = "session_audio_seconds",
        /// Seconds of video written.
        OutputVideoSeconds = "output_video_seconds",
        /// Images written, where a provider bills by the image.
        OutputImages = "output_images",
        /// Characters read, where a provider bills by the character (speech synthesis).
        InputCharacters = "input_characters",
        /// Pages read by text recognition.
        OcrPages = "ocr_pages",
        /// Pages annotated.
        AnnotatedPages = "annotated_pages",
        /// Search units of a reranker.
        RerankSearches = "rerank_searches",
        /// Queries of a search model.
        SearchQueries = "search_queries",
        /// Web searches run by the model.
        WebSearches = "web_searches",
        /// Map groundings run by the model.
        MapsGroundings = "maps_groundings",
        /// File searches run by the model.
        FileSearches = "file_searches",
        /// Code interpreter sessions started by the model.
        CodeSessions = "code_sessions",
        /// Pages fetched by the model.
        WebFetches = "web_fetches",
        /// Seconds of provisioned capacity.
        ResourceSeconds = "resource_seconds",
        /// Seconds of a GPU.
        GpuSeconds = "gpu_seconds",
        /// Days of a seat.
        SeatDays = "seat_days",
        /// Prepaid credits used.
        Credits = "credits",
        /// Billable calls. Only priced where a provider bills by the call.
        Requests = "requests",
    }
}

impl Meter {
    /// True for meters that count tokens.
    pub const fn is_tokens(self) -> bool {
        matches!(
            self,
            Meter::InputTextTokens
                | Meter::CacheReadTextTokens
                | Meter::CacheWrite5mTokens
                | Meter::CacheWrite1hTokens
                | Meter::OutputTextTokens
                | Meter::OutputReasoningTokens
                | Meter::InputAudioTokens
                | Meter::OutputAudioTokens
                | Meter::CacheReadAudioTokens
                | Meter::InputImageTokens
                | Meter::OutputImageTokens
                | Meter::CacheReadImageTokens
                | Meter::InputVideoTokens
        )
    }

    /// True for tokens the model read, cached or not: their sum is the context that long-context prices look at.
    pub const fn is_input_tokens(self) -> bool {
        self.is_tokens()
            && !matches!(
                self,
                Meter::OutputTextTokens
                    | Meter::OutputReasoningTokens
                    | Meter::OutputAudioTokens
                    | Meter::OutputImageTokens
            )
    }
}

record! {
    /// A quantity of one meter. A usage vector holds each meter at most once, in registry order, zeros left out.
    pub struct Metered {
        /// What is counted.
        pub meter: Meter,
        /// How much of it.
        pub quantity: Quantity,
    }
}
