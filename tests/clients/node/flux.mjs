// The AI SDK's provider for Black Forest Labs against the gateway.
import { createBlackForestLabs } from "@ai-sdk/black-forest-labs";
import { generateImage } from "ai";

const flux = createBlackForestLabs({ apiKey: process.env.TOKEN, baseURL: `${process.env.GATEWAY}/flux/v1` });
const { image } = await generateImage({
  model: flux.image("flux-pro-1.1"),
  prompt: "a red bicycle",
  maxRetries: 0,
});
console.log(JSON.stringify({ type: image.mediaType, bytes: image.uint8Array.length, head: [...image.uint8Array.slice(0, 4)] }));
