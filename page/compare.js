// Two forms of an image over one another, with a slider.
import { decibels, element, fillPicker, part, pictureOf } from "./elements.js";

/** Makes the section work. */
export function compare(section, { images }) {
  const [left, right, slider, stage] = ["left", "right", "slider", "stage"].map((name) =>
    part(section, name)
  );
  let number = 0;

  const show = () => {
    const image = images[number];
    const shown = [[left, "over"], [right, "under"]].map(([select, place]) => {
      const form = formsOf(image).find(({ key }) => key === select.value);
      const picture = part(section, place);
      picture.src = pictureOf(number, form.key);
      picture.alt = `${image.name}: ${form.name}`;
      return form.text;
    });
    stage.style.aspectRatio = `${image.size[0]} / ${image.size[1]}`;
    part(section, "caption").replaceChildren(
      element("h3", { textContent: image.name }),
      element("p", { textContent: `Left: ${shown[0]}` }),
      element("p", { textContent: `Right: ${shown[1]}` }),
    );
  };
  const slide = () => {
    stage.style.setProperty("--at", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${Math.round(slider.value)} % from the left`);
  };
  const pick = fillPicker(part(section, "picker"), images, (i) => {
    number = i;
    show();
  });

  for (const [select, value] of [[left, "original"], [right, "discrete"]]) {
    select.append(
      ...formsOf(images[0]).map(({ key, name }) =>
        element("option", { value: key, textContent: name, selected: key === value })
      ),
    );
    select.addEventListener("change", show);
  }
  slider.addEventListener("input", slide);
  for (const button of document.querySelectorAll("[data-compare]")) {
    button.addEventListener("click", () => {
      pick(Number(button.dataset.compare));
      section.scrollIntoView();
      slider.focus({ preventScroll: true });
    });
  }
  show();
  slide();
}

/** The forms that an image has, with their figures. */
function formsOf({ psnr, prefixes }) {
  const form = (key, name, decibel) => ({
    key,
    name,
    text: decibel === undefined ? name : `${name}, ${decibels(decibel)}`,
  });
  return [
    form("original", "original"),
    form("continuous", "continuous VAE", psnr.continuous),
    form("discrete", "all tokens", psnr.discrete),
    ...prefixes.map((psnr, i) =>
      form(String(i + 1), i === 0 ? "first scale" : `first ${i + 1} scales`, psnr)
    ),
    form("continuousError", "error of continuous VAE"),
    form("discreteError", "error of all tokens"),
  ];
}
