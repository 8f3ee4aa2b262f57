// Makes the page of an evaluation work. It has its figures and each image without this.
import { compare } from "./compare.js";
import { pictureOf } from "./elements.js";
import { tokens } from "./tokens.js";

document.documentElement.classList.add("scripted");
const data = JSON.parse(document.getElementById("data").textContent);
for (const copy of document.querySelectorAll("img[data-copy]")) {
  copy.src = pictureOf(copy.dataset.copy, "discrete"); // it is embedded once
}
if (data.images.length > 0) {
  compare(document.getElementById("compare"), data);
  tokens(document.getElementById("tokens"), data);
}
