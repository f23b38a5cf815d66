// The parts of the page, and when each is there.

import { advice, checks } from "./checks.js";
import { chart } from "./chart.js";
import { close } from "./close.js";
import { drug } from "./drug.js";
import { exposure } from "./exposure.js";
import { now } from "./now.js";
import { prepare, missing } from "./prepare.js";
import { record } from "./record.js";

export function panels(app) {
  const started = app.t0 !== null;
  const dosing = app.status.drug.dosing;
  return [
    started ? null : { id: "prepare", title: "Prepare", sign: "☑", render: prepare, count: (a) => missing(a).length || "" },
    { id: "now", title: "Now", sign: "◉", render: now, count: (a) => a.status.due.filter((row) => row.state === "overdue").length || "" },
    app.plan.exposure.planned ? { id: "exposure", title: "Exposure", sign: "◈", render: exposure } : null,
    dosing ? { id: "drug", title: "Drug", sign: "◐", render: drug } : null,
    { id: "checks", title: "Checks", sign: "✚", render: checks },
    { id: "chart", title: "Chart", sign: "∿", render: chart, keep: chart.keep },
    started ? { id: "close", title: "Close", sign: "⚑", render: close } : null,
    { id: "advice", title: "", render: advice },
    { id: "record", title: "", render: record },
  ].filter(Boolean).sort((one, other) => (one.id === "now" && started ? -1 : 0) - (other.id === "now" && started ? -1 : 0));
}
