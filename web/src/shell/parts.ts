import type { Tab } from "../model/tabs.ts";
import type { Part, Whole } from "./Lazy.svelte";
import type { Route } from "./routes.ts";

/** Loads the scripts and styles of a page. */
export type Load = () => Promise<{ default: Part | Whole }>;

const tabs: Record<Tab, Load> = {
  try: () => import("../model/ModelPage.svelte"),
  teach: () => import("../teach/TeachPage.svelte"),
  mine: () => import("../claims/MinePage.svelte"),
  report: () => import("../claims/ReportPage.svelte"),
  host: () => import("../host/HostPage.svelte"),
};

const pages: Partial<Record<Route["page"], Load>> = {
  markets: () => import("../market/MarketsPage.svelte"),
  market: () => import("../market/MarketPage.svelte"),
  rounds: () => import("../rounds/RoundsPage.svelte"),
  round: () => import("../rounds/RoundPage.svelte"),
  me: () => import("../claims/MePage.svelte"),
  deploy: () => import("../deploy/DeployPage.svelte"),
  label: () => import("../label/LabelPage.svelte"),
  simulate: () => import("../simulate/SimulatePage.svelte"),
};

/** Returns what loads a page, or `undefined` for one that is part of the first view. */
export function loadOf(route: Route): Load | undefined {
  return route.page === "model" ? tabs[route.tab] : pages[route.page];
}
