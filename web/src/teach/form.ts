import { start } from "../model/examples.ts";
import type { Form, Given } from "../model/form.ts";

/** Returns the input that a form begins with. */
export function emptyOf(form: Form): Given {
  switch (form.kind) {
    case "text":
      return { text: "" };
    case "row":
      return { row: form.fields.map(start) };
    case "pixels":
      return { row: [] };
    case "indices":
    case "numbers":
      return { features: [] };
  }
}
