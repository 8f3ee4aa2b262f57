import { type Html, type HtmlValue, markup } from "./html.ts";

/** A row of a table. */
export interface Row {
  /** What it is of. */
  readonly name: string;
  /** What stands beside it. */
  readonly cells: readonly HtmlValue[];
}

/**
 * A table that scrolls by itself where it is too wide.
 *
 * @param label What it shows, for those who do not see it.
 * @param options.more Rows at its end, whole.
 */
export function table(
  label: string,
  head: readonly string[],
  rows: readonly Row[],
  { more = [] }: { more?: readonly Html[] } = {},
): Html {
  return markup`<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table>
<thead><tr>${head.map((name) => markup`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>
${
    rows.map(({ name, cells }) =>
      markup`<tr><th scope="row">${name}</th>${cells.map((cell) => markup`<td>${cell}</td>`)}</tr>
`
    )
  }${more}</tbody></table></div>`;
}
