import { client, failure, read } from "../api/client.ts";
import type { components } from "../api/schema.d.ts";

export type Scenario = components["schemas"]["ScenarioView"];
export type Simulation = components["schemas"]["SimulationView"];
export type ScenarioNumber = components["schemas"]["NumberView"];
export type Sweep = components["schemas"]["SweepView"];
export type SimulationBody = components["schemas"]["SimulationBody"];

/** Returns the embedded scenarios, the default one first. */
export async function listScenarios(): Promise<Scenario[]> {
  return (await read(client.GET("/v1/scenarios"))).rows;
}

/** Returns the sweeps in the coordinator's folder. */
export async function listSweeps(): Promise<Sweep[]> {
  return (await read(client.GET("/v1/sweeps"))).rows;
}

/** Asks for a simulation. */
export function submit(body: SimulationBody): Promise<Simulation> {
  return read(client.POST("/v1/simulations", { body }));
}

/** Returns a simulation. */
export function getSimulation(id: string): Promise<Simulation> {
  return read(client.GET("/v1/simulations/{id}", { params: { path: { id } } }));
}

/** Cancels a simulation; one that is unknown has ended already. */
export async function cancel(id: string): Promise<void> {
  const { response, error } = await client.DELETE("/v1/simulations/{id}", {
    params: { path: { id } },
  });
  if (!response.ok && response.status !== 404) throw failure(response, error);
}
