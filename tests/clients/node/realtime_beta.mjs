// OpenAI's own Node SDK against the gateway: Realtime as its beta was, by `ws` and by the platform's WebSocket. Prints
// what it saw as JSON.
import OpenAI from "openai";
import { OpenAIRealtimeWebSocket } from "openai/beta/realtime/websocket";
import { OpenAIRealtimeWS } from "openai/beta/realtime/ws";
import { baseURL } from "./tls_front.mjs";

const options = { baseURL: await baseURL(), maxRetries: 0 };
const client = new OpenAI({ ...options, apiKey: process.env.TOKEN });
const model = process.env.MODEL;

function turn(session, text) {
  const seen = { types: [], text: "" };
  return new Promise((done, fail) => {
    session.on("error", fail);
    session.on("event", (event) => seen.types.push(event.type));
    session.on("session.created", () => {
      session.send({ type: "session.update", session: { modalities: ["text"], temperature: 0.7 } });
      session.send({
        type: "conversation.item.create",
        item: { type: "message", role: "user", content: [{ type: "input_text", text }] },
      });
      session.send({ type: "response.create" });
    });
    session.on("session.updated", (event) => (seen.session = event.session));
    session.on("response.text.delta", (event) => (seen.text += event.delta));
    session.on("response.done", (event) => {
      seen.status = event.response.status;
      session.close();
      done(seen);
    });
  });
}

const seen = {};
seen.ws = await turn(new OpenAIRealtimeWS({ model }, client), "by ws");
const made = await client.beta.realtime.sessions.create({ model, modalities: ["text"] });
const browser = new OpenAI({ ...options, apiKey: made.client_secret.value, dangerouslyAllowBrowser: true });
const session = new OpenAIRealtimeWebSocket({ model, dangerouslyAllowBrowser: true }, browser);
seen.browser = await turn(session, "by browser");
seen.protocol = session.socket.protocol;
console.log(JSON.stringify(seen));
process.exit(0);
