// Lays networks out beside the page, which stays smooth meanwhile.

import { layOut } from "./graphLayout";
import type { NetworkNode } from "./networkGraph";

self.onmessage = ({ data }: MessageEvent<Pick<NetworkNode, "name" | "inputs">[]>): void =>
  self.postMessage(layOut(data));
