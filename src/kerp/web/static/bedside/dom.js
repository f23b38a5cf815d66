// Building what is shown. No template language, no inner HTML: text stays text.

export function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name || "div");
  if (classes.length) node.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (key === "class") node.className += ` ${value}`;
    else if (key in node && key !== "list" && key !== "form") node[key] = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

export const words = (code) => String(code ?? "").replaceAll("_", " ");
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// 0:23:41 from minute 0; seconds left out where they say nothing.
export function clock(ms, seconds = false) {
  const sign = ms < 0 ? "−" : "", total = Math.floor(Math.abs(ms) / 1000);
  const hours = Math.floor(total / 3600), minutes = Math.floor(total / 60) % 60, rest = total % 60;
  const two = (value) => String(value).padStart(2, "0");
  return `${sign}${hours}:${two(minutes)}${seconds ? `:${two(rest)}` : ""}`;
}

export function span(ms) {
  const total = Math.round(Math.abs(ms) / 1000);
  if (total < 60) return `${total} s`;
  if (total < 600) return `${Math.floor(total / 60)} min ${String(total % 60).padStart(2, "0")} s`;
  return total < 7200 ? `${Math.round(total / 60)} min` : `${(total / 3600).toFixed(1)} h`;
}

export const mark = (kind, text) => h(`span.mark.${kind || "plain"}`, {}, text);

export function card(title, attributes, ...children) {
  const heading = h("h2", { id: `h-${title.toLowerCase().replace(/\W+/g, "-")}` }, title);
  return h("section.b-card", { "aria-labelledby": heading.id, ...attributes }, heading, ...children);
}

export function field(label, input, help) {
  input.id ||= `f-${Math.random().toString(36).slice(2)}`;
  return h("div.b-field", {}, h("label", { htmlFor: input.id }, label), input, help ? h("p.help", {}, help) : null);
}

// A choice that is tapped, not pulled: buttons of which one is pressed.
export function choice(name, options, chosen, change) {
  const group = h("div.b-choices", { role: "group", "aria-label": name });
  for (const [value, text] of options) {
    group.append(h("button", { type: "button", "aria-pressed": String(value === chosen), on: { click: (event) => {
      for (const other of group.children) other.setAttribute("aria-pressed", "false");
      event.currentTarget.setAttribute("aria-pressed", "true");
      change(value);
    } } }, text));
  }
  return group;
}
