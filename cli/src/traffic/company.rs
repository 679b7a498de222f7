//! The company the sample is about: five teams, their applications, keys and habits. Keys and teams are those of
//! `deploy/example/owners.yaml`.

/// How a call is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// An OpenAI Chat Completions body in a plain envelope.
    Chat,
    /// An OpenAI Responses body in a plain envelope.
    Responses,
    /// An Anthropic Messages body in a CloudEvent.
    Messages,
    /// Our own CloudEvent `ai.usage`, as a gateway sends it.
    Usage,
}

/// One habit of an application: a model and how much of it a call uses.
#[derive(Debug)]
pub struct Habit {
    /// How its calls are written down.
    pub written: Written,
    /// Provider, in OpenTelemetry's terms.
    pub provider: &'static str,
    /// Model.
    pub model: &'static str,
    /// Operation.
    pub operation: &'static str,
    /// Fewest and most input tokens read at the full rate.
    pub input: (u64, u64),
    /// Fewest and most output tokens.
    pub output: (u64, u64),
    /// Share of calls, of ten thousand, that find their prompt in a cache.
    pub cached: u64,
    /// Share of output, in percent, that is reasoning.
    pub reasoning: u64,
    /// Tier that serves it.
    pub tier: Option<&'static str>,
}

/// An application of a team.
#[derive(Debug)]
pub struct Application {
    /// Team.
    pub team: &'static str,
    /// Name.
    pub name: &'static str,
    /// Key id its calls are made with.
    pub key: &'static str,
    /// Environment.
    pub environment: &'static str,
    /// How often it calls, relative to the others.
    pub weight: u64,
    /// What it calls.
    pub habits: &'static [Habit],
}

const fn habit(
    written: Written,
    provider: &'static str,
    model: &'static str,
    input: (u64, u64),
    output: (u64, u64),
) -> Habit {
    Habit { written, provider, model, operation: "chat", input, output, cached: 0, reasoning: 0, tier: None }
}

/// Every application, in a fixed order.
pub const APPLICATIONS: &[Application] = &[
    Application {
        team: "support",
        name: "helpdesk-bot",
        key: "key-support-prod",
        environment: "production",
        weight: 40,
        habits: &[
            Habit {
                cached: 4_000,
                tier: Some("default"),
                ..habit(Written::Chat, "openai", "gpt-5.4-mini", (400, 9_000), (60, 900))
            },
            Habit { tier: Some("default"), ..habit(Written::Chat, "openai", "gpt-4o-mini", (300, 5_000), (40, 600)) },
            Habit {
                cached: 7_000,
                ..habit(Written::Messages, "anthropic", "claude-haiku-4-5", (200, 4_000), (80, 1_200))
            },
        ],
    },
    Application {
        team: "platform",
        name: "code-review",
        key: "key-platform-ci",
        environment: "production",
        weight: 16,
        habits: &[
            Habit {
                cached: 8_500,
                ..habit(Written::Messages, "anthropic", "claude-sonnet-5-5", (500, 14_000), (300, 4_000))
            },
            Habit {
                cached: 6_000,
                reasoning: 60,
                tier: Some("default"),
                ..habit(Written::Responses, "openai", "gpt-5.5", (800, 20_000), (400, 6_000))
            },
        ],
    },
    Application {
        team: "search",
        name: "query-understanding",
        key: "key-search-prod",
        environment: "production",
        weight: 22,
        habits: &[
            habit(Written::Usage, "gcp.gemini", "gemini-3.8-flash", (300, 3_000), (40, 400)),
            Habit {
                operation: "embeddings",
                ..habit(Written::Usage, "openai", "text-embedding-3-small", (2_000, 30_000), (0, 0))
            },
        ],
    },
    Application {
        team: "data-science",
        name: "notebooks",
        key: "key-ds-research",
        environment: "development",
        weight: 9,
        habits: &[
            Habit {
                reasoning: 75,
                tier: Some("flex"),
                ..habit(Written::Responses, "openai", "gpt-6-sol", (1_000, 30_000), (900, 14_000))
            },
            Habit {
                reasoning: 50,
                ..habit(Written::Usage, "gcp.gemini", "gemini-3.1-pro-preview", (800, 25_000), (300, 5_000))
            },
        ],
    },
    Application {
        team: "growth",
        name: "campaign-writer",
        key: "key-growth-prod",
        environment: "production",
        weight: 10,
        habits: &[
            Habit { tier: Some("default"), ..habit(Written::Chat, "openai", "gpt-4o", (500, 6_000), (300, 2_500)) },
            Habit {
                cached: 3_000,
                ..habit(Written::Messages, "anthropic", "claude-sonnet-5-5", (600, 6_000), (300, 2_500))
            },
        ],
    },
];

/// The growth team's agent that nobody stops: it begins late in the sample and runs through the team's budget.
pub const RUNAWAY: Application = Application {
    team: "growth",
    name: "seo-agent",
    key: "key-growth-prod",
    environment: "production",
    weight: 0,
    habits: &[Habit {
        cached: 2_000,
        ..habit(Written::Messages, "anthropic", "claude-opus-4-8", (30_000, 120_000), (1_500, 6_000))
    }],
};

/// A key that no rule of the directory names.
pub const UNKNOWN_KEY: &str = "key-legacy-7f3a";

/// A model that no price book names.
pub const UNKNOWN_MODEL: &str = "gpt-nebula-preview";
