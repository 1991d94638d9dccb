// Which page an address means.

/** A page with what its address says. */
type Route =
  | { page: "home" | "models" | "datasets" | "searches" | "compare" | "not-found" }
  | { page: "model" | "dataset" | "search" | "candidate" | "tuning" | "study"; id: string }
  | { page: "new-search"; modelId: string | null; datasetId: string | null; fromId: string | null }
  | { page: "new-tuning"; candidateId: string | null };

/** The addresses that are the server's own, below which the page has none. */
const SERVERS = ["/api", "/docs", "/health", "/assets", "/sample"];

const DETAILS = {
  models: "model",
  datasets: "dataset",
  searches: "search",
  candidates: "candidate",
  tunings: "tuning",
  studies: "study",
} as const;

/** The sections that have details and no list: candidates, fine-tunings and studies are listed with their search. */
const UNLISTED = ["candidates", "tunings", "studies"] as const;
type Listed = Exclude<keyof typeof DETAILS, (typeof UNLISTED)[number]>;

const isListed = (section: keyof typeof DETAILS): section is Listed =>
  !(UNLISTED as readonly string[]).includes(section);

/** The pages that are no section. */
const WHOLE = ["compare"] as const;

/** Reads an address. */
export function match({ pathname, searchParams }: URL): Route {
  const [section, id, ...rest] = pathname.split("/").filter(Boolean);
  if (section === undefined) return { page: "home" };
  const whole = WHOLE.find((page) => page === section);
  if (whole && id === undefined) return { page: whole };
  if (!Object.hasOwn(DETAILS, section) || rest.length > 0) return { page: "not-found" };
  const list = section as keyof typeof DETAILS;
  if (id === undefined) return { page: isListed(list) ? list : "not-found" };
  if (list === "searches" && id === "new") {
    const [modelId, datasetId, fromId] = ["model", "dataset", "from"].map((name) => searchParams.get(name));
    return { page: "new-search", modelId: modelId ?? null, datasetId: datasetId ?? null, fromId: fromId ?? null };
  }
  if (list === "tunings" && id === "new") return { page: "new-tuning", candidateId: searchParams.get("candidate") };
  return { page: DETAILS[list], id };
}

/** Whether an address of this site is shown by this page. */
export const isOurs = (pathname: string): boolean =>
  !SERVERS.some((prefix) => pathname === prefix || pathname.startsWith(`${prefix}/`));
