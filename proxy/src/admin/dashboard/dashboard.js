// Asks the admin API for all experiments once a second and draws them. Text goes in as text nodes only.

const PERIOD_MS = 1000;
const words = {
  draft: "not started", shadow: "shadowing", running: "running", paused: "paused",
  promoted: "promoted", rolled_back: "rolled back", futile: "no winner", stopped: "stopped",
};

const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null));
  return made;
};

const number = (value, digits = 4) =>
  value === null || value === undefined ? "–" : Number(value).toPrecision(digits).replace(/\.?0+$/, "");
const count = (value) => (value ?? 0).toLocaleString("en");
const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)}%`;

const table = (caption, head, rows) =>
  element("div", { class: "scroll" }, element("table", {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
    element("tbody", {}, ...rows)));

const cell = (text, kind) => element("td", kind ? { class: kind } : {}, text);

const shares = (arms) => {
  const label = arms.map((arm) => `${arm.name} ${percent(arm.share)}`).join(", ");
  const bar = element("div", { class: "shares", role: "img", "aria-label": `traffic: ${label}` });
  for (const arm of arms) {
    const part = element("span", { title: `${arm.name} ${percent(arm.share)}` });
    part.style.flexGrow = String(arm.share);
    bar.append(part);
  }
  return bar;
};

const armRows = (arms) => arms.map((arm) => element("tr", {},
  cell(arm.name), cell(percent(arm.share)), cell(count(arm.exposures)), cell(count(arm.units))));

const metricRow = (metric, threshold) => {
  const { superior, not_worse: notWorse, worse } = metric.log_e ?? {};
  const passed = (value) => (value !== null && value !== undefined && value >= threshold);
  return element("tr", {},
    cell(metric.arm ? `${metric.name} (${metric.arm})` : metric.name), cell(metric.role),
    cell(number(metric.estimate?.control)), cell(number(metric.estimate?.candidate)),
    cell(metric.interval ? `${number(metric.interval[0], 3)} … ${number(metric.interval[1], 3)}` : "–"),
    cell(number(superior, 3), passed(superior) ? "proved" : ""),
    cell(number(notWorse, 3), passed(notWorse) ? "proved" : ""),
    cell(number(worse, 3), passed(worse) ? "harm" : ""));
};

const draw = (experiment) => {
  const state = experiment.state;
  const threshold = Math.log(1 / (experiment.alpha ?? 0.05));
  return element("article", {},
    element("div", { class: "title" },
      element("h2", {}, experiment.name),
      element("span", { class: `state ${state}` }, words[state] ?? state),
      element("span", { class: "quiet" }, `run ${experiment.run}, step ${experiment.step + 1}`),
      experiment.sample_ratio?.alarm ? element("strong", { class: "alarm" }, "sample ratio is off: promotion is frozen") : null),
    experiment.reason ? element("p", { class: "reason" }, String(experiment.reason)) : null,
    shares(experiment.arms),
    table("Arms", ["arm", "share", "exposures", "units"], armRows(experiment.arms)),
    table(`Metrics: natural logarithms of e-values; ${threshold.toFixed(2)} or more is proof`,
      ["metric", "role", "control", "candidate", "interval", "better", "not worse", "worse"],
      experiment.metrics.map((metric) => metricRow(metric, threshold))));
};

const refresh = async (status, main) => {
  try {
    const answer = await fetch("/api/v1/experiments", { headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const { experiments } = await answer.json();
    main.replaceChildren(...(experiments.length
      ? experiments.map(draw)
      : [element("p", {}, "The document has no experiments yet.")]));
    status.className = "";
    status.textContent = `live, ${new Date().toLocaleTimeString()}`;
  } catch (error) {
    status.className = "lost";
    status.textContent = `no answer from Wald (${error.message}); trying again`;
  }
  setTimeout(() => refresh(status, main), PERIOD_MS);
};

refresh(document.getElementById("status"), document.getElementById("experiments"));
