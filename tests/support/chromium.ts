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
  #socket?: WebSocket;
  #session = "";
  #lastId = 0;
  #waiting = new Map<number, (result: Record<string, unknown>) => void>();

  private constructor(process: Deno.ChildProcess, profile: string) {
    this.#process = process;
    this.#profile = profile;
  }

  /** Starts a browser and opens a file. */
  static async open(browser: string, file: string): Promise<BrowserPage> {
    const profile = await Deno.makeTempDir();
    const process = new Deno.Command(browser, {
      args: [`--user-data-dir=${profile}`, ...FLAGS],
      stdout: "null",
      stderr: "null",
    }).spawn();
    const page = new BrowserPage(process, profile);
    try {
      await page.#connect();
      await page.#navigate(new URL(file, "file:///").href);
      return page;
    } catch (error) {
      await page[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #connect(): Promise<void> {
    const address = await addressOf(join(this.#profile, "DevToolsActivePort"));
    const socket = this.#socket = new WebSocket(address);
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error(`${address}: the browser does not answer`));
    });
  }

  async #navigate(url: string): Promise<void> {
    const { targetId } = await this.#send("Target.createTarget", { url: "about:blank" });
    const attached = await this.#send("Target.attachToTarget", { targetId, flatten: true });
    this.#session = String(attached.sessionId);
    for (const domain of ["Runtime", "Network", "Log"]) await this.#send(`${domain}.enable`, {});
    await this.#send("Page.navigate", { url });
    while (!await this.run(`document.readyState === "complete"`)) await pause();
  }

  /** The value of an expression on the page. @throws {Error} what it throws there. */
  async run(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", {
      expression,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
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
    const socket = this.#socket;
    const closed = socket && socket.readyState !== WebSocket.CLOSED
      ? new Promise((resolve) => socket.onclose = resolve)
      : undefined;
    try {
      this.#process.kill();
    } catch { /* it has ended by itself */ }
    await this.#process.status;
    await closed;
    await Deno.remove(this.#profile, { recursive: true }).catch(() => {});
  }

  #send(method: string, params: unknown): Promise<Record<string, unknown>> {
    const id = ++this.#lastId;
    const sessionId = this.#session === "" ? undefined : this.#session;
    this.#socket!.send(JSON.stringify({ id, method, params, sessionId }));
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  #receive({ id, method, params, result }: Message): void {
    if (id !== undefined) this.#waiting.get(id)?.(result ?? {});
    if (method === "Runtime.exceptionThrown" || method === "Log.entryAdded") {
      this.complaints.push(JSON.stringify(params));
    }
    if (method === "Network.requestWillBeSent" && !/^(data|file|about):/.test(urlOf(params))) {
      this.complaints.push(`asks for ${urlOf(params)}`);
    }
  }
}

/** What a request is for: that alone, as the rest names the page itself, which asked. */
function urlOf(params: unknown): string {
  return (params as { request: { url: string } }).request.url;
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
