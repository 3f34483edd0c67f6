// LangChain.js with its models of each vendor's format: GATEWAY=… TOKEN=… WORDS=… node langchain.mjs MODEL…
import { ChatAnthropic } from "@langchain/anthropic";
import { ChatGoogleGenerativeAI } from "@langchain/google-genai";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { AIMessage } from "@langchain/core/messages";
import { createAgent, tool } from "langchain";
import { z } from "zod";
import { drive, GATEWAY, show, TOKEN, USE_TOOL, WORDS } from "./steps.mjs";

const place = z.object({ city: z.string(), degrees: z.number().int() });
const openai = { apiKey: TOKEN, maxRetries: 0, configuration: { baseURL: `${GATEWAY}/v1` } };
const clients = {
  "langchain.js openai": (model) => new ChatOpenAI({ model, useResponsesApi: false, ...openai }),
  "langchain.js responses": (model) => new ChatOpenAI({ model, useResponsesApi: true, ...openai }),
  "langchain.js anthropic": (model) =>
    new ChatAnthropic({ model, apiKey: TOKEN, anthropicApiUrl: GATEWAY, maxRetries: 0, maxTokens: 500 }),
  "langchain.js google": (model) =>
    new ChatGoogleGenerativeAI({ model, apiKey: TOKEN, baseUrl: GATEWAY, maxRetries: 0 }),
};

function said(...messages) {
  const sum = (name) => messages.reduce((total, message) => total + message.usage_metadata[name], 0);
  const calls = messages.flatMap((message) => message.tool_calls);
  return {
    text: messages.at(-1).text,
    input: sum("input_tokens"),
    output: sum("output_tokens"),
    calls: calls.map((call) => ({ name: call.name, arguments: call.args })),
  };
}

await drive(clients, {
  chat: async (make, model) => said(await make(model).invoke(WORDS)),
  stream: async (make, model) => {
    let whole;
    for await (const chunk of await make(model).stream(WORDS)) whole = whole ? whole.concat(chunk) : chunk;
    return said(whole);
  },
  tools: async (make, model) => {
    const weather = tool(async () => "sunny", { name: "weather", description: "The weather", schema: place });
    const agent = createAgent({ model: make(model), tools: [weather] });
    const { messages } = await agent.invoke({ messages: [{ role: "user", content: USE_TOOL }] });
    return said(...messages.filter((message) => AIMessage.isInstance(message)));
  },
  structured: async (make, model) => make(model).withStructuredOutput(place).invoke(WORDS),
});
await show("langchain.js openai", "", "embeddings", async () => {
  const vectors = await new OpenAIEmbeddings({ model: "text-embedding-3-small", ...openai }).embedDocuments(["one", "two"]);
  return vectors.map((vector) => vector.length);
});
