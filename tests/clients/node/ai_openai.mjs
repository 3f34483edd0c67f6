// The AI SDK's provider for OpenAI, whose default is responses: it names earlier turns by the ids of their items.
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

const baseURL = `${process.env.GATEWAY}/v1`;
const seen = { references: 0 };
const counting = async (url, init) => {
  const body = JSON.parse(init.body);
  seen.references += body.input.filter((item) => item.type === "item_reference").length;
  return fetch(url, init);
};
const provider = createOpenAI({ baseURL, apiKey: process.env.TOKEN, fetch: counting });
const model = provider(process.env.MODEL);

const messages = [{ role: "user", content: "Say this is a test!" }];
const first = await generateText({ model, messages, maxRetries: 0 });
messages.push(...first.response.messages, { role: "user", content: "And again" });
const second = await generateText({ model, messages, maxRetries: 0 });
seen.second = second.text;

messages.push(...second.response.messages, { role: "user", content: "And once more" });
const streamed = streamText({ model, messages, maxRetries: 0, onError: ({ error }) => (seen.error = String(error)) });
seen.streamed = await streamed.text;

if (process.env.TOOLS !== "no") {
  const weather = tool({
    description: "Weather of a city",
    inputSchema: z.object({ city: z.string() }),
    execute: async () => "sunny all day",
  });
  const looped = await generateText({
    model,
    prompt: "How is the weather in Paris? [tool]",
    tools: { weather },
    stopWhen: stepCountIs(3),
    maxRetries: 0,
    providerOptions: { openai: { reasoningEffort: "medium", reasoningSummary: "auto", forceReasoning: true } },
  });
  seen.tools = looped.text;
  seen.steps = looped.steps.length;
}

// OpenAI's own SDK.
const client = new OpenAI({ baseURL, apiKey: process.env.TOKEN, maxRetries: 0 });
const made = await client.responses.create({ model: process.env.MODEL, input: "One" });
const stream = client.responses.stream({ model: process.env.MODEL, input: "Two", previous_response_id: made.id });
const chained = await stream.finalResponse();
seen.stored = made.id;
seen.chained = chained.previous_response_id;
console.log(JSON.stringify(seen));
