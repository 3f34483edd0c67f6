// Node's own HTTP/2, and OpenAI's and Anthropic's SDKs over undici's; prints what they saw as JSON.
import diagnostics from "node:diagnostics_channel";
import http2 from "node:http2";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { Agent, install, setGlobalDispatcher } from "undici";

const { GATEWAY, TOKEN } = process.env;
const words = "Say this is a test!";
const messages = [{ role: "user", content: words }];
const seen = {};

// A session that is closed sends GOAWAY, and what it began goes on to its end.
const session = http2.connect(GATEWAY);
const stream = session.request({
  ":method": "POST",
  ":path": "/v1/chat/completions",
  authorization: `Bearer ${TOKEN}`,
  "content-type": "application/json",
});
const slow = [{ role: "user", content: `[sandbox:delta-ms=20] ${words}` }];
stream.end(JSON.stringify({ model: "gpt-4o-mini", stream: true, messages: slow }));
stream.setEncoding("utf8");
let text = "";
stream.on("response", (headers) => {
  seen.status = headers[":status"];
  session.close();
});
for await (const piece of stream) text += piece;
seen.last = text.trimEnd().split("\n").at(-1);
await new Promise((done) => (session.closed && session.destroyed ? done() : session.on("close", done)));

// Over TLS undici chooses HTTP/2 where it is told to.
const dispatcher = new Agent({ allowH2: true, connections: 1 });
seen.alpn = [];
diagnostics.subscribe("undici:client:connected", ({ socket }) => seen.alpn.push(socket.alpnProtocol));
install();
setGlobalDispatcher(dispatcher);
const openai = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: TOKEN, maxRetries: 0 });
const chat = await openai.chat.completions.create({ model: "gpt-4o-mini", messages });
seen.chat = chat.choices[0].message.content;
const streams = Array.from({ length: 50 }, async () => {
  let streamed = "";
  const answer = await openai.chat.completions.create({ model: "gpt-4o-mini", messages, stream: true });
  for await (const chunk of answer) streamed += chunk.choices[0]?.delta?.content ?? "";
  return streamed;
});
seen.streamed = [...new Set(await Promise.all(streams))];
const anthropic = new Anthropic({ baseURL: GATEWAY, apiKey: TOKEN, maxRetries: 0 });
const asked = { model: "claude-haiku-4-5", max_tokens: 200, messages };
seen.message = (await anthropic.messages.create(asked)).content[0].text;
seen.messageStreamed = await anthropic.messages.stream(asked).finalText();
const file = await openai.files.create({
  file: new File([new Uint8Array(20_000_000)], "large.bin"),
  purpose: "user_data",
});
seen.bytes = file.bytes;
await openai.files.delete(file.id);
await dispatcher.close();
console.log(JSON.stringify(seen));
