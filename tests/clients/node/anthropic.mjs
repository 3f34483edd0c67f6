// Anthropic's own Node SDK against the gateway; prints what it saw as JSON.
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: process.env.GATEWAY, apiKey: process.env.TOKEN, maxRetries: 0 });
const messages = [{ role: "user", content: "Say this is a test!" }];
const model = process.env.MODEL ?? "claude-haiku-4-5";
const seen = {};

const whole = await client.messages.create({ model, max_tokens: 200, messages });
seen.text = whole.content[0].text;
seen.usage = whole.usage;

const stream = client.messages.stream({ model, max_tokens: 200, messages });
let streamed = "";
stream.on("text", (delta) => (streamed += delta));
const final = await stream.finalMessage();
seen.streamed = streamed;
seen.streamUsage = final.usage;
seen.stop = final.stop_reason;

const tools = [
  { name: "add", input_schema: { type: "object", properties: { a: { type: "number" } }, required: ["a"] } },
];
const called = await client.messages.create({ model, max_tokens: 200, messages, tools, tool_choice: { type: "any" } });
seen.tool = called.content.find((block) => block.type === "tool_use").name;
seen.calledStop = called.stop_reason;

seen.counted = (await client.messages.countTokens({ model: "claude-haiku-4-5", messages })).input_tokens;
seen.models = [];
for await (const found of client.models.list()) seen.models.push(found.id);

const requests = [{ custom_id: "first", params: { model, max_tokens: 50, messages } }];
if (!process.env.MODEL) {
  let batch = await client.messages.batches.create({ requests });
  while (batch.processing_status !== "ended") {
    await new Promise((done) => setTimeout(done, 20));
    batch = await client.messages.batches.retrieve(batch.id);
  }
  seen.results = [];
  for await (const one of await client.messages.batches.results(batch.id)) {
    seen.results.push([one.custom_id, one.result.type]);
  }
  seen.deleted = (await client.messages.batches.delete(batch.id)).type;
}

seen.errors = {};
const wrong = new Anthropic({ baseURL: process.env.GATEWAY, apiKey: "sk-wrong", maxRetries: 0 });
const say = (words) => [{ role: "user", content: words }];
const attempts = {
  unknown: () => client.messages.create({ model: "no-such-model", max_tokens: 9, messages }),
  missing: () => client.messages.create({ model, max_tokens: 9, messages: [] }),
  limited: () => client.messages.create({ model, max_tokens: 9, messages: say("[sandbox:rate-limit] x") }),
  key: () => wrong.messages.create({ model, max_tokens: 9, messages }),
};
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    await attempt();
    seen.errors[name] = null;
  } catch (error) {
    seen.errors[name] = error.constructor.name;
  }
}
console.log(JSON.stringify(seen));
