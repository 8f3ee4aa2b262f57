import { join } from "@std/path";

/** Where a Chromium may be; nothing is installed for tests. */
const PATHS: readonly string[] = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

const FLAGS: readonly string[] = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
  ...["--remote-debugging-port=0", "--window-size=390,844", "about:blank"],
];

/** A Chromium on this machine; undefined where there is none. */
export const CHROMIUM: string | undefined = PATHS.find((path) => {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
});

/** What the browser says. */
interface Message {
  id?: number;
  method?: string;
  params?: unknown;
  result?: Record<string, unknown>;
}

/** A page in a headless browser, spoken to by the DevTools protocol. */
export class BrowserPage implements AsyncDisposable {
  /** What went wrong on the page, and what it asked the network for. */
  readonly complaints: string[] = [];
  #process: Deno.ChildProcess;
  #profile: string;
  #socket: WebSocket;
  #session = "";
  #lastId = 0;
  #waiting = new Map<number, (result: Record<string, unknown>) => void>();

  private constructor(process: Deno.ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process;
    this.#profile = profile;
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
  }

  /** Starts a browser and opens a file. */
  static async open(browser: string, file: string): Promise<BrowserPage> {
    const profile = await Deno.makeTempDir();
    const process = new Deno.Command(browser, {
      args: [`--user-data-dir=${profile}`, ...FLAGS],
      stdout: "null",
      stderr: "null",
    }).spawn();
    const socket = new WebSocket(await addressOf(join(profile, "DevToolsActivePort")));
    await new Promise((resolve) => socket.onopen = resolve);
    const page = new BrowserPage(process, profile, socket);
    const { targetId } = await page.#send("Target.createTarget", { url: "about:blank" });
    const attached = await page.#send("Target.attachToTarget", { targetId, flatten: true });
    page.#session = String(attached.sessionId);
    for (const domain of ["Runtime", "Network", "Log"]) await page.#send(`${domain}.enable`, {});
    await page.#send("Page.navigate", { url: new URL(file, "file:///").href });
    while (!await page.run(`document.readyState === "complete"`)) await pause();
    return page;
  }

  /** The value of an expression on the page. */
  async run(expression: string): Promise<unknown> {
    const { result } = await this.#send("Runtime.evaluate", { expression, returnByValue: true });
    return (result as { value: unknown }).value;
  }

  /** Presses a key on what has the focus. */
  async press(key: string): Promise<void> {
    for (const type of ["keyDown", "keyUp"]) {
      await this.#send("Input.dispatchKeyEvent", { type, key, code: key });
    }
  }

  /** Clicks at a place of the window. */
  async click(x: number, y: number): Promise<void> {
    for (const type of ["mousePressed", "mouseReleased"]) {
      await this.#send("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1 });
    }
  }

  /** Ends the browser. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.onclose = resolve);
    this.#process.kill();
    await this.#process.status;
    await closed;
    await Deno.remove(this.#profile, { recursive: true }).catch(() => {});
  }

  #send(method: string, params: unknown): Promise<Record<string, unknown>> {
    const id = ++this.#lastId;
    const sessionId = this.#session === "" ? undefined : this.#session;
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  #receive({ id, method, params, result }: Message): void {
    if (id !== undefined) this.#waiting.get(id)?.(result ?? {});
    const text = JSON.stringify(params);
    if (method === "Runtime.exceptionThrown" || method === "Log.entryAdded") {
      this.complaints.push(text);
    }
    if (method === "Network.requestWillBeSent" && !/"url":"(data|file|about):/.test(text)) {
      this.complaints.push(text);
    }
  }
}

/** The address that the browser writes into its profile once it listens. */
async function addressOf(file: string): Promise<string> {
  for (let tries = 0; tries < 1200; tries++) {
    const [port, path] = (await Deno.readTextFile(file).catch(() => "")).split("\n");
    if (path) return `ws://127.0.0.1:${port}${path}`;
    await pause();
  }
  throw new Error(`${file}: the browser did not write it within a minute`);
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}
