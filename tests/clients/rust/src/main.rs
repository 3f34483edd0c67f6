//! Drives Rust clients against the gateway, as the test beside this folder says: GATEWAY=… TOKEN=… WORDS=… clients MODEL…
//!
//! Prints a line of JSON for each step of each client with each model: what was seen, or the error.

mod many;
mod openai;

use std::env;
use std::error::Error;

use serde_json::{Value, json};

type Seen = Result<Value, Box<dyn Error>>;

fn gateway() -> String {
    env::var("GATEWAY").expect("GATEWAY")
}

fn token() -> String {
    env::var("TOKEN").expect("TOKEN")
}

fn words() -> String {
    env::var("WORDS").expect("WORDS")
}

fn place() -> Value {
    json!({
        "type": "object",
        "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
        "required": ["city", "degrees"],
        "additionalProperties": false,
    })
}

fn show(client: &str, model: &str, step: &str, seen: Seen) {
    let line = match seen {
        Ok(seen) => json!({"client": client, "model": model, "step": step, "seen": seen}),
        Err(error) => json!({"client": client, "model": model, "step": step, "error": error.to_string()}),
    };
    println!("{line}");
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for model in env::args().skip(1) {
        openai::chats(&model).await;
        openai::responses(&model).await;
        many::chats(&model).await;
    }
    openai::media().await;
    many::media().await;
}
