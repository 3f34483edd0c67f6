// OpenAI's own Node SDK against the gateway: Realtime by `ws`, and by the platform's WebSocket as browsers have it.
// Prints what it saw as JSON.
import OpenAI from "openai";
import { OpenAIRealtimeWebSocket } from "openai/realtime/websocket";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { baseURL as front } from "./tls_front.mjs";

const baseURL = await front();
const client = new OpenAI({ baseURL, apiKey: process.env.TOKEN, maxRetries: 0 });
const model = "gpt-realtime";

function turn(session, text, modalities) {
  const seen = { types: [], text: "", audioBytes: 0 };
  return new Promise((done, fail) => {
    session.on("error", fail);
    session.on("event", (event) => seen.types.push(event.type));
    session.on("session.created", () => {
      session.send({ type: "session.update", session: { type: "realtime", output_modalities: modalities } });
      session.send({
        type: "conversation.item.create",
        item: { type: "message", role: "user", content: [{ type: "input_text", text }] },
      });
      session.send({ type: "response.create" });
    });
    session.on("response.output_text.delta", (event) => (seen.text += event.delta));
    session.on("response.output_audio.delta", (event) => (seen.audioBytes += Buffer.from(event.delta, "base64").length));
    session.on("response.done", (event) => {
      seen.status = event.response.status;
      seen.usage = event.response.usage;
      session.close();
      done(seen);
    });
  });
}

const seen = {};
seen.ws = await turn(new OpenAIRealtimeWS({ model }, client), "by ws", ["text"]);
const secret = await client.realtime.clientSecrets.create({
  expires_after: { anchor: "created_at", seconds: 60 },
  session: { type: "realtime", model },
});
seen.secret = secret.value.slice(0, 3);
const browser = new OpenAI({ baseURL, apiKey: secret.value, dangerouslyAllowBrowser: true, maxRetries: 0 });
const session = new OpenAIRealtimeWebSocket({ model, dangerouslyAllowBrowser: true }, browser);
seen.browser = await turn(session, "by the browser's way", ["audio"]);
seen.protocol = session.socket.protocol;

seen.refused = await new Promise((done) => {
  const wrong = new OpenAI({ baseURL, apiKey: "sk-wrong", maxRetries: 0 });
  const session = new OpenAIRealtimeWS({ model }, wrong);
  session.on("error", (error) => done(error.message));
});
console.log(JSON.stringify(seen));
process.exit(0);
