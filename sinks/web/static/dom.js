// Building and renewing what is on the page. Text only ever goes in as text.

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const drawn = new WeakMap();

// Puts `fresh` in the place of what `parent` holds, but only if it differs from what was put there
// before: no flicker, and what was unfolded, focused or scrolled stays.
export function renew(parent, ...fresh) {
  const holder = el("div", {}, ...fresh);
  const markup = holder.innerHTML;
  if (drawn.get(parent) === markup) return;
  drawn.set(parent, markup);
  const active = parent.contains(document.activeElement) ? document.activeElement : null;
  const mark = active?.getAttribute("href") ?? active?.dataset.name;
  parent.replaceChildren(...holder.childNodes);
  if (!mark) return;
  const same = CSS.escape(mark);
  parent.querySelector(`[href="${same}"], [data-name="${same}"]`)?.focus();
}

// A colour of the style sheet as the canvas understands it.
export function colour(name) {
  const probe = colour.probe ??= document.body.appendChild(el("i", { hidden: true }));
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}
