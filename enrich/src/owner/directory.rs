//! The compiled directory.

use hashbrown::HashMap as FastMap;
use schemas::{Confidence, Dimensions, Text, Timestamp, UsageEvent};

use super::row::{Claims, Key, Listed, Matches, Patterns, Project, Row, Rule, Stated, Team, dimension};
use super::shared::{Among, Method, Shared, SharedRules, Split, Weights};
use crate::finding::Finding;
use crate::period::{Contradiction, Dated};

/// Teams nest no deeper than this.
const DEPTH_MAX: usize = 16;

/// Who an event belongs to, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    /// Who pays, and the rest of the dimensions. No team means unallocated.
    pub owner: Dimensions,
    /// Rule that named the team: a rule's id, `key:` and the key, or `claim`; null when unallocated.
    pub rule: Option<Text>,
    /// How sure that is.
    pub confidence: Confidence,
}

impl Attribution {
    fn unallocated() -> Self {
        Attribution { owner: Dimensions::default(), rule: None, confidence: Confidence::None }
    }
}

/// One version of the directory of teams, projects, keys and rules, compiled.
#[derive(Debug)]
pub struct Directory {
    version: Text,
    claims: Claims,
    teams: FastMap<Text, Dated<Team>>,
    projects: FastMap<Text, Dated<Project>>,
    keys: FastMap<Text, Vec<KeyOwners>>,
    rules: Vec<CompiledRule>,
    /// Values that dimensions may have, by dimension and value.
    listed: FastMap<(Text, Text), Dated<Listed>>,
    shared: SharedRules,
}

/// Whose a key was for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenure {
    /// Provider the key is for, where the directory says.
    pub provider: Option<Text>,
    /// From then on.
    pub from: Timestamp,
    /// Until then, exclusive.
    pub to: Timestamp,
    /// Whose.
    pub owner: Dimensions,
}

/// The owners of a key over time, and the provider it is for.
#[derive(Debug)]
struct KeyOwners {
    /// What a charge says decided.
    rule: Text,
    provider: Option<Text>,
    owners: Dated<Dimensions>,
}

#[derive(Debug)]
struct CompiledRule {
    rule: Rule,
    owner: Dimensions,
    confidence: Confidence,
    names_team: bool,
}

impl Directory {
    /// Name of the version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Every owner a key has had, by provider and oldest first.
    pub fn tenures(&self, key: &str) -> Vec<Tenure> {
        let mut tenures = Vec::new();
        for owners in self.keys.get(key).into_iter().flatten() {
            for (from, to, owner) in owners.owners.spans() {
                tenures.push(Tenure { provider: owners.provider.clone(), from, to, owner: owner.clone() });
            }
        }
        tenures
    }

    /// How a charge of this owner is split among others; `None` when it is not.
    pub fn split(&self, event: &UsageEvent, owner: &Dimensions) -> Option<Split> {
        self.shared.split(event, owner.team.as_ref())
    }

    /// The dimensions of a charge that another team pays a share of: what says whose it is gives way.
    pub fn owner_in_place_of(&self, owner: &Dimensions, team: &Text, time: Timestamp) -> Dimensions {
        let mut owner = Dimensions {
            team: Some(team.clone()),
            project: None,
            cost_center: None,
            business_unit: None,
            ..owner.clone()
        };
        self.complete(&mut owner, time);
        owner
    }

    /// Method, teams and metric of a rule for shared charges that holds then.
    pub fn shared_rule(&self, id: &str, time: Timestamp) -> Option<(Method, Vec<&Text>, Option<&Text>)> {
        let rule = self.shared.rule(id, time)?;
        Some((rule.method, rule.among.teams(), rule.metric.as_ref()))
    }

    /// Keys the directory lists.
    pub fn keys(&self) -> impl Iterator<Item = &Text> {
        self.keys.keys()
    }

    /// Who an event belongs to, as of the time of the call.
    pub fn attribute(&self, event: &UsageEvent) -> Attribution {
        let won = self.by_key(event).or_else(|| self.by_rule(event)).or_else(|| self.by_claim(event));
        let mut won = won.unwrap_or_else(Attribution::unallocated);
        let owner = &mut won.owner;
        for rule in self.rules.iter().filter(|rule| !rule.names_team && rule.matches(event)) {
            rule.fill(owner, event);
        }
        if owner.project.is_none() {
            owner.project.clone_from(&event.claimed.project);
        }
        self.complete(owner, event.event_time);
        let team = owner.team.take();
        owner.fill(&event.claimed);
        // A claimed team has been weighed above.
        owner.team = team;
        won
    }

    fn by_key(&self, event: &UsageEvent) -> Option<Attribution> {
        let key = event.key_id.as_ref()?;
        let for_provider = |owners: &&KeyOwners| owners.provider.as_ref().is_none_or(|for_| *for_ == event.provider);
        // Rows that name the provider come first; where none of them holds then, the one for every provider does.
        let mut held = self.keys.get(key)?.iter().filter(for_provider);
        let (rule, owner) = held.find_map(|owners| Some((&owners.rule, owners.owners.at(event.event_time)?)))?;
        Some(Attribution { owner: owner.clone(), rule: Some(rule.clone()), confidence: Confidence::Exact })
    }

    fn by_rule(&self, event: &UsageEvent) -> Option<Attribution> {
        let matching = self.rules.iter().filter(|rule| rule.names_team && rule.matches(event));
        matching.into_iter().find_map(|rule| {
            let owner = rule.owner_of(event);
            let team = owner.team.as_ref()?;
            // A team taken from a tag may be a typing mistake.
            self.accepts(team, event.event_time).then(|| Attribution {
                owner,
                rule: Some(rule.rule.id.clone()),
                confidence: rule.confidence,
            })
        })
    }

    fn by_claim(&self, event: &UsageEvent) -> Option<Attribution> {
        let team = event.claimed.team.as_ref().filter(|_| self.claims != Claims::Never)?;
        self.accepts(team, event.event_time).then(|| Attribution {
            owner: Dimensions { team: Some(team.clone()), ..Dimensions::default() },
            rule: Some(Text::const_new("claim")),
            confidence: Confidence::Stated,
        })
    }

    /// Whether a team is listed at any time; `None` where no teams are listed, so that any may be claimed.
    pub fn lists(&self, team: &str) -> Option<bool> {
        (!self.teams.is_empty()).then(|| self.teams.contains_key(team))
    }

    /// Whether a value of another dimension (`environment`, `cost_center`, `business_unit`, `customer`) is listed at any time;
    /// `None` where none of it is.
    pub fn lists_value(&self, dimension: &str, value: &str) -> Option<bool> {
        let any = self.listed.keys().any(|(of, _)| of == dimension);
        let key: (Text, Text) = (dimension.into(), value.into());
        any.then(|| self.listed.contains_key(&key))
    }

    fn accepts(&self, team: &str, time: Timestamp) -> bool {
        self.claims == Claims::Any || self.teams.get(team).is_some_and(|dated| dated.at(time).is_some())
    }

    /// Fills what the records of project and team say.
    fn complete(&self, owner: &mut Dimensions, time: Timestamp) {
        let Some(team) = owner.team.clone() else { return };
        let project = owner.project.as_ref().and_then(|project| self.projects.get(project)?.at(time));
        if let Some(project) = project.filter(|project| project.team == team)
            && owner.cost_center.is_none()
        {
            owner.cost_center.clone_from(&project.cost_center);
        }
        let mut team = self.teams.get(&team).and_then(|dated| dated.at(time));
        for _ in 0..DEPTH_MAX {
            let Some(record) = team else { break };
            if owner.cost_center.is_none() {
                owner.cost_center.clone_from(&record.cost_center);
            }
            if owner.business_unit.is_none() {
                owner.business_unit.clone_from(&record.business_unit);
            }
            team = record.parent.as_ref().and_then(|parent| self.teams.get(parent)?.at(time));
        }
        if owner.business_unit.is_none()
            && let Some(cost_center) = &owner.cost_center
        {
            let listed = self.listed.get(&(Text::const_new("cost_center"), cost_center.clone()));
            let unit = listed.and_then(|listed| listed.at(time)?.business_unit.clone());
            owner.business_unit = unit;
        }
    }
}

impl CompiledRule {
    fn matches(&self, event: &UsageEvent) -> bool {
        self.rule.period.holds(event.event_time) && self.rule.when.matches(event)
    }

    /// The dimensions the rule states for this event.
    fn owner_of(&self, event: &UsageEvent) -> Dimensions {
        let mut owner = Dimensions::default();
        self.fill(&mut owner, event);
        owner
    }

    /// States what is null so far.
    fn fill(&self, owner: &mut Dimensions, event: &UsageEvent) {
        for (name, key) in &self.rule.from_tags {
            if let (Some(field @ None), Some(value)) = (dimension(owner, name), tag(event, key)) {
                *field = Some(value.clone());
            }
        }
        owner.fill(&self.owner);
    }
}

impl Matches {
    /// Whether an event looks like that.
    pub(super) fn matches(&self, event: &UsageEvent) -> bool {
        let Matches {
            tenant,
            key,
            resource,
            account,
            source,
            provider,
            model,
            operation,
            workload,
            claimed_team,
            tags,
        } = self;
        let is = |patterns: &Option<Patterns>, text: &str| patterns.as_ref().is_none_or(|p| p.match_text(text));
        let has = |patterns: &Option<Patterns>, text: &Option<Text>| {
            patterns.as_ref().is_none_or(|patterns| text.as_ref().is_some_and(|text| patterns.match_text(text)))
        };
        is(tenant, &event.tenant)
            && is(source, &event.source)
            && is(provider, &event.provider)
            && is(model, &event.model)
            && is(operation, &event.operation)
            && has(key, &event.key_id)
            && has(resource, &event.resource)
            && has(account, &event.claimed.billing_account)
            && has(workload, &event.claimed.workload_profile)
            && has(claimed_team, &event.claimed.team)
            && tags.iter().all(|(key, patterns)| tag(event, key).is_some_and(|value| patterns.match_text(value)))
    }
}

fn tag<'a>(event: &'a UsageEvent, key: &str) -> Option<&'a Text> {
    event.tags.iter().find(|tag| tag.key == key).map(|tag| &tag.value)
}

/// A row and where it was read.
pub(crate) type Placed = (String, Row);

/// Compiles the rows that are still believed: one that came to be known as wrong (`known_to`) holds at no time.
pub(crate) fn build(version: &str, rows: &[Placed]) -> Result<Directory, Vec<Finding>> {
    let rows = &believed(rows)[..];
    let mut findings = Vec::new();
    let lists_teams = rows.iter().any(|(_, row)| matches!(row, Row::Team(_)));
    let mut directory = Directory {
        version: version.into(),
        // With no teams listed there is nothing to check a claim against.
        claims: if lists_teams { Claims::Known } else { Claims::Any },
        teams: FastMap::new(),
        projects: FastMap::new(),
        keys: FastMap::new(),
        rules: Vec::new(),
        listed: FastMap::new(),
        shared: SharedRules::default(),
    };
    for (place, row) in rows {
        let contradiction = match row {
            Row::Settings(settings) => {
                directory.claims = settings.claims;
                None
            }
            Row::Team(team) => directory.teams.entry(team.team.clone()).or_default().add(team.period, team.clone()),
            Row::Project(project) => {
                directory.projects.entry(project.project.clone()).or_default().add(project.period, project.clone())
            }
            Row::Key(key) => add_key(&mut directory, place, key, &mut findings),
            Row::Rule(_, rule) => {
                add_rule(&mut directory, place, rule, &mut findings);
                None
            }
            Row::Listed(listed) => {
                let key = (listed.dimension.clone(), listed.value.clone());
                directory.listed.entry(key).or_default().add(listed.period, listed.clone())
            }
            Row::Shared(_, shared) => {
                add_shared(&mut directory, place, shared, &mut findings);
                None
            }
            Row::Weights(weights) => {
                add_weights(rows, place, weights, &mut findings);
                let known = directory.shared.weights.entry(weights.shared.clone()).or_default();
                known.add(weights.period, weights.clone())
            }
        };
        if let Some(contradiction) = contradiction {
            findings.push(contradicts(place, &contradiction));
        }
        let Some(period) = row.period() else { continue };
        if period.from() >= period.to() {
            let remedy = "a row holds in [valid_from, valid_to)";
            findings.push(Finding::at(place, "valid_to is not after valid_from", remedy));
        }
    }
    references(&directory, rows, &mut findings);
    if findings.is_empty() { Ok(directory) } else { Err(findings) }
}

/// A provider by the name that calls carry, from one that people give it.
fn as_calls_carry_it(provider: &Text) -> Text {
    let carried = schemas::provider::carried_name(&provider.to_ascii_lowercase());
    carried.map_or_else(|| provider.clone(), Text::const_new)
}

/// Rows not known to be wrong, with providers by the names that calls carry.
fn believed(rows: &[Placed]) -> Vec<Placed> {
    let mut rows: Vec<Placed> = rows
        .iter()
        .filter(|(_, row)| row.period().is_none_or(|period| period.known_at(Timestamp::MAX)))
        .cloned()
        .collect();
    for (_, row) in &mut rows {
        match row {
            Row::Key(key) => key.provider = key.provider.as_ref().map(as_calls_carry_it),
            Row::Rule(_, rule) => {
                rule.when.provider = rule.when.provider.take().map(|patterns| patterns.map(as_calls_carry_it));
            }
            _ => {}
        }
    }
    rows
}

fn contradicts(place: &str, contradiction: &Contradiction) -> Finding {
    let (message, remedy) = match contradiction {
        Contradiction::SameStart => {
            ("two rows about the same begin at the same time", "keep one, or date the later one")
        }
        Contradiction::Overlap => {
            ("overlaps the row before it, which is said to hold until later", "end that one where this one begins")
        }
    };
    Finding::at(place, message, remedy)
}

fn add_key(directory: &mut Directory, place: &str, key: &Key, findings: &mut Vec<Finding>) -> Option<Contradiction> {
    let owner = dimensions(place, &key.owner, findings);
    if owner.team.is_none() {
        findings.push(Finding::at(place, "names no team", "a key belongs to a team; use a rule for shared keys"));
    }
    let known = directory.keys.entry(key.key.clone()).or_default();
    let place = match known.iter().position(|owners| owners.provider == key.provider) {
        Some(place) => place,
        None => {
            let rule = Text::from(format!("key:{}", key.key));
            known.push(KeyOwners { rule, provider: key.provider.clone(), owners: Dated::default() });
            // The one that names a provider goes before the one that does not.
            known.sort_by_key(|owners| owners.provider.is_none());
            known.iter().position(|owners| owners.provider == key.provider).unwrap_or_default()
        }
    };
    known[place].owners.add(key.period, owner)
}

fn add_rule(directory: &mut Directory, place: &str, rule: &Rule, findings: &mut Vec<Finding>) {
    if directory.rules.iter().any(|other| other.rule.id == rule.id) {
        findings.push(Finding::at(place, format!("rule {:?} is there twice", rule.id), "give each rule its own id"));
    }
    if rule.owner.is_empty() && rule.from_tags.is_empty() {
        findings.push(Finding::at(place, "states no owner", "add owner or from_tags"));
    }
    for name in rule.from_tags.keys() {
        if dimension(&mut Dimensions::default(), name).is_none() {
            findings.push(unknown_dimension(place, name));
        }
    }
    let Matches { tenant: _, key, resource, account, source, claimed_team, workload, tags, .. } = &rule.when;
    let claimed = source.is_some() || claimed_team.is_some() || workload.is_some() || !tags.is_empty();
    let told = if claimed || !rule.from_tags.is_empty() {
        Confidence::Stated
    } else if key.is_some() || resource.is_some() || account.is_some() {
        Confidence::Exact
    } else {
        Confidence::Assumed
    };
    let names_team = rule.owner.contains_key("team") || rule.from_tags.contains_key("team");
    let owner = dimensions(place, &rule.owner, findings);
    let confidence = rule.confidence.unwrap_or(told);
    directory.rules.push(CompiledRule { rule: rule.clone(), owner, confidence, names_team });
}

fn add_shared(directory: &mut Directory, place: &str, shared: &Shared, findings: &mut Vec<Finding>) {
    let mut wrong = |message: &str, remedy: &str| findings.push(Finding::at(place, message, remedy));
    let same = |other: &&Shared| other.id == shared.id && other.period.overlaps(&shared.period);
    if directory.shared.rules.iter().any(|other| same(&other)) {
        wrong("another rule of this id holds at the same time", "end that one where this one begins, or rename one");
    }
    match (&shared.among, shared.method) {
        (Among::Weights(_), Method::Fixed) | (Among::Teams(_), Method::Even) => {}
        (Among::Teams(_), method) if method.is_computed() => {}
        (Among::Teams(_), _) => wrong("states no weights", "write among: {TEAM: \"3\", TEAM: \"1\"}"),
        (Among::Weights(_), _) => wrong("states weights its method does not use", "write among: [TEAM, TEAM]"),
    }
    if shared.among.teams().is_empty() {
        wrong("names nobody to pay", "write among: [TEAM, TEAM]");
    }
    if shared.among.teams().contains(&&shared.of) {
        wrong("lets the team that serves pay itself", "take it out of among: what it keeps is not shared");
    }
    if let Among::Weights(weights) = &shared.among
        && weights.values().any(|weight| weight.picos() <= 0)
    {
        wrong("has a weight that is not positive", "leave out who pays nothing");
    }
    if (shared.method == Method::ProportionalToMetric) != shared.metric.is_some() {
        wrong("metric belongs to proportional_to_metric, which needs one", "name the metric, or use another method");
    }
    directory.shared.rules.push(shared.clone());
}

fn add_weights(rows: &[Placed], place: &str, weights: &Weights, findings: &mut Vec<Finding>) {
    let rule = rows.iter().find_map(|(_, row)| match row {
        Row::Shared(_, shared) if shared.id == weights.shared => Some(shared),
        _ => None,
    });
    match rule {
        Some(rule) if !rule.method.is_computed() => {
            let remedy = "take the weights away, or make the rule proportional";
            findings.push(Finding::at(place, format!("rule {:?} is not proportional", rule.id), remedy));
        }
        Some(rule) => {
            for team in weights.weights.keys().filter(|team| !rule.among.teams().contains(team)) {
                let message = format!("team {team:?} is not among those who pay by rule {:?}", rule.id);
                findings.push(Finding::at(place, message, "add it there, or take it away here"));
            }
        }
        None => {
            let message = format!("there is no rule {:?}", weights.shared);
            findings.push(Finding::at(place, message, "mend its name, or add it under shared"));
        }
    }
    if weights.weights.values().any(|weight| weight.picos() < 0) {
        findings.push(Finding::at(place, "has a negative weight", "a team that earned more than it used weighs 0"));
    }
    if weights.period.valid_from.is_none() || weights.period.valid_to.is_none() {
        findings.push(Finding::at(place, "says not for which period", "add valid_from and valid_to"));
    }
}

fn dimensions(place: &str, stated: &Stated, findings: &mut Vec<Finding>) -> Dimensions {
    let mut dimensions = Dimensions::default();
    for (name, value) in stated {
        match dimension(&mut dimensions, name) {
            Some(field) => *field = Some(value.clone()),
            None => findings.push(unknown_dimension(place, name)),
        }
    }
    dimensions
}

fn unknown_dimension(place: &str, name: &str) -> Finding {
    let remedy = "use team, project, cost_center, business_unit, environment, customer, application, feature, use_case, \
                  workload_profile, task_class, routing_lane, agent, cost_category, spend_class or an account";
    Finding::at(place, format!("{name:?} is no dimension a directory can state"), remedy)
}

/// Every team and project that a row names must be listed, and no team may be part of itself.
fn references(directory: &Directory, rows: &[Placed], findings: &mut Vec<Finding>) {
    let known = |team: &Text| directory.teams.is_empty() || directory.teams.contains_key(team);
    for (place, row) in rows {
        let (team, project) = match row {
            Row::Settings(_) | Row::Listed(_) | Row::Weights(_) => (None, None),
            Row::Shared(_, shared) => {
                for team in shared.among.teams().into_iter().filter(|team| !known(team)) {
                    let remedy = "add it under teams, or mend the name";
                    findings.push(Finding::at(place, format!("team {team:?} is not listed"), remedy));
                }
                (Some(&shared.of), None)
            }
            Row::Team(team) => (team.parent.as_ref(), None),
            Row::Project(project) => (Some(&project.team), None),
            Row::Key(key) => (key.owner.get("team"), key.owner.get("project")),
            Row::Rule(_, rule) => (rule.owner.get("team"), rule.owner.get("project")),
        };
        if let Some(team) = team.filter(|team| !known(team)) {
            findings.push(Finding::at(
                place,
                format!("team {team:?} is not listed"),
                "add it under teams, or mend the name",
            ));
        }
        let listed = |project: &&Text| directory.projects.is_empty() || directory.projects.contains_key(*project);
        if let Some(project) = project.filter(|project| !listed(project)) {
            let remedy = "add it under projects, or mend the name";
            findings.push(Finding::at(place, format!("project {project:?} is not listed"), remedy));
        }
        for (dimension, value) in values(row) {
            let listed = directory.listed.keys().any(|(of, _)| of == dimension);
            if listed && !directory.listed.contains_key(&(dimension.into(), value.clone())) {
                let remedy = format!("add it under {dimension}s, or mend the name");
                findings.push(Finding::at(place, format!("{dimension} {value:?} is not listed"), remedy));
            }
        }
        if let Row::Team(team) = row
            && is_own_ancestor(rows, &team.team)
        {
            let remedy = "break the circle of parents";
            findings.push(Finding::at(place, format!("team {:?} is part of itself", team.team), remedy));
        }
    }
}

/// Dimensions whose values a directory may list.
const LISTED: [&str; 4] = ["cost_center", "business_unit", "environment", "customer"];

/// What a row states of the dimensions whose values may be listed.
fn values(row: &Row) -> Vec<(&'static str, &Text)> {
    match row {
        Row::Settings(_) | Row::Shared(..) | Row::Weights(_) => Vec::new(),
        Row::Team(Team { cost_center, business_unit, .. }) => {
            let unit = business_unit.iter().map(|unit| ("business_unit", unit));
            cost_center.iter().map(|center| ("cost_center", center)).chain(unit).collect()
        }
        Row::Project(Project { cost_center, .. }) => cost_center.iter().map(|center| ("cost_center", center)).collect(),
        Row::Listed(Listed { business_unit, .. }) => business_unit.iter().map(|unit| ("business_unit", unit)).collect(),
        Row::Key(Key { owner, .. }) => listed_of(owner),
        Row::Rule(_, rule) => listed_of(&rule.owner),
    }
}

fn listed_of(stated: &Stated) -> Vec<(&'static str, &Text)> {
    LISTED.iter().filter_map(|name| Some((*name, stated.get(*name)?))).collect()
}

fn is_own_ancestor(rows: &[Placed], team: &Text) -> bool {
    let parents = |team: &Text| {
        let team = team.clone();
        rows.iter().filter_map(move |(_, row)| match row {
            Row::Team(record) if record.team == team => record.parent.clone(),
            _ => None,
        })
    };
    let mut reached: Vec<Text> = parents(team).collect();
    for step in 0.. {
        let Some(ancestor) = reached.get(step).cloned() else { break };
        if ancestor == *team {
            return true;
        }
        let further: Vec<Text> = parents(&ancestor).filter(|parent| !reached.contains(parent)).collect();
        reached.extend(further);
    }
    false
}

impl Directory {
    /// What is worth a look in a valid directory.
    pub(crate) fn warnings(&self, rows: &[Placed]) -> Vec<Finding> {
        let rows = &believed(rows)[..];
        let mut warnings = Vec::new();
        for (place, row) in rows {
            if let Row::Key(key) = row {
                let owners = self.keys.get(&key.key).into_iter().flatten();
                for (from, to) in owners.filter(|o| o.provider == key.provider).filter_map(|o| o.owners.gap()) {
                    let message = format!("key {:?} has no owner from {from} to {to}", key.key);
                    warnings.push(Finding::warning(place, "", message, "close the gap, or leave it unallocated"));
                }
            }
        }
        warnings.dedup_by(|a, b| a.message == b.message);
        for (place, row) in rows {
            let (team, period) = match row {
                Row::Team(Team { parent, period, .. }) => (parent.as_ref(), period),
                Row::Project(Project { team, period, .. }) => (Some(team), period),
                Row::Key(Key { owner, period, .. }) => (owner.get("team"), period),
                Row::Settings(_) | Row::Listed(_) | Row::Rule(..) | Row::Shared(..) | Row::Weights(_) => continue,
            };
            let (Some(team), Some(from)) = (team, period.valid_from) else { continue };
            if self.teams.get(team).is_some_and(|dated| dated.at(from).is_none()) {
                let message = format!("team {team:?} is not there at {from}, when this begins to hold");
                let (file, row) = place.split_once(": ").unwrap_or((place, ""));
                warnings.push(Finding::warning(file, row, message, "mend one of the dates"));
            }
        }
        let catch_all = self.rules.iter().position(|rule| rule.names_team && rule.rule.when == Matches::default());
        for rule in self.rules.iter().skip(catch_all.map_or(usize::MAX, |place| place + 1)) {
            if rule.names_team {
                let message = format!("rule {:?} never wins: a rule before it matches everything", rule.rule.id);
                warnings.push(Finding::warning("owners", format!("rule {}", rule.rule.id), message, "move it up"));
            }
        }
        warnings
    }
}
