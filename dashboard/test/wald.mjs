// Real processes of Wald for the tests: each in a folder of its own, on ports that the system chose.
import { spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateKeyPairSync } from "node:crypto";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url));
export const program = process.env["WALD"] ?? join(root, "target/debug/wald");

/** What a line of the log says of a listener that has been bound; nothing, if it says something else. */
function listening(line) {
  try {
    const { fields, ...rest } = JSON.parse(line);
    const event = { ...rest, ...fields };
    return event.message === "listening" ? event : undefined;
  } catch {
    return undefined;
  }
}

/** Starts a program and waits for the line of its standard error in which `find` finds the admin address. */
async function start(args, env, folder, find) {
  const child = spawn(program, args, { cwd: folder, env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "pipe"] });
  const said = [];
  const ended = new Promise((resolve) => child.once("close", resolve));
  const address = await new Promise((resolve, reject) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      said.push(line);
      const found = find(line);
      if (found) resolve(found);
    });
    void ended.then(() => reject(new Error(`wald ended:\n${said.join("\n")}`)));
  });
  return {
    url: `http://${address}`,
    /** The address of a listener, from the log of a `wald run`. */
    listener: (name) => said.map(listening).find((event) => event?.listener === name)?.address,
    /** Ends it at once, as a power cut would. */
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
    stop: async () => {
      child.kill("SIGKILL");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export async function demo() {
  const folder = await mkdtemp(join(tmpdir(), "wald-dashboard-"));
  const find = (line) => /dashboard: http:\/\/([\d.]+:\d+)\//.exec(line)?.[1];
  return start(["demo", "--port", "0"], { WALD_DEMO_DIR: join(folder, "demo") }, folder, find);
}

/** Serves the document of the demo, without its traffic, after `change` of its text. `keys.json` holds a key. */
export async function run(change) {
  const folder = await mkdtemp(join(tmpdir(), "wald-dashboard-"));
  await cp(join(root, "config/examples/digits"), folder, { recursive: true });
  const document = join(folder, "wald.yaml");
  const text = (await readFile(document, "utf8"))
    .replace("admin: { address: 127.0.0.1:9901 }", "admin: { address: 127.0.0.1:0 }\ntelemetry: { log: { format: json } }")
    .replace("address: 127.0.0.1:9902", "address: 127.0.0.1:0")
    .replace("address: 127.0.0.1:9903", "address: 127.0.0.1:0");
  await writeFile(document, change(text));
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = { ...publicKey.export({ format: "jwk" }), kid: "one", alg: "ES256", use: "sig" };
  await writeFile(join(folder, "keys.json"), JSON.stringify({ keys: [key] }));
  const find = (line) => {
    const event = listening(line);
    return event?.listener === "admin" ? event.address : undefined;
  };
  return start(["run", "-c", document], {}, folder, find);
}
