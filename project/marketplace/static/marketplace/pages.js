// Hands the token of the address, and what the form holds, to one operation of the API.
"use strict";

const form = document.querySelector("form");
const outcome = document.querySelector("#outcome");
const button = form.querySelector("button");

function tell(text, failed) {
  outcome.textContent = text;
  outcome.classList.toggle("failed", failed);
}

function sentences(problem) {
  const errors = (problem.errors || []).map((error) => error.detail);
  return errors.length ? errors.join(" ") : problem.detail;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  const token = new URLSearchParams(location.search).get("token") || "";
  const body = { ...Object.fromEntries(new FormData(form)), token };
  try {
    const response = await fetch(form.dataset.operation, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (response.ok) {
      form.hidden = true;
      tell(form.dataset.done, false);
      return;
    }
    tell(sentences(await response.json()), true);
  } catch {
    tell("The server did not answer. Please try again.", true);
  }
  button.disabled = false;
});
