#!/usr/bin/env bash
# @langchain/anthropic 1.5.11 (JavaScript): of a streamed message it adds the output tokens of `message_start` to those
# of `message_delta`, though the latter are cumulative (Anthropic's documentation of streaming), so that the sum is
# above what the vendor told: 1 at the start and 5 at the end are 6. Input tokens are those of `message_start`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @langchain/anthropic@1.5.11 @langchain/core@1.4.0
cat >try.mjs <<'JS'
import { createServer } from "node:http";
import { ChatAnthropic } from "@langchain/anthropic";

const message = { id: "msg_1", type: "message", role: "assistant", model: "m", content: [], stop_reason: null };
const events = [
  { type: "message_start", message: { ...message, stop_sequence: null, usage: { input_tokens: 9, output_tokens: 1 } } },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "hello" } },
  { type: "content_block_stop", index: 0 },
  { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 5 } },
  { type: "message_stop" },
];
const server = createServer((request, response) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.end(events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(""));
}).listen(0, "127.0.0.1", async () => {
  const model = new ChatAnthropic({
    model: "claude-sonnet-4-5",
    apiKey: "none",
    anthropicApiUrl: `http://127.0.0.1:${server.address().port}`,
  });
  let whole;
  for await (const piece of await model.stream("hi")) whole = whole === undefined ? piece : whole.concat(piece);
  console.log(whole.usage_metadata);
  server.close();
  if (whole.usage_metadata.output_tokens !== 6) throw new Error("the output is counted otherwise now");
});
JS
node try.mjs
