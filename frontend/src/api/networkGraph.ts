// The graph of a model's network.

import type { NetworkNode } from "../lib/networkGraph";
import { BASE } from "./client";
import { ApiError, parseProblem, UNREACHABLE } from "./problem";

/** The nodes of a model's network in the order of their execution. */
export async function getNetworkGraph(id: string): Promise<NetworkNode[]> {
  let response: Response;
  try {
    response = await fetch(`${BASE}/models/${id}/graph`, { headers: { Accept: "application/json" } });
  } catch {
    throw new ApiError(UNREACHABLE);
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw new ApiError(parseProblem(body, response.status));
  return (body as { nodes: NetworkNode[] }).nodes;
}
