// Pages of two origins, in a browser without a window: what their scripts may do
// with a bucket is decided by the browser, on what the preflights and the answers
// say. URLs that are signed come from the environment.

import { JSDOM, VirtualConsole } from "jsdom";

const { PUBLIC, MISSING, UPLOAD, DELETION, SERVED } = process.env;

const SCRIPT = `<script>
  // Resolves to what the page was let see, or to null where it was let see nothing.
  function ask(method, url, { headers = {}, body, credentials = false } = {}) {
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open(method, url);
      request.withCredentials = credentials;
      for (const name in headers) request.setRequestHeader(name, headers[name]);
      request.onload = () => resolve({
        status: request.status,
        text: request.responseText,
        etag: request.getResponseHeader("etag"),
        id: request.getResponseHeader("x-amz-request-id"),
      });
      request.onerror = () => resolve(null);
      request.send(body);
    });
  }
</script>`;

function page(url) {
  // What a browser says of a refusal on its console is not what is tested.
  const dom = new JSDOM(SCRIPT, { url, runScripts: "dangerously", virtualConsole: new VirtualConsole() });
  return dom.window.ask.bind(dom.window);
}

async function step(name, asked, wanted) {
  const found = await asked;
  const kept = found && wanted ? Object.fromEntries(Object.keys(wanted).map((key) => [key, found[key]])) : found;
  if (JSON.stringify(kept) !== JSON.stringify(wanted)) {
    console.log(`FAILED  ${name}: found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`);
    process.exit(1);
  }
  console.log(`ok      ${name}`);
}

const friend = page("http://pages.example/upload.html");
const stranger = page("http://elsewhere.example/");
const typed = { "Content-Type": "text/x-typed", "x-amz-meta-colour": "blue" };

await step("a page reads, and sees the headers that it may", friend("GET", PUBLIC), { status: 200, text: "for everybody", etag: '"1a59ae5f9b79bc3b56b49022bdd7493e"', id: null });
await step("a page reads with cookies", friend("GET", PUBLIC, { credentials: true }), { status: 200, text: "for everybody" });
await step("a page of another origin does not", stranger("GET", PUBLIC), null);
await step("a page reads an error", friend("GET", MISSING), { status: 404, etag: null });
await step("a page writes behind a preflight", friend("PUT", UPLOAD, { headers: typed, body: "written by a page" }), { status: 200 });
await step("a page of another origin does not write", stranger("PUT", UPLOAD, { headers: typed, body: "not this" }), null);
await step("a page does not send a header that is not allowed", friend("PUT", UPLOAD, { headers: { ...typed, "x-other": "1" }, body: "nor this" }), null);
await step("a page does not do what no rule allows", friend("DELETE", DELETION), null);
await step("every page reads where every page may", stranger("GET", SERVED), { status: 200, text: "for every page" });
await step("but not with cookies", stranger("GET", SERVED, { credentials: true }), null);
process.exit(0);
