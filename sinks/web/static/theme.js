// Runs before the first paint, so that a chosen theme never flashes the other one.
(function () {
  var chosen = null;
  try { chosen = localStorage.getItem("huitou_theme"); } catch (e) { /* storage may be forbidden */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
