import { mount } from "svelte";
import "./styles.css";
import { askEarly } from "./api/early.ts";
import App from "./App.svelte";
import { loadOf } from "./shell/parts.ts";
import { routeOf } from "./shell/routes.ts";
import { pause } from "./shell/pause.ts";
import { reloadOnce } from "./shell/stale.ts";

// After an update of the coordinator, an open page asks for files that are gone.
window.addEventListener("vite:preloadError", (event) => {
  if (reloadOnce()) event.preventDefault();
});

// The page's scripts and its model are on their way while the shell is made.
const first = routeOf(location.pathname);
// Whoever loads the part tells the failure.
loadOf(first)?.().catch(() => undefined);
if (first.page === "model") askEarly(first.trainer);

const target = document.getElementById("page");
if (!target) throw new Error("index.html has no element #page");
// Reading the script and showing the page are two tasks: together they would keep inputs waiting.
void pause().then(() => mount(App, { target }));
