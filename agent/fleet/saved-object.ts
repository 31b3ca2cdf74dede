/**
 * What Kibana imports: saved objects, as the oldest Kibana that is supported (8.9) wrote them; later ones bring them up to their
 * own form. Ids are ours and stay, so that an import over an older one replaces it. Kibana keeps some attributes as JSON text.
 */
export const kibanaVersionMin = "8.9.0";

/** The form of each type's attributes: the last version that changed it up to 8.9. */
const formVersions = {
  "index-pattern": "8.0.0",
  dashboard: "8.9.0",
  search: "8.0.0",
  tag: "8.0.0",
} as const;
export type SavedObjectType = keyof typeof formVersions;

export interface Reference {
  readonly type: SavedObjectType;
  readonly id: string;
  readonly name: string; // what the attributes call it
}

export interface SavedObject {
  readonly type: SavedObjectType;
  readonly id: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly references: readonly Reference[];
  readonly coreMigrationVersion: string;
  readonly typeMigrationVersion: string;
}

export function savedObject(
  type: SavedObjectType,
  id: string,
  attributes: SavedObject["attributes"],
  references: readonly Reference[] = [],
): SavedObject {
  return {
    type,
    id,
    attributes,
    references,
    coreMigrationVersion: "8.8.0",
    typeMigrationVersion: formVersions[type],
  };
}

/** A document a line, as Kibana's imports take them. */
export function ndjson(documents: readonly object[]): string {
  return documents.map((document) => `${JSON.stringify(document)}\n`).join("");
}
