// Carries out PATCHes by scim-patch and compares: each line of the standard input is {"before", "patches", "after"}. Prints a line
// of JSON for each that comes out otherwise.
import { createInterface } from "node:readline";
import { isDeepStrictEqual } from "node:util";
import { scimPatch } from "scim-patch";

const plain = (resource) => {
  const { meta, schemas, ...rest } = resource;
  // An empty list or object and one that is not there are the same (RFC 7643 §2.5).
  const isNothing = (value) => value === null || (typeof value === "object" && Object.keys(value).length === 0);
  return Object.fromEntries(Object.entries(rest).filter(([, value]) => !isNothing(value)));
};

for await (const line of createInterface({ input: process.stdin })) {
  const { before, patches, after } = JSON.parse(line);
  let found;
  try {
    found = patches.reduce((resource, patch) => scimPatch(resource, patch.Operations), structuredClone(before));
  } catch (error) {
    found = { error: String(error) };
  }
  if (!isDeepStrictEqual(plain(found), plain(after))) {
    console.log(JSON.stringify({ before, patches, after: plain(after), found: plain(found) }));
  }
}
