// What the scripts of the page share.

/** Makes an element. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** The part of a section that has a name. */
export function part(section, name) {
  return section.querySelector(`[data-part="${name}"]`);
}

/** The address of an image's picture in one of its forms. */
export function pictureOf(image, form) {
  return document.querySelector(`img[data-image="${image}"][data-form="${form}"]`).src;
}

/** A PSNR in words; null is that of an image which equals its original. */
export function decibels(psnr) {
  return psnr === null ? "equal" : `${psnr.toFixed(2)} dB`;
}

const GROUP_NAMES = { worst: "Worst", between: "Between", best: "Best" };

/** Fills a fieldset with the images, one of which is chosen; returns how to choose another. */
export function fillPicker(fieldset, images, onPick) {
  const name = `image-of-${fieldset.closest("section").id}`;
  const groups = {};
  const inputs = images.map((image, i) => {
    if (!groups[image.group]) {
      const textContent = images.length > 1 ? GROUP_NAMES[image.group] : "";
      const title = element("span", { textContent });
      groups[image.group] = element("div", { className: "group" }, title);
      fieldset.append(groups[image.group]);
    }
    const input = element("input", { type: "radio", name, checked: i === 0 });
    const label = `${image.name}, ${decibels(image.psnr.discrete)}`;
    const picture = element("img", { src: pictureOf(i, "original"), alt: label, title: label });
    input.addEventListener("change", () => onPick(i));
    groups[image.group].append(element("label", {}, input, picture));
    return input;
  });
  return (i) => {
    inputs[i].checked = true;
    onPick(i);
  };
}
