// OpenAI's own Node SDK against the gateway; prints what it saw as JSON.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.env.GATEWAY}/v1`, apiKey: process.env.TOKEN, maxRetries: 0 });
const messages = [{ role: "user", content: "Say this is a test!" }];
const model = "gpt-4o-mini";
const seen = {};

const chat = await client.chat.completions.create({ model, messages });
seen.chat = chat.choices[0].message.content;
seen.usage = chat.usage;

let streamed = "";
let last;
for await (const chunk of await client.chat.completions.create({
  model,
  messages,
  stream: true,
  stream_options: { include_usage: true },
})) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  last = chunk;
}
seen.streamed = streamed;
seen.streamUsage = last.usage;

const tools = [
  {
    type: "function",
    function: { name: "add", parameters: { type: "object", properties: { a: { type: "number" } }, required: ["a"] } },
  },
];
const called = await client.chat.completions.create({ model, messages, tools, tool_choice: "required" });
seen.tool = called.choices[0].message.tool_calls[0].function.name;

const embedded = await client.embeddings.create({ model: "text-embedding-3-small", input: ["a", "b"] });
seen.dimensions = embedded.data.map((item) => item.embedding.length);

const completion = await client.completions.create({ model: "gpt-3.5-turbo-instruct", prompt: "Once", max_tokens: 5 });
seen.completion = completion.choices[0].text;

const image = await client.images.generate({ model: "flux-dev", prompt: "a boat" });
seen.image = image.data[0].url;

seen.errors = {};
for (const [name, body] of Object.entries({
  moderated: { model, messages: [{ role: "user", content: "[sandbox:rate-limit] node" }] },
  unknown: { model: "no-such-model", messages },
  missing: { model },
})) {
  try {
    await client.chat.completions.create(body);
    seen.errors[name] = "none";
  } catch (error) {
    seen.errors[name] = error.constructor.name;
  }
}
try {
  await new OpenAI({ baseURL: `${process.env.GATEWAY}/v1`, apiKey: "sk-wrong", maxRetries: 0 }).models.list();
} catch (error) {
  seen.errors.key = error.constructor.name;
}
console.log(JSON.stringify(seen));
