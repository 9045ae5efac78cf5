// node build.mjs [CONTRACT] [OUT]: makes the component. CONTRACT is the folder of policy.wit.

import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { componentize } from "componentize-qjs";

const [contract = "../../wit", out = "deny_prefix.wasm"] = process.argv.slice(2);

// The world of this plugin is one more of the contract's package.
const wit = await mkdtemp(join(tmpdir(), "deny-prefix-"));
try {
  await cp(join(contract, "policy.wit"), join(wit, "policy.wit"));
  await cp("world.wit", join(wit, "world.wit"));
  const { component } = await componentize({
    witPath: wit,
    world: "deny-prefix",
    jsSource: await readFile("deny_prefix.js", "utf8"),
    // A plugin has nothing of WASI, and no guest of this gateway waits.
    stubWasi: true,
    sync: true,
  });
  await writeFile(out, component);
} finally {
  await rm(wit, { recursive: true });
}
