// What the drivers of frameworks share: they print a line of JSON for each step of each client with each model.
export const { GATEWAY, TOKEN, WORDS } = process.env;
export const USE_TOOL = `[tool] ${WORDS}`;

export async function show(client, model, step, run) {
  const line = { client, model, step };
  try {
    line.seen = await run();
  } catch (error) {
    line.error = `${error.name}: ${error.message}`;
  }
  console.log(JSON.stringify(line));
}

export async function drive(clients, steps) {
  for (const [client, make] of Object.entries(clients)) {
    for (const model of process.argv.slice(2)) {
      for (const [step, run] of Object.entries(steps)) await show(client, model, step, () => run(make, model));
    }
  }
}
