//! `genai`: one client with readers of its own for each vendor's format.

use futures::StreamExt;
use genai::adapter::AdapterKind;
use genai::chat::{
    ChatOptions, ChatRequest, ChatStreamEvent, JsonSpec, MessageContent, Tool, ToolChoice, ToolResponse, Usage,
};
use genai::resolver::{AuthData, Endpoint, ProviderConfig};
use genai::{Client, Error, ModelIden, ModelSpec, ServiceTarget};
use serde_json::{Value, from_str, json};

use crate::{Seen, gateway, place, show, token, words};

const FORMATS: [(AdapterKind, &str, &str); 4] = [
    (AdapterKind::OpenAI, "genai openai", "/v1/"),
    (AdapterKind::OpenAIResp, "genai responses", "/v1/"),
    (AdapterKind::Anthropic, "genai anthropic", "/v1/"),
    (AdapterKind::Gemini, "genai gemini", "/v1beta/"),
];

fn client() -> Client {
    Client::new().expect("a client")
}

#[derive(Clone, Copy)]
struct Target<'a> {
    format: AdapterKind,
    path: &'a str,
    model: &'a str,
}

impl Target<'_> {
    fn endpoint(&self) -> Endpoint {
        Endpoint::from_owned(format!("{}{}", gateway(), self.path))
    }

    fn with_key(&self, key: String) -> ModelSpec {
        let model = ModelIden::new(self.format, self.model.to_string());
        ModelSpec::Target(ServiceTarget { endpoint: self.endpoint(), auth: AuthData::Key(key), model })
    }
}

/// Whole, or streamed and put together.
async fn ask(
    target: Target<'_>, request: ChatRequest, options: ChatOptions, streamed: bool,
) -> Result<(MessageContent, Usage), Error> {
    let client = client();
    if !streamed {
        let answer = client.exec_chat(target.with_key(token()), request, Some(&options)).await?;
        return Ok((answer.content, answer.usage));
    }
    let options = options.with_capture_content(true).with_capture_usage(true).with_capture_tool_calls(true);
    let mut stream = client.exec_chat_stream(target.with_key(token()), request, Some(&options)).await?.stream;
    let mut last = None;
    while let Some(event) = stream.next().await {
        if let ChatStreamEvent::End(end) = event? {
            last = Some(end);
        }
    }
    let end = last.expect("an end");
    Ok((end.captured_content.unwrap_or_default(), end.captured_usage.unwrap_or_default()))
}

fn understood(content: &MessageContent, usage: &Usage) -> Value {
    let text = content.texts().concat();
    json!({"text": text, "input": usage.prompt_tokens, "output": usage.completion_tokens})
}

async fn say(target: Target<'_>, streamed: bool) -> Seen {
    let (content, usage) = ask(target, ChatRequest::from_user(words()), ChatOptions::default(), streamed).await?;
    Ok(understood(&content, &usage))
}

async fn tools(target: Target<'_>, streamed: bool) -> Seen {
    let request = ChatRequest::from_user(words()).with_tools([Tool::new("weather").with_schema(place())]);
    let must = ChatOptions::default().with_tool_choice(ToolChoice::Required);
    let (content, usage) = ask(target, request.clone(), must, streamed).await?;
    let mut seen = understood(&content, &usage);
    let calls: Vec<_> = content.tool_calls().into_iter().cloned().collect();
    let mut request = request.append_message(genai::chat::ChatMessage::assistant(content));
    let mut made = Vec::new();
    for call in calls {
        made.push(json!({"name": call.fn_name, "arguments": call.fn_arguments}));
        request = request.append_message(ToolResponse::new(call.call_id, "sunny"));
    }
    seen["calls"] = json!(made);
    let (content, _) = ask(target, request, ChatOptions::default(), streamed).await?;
    seen["text"] = json!(content.texts().concat());
    Ok(seen)
}

async fn structured(target: Target<'_>) -> Seen {
    let options = ChatOptions::default().with_response_format(JsonSpec::new("place", place()));
    let (content, _) = ask(target, ChatRequest::from_user(words()), options, false).await?;
    Ok(from_str(&content.texts().concat())?)
}

async fn models(target: Target<'_>) -> Seen {
    let config = ProviderConfig::from_endpoint(target.endpoint()).with_auth(AuthData::Key(token()));
    let names = client().all_model_names(target.format, config).await?;
    Ok(json!({"names": names, "retrieved": target.model}))
}

async fn refusal(target: Target<'_>, key: String) -> u16 {
    let answer = client().exec_chat(target.with_key(key), ChatRequest::from_user(words()), None).await;
    match answer {
        Err(Error::WebModelCall { webc_error, .. }) => webc_error.status().map_or(0, |status| status.as_u16()),
        _ => 0,
    }
}

pub async fn chats(model: &str) {
    for (format, name, path) in FORMATS {
        let target = Target { format, path, model };
        show(name, model, "chat", say(target, false).await);
        show(name, model, "stream", say(target, true).await);
        show(name, model, "tools", tools(target, false).await);
        show(name, model, "streamed tools", tools(target, true).await);
        show(name, model, "structured", structured(target).await);
        if matches!(format, AdapterKind::OpenAI | AdapterKind::OpenAIResp) {
            show(name, model, "models", models(target).await);
        }
        let key = refusal(target, "sk-wrong".into()).await;
        let unknown = refusal(Target { model: "no-such-model", ..target }, token()).await;
        show(name, model, "errors", Ok(json!({"key": key, "model": unknown})));
    }
}

pub async fn media() {
    for (format, name, path) in FORMATS {
        let model = match format {
            AdapterKind::OpenAI => "text-embedding-3-small",
            AdapterKind::Gemini => "gemini-embedding-001",
            _ => continue,
        };
        let target = Target { format, path, model };
        let answer =
            client().embed_batch(target.with_key(token()), vec!["one".into(), "two".into()], None).await;
        let sizes = answer.map(|answer| answer.embeddings.iter().map(|vector| vector.dimensions()).collect());
        show(name, "", "embeddings", sizes.map_err(Into::into));
    }
}
