// Objects whose keys begin with a prefix are not written.

import { key } from "sluice:policy/access@0.1.0";

let prefix;

export function describe() {
  const writes = {
    phase: "authorize",
    operations: ["put-object", "create-multipart-upload"],
    headers: [],
    queries: [],
    documents: [],
  };
  return {
    name: "deny-prefix",
    version: "1.0.0",
    interests: [writes],
    claims: [],
    subResources: [],
    settingsSchema: undefined,
  };
}

export function configure(settings) {
  // Without settings there is no text at all.
  const { prefix: given, ...others } = JSON.parse(settings || "{}") ?? {};
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw `\`${unknown}\` is not known; there is \`prefix\``;
  }
  prefix = given;
  if (typeof prefix !== "string" || prefix === "") {
    throw "`prefix` is a text that is not empty";
  }
}

export function authorize() {
  if (key()?.startsWith(prefix)) {
    return { tag: "deny", val: denial("AccessDenied", `Keys that begin with ${prefix} are not written.`) };
  }
  return { tag: "abstain" };
}

// It is interested in nothing else.

export function authenticate() {
  return { tag: "abstain" };
}

export function prepare() {}

export function serve() {
  throw denial("NotImplemented", "Nothing is served here.");
}

export function respond() {
  return [];
}

function denial(code, message) {
  return { code, message, status: undefined, members: [] };
}
