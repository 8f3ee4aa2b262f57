/** Text that may stand in a page as it is. */
export class Html {
  /** The text, in HTML. */
  readonly text: string;

  /** Takes text that is HTML. */
  constructor(text: string) {
    this.text = text;
  }
}

/** What may be put between the parts of {@link markup}: only Html is not escaped. */
export type HtmlValue = Html | string | number | readonly HtmlValue[];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** A piece of a page; what is put into it is escaped, in texts and in attributes in quotes alike. */
export function markup(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(parts.map((part, i) => (i === 0 ? "" : textOf(values[i - 1])) + part).join(""));
}

/** Data for a script of the page, as JSON that cannot end its element. */
export function jsonElement(id: string, data: unknown): Html {
  const json = JSON.stringify(data).replaceAll("<", "\\u003c");
  return markup`<script type="application/json" id="${id}">${new Html(json)}</script>`;
}

function textOf(value: HtmlValue): string {
  if (value instanceof Html) return value.text;
  if (typeof value === "object") return value.map(textOf).join("");
  return String(value).replace(/[&<>"']/g, (found) => ENTITIES[found]);
}
