// What the page does in the browser. Gradio runs this once for each of its two parts, with what it calls `element`,
// `trigger` (send an event to Python) and `watch` (be told of a new value).

function conversation(element, trigger, watch) {
  let shown = 0;

  element.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (!button) return;
    if ("stop" in button.dataset) {
      button.disabled = true;
      trigger("stop");
    }
    if ("ask" in button.dataset) trigger("example_select", { question: button.textContent });
    const key = button.dataset.open;
    if (!key) return;
    const opened = document.querySelector(`#reader [data-key="${key}"]`);
    opened ? reveal(opened) : trigger("select", { key });
  });

  watch("value", () => {
    const turns = element.querySelectorAll(".turn");
    if (turns.length > shown) turns[turns.length - 1].querySelector("h2").scrollIntoView({ block: "start" });
    shown = turns.length;
  });
}

function reader(element, watch) {
  watch("value", () => {
    const article = element.querySelector("article");
    if (!article) return;
    if ("chosen" in article.dataset) reveal(article);
    else scroll_in(document.getElementById("reading"), article);
  });
  element.addEventListener("click", ({ target }) => target.closest(".back") && back());
  element.addEventListener("keydown", ({ key }) => key === "Escape" && back());
}

// The reader asked for it: bring the quote into view and move the focus there.
function reveal(article) {
  const quote = point_at(article);
  quote.scrollIntoView({ block: "center" });
  quote.focus({ preventScroll: true });
}

// Nobody asked: scroll the pane, never the page.
function scroll_in(pane, article) {
  const quote = point_at(article);
  pane.scrollTop += quote.getBoundingClientRect().top - pane.getBoundingClientRect().top - pane.clientHeight / 3;
}

// Show in the conversation which source is open; give its quote.
function point_at(article) {
  for (const button of document.querySelectorAll("#conversation [data-open]")) {
    button.toggleAttribute("aria-current", button.dataset.open === article.dataset.key);
  }
  return article.querySelector(".current");
}

function back() {
  document.querySelector("#conversation [aria-current]")?.focus();
}
