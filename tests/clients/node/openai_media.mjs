// OpenAI's own Node SDK: pictures, sounds, videos, moderations; prints what it saw as JSON.
import OpenAI, { toFile } from "openai";

const client = new OpenAI({ baseURL: `${process.env.GATEWAY}/v1`, apiKey: process.env.TOKEN, maxRetries: 0 });
const words = "The quick brown fox jumps over the lazy dog";
const seen = {};

const drawn = await client.images.generate({ model: "gpt-image-1", prompt: "a boat", quality: "low" });
const picture = Buffer.from(drawn.data[0].b64_json, "base64");
seen.drawn = [...picture.subarray(0, 4)];
const edited = await client.images.edit({
  model: "gpt-image-1",
  quality: "low",
  prompt: "two boats",
  image: [await toFile(picture, "a.png", { type: "image/png" }), await toFile(picture, "b.png", { type: "image/png" })],
});
seen.editedFrom = edited.usage.input_tokens_details.image_tokens;
seen.events = [];
for await (const event of await client.images.generate({
  model: "gpt-image-1",
  prompt: "a boat",
  quality: "low",
  stream: true,
  partial_images: 1,
})) {
  seen.events.push(event.type);
}

const speech = await client.audio.speech.create({ model: "tts-1", voice: "alloy", input: words, response_format: "wav" });
const sound = Buffer.from(await speech.arrayBuffer());
seen.sound = sound.subarray(0, 4).toString();
const file = () => toFile(sound, "speech.wav");
seen.heard = (await client.audio.transcriptions.create({ model: "whisper-1", file: await file() })).text;
seen.translated = (await client.audio.translations.create({ model: "whisper-1", file: await file() })).text;
seen.streamed = "";
for await (const event of await client.audio.transcriptions.create({
  model: "gpt-4o-transcribe",
  file: await file(),
  stream: true,
})) {
  if (event.type === "transcript.text.delta") seen.streamed += event.delta;
}

seen.flagged = (await client.moderations.create({ input: "I will kill you" })).results[0].flagged;

let video = await client.videos.create({ prompt: "a boat", seconds: "8", input_reference: await toFile(picture, "a.png") });
const deadline = Date.now() + 20_000;
while (!["completed", "failed"].includes(video.status) && Date.now() < deadline) {
  await new Promise((resolve) => setTimeout(resolve, 50));
  video = await client.videos.retrieve(video.id);
}
seen.video = [video.status, video.seconds, video.size];
const film = Buffer.from(await (await client.videos.downloadContent(video.id)).arrayBuffer());
seen.film = film.subarray(4, 8).toString();
const remix = await client.videos.remix(video.id, { prompt: "at night" });
seen.remixed = remix.remixed_from_video_id === video.id;
seen.listed = (await client.videos.list({ limit: 2 })).data.map((one) => one.id).includes(video.id);
seen.deleted = (await client.videos.delete(video.id)).deleted;

async function fault(call) {
  try {
    await call();
    return "none";
  } catch (error) {
    return error.constructor.name;
  }
}
seen.errors = {
  gone: await fault(() => client.videos.retrieve(video.id)),
  length: await fault(() => client.videos.create({ prompt: "x", seconds: "5" })),
  sound: await fault(() => client.audio.transcriptions.create({ model: "whisper-1", file: new File(["junk"], "a.wav") })),
  moderated: await fault(() => client.images.generate({ model: "dall-e-3", prompt: "[sandbox:moderated] x" })),
};
console.log(JSON.stringify(seen));
