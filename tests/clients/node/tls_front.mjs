// OpenAI's SDK speaks wss only, so a TLS front stands before the gateway. Gives the base URL.
import net from "node:net";
import tls from "node:tls";

export async function baseURL() {
  const gateway = new URL(process.env.GATEWAY);
  const front = tls.createServer({ key: process.env.TLS_KEY, cert: process.env.TLS_CERT }, (caller) => {
    const inner = net.connect(gateway.port, gateway.hostname);
    caller.pipe(inner).pipe(caller);
    caller.on("error", () => inner.destroy());
    inner.on("error", () => caller.destroy());
  });
  await new Promise((done) => front.listen(0, "127.0.0.1", done));
  return `https://127.0.0.1:${front.address().port}/v1`;
}
