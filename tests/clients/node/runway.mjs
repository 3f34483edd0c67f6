// Runway's own client against the gateway: its waiter asks each five seconds or so, so one film is waited for.
import RunwayML, { TaskFailedError } from "@runwayml/sdk";

const client = new RunwayML({ apiKey: process.env.TOKEN, baseURL: `${process.env.GATEWAY}/runwayml`, maxRetries: 0 });
const fox = "https://example.com/fox.png";

const waited = client.imageToVideo
  .create({ model: "gen4_turbo", promptImage: fox, promptText: "a fox by node", ratio: "1280:720", duration: 5 })
  .waitForTaskOutput();
const making = client.textToVideo.create({
  model: "gen4.5",
  promptText: "[sandbox:never-finish] x",
  ratio: "1280:720",
  duration: 5,
});
await client.tasks.delete((await making).id);
const stopping = making.waitForTaskOutput().then(
  () => null,
  (fault) => [fault instanceof TaskFailedError, fault.taskDetails?.status],
);
const uploaded = await client.uploads.createEphemeral({ file: new File([new Uint8Array([1, 2, 3])], "fox.png") });
const filmed = await client.imageToVideo.create({ model: "gen4_turbo", promptImage: uploaded.uri, ratio: "1280:720", duration: 5 });
const [done, stopped] = await Promise.all([waited, stopping]);
const failed = await client.textToVideo
  .create({ model: "gen4.5", promptText: "x", ratio: "1:1", duration: 5 })
  .then(() => null, (fault) => [fault.constructor.name, fault.status]);

console.log(
  JSON.stringify({
    done: [done.status, done.output],
    stopped,
    filmed: filmed.id,
    credits: (await client.organization.retrieve()).creditBalance,
    failed,
  }),
);
