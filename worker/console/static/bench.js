// The workbench: copying the topic, and going from a mistake to its place. Everything else works without scripts.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("[data-copy]")) {
    // Browsers offer the clipboard on https and on this machine alone; elsewhere the text is selected to be copied.
    button.hidden = false;
    button.addEventListener("click", () => copy(button, document.getElementById(button.dataset.copy)));
  }
  document.body.addEventListener("click", (event) => {
    const place = event.target.closest("[data-line]");
    if (place) {
      event.preventDefault();
      go(document.getElementById("yaml"), Number(place.dataset.line), Number(place.dataset.column));
    }
  });
  // On a narrow screen what came of it stands below the form: lead there.
  document.body.addEventListener("htmx:afterSwap", (event) => {
    const result = event.target;
    if (result.id === "result" && result.getBoundingClientRect().top > window.innerHeight * 0.8) {
      result.scrollIntoView();
    }
  });
});

async function copy(button, area) {
  const words = button.textContent;
  area.focus();
  area.select();
  try {
    await navigator.clipboard.writeText(area.value);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Selected: copy it with Ctrl-C";
  }
  setTimeout(() => { button.textContent = words; }, 2500);
}

function go(area, line, column) {
  const lines = area.value.split("\n");
  const before = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
  const at = before + Math.max(0, column - 1);
  area.focus();
  area.setSelectionRange(at, before + (lines[line - 1] || "").length);
  const height = area.scrollHeight / lines.length;
  area.scrollTop = Math.max(0, (line - 4) * height);
}
