//! What was asked, where it stands beside an answer: whoever records calls keeps both, under names of its own. The address says who
//! served the call, the body what was asked for, which not every answer repeats.

use std::borrow::Cow;

use schemas::Text;

use super::{Surroundings, host_provider, owned, put_text};
use crate::config::TEXT_BYTES_MAX;
use crate::head;
use crate::json::{Json, Kind, Object, deeper_than};
use crate::problem::Result;

/// Names of a request as a whole: clients of HTTP and recorders; loggers of servers in JavaScript.
const REQUESTS: [&str; 2] = ["request", "req"];
/// Names of the body of a request beside the answer; the last is that of the recordings of Azure's SDKs.
const BODIES: [&str; 5] = ["request_body", "requestBody", "request_json", "request_data", "RequestBody"];

impl<'a> Surroundings<'a> {
    /// Reads the request beside an answer.
    pub(super) fn read_asked(&mut self, object: &Object<'a>) -> Result<()> {
        if let Some((_, request)) = object.first(&REQUESTS) {
            match request.object() {
                Some(request) => self.read_exchange(&request)?,
                None => self.read_body(request)?,
            }
        }
        for body in BODIES.iter().filter_map(|name| object.get(name)) {
            self.read_body(body)?;
        }
        // HTTP clients and recorders that note the address beside the answer, or with the settings of the call.
        const ADDRESSES: [&str; 8] =
            ["url", "uri", "request_url", "requestUrl", "request_uri", "RequestUri", "endpoint", "scope"];
        let settings = object.object("config");
        let addresses = [object.first(&ADDRESSES), settings.as_ref().and_then(|settings| settings.first(&["url"]))];
        for address in addresses.into_iter().flatten().filter_map(|(_, address)| address.string()) {
            self.read_address(&address);
        }
        Ok(())
    }

    /// A captured request, with whatever says where it went.
    fn read_exchange(&mut self, request: &Object<'a>) -> Result<()> {
        self.read_request(request)?;
        let stated = request.first(&["url", "uri"]).and_then(|(_, address)| address.string());
        let listed = || request.get("headers").filter(|headers| headers.kind() == Kind::Array);
        if let Some(url) = stated.or_else(|| head::address(listed()?).map(Cow::Owned)) {
            self.read_address(&url);
        }
        // An archive of HTTP keeps it as the text of what was posted.
        let posted = || request.object("postData")?.get("text");
        // ReqLLM's fixtures keep it once more as the object it is.
        if let Some(canonical) = request.object("canonical_json") {
            self.read_request(&canonical)?;
        }
        match request.first(&["body", "parsed_body"]).map(|(_, body)| body).or_else(posted) {
            Some(body) => self.read_body(body),
            None => Ok(()),
        }
    }

    /// The body of a request, as an object or as a text, also where a recorder says how it is encoded.
    fn read_body(&mut self, body: Json<'_>) -> Result<()> {
        let Some(object) = body.object() else {
            let Some(text) = body.string().filter(|text| text.trim_ascii_start().starts_with('{')) else {
                return Ok(());
            };
            if !deeper_than(text.as_bytes(), crate::DEPTH_MAX)
                && let Some((_, object)) = Json::parse_object(text.trim_ascii())
            {
                self.read_request(&object)?;
            }
            return Ok(());
        };
        self.read_request(&object)?;
        match object.get("string").filter(|text| text.kind() == Kind::String) {
            Some(text) => self.read_body(text),
            None => Ok(()),
        }
    }

    fn read_address(&mut self, address: &str) {
        self.provider = self.provider.take().or_else(|| host_provider(address).map(Text::const_new));
        self.requested_model = self.requested_model.take().or_else(|| head::model(address).map(Text::from));
        head::place(address, &mut self.price_context);
    }

    /// What was asked for, and what a price may depend on where the answer does not repeat it. A model that is no name is none.
    fn read_request(&mut self, request: &Object<'_>) -> Result<()> {
        for name in ["model_id", "model"] {
            if let Ok(Some(model)) = owned(request, name) {
                self.requested_model = Some(model);
            }
        }
        // Bedrock's Rerank names it deep within its settings.
        let rerank = || request.object("rerankingConfiguration")?.object("bedrockRerankingConfiguration");
        let reranker = || rerank()?.object("modelConfiguration")?.string("modelArn");
        if let Some(arn) = reranker().filter(|arn| arn.len() <= TEXT_BYTES_MAX) {
            self.requested_model = arn.rsplit('/').next().map(Text::from);
        }
        put_text(&mut self.price_context.requested_tier, request, "service_tier")?;
        let plain = |name: &str| request.string(name).filter(|text| text != "auto" && text.len() <= TEXT_BYTES_MAX);
        let context = &mut self.price_context;
        context.size = context.size.take().or_else(|| plain("size").map(Text::from));
        context.quality = context.quality.take().or_else(|| plain("quality").map(Text::from));
        Ok(())
    }
}
