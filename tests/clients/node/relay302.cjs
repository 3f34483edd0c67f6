// A sister relay's AI SDK provider against the gateway: Midjourney's task machine, and Stability's images.
// Its ES module cannot load sharp, so the CommonJS build is used.
const { createAI302 } = require("@302ai/ai-sdk");

const ai302 = createAI302({ baseURL: process.env.GATEWAY, apiKey: process.env.TOKEN });
const seen = {};
async function draw(name, options = {}) {
  const model = ai302.image(name);
  const answer = await model.doGenerate({
    prompt: "a quiet harbour",
    n: 1,
    size: undefined,
    aspectRatio: "1:1",
    seed: undefined,
    headers: {},
    providerOptions: { ai302: options },
  });
  return answer.images.map((image) => (typeof image === "string" ? Buffer.from(image, "base64") : image));
}
async function main() {
  for (const name of JSON.parse(process.env.MODELS)) {
    const images = await draw(name);
    seen[name] = images.map((image) => ({ bytes: image.length, head: [...image.slice(0, 4)] }));
  }
  console.log(JSON.stringify(seen));
}
main();
