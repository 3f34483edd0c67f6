// Vercel's AI SDK with its providers of each vendor's format: GATEWAY=… TOKEN=… WORDS=… node ai_sdk.mjs MODEL…
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogle } from "@ai-sdk/google";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { drive, GATEWAY, TOKEN, USE_TOOL, WORDS } from "./steps.mjs";

const place = z.object({ city: z.string(), degrees: z.number().int() });
const compatible = {
  name: "gateway",
  baseURL: `${GATEWAY}/v1`,
  apiKey: TOKEN,
  includeUsage: true,
  supportsStructuredOutputs: true,
};
const clients = {
  "ai-sdk openai-compatible": createOpenAICompatible(compatible),
  "ai-sdk anthropic": createAnthropic({ baseURL: `${GATEWAY}/v1`, apiKey: TOKEN }),
  "ai-sdk google": createGoogle({ baseURL: `${GATEWAY}/v1beta`, apiKey: TOKEN }),
};

const said = (text, usage, calls = []) => ({
  text,
  input: usage.inputTokens,
  output: usage.outputTokens,
  calls: calls.map((call) => ({ name: call.toolName, arguments: call.input })),
});

const withTools = (make, model) => ({
  model: make(model),
  prompt: USE_TOOL,
  maxRetries: 0,
  tools: { weather: tool({ inputSchema: place, execute: async () => "sunny" }) },
  stopWhen: stepCountIs(3),
});

await drive(clients, {
  chat: async (make, model) => {
    const result = await generateText({ model: make(model), prompt: WORDS, maxRetries: 0 });
    return said(result.text, result.usage);
  },
  stream: async (make, model) => {
    const result = streamText({ model: make(model), prompt: WORDS, maxRetries: 0 });
    let text = "";
    for await (const delta of result.textStream) text += delta;
    return said(text, await result.usage);
  },
  tools: async (make, model) => {
    const result = await generateText(withTools(make, model));
    return said(result.text, result.usage, result.steps.flatMap((step) => step.toolCalls));
  },
  "streamed tools": async (make, model) => {
    const result = streamText(withTools(make, model));
    await result.consumeStream();
    const calls = (await result.steps).flatMap((step) => step.toolCalls);
    return said(await result.text, await result.usage, calls);
  },
  structured: async (make, model) => {
    const output = Output.object({ schema: place });
    return (await generateText({ model: make(model), prompt: WORDS, output, maxRetries: 0 })).output;
  },
});
