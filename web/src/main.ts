import { mount } from "svelte";
import "./styles.css";
import App from "./App.svelte";
import { reloadOnce } from "./shell/stale.ts";

// After an update of the coordinator, an open page asks for files that are gone.
window.addEventListener("vite:preloadError", (event) => {
  if (reloadOnce()) event.preventDefault();
});

const target = document.getElementById("page");
if (!target) throw new Error("index.html has no element #page");
mount(App, { target });
