import { mount } from "svelte";
import "../../../src/styles.css";
import Harness from "./Harness.svelte";

const target = document.getElementById("page");
if (!target) throw new Error("index.html has no element #page");
mount(Harness, { target });
