/** The ids of all documents in a data stream of a real server. */
import assert from "node:assert/strict";

interface Page {
  readonly _scroll_id: string;
  readonly hits: { readonly hits: readonly { readonly _id: string }[] };
}

/** @returns sorted; one that is there twice, twice */
export async function idsIn(url: string, stream: string): Promise<string[]> {
  const ask = async (path: string, body: unknown): Promise<Page> => {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
    assert.equal(answer.status, 200, await answer.clone().text());
    return (await answer.json()) as Page;
  };
  await fetch(`${url}/${stream}/_refresh`, { method: "POST" });
  const ids: string[] = [];
  let page = await ask(`/${stream}/_search?scroll=1m`, { size: 10_000, _source: false, sort: ["_doc"] });
  while (page.hits.hits.length > 0) {
    ids.push(...page.hits.hits.map(({ _id: id }) => id));
    page = await ask("/_search/scroll", { scroll: "1m", scroll_id: page._scroll_id });
  }
  return ids.sort();
}
