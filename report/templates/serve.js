"use strict";
const byId = (name) => document.getElementById(name);
const fields = [...document.querySelectorAll("[data-field]")];

function headers() {
  const token = byId("token");
  return token && token.value ? { Authorization: "Bearer " + token.value } : {};
}

// Log-probabilities of the labels as shares of their sum, the most probable first.
function shares(answer) {
  const scores = Object.entries(answer).filter(([key]) => key.startsWith("score_"));
  const highest = Math.max(...scores.map(([, score]) => score));
  const weights = scores.map(([key, score]) => [key.slice("score_".length), Math.exp(score - highest)]);
  const sum = weights.reduce((total, [, weight]) => total + weight, 0);
  return weights.map(([label, weight]) => [label, weight / sum]).sort((a, b) => b[1] - a[1]);
}

function showScores(answer) {
  byId("scores").replaceChildren(...shares(answer).map(([label, share]) => {
    const row = document.createElement("tr");
    const [name, bar, number] = [0, 1, 2].map(() => row.appendChild(document.createElement("td")));
    name.textContent = label;
    bar.className = "bar";
    bar.appendChild(document.createElement("div")).style.width = 100 * share + "%";
    number.textContent = (100 * share).toFixed(1) + " %";
    return row;
  }));
}

async function ask() {
  const row = Object.fromEntries(fields.map((field) => [field.dataset.field, field.value]));
  const output = byId("answer");
  byId("ask").disabled = true;
  const started = performance.now();
  try {
    const response = await fetch("predict", {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers() },
      body: JSON.stringify(row),
    });
    const content = await response.json();
    const milliseconds = performance.now() - started;
    output.className = response.ok ? (content.prediction.trim() ? "" : "empty") : "error";
    output.textContent = response.ok ? content.prediction.trim() || "The answer is empty." : content.error;
    showScores(response.ok ? content : {});
    byId("time").textContent = response.ok ? "Answered in " + milliseconds.toFixed(0) + " ms." : "";
  } catch (error) {
    output.className = "error";
    output.textContent = "The server does not answer.";
    showScores({});
    byId("time").textContent = "";
  }
  byId("ask").disabled = false;
}

async function showCard() {
  const text = byId("card-text");
  if (!byId("card").open || text.dataset.shown) {
    return;
  }
  try {
    const response = await fetch("card", { headers: headers() });
    const content = await response.text();
    text.textContent = response.ok ? content : JSON.parse(content).error + " Then open the card again.";
    text.dataset.shown = response.ok ? "yes" : "";
  } catch (error) {
    text.textContent = "The server does not answer.";
  }
}

if (byId("ask")) {
  byId("ask").addEventListener("click", ask);
  byId("card").addEventListener("toggle", showCard);
  if (new URLSearchParams(location.search).has("ask")) { // a link that asks at once
    byId("card").open = true;
    ask();
  }
}
