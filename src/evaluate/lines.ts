/** A line of a file. */
export interface FileLine {
  /** Its text, without the line break. */
  readonly text: string;
  /** Where the next line begins, in bytes. */
  readonly end: number;
}

const LINE_BREAK = 0x0a;

/** The lines of a file that end in a line break, one after the other; none where there is no file. */
export async function* linesOf(path: string): AsyncGenerator<FileLine> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  const decoder = new TextDecoder();
  let text = "";
  let end = 0;
  let length = 0;
  for await (const chunk of file.readable) {
    let from = 0;
    for (let to = chunk.indexOf(LINE_BREAK); to >= 0; to = chunk.indexOf(LINE_BREAK, from)) {
      text += decoder.decode(chunk.subarray(from, to));
      end += length + to - from + 1;
      yield { text, end };
      [text, length, from] = ["", 0, to + 1];
    }
    text += decoder.decode(chunk.subarray(from), { stream: true });
    length += chunk.length - from;
  }
}
