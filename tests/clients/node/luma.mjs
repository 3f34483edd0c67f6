// Luma's own client, and the AI SDK's provider for it, against the gateway.
import { createLuma } from "@ai-sdk/luma";
import { generateImage } from "ai";
import { LumaAI } from "lumaai";

const base = process.env.GATEWAY;
const key = process.env.TOKEN;
const luma = new LumaAI({ authToken: key, baseURL: `${base}/dream-machine/v1`, maxRetries: 0 });

async function ended(made) {
  for (;;) {
    const told = await luma.generations.get(made.id);
    if (["completed", "failed"].includes(told.state)) return told;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const film = await ended(
  await luma.generations.video.create({ model: "ray-flash-2", prompt: "a fox by node", resolution: "540p" }),
);
const longer = await ended(
  await luma.generations.create({
    model: "ray-flash-2",
    prompt: "and on",
    keyframes: { frame0: { type: "generation", id: film.id } },
  }),
);
const louder = await ended(await luma.generations.audio(film.id, { prompt: "wind" }));
const page = await luma.generations.list({ limit: 2 });

const photon = createLuma({ apiKey: key, baseURL: base }).image("photon-1");
const { image } = await generateImage({ model: photon, prompt: "a fox by the ai sdk", aspectRatio: "16:9", maxRetries: 0 });

const errors = {};
for (const [name, client, body] of [
  ["short", luma, { model: "ray-2", prompt: "x" }],
  ["ratio", luma, { model: "ray-2", prompt: "abc", aspect_ratio: "5:1" }],
  ["key", new LumaAI({ authToken: "sk-wrong", baseURL: luma.baseURL, maxRetries: 0 }), { model: "ray-2", prompt: "abc" }],
]) {
  errors[name] = await client.generations.video.create(body).then(() => null, (fault) => fault.constructor.name);
}
errors.sdk = await generateImage({
  model: createLuma({ apiKey: key, baseURL: base }).image("photon-1"),
  prompt: "a fox",
  aspectRatio: "5:1",
  maxRetries: 0,
}).then(() => null, (fault) => fault.message);

console.log(
  JSON.stringify({
    films: [film, longer, louder].map((told) => [told.state, told.assets?.video]),
    listed: page.generations.map((told) => told.id),
    ids: [louder.id, longer.id],
    image: { type: image.mediaType, bytes: image.uint8Array.length },
    credits: (await luma.credits.get()).credit_balance,
    errors,
  }),
);
