// The picture of the README: an experiment of a running demo, soon after its verdict.
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { demo } from "./wald.mjs";

const PICTURE = fileURLToPath(new URL("../../docs/dashboard.png", import.meta.url));

const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
const browser = await chromium.launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args });
const show = await demo();
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 860 }, colorScheme: "light" });
  page.setDefaultTimeout(300_000);
  await page.goto(`${show.url}/#/experiments/digits-better`);
  await page.locator("main .chip", { hasText: "promoted" }).first().waitFor();
  await page.getByText("better: proved").first().waitFor();
  await page.screenshot({ path: PICTURE });
} finally {
  await browser.close();
  await show.stop();
}
