// The dashboard in a real browser, on real processes: what people see and do. Screenshots go to `test/output`.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";
import { chromium } from "playwright-core";
import { demo, program, root, run } from "./wald.mjs";

const PATIENCE_MS = 120_000;
const OUTPUT = fileURLToPath(new URL("output/", import.meta.url));
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const PAGES = ["experiments", "experiments/digits-better", "experiments/digits-worse", "shadows", "traffic", "trust", "audit", "policy"];

let browser;
let show;
/** A page that was opened before there was any verdict. */
let watched;

before(async () => {
  await mkdir(OUTPUT, { recursive: true });
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  browser = await chromium.launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args });
  show = await demo();
  watched = await open(show, "experiments/digits-worse");
  await watched.page.evaluate(() => (window.neverReloaded = true));
  await chip(watched.page, "running").waitFor();
});
after(async () => {
  await browser?.close();
  await show?.stop();
});

/** A page of its own that fails the test if the browser complains or anything else than Wald is asked. */
async function open(wald, path, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const complaints = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    if (!/^(blob:|data:|about:)/.test(request.url()) && !request.url().startsWith(wald.url)) complaints.push(`asks ${request.url()}`);
  });
  if (process.env["FROM_DIST"]) await fromDist(wald, context);
  await page.goto(`${wald.url}/#/${path}`);
  return { page, complaints, close: () => context.close() };
}

/** With FROM_DIST=1, files come from `dist` under the binary's headers: a page can be tried without compiling. */
async function fromDist(wald, context) {
  const { headers } = await fetch(wald.url);
  const kinds = { html: "text/html", css: "text/css", js: "text/javascript", svg: "image/svg+xml" };
  await context.route((url) => url.pathname === "/" || /^\/(assets\/|favicon)/.test(url.pathname), async (route) => {
    const path = new URL(route.request().url()).pathname.slice(1) || "index.html";
    const body = await readFile(join(root, "dashboard/dist", path));
    const policy = headers.get("content-security-policy") ?? "";
    await route.fulfill({ body, headers: { "content-type": kinds[path.split(".").pop()], "content-security-policy": policy } });
  });
}

const chip = (page, word) => page.locator("main .chip", { hasText: word }).first();

test("an approver promotes and rolls back with a reason, and is told when Wald has gone", async () => {
  const wald = await run((text) => text);
  try {
    const { page, complaints, close } = await open(wald, "experiments/digits-better");
    await page.getByRole("button", { name: "Promote …" }).click();
    const dialog = page.getByRole("dialog");
    const send = dialog.getByRole("button", { name: "Promote" });
    assert.equal(await send.isDisabled(), true, "nothing is done without a reason");
    await dialog.getByLabel(/Reason/).fill("the bank's own test has passed");
    await page.screenshot({ path: join(OUTPUT, "promote.png") });
    await send.click();
    await chip(page, "promoted").waitFor();
    await page.locator("li", { hasText: "the bank's own test has passed" }).first().waitFor();

    await page.goto(`${wald.url}/#/experiments/digits-worse`);
    await page.getByRole("button", { name: "Roll back …" }).click();
    await dialog.getByLabel(/Reason/).fill("complaints from a branch");
    await dialog.getByRole("button", { name: "Roll back" }).click();
    await chip(page, "rolled back").waitFor();
    assert.deepEqual(complaints, []);

    await wald.kill();
    await page.getByRole("alert").getByText("Wald does not answer").waitFor();
    await page.screenshot({ path: join(OUTPUT, "disconnected.png") });
    await close();
  } finally {
    await wald.stop();
  }
});

test("a viewer looks and may not act", async () => {
  const issuer = "https://issuer.test";
  const roles = `roles: { viewer: [{ callers: anyone }], approver: [{ issuer: "${issuer}" }] }`;
  const tokens = `tokens: [{ issuer: "${issuer}", audiences: [wald], keys: { file: keys.json }, algorithms: [ES256] }]`;
  const admin = "admin: { address: 127.0.0.1:0 }";
  const wald = await run((text) => text.replace(admin, `admin: { address: 127.0.0.1:0, ${roles} }\n${tokens}`));
  try {
    const { page, close } = await open(wald, "experiments/digits-better");
    await page.getByText("You are a viewer").waitFor();
    for (const name of ["Pause …", "Promote …", "Roll back …"]) {
      assert.equal(await page.getByRole("button", { name }).isDisabled(), true, name);
    }
    const status = await page.evaluate(async () => {
      const answer = await fetch("/api/v1/experiments/digits-better/promote", { method: "POST", body: '{"reason": "because"}' });
      return answer.status;
    });
    assert.equal(status, 401, "a token would help, and there is none");
    await chip(page, "running").waitFor();
    await close();
  } finally {
    await wald.stop();
  }
});

test("a shadow's agreement and its samples appear, without what people wrote", async () => {
  const server = async (answer) => {
    const made = createServer((request, response) => {
      request.resume().on("end", () => response.setHeader("content-type", "application/json").end(JSON.stringify(answer)));
    });
    await new Promise((resolve) => made.listen(0, "127.0.0.1", resolve));
    return { at: `http://127.0.0.1:${made.address().port}`, end: () => made.close() };
  };
  const primary = await server({ label: 4, note: "a secret of the primary" });
  const other = await server({ label: 7, note: "another" });
  const wald = await run((text) => {
    const [head] = text.split("listeners:");
    return `${head}listeners: [{ name: edge, address: 127.0.0.1:0 }]
upstreams: [{ name: primary, endpoints: [${primary.at}] }, { name: other, endpoints: [${other.at}] }]
routes: [{ name: all, allow: [{ callers: anyone }], backend: { upstream: primary }, shadow: [{ backend: { upstream: other } }] }]
`;
  });
  try {
    const { page, complaints, close } = await open(wald, "shadows");
    await page.getByText("Nothing has been compared yet.").waitFor();
    for (let request = 0; request < 8; request += 1) await fetch(`http://${wald.listener("edge")}/`);
    await page.locator("th", { hasText: "/label" }).waitFor();
    await page.getByText("samples side by side").click();
    await page.locator("td", { hasText: "/note" }).first().waitFor();
    assert.equal(await page.getByText("a secret of the primary").count(), 0);
    await page.locator("figure canvas").waitFor();
    await page.screenshot({ path: join(OUTPUT, "shadows-with-samples.png"), fullPage: true });
    assert.deepEqual(complaints, []);
    await close();
  } finally {
    await wald.stop();
    primary.end();
    other.end();
  }
});

test("a document without experiments says so", async () => {
  const wald = await run((text) => {
    const [before] = text.split("routes:");
    return `${before}routes: [{ name: all, allow: [{ callers: anyone }], backend: { model: baseline } }]\n`;
  });
  try {
    const { page, close } = await open(wald, "experiments");
    await page.getByText("The document has no experiments yet.").waitFor();
    await page.goto(`${wald.url}/#/experiments/nothing`);
    await page.getByRole("alert").getByText("there is no experiment `nothing`").waitFor();
    await close();
  } finally {
    await wald.stop();
  }
});

test("a verdict arrives without a reload, with its history, its reason and its evidence", async () => {
  const { page, complaints, close } = watched;
  await chip(page, "rolled back").waitFor();
  assert.equal(await page.evaluate(() => window.neverReloaded), true);
  await page.getByText("arm worse is worse").first().waitFor();
  await page.locator("li", { hasText: "rolled back" }).locator("summary", { hasText: "Evidence" }).first().click();
  await page.getByText('"evidence"').first().waitFor();
  assert.ok((await page.locator("canvas").count()) >= 3, "charts are drawn");
  await page.locator("article", { hasText: "accuracy" }).getByText("worse: proved").waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test("a score is made again from its sums by the command that stands beside them", async () => {
  const { page, close } = await open(show, "experiments");
  // The run may go on: what the page was told goes with what it shows.
  const heard = [];
  page.on("response", async (response) => {
    if (response.url().endsWith("/digits-better/evidence")) heard.push(await response.json());
  });
  await page.getByRole("link", { name: "digits-better" }).click();
  const article = page.locator("article", { hasText: "errors" });
  await article.getByText("Formula and raw sums").click();
  const command = await article.locator("pre", { hasText: "wald stat agreement" }).first().textContent();
  const [, args] = /^echo '(.*)' \| wald stat agreement$/.exec(command);
  const recomputed = JSON.parse(execFileSync(program, ["stat", "agreement"], { input: args, encoding: "utf8" }));
  const asked = heard.flatMap(({ tests }) => tests).filter(({ metric, question }) => metric === "errors" && question === "not_worse");
  const shown = asked.find(({ numbers }) => numbers.agreement.n === JSON.parse(args).n);
  assert.ok(Math.abs(recomputed.log_e - shown.score.evidence.log_e) < 1e-9, `${recomputed.log_e} and ${shown.score.evidence.log_e}`);
  await close();
});

test("each chart has a table with its numbers, and a file of them", async () => {
  const { page, close } = await open(show, "experiments/digits-better");
  const figure = page.locator("figure", { hasText: "Evidence over time" }).first();
  await figure.getByText("Table").click();
  await figure.locator("tbody tr").nth(5).waitFor();
  const [file] = await Promise.all([page.waitForEvent("download"), figure.getByRole("button", { name: /CSV/ }).click()]);
  const lines = (await readFile(await file.path(), "utf8")).trim().split("\r\n");
  assert.match(lines[0], /^time,better \(ln E\),better needs,/);
  // The run may go on meanwhile.
  const rows = await figure.locator("tbody tr").count();
  assert.ok(lines.length - 1 > 5 && lines.length - 1 <= rows, `${lines.length - 1} lines of ${rows} rows`);
  await close();
});

test("no page has a serious barrier, an overflow or a complaint, in both themes, wide and narrow", async () => {
  const opened = await open(show, "experiments");
  await chip(opened.page, "rolled back").waitFor();
  await opened.close();
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 390]) {
      const { page, complaints, close } = await open(show, "experiments", { colorScheme, viewport: { width, height: 900 } });
      // By way of the tests' own protocol: the page's policy lets no script in.
      await page.addInitScript({ path: AXE });
      for (const path of PAGES) {
        await page.goto("about:blank");
        await page.goto(`${show.url}/#/${path}`);
        await settled(page, path);
        const name = `${path.replaceAll("/", "-")}-${colorScheme}-${width}`;
        await page.screenshot({ path: join(OUTPUT, `${name}.png`), fullPage: true });
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, `${name} overflows`);
        // What is dark and narrow has the colours of the one and the order of the other.
        if (colorScheme === "dark" && width === 390) continue;
        const found = await page.evaluate(() => window.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
        const serious = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
        assert.deepEqual(serious.map(({ id, nodes }) => [name, id, nodes.map(({ html }) => html)]), []);
      }
      assert.deepEqual(complaints, []);
      await close();
    }
  }
});

/** Waits until a page shows what it asked for. */
async function settled(page, path) {
  const wanted = {
    experiments: "main li .chip", "experiments/digits-better": "main canvas", "experiments/digits-worse": "main canvas",
    shadows: "main .card", traffic: "main canvas", trust: "main h2", audit: "main ol li", policy: "main form",
  };
  await page.locator(wanted[path]).first().waitFor();
  await page.locator("header .status.live").waitFor();
}

test("the whole of it can be reached by keyboard, and from right to left nothing overflows", async () => {
  const { page, close } = await open(show, "experiments");
  await chip(page, "rolled back").waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Skip to the page");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "main");
  await page.getByRole("link", { name: "digits-better" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "digits-better" }).waitFor();
  await page.evaluate(() => (document.documentElement.dir = "rtl"));
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
  await page.screenshot({ path: join(OUTPUT, "right-to-left.png"), fullPage: true });
  await close();
});

test("the audit trail is searched and verified", async () => {
  const { page, close } = await open(show, "audit");
  await page.getByPlaceholder(/Search/).fill("rolled_back");
  await page.locator("ol li", { hasText: "digits-worse" }).first().waitFor();
  await page.getByRole("button", { name: "Verify the chain" }).click();
  await page.getByText("The chain holds").waitFor();
  await close();
});

test("a request is explained by the policy in force", async () => {
  const { page, close } = await open(show, "policy");
  await page.getByLabel("Path").fill("/v2/models/digits-better/infer");
  await page.getByRole("button", { name: "Explain" }).click();
  await page.getByText("✓ permitted").waitFor();
  await page.locator(".answer").getByText("digits-better").first().waitFor();
  await page.getByLabel("Path").fill("/elsewhere");
  await page.getByRole("button", { name: "Explain" }).click();
  await page.getByText("✕ no route").waitFor();
  await close();
});

test("the API answers what its document says", async () => {
  const get = async (path) => {
    const answer = await fetch(show.url + path);
    assert.equal(answer.status, 200, path);
    return answer;
  };
  const document = await (await get("/openapi.json")).json();
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  ajv.addSchema(document, "api");
  const check = (schema, value, path) => {
    const name = schema.$ref?.replace("#", "api#");
    const holds = name ? ajv.getSchema(name) : ajv.compile(schema);
    assert.ok(holds(value), `${path}: ${ajv.errorsText(holds.errors)}`);
  };
  for (const [path, methods] of Object.entries(document.paths)) {
    const content = methods.get?.responses["200"].content;
    if (!content) continue;
    const asked = path.replace("{name}", "digits-worse");
    if (content["application/json"]) check(content["application/json"].schema, await (await get(asked)).json(), path);
    if (content["text/plain"]) assert.ok((await (await get(asked)).text()).length > 0);
  }
  const lines = (await (await get("/api/v1/audit")).text()).trim().split("\n");
  lines.forEach((line) => check({ $ref: "#/components/schemas/AuditRecord" }, JSON.parse(line), "audit"));
  const explained = await fetch(`${show.url}/api/v1/explain`, { method: "POST", body: JSON.stringify({ path: "/" }) });
  check({ $ref: "#/components/schemas/Explanation" }, await explained.json(), "explain");
});
