// What every page's head does: language and theme.

import { language } from "./words.js";

const YEAR_S = 365 * 24 * 3600;

const chooser = document.getElementById("language");
chooser.value = language;
chooser.addEventListener("change", () => {
  document.cookie = `huitou_language=${chooser.value}; path=/; max-age=${YEAR_S}; samesite=strict`;
  location.reload();
});

const root = document.documentElement;
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches);
const themeChanged = () => dispatchEvent(new Event("themechange"));

document.getElementById("theme").addEventListener("click", () => {
  const wanted = isDark() ? "light" : "dark";
  const fromSystem = systemDark.matches ? "dark" : "light";
  if (wanted === fromSystem) delete root.dataset.theme;
  else root.dataset.theme = wanted;
  try {
    if (root.dataset.theme) localStorage.setItem("huitou_theme", wanted);
    else localStorage.removeItem("huitou_theme");
  } catch { /* storage may be forbidden; the choice then lasts as long as the page */ }
  themeChanged();
});
systemDark.addEventListener("change", themeChanged);

// A definition closes when attention goes elsewhere.
function closeOthers(except) {
  for (const open of document.querySelectorAll("details.about[open]")) {
    if (open !== except) open.open = false;
  }
}
addEventListener("click", (event) => closeOthers(event.target.closest?.("details.about")));
addEventListener("keydown", (event) => { if (event.key === "Escape") closeOthers(null); });
