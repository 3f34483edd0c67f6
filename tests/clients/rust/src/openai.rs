//! `async-openai`: its types are OpenAI's, and all that comes must fit them.

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::types::chat::{CreateChatCompletionRequest, CreateChatCompletionResponse};
use async_openai::types::embeddings::CreateEmbeddingRequest;
use async_openai::types::images::{CreateImageRequest, Image};
use async_openai::types::responses::{CreateResponse, OutputItem, Response, ResponseStreamEvent};
use futures::StreamExt;
use serde_json::{Value, from_str, from_value, json, to_value};

use crate::{Seen, gateway, place, show, token, words};

fn client(key: String) -> Client<OpenAIConfig> {
    Client::with_config(OpenAIConfig::new().with_api_base(format!("{}/v1", gateway())).with_api_key(key))
}

fn status<T>(result: Result<T, OpenAIError>) -> u16 {
    match result {
        Err(OpenAIError::ApiError(refused)) => refused.status_code.as_u16(),
        _ => 0,
    }
}

/// Whole, or streamed and put together.
async fn chat(request: Value, streamed: bool) -> Result<Value, OpenAIError> {
    let client = client(token());
    let request: CreateChatCompletionRequest = from_value(request).expect("a request");
    if !streamed {
        let answer: CreateChatCompletionResponse = client.chat().create(request).await?;
        let usage = answer.usage.expect("usage");
        let message = to_value(&answer.choices[0].message).expect("JSON");
        return Ok(json!({"message": message, "input": usage.prompt_tokens, "output": usage.completion_tokens}));
    }
    let mut stream = client.chat().create_stream(request).await?;
    let (mut text, mut calls, mut usage) = (String::new(), Vec::<(String, String, String)>::new(), None);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        usage = chunk.usage.or(usage);
        for choice in chunk.choices {
            text += &choice.delta.content.unwrap_or_default();
            for part in choice.delta.tool_calls.unwrap_or_default() {
                let index = part.index as usize;
                if calls.len() <= index {
                    calls.resize(index + 1, Default::default());
                }
                let (id, name, arguments) = &mut calls[index];
                *id += &part.id.unwrap_or_default();
                if let Some(function) = part.function {
                    *name += &function.name.unwrap_or_default();
                    *arguments += &function.arguments.unwrap_or_default();
                }
            }
        }
    }
    let usage = usage.expect("usage");
    let mut message = json!({"role": "assistant", "content": text});
    if !calls.is_empty() {
        message["tool_calls"] = calls
            .iter()
            .map(|(id, name, arguments)| {
                json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
            })
            .collect();
    }
    Ok(json!({"message": message, "input": usage.prompt_tokens, "output": usage.completion_tokens}))
}

fn asked(model: &str, streamed: bool) -> Value {
    let mut request = json!({"model": model, "messages": [{"role": "user", "content": words()}]});
    if streamed {
        request["stream_options"] = json!({"include_usage": true});
    }
    request
}

async fn say(model: &str, streamed: bool) -> Seen {
    let answer = chat(asked(model, streamed), streamed).await?;
    Ok(json!({"text": answer["message"]["content"], "input": answer["input"], "output": answer["output"]}))
}

async fn tools(model: &str, streamed: bool) -> Seen {
    let mut request = asked(model, streamed);
    let function = json!({"name": "weather", "parameters": place(), "strict": true});
    request["tools"] = json!([{"type": "function", "function": function}]);
    request["tool_choice"] = json!("required");
    let first = chat(request.clone(), streamed).await?;
    let mut seen = json!({"input": first["input"], "output": first["output"], "calls": []});
    let messages = request["messages"].as_array_mut().expect("messages");
    messages.push(first["message"].clone());
    for call in first["message"]["tool_calls"].as_array().expect("calls") {
        let arguments: Value = from_str(call["function"]["arguments"].as_str().expect("arguments"))?;
        let made = json!({"name": call["function"]["name"], "arguments": arguments});
        seen["calls"].as_array_mut().expect("calls").push(made);
        messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "sunny"}));
    }
    request.as_object_mut().expect("request").remove("tool_choice");
    seen["text"] = chat(request, streamed).await?["message"]["content"].clone();
    Ok(seen)
}

async fn structured(model: &str) -> Seen {
    let mut request = asked(model, false);
    let schema = json!({"name": "place", "schema": place(), "strict": true});
    request["response_format"] = json!({"type": "json_schema", "json_schema": schema});
    let answer = chat(request, false).await?;
    Ok(from_str(answer["message"]["content"].as_str().expect("text"))?)
}

async fn models(model: &str) -> Seen {
    let client = client(token());
    let listed = client.models().list().await?;
    let names: Vec<_> = listed.data.into_iter().map(|model| model.id).collect();
    Ok(json!({"names": names, "retrieved": client.models().retrieve(model).await?.id}))
}

async fn errors(model: &str) -> Seen {
    let wrong = client("sk-wrong".into());
    let request: CreateChatCompletionRequest = from_value(asked(model, false))?;
    let key = status(wrong.chat().create(request).await);
    let unknown = status(chat(asked("no-such-model", false), false).await);
    Ok(json!({"key": key, "model": unknown}))
}

pub async fn chats(model: &str) {
    let name = "async-openai";
    show(name, model, "chat", say(model, false).await);
    show(name, model, "stream", say(model, true).await);
    show(name, model, "tools", tools(model, false).await);
    show(name, model, "streamed tools", tools(model, true).await);
    show(name, model, "structured", structured(model).await);
    show(name, model, "models", models(model).await);
    show(name, model, "errors", errors(model).await);
}

/// Whole, or what the last event of a stream tells.
async fn respond(request: Value, streamed: bool) -> Result<Response, OpenAIError> {
    let client = client(token());
    let request: CreateResponse = from_value(request).expect("a request");
    if !streamed {
        return client.responses().create(request).await;
    }
    let mut stream = client.responses().create_stream(request).await?;
    let (mut text, mut last) = (String::new(), None);
    while let Some(event) = stream.next().await {
        match event? {
            ResponseStreamEvent::ResponseOutputTextDelta(event) => text += &event.delta,
            ResponseStreamEvent::ResponseCompleted(event) => last = Some(event.response),
            _ => {}
        }
    }
    let last = last.expect("an end");
    assert_eq!(last.output_text().unwrap_or_default(), text);
    Ok(last)
}

fn asked_of_responses(model: &str) -> Value {
    json!({"model": model, "input": [{"type": "message", "role": "user", "content": words()}], "store": false})
}

fn understood(answer: &Response) -> Value {
    let usage = answer.usage.as_ref().expect("usage");
    json!({"text": answer.output_text(), "input": usage.input_tokens, "output": usage.output_tokens})
}

async fn respond_with_tools(model: &str, streamed: bool) -> Seen {
    let mut request = asked_of_responses(model);
    request["tools"] = json!([{"type": "function", "name": "weather", "parameters": place(), "strict": true}]);
    request["tool_choice"] = json!("required");
    let first = respond(request.clone(), streamed).await?;
    let mut seen = understood(&first);
    let (mut calls, history) = (Vec::new(), request["input"].as_array_mut().expect("input"));
    for item in &first.output {
        history.push(to_value(item)?);
        if let OutputItem::FunctionCall(call) = item {
            calls.push(json!({"name": call.name, "arguments": from_str::<Value>(&call.arguments)?}));
            history.push(json!({"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}));
        }
    }
    seen["calls"] = json!(calls);
    request.as_object_mut().expect("request").remove("tool_choice");
    seen["text"] = json!(respond(request, streamed).await?.output_text());
    Ok(seen)
}

pub async fn responses(model: &str) {
    let name = "async-openai responses";
    for (step, streamed) in [("chat", false), ("stream", true)] {
        let answer = respond(asked_of_responses(model), streamed).await;
        show(name, model, step, answer.map(|answer| understood(&answer)).map_err(Into::into));
    }
    show(name, model, "tools", respond_with_tools(model, false).await);
    show(name, model, "streamed tools", respond_with_tools(model, true).await);
}

pub async fn media() {
    show("async-openai", "", "embeddings", embeddings().await);
    show("async-openai", "", "image", image().await);
}

async fn embeddings() -> Seen {
    let request: CreateEmbeddingRequest =
        from_value(json!({"model": "text-embedding-3-small", "input": ["one", "two"]}))?;
    let answer = client(token()).embeddings().create(request).await?;
    Ok(answer.data.iter().map(|vector| vector.embedding.len()).collect())
}

async fn image() -> Seen {
    let request: CreateImageRequest = from_value(json!({"model": "gpt-image-1", "prompt": "a cat"}))?;
    let answer = client(token()).images().generate(request).await?;
    match answer.data[0].as_ref() {
        Image::B64Json { b64_json, .. } => Ok(json!(b64_json.len())),
        Image::Url { url, .. } => Err(format!("an address: {url}").into()),
    }
}
