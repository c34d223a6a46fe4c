/** What a wallet offers to pages, by EIP-1193. */
export interface Provider {
  request(request: {
    method: string;
    params?: readonly unknown[];
  }): Promise<unknown>;
  on?(event: string, listener: (value: unknown) => void): void;
  removeListener?(event: string, listener: (value: unknown) => void): void;
}

/** Wallet of this browser. Name and icon are what it says of itself. */
export interface Wallet {
  uuid: string;
  name: string;
  /** Picture as a data URL; undefined if it is none, or too large. */
  icon: string | undefined;
  rdns: string;
  provider: Provider;
}

/** Maximum length of an icon's URL, and number of wallets that are listed. */
const [MAX_ICON, MAX_WALLETS] = [100_000, 20] as const;
/** Name of the one wallet of a browser that announces none. */
const UNNAMED = "";

let announced = $state.raw<readonly Wallet[]>([]);
/** The object `window.ethereum`, which counts only if no wallet announces itself. */
let injected = $state.raw<Wallet | undefined>();

/** Returns the wallets of this browser, in the order of their announcement. */
export function wallets(): readonly Wallet[] {
  if (announced.length > 0) return announced;
  return injected ? [injected] : [];
}

/** Finds wallets for as long as the page lives (EIP-6963). */
export function find(): void {
  window.addEventListener("eip6963:announceProvider", (event) =>
    note(event instanceof CustomEvent ? event.detail : undefined),
  );
  window.addEventListener("ethereum#initialized", look);
  look();
  ask();
}

/** Asks for wallets anew, as some begin late. */
export function ask(): void {
  window.dispatchEvent(new Event("eip6963:requestProvider"));
  look();
}

function isProvider(value: unknown): value is Provider {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof Reflect.get(value, "request") === "function"
  );
}

function look(): void {
  const provider: unknown = Reflect.get(window, "ethereum");
  if (injected || !isProvider(provider)) return;
  const about = { uuid: "window.ethereum", rdns: "window.ethereum" };
  injected = { ...about, name: UNNAMED, icon: undefined, provider };
}

/** Notes an announced wallet. Another announcement of the same uuid replaces it. */
function note(detail: unknown): void {
  if (typeof detail !== "object" || detail === null) return;
  const provider: unknown = Reflect.get(detail, "provider");
  const info: unknown = Reflect.get(detail, "info");
  if (!isProvider(provider) || typeof info !== "object" || info === null)
    return;
  const text = (key: string): string => {
    const value: unknown = Reflect.get(info, key);
    return typeof value === "string" ? value : "";
  };
  const uuid = text("uuid");
  if (uuid === "") return;
  const isIcon =
    /^data:image\//.test(text("icon")) && text("icon").length <= MAX_ICON;
  const icon = isIcon ? text("icon") : undefined;
  const [name, rdns] = [text("name"), text("rdns")];
  const wallet = { uuid, name, icon, rdns, provider };
  const at = announced.findIndex((known) => known.uuid === uuid);
  if (at >= 0) announced = announced.with(at, wallet);
  else if (announced.length < MAX_WALLETS) announced = [...announced, wallet];
}
